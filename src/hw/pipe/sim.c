/* A run of a pipeline program: real bytes through the FIFOs' rings in the order of the
 * firings, counters, laws. */
#include "dscq/base/alloc.h"
#include "result.h"
#include "row.h"

#include <string.h>

typedef struct pipe_run {
    dscq_sim *s;
    dscq_program p; /* a copy whose rings may turn */
    const dscq_pipe *pipe;
    const dscq_machine *m;
    const dscq_sim_options *opt;
    const dscq_program *given;
    hw_data data;
    hw_decoded **decoded;
    dscq_counters *row; /* [stages] of one firing */
} pipe_run;

/* ---- bytes -------------------------------------------------------------- */

static void turn_ring(pipe_run *r, const dscq_pipe_fifo *f, int32_t frame)
{
    r->p.ring[f->ring].turn = (int32_t)((int64_t)frame * f->used % f->rows);
}

/* The row that the stage made goes into every FIFO that takes it. */
static void push_row(pipe_run *r, int32_t stage, int32_t frame, int32_t row)
{
    const dscq_hw_ring *own = &r->p.ring[r->pipe->stage[stage].ring];

    for (int32_t i = 0; i < r->pipe->fifo_count; i++) {
        const dscq_pipe_fifo *f = &r->pipe->fifo[i];
        if (f->from != stage || row >= f->used)
            continue;
        turn_ring(r, f, frame);
        const dscq_hw_ring *to = &r->p.ring[f->ring];
        memcpy(hw__line(&r->data, to, row, to->c0),
               hw__line(&r->data, own, row, own->c0), (size_t)to->row_bytes);
    }
}

static dscq_status compute_row(pipe_run *r, int32_t stage, int32_t frame, int32_t row,
                               dscq_error *err)
{
    const dscq_pipe_stage *s = &r->pipe->stage[stage];
    const int32_t w = r->p.tensor[s->tensor].w;
    dscq_hw_cmd c = {.unit = DSCQ_UNIT_COMPUTE,
                     .frame = frame,
                     .ring = s->ring,
                     .first = row * w,
                     .last = (row + 1) * w};
    dscq_status status = DSCQ_OK;

    for (int32_t o = s->op_first; o < s->op_first + s->op_count; o++) {
        c.op = o;
        for (int32_t i = 0; i < r->pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &r->pipe->fifo[i];
            if (f->to != stage || f->op != o)
                continue;
            turn_ring(r, f, frame);
            c.ring_in[f->port] = f->ring;
        }
        if (s->kind == DSCQ_PIPE_VECTOR) {
            c.wtile = -1;
            DSCQ_TRY(hw__data_compute(&r->data, &c, NULL, err));
        }
        for (c.wtile = s->wtile_first;
             s->kind == DSCQ_PIPE_LANES && c.wtile < s->wtile_first + s->wtile_count;
             c.wtile++)
            DSCQ_TRY(hw__data_compute(&r->data, &c, r->decoded[c.wtile], err));
    }
done:
    return status;
}

static dscq_status move_bytes(pipe_run *r, int32_t stage, int32_t frame, int32_t row,
                              dscq_error *err)
{
    const dscq_pipe_stage *s = &r->pipe->stage[stage];
    dscq_hw_cmd c = {.frame = frame, .ring = s->ring, .first = row, .last = row + 1};

    if (s->kind == DSCQ_PIPE_STORE) {
        for (int32_t i = 0; i < r->pipe->fifo_count; i++)
            if (r->pipe->fifo[i].to == stage) {
                turn_ring(r, &r->pipe->fifo[i], frame);
                c.ring = r->pipe->fifo[i].ring;
                hw__data_store(&r->data, &c);
            }
        return DSCQ_OK;
    }
    if (s->kind == DSCQ_PIPE_LOAD)
        hw__data_load(&r->data, &c);
    else if (compute_row(r, stage, frame, row, err) != DSCQ_OK)
        return err != NULL ? err->code : DSCQ_NOMEM;
    push_row(r, stage, frame, row);
    return DSCQ_OK;
}

static void tell(pipe_run *r, int32_t stage, int32_t frame, int32_t row, uint64_t start,
                 uint64_t end)
{
    const dscq_pipe_stage *s = &r->pipe->stage[stage];
    const dscq_sim_event e = {.unit = s->kind == DSCQ_PIPE_LOAD    ? DSCQ_UNIT_LOAD_ACT
                                      : s->kind == DSCQ_PIPE_STORE ? DSCQ_UNIT_STORE
                                                                   : DSCQ_UNIT_COMPUTE,
                              .stage = stage,
                              .op = s->op_first,
                              .frame = frame,
                              .command = row,
                              .ready = start,
                              .start = start,
                              .end = end,
                              .bytes = s->row_bytes};

    r->opt->event(r->opt->event_ctx, &e);
}

