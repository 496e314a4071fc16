/* Rows between DRAM and FIFOs: rules PL5..PL8. One port asks for one burst after
 * another; the transfer that was ready first goes first. */
#include "dscq/base/ints.h"
#include "pipeline_internal.h"

enum { SLOT_BITS = 20 };

uint64_t dscq_pipe_bursts(const dscq_pipe_stage *s, int32_t row, int32_t burst_bytes)
{
    const uint64_t b = (uint64_t)burst_bytes;
    const uint64_t from = (uint64_t)row * s->row_bytes, to = from + s->row_bytes;

    /* [PL7] */
    if (s->kind == DSCQ_PIPE_LOAD) /* what the row before brought is not asked again */
        return (to + b - 1) / b - (from + b - 1) / b;
    /* a store keeps a burst until it is whole, or the frame ends */
    return (row == s->rows - 1 ? (to + b - 1) / b : to / b) - from / b;
}

/* When the stage's next row can be asked for; 0: not known yet. */
static int next_ready(const pipe_state *st, const pipe_stage *x, uint64_t *at)
{
    const uint64_t rows = (uint64_t)x->s->rows;
    const int32_t n = (int32_t)(x->issued % rows);

    if (x->issued == st->frames * rows || x->issued - x->fired >= (uint64_t)x->slots)
        return 0;
    /* [PL5] */
    *at = x->asked;
    if (x->s->kind == DSCQ_PIPE_LOAD)
        return hw__pipe_room(x, n, at);
    const pipe_fifo *q = x->in[0];
    if (q->there <= x->issued)
        return 0;
    *at = dscq_max64(*at, q->visible[x->issued % (uint64_t)q->f->rows]);
    return 1;
}

/* Rows whose bursts are all answered, in order. */
static dscq_status finish_rows(pipe_state *st, int32_t i)
{
    pipe_stage *x = &st->stage[i];
    dscq_pipe_time *time = &st->out->time[i];
    const uint64_t rows = (uint64_t)x->s->rows;
    dscq_status status = DSCQ_OK;

    while (x->fired < x->issued) {
        pipe_transfer *t = &x->transfer[x->fired % (uint64_t)x->slots];
        const uint64_t f = x->fired / rows;
        const int32_t n = (int32_t)(x->fired % rows);
        if (!t->all_issued || t->left > 0)
            break;
        const uint64_t end = dscq_max64(t->end, x->end);
        const uint64_t from = t->ready < end ? dscq_max64(t->ready, x->end) : end;
        *(x->s->kind == DSCQ_PIPE_LOAD ? &time->blocked : &time->starved) +=
            from - x->end;
        time->busy += end - from;
        hw__pipe_push(x, n, end);
        DSCQ_TRY(hw__pipe_finished(st, i, f, n, t->ready, end));
        hw__pipe_release(x, f, n, end);
        x->end = end;
        x->fired++;
    }
done:
    return status;
}

static dscq_status answer(void *ctx, uint32_t tag, uint64_t cycle)
{
    pipe_state *st = ctx;
    const int32_t i = (int32_t)(tag >> SLOT_BITS);
    pipe_transfer *t = &st->stage[i].transfer[tag & ((1u << SLOT_BITS) - 1)];

    t->left--;
    t->end = dscq_max64(t->end, cycle);
    return finish_rows(st, i);
}

static dscq_status issue_burst(pipe_state *st, int32_t i, pipe_transfer *t,
                               uint64_t address)
{
    const hw_burst b = {.address = address,
                        .ready = t->ready,
                        .is_write = st->p->stage[i].kind == DSCQ_PIPE_STORE,
                        .tag = (uint32_t)i << SLOT_BITS |
                               (uint32_t)(t - st->stage[i].transfer)};
    uint64_t at;
    const dscq_status status = hw__port_ask(&st->port, &b, &at, answer, st, st->err);

    if (status != DSCQ_OK)
        return status;
    t->left++;
    *(b.is_write ? &st->out->write_bursts : &st->out->read_bursts) += 1;
    return DSCQ_OK;
}

static dscq_status issue_row(pipe_state *st, int32_t i, uint64_t ready)
{
    pipe_stage *x = &st->stage[i];
    const uint64_t rows = (uint64_t)x->s->rows, b = (uint64_t)st->m->burst_bytes;
    const int32_t n = (int32_t)(x->issued % rows);
    const uint64_t slot = x->issued % (uint64_t)x->slots;
    pipe_transfer *t = &x->transfer[slot];
    const uint64_t base = x->s->address + x->s->frame_bytes * (x->issued / rows);
    const uint64_t from = (uint64_t)n * x->s->row_bytes;
    const uint64_t first = x->s->kind == DSCQ_PIPE_LOAD ? (from + b - 1) / b : from / b;
    const uint64_t count = dscq_pipe_bursts(x->s, n, st->m->burst_bytes);
    dscq_status status = DSCQ_OK;

    *t = (pipe_transfer){.ready = ready};
    x->issued++;
    x->asked = ready;
    hw__pipe_reserve(x, n);
    for (uint64_t k = 0; k < count; k++)
        DSCQ_TRY(issue_burst(st, i, t, base + (first + k) * b));
    t->end = dscq_max64(t->end, ready);
    t->all_issued = 1;
    DSCQ_TRY(finish_rows(st, i));
done:
    return status;
}

/* Rows without a burst of their own first: they cost the port nothing, and what they
 * free may make another row ready in the same cycle. */
static int is_free(const pipe_state *st, int32_t i)
{
    const pipe_stage *x = &st->stage[i];

    return dscq_pipe_bursts(x->s, (int32_t)(x->issued % (uint64_t)x->s->rows),
                            st->m->burst_bytes) == 0;
}

dscq_status hw__pipe_move(pipe_state *st, int *did)
{
    int32_t best = -1;
    uint64_t ready = UINT64_MAX, cycle;
    uint32_t tag;

    *did = 1;
    for (int32_t i = 0; i < st->p->stage_count; i++) {
        uint64_t at = 0;
        if (st->p->stage[i].kind >= DSCQ_PIPE_LANES ||
            !next_ready(st, &st->stage[i], &at) || at > ready ||
            (at == ready && best >= 0 && (is_free(st, best) || !is_free(st, i))))
            continue;
        best = i;
        ready = at;
    }
    /* an answer up to then may make an earlier transfer ready */
    if (hw__port_take(&st->port, ready, &tag, &cycle))
        return answer(st, tag, cycle);
    if (best >= 0)
        return issue_row(st, best, ready);
    *did = 0;
    return DSCQ_OK;
}
