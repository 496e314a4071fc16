/* What operations that move codes demand of their nodes. */
#include "rules.h"

static dscq_status check_moved(const qnet_rule *c, int32_t h, int32_t w, int32_t ch)
{
    dscq_status status;

    DSCQ_TRY(qnet__need_inputs(c, 1));
    DSCQ_TRY(qnet__need_same_codes(c));
    DSCQ_TRY(qnet__need_shape(c, h, w, ch));
done:
    return status;
}

static dscq_status check_factor(const qnet_rule *c)
{
    if (c->n->factor < 1 || c->n->factor > DSCQ_QNET_MAX_FACTOR)
        return qnet__refuse(c, "factor %d; want 1 to %d", c->n->factor,
                            DSCQ_QNET_MAX_FACTOR);
    return DSCQ_OK;
}

dscq_status qnet__rule_upsample(const qnet_rule *c)
{
    const dscq_status status = check_factor(c);

    return status != DSCQ_OK ? status
                             : check_moved(c, c->x->h * c->n->factor,
                                           c->x->w * c->n->factor, c->x->c);
}

dscq_status qnet__rule_reorg(const qnet_rule *c)
{
    const int32_t f = c->n->factor;
    const dscq_status status = check_factor(c);

    if (status != DSCQ_OK)
        return status;
    if (c->x->h % f != 0 || c->x->w % f != 0 ||
        c->x->c > DSCQ_QNET_MAX_CHANNELS / (f * f))
        return qnet__refuse(c, "%d x %d x %d is not a multiple of %d", c->x->h, c->x->w,
                            c->x->c, f);
    return check_moved(c, c->x->h / f, c->x->w / f, c->x->c * f * f);
}

dscq_status qnet__rule_slice(const qnet_rule *c)
{
    if (c->n->first < 0 || c->n->first > c->x->c - c->y->c)
        return qnet__refuse(c, "channels %d.. of %d; the output wants %d", c->n->first,
                            c->x->c, c->y->c);
    return check_moved(c, c->x->h, c->x->w, c->y->c);
}

dscq_status qnet__rule_pad(const qnet_rule *c)
{
    const dscq_status status = qnet__need_pads(c);

    return status != DSCQ_OK
               ? status
               : check_moved(c, c->x->h + c->n->pad_top + c->n->pad_bottom,
                             c->x->w + c->n->pad_left + c->n->pad_right, c->x->c);
}
