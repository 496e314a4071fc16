/* Inside the array engine: the compute unit in time. */
#ifndef HW_ARRAY_H
#define HW_ARRAY_H

#include "hw_internal.h"

/* The compute unit: array, post-processor, and where their cycles went. */
typedef struct hw_array {
    const dscq_program *p;
    const dscq_machine *m;
    dscq_lanes *lanes;
    int32_t op, active; /* configuration that is loaded; op -1: none */
    int32_t vector;
    int is_array;        /* 0: the post-processor ran last, lanes are free */
    uint64_t accounted;  /* all multipliers are accounted for up to this cycle ... */
    uint64_t idle_from;  /* ... lanes without a channel up to this one */
    uint64_t issue_free; /* the sequencer can issue the next command */
    int32_t held;        /* accumulator banks held by an operation in pieces */
    uint16_t *g;         /* scratch: cycles to read each column */
    size_t g_count;
    int32_t *bank_hits; /* scratch: [act_banks] */
} hw_array;

/* When a compute command's pieces are finished. */
typedef struct hw_done {
    uint64_t start, act_read, weight_read, out_written;
} hw_done;

/* Why a unit could not start before `ready`. */
typedef struct hw_ready {
    uint64_t cycle;
    int token; /* dscq_token, or -1 */
} hw_ready;

dscq_status hw__array_init(hw_array *a, const dscq_program *p, const dscq_machine *m,
                           dscq_error *err);
void hw__array_clear(hw_array *a);
/* Time one command; adds to *c. */
dscq_status hw__array_run(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd,
                          const hw_decoded *w, hw_ready ready, dscq_counters *c,
                          dscq_error *err);
/* The run ended at `cycle`: what is left is idle. */
void hw__array_finish(hw_array *a, uint64_t cycle, dscq_counters *c);

/* Cycles of the post-processor for one vector of `channels` outputs (rule P2). */
int32_t hw__post_cycles(const dscq_machine *m, int32_t channels, int32_t vector,
                        int32_t elem_bytes);
/* Cycles to read one column of pixels [first, last) under kernel place (r, s), and
 * the words it touches (rule B3). */
int32_t hw__column_cycles(hw_array *a, const dscq_hw_op *op, const dscq_hw_ring *out,
                          const dscq_hw_ring *in, int32_t first, int32_t last,
                          int32_t r, int32_t s, int32_t *words);

/* A step of a depthwise command: channels read in one cycle; words of one row. */
typedef struct hw_row_step {
    int32_t per_slot, words;
} hw_row_step;

/* For output columns x .. x + n - 1. */
hw_row_step hw__row_step(const hw_array *a, const dscq_hw_op *op,
                         const dscq_hw_ring *in, int32_t x, int32_t n);
/* Input rows that step y needs and step y - 1 (when there is one) did not hold. */
int32_t hw__new_rows(const hw_array *a, const dscq_hw_op *op, int32_t h, int32_t y,
                     int is_first);

/* account.c. All lanes to the end of the last one. */
void hw__account_drain(hw_array *a, dscq_counters *c);
/* Every multiplier from `accounted` to `cycle`: first the wait, then overhead. */
void hw__account_wait(hw_array *a, uint64_t cycle, hw_ready ready, dscq_counters *c);
/* The command that the lanes just did: where they waited. */
void hw__account_lanes(hw_array *a, hw_ready ready, dscq_counters *c);

/* vector.c */
void hw__run_vector(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd, hw_ready ready,
                    dscq_counters *c);

#endif
