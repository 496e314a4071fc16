/*
 * dram/dram.h - one DRAM channel: controller, banks, refresh, energy; command level.
 *
 * Time is counted in DRAM clock cycles from 0. `now` is the cycle that has not
 * run yet: a request submitted at `now` is seen by the tick of cycle `now`.
 * dscq_dram_advance() runs cycles and jumps over those in which nothing can
 * happen; a jump never changes a result (tests compare with stepping by one).
 *
 *     while (work) {
 *         while (dscq_dram_room(d, next.is_write) && ...)
 *             dscq_dram_submit(d, &next, &err);    at most one a cycle
 *         dscq_dram_advance(d, dscq_dram_now(d) + 1);
 *         while (dscq_dram_poll(d, &done)) ...
 *     }
 *
 * Policies (rows of src/dram/policies.def; docs/dram.md has their rules):
 *   d2      the rules of DRAMSim2 (Rosenfeld, Cooper-Balis, Jacob, CAL 2011)
 *   d3      the rules of DRAMsim3 (Li, Yang, Reddy, Srivastava, Jacob, CAL 2020)
 *   frfcfs  our own: first-ready, write batches, adaptive page close, bank-group
 *           aware, refreshes postponed while there is work
 *
 * When a write is reported done: d2 when its data burst ends, d3 and frfcfs one
 * cycle after it was accepted (posted; reads of a buffered address are answered
 * from the buffer). dscq_dram_idle() says when everything has reached the banks.
 */
#ifndef DSCQ_DRAM_DRAM_H
#define DSCQ_DRAM_DRAM_H

#include "dscq/base/status.h"
#include "dscq/dram/config.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_dram dscq_dram;

/* *out is owned by the caller: dscq_dram_destroy(). The config is copied;
 * DSCQ_FORMAT when dscq_dram_config_check() refuses it, DSCQ_NOMEM. */
dscq_status dscq_dram_create(dscq_dram **out, const dscq_dram_config *config,
                             dscq_error *err);
void dscq_dram_destroy(dscq_dram *d);                           /* NULL is fine */
const dscq_dram_config *dscq_dram_settings(const dscq_dram *d); /* borrowed */

typedef struct dscq_dram_request {
    uint64_t address; /* bytes; the burst that holds it is moved */
    uint64_t id;      /* the caller's; comes back in the completion */
    int is_write;
} dscq_dram_request;

typedef struct dscq_dram_completion {
    uint64_t id;
    uint64_t cycle; /* the cycle in which it was done; admission to here = latency */
    int is_write;
} dscq_dram_completion;

uint64_t dscq_dram_now(const dscq_dram *d);

/* 1 when a request of that kind may be submitted in this cycle: a queue place is
 * free and none was submitted since the clock last moved. */
int dscq_dram_room(const dscq_dram *d, int is_write);

/* Accept one request now. The caller asks dscq_dram_room() first (asserted).
 * DSCQ_ARG for an address beyond the capacity, DSCQ_NOMEM; then nothing changed. */
dscq_status dscq_dram_submit(dscq_dram *d, const dscq_dram_request *request,
                             dscq_error *err);

/* Run every cycle before `until` (no-op when until <= now). */
void dscq_dram_advance(dscq_dram *d, uint64_t until);

/* Run at least one cycle, then go on to the first cycle at which the caller can
 * see a change (a completion to poll, more room), at most to `limit` > now.
 * Returns the new `now`. For callers that skip time themselves. */
uint64_t dscq_dram_advance_until_change(dscq_dram *d, uint64_t limit);

/* Next finished request in order of completion cycle: 1, or 0 when there is none
 * among the cycles that have run. */
int dscq_dram_poll(dscq_dram *d, dscq_dram_completion *out);

/* 1 when no request is waiting, in flight or unpolled-but-unfinished: the end
 * that the policy's own rules define (d3 keeps up to eight writes for ever). */
int dscq_dram_idle(const dscq_dram *d);

/* One more than the last cycle in which a request completed: the run time of a
 * trace when dscq_dram_idle(). */
uint64_t dscq_dram_end_cycle(const dscq_dram *d);

/* ---- counters ---------------------------------------------------------- */

