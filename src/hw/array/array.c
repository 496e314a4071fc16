/* The compute unit in time: docs/accelerator.md sections 3 to 6. The lanes' own
 * recurrence is lanes.c; here are the commands around it. */
#include "array.h"

#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"

#include <assert.h>
#include <string.h>

dscq_status hw__array_init(hw_array *a, const dscq_program *p, const dscq_machine *m,
                           dscq_error *err)
{
    memset(a, 0, sizeof *a);
    a->p = p;
    a->m = m;
    a->op = -1;
    a->vector = 1;
    a->lanes = dscq_malloc(1, sizeof *a->lanes);
    a->bank_hits = dscq_calloc((size_t)m->act_banks, sizeof *a->bank_hits);
    if (a->lanes == NULL || a->bank_hits == NULL)
        return dscq_fail_nomem(err, "the lanes", sizeof *a->lanes);
    dscq_lanes_reset(a->lanes, 0);
    return DSCQ_OK;
}

void hw__array_clear(hw_array *a)
{
    dscq_free(a->lanes);
    dscq_free(a->g);
    dscq_free(a->bank_hits);
    memset(a, 0, sizeof *a);
}

int32_t hw__post_cycles(const dscq_machine *m, int32_t channels, int32_t vector,
                        int32_t elem_bytes)
{
    const int64_t bytes = (int64_t)channels * vector * elem_bytes;
    const int64_t port = (int64_t)m->act_banks * m->act_word_bytes;

    /* [P2] */
    return dscq_max32(dscq_post_cycles(channels, vector, m->post_entries),
                      (int32_t)dscq_ceil_div(bytes, port));
}

/* Lanes in the command's shape, ready to broadcast; returns its first cycle. */
static uint64_t configure(hw_array *a, const dscq_hw_cmd *cmd, int32_t active,
                          int32_t depth, hw_ready ready, dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    /* [L8] */
    const uint64_t issue =
        dscq_max64(ready.cycle, a->issue_free) + (uint64_t)a->m->command_cycles;
    /* [L9] */
    int32_t banks = a->m->acc_banks - (cmd->flags & DSCQ_CMD_ACC_HELD ? 1 : 0);
    const uint64_t lanes_end = dscq_max64(dscq_lanes_end(a->lanes), a->accounted);
    const int same = a->is_array && a->op == cmd->op && a->active == active &&
                     a->lanes->banks == (banks < 1 ? 1 : banks);

    banks = banks < 1 ? 1 : banks;
    /* [L7] */
    if (same && issue < lanes_end) { /* seamless: queues go on */
        dscq_lanes_start(a->lanes, issue);
        return issue;
    }
    uint64_t start = issue;
    if (!same)
        start = dscq_max64(issue, lanes_end + (uint64_t)a->m->reconfigure_cycles);
    hw__account_drain(a, c);
    hw__account_wait(a, start, ready, c);
    dscq_lanes_shape(a->lanes, op->lanes, active, depth, banks, start);
    dscq_lanes_start(a->lanes, start);
    a->is_array = 1;
    a->op = cmd->op;
    a->active = active;
    a->vector = op->vector;
    a->idle_from = start;
    return start;
}

static dscq_status room_for_columns(hw_array *a, int32_t columns, dscq_error *err)
{
    if ((size_t)columns <= a->g_count)
        return DSCQ_OK;
    dscq_free(a->g);
    a->g_count = 0;
    a->g = dscq_malloc((size_t)columns, sizeof *a->g);
    if (a->g == NULL)
        return dscq_fail_nomem(err, "column times", (size_t)columns * 2);
    a->g_count = (size_t)columns;
    return DSCQ_OK;
}

/* Reading times of all columns of the vector of pixels [first, last). */
static void column_times(hw_array *a, const dscq_hw_cmd *cmd, const hw_decoded *w,
                         int32_t first, int32_t last, dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_wtile *t = &a->p->wtile[cmd->wtile];
    const dscq_hw_ring *in = &a->p->ring[cmd->ring_in[0]];
    const dscq_hw_ring *out = &a->p->ring[cmd->ring];
    int32_t rs_now = -1, words = 0;
    uint16_t g = 1;
    uint64_t total = 0;

    for (int32_t k = 0; k < w->columns; k++) {
        const int32_t rs = w->column[k] / t->c_count;
        if (rs != rs_now) {
            g = (uint16_t)hw__column_cycles(a, op, out, in, first, last,
                                            rs / op->kernel_w, rs % op->kernel_w,
                                            &words);
            rs_now = rs;
        }
        a->g[k] = g;
        total += (uint64_t)words;
    }
    c->act_read_bytes += total * (uint64_t)a->m->act_word_bytes;
}

static void run_broadcast(hw_array *a, const dscq_hw_cmd *cmd, const hw_decoded *w,
                          dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_wtile *t = &a->p->wtile[cmd->wtile];
    const dscq_hw_tensor *out = &a->p->tensor[op->out];
    const int keep = cmd->flags & DSCQ_CMD_ACC_KEEP;
    const int32_t post =
        keep ? 0 : hw__post_cycles(a->m, t->m_count, op->vector, out->elem_bytes);
    const int32_t port = a->m->act_banks * a->m->act_word_bytes;

    for (int32_t p = cmd->first; p < cmd->last; p += op->vector) {
        const int32_t end = p + op->vector < cmd->last ? p + op->vector : cmd->last;
        column_times(a, cmd, w, p, end, c);
        if (op->has_residual && !keep) { /* rule P4: the operand takes read slots */
            const int64_t bytes = (int64_t)t->m_count * (end - p) * out->elem_bytes;
            /* [P4] */
            a->g[0] = (uint16_t)(a->g[0] + dscq_ceil_div(bytes, port));
            c->act_read_bytes += (uint64_t)bytes;
        }
        dscq_lanes_vector(a->lanes, w->work, w->columns, w->active, a->g, post);
        c->columns += (uint64_t)w->columns;
        c->post_busy += (uint64_t)post;
    }
}

