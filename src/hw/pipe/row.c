/* One firing of a stage: its cycles (rules PL2..PL4) and everything it counts. */
#include "row.h"

#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"

#include <string.h>

static int32_t row_channels(const dscq_hw_wtile *t, int32_t lanes, int32_t row)
{
    int32_t n = 0;

    while (n < lanes && t->channel[row * lanes + n] >= 0)
        n++;
    return n;
}

/* One tile of one row, lanes going on from where they are. */
static void run_tile(dscq_lanes *l, const dscq_program *p, const dscq_pipe_stage *s,
                     const dscq_machine *m, const dscq_hw_wtile *t, const hw_decoded *d,
                     const uint16_t *ones)
{
    const dscq_hw_op *op = &p->op[t->op];
    const int32_t w = p->tensor[op->out].w;
    const int broadcast = op->mode == DSCQ_HW_BROADCAST;

    dscq_lanes_shape(l, s->lanes, d->active, broadcast ? m->queue_depth : m->row_queue,
                     m->acc_banks, dscq_lanes_end(l));
    dscq_lanes_start(l, dscq_lanes_end(l));
    for (int32_t row = 0; row < (broadcast ? 1 : t->rows); row++)
        for (int32_t x = 0; x < w; x += s->vector) {
            if (broadcast) {
                dscq_lanes_vector(l, d->work, d->columns, d->active, ones,
                                  /* [PL3] */
                                  dscq_post_cycles(t->m_count, s->vector, s->post));
                continue;
            }
            const int32_t n = row_channels(t, s->lanes, row);
            dscq_lanes_rows(l, d->work + (size_t)row * (size_t)d->active, n, n, 1,
                            dscq_post_cycles(n, s->vector, s->post));
        }
}

static dscq_status lanes_cycles(uint64_t *cycles, const dscq_program *p,
                                const dscq_pipe_stage *s, const dscq_machine *m,
                                hw_decoded *const *d, dscq_error *err)
{
    dscq_lanes *l = dscq_malloc(1, sizeof *l);
    int32_t most = 1;

    for (int32_t i = 0; i < s->wtile_count; i++)
        most = d[s->wtile_first + i]->columns > most ? d[s->wtile_first + i]->columns
                                                     : most;
    uint16_t *ones = dscq_malloc((size_t)most, sizeof *ones);
    if (l != NULL && ones != NULL) {
        for (int32_t i = 0; i < most; i++)
            ones[i] = 1;
        dscq_lanes_reset(l, 0);
        for (int32_t i = 0; i < s->wtile_count; i++)
            run_tile(l, p, s, m, &p->wtile[s->wtile_first + i], d[s->wtile_first + i],
                     ones);
        /* [PL2] */
        *cycles = dscq_lanes_post_end(l) > dscq_lanes_end(l) ? dscq_lanes_post_end(l)
                                                             : dscq_lanes_end(l);
    }
    const int ok = l != NULL && ones != NULL;
    dscq_free(l);
    dscq_free(ones);
    return ok ? DSCQ_OK : dscq_fail_nomem(err, "the lanes of a stage", sizeof *l);
}

/* What the multipliers did in one row of a tile. */
static void count_tile(dscq_counters *c, const dscq_program *p,
                       const dscq_pipe_stage *s, const dscq_machine *machine,
                       const dscq_hw_wtile *t, const hw_decoded *d)
{
    const dscq_hw_op *op = &p->op[t->op];
    const dscq_hw_tensor *x = &p->tensor[op->in[0]];
    const uint64_t w = (uint64_t)p->tensor[op->out].w;
    const uint64_t vectors = (uint64_t)dscq_ceil_div((int64_t)w, s->vector);
    const uint64_t m = (uint64_t)t->m_count;

    hw__count_tile(c, t, d, vectors, (uint64_t)s->vector, w);
    c->mac_paired += d->entries * hw__paired(d, machine, w, s->vector);
    c->columns += (uint64_t)d->columns * vectors;
    c->post_outputs += m * w;
    c->requants += m * w;
    if (op->mode == DSCQ_HW_BROADCAST)
        c->act_read_bytes += (uint64_t)d->columns * w * (uint64_t)x->elem_bytes;
    else /* row registers: every window row once */
        c->act_read_bytes +=
            (uint64_t)op->kernel_h * m * (uint64_t)x->w * (uint64_t)x->elem_bytes;
}

