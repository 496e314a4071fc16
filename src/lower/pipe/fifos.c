/* Capacities of the FIFOs (rule PL6). */
#include "dscq/base/alloc.h"
#include "dscq/hw/memory.h"
#include "pipe.h"

#include <string.h>

enum {
    PROBE_FRAMES = 4, /* the last two are in the steady state */
    GROW_MOST = 64    /* steps of a join's FIFO that hold nothing up */
};
/* As fast as with GROW_MOST steps: to a thousandth. */
enum { AS_FAST = 1000 };

static int32_t inputs_of(const dscq_pipe *pipe, int32_t stage)
{
    int32_t n = 0;

    for (int32_t i = 0; i < pipe->fifo_count; i++)
        n += pipe->fifo[i].to == stage;
    return n;
}

/* Rows one firing takes on top of the one before. */
static int32_t step_of(const dscq_pipe *pipe, const dscq_pipe_fifo *f)
{
    const int32_t rows = pipe->stage[f->to].rows;
    int32_t step = rows == 1 ? f->hi[0] : 1;

    for (int32_t n = 1; n < rows; n++)
        step = dscq_max32(step, f->hi[n] - f->hi[n - 1]);
    return dscq_max32(step, 1);
}

static int32_t window_of(const dscq_pipe *pipe, const dscq_pipe_fifo *f)
{
    int32_t most = 1;

    for (int32_t n = 0; n < pipe->stage[f->to].rows; n++)
        most = dscq_max32(most, f->hi[n] - f->lo[n]);
    return most;
}

void lower__first_rows(lowering *l)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);

    for (int32_t i = 0; i < pipe->fifo_count; i++)
        pipe->fifo[i].rows = window_of(pipe, &pipe->fifo[i]) +
                             l->m->fifo_rows * step_of(pipe, &pipe->fifo[i]);
}

/* Rows of each stage that firing n of stage `at` needs, through every path. */
static void demand(int32_t *need, const dscq_pipe *pipe, int32_t at, int32_t n)
{
    memset(need, 0, (size_t)pipe->stage_count * sizeof *need);
    need[at] = n + 1;
    for (int32_t s = at; s >= 0; s--)
        for (int32_t i = 0; need[s] > 0 && i < pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &pipe->fifo[i];
            if (f->to == s)
                need[f->from] = dscq_max32(need[f->from], f->hi[need[s] - 1]);
        }
}

/* need[] becomes the rows there are when the loads have brought what is needed and
 * every stage before `at` has fired as often as it can: a row goes into all FIFOs at
 * once, so what one branch asks for also fills the others. */
static void run_ahead(int32_t *need, const dscq_pipe *pipe, int32_t at)
{
    for (int32_t s = 0; s < at; s++) {
        int32_t can =
            pipe->stage[s].kind == DSCQ_PIPE_LOAD ? need[s] : pipe->stage[s].rows;
        for (int32_t i = 0; i < pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &pipe->fifo[i];
            while (f->to == s && can > 0 && f->hi[can - 1] > need[f->from])
                can--;
        }
        need[s] = dscq_max32(need[s], can);
    }
}

/* The least that a FIFO into a join must hold while the other inputs are made. */
static void shortcut_windows(dscq_pipe *pipe, int32_t at, int32_t *least, int32_t *need)
{
    for (int32_t n = 0; n < pipe->stage[at].rows; n++) {
        demand(need, pipe, at, n);
        run_ahead(need, pipe, at);
        for (int32_t i = 0; i < pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &pipe->fifo[i];
            if (f->to == at)
                least[i] =
                    dscq_max32(least[i], dscq_min32(need[f->from], f->used) - f->lo[n]);
        }
    }
}

static void set_rows(lowering *l, const int32_t *least, int32_t extra)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);

    for (int32_t i = 0; i < pipe->fifo_count; i++) {
        dscq_pipe_fifo *f = &pipe->fifo[i];
        const int join = inputs_of(pipe, f->to) > 1;
        const int32_t steps = join ? extra : l->m->fifo_rows;
        f->rows = dscq_max32(window_of(pipe, f), least[i]) + steps * step_of(pipe, f);
        if (join && l->m->shortcut_rows > 0)
            f->rows = dscq_max32(window_of(pipe, f), l->m->shortcut_rows);
    }
}

/* Cycles between the ends of the last two of a few frames; UINT64_MAX: a deadlock. */
static dscq_status probe_interval(lowering *l, uint64_t *interval)
{
    const dscq_pipe_options o = {.frames = PROBE_FRAMES};
    dscq_pipe_options with = o;
    dscq_pipe_result r;
    dscq_status status;

    *interval = UINT64_MAX;
    DSCQ_TRY(dscq_memory_create(&with.memory, l->m, l->err));
    status = dscq_pipe_run(&r, dscq_program_pipe(l->p), l->m, &with, l->err);
    if (status == DSCQ_FORMAT) { /* the run itself will say so if it stays */
        status = DSCQ_OK;
        goto done;
    }
    DSCQ_TRY(status);
    *interval = r.frame_end[PROBE_FRAMES - 1] - r.frame_end[PROBE_FRAMES - 2];
    dscq_pipe_result_clear(&r);
done:
    dscq_memory_destroy(with.memory);
    return status;
}

/* Joins get the fewest rows with which they hold nothing up. */
/* [PL6] */
dscq_status lower__size_fifos(lowering *l)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);
    int32_t *least = dscq_calloc((size_t)pipe->fifo_count, sizeof *least);
    int32_t *need = dscq_calloc((size_t)pipe->stage_count, sizeof *need);
    uint64_t best = 0, now = 0;
    int joins = 0;
    dscq_status status = DSCQ_OK;

    if (least == NULL || need == NULL) {
        status = dscq_fail_nomem(l->err, "FIFO sizes", (size_t)pipe->fifo_count * 8);
        goto done;
    }
    for (int32_t i = 0; i < pipe->stage_count; i++)
        if (inputs_of(pipe, i) > 1) {
            joins = 1;
            shortcut_windows(pipe, i, least, need);
        }
    set_rows(l, least, l->m->fifo_rows);
    if (!joins || l->m->shortcut_rows > 0)
        goto done;
    set_rows(l, least, GROW_MOST);
    DSCQ_TRY(probe_interval(l, &best));
    for (int32_t extra = l->m->fifo_rows; extra <= GROW_MOST; extra *= 2) {
        set_rows(l, least, extra);
        DSCQ_TRY(probe_interval(l, &now));
        if (now != UINT64_MAX && now <= best + best / AS_FAST)
            break;
    }
done:
    dscq_free(least);
    dscq_free(need);
    return status;
}
