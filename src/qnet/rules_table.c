/* What each operation demands of its node: one function a row of qops.def. */
#include "rules.h"

static qnet_rule_fn *const k_rules[DSCQ_Q_COUNT] = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = qnet__rule_##name,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

/* Nor does a node hold what its operation does not have. */
static dscq_status rule_nothing_else(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;

    if (!dscq_qop_has(n->op, DSCQ_QHAS_SCALES) && n->scale_count != 0)
        return qnet__refuse(c, "%d scale entries; want 0", n->scale_count);
    if (!dscq_qop_has(n->op, DSCQ_QHAS_LOOKUP | DSCQ_QHAS_CURVE) && n->table_count != 0)
        return qnet__refuse(c, "%d table entries; want 0", n->table_count);
    return DSCQ_OK;
}

dscq_status qnet__check_node(const dscq_qmodel *m, const dscq_qnode *n, dscq_error *err)
{
    const qnet_rule c = {m, n, &m->tensor[n->input[0]], &m->tensor[n->output], err};
    const dscq_status status = k_rules[n->op](&c);

    return status != DSCQ_OK ? status : rule_nothing_else(&c);
}
