/* The three DMA units: bursts in the order of the tickets, finishes in any order,
 * commands finished in order (docs/accelerator.md section 7, rules D1..D6). */
#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"
#include "run.h"

#include <string.h>

static const dscq_token k_done_token[DSCQ_UNIT_COUNT] = {
    [DSCQ_UNIT_LOAD_ACT] = DSCQ_TOKEN_ACT_LOADED,
    [DSCQ_UNIT_LOAD_WEIGHT] = DSCQ_TOKEN_WEIGHT_LOADED,
    [DSCQ_UNIT_STORE] = DSCQ_TOKEN_STORED,
};

enum { INDEX_BITS = 28 };

dscq_status hw__dma_init(sim_state *st)
{
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        if (u == DSCQ_UNIT_COMPUTE)
            continue;
        const size_t n = st->p->queue_count[u];
        if (n >= (size_t)1 << INDEX_BITS)
            return dscq_fail(st->err, DSCQ_ARG, "program: %zu transfers are too many",
                             n);
        st->dma[u].transfer = dscq_calloc(n, sizeof *st->dma[u].transfer);
        if (st->dma[u].transfer == NULL)
            return dscq_fail_nomem(st->err, "transfers", n * 64);
    }
    return DSCQ_OK;
}

void hw__dma_clear(sim_state *st)
{
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++)
        dscq_free(st->dma[u].transfer);
}

static dscq_dram_counters dram_now(const sim_state *st)
{
    static const dscq_dram_counters none;
    const dscq_dram *d = dscq_memory_dram(st->port.memory);

    return d == NULL ? none : dscq_dram_count(d);
}

/* [from, to) of unit u because of `cause`. */
static void account(sim_state *st, int u, dscq_stall cause, uint64_t *from, uint64_t to)
{
    if (to > *from) {
        st->s->stall[u][cause] += to - *from;
        *from = to;
    }
}

static dscq_stall wait_cause(int unit, int token)
{
    if (token == DSCQ_TOKEN_STORED)
        return DSCQ_STALL_WRITE_BACK;
    if (unit == DSCQ_UNIT_STORE && token == DSCQ_TOKEN_ACT_LOADED)
        return DSCQ_STALL_OTHER_UNIT;
    return DSCQ_STALL_IDLE; /* the array has the room, or has no outputs yet */
}

/* [S2] where a finished transfer's time went. */
static void account_transfer(sim_state *st, int u, const struct sim_transfer *t)
{
    uint64_t from = st->dma[u].last_end;

    account(st, u, wait_cause(u, t->token), &from,
            t->ready < t->end ? t->ready : t->end);
    account(st, u, DSCQ_STALL_OTHER_UNIT, &from, t->start < t->end ? t->start : t->end);
    const double peak = dscq_memory_peak_bytes_per_cycle(st->port.memory);
    const uint64_t moving =
        (uint64_t)((double)(t->bursts * (uint64_t)st->m->burst_bytes) / peak) + 1;
    account(st, u, DSCQ_STALL_TRANSFER, &from,
            from + moving < t->end ? from + moving : t->end);
    const dscq_dram *d = dscq_memory_dram(st->port.memory);
    if (d != NULL && from < t->end) {
        const dscq_dram_config *cfg = dscq_dram_settings(d);
        const dscq_dram_counters n = dscq_dram_count(d);
        const double to_acc = cfg->tck_ns * st->m->clock_mhz / 1e3;
        const double refresh = (double)(n.ref - t->refreshes) * cfg->tRFC * to_acc;
        const double rows =
            (double)(n.act - t->activates) * (cfg->tRP + cfg->tRCD) * to_acc;
        uint64_t to = from + (uint64_t)refresh;
        account(st, u, DSCQ_STALL_REFRESH, &from, to < t->end ? to : t->end);
        to = from + (uint64_t)rows;
        account(st, u, DSCQ_STALL_ROW_MISS, &from, to < t->end ? to : t->end);
    }
    account(st, u, DSCQ_STALL_LATENCY, &from, t->end);
}

