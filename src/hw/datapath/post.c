/* From sums to codes in the output ring: scale, bias, activation, residual sum. */
#include "datapath_internal.h"

#include <string.h>

static hw_scale scale_of(const hw_conv *j, int32_t channel)
{
    const dscq_hw_op *op = j->op;

    return (hw_scale){.m = op->mult[channel],
                      .shift = op->shift[channel],
                      .bias = op->bias[channel],
                      .zero = op->has_residual ? op->res_zero_self
                                               : j->d->p->tensor[op->out].zero_point,
                      .lo = op->clamp_lo,
                      .hi = op->clamp_hi,
                      .is_leaky = op->is_leaky,
                      .slope_q15 = op->slope_q15};
}

static void gather(const hw_data *d, const dscq_hw_ring *r, int32_t channel,
                   int32_t spans, int32_t *to)
{
    const dscq_hw_tensor *t = &d->p->tensor[r->tensor];
    const int32_t eb = t->elem_bytes;

    for (int32_t i = 0; i < spans; i++) {
        const hw_span *sp = &d->scratch->span[i];
        const uint8_t *line = hw__line(d, r, sp->y, channel) + (sp->x - r->x0) * eb;
        if (eb == 1 && t->is_signed)
            for (int32_t k = 0; k < sp->n; k++)
                to[sp->at + k] = (int8_t)line[k];
        else
            for (int32_t k = 0; k < sp->n; k++)
                to[sp->at + k] = hw__get(t, line + k * eb);
    }
}

static void add_residual(const hw_conv *j, int32_t channel, int32_t spans, int32_t n)
{
    const dscq_hw_op *op = j->op;
    struct hw_scratch *s = j->d->scratch;
    const hw_residual r = {.m_self = op->res_m_self,
                           .m_other = op->res_m_other,
                           .shift = op->res_shift,
                           .zero_self = op->res_zero_self,
                           .zero_other = j->d->p->tensor[op->in[1]].zero_point,
                           .zero = op->res_zero_out,
                           .lo = op->res_lo,
                           .hi = op->res_hi,
                           .is_leaky = op->res_is_leaky,
                           .slope_q15 = op->res_slope_q15};

    gather(j->d, &j->d->p->ring[j->c->ring_in[1]], channel, spans, s->other);
    j->d->kernels->residual(s->code, s->other, n, &r);
}

/* Keep the codes in the order of the reference: pixels, then channels. */
static void capture(const hw_conv *j, int32_t channel, const hw_span *sp,
                    const uint8_t *line)
{
    const dscq_hw_tensor *t = &j->d->p->tensor[j->op->out];
    const size_t eb = (size_t)t->elem_bytes;
    uint8_t *to = j->d->captured[j->op->out];

    for (int32_t i = 0; i < sp->n; i++) {
        const size_t at =
            ((size_t)sp->y * (size_t)t->w + (size_t)(sp->x + i)) * (size_t)t->c +
            (size_t)channel;
        memcpy(to + at * eb, line + (size_t)i * eb, eb);
    }
}

void hw__post(const hw_conv *j, int32_t channel, int32_t spans)
{
    struct hw_scratch *s = j->d->scratch;
    const dscq_hw_tensor *t = &j->d->p->tensor[j->op->out];
    const int32_t n = s->span[spans - 1].at + s->span[spans - 1].n;
    const int32_t eb = t->elem_bytes;
    const hw_scale scale = scale_of(j, channel);

    j->d->kernels->scale(s->code, s->sum, n, &scale);
    if (j->op->has_residual)
        add_residual(j, channel, spans, n);
    for (int32_t i = 0; eb == 1 && i < n; i++)
        s->bytes[i] = (uint8_t)(s->code[i] & 0xff);
    for (int32_t i = 0; i < spans; i++) {
        const hw_span *sp = &s->span[i];
        uint8_t *line =
            hw__line(j->d, j->out, sp->y, channel) + (int64_t)(sp->x - j->out->x0) * eb;
        if (eb == 1)
            hw__copy(line, s->bytes + sp->at, sp->n);
        else
            for (int32_t k = 0; k < sp->n; k++)
                hw__put(t, line + k * eb, s->code[sp->at + k]);
        if (j->d->captured[j->op->out] != NULL)
            capture(j, channel, sp, line);
    }
}