static dscq_status lanes_row(dscq_counters *c, const dscq_program *p,
                             const dscq_pipe_stage *s, const dscq_machine *m,
                             hw_decoded *const *d, dscq_error *err)
{
    const uint64_t width = (uint64_t)s->lanes * (uint64_t)s->vector;
    int32_t active = 0;
    uint64_t cycles = 0;

    if (lanes_cycles(&cycles, p, s, m, d, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    c->cycles = cycles + (uint64_t)m->command_cycles;
    for (int32_t i = s->wtile_first; i < s->wtile_first + s->wtile_count; i++) {
        count_tile(c, p, s, m, &p->wtile[i], d[i]);
        active = d[i]->active > active ? d[i]->active : active;
    }
    const uint64_t used =
        c->mult_compute + c->mult_filler + c->mult_pixel_tail + c->mult_empty;
    c->mult_drain =
        (uint64_t)m->command_cycles * (uint64_t)active * (uint64_t)s->vector;
    c->mult_no_channel =
        c->cycles * (uint64_t)(s->lanes - active) * (uint64_t)s->vector;
    c->mult_imbalance = c->cycles * width - used - c->mult_no_channel - c->mult_drain;
    return DSCQ_OK;
}

static uint64_t row_outputs(const dscq_program *p, const dscq_hw_op *op)
{
    const dscq_hw_tensor *y = &p->tensor[op->out];

    return (uint64_t)y->w * (uint64_t)(op->mode == DSCQ_HW_COPY ? op->c_count : y->c);
}

uint64_t dscq_pipe_work(const dscq_program *p, const dscq_hw_op *op)
{
    const uint64_t outputs = row_outputs(p, op);

    if (op->mode == DSCQ_HW_MAXPOOL || op->mode == DSCQ_HW_AVGPOOL)
        return outputs * (uint64_t)op->kernel_h * (uint64_t)op->kernel_w;
    if (op->mode == DSCQ_HW_LRN)
        return outputs * (uint64_t)(op->span + 1) / 2;
    return outputs;
}

static void vector_row(dscq_counters *c, const dscq_program *p,
                       const dscq_pipe_stage *s, const dscq_machine *m)
{
    c->cycles = (uint64_t)m->command_cycles;
    for (int32_t o = s->op_first; o < s->op_first + s->op_count; o++) {
        const dscq_hw_op *op = &p->op[o];
        const uint64_t outputs = row_outputs(p, op), work = dscq_pipe_work(p, op);
        /* [PL4] */
        c->cycles += (uint64_t)dscq_ceil_div((int64_t)work, s->post);
        c->post_outputs += outputs;
        c->act_read_bytes +=
            work * (uint64_t)op->in_count * (uint64_t)p->tensor[op->in[0]].elem_bytes;
        if (dscq_hw_op_rescales(op))
            c->requants += outputs * (uint64_t)op->in_count;
    }
}

dscq_status hw__pipe_row(dscq_counters *c, const dscq_program *p, int32_t stage,
                         const dscq_machine *m, hw_decoded *const *d, dscq_error *err)
{
    const dscq_pipe_stage *s = &dscq_program_pipe(p)->stage[stage];

    memset(c, 0, sizeof *c);
    if (s->kind == DSCQ_PIPE_LANES)
        return lanes_row(c, p, s, m, d, err);
    if (s->kind == DSCQ_PIPE_VECTOR)
        vector_row(c, p, s, m);
    return DSCQ_OK;
}

dscq_status dscq_pipe_measure(dscq_program *p, const dscq_machine *m, dscq_error *err)
{
    dscq_pipe *pipe = dscq_program_pipe(p);
    hw_decoded **d = dscq_calloc((size_t)p->wtile_count, sizeof *d);
    dscq_status status = DSCQ_OK;

    if (d == NULL)
        return dscq_fail_nomem(err, "decoded weights", (size_t)p->wtile_count * 8);
    for (int32_t i = 0; i < p->wtile_count; i++)
        DSCQ_TRY(hw__decode(&d[i], p, &p->wtile[i], 1, 0, err));
    for (int32_t i = 0; i < pipe->stage_count; i++) {
        dscq_counters c;
        DSCQ_TRY(hw__pipe_row(&c, p, i, m, d, err));
        if (c.cycles > INT32_MAX)
            DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "layer '%s': a row takes too many cycles",
                               pipe->stage[i].name));
        pipe->stage[i].cycles = (int32_t)c.cycles;
    }
done:
    for (int32_t i = 0; i < p->wtile_count; i++)
        hw__decoded_destroy(d[i]);
    dscq_free(d);
    return status;
}