static dscq_counters *layer_of(sim_state *st, const dscq_hw_cmd *c)
{
    return &st->s->layer[st->p->op[c->op].layer];
}

static void count_transfer(sim_state *st, int u, const dscq_hw_cmd *c,
                           const struct sim_transfer *t)
{
    dscq_counters *n = layer_of(st, c);

    n->commands++;
    if (u == DSCQ_UNIT_STORE) {
        n->dram_write_bursts += t->bursts;
        n->dram_act_write_bytes += t->bytes;
        n->act_drain_bytes += t->bytes;
        return;
    }
    n->dram_read_bursts += t->bursts;
    if (u == DSCQ_UNIT_LOAD_ACT) {
        n->dram_act_read_bytes += t->bytes;
        n->act_fill_bytes += t->bytes;
    } else {
        n->dram_weight_bytes += t->bytes;
        n->weight_fill_bytes += t->bytes;
    }
}

/* Commands whose bursts are all there, in order. */
static dscq_status finish_commands(sim_state *st, int u)
{
    sim_dma *d = &st->dma[u];
    dscq_status status = DSCQ_OK;

    while (d->finished < d->issued && d->transfer[d->finished].all_issued &&
           d->transfer[d->finished].left == 0) {
        struct sim_transfer *t = &d->transfer[d->finished];
        const dscq_hw_cmd *c = &st->p->queue[u][d->finished];
        t->end = dscq_max64(t->end, d->last_end);
        account_transfer(st, u, t);
        count_transfer(st, u, c, t);
        d->last_end = t->end;
        st->end = dscq_max64(st->end, t->end);
        st->s->frame_end[c->frame] = dscq_max64(st->s->frame_end[c->frame], t->end);
        if (u == DSCQ_UNIT_LOAD_ACT && !st->opt->no_data)
            hw__data_load(&st->data, c);
        if (st->opt->event != NULL) {
            const dscq_sim_event e = {.unit = (dscq_unit)u,
                                      .stage = -1,
                                      .op = c->op,
                                      .frame = c->frame,
                                      .command = (int32_t)d->finished,
                                      .ready = t->ready,
                                      .start = t->start,
                                      .end = t->end,
                                      .bytes = t->bytes};
            st->opt->event(st->opt->event_ctx, &e);
        }
        d->finished++;
        DSCQ_TRY(hw__token_add(st, k_done_token[u], t->end));
    }
done:
    return status;
}

/* The memory answered a burst of the transfer named by the tag. */
static dscq_status answer(void *ctx, uint32_t tag, uint64_t cycle)
{
    sim_state *st = ctx;
    const int u = (int)(tag >> INDEX_BITS);
    struct sim_transfer *t = &st->dma[u].transfer[tag & ((1u << INDEX_BITS) - 1)];

    t->left--;
    t->end = dscq_max64(t->end, cycle);
    return finish_commands(st, u);
}

dscq_status hw__dma_complete(sim_state *st, int *did)
{
    uint32_t tag;
    uint64_t cycle;

    *did = hw__port_take(&st->port, UINT64_MAX, &tag, &cycle);
    return *did ? answer(st, tag, cycle) : DSCQ_OK;
}

static dscq_status issue_burst(sim_state *st, int u, struct sim_transfer *t,
                               uint64_t block)
{
    const hw_burst b = {.address = block * (uint64_t)st->m->burst_bytes,
                        .ready = t->ready,
                        .is_write = u == DSCQ_UNIT_STORE,
                        .tag = (uint32_t)u << INDEX_BITS |
                               (uint32_t)(t - st->dma[u].transfer)};
    uint64_t at = 0;
    const dscq_status status = hw__port_ask(&st->port, &b, &at, answer, st, st->err);

    if (status != DSCQ_OK)
        return status;
    if (t->bursts++ == 0)
        t->start = at;
    t->left++;
    return DSCQ_OK;
}

