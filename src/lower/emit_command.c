/* Commands in program order; tokens from the addresses each of them touches; tickets
 * from when a transfer may start and when it is needed. Correct for any plan: what a
 * command waits for is derived, never assumed. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKAHEAD = 16 };

/* ---- tokens ------------------------------------------------------------- */

static const dscq_token k_done[DSCQ_UNIT_COUNT] = {
    [DSCQ_UNIT_LOAD_ACT] = DSCQ_TOKEN_ACT_LOADED,
    [DSCQ_UNIT_LOAD_WEIGHT] = DSCQ_TOKEN_WEIGHT_LOADED,
    [DSCQ_UNIT_COMPUTE] = DSCQ_TOKEN_OUT_WRITTEN,
    [DSCQ_UNIT_STORE] = DSCQ_TOKEN_STORED,
};

static void want(dscq_hw_cmd *c, dscq_token t, uint32_t count)
{
    if (count > c->wait[t])
        c->wait[t] = count;
}

/* Bytes [from, from + bytes) of the activation buffer, read by command `count` - 1. */
static void touch_read(low_emitter *e, dscq_hw_cmd *c, int64_t from, int64_t bytes,
                       uint32_t count)
{
    for (int64_t i = from / LOWER_PAGE; i <= (from + bytes - 1) / LOWER_PAGE; i++) {
        low_page *g = &e->pages[i];
        if (g->writer != LOWER_NONE)
            want(c, k_done[g->writer], g->written);
        if (c->unit == DSCQ_UNIT_STORE)
            g->read_store = count;
        else
            g->read_compute = count;
    }
}

static void touch_write(low_emitter *e, dscq_hw_cmd *c, int64_t from, int64_t bytes,
                        uint32_t count)
{
    for (int64_t i = from / LOWER_PAGE; i <= (from + bytes - 1) / LOWER_PAGE; i++) {
        low_page *g = &e->pages[i];
        if (g->writer != LOWER_NONE && g->writer != (int8_t)c->unit)
            want(c, k_done[g->writer], g->written);
        if (c->unit != DSCQ_UNIT_COMPUTE)
            want(c, DSCQ_TOKEN_ACT_READ, g->read_compute);
        want(c, DSCQ_TOKEN_STORED, g->read_store);
        *g = (low_page){count, 0, 0, (int8_t)c->unit};
    }
}

/* Rows [a, b), channels [c0, c1) of a ring. */
static void touch_rows(low_emitter *e, dscq_hw_cmd *c, int32_t ring, int32_t a,
                       int32_t b, int32_t c0, int32_t c1, int is_write, uint32_t count)
{
    const dscq_hw_ring *r = &e->p->ring[ring];

    for (int32_t y = a; y < b; y++) {
        const int64_t at = r->base + (int64_t)(y % r->rows) * r->row_bytes +
                           (int64_t)(c0 - r->c0) * r->line_bytes;
        const int64_t bytes = (int64_t)(c1 - c0) * r->line_bytes;
        if (is_write)
            touch_write(e, c, at, bytes, count);
        else
            touch_read(e, c, at, bytes, count);
    }
}

/* ---- commands ----------------------------------------------------------- */

static dscq_status append(low_emitter *e, int unit, dscq_hw_cmd **out)
{
    dscq_program *p = e->p;

    if (p->queue_count[unit] == e->cap[unit]) {
        const size_t cap = e->cap[unit] == 0 ? 256 : 2 * e->cap[unit];
        dscq_hw_cmd *q =
            dscq_realloc(p->queue[unit], e->cap[unit] * sizeof *q, cap * sizeof *q);
        if (q == NULL || cap > (size_t)1 << 26)
            return dscq_fail_nomem(e->l->err, "commands", cap * sizeof *q);
        p->queue[unit] = q;
        e->cap[unit] = cap;
    }
    *out = &p->queue[unit][p->queue_count[unit]++];
    memset(*out, 0, sizeof **out);
    (*out)->unit = (uint8_t)unit;
    (*out)->frame = e->frame;
    (*out)->wtile = LOWER_NONE;
    (*out)->ring = LOWER_NONE;
    for (int i = 0; i < DSCQ_OP_INPUTS; i++)
        (*out)->ring_in[i] = LOWER_NONE;
    return DSCQ_OK;
}

/* Keys rise with the compute command after which a transfer may start; among those, the
 * one needed first goes first. A store follows the loads of its step; what is loaded
 * after a store follows the store. docs/accelerator.md, rule D3, has the proof that
 * this order cannot deadlock. */
