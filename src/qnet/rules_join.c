/* What sums, products and joins demand of their nodes. */
#include "rules.h"

dscq_status qnet__rule_add(const qnet_rule *c)
{
    dscq_status status;

    if (c->n->input_count < 2)
        return qnet__refuse(c, "%d inputs; want 2 or more", c->n->input_count);
    for (int32_t i = 0; i < c->n->input_count; i++) {
        const dscq_qtensor *x = &c->m->tensor[c->n->input[i]];
        DSCQ_TRY(qnet__need_shape(c, x->h, x->w, x->c));
    }
    DSCQ_TRY(qnet__need_scales(c, c->n->input_count));
    for (int32_t i = 1; i < c->n->input_count; i++)
        if (c->n->shift[i] != c->n->shift[0])
            return qnet__refuse(c, "input %d: r %d differs from %d", i, c->n->shift[i],
                                c->n->shift[0]);
    DSCQ_TRY(qnet__need_clamp(c));
    DSCQ_TRY(qnet__need_leaky(c));
done:
    return status;
}

dscq_status qnet__rule_mul(const qnet_rule *c)
{
    dscq_status status;

    DSCQ_TRY(qnet__need_inputs(c, 2));
    const dscq_qtensor *b = &c->m->tensor[c->n->input[1]];
    if (b->c != c->x->c ||
        !((b->h == c->x->h && b->w == c->x->w) || (b->h == 1 && b->w == 1)))
        return qnet__refuse(c,
                            "second input is %d x %d x %d; want the first's shape or "
                            "1 x 1 x %d",
                            b->h, b->w, b->c, c->x->c);
    DSCQ_TRY(qnet__need_shape(c, c->x->h, c->x->w, c->x->c));
    DSCQ_TRY(qnet__need_scales(c, 1));
    DSCQ_TRY(qnet__need_clamp(c));
done:
    return status;
}

static dscq_status check_join(const qnet_rule *c, int32_t i)
{
    const qnet_rule one = {c->m, c->n, &c->m->tensor[c->n->input[i]], c->y, c->err};

    if (one.x->h != c->y->h || one.x->w != c->y->w)
        return qnet__refuse(c, "input %d is %d x %d; the output %d x %d", i, one.x->h,
                            one.x->w, c->y->h, c->y->w);
    if (dscq_qnode_is_copied(c->n, i))
        return qnet__need_same_codes(&one);
    return qnet__need_scale(c, i);
}

dscq_status qnet__rule_concat(const qnet_rule *c)
{
    int64_t channels = 0;
    dscq_status status;

    DSCQ_TRY(qnet__need_entries(c, c->n->input_count));
    for (int32_t i = 0; i < c->n->input_count; i++) {
        DSCQ_TRY(check_join(c, i));
        channels += c->m->tensor[c->n->input[i]].c;
    }
    if (channels != c->y->c)
        return qnet__refuse(c, "%lld input channels; the output has %d",
                            (long long)channels, c->y->c);
    DSCQ_TRY(qnet__need_clamp(c));
done:
    return status;
}

dscq_status qnet__rule_rescale(const qnet_rule *c)
{
    const dscq_status status = qnet__need_inputs(c, 1);

    return status != DSCQ_OK ? status : qnet__rule_concat(c);
}