#define DSCQ_DRAM_COUNTER_LIST(X) /* field, unit, meaning */                           \
    X(cycles, "cycles", "clock cycles run")                                            \
    X(reads, "requests", "reads accepted")                                             \
    X(writes, "requests", "writes accepted")                                           \
    X(reads_done, "requests", "reads given a completion cycle")                        \
    X(writes_done, "requests", "writes given a completion cycle")                      \
    X(read_cmds, "commands", "read bursts moved")                                      \
    X(write_cmds, "commands", "write bursts moved")                                    \
    X(reads_joined, "requests", "reads that shared a pending read's burst")            \
    X(reads_forwarded, "requests", "reads answered by a buffered write")               \
    X(writes_joined, "requests", "writes that replaced a buffered write")              \
    X(writes_buffered, "requests", "writes accepted but not in the banks")             \
    X(act, "commands", "activates")                                                    \
    X(pre, "commands", "precharge commands")                                           \
    X(auto_pre, "commands", "column commands with auto-precharge")                     \
    X(ref, "commands", "refreshes of a rank")                                          \
    X(ref_same_bank, "commands", "refreshes of one bank in every group")               \
    X(ref_owed, "commands", "refreshes due but not issued")                            \
    X(row_hits, "commands", "column commands not first after their activate")          \
    X(row_misses, "commands", "column commands first after their activate")            \
    X(rows_touched, "rows", "distinct rows that requests named")                       \
    X(read_latency_cycles, "cycles", "sum over reads, acceptance to completion")       \
    X(write_latency_cycles, "cycles", "sum over writes")                               \
    X(rank_active_cycles, "rank-cycles", "a bank open, or refreshing where counted")   \
    X(rank_idle_cycles, "rank-cycles", "all banks closed, clock on")                   \
    X(rank_powerdown_cycles, "rank-cycles", "precharge power-down")

typedef struct dscq_dram_counters {
#define X(field, unit, meaning) uint64_t field;
    DSCQ_DRAM_COUNTER_LIST(X)
#undef X
} dscq_dram_counters;

dscq_dram_counters dscq_dram_count(const dscq_dram *d);

/* Energy from counters: IDD x VDD x time, per component, pJ. Core energy only;
 * `termination` (drivers and on-die termination) is priced by the two keys of
 * [termination] and is NOT part of total. Source: Micron TN-41-01; the
 * increments are those of DRAMSim2 and DRAMsim3 (docs/dram.md). */
typedef struct dscq_dram_energy {
    double background, actpre, burst, refresh, total;
    double termination;
} dscq_dram_energy;

dscq_dram_energy dscq_dram_energy_pj(const dscq_dram_config *c,
                                     const dscq_dram_counters *n);

/* Laws that hold after any number of cycles (docs/dram.md lists them). DSCQ_INTERNAL
 * with the text of the broken law: the numbers must not be used. */
dscq_status dscq_dram_check_laws(const dscq_dram *d, dscq_error *err);

/* ---- observers --------------------------------------------------------- */

typedef enum dscq_dram_op {
    DSCQ_DRAM_ACT,
    DSCQ_DRAM_RD,
    DSCQ_DRAM_WR,
    DSCQ_DRAM_RDA, /* with auto-precharge */
    DSCQ_DRAM_WRA,
    DSCQ_DRAM_PRE,
    DSCQ_DRAM_REF, /* all banks of the rank */
    DSCQ_DRAM_PDE, /* precharge power-down entry, exit: not on the command bus */
    DSCQ_DRAM_PDX,
    DSCQ_DRAM_REFSB /* one bank in every group; the place's bank is its number there */
} dscq_dram_op;

typedef struct dscq_dram_command {
    uint64_t cycle;
    dscq_dram_op op;
    dscq_dram_place at; /* REF, PDE, PDX: only rank; PRE: no row, no column */
} dscq_dram_command;

typedef void dscq_dram_watch_fn(void *ctx, const dscq_dram_command *command);

/* Called for every command in time order; NULL turns it off. */
void dscq_dram_watch(dscq_dram *d, dscq_dram_watch_fn *fn, void *ctx);

/* Policies, for help texts and loops over the table. */
int dscq_dram_policy_count(void);
const char *dscq_dram_policy_name(int i);
const char *dscq_dram_policy_summary(int i);

#ifdef __cplusplus
}
#endif
#endif
