/* engine = pipeline: the network as stages and FIFOs (docs/accelerator.md section 14).
 */
#include "dscq/base/alloc.h"
#include "pipe.h"

enum {
    UNBOUNDED = 1 << 30, /* a stage keeps all its weights and sums */
    SIZE_TRIES = 12
};
/* When the count exceeds the board, the next estimate may use so much of what the last
 * one did: a little more than estimates are usually low by. */
static const double LESS = 0.93;

static dscq_status make_weights(lowering *l)
{
    const dscq_machine *whole = l->m;
    dscq_pipe *pipe = dscq_program_pipe(l->p);
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < pipe->stage_count; i++) {
        dscq_pipe_stage *s = &pipe->stage[i];
        if (s->kind != DSCQ_PIPE_LANES)
            continue;
        dscq_machine one = *whole; /* the stage is an array of its own */
        one.multipliers = s->lanes * s->vector;
        one.lanes.count = 1;
        one.lanes.v[0] = s->lanes;
        one.schedule.lanes = s->lanes;
        one.acc_rows = UNBOUNDED;
        one.weight_bytes = UNBOUNDED;
        l->m = &one;
        s->wtile_first = l->p->wtile_count;
        status = lower__make_conv(l, s->op_first);
        l->m = whole;
        if (status != DSCQ_OK)
            break;
        s->wtile_count = l->p->wtile_count - s->wtile_first;
    }
    return status;
}

static void drop_weights(dscq_program *p)
{
    for (int32_t i = 0; i < p->wtile_count; i++)
        dscq_hw_wtile_clear(&p->wtile[i]);
    p->wtile_count = 0;
    p->image_bytes = 0;
}

/* Sized by estimates, then built and counted exactly; what turns out too large is sized
 * again for less. */
static dscq_status size_and_build(lowering *l)
{
    low_board b;
    dscq_resources total;
    double interval = 0;
    dscq_status status;

    DSCQ_TRY(lower__board_of(l, &b));
    for (int tries = 0; tries < SIZE_TRIES; tries++) {
        const low_board now = b;
        DSCQ_TRY(lower__size_stages(l, &now, &interval));
        drop_weights(l->p);
        for (int32_t o = 0; o < l->p->op_count; o++)
            l->op[o] = (low_op){.node = l->op[o].node};
        DSCQ_TRY(make_weights(l));
        DSCQ_TRY(dscq_pipe_measure(l->p, l->m, l->err));
        DSCQ_TRY(lower__size_fifos(l));
        lower__sum_needs(l, &total);
        low_board whole;
        DSCQ_TRY(lower__board_of(l, &whole));
        if (lower__within(&total, &whole.most))
            break;
        b.most = lower__share_of(&b.most, LESS, LESS); /* the estimate was too low */
        b.advised = lower__share_of(&b.advised, LESS, LESS);
    }
done:
    return status;
}

static dscq_status open_pipe(lowering *l)
{
    dscq_program *p = l->p;
    int32_t inputs = 0;

    for (int32_t o = 0; o < p->op_count; o++)
        inputs += p->op[o].in_count;
    dscq_pipe *pipe = dscq_calloc(1, sizeof *pipe);
    p->own = pipe;
    if (pipe == NULL)
        return dscq_fail_nomem(l->err, "a pipeline", sizeof *pipe);
    pipe->stage = dscq_calloc((size_t)(p->op_count + p->input_count + p->output_count),
                              sizeof *pipe->stage);
    pipe->fifo = dscq_calloc((size_t)(inputs + p->output_count), sizeof *pipe->fifo);
    if (pipe->stage == NULL || pipe->fifo == NULL)
        return dscq_fail_nomem(l->err, "a pipeline", 4096);
    return DSCQ_OK;
}

dscq_status lower__pipeline(lowering *l, dscq_table **schedule_out)
{
    const dscq_machine *given = l->m;
    dscq_machine own = *given;
    dscq_status status;

    own.schedule.epilogue = 0; /* a sum is a stage of its own */
    own.act_banks = 1024;      /* a stage's line buffer gives a column a cycle */
    own.act_word_bytes = 64;
    own.post_entries = 4096;
    l->m = &own;
    DSCQ_TRY(lower__make_ops(l));
    DSCQ_TRY(open_pipe(l));
    lower__make_stages(l);
    DSCQ_TRY(lower__make_fifos(l));
    lower__first_rows(l);
    lower__place_in_dram(l); /* the probes move rows */
    DSCQ_TRY(size_and_build(l));
    DSCQ_TRY(lower__make_rings(l));
    lower__place_in_dram(l);
    DSCQ_TRY(dscq_program_check(l->p, l->err));
    if (schedule_out != NULL)
        DSCQ_TRY(lower__pipe_table(schedule_out, l, l->err));
done:
    l->m = given;
    return status;
}
