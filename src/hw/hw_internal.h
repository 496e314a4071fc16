/* Shared inside hw/: the running simulation, its decoded weights, its data path. */
#ifndef HW_INTERNAL_H
#define HW_INTERNAL_H

#include "datapath/kernels.h"
#include "dscq/hw/lanes.h"
#include "dscq/hw/memory.h"
#include "dscq/hw/program.h"
#include "dscq/hw/sim.h"

/* A weight tile as the lanes see it. Broadcast: `columns` columns that are not empty
 * in every lane, work[col * active + lane]. Depthwise: one column per row of lanes. */
typedef struct hw_decoded {
    int32_t columns, active;
    int32_t *column;                  /* [columns] original column number */
    uint16_t *work;                   /* cycles: max(1, entries x entry_cycles) */
    int32_t entry_cycles, is_wide;    /* rule L10                         */
    uint64_t entries, nonzero, empty; /* empty: (column, lane) pairs without entry */
    /* Values; NULL when timing only. Channel place i = row * lanes + lane has the pairs
     * [first[i], last[i]) of weights that are not both zero (datapath_kernels.h).
     * Broadcast: pair n is columns 2 n and 2 n + 1; depthwise: pair r * row_pairs + q
     * is taps (r, 2 q) and (r, 2 q + 1). */
    uint32_t *first, *last; /* [rows * lanes] */
    uint32_t *at;           /* pair number */
    int32_t *value;
    size_t pairs;
    int32_t row_pairs;
    uint32_t *used; /* pairs that some channel has, ascending */
    size_t used_count;
    size_t bytes;
    uint64_t asked; /* when, for the cache */
} hw_decoded;

/* entry_cycles: of the shape it will run in. */
dscq_status hw__decode(hw_decoded **out, const dscq_program *p, const dscq_hw_wtile *w,
                       int32_t entry_cycles, int with_values, dscq_error *err);
/* Products that share a DSP in one stored entry's `pixels`, taken `vector` at a time.
 */
uint64_t hw__paired(const hw_decoded *d, const dscq_machine *m, uint64_t pixels,
                    int32_t vector);
void hw__decoded_destroy(hw_decoded *d); /* NULL is fine */

typedef struct hw_token_times {
    uint64_t *time; /* [cap] cycle in which the n-th piece of work was finished */
    size_t count, cap;
} hw_token_times;

typedef struct hw_run hw_run;

/* Data path (datapath*.c): what a finished command does to the bytes. */
typedef struct hw_data {
    const dscq_program *p;
    uint8_t *act;       /* activation buffer */
    uint8_t *dram;      /* activations; weights stay in p->image */
    uint8_t **captured; /* per tensor, HWC, or NULL */
    int32_t *acc;       /* sums kept by ACC_KEEP */
    size_t acc_count;
    const hw_kernels *kernels;
    struct hw_scratch *scratch; /* datapath_internal.h */
    int32_t *x;                 /* pairs of inputs of one block */
    size_t x_count;
} hw_data;

dscq_status hw__data_init(hw_data *d, const dscq_program *p, int64_t act_bytes,
                          int capture, dscq_error *err);
void hw__data_clear(hw_data *d);
void hw__data_load(hw_data *d, const dscq_hw_cmd *c);
void hw__data_store(hw_data *d, const dscq_hw_cmd *c);
dscq_status hw__data_compute(hw_data *d, const dscq_hw_cmd *c, const hw_decoded *w,
                             dscq_error *err);
void hw__data_vector(hw_data *d, const dscq_hw_cmd *c); /* datapath_vector.c */
void hw__data_input(hw_data *d, int32_t tensor, int32_t frame, const void *codes);
void hw__data_output(const hw_data *d, int32_t tensor, int32_t frame, void *codes);

static inline int32_t hw__get(const dscq_hw_tensor *t, const uint8_t *at)
{
    if (t->elem_bytes == 1)
        return t->is_signed ? (int32_t)(int8_t)at[0] : (int32_t)at[0];
    const uint16_t v = (uint16_t)(at[0] | at[1] << 8);
    return t->is_signed ? (int32_t)(int16_t)v : (int32_t)v;
}

static inline void hw__put(const dscq_hw_tensor *t, uint8_t *at, int32_t v)
{
    at[0] = (uint8_t)(v & 0xff);
    if (t->elem_bytes == 2)
        at[1] = (uint8_t)((uint32_t)v >> 8 & 0xff);
}

/* Line (y, c) of a ring in the buffer; its first byte is column x0. */
static inline uint8_t *hw__line(const hw_data *d, const dscq_hw_ring *r, int32_t y,
                                int32_t c)
{
    return d->act + r->base + (int64_t)((y + r->turn) % r->rows) * r->row_bytes +
           (int64_t)(c - r->c0) * r->line_bytes;
}

/* ---- timing ------------------------------------------------------------------- */

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

#endif
