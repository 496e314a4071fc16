/* The state of a running pipeline: shared by pipeline.c, fifo.c and dma.c. */
#ifndef HW_PIPELINE_INTERNAL_H
#define HW_PIPELINE_INTERNAL_H

#include "dscq/hw/pipeline.h"
#include "port.h"

/* Rows are counted from the first frame on; row r is in slot r mod capacity. */
typedef struct pipe_fifo {
    const dscq_pipe_fifo *f;
    uint64_t reserved, there, gone; /* slots taken, rows made, rows freed */
    uint64_t *visible, *freed;      /* [capacity] by slot                 */
} pipe_fifo;

typedef struct pipe_transfer {
    uint64_t ready, end, left;
    int all_issued;
} pipe_transfer;

typedef struct pipe_stage {
    const dscq_pipe_stage *s;
    pipe_fifo **in, **out;
    int32_t ins, outs;
    uint64_t fired, end;
    /* load and store */
    uint64_t issued, asked;  /* rows given to the memory; when the last was */
    pipe_transfer *transfer; /* [slots] row r in slot r mod slots */
    int32_t slots;
} pipe_stage;

typedef struct pipe_state {
    const dscq_pipe *p;
    const dscq_machine *m;
    const dscq_pipe_options *o;
    dscq_pipe_result *out;
    hw_port port;
    pipe_fifo *fifo;
    pipe_stage *stage;
    uint64_t frames;
    dscq_error *err;
} pipe_state;

/* fifo.c. Is there a slot for a row in every output? Then since when, into *at. */
int hw__pipe_room(const pipe_stage *x, int32_t row, uint64_t *at);
void hw__pipe_reserve(pipe_stage *x, int32_t row);
void hw__pipe_push(pipe_stage *x, int32_t row, uint64_t visible);
void hw__pipe_release(pipe_stage *x, uint64_t frame, int32_t row, uint64_t end);
dscq_status hw__pipe_finished(pipe_state *st, int32_t stage, uint64_t frame,
                              int32_t row, uint64_t start, uint64_t end);
/* One transfer or one completion, the earlier first (dma.c). */
dscq_status hw__pipe_move(pipe_state *st, int *did);

#endif
