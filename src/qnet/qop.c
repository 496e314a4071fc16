/* The table of operations: names and traits. */
#include "dscq/qnet/qmodel.h"

static const struct {
    const char *name;
    int traits;
} k_ops[DSCQ_Q_COUNT] = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = {#name, traits},
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

const char *dscq_qop_name(dscq_qop op)
{
    return (int)op >= 0 && op < DSCQ_Q_COUNT ? k_ops[op].name : "?";
}

int dscq_qop_has(dscq_qop op, int traits)
{
    return (k_ops[op].traits & traits) != 0;
}

int dscq_qop_moves(dscq_qop op)
{
    return !dscq_qop_has(op, DSCQ_QHAS_SCALES | DSCQ_QHAS_LOOKUP);
}
