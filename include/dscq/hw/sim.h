/*
 * hw/sim.h - run a program: real output codes, and cycles.
 *
 * Time is exact for the rules of docs/accelerator.md; nothing is stepped by the
 * cycle. The data path moves real bytes through the modelled buffers, so a program
 * that overwrites a row too early computes something else and is caught by a
 * comparison with the reference.
 */
#ifndef DSCQ_HW_SIM_H
#define DSCQ_HW_SIM_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/dram/dram.h"
#include "dscq/hw/counters.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/program.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One finished command, for traces; cycles are accelerator cycles. */
typedef struct dscq_sim_event {
    dscq_unit unit;
    int32_t op, frame, command;
    int32_t stage;  /* of a pipeline; array: -1                                  */
    uint64_t ready; /* tokens were there                                         */
    uint64_t start; /* first work                                                */
    uint64_t end;   /* last work                                                 */
    uint64_t bytes; /* moved, DMA units                                          */
} dscq_sim_event;

typedef struct dscq_sim_options {
    int no_data; /* timing only: inputs may be NULL, outputs do not exist      */
    int capture; /* keep every tensor's codes: dscq_sim_tensor()               */
    int unit_order[DSCQ_UNIT_COUNT]; /* order of evaluation, all 0: as listed.
                                      * Changes nothing; a test says so          */
    int certify; /* re-run this many compute commands in the stepped model     */
    uint64_t certify_seed;
    void (*event)(void *ctx, const dscq_sim_event *e); /* may be NULL            */
    void *event_ctx;
} dscq_sim_options;

typedef struct dscq_sim dscq_sim; /* the result of one run */

/* Run p on m. inputs[i]: codes of p->input[i], HWC, 1 or 2 bytes a code, p->frames
 * frames one after the other. *out is owned by the caller.
 *
 * DSCQ_ARG    the program asks for more than the machine has (named)
 * DSCQ_FORMAT the program contradicts itself, or deadlocks: every blocked unit is
 *             named with the counter it waits for
 * DSCQ_INTERNAL a law of hw/counters.h broke: no numbers */
dscq_status dscq_sim_run(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                         const void *const *inputs, const dscq_sim_options *options,
                         dscq_error *err);
void dscq_sim_destroy(dscq_sim *s); /* NULL is fine */

/* Codes of output i of one frame, HWC, 1 or 2 bytes each; borrowed from s. */
const void *dscq_sim_output(const dscq_sim *s, int32_t i, int32_t frame,
                            size_t *bytes_out);
/* Codes of a tensor of the last frame as the machine produced it; NULL unless
 * capture was asked for and the whole tensor was written. */
const void *dscq_sim_tensor(const dscq_sim *s, int32_t tensor, size_t *bytes_out);

const dscq_counters *dscq_sim_counters(const dscq_sim *s);
const dscq_counters *dscq_sim_layer(
    const dscq_sim *s,
    int32_t layer); /* sums; its
                     * `cycles` is the time the layer held the compute unit  */
uint64_t dscq_sim_stall(const dscq_sim *s, dscq_unit unit, dscq_stall stall);
uint64_t dscq_sim_frame_end(const dscq_sim *s, int32_t frame); /* cycle */
/* DRAM controller's counters and energy: zeros for the simple memory. */
dscq_dram_counters dscq_sim_dram_counters(const dscq_sim *s);
dscq_dram_energy dscq_sim_dram_energy(const dscq_sim *s);
int32_t dscq_sim_multipliers(const dscq_sim *s); /* a pipeline: of all its stages */
int64_t dscq_sim_act_peak(const dscq_sim *s);    /* most bytes of the buffer in use */

/* No run of this program can take fewer cycles: work over peak rate of each unit. */
typedef struct dscq_sim_bound {
    uint64_t compute, post, memory, cycles; /* cycles: the largest */
} dscq_sim_bound;
dscq_sim_bound dscq_sim_lower_bound(const dscq_program *p, const dscq_machine *m);

/* Headline figures, defined once (docs/accelerator.md section 8). */
typedef struct dscq_sim_totals {
    uint64_t cycles, frames;
    double seconds, fps;   /* fps in the steady state when frames > 1              */
    double latency_ms;     /* first frame                                          */
    double gops_dense;     /* 2 x dense MACs / time                                */
    double gops_effective; /* 2 x MACs done / time                               */
    double utilisation;    /* useful multiplier cycles / all                       */
    double dense_mac_per_multiplier_cycle;
    double dram_bytes, dram_gbytes_per_s;
    int32_t certified; /* commands whose cycles the stepped model confirmed    */
} dscq_sim_totals;
dscq_sim_totals dscq_sim_total(const dscq_sim *s);

/* Tables owned by the caller: "layers" (a row per layer), "stalls" (unit, cause,
 * cycles, share), "counters" (name, value, unit, meaning). */
dscq_status dscq_sim_table_layers(dscq_table **out, const dscq_sim *s, dscq_error *err);
dscq_status dscq_sim_table_stalls(dscq_table **out, const dscq_sim *s, dscq_error *err);
dscq_status dscq_sim_table_counters(dscq_table **out, const dscq_sim *s,
                                    dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
