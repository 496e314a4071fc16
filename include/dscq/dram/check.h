/*
 * dram/check.h - is a stream of DRAM commands legal?
 *
 * The checker knows the timing table of a device and nothing of controllers: it
 * watches commands (dscq_dram_watch) and compares each with the history of its
 * bank, group, rank and data bus. It shares no code with the policies.
 *
 * Rules: JESD79-3 (DDR3), JESD79-4 (DDR4), JESD209-4 (LPDDR4), JESD79-5 (DDR5), JESD235
 * (HBM2), as far as the keys of dscq_dram_config name them. Data bursts may not
 * overlap, and tRTRS idle cycles lie between bursts when the driver of the bus changes
 * (another rank reads, or the direction turns). Refreshes of a rank lie at most nine
 * tREFI apart.
 */
#ifndef DSCQ_DRAM_CHECK_H
#define DSCQ_DRAM_CHECK_H

#include "dscq/base/status.h"
#include "dscq/dram/dram.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DSCQ_DRAM_RULE_LIST(X) /* id, what a violation means */                        \
    X(BUS, "two commands in one cycle, or time runs backwards")                        \
    X(STATE, "bank open, closed, or in power-down where it must not be")               \
    X(ROW, "column command to a row that is not open")                                 \
    X(tRC, "activate too soon after an activate of the bank")                          \
    X(tRP, "activate or refresh too soon after a precharge")                           \
    X(tRFC, "command too soon after a refresh")                                        \
    X(tRRD, "activate too soon after an activate of the rank")                         \
    X(tFAW, "five activates in a four-activate window")                                \
    X(tRCD, "column command too soon after the activate")                              \
    X(tCCD, "column command too soon after one of its kind")                           \
    X(tWTR, "read too soon after write data")                                          \
    X(DATA, "data bursts overlap or leave too little time to hand over the bus")       \
    X(tRAS, "precharge too soon after the activate")                                   \
    X(tRTP, "precharge too soon after a read")                                         \
    X(tWR, "precharge too soon after write data")                                      \
    X(tPPD, "precharge too soon after a precharge of the rank")                        \
    X(tREFI, "more than nine refresh intervals without a refresh")                     \
    X(tCKE, "power-down left too soon")                                                \
    X(tXP, "command too soon after power-down")                                        \
    X(tRFCsb, "command too soon after a same-bank refresh")                            \
    X(tREFSBRD, "activate of another bank too soon after a same-bank refresh")

typedef enum dscq_dram_rule {
#define X(id, text) DSCQ_DRAM_RULE_##id,
    DSCQ_DRAM_RULE_LIST(X)
#undef X
        DSCQ_DRAM_RULES
} dscq_dram_rule;

const char *dscq_dram_rule_name(dscq_dram_rule rule); /* "tRC" */

typedef struct dscq_dram_checker dscq_dram_checker;

/* Owned by the caller: dscq_dram_checker_destroy(). */
dscq_status dscq_dram_checker_create(dscq_dram_checker **out,
                                     const dscq_dram_config *config, dscq_error *err);
void dscq_dram_checker_destroy(dscq_dram_checker *c); /* NULL is fine */

/* A dscq_dram_watch_fn; ctx is the checker. */
void dscq_dram_checker_see(void *checker, const dscq_dram_command *m);
/* The stream ends before `cycle`: the last refresh interval counts too. */
void dscq_dram_checker_end(dscq_dram_checker *c, uint64_t cycle);

uint64_t dscq_dram_checker_commands(const dscq_dram_checker *c);
uint64_t dscq_dram_checker_violations(const dscq_dram_checker *c);
uint64_t dscq_dram_checker_count(const dscq_dram_checker *c, dscq_dram_rule rule);
/* One line about the first violation; "" when there is none. Borrowed. */
const char *dscq_dram_checker_first(const dscq_dram_checker *c);

#ifdef __cplusplus
}
#endif
#endif
