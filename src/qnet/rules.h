/* rules.h - what the rules of the operations share (qmodel_rules.c). */
#ifndef QNET_RULES_H
#define QNET_RULES_H

#include "qnet_internal.h"

typedef struct qnet_rule {
    const dscq_qmodel *m;
    const dscq_qnode *n;
    const dscq_qtensor *x, *y; /* first input, output */
    dscq_error *err;
} qnet_rule;

/* DSCQ_FORMAT with the node and its operation in front. */
dscq_status qnet__rule_refuse(const qnet_rule *c, const char *fmt, ...)
    DSCQ_PRINTF(2, 3);
dscq_status qnet__rule_clamp(const qnet_rule *c);
dscq_status qnet__rule_leaky(const qnet_rule *c);
dscq_status qnet__rule_shape(const qnet_rule *c, int32_t h, int32_t w, int32_t ch);
dscq_status qnet__rule_same_codes(const qnet_rule *c);
dscq_status qnet__rule_inputs(const qnet_rule *c, int32_t want);
dscq_status qnet__rule_scale(const qnet_rule *c, int32_t want);
dscq_status qnet__rule_normal(const qnet_rule *c);
dscq_status qnet__rule_pads(const qnet_rule *c);
dscq_status qnet__rule_steps(const qnet_rule *c);

dscq_status qnet__rule_conv(const qnet_rule *c); /* qmodel_rules_conv.c */

#endif