/* [D3] */
static dscq_status add_ticket(low_emitter *e, const dscq_hw_cmd *c,
                              uint64_t after_store)
{
    const size_t computes = e->p->queue_count[DSCQ_UNIT_COMPUTE];
    uint64_t enabled = 0, key;

    if (e->ticket_count == e->ticket_cap) {
        const size_t cap = e->ticket_cap == 0 ? 256 : 2 * e->ticket_cap;
        low_ticket *t =
            dscq_realloc(e->tickets, e->ticket_cap * sizeof *t, cap * sizeof *t);
        if (t == NULL)
            return dscq_fail_nomem(e->l->err, "tickets", cap * sizeof *t);
        e->tickets = t;
        e->ticket_cap = cap;
    }
    enabled = c->wait[DSCQ_TOKEN_ACT_READ];
    if (c->wait[DSCQ_TOKEN_WEIGHT_READ] > enabled)
        enabled = c->wait[DSCQ_TOKEN_WEIGHT_READ];
    if (c->wait[DSCQ_TOKEN_OUT_WRITTEN] > enabled)
        enabled = c->wait[DSCQ_TOKEN_OUT_WRITTEN];
    if (c->unit == DSCQ_UNIT_STORE) {
        key = 4 * enabled + 1;
    } else {
        const uint64_t soon = computes > LOOKAHEAD ? computes - LOOKAHEAD : 0;
        key = 4 * (enabled > soon ? enabled : soon);
    }
    if (after_store > 0 && key <= after_store)
        key = after_store + 1;
    if (key < e->last_key[c->unit])
        key = e->last_key[c->unit];
    e->last_key[c->unit] = key;
    e->tickets[e->ticket_count] = (low_ticket){
        .key = key,
        .need = (uint32_t)(c->unit == DSCQ_UNIT_STORE ? computes + 2 : computes),
        .order = (uint32_t)e->ticket_count,
        .unit = c->unit,
        .index = (uint32_t)(e->p->queue_count[c->unit] - 1)};
    e->ticket_count++;
    return DSCQ_OK;
}

static int by_key(const void *a, const void *b)
{
    const low_ticket *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->need != y->need)
        return x->need < y->need ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

void lower__deal_tickets(low_emitter *e)
{
    if (e->ticket_count > 0)
        qsort(e->tickets, e->ticket_count, sizeof *e->tickets, by_key);
    for (size_t i = 0; i < e->ticket_count; i++)
        e->p->queue[e->tickets[i].unit][e->tickets[i].index].ticket = (uint32_t)i;
    e->p->ticket_count = (uint32_t)e->ticket_count;
}

/* Key of the latest store among the rows a load takes from DRAM. */
static uint64_t store_key_of(const low_emitter *e, uint32_t count)
{
    return count == 0 ? 0 : e->store_key[count - 1];
}

dscq_status lower__emit_load(low_emitter *e, int32_t op, int32_t ring, int32_t a,
                             int32_t b)
{
    const dscq_hw_ring *r = &e->p->ring[ring];
    const uint32_t *stored = e->stored_count[r->tensor];
    dscq_hw_cmd *c;
    dscq_status status = DSCQ_OK;

    while (a <
           b) { /* never more rows than the ring has, and in halves: room to overlap */
        const int32_t n = dscq_min32(b - a, dscq_max32(1, r->rows));
        uint32_t store = 0;
        DSCQ_TRY(append(e, DSCQ_UNIT_LOAD_ACT, &c));
        c->op = op;
        c->ring = ring;
        c->first = a;
        c->last = a + n;
        touch_rows(e, c, ring, a, a + n, r->c0, r->c0 + r->c_count, 1,
                   (uint32_t)e->p->queue_count[DSCQ_UNIT_LOAD_ACT]);
        for (int32_t y = a; stored != NULL && y < a + n; y++)
            store = stored[y] > store ? stored[y] : store;
        want(c, DSCQ_TOKEN_STORED, store);
        DSCQ_TRY(add_ticket(e, c, store_key_of(e, c->wait[DSCQ_TOKEN_STORED])));
        a += n;
    }
done:
    return status;
}

