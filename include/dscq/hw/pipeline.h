/*
 * hw/pipeline.h - the pipeline engine: a stage per layer, rows through bounded FIFOs.
 *
 * Rules PL1..PL9 of docs/accelerator.md section 14. A stage fires once for every row of
 * its output; a firing takes a fixed number of cycles, needs some rows of each input
 * FIFO, frees those that no later firing needs, and puts one row into every output
 * FIFO. Load and store stages move rows between DRAM and FIFOs; nothing else touches
 * DRAM. Times follow from maxima and sums over rows; hw/pipeline_stepped.h steps the
 * same machine cycle by cycle: the oracle.
 *
 *   start[n] = max(end[n-1], visible[last row needed], freed[slot of the row made])
 *   end[n]   = start[n] + cycles;  visible = end + latency;  freed = end
 */
#ifndef DSCQ_HW_PIPELINE_H
#define DSCQ_HW_PIPELINE_H

#include "dscq/base/status.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/program.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dscq_memory;

typedef enum dscq_pipe_kind {
    DSCQ_PIPE_LOAD,  /* rows of a network input from DRAM                        */
    DSCQ_PIPE_STORE, /* rows of a network output to DRAM                         */
    DSCQ_PIPE_LANES, /* convolution: lanes x vector multipliers                  */
    DSCQ_PIPE_VECTOR /* sums, pooling, copies, tables: `post` codes at a time    */
} dscq_pipe_kind;

typedef struct dscq_pipe_stage {
    char name[64];
    dscq_pipe_kind kind;
    int32_t rows;    /* firings of a frame                                       */
    int32_t cycles;  /* of one firing, at least 1; load and store: not used      */
    int32_t latency; /* cycles from its end until the row is visible             */
    /* load and store: a row in DRAM */
    uint64_t address, row_bytes, frame_bytes;
    /* what it computes: operations, weight tiles, ring of one row it writes */
    int32_t tensor, layer, op_first, op_count, wtile_first, wtile_count, ring;
    int32_t lanes, vector, post;
    dscq_resources need; /* FIFOs it reads included                              */
} dscq_pipe_stage;

typedef struct dscq_pipe_fifo {
    int32_t from, to; /* stages                                                  */
    int32_t rows;     /* capacity                                                */
    int32_t used;     /* rows of a frame that are pushed; later ones are dropped */
    int32_t op, port; /* consumer's operation and input (lower/), else 0         */
    int32_t ring;
    /* Firing n of the consumer reads rows [lo[n], hi[n]) and then frees all below
     * lo[n+1] (the last firing: all). hi rises to `used`; lo[0] = 0 and
     * lo[n] <= hi[n-1]. */
    int32_t *lo, *hi; /* [rows of the consumer] */
} dscq_pipe_fifo;

typedef struct dscq_pipe {
    int32_t stage_count, fifo_count;
    dscq_pipe_stage *stage;
    dscq_pipe_fifo *fifo;
} dscq_pipe;

void dscq_pipe_destroy(dscq_pipe *p); /* NULL is fine; lo and hi too */

/* Of a program that was made for this engine. */
static inline dscq_pipe *dscq_program_pipe(const dscq_program *p)
{
    return (dscq_pipe *)p->own;
}

/* Shapes, windows, capacities, stages without a row: DSCQ_FORMAT naming the stage. */
dscq_status dscq_pipe_check(const dscq_pipe *p, dscq_error *err);

/* Where the cycles of one stage went: busy + starved + blocked + idle = cycles. */
typedef struct dscq_pipe_time {
    uint64_t busy;
    uint64_t starved; /* a row it needs was not there                            */
    uint64_t blocked; /* its inputs were there, a FIFO it writes was full        */
    uint64_t idle;    /* after its last firing                                   */
} dscq_pipe_time;

typedef struct dscq_pipe_result {
    uint64_t cycles;      /* until the last row is stored or made                */
    dscq_pipe_time *time; /* [stages]                                            */
    uint64_t *frame_end;  /* [frames]                                            */
    uint64_t read_bursts, write_bursts;
} dscq_pipe_result;

void dscq_pipe_result_clear(dscq_pipe_result *r);

/* One firing, in an order in which all its inputs have fired before. */
typedef dscq_status dscq_pipe_fired(void *ctx, int32_t stage, int32_t frame,
                                    int32_t row, uint64_t start, uint64_t end,
                                    dscq_error *err);

typedef struct dscq_pipe_options {
    int32_t frames;         /* 0 = 1                                                 */
    const int32_t *order;   /* [stages] order of evaluation; NULL: as listed. Changes
                             * nothing (tested)                                      */
    dscq_pipe_fired *fired; /* may be NULL */
    void *ctx;
    struct dscq_memory *memory; /* hw/memory.h, borrowed; NULL when the pipe has
                                 * neither loads nor stores                         */
} dscq_pipe_options;

/* Of the machine: command_cycles, burst_bytes, axi_ports, axi_bytes, outstanding.
 * A deadlock is DSCQ_FORMAT naming every blocked stage and what it waits for. */
dscq_status dscq_pipe_run(dscq_pipe_result *out, const dscq_pipe *p,
                          const dscq_machine *m, const dscq_pipe_options *o,
                          dscq_error *err);

/* The bursts row `row` of a load or store asks for (rule PL7). */
uint64_t dscq_pipe_bursts(const dscq_pipe_stage *s, int32_t row, int32_t burst_bytes);

/* Sets `cycles` of every stage of p->pipe from its weights (rules PL2..PL4). Of the
 * machine: queue_depth, row_queue, acc_banks, command_cycles. */
dscq_status dscq_pipe_measure(dscq_program *p, const dscq_machine *m, dscq_error *err);

/* What one row of a vector operation costs a unit that does one code a cycle (PL4). */
uint64_t dscq_pipe_work(const dscq_program *p, const dscq_hw_op *op);

/* ---- resources (rules PF1..PF6) ----------------------------------------- */

/* A memory of its own: distributed RAM up to 256 LUT, else block RAM. */
dscq_resources dscq_pipe_ram(int64_t width_bits, int64_t depth);

typedef struct dscq_pipe_cost {
    int32_t lanes, vector, post; /* vector stages: lanes = 0                       */
    int32_t acc_rows;            /* output channels a lane sums at once            */
    int32_t channels;            /* constants of the requantisation                */
    int32_t entry_bits, depth;   /* of one lane's weights                          */
    int32_t is_wide;             /* codes too wide for two products in one DSP     */
    int32_t is_dense;            /* all lanes in step: one wide memory             */
    int32_t multiplies;          /* vector stages: 1 when outputs are rescaled     */
} dscq_pipe_cost;

/* Without its FIFOs. */
dscq_resources dscq_pipe_stage_need(const dscq_pipe_cost *c, const dscq_machine *m);
/* `bytes` of rows, read `width_bytes` at a time. */
dscq_resources dscq_pipe_fifo_need(int64_t bytes, int64_t width_bytes);
/* DMA ports and control, once a machine. */
dscq_resources dscq_pipe_fixed_need(const dscq_machine *m);

#ifdef __cplusplus
}
#endif
#endif
