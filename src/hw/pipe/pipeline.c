/* The pipeline engine in time: docs/accelerator.md section 14. Stages fire as long as
 * all times they depend on are known; then the memory answers what it can. */
#include "dscq/hw/pipeline.h"

#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"
#include "dscq/hw/memory.h"
#include "pipeline_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void dscq_pipe_destroy(dscq_pipe *p)
{
    if (p == NULL)
        return;
    for (int32_t i = 0; p->fifo != NULL && i < p->fifo_count; i++) {
        dscq_free(p->fifo[i].lo);
        dscq_free(p->fifo[i].hi);
    }
    dscq_free(p->fifo);
    dscq_free(p->stage);
    dscq_free(p);
}

void dscq_pipe_result_clear(dscq_pipe_result *r)
{
    dscq_free(r->time);
    dscq_free(r->frame_end);
    memset(r, 0, sizeof *r);
}

static dscq_status check_fifo(const dscq_pipe *p, int32_t i, dscq_error *err)
{
    const dscq_pipe_fifo *f = &p->fifo[i];

    if (f->from < 0 || f->from >= p->stage_count || f->to < 0 ||
        f->to >= p->stage_count || f->rows < 1 || f->used < 0 ||
        f->used > p->stage[f->from].rows)
        return dscq_fail(err, DSCQ_FORMAT, "pipeline: FIFO %d: bad ends or rows", i);
    const dscq_pipe_stage *to = &p->stage[f->to];
    int32_t had = 0;
    for (int32_t n = 0; n < to->rows; n++) {
        if (f->lo[n] < 0 || f->lo[n] > had || f->hi[n] < had || f->hi[n] < f->lo[n] ||
            (n > 0 && f->lo[n] < f->lo[n - 1]))
            return dscq_fail(err, DSCQ_FORMAT,
                             "pipeline: FIFO %d into '%s': bad window of row %d", i,
                             to->name, n);
        if (f->hi[n] - f->lo[n] > f->rows)
            return dscq_fail(err, DSCQ_FORMAT,
                             "pipeline: row %d of '%s' needs %d rows at once; the FIFO "
                             "from '%s' holds %d",
                             n, to->name, f->hi[n] - f->lo[n], p->stage[f->from].name,
                             f->rows);
        had = f->hi[n];
    }
    if (had != f->used)
        return dscq_fail(err, DSCQ_FORMAT,
                         "pipeline: FIFO %d into '%s' leaves rows unread", i, to->name);
    return DSCQ_OK;
}

/* Every row of a load goes into a FIFO, every row of a store comes from its only one:
 * the FIFO then bounds how many are on their way. */
static int is_read_whole(const dscq_pipe *p, int32_t i)
{
    int32_t used = 0, inputs = 0;

    for (int32_t k = 0; k < p->fifo_count; k++) {
        const dscq_pipe_fifo *f = &p->fifo[k];
        if (p->stage[i].kind == DSCQ_PIPE_LOAD && f->from == i && f->used > used)
            used = f->used;
        if (p->stage[i].kind == DSCQ_PIPE_STORE && f->to == i) {
            used = f->used;
            inputs++;
        }
    }
    return used == p->stage[i].rows && inputs <= 1;
}

dscq_status dscq_pipe_check(const dscq_pipe *p, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < p->stage_count; i++)
        if (p->stage[i].rows < 1 || p->stage[i].latency < 0 ||
            (p->stage[i].kind >= DSCQ_PIPE_LANES && p->stage[i].cycles < 1))
            return dscq_fail(err, DSCQ_FORMAT,
                             "pipeline: stage '%s': bad rows or cycles",
                             p->stage[i].name);
    for (int32_t i = 0; i < p->fifo_count; i++)
        DSCQ_TRY(check_fifo(p, i, err));
    for (int32_t i = 0; i < p->stage_count; i++)
        if (p->stage[i].kind <= DSCQ_PIPE_STORE && !is_read_whole(p, i))
            return dscq_fail(err, DSCQ_FORMAT,
                             "pipeline: '%s' moves rows that nobody reads",
                             p->stage[i].name);
done:
    return status;
}

/* ---- state -------------------------------------------------------------- */

static dscq_status fifo_open(pipe_fifo *x, const dscq_pipe_fifo *f, dscq_error *err)
{
    x->f = f;
    x->visible = dscq_calloc((size_t)f->rows, sizeof *x->visible);
    x->freed = dscq_calloc((size_t)f->rows, sizeof *x->freed);
    if (x->visible == NULL || x->freed == NULL)
        return dscq_fail_nomem(err, "row times", (size_t)f->rows * 16);
    return DSCQ_OK;
}

