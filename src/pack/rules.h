/* rules.h - what the rules of the operations share (qmodel_rules.c). */
#ifndef PACK_RULES_H
#define PACK_RULES_H

#include "pack_internal.h"

typedef struct rule_ctx {
    const dscq_qmodel *m;
    const dscq_qnode *n;
    const dscq_qtensor *x, *y; /* first input, output */
    dscq_error *err;
} rule_ctx;

/* DSCQ_FORMAT with the node and its operation in front. */
dscq_status rule_refuse(const rule_ctx *c, const char *fmt, ...) DSCQ_PRINTF(2, 3);
dscq_status rule_clamp(const rule_ctx *c);
dscq_status rule_leaky(const rule_ctx *c);
dscq_status rule_shape(const rule_ctx *c, int32_t h, int32_t w, int32_t ch);
dscq_status rule_same_codes(const rule_ctx *c);
dscq_status rule_inputs(const rule_ctx *c, int32_t want);
dscq_status rule_scale(const rule_ctx *c, int32_t want);
dscq_status rule_normal(const rule_ctx *c);
dscq_status rule_pads(const rule_ctx *c);
dscq_status rule_steps(const rule_ctx *c);

dscq_status rule_conv(const rule_ctx *c); /* qmodel_rules_conv.c */

#endif
