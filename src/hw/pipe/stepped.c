#include "dscq/base/alloc.h"
#include "dscq/hw/pipeline_stepped.h"

#include <math.h>
#include <string.h>

enum { SUB = 4096 };

typedef struct step_fifo {
    uint64_t taken, made, shown, freed; /* rows, from the first frame on */
    uint64_t *show_at;                  /* [rows of the run] */
} step_fifo;

typedef struct step_row { /* of a load or store */
    uint64_t ready, bursts, asked, left;
} step_row;

typedef struct step_stage {
    uint64_t begun, done, left; /* firings begun and done; busy cycles to go */
    step_row *row;              /* [rows of the run] */
} step_stage;

typedef struct stepper {
    const dscq_pipe *p;
    const dscq_machine *m;
    dscq_pipe_result *out;
    step_fifo *fifo;
    step_stage *stage;
    uint64_t frames, now, moved;
    /* the port and the bus */
    int32_t unit; /* whose row is being asked for; -1: none */
    uint64_t port_next, in_flight, bus_free, burst_time;
    uint64_t *answer_at; /* [answers] in order */
    int32_t *answer_unit;
    uint64_t *answer_row;
    size_t answers, answered, answer_cap;
} stepper;

static int is_dma(const stepper *s, int32_t i)
{
    return s->p->stage[i].kind == DSCQ_PIPE_LOAD ||
           s->p->stage[i].kind == DSCQ_PIPE_STORE;
}

/* Rule PL7, byte by byte: a burst is asked for with the byte that begins it, and
 * written with the byte that ends it or the frame. */
static uint64_t bursts_of(const stepper *s, int32_t i, uint64_t row)
{
    const dscq_pipe_stage *t = &s->p->stage[i];
    const uint64_t b = (uint64_t)s->m->burst_bytes;
    const uint64_t frame = (uint64_t)t->rows * t->row_bytes;
    uint64_t n = 0;

    for (uint64_t at = row * t->row_bytes; at < (row + 1) * t->row_bytes; at++)
        if (t->kind == DSCQ_PIPE_LOAD)
            n += at % b == 0;
        else
            n += at % b == b - 1 || at == frame - 1;
    return n;
}

static uint64_t total_rows(const stepper *s, int32_t i)
{
    return s->frames * (uint64_t)s->p->stage[i].rows;
}

/* Rows of the run that firing k needs of FIFO q. */
static uint64_t rows_needed(const stepper *s, const dscq_pipe_fifo *q, uint64_t k)
{
    const uint64_t rows = (uint64_t)s->p->stage[q->to].rows;

    return k / rows * (uint64_t)q->used + (uint64_t)q->hi[k % rows];
}

static int has_inputs(const stepper *s, int32_t i, uint64_t k)
{
    for (int32_t f = 0; f < s->p->fifo_count; f++)
        if (s->p->fifo[f].to == i &&
            s->fifo[f].shown < rows_needed(s, &s->p->fifo[f], k))
            return 0;
    return 1;
}

static int is_pushed(const stepper *s, int32_t f, uint64_t k)
{
    const dscq_pipe_fifo *q = &s->p->fifo[f];

    return (int32_t)(k % (uint64_t)s->p->stage[q->from].rows) < q->used;
}

static int has_room(const stepper *s, int32_t i, uint64_t k)
{
    for (int32_t f = 0; f < s->p->fifo_count; f++)
        if (s->p->fifo[f].from == i && is_pushed(s, f, k) &&
            s->fifo[f].taken - s->fifo[f].freed >= (uint64_t)s->p->fifo[f].rows)
            return 0;
    return 1;
}

static void take_slots(stepper *s, int32_t i, uint64_t k)
{
    for (int32_t f = 0; f < s->p->fifo_count; f++)
        if (s->p->fifo[f].from == i && is_pushed(s, f, k))
            s->fifo[f].taken++;
}

/* Firing k of stage i is over in this cycle. */
static void finish(stepper *s, int32_t i, uint64_t k, uint64_t latency)
{
    const uint64_t rows = (uint64_t)s->p->stage[i].rows;

    for (int32_t f = 0; f < s->p->fifo_count; f++) {
        const dscq_pipe_fifo *q = &s->p->fifo[f];
        if (q->from == i && is_pushed(s, f, k))
            s->fifo[f].show_at[s->fifo[f].made++] = s->now + latency;
        if (q->to == i)
            s->fifo[f].freed =
                k / rows * (uint64_t)q->used +
                (uint64_t)(k % rows + 1 < rows ? q->lo[k % rows + 1] : q->used);
    }
    if (s->p->stage[i].kind != DSCQ_PIPE_LOAD)
        s->out->frame_end[k / rows] = s->now;
    s->out->cycles = s->now;
    s->stage[i].done = k + 1;
    s->moved = s->now;
}

