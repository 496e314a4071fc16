/* What the rules of several operations share. */
#include "rules.h"

#include <stdarg.h>
#include <stdio.h>

dscq_status qnet__refuse(const qnet_rule *c, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return dscq_fail(c->err, DSCQ_FORMAT, "node '%s' (%s): %s", c->n->name,
                     dscq_qop_name(c->n->op), text);
}

dscq_status qnet__need_clamp(const qnet_rule *c)
{
    const int32_t lo = dscq_qtensor_lo(c->y), hi = dscq_qtensor_hi(c->y);

    if (c->n->clamp_lo < lo || c->n->clamp_hi > hi || c->n->clamp_lo > c->n->clamp_hi)
        return qnet__refuse(c, "clamp [%d, %d] outside the output's [%d, %d]",
                            c->n->clamp_lo, c->n->clamp_hi, lo, hi);
    return DSCQ_OK;
}

dscq_status qnet__need_leaky(const qnet_rule *c)
{
    if (c->n->is_leaky != 0 && c->n->is_leaky != 1)
        return qnet__refuse(c, "is_leaky %d", c->n->is_leaky);
    if (c->n->slope_q15 < 0 || c->n->slope_q15 > 32768)
        return qnet__refuse(c, "slope %d/32768; want 0 to 32768", c->n->slope_q15);
    return DSCQ_OK;
}

dscq_status qnet__need_shape(const qnet_rule *c, int32_t h, int32_t w, int32_t ch)
{
    if (c->y->h != h || c->y->w != w || c->y->c != ch)
        return qnet__refuse(c, "output is %d x %d x %d; the inputs make %d x %d x %d",
                            c->y->h, c->y->w, c->y->c, h, w, ch);
    return DSCQ_OK;
}

dscq_status qnet__need_same_codes(const qnet_rule *c)
{
    if (c->x->bits != c->y->bits || c->x->is_signed != c->y->is_signed ||
        c->x->zero_point != c->y->zero_point)
        return qnet__refuse(c,
                            "input and output must have the same bits, sign and zero "
                            "point");
    return DSCQ_OK;
}

dscq_status qnet__need_inputs(const qnet_rule *c, int32_t want)
{
    if (c->n->input_count != want)
        return qnet__refuse(c, "%d inputs; want %d", c->n->input_count, want);
    return DSCQ_OK;
}

dscq_status qnet__need_entries(const qnet_rule *c, int32_t want)
{
    if (c->n->scale_count != want || c->n->mult == NULL || c->n->shift == NULL)
        return qnet__refuse(c, "%d scale entries; want %d", c->n->scale_count, want);
    return DSCQ_OK;
}

dscq_status qnet__need_scale(const qnet_rule *c, int32_t i)
{
    if (c->n->mult[i] == INT16_MIN || c->n->shift[i] > DSCQ_QSHIFT_MAX)
        return qnet__refuse(c, "scale entry %d: m %d, r %d; want |m| < 32768, r <= %d",
                            i, c->n->mult[i], c->n->shift[i], DSCQ_QSHIFT_MAX);
    return DSCQ_OK;
}

dscq_status qnet__need_scales(const qnet_rule *c, int32_t want)
{
    dscq_status status = qnet__need_entries(c, want);

    for (int32_t i = 0; status == DSCQ_OK && i < want; i++)
        status = qnet__need_scale(c, i);
    return status;
}

dscq_status qnet__need_normal(const qnet_rule *c)
{
    for (int32_t i = 0; i < c->n->scale_count; i++) {
        const int32_t m = c->n->mult[i] < 0 ? -c->n->mult[i] : c->n->mult[i];
        if (m != 0 ? m < 16384 : c->n->shift[i] != 0)
            return qnet__refuse(c, "scale entry %d: m %d, r %d is not normalised", i,
                                c->n->mult[i], c->n->shift[i]);
    }
    return DSCQ_OK;
}

dscq_status qnet__need_pads(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;
    const int32_t side[] = {n->pad_top, n->pad_left, n->pad_bottom, n->pad_right};

    for (int i = 0; i < 4; i++)
        if (side[i] < 0 || side[i] > DSCQ_QNET_MAX_SIDE)
            return qnet__refuse(c, "padding %d; want 0 to %d", side[i],
                                DSCQ_QNET_MAX_SIDE);
    return DSCQ_OK;
}

dscq_status qnet__need_steps(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;
    const int32_t step[] = {n->stride_h, n->stride_w, n->dilation_h, n->dilation_w};

    for (int i = 0; i < 4; i++)
        if (step[i] < 1 || step[i] > DSCQ_QNET_MAX_SIDE)
            return qnet__refuse(c, "stride or dilation %d; want 1 to %d", step[i],
                                DSCQ_QNET_MAX_SIDE);
    return qnet__need_pads(c);
}