static dscq_status stage_open(pipe_state *st, int32_t i, dscq_error *err)
{
    const dscq_pipe *p = st->p;
    pipe_stage *x = &st->stage[i];
    int32_t ins = 0, outs = 0;

    x->s = &p->stage[i];
    for (int32_t k = 0; k < p->fifo_count; k++) {
        ins += p->fifo[k].to == i;
        outs += p->fifo[k].from == i;
    }
    x->in = dscq_calloc((size_t)ins, sizeof *x->in);
    x->out = dscq_calloc((size_t)outs, sizeof *x->out);
    if (x->in == NULL || x->out == NULL)
        return dscq_fail_nomem(err, "a stage", (size_t)(ins + outs) * sizeof *x->in);
    for (int32_t k = 0; k < p->fifo_count; k++) {
        if (p->fifo[k].to == i)
            x->in[x->ins++] = &st->fifo[k];
        if (p->fifo[k].from == i)
            x->out[x->outs++] = &st->fifo[k];
    }
    if (x->s->kind >= DSCQ_PIPE_LANES)
        return DSCQ_OK;
    x->slots = 1;
    for (int32_t k = 0; k < x->ins; k++)
        x->slots = x->in[k]->f->rows > x->slots ? x->in[k]->f->rows : x->slots;
    for (int32_t k = 0; k < x->outs; k++)
        x->slots = x->out[k]->f->rows > x->slots ? x->out[k]->f->rows : x->slots;
    x->slots = x->s->rows > x->slots ? x->s->rows : x->slots;
    x->transfer = dscq_calloc((size_t)x->slots, sizeof *x->transfer);
    return x->transfer != NULL
               ? DSCQ_OK
               : dscq_fail_nomem(err, "transfers", (size_t)x->slots * 40);
}

static void state_clear(pipe_state *st)
{
    for (int32_t i = 0; st->fifo != NULL && i < st->p->fifo_count; i++) {
        dscq_free(st->fifo[i].visible);
        dscq_free(st->fifo[i].freed);
    }
    for (int32_t i = 0; st->stage != NULL && i < st->p->stage_count; i++) {
        dscq_free(st->stage[i].in);
        dscq_free(st->stage[i].out);
        dscq_free(st->stage[i].transfer);
    }
    dscq_free(st->fifo);
    dscq_free(st->stage);
}

/* ---- firing ------------------------------------------------------------- */

/* Latest time at which the inputs of firing n of frame f are visible; 0: not known. */
static int inputs_ready(const pipe_stage *x, uint64_t f, int32_t n, uint64_t *at)
{
    for (int32_t i = 0; i < x->ins; i++) {
        const pipe_fifo *q = x->in[i];
        const uint64_t need = f * (uint64_t)q->f->used + (uint64_t)q->f->hi[n];
        if (q->there < need)
            return 0;
        if (need > q->gone) /* else an earlier firing waited for it */
            *at = dscq_max64(*at, q->visible[(need - 1) % (uint64_t)q->f->rows]);
    }
    return 1;
}

static dscq_status fire_all(pipe_state *st, int32_t i, int *did)
{
    pipe_stage *x = &st->stage[i];
    dscq_pipe_time *t = &st->out->time[i];
    const uint64_t rows = (uint64_t)x->s->rows;
    dscq_status status = DSCQ_OK;

    while (x->fired < st->frames * rows) {
        const uint64_t f = x->fired / rows;
        const int32_t n = (int32_t)(x->fired % rows);
        uint64_t in = x->end, room = 0;
        if (!inputs_ready(x, f, n, &in) || !hw__pipe_room(x, n, &room))
            break;
        /* [PL1] */
        const uint64_t start = dscq_max64(in, room),
                       end = start + (uint64_t)x->s->cycles;
        t->starved += in - x->end;
        t->blocked += start - in;
        t->busy += end - start;
        hw__pipe_reserve(x, n);
        hw__pipe_push(x, n, end + (uint64_t)x->s->latency);
        /* the data moves before the rows it reads are given away */
        DSCQ_TRY(hw__pipe_finished(st, i, f, n, start, end));
        hw__pipe_release(x, f, n, end);
        x->end = end;
        x->fired++;
        *did = 1;
    }
done:
    return status;
}

/* ---- deadlock ----------------------------------------------------------- */

