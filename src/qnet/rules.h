/* rules.h - the rules of the operations and what they share. */
#ifndef QNET_RULES_H
#define QNET_RULES_H

#include "qnet_internal.h"

typedef struct qnet_rule {
    const dscq_qmodel *m;
    const dscq_qnode *n;
    const dscq_qtensor *x, *y; /* first input, output */
    dscq_error *err;
} qnet_rule;

typedef dscq_status qnet_rule_fn(const qnet_rule *c);
#define DSCQ_QOP(name, id, meaning, traits) qnet_rule_fn qnet__rule_##name;
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP

/* DSCQ_FORMAT with the node and its operation in front. */
dscq_status qnet__refuse(const qnet_rule *c, const char *fmt, ...) DSCQ_PRINTF(2, 3);
dscq_status qnet__need_clamp(const qnet_rule *c);
dscq_status qnet__need_leaky(const qnet_rule *c);
dscq_status qnet__need_shape(const qnet_rule *c, int32_t h, int32_t w, int32_t ch);
/* Codes are moved, not changed: both sides mean the same by a code. */
dscq_status qnet__need_same_codes(const qnet_rule *c);
dscq_status qnet__need_inputs(const qnet_rule *c, int32_t want);
dscq_status qnet__need_entries(const qnet_rule *c, int32_t want); /* of the scale */
dscq_status qnet__need_scale(const qnet_rule *c, int32_t i);
dscq_status qnet__need_scales(const qnet_rule *c, int32_t want); /* both, for all */
dscq_status qnet__need_normal(const qnet_rule *c);
dscq_status qnet__need_pads(const qnet_rule *c);
dscq_status qnet__need_steps(const qnet_rule *c);

#endif
