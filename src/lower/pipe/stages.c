/* Stages and FIFOs of a network (rule PL1). */
#include "dscq/base/alloc.h"
#include "pipe.h"

#include <stdio.h>

static dscq_pipe_stage *new_stage(lowering *l, dscq_pipe_kind kind, int32_t tensor,
                                  const char *prefix, const char *name)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);
    dscq_pipe_stage *s = &pipe->stage[pipe->stage_count++];
    const dscq_hw_tensor *t = &l->p->tensor[tensor];

    (void)snprintf(s->name, sizeof s->name, "%s%.50s", prefix, name);
    s->kind = kind;
    s->rows = t->h;
    s->tensor = tensor;
    s->cycles = 1;
    s->latency = kind >= DSCQ_PIPE_LANES ? l->m->post_latency_cycles : 0;
    s->lanes = s->vector = s->post = 1;
    s->row_bytes = (uint64_t)t->w * (uint64_t)t->c * (uint64_t)t->elem_bytes;
    return s;
}

static int is_read(const dscq_program *p, int32_t tensor)
{
    for (int32_t o = 0; o < p->op_count; o++)
        for (int32_t i = 0; i < p->op[o].in_count; i++)
            if (p->op[o].in[i] == tensor)
                return 1;
    for (int32_t i = 0; i < p->output_count; i++)
        if (p->output[i] == tensor)
            return 1;
    return 0;
}

void lower__make_stages(lowering *l)
{
    dscq_program *p = l->p;

    for (int32_t i = 0; i < p->input_count; i++)
        if (is_read(p, p->input[i]))
            new_stage(l, DSCQ_PIPE_LOAD, p->input[i], "load ",
                      p->tensor[p->input[i]].name);
    for (int32_t o = 0; o < p->op_count;) {
        const dscq_hw_op *op = &p->op[o];
        dscq_pipe_stage *s =
            new_stage(l, dscq_hw_has_weights(op) ? DSCQ_PIPE_LANES : DSCQ_PIPE_VECTOR,
                      op->out, "", op->name);
        s->op_first = o;
        s->layer = op->layer;
        while (o < p->op_count && p->op[o].layer == op->layer)
            o++;
        s->op_count = o - s->op_first;
    }
    for (int32_t i = 0; i < p->output_count; i++)
        new_stage(l, DSCQ_PIPE_STORE, p->output[i], "store ",
                  p->tensor[p->output[i]].name);
}

static int32_t producer(const dscq_pipe *pipe, int32_t tensor)
{
    for (int32_t i = 0; i < pipe->stage_count; i++)
        if (pipe->stage[i].kind != DSCQ_PIPE_STORE && pipe->stage[i].tensor == tensor)
            return i;
    return -1;
}

/* Rows [lo, hi) of every firing, so that they never go back. */
static dscq_status windows(lowering *l, dscq_pipe_fifo *f)
{
    const dscq_pipe_stage *to = &dscq_program_pipe(l->p)->stage[f->to];
    int32_t had = 0, low = 0;

    f->lo = dscq_calloc((size_t)to->rows, sizeof *f->lo);
    f->hi = dscq_calloc((size_t)to->rows, sizeof *f->hi);
    if (f->lo == NULL || f->hi == NULL)
        return dscq_fail_nomem(l->err, "row windows", (size_t)to->rows * 8);
    for (int32_t n = 0; n < to->rows; n++) {
        int32_t lo = n, hi = n + 1;
        if (to->kind != DSCQ_PIPE_STORE)
            lower__rows(l->p, f->op, f->port, n, n + 1, &lo, &hi);
        hi = dscq_max32(hi, had);
        lo = dscq_max32(dscq_min32(lo, had), low);
        f->lo[n] = low = lo;
        f->hi[n] = had = hi;
    }
    f->used = had;
    return DSCQ_OK;
}

static dscq_status new_fifo(lowering *l, int32_t to, int32_t op, int32_t port,
                            int32_t tensor)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);
    dscq_pipe_fifo *f = &pipe->fifo[pipe->fifo_count++];

    f->from = producer(pipe, tensor);
    f->to = to;
    f->op = op;
    f->port = port;
    if (f->from < 0)
        return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                         "layer '%s': nobody makes its input '%s'",
                         pipe->stage[to].name, l->p->tensor[tensor].name);
    return windows(l, f);
}

dscq_status lower__make_fifos(lowering *l)
{
    dscq_program *p = l->p;
    dscq_pipe *pipe = dscq_program_pipe(p);
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < pipe->stage_count; i++) {
        const dscq_pipe_stage *s = &pipe->stage[i];
        if (s->kind == DSCQ_PIPE_STORE)
            DSCQ_TRY(new_fifo(l, i, 0, 0, s->tensor));
        for (int32_t o = s->op_first; o < s->op_first + s->op_count; o++)
            for (int32_t k = 0; k < p->op[o].in_count; k++)
                DSCQ_TRY(new_fifo(l, i, o, k, p->op[o].in[k]));
    }
    for (int32_t i = 0; i < pipe->stage_count; i++) { /* load what is read */
        dscq_pipe_stage *s = &pipe->stage[i];
        int32_t used = 1;
        for (int32_t k = 0; k < pipe->fifo_count; k++)
            if (pipe->fifo[k].from == i)
                used = dscq_max32(used, pipe->fifo[k].used);
        if (s->kind == DSCQ_PIPE_LOAD)
            s->rows = used;
    }
done:
    return status;
}
