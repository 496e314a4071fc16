/* The compute unit in time: docs/accelerator.md sections 3 to 6. The lanes' own
 * recurrence is lanes.c; here are the commands around it, the buffer's ports, the
 * post-processor, and the account of every multiplier-cycle. */
#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"
#include "hw_internal.h"

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

    return dscq_max32(dscq_post_cycles(channels, vector, m->post_entries),
                      (int32_t)dscq_ceil_div(bytes, port));
}

/* ---- the buffer's read port --------------------------------------------- */

typedef struct row_words {
    int32_t first, last; /* words of the line that are touched; first > last: none */
    int32_t bank;        /* of word 0 of the line */
} row_words;

/* Pixels x .. x + n - 1 of output row y under kernel place (r, s). */
static row_words touched(const hw_array *a, const dscq_hw_op *op,
                         const dscq_hw_ring *in, int32_t y, int32_t x, int32_t n,
                         const int32_t rs[2])
{
    const dscq_hw_tensor *t = &a->p->tensor[in->tensor];
    const int32_t word = a->m->act_word_bytes, line = in->line_bytes / word;
    const int32_t iy = y * op->stride_h - op->pad_top + rs[0] * op->dilation_h;
    int32_t ix0 = x * op->stride_w - op->pad_left + rs[1] * op->dilation_w;
    int32_t ix1 = ix0 + (n - 1) * op->stride_w;

    if (iy < 0 || iy >= t->h)
        return (row_words){1, 0, 0};
    if (ix0 < in->x0) /* padding left of the map: first pixel on it */
        ix0 += (int32_t)dscq_ceil_div(in->x0 - ix0, op->stride_w) * op->stride_w;
    if (ix1 >= in->x0 + in->width)
        ix1 -= (int32_t)dscq_ceil_div(ix1 - (in->x0 + in->width - 1), op->stride_w) *
               op->stride_w;
    if (ix0 > ix1)
        return (row_words){1, 0, 0};
    return (row_words){(ix0 - in->x0) * t->elem_bytes / word,
                       ((ix1 - in->x0) * t->elem_bytes + t->elem_bytes - 1) / word,
                       (int32_t)((int64_t)(iy % in->rows) * line % a->m->act_banks)};
}

int32_t hw__column_cycles(hw_array *a, const dscq_hw_op *op, const dscq_hw_ring *out,
                          const dscq_hw_ring *in, int32_t first, int32_t last,
                          int32_t r, int32_t s, int32_t *words)
{
    const int32_t banks = a->m->act_banks, word = a->m->act_word_bytes;
    const int32_t eb = a->p->tensor[in->tensor].elem_bytes;
    const int32_t step_bytes = op->stride_w * eb;
    const int32_t rs[2] = {r, s};
    int32_t worst = 1;

    *words = 0;
    memset(a->bank_hits, 0, (size_t)banks * sizeof *a->bank_hits);
    for (int32_t p = first; p < last;) {
        const int32_t x = p % out->width;
        const int32_t n = out->width - x < last - p ? out->width - x : last - p;
        const row_words w = touched(a, op, in, p / out->width, out->x0 + x, n, rs);
        /* a stride wider than a word skips words */
        const int32_t step = step_bytes > word ? step_bytes / word : 1;
        for (int32_t j = w.first; j <= w.last; j += step) {
            int32_t *hits = &a->bank_hits[(w.bank + j) % banks];
            ++*hits;
            ++*words;
            worst = *hits > worst ? *hits : worst;
        }
        p += n;
    }
    return worst;
}

/* ---- accounts ----------------------------------------------------------- */

static uint64_t *wait_account(dscq_counters *c, int token)
{
    switch (token) {
    case DSCQ_TOKEN_ACT_LOADED:
        return &c->mult_wait_act;
    case DSCQ_TOKEN_WEIGHT_LOADED:
        return &c->mult_wait_weight;
    case DSCQ_TOKEN_OUT_WRITTEN:
        return &c->mult_wait_self;
    case DSCQ_TOKEN_STORED:
        return &c->mult_wait_store;
    default:
        return &c->mult_drain;
    }
}

