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
    const uint64_t align = (uint64_t)l->m->burst_bytes;
    uint64_t at = (p->image_bytes + align - 1) / align * align;

    for (int32_t i = 0; i < p->tensor_count; i++) {
        dscq_hw_tensor *t = &p->tensor[i];
        for (int32_t k = 0; k < p->input_count; k++)
            t->in_dram |= p->input[k] == i;
        for (int32_t k = 0; k < p->output_count; k++)
            t->in_dram |= p->output[k] == i;
        if (!t->in_dram)
            continue;
        t->dram_addr = at;
        t->dram_frame = (dscq_hw_tensor_bytes(t) + align - 1) / align * align;
        at += t->dram_frame * (uint64_t)p->frames;
    }
    p->dram_bytes = at;
    for (int32_t i = 0; i < dscq_program_pipe(p)->stage_count; i++) {
        dscq_pipe_stage *s = &dscq_program_pipe(p)->stage[i];
        s->address = p->tensor[s->tensor].dram_addr;
        s->frame_bytes = p->tensor[s->tensor].dram_frame;
    }
}
