/* Where rings and maps of a pipeline lie. */
#include "dscq/base/alloc.h"
#include "pipe.h"

static dscq_status new_ring(lowering *l, int32_t tensor, int32_t rows, int64_t *at,
                            int32_t *out)
{
    dscq_program *p = l->p;
    const dscq_hw_tensor *t = &p->tensor[tensor];
    const int64_t line = (int64_t)t->w * t->elem_bytes, row = line * t->c;

    if (row > INT32_MAX / 4 || row * rows > INT32_MAX)
        return dscq_fail(
            l->err, DSCQ_UNSUPPORTED,
            "layer '%s': %d rows of %lld bytes are more than a line buffer "
            "can hold",
            t->name, rows, (long long)row);
    *out = p->ring_count;
    p->ring[p->ring_count++] = (dscq_hw_ring){.tensor = tensor,
                                              .rows = rows,
                                              .width = t->w,
                                              .c_count = t->c,
                                              .base = *at,
                                              .line_bytes = (int32_t)line,
                                              .row_bytes = (int32_t)row};
    *at += row * rows;
    return DSCQ_OK;
}

dscq_status lower__make_rings(lowering *l)
{
    dscq_program *p = l->p;
    dscq_pipe *pipe = dscq_program_pipe(p);
    int64_t at = 0;
    dscq_status status = DSCQ_OK;

    dscq_free(p->ring);
    p->ring_count = 0;
    p->ring =
        dscq_calloc((size_t)(pipe->stage_count + pipe->fifo_count), sizeof *p->ring);
    if (p->ring == NULL)
        return dscq_fail_nomem(l->err, "rings", 1024);
    for (int32_t i = 0; i < pipe->stage_count; i++)
        DSCQ_TRY(new_ring(l, pipe->stage[i].tensor, 1, &at, &pipe->stage[i].ring));
    for (int32_t i = 0; i < pipe->fifo_count; i++) {
        dscq_pipe_fifo *f = &pipe->fifo[i];
        DSCQ_TRY(new_ring(l, pipe->stage[f->from].tensor, f->rows, &at, &f->ring));
    }
    p->act_peak_bytes = at;
done:
    return status;
}

void lower__place_in_dram(lowering *l)
{
    dscq_program *p = l->p;
    dscq_pipe *pipe = dscq_program_pipe(p);

    for (int32_t i = 0; i < p->input_count; i++)
        p->tensor[p->input[i]].in_dram = 1;
    for (int32_t i = 0; i < p->output_count; i++)
        p->tensor[p->output[i]].in_dram = 1;
    lower__place_maps(l);
    for (int32_t i = 0; i < pipe->stage_count; i++) {
        dscq_pipe_stage *s = &pipe->stage[i];
        s->address = p->tensor[s->tensor].dram_addr;
        s->frame_bytes = p->tensor[s->tensor].dram_frame;
    }
}