/* All lanes to the end of the last one. */
static void account_drain(hw_array *a, dscq_counters *c)
{
    const dscq_lanes *l = a->lanes;

    if (!a->is_array)
        return;
    const uint64_t end = dscq_lanes_end(l);
    for (int32_t i = 0; i < l->active; i++)
        c->mult_drain += (end - (l->base + (uint64_t)l->e[i])) * (uint64_t)a->vector;
    c->mult_no_channel +=
        (end - a->idle_from) * (uint64_t)(l->lanes - l->active) * (uint64_t)a->vector;
    a->accounted = end;
    a->is_array = 0;
}

/* Every multiplier from `accounted` to `cycle`: first the wait, then overhead. */
static void account_wait(hw_array *a, uint64_t cycle, hw_ready ready, dscq_counters *c)
{
    const uint64_t all = (uint64_t)a->m->multipliers;
    uint64_t until = ready.cycle < cycle ? ready.cycle : cycle;

    if (until > a->accounted) {
        *wait_account(c, ready.token) += (until - a->accounted) * all;
        a->accounted = until;
    }
    c->mult_drain += (cycle - a->accounted) * all;
    a->accounted = cycle;
}

/* Gaps and work of the command that the lanes just did. */
static void account_lanes(hw_array *a, const hw_decoded *w, uint64_t vectors,
                          uint64_t pixels, hw_ready ready, dscq_counters *c)
{
    const dscq_lanes *l = a->lanes;
    const uint64_t v = (uint64_t)a->vector, end = dscq_lanes_end(l);
    uint64_t gap[DSCQ_GAP_COUNT] = {0};

    for (int g = 0; g < DSCQ_GAP_COUNT; g++)
        for (int32_t i = 0; i < l->active; i++)
            gap[g] += (uint64_t)l->gap[g][i];
    c->mult_imbalance += (gap[DSCQ_GAP_RATE] + gap[DSCQ_GAP_QUEUE]) * v;
    c->mult_act_fetch += gap[DSCQ_GAP_FETCH] * v;
    c->mult_post += gap[DSCQ_GAP_POST] * v;
    *wait_account(c, ready.token) += gap[DSCQ_GAP_START] * v;
    c->mult_compute += w->nonzero * pixels;
    c->mult_filler += (w->entries - w->nonzero) * pixels;
    c->mult_pixel_tail += w->entries * (vectors * v - pixels);
    c->mult_split += w->entries * (uint64_t)(w->entry_cycles - 1) * vectors * v;
    c->mult_empty += w->empty * vectors * v;
    c->mult_no_channel += (end - a->idle_from) * (uint64_t)(l->lanes - l->active) * v;
    a->idle_from = end;
    c->mac_done += w->entries * pixels;
    c->acc_updates += w->entries * pixels;
    c->entries += w->entries * vectors;
    c->codebook_reads += w->entries * vectors;
}

/* ---- commands ----------------------------------------------------------- */

/* Lanes in the command's shape, ready to broadcast; returns its first cycle. */
static uint64_t configure(hw_array *a, const dscq_hw_cmd *cmd, int32_t active,
                          int32_t depth, hw_ready ready, dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const uint64_t issue =
        dscq_max64(ready.cycle, a->issue_free) + (uint64_t)a->m->command_cycles;
    int32_t banks = a->m->acc_banks - (cmd->flags & DSCQ_CMD_ACC_HELD ? 1 : 0);
    const uint64_t lanes_end = dscq_max64(dscq_lanes_end(a->lanes), a->accounted);
    const int same = a->is_array && a->op == cmd->op && a->active == active &&
                     a->lanes->banks == (banks < 1 ? 1 : banks);

    banks = banks < 1 ? 1 : banks;
    if (same && issue < lanes_end) { /* seamless: queues go on */
        dscq_lanes_start(a->lanes, issue);
        return issue;
    }
    uint64_t start = issue;
    if (!same)
        start = dscq_max64(issue, lanes_end + (uint64_t)a->m->reconfigure_cycles);
    account_drain(a, c);
    account_wait(a, start, ready, c);
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
            a->g[0] = (uint16_t)(a->g[0] + dscq_ceil_div(bytes, port));
            c->act_read_bytes += (uint64_t)bytes;
        }
        dscq_lanes_vector(a->lanes, w->work, w->columns, w->active, a->g, post);
        c->columns += (uint64_t)w->columns;
        c->post_busy += (uint64_t)post;
    }
}