static dscq_status fired(void *ctx, int32_t stage, int32_t frame, int32_t row,
                         uint64_t start, uint64_t end, dscq_error *err)
{
    pipe_run *r = ctx;

    if (r->opt->event != NULL)
        tell(r, stage, frame, row, start, end);
    return r->opt->no_data ? DSCQ_OK : move_bytes(r, stage, frame, row, err);
}

/* ---- counters ----------------------------------------------------------- */

static void scale(dscq_counters *c, uint64_t n)
{
#define X(field, unit, meaning) c->field *= n;
    DSCQ_COUNTER_LIST(X)
#undef X
}

static uint64_t width_of(const dscq_pipe_stage *s)
{
    return s->kind == DSCQ_PIPE_LANES ? (uint64_t)s->lanes * (uint64_t)s->vector : 0;
}

static void count_dma(dscq_counters *c, const dscq_pipe_stage *s, uint64_t frames,
                      int32_t burst)
{
    const uint64_t bytes = frames * (uint64_t)s->rows * s->row_bytes;
    uint64_t bursts = 0;

    for (int32_t n = 0; n < s->rows; n++)
        bursts += frames * dscq_pipe_bursts(s, n, burst);
    if (s->kind == DSCQ_PIPE_LOAD) {
        c->dram_read_bursts += bursts;
        c->dram_act_read_bytes += bytes;
        c->act_fill_bytes += bytes;
    } else {
        c->dram_write_bursts += bursts;
        c->dram_act_write_bytes += bytes;
        c->act_drain_bytes += bytes;
    }
}

static void count_stage(pipe_run *r, int32_t i, const dscq_pipe_result *t)
{
    const dscq_pipe_stage *s = &r->pipe->stage[i];
    const uint64_t frames = (uint64_t)r->p.frames, w = width_of(s);
    dscq_counters *layer = &r->s->layer[s->layer], c = r->row[i];
    struct sim_stage *out = &r->s->stage[i];

    memcpy(out->name, s->name, sizeof out->name);
    *out = (struct sim_stage){.cycles = t->cycles,
                              .busy = t->time[i].busy,
                              .starved = t->time[i].starved,
                              .blocked = t->time[i].blocked,
                              .idle = t->time[i].idle};
    memcpy(out->name, s->name, sizeof out->name);
    if (s->kind <= DSCQ_PIPE_STORE) {
        count_dma(layer, s, frames, r->m->burst_bytes);
        layer->commands += frames * (uint64_t)s->rows;
        return;
    }
    for (int32_t k = 0; k < r->pipe->fifo_count; k++)
        if (r->pipe->fifo[k].from == i)
            layer->act_write_bytes += frames * (uint64_t)r->pipe->fifo[k].used *
                                      (uint64_t)r->p.tensor[s->tensor].w *
                                      (uint64_t)r->p.tensor[s->tensor].c *
                                      (uint64_t)r->p.tensor[s->tensor].elem_bytes;
    scale(&c, frames * (uint64_t)s->rows);
    dscq_counters_add(layer, &c);
    layer->commands += frames * (uint64_t)s->rows;
    layer->mult_wait_act += t->time[i].starved * w;
    layer->mult_wait_store += t->time[i].blocked * w;
    layer->mult_idle += t->time[i].idle * w;
}

static dscq_status count_all(pipe_run *r, const dscq_pipe_result *t, dscq_error *err)
{
    dscq_sim *s = r->s;
    uint64_t width = 0;

    s->stage = dscq_calloc((size_t)r->pipe->stage_count, sizeof *s->stage);
    if (s->stage == NULL)
        return dscq_fail_nomem(err, "stage accounts", sizeof *s->stage);
    s->stage_count = r->pipe->stage_count;
    for (int32_t i = 0; i < r->pipe->stage_count; i++) {
        count_stage(r, i, t);
        width += width_of(&r->pipe->stage[i]);
    }
    for (int32_t i = 0; i < s->layer_count; i++)
        dscq_counters_add(&s->total, &s->layer[i]);
    s->total.cycles = t->cycles;
    s->machine.multipliers = width > 0 ? (int32_t)width : 1;
    if (width == 0)
        s->total.mult_idle += t->cycles;
    s->total.mult_slots = t->cycles * (uint64_t)s->machine.multipliers;
    memcpy(s->frame_end, t->frame_end, (size_t)r->p.frames * sizeof *s->frame_end);
    hw__compute_stalls(s);
    s->bound = hw__pipe_bound(&r->p, &s->machine);
    const char *law = dscq_counters_check(&s->total);
    if (law == NULL && s->bound.cycles > s->total.cycles)
        law = "no run is shorter than its slowest stage";
    if (law == NULL && (t->read_bursts != s->total.dram_read_bursts ||
                        t->write_bursts != s->total.dram_write_bursts))
        law = "the memory saw every burst once";
    return law == NULL
               ? DSCQ_OK
               : dscq_fail(err, DSCQ_INTERNAL, "simulation: broken law: %s", law);
}

