/*
 * flow/gate.h - "is the new report worse than the old one?", for CI scripts.
 *
 * A rule is KEY SIGN AMOUNT, as docs/report-schema.md defines it:
 *   energy_pj>+2%         worse when new > old * 1.02
 *   packed_top1_frac<-0.005   worse when new < old - 0.005
 *   fps<100               worse when new < 100 (no baseline needed)
 * With >= and <= the limit itself is worse already. A number that is the limit but for
 * the rounding of binary fractions is at it.
 * KEY is looked up in `total`, `accuracy`, `file`, or is a path ("layers[3].cycles").
 */
#ifndef DSCQ_FLOW_GATE_H
#define DSCQ_FLOW_GATE_H

#include "dscq/base/json.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the rules can be read, before work is spent on a report: DSCQ_ARG. */
dscq_status dscq_gate_read_rules(const char *const *rules, size_t rule_count,
                                 int has_baseline, dscq_error *err);

/* DSCQ_ARG naming the differences when the two are not of the same network, machine
 * (every setting that both have), number of frames and of images that were judged, or
 * not of this schema: their numbers say nothing about each other. */
dscq_status dscq_gate_comparable(const dscq_json *report, const dscq_json *baseline,
                                 dscq_error *err);

/*
 * Apply every rule to `report` (and `baseline`, which may be NULL when no rule is
 * relative). *out, owned by the caller, has one row a rule: rule, key, baseline,
 * new, limit, broken (0/1). *broken counts. DSCQ_ARG: a rule that cannot be read, a
 * key that is in neither report, a relative rule without a baseline, or another
 * schema. DSCQ_OK whether or not a gate broke.
 */
dscq_status dscq_gate_check(dscq_table **out, size_t *broken, const dscq_json *report,
                            const dscq_json *baseline, const char *const *rules,
                            size_t rule_count, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