dscq_status lower__emit_store(low_emitter *e, int32_t op, int32_t ring, int32_t a,
                              int32_t b)
{
    const dscq_hw_ring *r = &e->p->ring[ring];
    dscq_hw_cmd *c;
    dscq_status status = DSCQ_OK;

    if (a >= b)
        return DSCQ_OK;
    DSCQ_TRY(append(e, DSCQ_UNIT_STORE, &c));
    const uint32_t count = (uint32_t)e->p->queue_count[DSCQ_UNIT_STORE];
    c->op = op;
    c->ring = ring;
    c->first = a;
    c->last = b;
    touch_rows(e, c, ring, a, b, r->c0, r->c0 + r->c_count, 0, count);
    DSCQ_TRY(add_ticket(e, c, 0));
    if (count > e->store_cap) {
        const size_t cap = e->store_cap == 0 ? 256 : 2 * e->store_cap;
        uint64_t *k = dscq_realloc(e->store_key, e->store_cap * 8, cap * 8);
        if (k == NULL)
            return dscq_fail_nomem(e->l->err, "tickets", cap * 8);
        e->store_key = k;
        e->store_cap = cap;
    }
    e->store_key[count - 1] = e->last_key[DSCQ_UNIT_STORE];
    for (int32_t y = a; e->stored_count[r->tensor] != NULL && y < b; y++)
        e->stored_count[r->tensor][y] = count;
done:
    return status;
}

/* ---- weights ------------------------------------------------------------ */

static int is_loaded(const low_emitter *e, int32_t wtile)
{
    const dscq_hw_wtile *t = &e->p->wtile[wtile];

    if (!e->weight_placed[wtile] || e->weight_loaded[wtile] == 0)
        return 0;
    for (int64_t i = t->buffer_base / LOWER_PAGE;
         i <= (t->buffer_base + t->buffer_bytes - 1) / LOWER_PAGE; i++)
        if (e->weight_pages[i].owner != wtile)
            return 0;
    return 1;
}

static void place_weights(low_emitter *e, int32_t wtile)
{
    dscq_hw_wtile *t = &e->p->wtile[wtile];
    const int64_t bytes = in_pages(t->buffer_bytes);

    if (e->weight_placed[wtile])
        return;
    if (e->weight_at + bytes > e->l->m->weight_bytes)
        e->weight_at = 0;
    t->buffer_base = e->weight_at;
    e->weight_at += bytes;
    e->weight_placed[wtile] = 1;
    if (e->weight_at > e->p->weight_peak_bytes)
        e->p->weight_peak_bytes = e->weight_at;
}

static dscq_status need_weights(low_emitter *e, int32_t op, int32_t wtile)
{
    dscq_hw_cmd *c;
    dscq_status status = DSCQ_OK;

    place_weights(e, wtile);
    if (is_loaded(e, wtile))
        return DSCQ_OK;
    const dscq_hw_wtile *t = &e->p->wtile[wtile];
    DSCQ_TRY(append(e, DSCQ_UNIT_LOAD_WEIGHT, &c));
    c->op = op;
    c->wtile = wtile;
    for (int64_t i = t->buffer_base / LOWER_PAGE;
         i <= (t->buffer_base + t->buffer_bytes - 1) / LOWER_PAGE; i++) {
        want(c, DSCQ_TOKEN_WEIGHT_READ, e->weight_pages[i].read);
        e->weight_pages[i] = (low_weight_page){0, wtile};
    }
    e->weight_loaded[wtile] = (uint32_t)e->p->queue_count[DSCQ_UNIT_LOAD_WEIGHT];
    DSCQ_TRY(add_ticket(e, c, 0));
done:
    return status;
}

/* ---- compute ------------------------------------------------------------ */

