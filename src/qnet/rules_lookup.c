/* What operations with a table demand of their nodes. */
#include "rules.h"

dscq_status qnet__rule_lut(const qnet_rule *c)
{
    dscq_status status;

    DSCQ_TRY(qnet__need_inputs(c, 1));
    if (c->x->bits > 8)
        return qnet__refuse(c, "input of %d bits; at most 8", c->x->bits);
    DSCQ_TRY(qnet__need_shape(c, c->x->h, c->x->w, c->x->c));
    if (c->n->table_count != 1 << c->x->bits || c->n->table == NULL)
        return qnet__refuse(c, "%d table entries; want %d", c->n->table_count,
                            1 << c->x->bits);
    for (int32_t i = 0; i < c->n->table_count; i++)
        if (c->n->table[i] < dscq_qtensor_lo(c->y) ||
            c->n->table[i] > dscq_qtensor_hi(c->y))
            return qnet__refuse(c, "table entry %d is %d, not a code of the output", i,
                                c->n->table[i]);
done:
    return status;
}

dscq_status qnet__rule_lrn(const qnet_rule *c)
{
    const int64_t reach = dscq_qtensor_reach(c->x);
    dscq_status status;

    DSCQ_TRY(qnet__need_inputs(c, 1));
    DSCQ_TRY(qnet__need_shape(c, c->x->h, c->x->w, c->x->c));
    if (c->n->first < 1 || c->n->first > c->x->c * 2 + 1)
        return qnet__refuse(c, "a sum over %d channels", c->n->first);
    const int64_t span = c->n->first < c->x->c ? c->n->first : c->x->c;
    if (span > (int64_t)UINT32_MAX / (reach * reach))
        return qnet__refuse(c, "a sum of %lld squares may overflow", (long long)span);
    DSCQ_TRY(qnet__need_scales(c, 1));
    if (c->n->mult[0] != 0)
        return qnet__refuse(c, "m %d; want 0, the table is the factor", c->n->mult[0]);
    const int32_t top = dscq_lrn_index((uint32_t)(span * reach * reach));
    if (c->n->table_count != top + 1 || c->n->table == NULL)
        return qnet__refuse(c, "%d table entries; want %d", c->n->table_count, top + 1);
    for (int32_t i = 0; i <= top; i++)
        if (c->n->table[i] < 0 || c->n->table[i] > 65535)
            return qnet__refuse(c, "table entry %d is %d; want 0 to 65535", i,
                                c->n->table[i]);
    DSCQ_TRY(qnet__need_clamp(c));
done:
    return status;
}