/* For each row of lanes, for each vector of columns: down the rows. */
static void run_depthwise(hw_array *a, const dscq_hw_cmd *cmd, const hw_decoded *w,
                          dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_wtile *t = &a->p->wtile[cmd->wtile];
    const dscq_hw_ring *out = &a->p->ring[cmd->ring],
                       *in = &a->p->ring[cmd->ring_in[0]];
    const int32_t eb = a->p->tensor[op->out].elem_bytes;
    const int32_t h = a->p->tensor[op->in[0]].h, banks = a->m->act_banks;
    const int32_t y0 = cmd->first / out->width, y1 = (cmd->last - 1) / out->width + 1;

    for (int32_t row = 0; row < t->rows; row++) {
        int32_t lanes = 0;
        while (lanes < op->lanes && t->channel[row * op->lanes + lanes] >= 0)
            lanes++;
        const int32_t post = hw__post_cycles(a->m, lanes, op->vector, eb);
        const uint16_t *work = w->work + (size_t)row * (size_t)w->active;
        for (int32_t x = 0; x < out->width; x += op->vector) {
            const int32_t n = out->width - x < op->vector ? out->width - x : op->vector;
            const hw_row_step st = hw__row_step(a, op, in, out->x0 + x, n);
            for (int32_t y = y0; y < y1; y++) {
                const int32_t rows = hw__new_rows(a, op, h, y, y == y0);
                const int32_t per_row = (int32_t)dscq_ceil_div(st.words, banks);
                const int32_t g = rows * per_row > 0 ? rows * per_row : 1;
                dscq_lanes_rows(a->lanes, work, lanes, st.per_slot, g, post);
                c->columns += (uint64_t)dscq_ceil_div(lanes, st.per_slot);
                c->act_read_bytes += (uint64_t)st.words * (uint64_t)rows *
                                     (uint64_t)lanes * (uint64_t)a->m->act_word_bytes;
                c->post_busy += (uint64_t)post;
            }
        }
    }
}

/* Entries times pixels of a depthwise command: every channel sees the same pixels. */
static uint64_t vectors_of(const dscq_program *p, const dscq_hw_cmd *cmd)
{
    const dscq_hw_op *op = &p->op[cmd->op];
    const dscq_hw_ring *out = &p->ring[cmd->ring];

    if (op->mode == DSCQ_HW_BROADCAST)
        return (uint64_t)dscq_ceil_div(cmd->last - cmd->first, op->vector);
    return (uint64_t)(((cmd->last - 1) / out->width + 1) - cmd->first / out->width) *
           (uint64_t)dscq_ceil_div(out->width, op->vector);
}

/* Of one entry's pixels, those whose products share a DSP with a neighbour's. */
static uint64_t paired_pixels(const hw_array *a, const dscq_hw_cmd *cmd,
                              const hw_decoded *w)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const uint64_t pixels = (uint64_t)(cmd->last - cmd->first);
    const uint64_t width = (uint64_t)a->p->ring[cmd->ring].width;

    if (op->mode == DSCQ_HW_BROADCAST)
        return hw__paired(w, a->m, pixels, op->vector);
    return pixels / width * hw__paired(w, a->m, width, op->vector);
}

static void run_array(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd,
                      const hw_decoded *w, hw_ready ready, dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_wtile *t = &a->p->wtile[cmd->wtile];
    const int broadcast = op->mode == DSCQ_HW_BROADCAST;
    const uint64_t pixels = (uint64_t)(cmd->last - cmd->first);
    const int keep = cmd->flags & DSCQ_CMD_ACC_KEEP;

    out->start = configure(a, cmd, w->active,
                           broadcast ? a->m->queue_depth : a->m->row_queue, ready, c);
    if (broadcast)
        run_broadcast(a, cmd, w, c);
    else
        run_depthwise(a, cmd, w, c);
    hw__account_lanes(a, ready, c);
    hw__count_tile(c, t, w, vectors_of(a->p, cmd), (uint64_t)op->vector, pixels);
    c->mac_paired += w->entries * paired_pixels(a, cmd, w);
    if (!keep) {
        const uint64_t outputs = (uint64_t)t->m_count * pixels;
        c->post_outputs += outputs;
        c->requants += outputs * (op->has_residual ? 3 : 1);
        c->act_write_bytes += outputs * (uint64_t)a->p->tensor[op->out].elem_bytes;
    }
    /* [T2] */
    out->act_read = dscq_lanes_broadcast_end(a->lanes);
    out->weight_read = dscq_lanes_end(a->lanes);
    /* [P3] */
    out->out_written =
        dscq_lanes_post_end(a->lanes) + (uint64_t)a->m->post_latency_cycles;
    if (keep || out->out_written < out->weight_read)
        out->out_written = out->weight_read;
    a->issue_free = out->act_read;
}

dscq_status hw__array_run(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd,
                          const hw_decoded *w, hw_ready ready, dscq_counters *c,
                          dscq_error *err)
{
    if (w == NULL) {
        hw__run_vector(out, a, cmd, ready, c);
        return DSCQ_OK;
    }
    if (room_for_columns(a, w->columns, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    run_array(out, a, cmd, w, ready, c);
    return DSCQ_OK;
}

void hw__array_finish(hw_array *a, uint64_t cycle, dscq_counters *c)
{
    hw__account_drain(a, c);
    assert(cycle >= a->accounted);
    c->mult_idle += (cycle - a->accounted) * (uint64_t)a->m->multipliers;
    a->accounted = cycle;
}