static size_t name_stage(char *text, size_t cap, const pipe_state *st, int32_t i)
{
    const pipe_stage *x = &st->stage[i];
    const uint64_t rows = (uint64_t)x->s->rows;
    const uint64_t at = x->s->kind < DSCQ_PIPE_LANES ? x->issued : x->fired;
    const int32_t n = (int32_t)(at % rows);

    for (int32_t k = 0; k < x->ins; k++) {
        const pipe_fifo *q = x->in[k];
        const uint64_t need = at / rows * (uint64_t)q->f->used + (uint64_t)q->f->hi[n];
        if (q->there < need)
            return (size_t)snprintf(text, cap, "; '%s' waits for '%s'", x->s->name,
                                    st->p->stage[q->f->from].name);
    }
    for (int32_t k = 0; k < x->outs; k++) {
        const pipe_fifo *q = x->out[k];
        if (q->reserved - q->gone == (uint64_t)q->f->rows)
            return (size_t)snprintf(
                text, cap, "; '%s' finds the FIFO to '%s' full (%d)", x->s->name,
                st->p->stage[q->f->to].name, q->f->rows);
    }
    return 0;
}

/* Full FIFOs first: they are the cause. */
/* [PL8] */
static dscq_status name_deadlock(const pipe_state *st)
{
    char text[400] = "", one[160];
    size_t at = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < st->p->stage_count && at + sizeof one < sizeof text;
             i++) {
            const size_t n = name_stage(one, sizeof one, st, i);
            if (n == 0 || (strstr(one, "full") != NULL) != (pass == 0))
                continue;
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", one);
        }
    return dscq_fail(st->err, DSCQ_FORMAT, "pipeline: deadlock%s", text);
}

static int all_done(const pipe_state *st)
{
    for (int32_t i = 0; i < st->p->stage_count; i++)
        if (st->stage[i].fired < st->frames * (uint64_t)st->p->stage[i].rows)
            return 0;
    return 1;
}

static dscq_status run_loop(pipe_state *st)
{
    dscq_status status = DSCQ_OK;

    for (;;) {
        int did = 0;
        for (int32_t k = 0; k < st->p->stage_count; k++) {
            const int32_t i = st->o->order != NULL ? st->o->order[k] : k;
            if (st->p->stage[i].kind >= DSCQ_PIPE_LANES)
                DSCQ_TRY(fire_all(st, i, &did));
        }
        if (did)
            continue;
        DSCQ_TRY(hw__pipe_move(st, &did));
        if (did)
            continue;
        if (all_done(st))
            break;
        DSCQ_TRY(name_deadlock(st));
    }
done:
    return status;
}

static dscq_status state_open(pipe_state *st)
{
    const dscq_pipe *p = st->p;
    dscq_status status = DSCQ_OK;

    st->fifo = dscq_calloc((size_t)p->fifo_count, sizeof *st->fifo);
    st->stage = dscq_calloc((size_t)p->stage_count, sizeof *st->stage);
    st->out->time = dscq_calloc((size_t)p->stage_count, sizeof *st->out->time);
    st->out->frame_end = dscq_calloc((size_t)st->frames, sizeof *st->out->frame_end);
    if (st->fifo == NULL || st->stage == NULL || st->out->time == NULL ||
        st->out->frame_end == NULL)
        return dscq_fail_nomem(st->err, "a pipeline",
                               (size_t)p->stage_count * sizeof *st->stage);
    for (int32_t i = 0; i < p->fifo_count; i++)
        DSCQ_TRY(fifo_open(&st->fifo[i], &p->fifo[i], st->err));
    for (int32_t i = 0; i < p->stage_count; i++)
        DSCQ_TRY(stage_open(st, i, st->err));
done:
    return status;
}

static dscq_status check_sums(const pipe_state *st)
{
    for (int32_t i = 0; i < st->p->stage_count; i++) {
        dscq_pipe_time *t = &st->out->time[i];
        t->idle = st->out->cycles - st->stage[i].end;
        /* [PL9] */
        if (t->busy + t->starved + t->blocked + t->idle != st->out->cycles)
            return dscq_fail(
                st->err, DSCQ_INTERNAL,
                "pipeline: broken law: the causes of '%s' do not add up to "
                "%llu cycles",
                st->p->stage[i].name, (unsigned long long)st->out->cycles);
    }
    return DSCQ_OK;
}

dscq_status dscq_pipe_run(dscq_pipe_result *out, const dscq_pipe *p,
                          const dscq_machine *m, const dscq_pipe_options *o,
                          dscq_error *err)
{
    pipe_state st = {.p = p,
                     .m = m,
                     .o = o,
                     .out = out,
                     .port = {.m = m, .memory = o->memory},
                     .frames = o->frames > 0 ? (uint64_t)o->frames : 1,
                     .err = err};
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(dscq_pipe_check(p, err));
    DSCQ_TRY(state_open(&st));
    DSCQ_TRY(run_loop(&st));
    DSCQ_TRY(check_sums(&st));
done:
    state_clear(&st);
    if (status != DSCQ_OK)
        dscq_pipe_result_clear(out);
    return status;
}