/* Everything that can change without a clock edge; 1: something did. */
static int settle_stage(stepper *s, int32_t i)
{
    step_stage *x = &s->stage[i];
    const dscq_pipe_stage *t = &s->p->stage[i];

    if (is_dma(s, i)) {
        if (x->begun < total_rows(s, i) && has_inputs(s, i, x->begun) &&
            has_room(s, i, x->begun)) {
            const uint64_t n = bursts_of(s, i, x->begun % (uint64_t)t->rows);
            x->row[x->begun] = (step_row){s->now, n, 0, n};
            take_slots(s, i, x->begun++);
            return 1;
        }
        if (x->done < x->begun && x->row[x->done].left == 0) {
            finish(s, i, x->done, 0);
            return 1;
        }
        return 0;
    }
    if (x->begun == x->done && x->begun < total_rows(s, i) &&
        has_inputs(s, i, x->begun) && has_room(s, i, x->begun)) {
        take_slots(s, i, x->begun++);
        x->left = (uint64_t)t->cycles;
        s->moved = s->now;
        return 1;
    }
    return 0;
}

static void settle(stepper *s)
{
    int again = 1;

    while (again) {
        again = 0;
        for (int32_t f = 0; f < s->p->fifo_count; f++)
            while (s->fifo[f].shown < s->fifo[f].made &&
                   s->fifo[f].show_at[s->fifo[f].shown] <= s->now) {
                s->fifo[f].shown++;
                again = 1;
            }
        for (int32_t i = 0; i < s->p->stage_count; i++)
            again |= settle_stage(s, i);
    }
}

/* The oldest row of each unit whose bursts are not all asked for; earliest first. */
static void choose_unit(stepper *s)
{
    uint64_t best = UINT64_MAX;

    if (s->unit >= 0)
        return;
    for (int32_t i = 0; i < s->p->stage_count; i++) {
        if (!is_dma(s, i))
            continue;
        for (uint64_t k = s->stage[i].done; k < s->stage[i].begun; k++) {
            const step_row *r = &s->stage[i].row[k];
            if (r->asked == r->bursts)
                continue;
            if (r->ready < best) {
                best = r->ready;
                s->unit = i;
            }
            break;
        }
    }
}

static dscq_status ask(stepper *s, dscq_error *err)
{
    choose_unit(s);
    if (s->unit < 0 || s->now < s->port_next ||
        s->in_flight >= (uint64_t)s->m->outstanding)
        return DSCQ_OK;
    step_stage *x = &s->stage[s->unit];
    uint64_t k = x->done;
    while (x->row[k].asked == x->row[k].bursts)
        k++;
    if (s->now < x->row[k].ready + (uint64_t)s->m->command_cycles)
        return DSCQ_OK;
    if (s->answers == s->answer_cap)
        return dscq_fail(err, DSCQ_INTERNAL, "stepped pipeline: too many bursts");
    const uint64_t width = (uint64_t)s->m->axi_ports * (uint64_t)s->m->axi_bytes;
    const uint64_t from = s->now * SUB > s->bus_free ? s->now * SUB : s->bus_free;
    s->bus_free = from + s->burst_time;
    s->answer_at[s->answers] =
        (s->bus_free + SUB - 1) / SUB + (uint64_t)s->m->mem_latency_cycles;
    s->answer_unit[s->answers] = s->unit;
    s->answer_row[s->answers++] = k;
    s->in_flight++;
    s->port_next = s->now + ((uint64_t)s->m->burst_bytes + width - 1) / width;
    *(s->p->stage[s->unit].kind == DSCQ_PIPE_STORE ? &s->out->write_bursts
                                                   : &s->out->read_bursts) += 1;
    if (++x->row[k].asked == x->row[k].bursts)
        s->unit = -1;
    s->moved = s->now;
    return DSCQ_OK;
}

static void count(stepper *s)
{
    for (int32_t i = 0; i < s->p->stage_count; i++) {
        const step_stage *x = &s->stage[i];
        dscq_pipe_time *t = &s->out->time[i];
        if (x->done < x->begun)
            t->busy++;
        else if (x->done == total_rows(s, i))
            t->idle++;
        else if (!has_inputs(s, i, x->done))
            t->starved++;
        else
            t->blocked++;
    }
}

