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
     * [first[i], last[i]) of weights that are not both zero (datapath/kernels.h).
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
/* What the multipliers did with a tile: `pixels` pixels of each of its channels, cut
 * into `vectors` vectors of `vector` places. */
void hw__count_tile(dscq_counters *c, const dscq_hw_wtile *t, const hw_decoded *d,
                    uint64_t vectors, uint64_t vector, uint64_t pixels);
void hw__decoded_destroy(hw_decoded *d); /* NULL is fine */

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
void hw__data_vector(hw_data *d, const dscq_hw_cmd *c); /* datapath/vector.c */
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

#endif