/* Input rows that step y needs and step y - 1 (when there is one) did not hold. */
static int32_t new_rows(const hw_array *a, const dscq_hw_op *op, int32_t h, int32_t y,
                        int is_first)
{
    int32_t n = 0;

    for (int32_t r = 0; r < op->kernel_h; r++) {
        const int32_t iy = y * op->stride_h - op->pad_top + r * op->dilation_h;
        if (iy < 0 || iy >= h)
            continue;
        int held = 0;
        if (!is_first && a->m->row_registers >= op->kernel_h)
            for (int32_t q = 0; q < op->kernel_h && !held; q++)
                held = (y - 1) * op->stride_h - op->pad_top + q * op->dilation_h == iy;
        n += !held;
    }
    return n;
}

typedef struct dw_step {
    int32_t per_slot, words; /* channels read in one cycle; words of one row */
} dw_step;

static dw_step row_step(const hw_array *a, const dscq_hw_op *op, const dscq_hw_ring *in,
                        int32_t x, int32_t n)
{
    const dscq_hw_tensor *t = &a->p->tensor[in->tensor];
    const int32_t word = a->m->act_word_bytes, banks = a->m->act_banks;
    int32_t ix0 = x * op->stride_w - op->pad_left;
    int32_t ix1 =
        (x + n - 1) * op->stride_w - op->pad_left + (op->kernel_w - 1) * op->dilation_w;

    ix0 = ix0 < in->x0 ? in->x0 : ix0;
    ix1 = ix1 >= in->x0 + in->width ? in->x0 + in->width - 1 : ix1;
    if (ix1 < ix0)
        return (dw_step){banks, 0};
    const int32_t w0 = (ix0 - in->x0) * t->elem_bytes / word;
    const int32_t w1 = ((ix1 - in->x0 + 1) * t->elem_bytes - 1) / word;
    const int32_t words = w1 - w0 + 1;
    return (dw_step){words >= banks ? 1 : banks / words, words};
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
            const dw_step st = row_step(a, op, in, out->x0 + x, n);
            for (int32_t y = y0; y < y1; y++) {
                const int32_t rows = new_rows(a, op, h, y, y == y0);
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
    const uint64_t vectors = vectors_of(a->p, cmd);
    const int keep = cmd->flags & DSCQ_CMD_ACC_KEEP;

    out->start = configure(a, cmd, w->active,
                           broadcast ? a->m->queue_depth : a->m->row_queue, ready, c);
    if (broadcast)
        run_broadcast(a, cmd, w, c);
    else
        run_depthwise(a, cmd, w, c);
    account_lanes(a, w, vectors, pixels, ready, c);
    c->mac_paired += w->entries * paired_pixels(a, cmd, w);

    const uint64_t taps = (uint64_t)t->columns * (uint64_t)t->m_count;
    const uint64_t dense = taps * pixels;
    c->mac_dense += dense;
    c->mac_skipped += dense - w->entries * pixels;
    c->weight_read_bytes +=
        (vectors * (w->entries * (uint64_t)t->bits + (uint64_t)t->m_count * 48) + 7) /
        8;
    if (!keep) {
        const uint64_t outputs = (uint64_t)t->m_count * pixels;
        c->post_outputs += outputs;
        c->requants += outputs * (op->has_residual ? 3 : 1);
        c->act_write_bytes += outputs * (uint64_t)a->p->tensor[op->out].elem_bytes;
    }
    out->act_read = dscq_lanes_broadcast_end(a->lanes);
    out->weight_read = dscq_lanes_end(a->lanes);
    out->out_written =
        dscq_lanes_post_end(a->lanes) + (uint64_t)a->m->post_latency_cycles;
    if (keep || out->out_written < out->weight_read)
        out->out_written = out->weight_read;
    a->issue_free = out->act_read;
}

/* Operand rows a pooling window reads anew, and taps of the other vector operations. */
static uint64_t read_words(const hw_array *a, const dscq_hw_cmd *cmd, int32_t channels)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_ring *out = &a->p->ring[cmd->ring];
    const int32_t word = a->m->act_word_bytes;
    const uint64_t rows =
        (uint64_t)((cmd->last - 1) / out->width - cmd->first / out->width + 1);
    uint64_t words = 0;

    for (int32_t i = 0; i < op->in_count; i++) {
        const dscq_hw_ring *r = &a->p->ring[cmd->ring_in[i]];
        const dscq_hw_tensor *t = &a->p->tensor[r->tensor];
        const uint64_t line = (uint64_t)(r->line_bytes / word);
        uint64_t lines = rows * (uint64_t)channels;
        if (op->mode == DSCQ_HW_MAXPOOL || op->mode == DSCQ_HW_AVGPOOL)
            lines *= (uint64_t)(op->kernel_h < t->h ? op->kernel_h : t->h);
        if (op->factor_down > 1)
            lines = rows * (uint64_t)op->factor_down * (uint64_t)t->c;
        if (op->mode == DSCQ_HW_MUL && i == 1 && t->h == 1 && t->w == 1)
            lines = (uint64_t)channels;
        words += lines * line;
    }
    return words;
}