static int is_over(const stepper *s)
{
    for (int32_t i = 0; i < s->p->stage_count; i++)
        if (s->stage[i].done < total_rows(s, i))
            return 0;
    return 1;
}

static dscq_status step_all(stepper *s, uint64_t limit, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (;; s->now++) {
        while (s->answered < s->answers && s->answer_at[s->answered] <= s->now) {
            s->stage[s->answer_unit[s->answered]]
                .row[s->answer_row[s->answered]]
                .left--;
            s->in_flight--;
            s->answered++;
        }
        for (int32_t i = 0; i < s->p->stage_count; i++)
            if (!is_dma(s, i) && s->stage[i].done < s->stage[i].begun &&
                s->stage[i].left == 0)
                finish(s, i, s->stage[i].done, (uint64_t)s->p->stage[i].latency);
        settle(s);
        if (is_over(s))
            return DSCQ_OK;
        DSCQ_TRY(ask(s, err));
        count(s);
        for (int32_t i = 0; i < s->p->stage_count; i++)
            if (!is_dma(s, i) && s->stage[i].done < s->stage[i].begun)
                s->stage[i].left--;
        if (s->now - s->moved > limit)
            return dscq_fail(err, DSCQ_FORMAT, "stepped pipeline: deadlock");
    }
done:
    return status;
}

static dscq_status open_all(stepper *s, dscq_error *err)
{
    const dscq_pipe *p = s->p;

    s->fifo = dscq_calloc((size_t)p->fifo_count, sizeof *s->fifo);
    s->stage = dscq_calloc((size_t)p->stage_count, sizeof *s->stage);
    s->out->time = dscq_calloc((size_t)p->stage_count, sizeof *s->out->time);
    s->out->frame_end = dscq_calloc((size_t)s->frames, sizeof *s->out->frame_end);
    if (s->fifo == NULL || s->stage == NULL || s->out->time == NULL ||
        s->out->frame_end == NULL)
        return dscq_fail_nomem(err, "a stepped pipeline", 1024);
    for (int32_t i = 0; i < p->stage_count; i++) {
        const dscq_pipe_stage *t = &p->stage[i];
        if (!is_dma(s, i))
            continue;
        s->stage[i].row = dscq_calloc((size_t)total_rows(s, i), sizeof(step_row));
        for (int32_t n = 0; n < t->rows; n++)
            s->answer_cap += (size_t)(s->frames * bursts_of(s, i, (uint64_t)n));
        if (s->stage[i].row == NULL)
            return dscq_fail_nomem(err, "rows", (size_t)total_rows(s, i) * 32);
    }
    for (int32_t f = 0; f < p->fifo_count; f++) {
        s->fifo[f].show_at = dscq_calloc((size_t)total_rows(s, p->fifo[f].from), 8);
        if (s->fifo[f].show_at == NULL)
            return dscq_fail_nomem(err, "rows", 1024);
    }
    s->answer_at = dscq_calloc(s->answer_cap, sizeof *s->answer_at);
    s->answer_unit = dscq_calloc(s->answer_cap, sizeof *s->answer_unit);
    s->answer_row = dscq_calloc(s->answer_cap, sizeof *s->answer_row);
    return s->answer_at == NULL || s->answer_unit == NULL || s->answer_row == NULL
               ? dscq_fail_nomem(err, "answers", s->answer_cap * 20)
               : DSCQ_OK;
}

dscq_status dscq_pipe_stepped(dscq_pipe_result *out, const dscq_pipe *p,
                              const dscq_machine *m, int32_t frames, uint64_t limit,
                              dscq_error *err)
{
    stepper s = {.p = p,
                 .m = m,
                 .out = out,
                 .frames = (uint64_t)frames,
                 .unit = -1,
                 .burst_time =
                     (uint64_t)ceil(m->burst_bytes / m->mem_bytes_per_cycle * SUB)};
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(open_all(&s, err));
    DSCQ_TRY(step_all(&s, limit, err));
done:
    for (int32_t i = 0; s.stage != NULL && i < p->stage_count; i++)
        dscq_free(s.stage[i].row);
    for (int32_t f = 0; s.fifo != NULL && f < p->fifo_count; f++)
        dscq_free(s.fifo[f].show_at);
    dscq_free(s.fifo);
    dscq_free(s.stage);
    dscq_free(s.answer_at);
    dscq_free(s.answer_unit);
    dscq_free(s.answer_row);
    if (status != DSCQ_OK)
        dscq_pipe_result_clear(out);
    return status;
}
