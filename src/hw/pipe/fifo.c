/* Rows into and out of FIFOs (rules PL1, PL6). */
#include "dscq/base/ints.h"
#include "pipeline_internal.h"

static int pushes(const pipe_fifo *x, int32_t row)
{
    return row < x->f->used;
}

int hw__pipe_room(const pipe_stage *x, int32_t row, uint64_t *at)
{
    for (int32_t i = 0; i < x->outs; i++) {
        const pipe_fifo *q = x->out[i];
        if (!pushes(q, row))
            continue;
        if (q->reserved - q->gone == (uint64_t)q->f->rows)
            return 0;
        *at = dscq_max64(*at, q->freed[q->reserved % (uint64_t)q->f->rows]);
    }
    return 1;
}

void hw__pipe_reserve(pipe_stage *x, int32_t row)
{
    for (int32_t i = 0; i < x->outs; i++)
        if (pushes(x->out[i], row))
            x->out[i]->reserved++;
}

void hw__pipe_push(pipe_stage *x, int32_t row, uint64_t visible)
{
    for (int32_t i = 0; i < x->outs; i++) {
        pipe_fifo *q = x->out[i];
        if (pushes(q, row))
            q->visible[q->there++ % (uint64_t)q->f->rows] = visible;
    }
}

void hw__pipe_release(pipe_stage *x, uint64_t f, int32_t n, uint64_t end)
{
    for (int32_t i = 0; i < x->ins; i++) {
        pipe_fifo *q = x->in[i];
        const int32_t below = n + 1 < x->s->rows ? q->f->lo[n + 1] : q->f->used;
        const uint64_t to = f * (uint64_t)q->f->used + (uint64_t)below;
        for (; q->gone < to; q->gone++)
            q->freed[q->gone % (uint64_t)q->f->rows] = end;
    }
}

dscq_status hw__pipe_finished(pipe_state *st, int32_t i, uint64_t frame, int32_t row,
                              uint64_t start, uint64_t end)
{
    st->out->cycles = dscq_max64(st->out->cycles, end);
    if (st->p->stage[i].kind != DSCQ_PIPE_LOAD)
        st->out->frame_end[frame] = dscq_max64(st->out->frame_end[frame], end);
    if (st->o->fired == NULL)
        return DSCQ_OK;
    return st->o->fired(st->o->ctx, i, (int32_t)frame, row, start, end, st->err);
}