static int32_t channels_of(const hw_array *a, const dscq_hw_cmd *cmd)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];

    return op->mode == DSCQ_HW_COPY ? op->c_count : a->p->ring[cmd->ring].c_count;
}

/* Rule V1: the widest of outputs over width, words read and words written over banks.
 */
static void run_vector(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd,
                       hw_ready ready, dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_ring *r = &a->p->ring[cmd->ring];
    const int32_t eb = a->p->tensor[op->out].elem_bytes;
    const int32_t channels = channels_of(a, cmd);
    const uint64_t outputs = (uint64_t)(cmd->last - cmd->first) * (uint64_t)channels;
    const uint64_t in_words = read_words(a, cmd, channels);
    const uint64_t rows =
        (uint64_t)((cmd->last - 1) / r->width - cmd->first / r->width + 1);
    const uint64_t out_words =
        rows * (uint64_t)channels * (uint64_t)(r->line_bytes / a->m->act_word_bytes);
    const uint64_t banks = (uint64_t)a->m->act_banks;
    uint64_t cycles =
        (outputs + (uint64_t)a->m->post_entries - 1) / (uint64_t)a->m->post_entries;

    cycles = dscq_max64(cycles, (in_words + banks - 1) / banks);
    cycles = dscq_max64(cycles, (out_words + banks - 1) / banks);
    if (op->mode == DSCQ_HW_LRN) /* one multiplication a neighbour: rule V4 */
        cycles = dscq_max64(cycles, outputs * (uint64_t)(op->span + 1) /
                                        (2 * (uint64_t)a->m->post_entries));

    const uint64_t free_at =
        dscq_max64(dscq_lanes_end(a->lanes), dscq_lanes_post_end(a->lanes));
    const uint64_t issue =
        dscq_max64(ready.cycle, a->issue_free) + (uint64_t)a->m->command_cycles;
    const uint64_t start = dscq_max64(dscq_max64(issue, free_at), a->accounted);
    account_drain(a, c);
    if (dscq_lanes_post_end(a->lanes) > a->accounted) {
        const uint64_t until = dscq_lanes_post_end(a->lanes);
        c->mult_post += (until - a->accounted) * (uint64_t)a->m->multipliers;
        a->accounted = until;
    }
    account_wait(a, start, ready, c);
    c->mult_vector_op += cycles * (uint64_t)a->m->multipliers;
    a->accounted = start + cycles;
    a->op = -1;
    dscq_lanes_shape(a->lanes, 1, 1, 1, a->m->acc_banks, a->accounted);
    c->post_busy += cycles;
    c->post_outputs += outputs;
    if (dscq_hw_op_rescales(op))
        c->requants += outputs * (uint64_t)op->in_count;
    c->act_read_bytes += in_words * (uint64_t)a->m->act_word_bytes;
    c->act_write_bytes += outputs * (uint64_t)eb;
    out->start = start;
    out->act_read = out->weight_read = a->accounted;
    out->out_written = a->accounted + (uint64_t)a->m->post_latency_cycles;
    a->issue_free = a->accounted;
}

dscq_status hw__array_run(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd,
                          const hw_decoded *w, hw_ready ready, dscq_counters *c,
                          dscq_error *err)
{
    if (w == NULL) {
        run_vector(out, a, cmd, ready, c);
        return DSCQ_OK;
    }
    if (room_for_columns(a, w->columns, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    run_array(out, a, cmd, w, ready, c);
    return DSCQ_OK;
}

void hw__array_finish(hw_array *a, uint64_t cycle, dscq_counters *c)
{
    account_drain(a, c);
    assert(cycle >= a->accounted);
    c->mult_idle += (cycle - a->accounted) * (uint64_t)a->m->multipliers;
    a->accounted = cycle;
}