/* ---- the run ------------------------------------------------------------ */

static dscq_status open_run(pipe_run *r, const void *const *inputs, dscq_error *err)
{
    const dscq_program *p = r->given;
    dscq_status status = DSCQ_OK;

    r->p.ring = dscq_malloc((size_t)p->ring_count, sizeof *p->ring);
    r->decoded = dscq_calloc((size_t)p->wtile_count, sizeof *r->decoded);
    r->row = dscq_calloc((size_t)r->pipe->stage_count, sizeof *r->row);
    if (r->p.ring == NULL || r->decoded == NULL || r->row == NULL)
        return dscq_fail_nomem(err, "a pipeline", (size_t)p->ring_count * 64);
    memcpy(r->p.ring, p->ring, (size_t)p->ring_count * sizeof *p->ring);
    for (int32_t i = 0; i < p->wtile_count; i++)
        DSCQ_TRY(hw__decode(&r->decoded[i], p, &p->wtile[i], 1, !r->opt->no_data, err));
    for (int32_t i = 0; i < r->pipe->stage_count; i++) {
        DSCQ_TRY(hw__pipe_row(&r->row[i], p, i, r->m, r->decoded, err));
        if (r->pipe->stage[i].kind >= DSCQ_PIPE_LANES &&
            r->row[i].cycles != (uint64_t)r->pipe->stage[i].cycles)
            DSCQ_TRY(dscq_fail(
                err, DSCQ_FORMAT, "program: a row of '%s' takes %llu cycles, not %d",
                r->pipe->stage[i].name, (unsigned long long)r->row[i].cycles,
                r->pipe->stage[i].cycles));
    }
    if (r->opt->no_data)
        return DSCQ_OK;
    DSCQ_TRY(hw__data_init(&r->data, &r->p, p->act_peak_bytes, r->opt->capture, err));
    hw__sim_give(r->s, &r->data, inputs);
done:
    return status;
}

static void close_run(pipe_run *r)
{
    for (int32_t i = 0; r->decoded != NULL && i < r->p.wtile_count; i++)
        hw__decoded_destroy(r->decoded[i]);
    dscq_free(r->decoded);
    if (r->data.p != NULL)
        hw__data_clear(&r->data);
    dscq_free(r->p.ring);
    dscq_free(r->row);
}

dscq_status hw__pipe_sim(dscq_sim *s, const dscq_program *p, const dscq_machine *m,
                         const void *const *inputs, const dscq_sim_options *o,
                         dscq_error *err)
{
    pipe_run r = {
        .s = s, .p = *p, .given = p, .pipe = dscq_program_pipe(p), .m = m, .opt = o};
    dscq_pipe_result t = {0};
    dscq_memory *memory = NULL;
    dscq_status status;

    r.p.ring = NULL;
    DSCQ_TRY(open_run(&r, inputs, err));
    DSCQ_TRY(dscq_memory_create(&memory, m, err));
    if (p->dram_bytes > dscq_memory_capacity(memory))
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG,
                           "program: %llu bytes of tensors do not fit in dram = %s",
                           (unsigned long long)p->dram_bytes, m->dram));
    const dscq_pipe_options po = {
        .frames = p->frames, .fired = fired, .ctx = &r, .memory = memory};
    DSCQ_TRY(dscq_pipe_run(&t, r.pipe, m, &po, err));
    dscq_memory_settle(memory, t.cycles);
    DSCQ_TRY(count_all(&r, &t, err));
    DSCQ_TRY(dscq_memory_check_laws(memory, err));
    hw__sim_memory(s, memory);
    if (!o->no_data)
        DSCQ_TRY(hw__sim_take(s, &r.data, err));
done:
    dscq_pipe_result_clear(&t);
    dscq_memory_destroy(memory);
    close_run(&r);
    return status;
}
