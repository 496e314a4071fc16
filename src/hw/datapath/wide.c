/* Inputs of 15 and 16 bits do not fit the pairs of the other files: their products are
 * made one after another. They occur before a network's last layers, if at all. */
#include "datapath_internal.h"

static int32_t input(const hw_conv *j, const hw_span *sp, int32_t i, int32_t rs,
                     int32_t channel)
{
    const dscq_hw_op *op = j->op;
    const int32_t r = rs / op->kernel_w, s = rs % op->kernel_w;
    const int32_t y = sp->y * op->stride_h - op->pad_top + r * op->dilation_h;
    const int32_t x = (sp->x + i) * op->stride_w - op->pad_left + s * op->dilation_w;

    if (y < 0 || y >= j->t->h || x < 0 || x >= j->t->w)
        return 0;
    return hw__get(j->t, hw__line(j->d, j->in, y, channel) +
                             (int64_t)(x - j->in->x0) * j->t->elem_bytes) -
           j->t->zero_point;
}

/* Kernel place and channel of one weight of a pair. */
static int32_t column_of(const hw_conv *j, uint32_t pair, int32_t half,
                         int32_t *channel)
{
    if (j->op->mode == DSCQ_HW_DEPTHWISE) {
        const int32_t r = (int32_t)pair / j->w->row_pairs;
        return r * j->op->kernel_w + 2 * ((int32_t)pair % j->w->row_pairs) + half;
    }
    const int32_t k = 2 * (int32_t)pair + half;
    *channel = j->tile->c_first + k % j->tile->c_count;
    return k / j->tile->c_count;
}

void hw__wide_sums(const hw_conv *j, int32_t place, int32_t channel, int32_t spans)
{
    const struct hw_scratch *scratch = j->d->scratch;

    for (int32_t s = 0; s < spans; s++) {
        const hw_span *sp = &scratch->span[s];
        int32_t *sum = j->d->scratch->sum + sp->at;
        for (int32_t i = 0; i < sp->n; i++)
            sum[i] = 0;
        for (uint32_t e = j->w->first[place]; e < j->w->last[place]; e++)
            for (int32_t half = 0; half < 2; half++) {
                const int32_t v = half == 0 ? (int16_t)(j->w->value[e] & 0xffff)
                                            : j->w->value[e] >> 16;
                if (v == 0) /* may stand beyond the last column */
                    continue;
                const int32_t rs = column_of(j, j->w->at[e], half, &channel);
                for (int32_t i = 0; i < sp->n; i++)
                    sum[i] += v * input(j, sp, i, rs, channel);
            }
    }
}