/* The bursts of bytes [from, from + bytes); a block shared with the piece before is
 * not asked for twice. */
static dscq_status issue_piece(sim_state *st, int u, struct sim_transfer *t,
                               uint64_t from, uint64_t bytes, uint64_t *last_block)
{
    const uint64_t b = (uint64_t)st->m->burst_bytes;
    dscq_status status = DSCQ_OK;

    for (uint64_t block = from / b; block <= (from + bytes - 1) / b; block++) {
        /* [D1] */
        if (block == *last_block)
            continue;
        DSCQ_TRY(issue_burst(st, u, t, block));
        *last_block = block;
    }
    t->bytes += bytes;
done:
    return status;
}

static dscq_status issue_rows(sim_state *st, int u, const dscq_hw_cmd *c,
                              struct sim_transfer *t)
{
    const dscq_hw_ring *r = &st->p->ring[c->ring];
    const dscq_hw_tensor *x = &st->p->tensor[r->tensor];
    const uint64_t line = (uint64_t)x->w * (uint64_t)x->elem_bytes;
    const uint64_t row = line * (uint64_t)x->c;
    const uint64_t base = x->dram_addr + x->dram_frame * (uint64_t)c->frame;
    const uint64_t rows = (uint64_t)(c->last - c->first);
    uint64_t last_block = UINT64_MAX;
    dscq_status status = DSCQ_OK;

    if (r->width == x->w && r->c_count == x->c)
        return issue_piece(st, u, t, base + (uint64_t)c->first * row, rows * row,
                           &last_block);
    for (int32_t y = c->first; y < c->last; y++) {
        const uint64_t at = base + (uint64_t)y * row + (uint64_t)r->c0 * line;
        if (r->width == x->w) {
            DSCQ_TRY(
                issue_piece(st, u, t, at, (uint64_t)r->c_count * line, &last_block));
            continue;
        }
        for (int32_t ch = 0; ch < r->c_count; ch++)
            DSCQ_TRY(issue_piece(
                st, u, t,
                at + (uint64_t)ch * line + (uint64_t)r->x0 * (uint64_t)x->elem_bytes,
                (uint64_t)r->width * (uint64_t)x->elem_bytes, &last_block));
    }
done:
    return status;
}

dscq_status hw__dma_issue(sim_state *st, int unit, int *did)
{
    sim_dma *d = &st->dma[unit];
    uint64_t last_block = UINT64_MAX;
    hw_ready ready;
    dscq_status status;

    *did = 0;
    if (d->issued == st->p->queue_count[unit])
        return DSCQ_OK;
    const dscq_hw_cmd *c = &st->p->queue[unit][d->issued];
    if (c->ticket != st->next_ticket || !hw__tokens_ready(st, c, &ready))
        return DSCQ_OK;
    struct sim_transfer *t = &d->transfer[d->issued];
    const dscq_dram_counters n = dram_now(st);
    t->ready = ready.cycle;
    t->token = ready.token;
    t->refreshes = n.ref;
    t->activates = n.act;
    d->issued++;
    st->next_ticket++;
    *did = 1;
    if (unit == DSCQ_UNIT_STORE && !st->opt->no_data)
        hw__data_store(&st->data, c);
    if (unit == DSCQ_UNIT_LOAD_WEIGHT) {
        const dscq_hw_wtile *w = &st->p->wtile[c->wtile];
        DSCQ_TRY(issue_piece(st, unit, t, w->dram_addr, w->stream_bytes, &last_block));
    } else {
        DSCQ_TRY(issue_rows(st, unit, c, t));
    }
    t->all_issued = 1;
    status = finish_commands(st, unit);
done:
    return status;
}

void hw__dma_finish(sim_state *st, uint64_t end)
{
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++)
        if (u != DSCQ_UNIT_COMPUTE) {
            uint64_t from = st->dma[u].last_end;
            account(st, u, DSCQ_STALL_IDLE, &from, end);
        }
}