dscq_status lower__emit_compute(low_emitter *e, const low_job *j)
{
    dscq_program *p = e->p;
    const dscq_hw_op *op = &p->op[j->op];
    dscq_hw_cmd *c;
    dscq_status status = DSCQ_OK;

    if (j->first >= j->last)
        return DSCQ_OK;
    if (j->wtile >= 0)
        DSCQ_TRY(need_weights(e, j->op, j->wtile));
    DSCQ_TRY(append(e, DSCQ_UNIT_COMPUTE, &c));
    const uint32_t count = (uint32_t)p->queue_count[DSCQ_UNIT_COMPUTE];
    const dscq_hw_ring *out = &p->ring[j->ring_out];
    c->op = j->op;
    c->wtile = j->wtile;
    c->ring = j->ring_out;
    c->first = j->first;
    c->last = j->last;
    c->flags = j->flags;
    const int32_t y0 = j->first / out->width, y1 = (j->last - 1) / out->width + 1;
    for (int32_t i = 0; i < op->in_count; i++) {
        const dscq_hw_ring *r = &p->ring[j->ring_in[i]];
        int32_t lo, hi;
        c->ring_in[i] = j->ring_in[i];
        lower__rows(p, j->op, i, y0, y1, &lo, &hi);
        touch_rows(e, c, j->ring_in[i], lo, hi, r->c0, r->c0 + r->c_count, 0, count);
    }
    int32_t c0 = out->c0, c1 = out->c0 + out->c_count;
    if (j->wtile >= 0) {
        const dscq_hw_wtile *t = &p->wtile[j->wtile];
        c0 = t->m_first;
        c1 = t->m_first + t->m_count;
        want(c, DSCQ_TOKEN_WEIGHT_LOADED, e->weight_loaded[j->wtile]);
        for (int64_t i = t->buffer_base / LOWER_PAGE;
             i <= (t->buffer_base + t->buffer_bytes - 1) / LOWER_PAGE; i++)
            e->weight_pages[i].read = count;
    } else if (op->mode == DSCQ_HW_COPY) {
        c0 = dscq_max32(c0, op->c_out);
        c1 = dscq_min32(c1, op->c_out + op->c_count);
    }
    if (!(j->flags & DSCQ_CMD_ACC_KEEP))
        touch_rows(e, c, j->ring_out, y0, y1, c0, c1, 1, count);
done:
    return status;
}

/* One tile, or all pieces of one, over pixels [first, last). */
dscq_status lower__emit_tile(low_emitter *e, low_job j, int32_t tile)
{
    const low_op *low = &e->l->op[j.op];
    const dscq_hw_op *op = &e->p->op[j.op];
    const int32_t pieces = low->k_pieces > 1 ? low->k_pieces : 1;
    const int32_t first = low->wtile_first + tile * pieces;
    dscq_status status = DSCQ_OK;

    if (pieces == 1) {
        j.wtile = first;
        return lower__emit_compute(e, &j);
    }
    const int32_t vectors = dscq_max32(1, e->l->m->acc_rows / e->p->wtile[first].rows);
    const int32_t end = j.last;
    while (j.first < end) { /* as many sums as the accumulators keep */
        j.last = dscq_min32(end, j.first + vectors * op->vector);
        for (int32_t i = 0; i < pieces; i++) {
            j.wtile = first + i;
            j.flags = (uint8_t)((i > 0 ? DSCQ_CMD_ACC_RESUME : 0) |
                                (i + 1 < pieces ? DSCQ_CMD_ACC_KEEP : 0));
            DSCQ_TRY(lower__emit_compute(e, &j));
        }
        j.first = j.last;
    }
done:
    return status;
}

int32_t lower__tiles_of(const low_emitter *e, int32_t op)
{
    const low_op *low = &e->l->op[op];

    return low->wtile_count / (low->k_pieces > 1 ? low->k_pieces : 1);
}

dscq_status lower__emit_all_tiles(low_emitter *e, low_job j, int backwards)
{
    const int32_t tiles = lower__tiles_of(e, j.op);
    dscq_status status = DSCQ_OK;

    j.wtile = LOWER_NONE;
    if (tiles == 0)
        return lower__emit_compute(e, &j);
    for (int32_t i = 0; i < tiles; i++)
        DSCQ_TRY(lower__emit_tile(e, j, backwards ? tiles - 1 - i : i));
done:
    return status;
}

/* ---- rings -------------------------------------------------------------- */

dscq_status lower__new_ring(low_emitter *e, dscq_hw_ring *r, int32_t *out)
{
    lowering *l = e->l;
    dscq_program *p = e->p;

    r->row_bytes =
        (int32_t)(dscq_hw_ring_bytes(r, l->m->act_word_bytes, l->m->act_banks) /
                  r->rows);
    for (int32_t i = 0; i < p->ring_count; i++)
        if (memcmp(&p->ring[i], r, sizeof *r) == 0) { /* frames use the same rings */
            *out = i;
            return DSCQ_OK;
        }
    if (p->ring_count == l->ring_cap) {
        const int32_t cap = l->ring_cap == 0 ? 64 : 2 * l->ring_cap;
        dscq_hw_ring *n = dscq_realloc(p->ring, (size_t)l->ring_cap * sizeof *n,
                                       (size_t)cap * sizeof *n);
        if (n == NULL)
            return dscq_fail_nomem(l->err, "rings", (size_t)cap * sizeof *n);
        p->ring = n;
        l->ring_cap = cap;
    }
    *out = p->ring_count;
    p->ring[p->ring_count++] = *r;
    return DSCQ_OK;
}
