/* Commands in program order; tokens from the addresses each of them touches; tickets
 * from when a transfer may start and when it is needed. Correct for any plan: what a
 * command waits for is derived, never assumed. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = LOWER_PAGE, LOOKAHEAD = 16, NONE = -1 };

typedef struct page {
    uint32_t written, read_compute, read_store; /* counts of finished work */
    int8_t writer;                              /* unit, or NONE */
} page;

typedef struct weight_page {
    uint32_t read;
    int32_t owner; /* weight tile, or NONE */
} weight_page;

typedef struct ticket {
    uint64_t key;
    uint32_t need, order;
    uint8_t unit;
    uint32_t index;
} ticket;

typedef struct slot { /* a ring of the stage that is emitted */
    int32_t tensor, ring;
    int32_t have_lo, have_hi; /* rows that are there, loaded tensors */
    int32_t stored;           /* rows [0, stored) are in DRAM */
} slot;

typedef struct emitter {
    lowering *l;
    dscq_program *p;
    page *pages;
    weight_page *weight_pages;
    size_t page_count, weight_page_count;
    uint32_t *weight_loaded; /* [wtiles] count of the load that filled it */
    int64_t weight_at;       /* bump pointer */
    uint8_t *weight_placed;  /* [wtiles] has an address */
    uint32_t **stored_count; /* [tensors][rows] STORED count of that row */
    size_t cap[DSCQ_UNIT_COUNT];
    ticket *tickets;
    size_t ticket_count, ticket_cap;
    uint64_t last_key[DSCQ_UNIT_COUNT];
    uint64_t *store_key; /* keys of store commands */
    size_t store_cap;
    int32_t frame;
    slot slots[LOWER_STAGE_MAX * 4];
    int32_t slot_count;
} emitter;

static int32_t ceil_div(int64_t a, int64_t b)
{
    return (int32_t)((a + b - 1) / b);
}

static int32_t min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* ---- tokens
 * ---------------------------------------------------------------------------- */

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
static void touch_read(emitter *e, dscq_hw_cmd *c, int64_t from, int64_t bytes,
                       uint32_t count)
{
    for (int64_t i = from / PAGE; i <= (from + bytes - 1) / PAGE; i++) {
        page *g = &e->pages[i];
        if (g->writer != NONE)
            want(c, k_done[g->writer], g->written);
        if (c->unit == DSCQ_UNIT_STORE)
            g->read_store = count;
        else
            g->read_compute = count;
    }
}

static void touch_write(emitter *e, dscq_hw_cmd *c, int64_t from, int64_t bytes,
                        uint32_t count)
{
    for (int64_t i = from / PAGE; i <= (from + bytes - 1) / PAGE; i++) {
        page *g = &e->pages[i];
        if (g->writer != NONE && g->writer != (int8_t)c->unit)
            want(c, k_done[g->writer], g->written);
        if (c->unit != DSCQ_UNIT_COMPUTE)
            want(c, DSCQ_TOKEN_ACT_READ, g->read_compute);
        want(c, DSCQ_TOKEN_STORED, g->read_store);
        *g = (page){count, 0, 0, (int8_t)c->unit};
    }
}

/* Rows [a, b), channels [c0, c1) of a ring. */
static void touch_rows(emitter *e, dscq_hw_cmd *c, int32_t ring, int32_t a, int32_t b,
                       int32_t c0, int32_t c1, int is_write, uint32_t count)
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

/* ---- commands
 * -------------------------------------------------------------------------- */

static dscq_status append(emitter *e, int unit, dscq_hw_cmd **out)
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
    (*out)->wtile = NONE;
    (*out)->ring = NONE;
    for (int i = 0; i < DSCQ_OP_INPUTS; i++)
        (*out)->ring_in[i] = NONE;
    return DSCQ_OK;
}

/* Keys rise with the compute command after which a transfer may start; among those, the
 * one needed first goes first. A store follows the loads of its step; what is loaded
 * after a store follows the store. docs/accelerator.md, rule D3, has the proof that
 * this order cannot deadlock. */
static dscq_status add_ticket(emitter *e, const dscq_hw_cmd *c, uint64_t after_store)
{
    const size_t computes = e->p->queue_count[DSCQ_UNIT_COMPUTE];
    uint64_t enabled = 0, key;

    if (e->ticket_count == e->ticket_cap) {
        const size_t cap = e->ticket_cap == 0 ? 256 : 2 * e->ticket_cap;
        ticket *t =
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
    e->tickets[e->ticket_count] = (ticket){
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
    const ticket *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->need != y->need)
        return x->need < y->need ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void deal_tickets(emitter *e)
{
    if (e->ticket_count > 0)
        qsort(e->tickets, e->ticket_count, sizeof *e->tickets, by_key);
    for (size_t i = 0; i < e->ticket_count; i++)
        e->p->queue[e->tickets[i].unit][e->tickets[i].index].ticket = (uint32_t)i;
    e->p->ticket_count = (uint32_t)e->ticket_count;
}

/* Key of the latest store among the rows a load takes from DRAM. */
static uint64_t store_key_of(const emitter *e, uint32_t count)
{
    return count == 0 ? 0 : e->store_key[count - 1];
}

static dscq_status emit_load(emitter *e, int32_t op, int32_t ring, int32_t a, int32_t b)
{
    const dscq_hw_ring *r = &e->p->ring[ring];
    const uint32_t *stored = e->stored_count[r->tensor];
    dscq_hw_cmd *c;
    dscq_status status = DSCQ_OK;

    while (a <
           b) { /* never more rows than the ring has, and in halves: room to overlap */
        const int32_t n = min32(b - a, max32(1, r->rows));
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

static dscq_status emit_store(emitter *e, int32_t op, int32_t ring, int32_t a,
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

/* ---- weights
 * ----------------------------------------------------------------------------- */

static int is_loaded(const emitter *e, int32_t wtile)
{
    const dscq_hw_wtile *t = &e->p->wtile[wtile];

    if (!e->weight_placed[wtile] || e->weight_loaded[wtile] == 0)
        return 0;
    for (int64_t i = t->buffer_base / PAGE;
         i <= (t->buffer_base + t->buffer_bytes - 1) / PAGE; i++)
        if (e->weight_pages[i].owner != wtile)
            return 0;
    return 1;
}

static void place_weights(emitter *e, int32_t wtile)
{
    dscq_hw_wtile *t = &e->p->wtile[wtile];
    const int64_t bytes = (t->buffer_bytes + PAGE - 1) / PAGE * PAGE;

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

static dscq_status need_weights(emitter *e, int32_t op, int32_t wtile)
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
    for (int64_t i = t->buffer_base / PAGE;
         i <= (t->buffer_base + t->buffer_bytes - 1) / PAGE; i++) {
        want(c, DSCQ_TOKEN_WEIGHT_READ, e->weight_pages[i].read);
        e->weight_pages[i] = (weight_page){0, wtile};
    }
    e->weight_loaded[wtile] = (uint32_t)e->p->queue_count[DSCQ_UNIT_LOAD_WEIGHT];
    DSCQ_TRY(add_ticket(e, c, 0));
done:
    return status;
}

/* ---- compute
 * ------------------------------------------------------------------------------- */

typedef struct job {
    int32_t op, wtile, ring_out;
    int32_t ring_in[DSCQ_OP_INPUTS];
    int32_t first, last; /* pixels */
    uint8_t flags;
} job;

static dscq_status emit_compute(emitter *e, const job *j)
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
        low__rows(p, j->op, i, y0, y1, &lo, &hi);
        touch_rows(e, c, j->ring_in[i], lo, hi, r->c0, r->c0 + r->c_count, 0, count);
    }
    int32_t c0 = out->c0, c1 = out->c0 + out->c_count;
    if (j->wtile >= 0) {
        const dscq_hw_wtile *t = &p->wtile[j->wtile];
        c0 = t->m_first;
        c1 = t->m_first + t->m_count;
        want(c, DSCQ_TOKEN_WEIGHT_LOADED, e->weight_loaded[j->wtile]);
        for (int64_t i = t->buffer_base / PAGE;
             i <= (t->buffer_base + t->buffer_bytes - 1) / PAGE; i++)
            e->weight_pages[i].read = count;
    } else if (op->mode == DSCQ_HW_COPY) {
        c0 = max32(c0, op->c_out);
        c1 = min32(c1, op->c_out + op->c_count);
    }
    if (!(j->flags & DSCQ_CMD_ACC_KEEP))
        touch_rows(e, c, j->ring_out, y0, y1, c0, c1, 1, count);
done:
    return status;
}

/* One tile, or all pieces of one, over pixels [first, last). */
static dscq_status emit_tile(emitter *e, job j, int32_t tile)
{
    const low_op *low = &e->l->op[j.op];
    const dscq_hw_op *op = &e->p->op[j.op];
    const int32_t pieces = low->k_pieces > 1 ? low->k_pieces : 1;
    const int32_t first = low->wtile_first + tile * pieces;
    dscq_status status = DSCQ_OK;

    if (pieces == 1) {
        j.wtile = first;
        return emit_compute(e, &j);
    }
    const int32_t vectors = max32(1, e->l->m->acc_rows / e->p->wtile[first].rows);
    const int32_t end = j.last;
    while (j.first < end) { /* as many sums as the accumulators keep */
        j.last = min32(end, j.first + vectors * op->vector);
        for (int32_t i = 0; i < pieces; i++) {
            j.wtile = first + i;
            j.flags = (uint8_t)((i > 0 ? DSCQ_CMD_ACC_RESUME : 0) |
                                (i + 1 < pieces ? DSCQ_CMD_ACC_KEEP : 0));
            DSCQ_TRY(emit_compute(e, &j));
        }
        j.first = j.last;
    }
done:
    return status;
}

static int32_t tiles_of(const emitter *e, int32_t op)
{
    const low_op *low = &e->l->op[op];

    return low->wtile_count / (low->k_pieces > 1 ? low->k_pieces : 1);
}

static dscq_status emit_all_tiles(emitter *e, job j, int backwards)
{
    const int32_t tiles = tiles_of(e, j.op);
    dscq_status status = DSCQ_OK;

    j.wtile = NONE;
    if (tiles == 0)
        return emit_compute(e, &j);
    for (int32_t i = 0; i < tiles; i++)
        DSCQ_TRY(emit_tile(e, j, backwards ? tiles - 1 - i : i));
done:
    return status;
}

/* ---- rings
 * ---------------------------------------------------------------------------------- */

static dscq_status new_ring(emitter *e, dscq_hw_ring *r, int32_t *out)
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

/* Space of the activation buffer: pieces with lifetimes in stages, placed largest first
 * at the lowest address that is free all their life. */
typedef struct space {
    int64_t bytes, base;
    int32_t from, to, tensor, stage; /* stage NONE: a whole tensor; part: out regions */
    int32_t part;
} space;

typedef struct spaces {
    space *s;
    size_t count, cap;
} spaces;

static dscq_status add_space(emitter *e, spaces *v, space s)
{
    if (v->count == v->cap) {
        const size_t cap = v->cap == 0 ? 128 : 2 * v->cap;
        space *n = dscq_realloc(v->s, v->cap * sizeof *n, cap * sizeof *n);
        if (n == NULL)
            return dscq_fail_nomem(e->l->err, "buffer places", cap * sizeof *n);
        v->s = n;
        v->cap = cap;
    }
    s.bytes = (s.bytes + PAGE - 1) / PAGE * PAGE;
    v->s[v->count++] = s;
    return DSCQ_OK;
}

static int larger(const void *a, const void *b)
{
    const space *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->tensor != y->tensor)
        return x->tensor < y->tensor ? -1 : 1;
    return x->part - y->part;
}

static int overlap(const space *a, const space *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* 1 when everything found a place. */
static int place_spaces(spaces *v, int64_t room, int64_t *peak)
{
    if (v->count > 0)
        qsort(v->s, v->count, sizeof *v->s, larger);
    *peak = 0;
    for (size_t i = 0; i < v->count; i++) {
        space *s = &v->s[i];
        int64_t at = 0;
        for (int moved = 1; moved;) {
            moved = 0;
            for (size_t k = 0; k < i; k++) {
                const space *o = &v->s[k];
                if (overlap(s, o) && at < o->base + o->bytes &&
                    o->base < at + s->bytes) {
                    at = o->base + o->bytes;
                    moved = 1;
                }
            }
        }
        s->base = at;
        if (at + s->bytes > *peak)
            *peak = at + s->bytes;
    }
    return *peak <= room;
}

static int32_t stage_of(const lowering *l, int32_t op)
{
    for (int32_t s = 0; s < l->stage_count; s++)
        if (op >= l->stage[s].first && op <= l->stage[s].last)
            return s;
    return NONE;
}

static int moves_through_dram(const lowering *l, int32_t t, const low_stage *s)
{
    const low_tensor *x = &l->tensor[t];
    const int made = !x->is_input && x->first_op >= s->first;

    return !made || x->is_output || x->last_op > s->last;
}

static int32_t band_rows(const lowering *l, int32_t tensor, int32_t bands)
{
    return ceil_div(l->p->tensor[tensor].h, bands);
}

static int32_t widest_tile(const lowering *l, int32_t o)
{
    int32_t most = 1;

    for (int32_t i = 0; i < l->op[o].wtile_count; i++)
        most = max32(most, l->p->wtile[l->op[o].wtile_first + i].m_count);
    return most;
}

/* Rows of a stage ring: the need, and a band more where DRAM is on the other side. */
static int32_t rows_of(const lowering *l, const low_stage *s, const low_bands *b,
                       int32_t i)
{
    const int32_t t = b->tensor[i], h = l->p->tensor[t].h;
    int32_t rows = b->ring_rows[i];

    if (s->flow == LOW_FEATURES && t != l->p->op[s->first].out)
        return h;
    if (moves_through_dram(l, t, s))
        rows += band_rows(l, t, s->bands);
    return min32(rows, h);
}

/* Largest window of strip columns and rows of input i (or the output, i < 0). */
static void strip_size(const lowering *l, const low_stage *s, int32_t i, int32_t *rows,
                       int32_t *width)
{
    const dscq_hw_op *op = &l->p->op[s->first];
    const dscq_hw_tensor *y = &l->p->tensor[op->out];
    const int32_t band = band_rows(l, op->out, s->bands);
    int32_t lo, hi;

    *rows = i < 0 ? band : 1;
    *width = i < 0 ? min32(s->strip, y->w) : 1;
    for (int32_t a = 0; i >= 0 && a < y->h; a += band) {
        low__rows(l->p, s->first, i, a, min32(a + band, y->h), &lo, &hi);
        *rows = max32(*rows, hi - lo);
    }
    for (int32_t a = 0; i >= 0 && a < y->w; a += s->strip) {
        low__columns(l->p, s->first, i, a, min32(a + s->strip, y->w), &lo, &hi);
        *width = max32(*width, hi - lo);
    }
}

static dscq_status spaces_of_strip(emitter *e, spaces *v, int32_t at)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    const dscq_hw_op *op = &l->p->op[s->first];
    dscq_status status = DSCQ_OK;

    for (int32_t i = -1; i < op->in_count; i++) {
        const int32_t t = i < 0 ? op->out : op->in[i];
        const int32_t chan = s->chan > 0 ? s->chan : l->p->tensor[t].c;
        int32_t rows, width;
        strip_size(l, s, i, &rows, &width);
        DSCQ_TRY(add_space(e, v,
                           (space){.bytes = low__ring_bytes(l, t, rows, width, chan),
                                   .from = at,
                                   .to = at,
                                   .tensor = t,
                                   .stage = at}));
    }
done:
    return status;
}

static int32_t group_out_rows(const lowering *l, int32_t tensor)
{
    const int32_t h = l->p->tensor[tensor].h;

    return min32(h, 2 * ceil_div(h, 4));
}

/* A block in groups: inputs whole, the middle a group wide, the output in bands. */
static dscq_status spaces_of_groups(emitter *e, spaces *v, int32_t at)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    const dscq_hw_op *op = l->p->op;
    int32_t done[8], n = 0;
    dscq_status status = DSCQ_OK;

    for (int32_t o = s->first; o <= s->last; o++)
        for (int32_t i = -1; i < op[o].in_count; i++) {
            const int32_t t = i < 0 ? op[o].out : op[o].in[i];
            const dscq_hw_tensor *x = &l->p->tensor[t];
            const int middle =
                l->tensor[t].first_op >= s->first && t != op[s->last].out;
            int seen = 0;
            for (int32_t k = 0; k < n; k++)
                seen |= done[k] == t;
            if (seen || l->tensor[t].stays)
                continue;
            done[n++] = t;
            const int32_t rows = t == op[s->last].out ? group_out_rows(l, t) : x->h;
            DSCQ_TRY(add_space(e, v,
                               (space){.bytes = low__ring_bytes(
                                           l, t, rows, x->w, middle ? s->group : x->c),
                                       .from = at,
                                       .to = at,
                                       .tensor = t,
                                       .stage = at}));
        }
done:
    return status;
}

static dscq_status spaces_of_stage(emitter *e, spaces *v, int32_t at)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    low_bands b = {0};
    dscq_status status;

    if (s->strip > 0)
        return spaces_of_strip(e, v, at);
    if (s->flow == LOW_GROUPS)
        return spaces_of_groups(e, v, at);
    DSCQ_TRY(low__bands_make(&b, l, s->first, s->last, s->bands, 0, l->err));
    for (int32_t i = 0; i < b.count; i++) {
        const int32_t t = b.tensor[i];
        const dscq_hw_tensor *x = &l->p->tensor[t];
        space n = {.from = at, .to = at, .tensor = t, .stage = at};
        if (l->tensor[t].stays)
            continue;
        if (s->flow != LOW_BANDS && t == l->p->op[s->first].out) {
            n.bytes = low__ring_bytes(l, t, band_rows(l, t, s->bands), x->w,
                                      widest_tile(l, s->first));
            DSCQ_TRY(add_space(e, v, n)); /* two, used in turn */
            n.part = 1;
            DSCQ_TRY(add_space(e, v, n));
            continue;
        }
        n.bytes = low__ring_bytes(l, t, rows_of(l, s, &b, i), x->w, x->c);
        DSCQ_TRY(add_space(e, v, n));
    }
done:
    low__bands_clear(&b);
    return status;
}

static dscq_status place_all(emitter *e, spaces *v)
{
    lowering *l = e->l;
    dscq_status status = DSCQ_OK;

    for (int32_t t = 0; t < l->p->tensor_count; t++) {
        const low_tensor *x = &l->tensor[t];
        const dscq_hw_tensor *h = &l->p->tensor[t];
        if (x->stays)
            DSCQ_TRY(add_space(e, v,
                               (space){.bytes = low__ring_bytes(l, t, h->h, h->w, h->c),
                                       .from = stage_of(l, x->first_op),
                                       .to = stage_of(l, x->last_op),
                                       .tensor = t,
                                       .stage = NONE}));
    }
    for (int32_t s = 0; s < l->stage_count; s++)
        DSCQ_TRY(spaces_of_stage(e, v, s));
    if (!place_spaces(v, l->m->act_bytes, &l->p->act_peak_bytes))
        status = DSCQ_ARG; /* the caller plans again with less room */
done:
    return status;
}

static int64_t base_of(const spaces *v, int32_t tensor, int32_t stage, int32_t part)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->s[i].tensor == tensor && v->s[i].stage == stage && v->s[i].part == part)
            return v->s[i].base;
    assert(0 && "a ring without a place");
    return 0;
}

static dscq_hw_ring ring_shape(const lowering *l, int32_t t, int32_t rows, int32_t x0,
                               int32_t width)
{
    dscq_hw_ring r;

    memset(&r, 0, sizeof r);
    r.tensor = t;
    r.rows = rows;
    r.x0 = x0;
    r.width = width;
    r.c_count = l->p->tensor[t].c;
    r.line_bytes = low__line_bytes(l, t, width);
    return r;
}

/* ---- stages
 * ---------------------------------------------------------------------------------- */

static slot *slot_of(emitter *e, int32_t tensor)
{
    for (int32_t i = 0; i < e->slot_count; i++)
        if (e->slots[i].tensor == tensor)
            return &e->slots[i];
    assert(0 && "no ring for a tensor");
    return NULL;
}

static dscq_status open_rings(emitter *e, const spaces *v, int32_t at,
                              const low_bands *b)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    dscq_status status = DSCQ_OK;

    e->slot_count = 0;
    for (int32_t i = 0; i < b->count; i++) {
        const int32_t t = b->tensor[i];
        const dscq_hw_tensor *x = &l->p->tensor[t];
        slot *n = &e->slots[e->slot_count++];
        dscq_hw_ring r;
        *n = (slot){t, NONE, 0, 0, 0};
        if (!l->tensor[t].stays && s->flow != LOW_BANDS && t == l->p->op[s->first].out)
            continue; /* regions in turn */
        if (l->tensor[t].stays) {
            r = ring_shape(l, t, x->h, 0, x->w);
            r.base = base_of(v, t, NONE, 0);
        } else {
            r = ring_shape(l, t, rows_of(l, s, b, i), 0, x->w);
            r.base = base_of(v, t, at, 0);
        }
        DSCQ_TRY(new_ring(e, &r, &n->ring));
    }
done:
    return status;
}

static int comes_from_dram(const lowering *l, int32_t t, const low_stage *s)
{
    const low_tensor *x = &l->tensor[t];

    return !x->stays && (x->is_input || x->first_op < s->first);
}

/* Rows [lo, hi) of a loaded tensor are there when the next compute command reads them.
 */
static dscq_status ensure(emitter *e, int32_t op, slot *s, int32_t lo, int32_t hi)
{
    const int32_t rows = e->p->ring[s->ring].rows;
    dscq_status status = DSCQ_OK;

    if (lo >= hi || (lo >= s->have_lo && hi <= s->have_hi))
        return DSCQ_OK;
    if (lo > s->have_hi || hi < s->have_lo || s->have_lo == s->have_hi) {
        DSCQ_TRY(emit_load(e, op, s->ring, lo, hi));
        s->have_lo = lo;
        s->have_hi = hi;
        return DSCQ_OK;
    }
    if (hi > s->have_hi) {
        DSCQ_TRY(emit_load(e, op, s->ring, s->have_hi, hi));
        s->have_hi = hi;
        s->have_lo = max32(s->have_lo, hi - rows);
    }
    if (lo < s->have_lo) {
        DSCQ_TRY(emit_load(e, op, s->ring, lo, s->have_lo));
        s->have_lo = lo;
        s->have_hi = min32(s->have_hi, lo + rows);
    }
done:
    return status;
}

static job job_of(emitter *e, int32_t op)
{
    const dscq_hw_op *o = &e->p->op[op];
    job j = {.op = op, .wtile = NONE, .ring_out = slot_of(e, o->out)->ring};

    for (int32_t i = 0; i < o->in_count; i++)
        j.ring_in[i] = slot_of(e, o->in[i])->ring;
    return j;
}

/* May this operation's commands end inside a row? Only when nothing is dropped. */
static int whole_rings(emitter *e, int32_t op)
{
    const dscq_hw_op *o = &e->p->op[op];
    const job j = job_of(e, op);

    if (o->mode != DSCQ_HW_BROADCAST || j.ring_out < 0 ||
        e->p->ring[j.ring_out].rows < e->p->tensor[o->out].h)
        return 0;
    for (int32_t i = 0; i < o->in_count; i++)
        if (e->p->ring[j.ring_in[i]].rows < e->p->tensor[o->in[i]].h)
            return 0;
    return 1;
}

static int32_t pixel_end(const emitter *e, int32_t op, int32_t rows, int by_vector)
{
    const dscq_hw_op *o = &e->p->op[op];
    const dscq_hw_tensor *y = &e->p->tensor[o->out];
    const int32_t p = rows * y->w;

    return by_vector && rows < y->h ? p / o->vector * o->vector : p;
}

/* Rows [lo, hi) of every input that comes from DRAM. */
static dscq_status ensure_inputs(emitter *e, const low_stage *s, int32_t op, int32_t a,
                                 int32_t b)
{
    const dscq_hw_op *o = &e->p->op[op];
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < o->in_count; i++) {
        int32_t lo, hi;
        if (!comes_from_dram(e->l, o->in[i], s))
            continue;
        low__rows(e->p, op, i, a, b, &lo, &hi);
        DSCQ_TRY(ensure(e, op, slot_of(e, o->in[i]), lo, hi));
    }
done:
    return status;
}

static dscq_status store_rows(emitter *e, const low_stage *s, int32_t op, int32_t rows)
{
    const int32_t t = e->p->op[op].out;
    slot *x = slot_of(e, t);
    dscq_status status = DSCQ_OK;

    if (!e->p->tensor[t].in_dram || !moves_through_dram(e->l, t, s))
        return DSCQ_OK;
    /* the last writer of a joined tensor stores it */
    if (op < s->last && e->p->op[op + 1].out == t)
        return DSCQ_OK;
    DSCQ_TRY(emit_store(e, op, x->ring, x->stored, rows));
    x->stored = max32(x->stored, rows);
done:
    return status;
}

static dscq_status emit_bands(emitter *e, const low_stage *s, const low_bands *b)
{
    const int32_t n = b->bands + 1;
    const int single = s->first == s->last;
    dscq_status status = DSCQ_OK;

    for (int32_t k = 1; k <= b->bands; k++)
        for (int32_t op = s->first; op <= s->last; op++) {
            const int32_t y = low__bands_find(b, e->p->op[op].out);
            const int32_t a = b->end[y * n + k - 1], z = b->end[y * n + k];
            const int by_vector = single && whole_rings(e, op);
            job j = job_of(e, op);
            if (z <= a)
                continue;
            DSCQ_TRY(ensure_inputs(e, s, op, a, z));
            j.first = pixel_end(e, op, a, by_vector);
            j.last = pixel_end(e, op, z, by_vector);
            DSCQ_TRY(emit_all_tiles(e, j, e->l->scan && k % 2 == 0 && !s->kept));
            DSCQ_TRY(store_rows(e, s, op, j.last / e->p->tensor[e->p->op[op].out].w));
        }
done:
    return status;
}

/* Tiles outermost: the whole input stays, or streams again for every tile. */
static dscq_status emit_tiles_first(emitter *e, const spaces *v, int32_t at,
                                    const low_bands *b)
{
    const low_stage *s = &e->l->stage[at];
    const int32_t op = s->first, t = e->p->op[op].out, n = b->bands + 1;
    const int stays = e->l->tensor[t].stays;
    const int32_t y = low__bands_find(b, t), w = e->p->tensor[t].w;
    int32_t turn = 0;
    dscq_status status = DSCQ_OK;

    for (int32_t tile = 0; tile < tiles_of(e, op); tile++) {
        const int backwards = e->l->scan && tile % 2 == 1;
        for (int32_t i = 1; i <= b->bands; i++) {
            const int32_t k = backwards ? b->bands + 1 - i : i;
            const int32_t a = b->end[y * n + k - 1], z = b->end[y * n + k];
            job j = job_of(e, op);
            const dscq_hw_wtile *x = &e->p->wtile[e->l->op[op].wtile_first + tile];
            if (z <= a)
                continue;
            if (!stays) {
                dscq_hw_ring r =
                    ring_shape(e->l, t, band_rows(e->l, t, s->bands), 0, w);
                r.c0 = x->m_first;
                r.c_count = x->m_count;
                r.base = base_of(v, t, at, turn++ % 2);
                DSCQ_TRY(new_ring(e, &r, &j.ring_out));
            }
            DSCQ_TRY(ensure_inputs(e, s, op, a, z));
            j.first = a * w;
            j.last = z * w;
            DSCQ_TRY(emit_tile(e, j, tile));
            if (e->p->tensor[t].in_dram && moves_through_dram(e->l, t, s))
                DSCQ_TRY(emit_store(e, op, j.ring_out, a, z));
        }
    }
done:
    return status;
}

static dscq_status strip_ring(emitter *e, const spaces *v, int32_t at, int32_t i,
                              const int32_t cols[2], const int32_t chan[2],
                              int32_t *out)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    const dscq_hw_op *op = &l->p->op[s->first];
    const int32_t t = i < 0 ? op->out : op->in[i];
    int32_t rows, width, lo = cols[0], hi = cols[1];

    strip_size(l, s, i, &rows, &width);
    if (i >= 0)
        low__columns(l->p, s->first, i, cols[0], cols[1], &lo, &hi);
    if (hi <= lo) { /* a strip that sees only padding: hold any column */
        lo = min32(lo, l->p->tensor[t].w - 1);
        hi = lo + 1;
    }
    dscq_hw_ring r = ring_shape(l, t, rows, lo, hi - lo);
    if (s->chan > 0) {
        r.c0 = chan[0];
        r.c_count = chan[1] - chan[0];
    }
    r.base = base_of(v, t, at, 0);
    return new_ring(e, &r, out);
}

static dscq_status emit_strip(emitter *e, const spaces *v, int32_t at,
                              const int32_t cols[2], const int32_t chan[2])
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_op *op = &e->p->op[s->first];
    const int32_t h = e->p->tensor[op->out].h, w = cols[1] - cols[0];
    const int32_t step = band_rows(e->l, op->out, s->bands);
    dscq_status status = DSCQ_OK;

    e->slot_count = 0;
    for (int32_t i = -1; i < op->in_count; i++) {
        slot *n = &e->slots[e->slot_count++];
        *n = (slot){i < 0 ? op->out : op->in[i], NONE, 0, 0, 0};
        DSCQ_TRY(strip_ring(e, v, at, i, cols, chan, &n->ring));
    }
    for (int32_t a = 0; a < h; a += step) {
        const int32_t z = min32(a + step, h);
        job j = job_of(e, s->first);
        DSCQ_TRY(ensure_inputs(e, s, s->first, a, z));
        j.first = a * w;
        j.last = z * w;
        DSCQ_TRY(emit_all_tiles(e, j, 0));
        if (e->p->tensor[op->out].in_dram)
            DSCQ_TRY(emit_store(e, s->first, j.ring_out, a, z));
    }
done:
    return status;
}

static dscq_status emit_strips(emitter *e, const spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_tensor *y = &e->p->tensor[e->p->op[s->first].out];
    const int32_t step = s->chan > 0 ? s->chan : y->c;
    dscq_status status = DSCQ_OK;

    for (int32_t c = 0; c < y->c; c += step)
        for (int32_t x = 0; x < y->w; x += s->strip) {
            const int32_t cols[2] = {x, min32(x + s->strip, y->w)};
            const int32_t chan[2] = {c, min32(c + step, y->c)};
            DSCQ_TRY(emit_strip(e, v, at, cols, chan));
        }
done:
    return status;
}

/* ---- a block in groups of middle channels
 * --------------------------------------------- */

static dscq_status group_ring(emitter *e, const spaces *v, int32_t at, int32_t t,
                              int32_t rows, const int32_t chan[2], int32_t *out)
{
    const dscq_hw_tensor *x = &e->p->tensor[t];
    dscq_hw_ring r = ring_shape(e->l, t, rows, 0, x->w);

    r.c0 = chan[0];
    r.c_count = chan[1] - chan[0];
    r.base = base_of(v, t, e->l->tensor[t].stays ? NONE : at, 0);
    return new_ring(e, &r, out);
}

/* Inputs of the block: whole rings, loaded in quarters when they come from DRAM. */
static dscq_status open_group_inputs(emitter *e, const spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_op *first = &e->p->op[s->first], *last = &e->p->op[s->last];
    const int32_t ins[2] = {first->in[0],
                            last->has_residual ? last->in[1] : first->in[0]};
    dscq_status status = DSCQ_OK;

    e->slot_count = 0;
    for (int i = 0; i < 2; i++) {
        const dscq_hw_tensor *x = &e->p->tensor[ins[i]];
        const int32_t all[2] = {0, x->c};
        const int32_t step = ceil_div(x->h, 4);
        if (i == 1 && ins[1] == ins[0])
            break;
        slot *n = &e->slots[e->slot_count++];
        *n = (slot){ins[i], NONE, 0, 0, 0};
        DSCQ_TRY(group_ring(e, v, at, ins[i], x->h, all, &n->ring));
        for (int32_t y = 0; comes_from_dram(e->l, ins[i], s) && y < x->h; y += step)
            DSCQ_TRY(emit_load(e, i == 0 ? s->first : s->last, n->ring, y,
                               min32(y + step, x->h)));
    }
done:
    return status;
}

static dscq_status project_group(emitter *e, const low_stage *s, job j, int32_t g,
                                 int32_t groups)
{
    const int32_t t = e->p->op[s->last].out;
    const dscq_hw_tensor *y = &e->p->tensor[t];
    const int32_t step = ceil_div(y->h, 4);
    dscq_status status = DSCQ_OK;

    j.wtile = e->l->op[s->last].wtile_first + g;
    j.flags = (uint8_t)(DSCQ_CMD_ACC_HELD | (g > 0 ? DSCQ_CMD_ACC_RESUME : 0) |
                        (g + 1 < groups ? DSCQ_CMD_ACC_KEEP : 0));
    if (g + 1 < groups) {
        j.first = 0;
        j.last = y->h * y->w;
        return emit_compute(e, &j);
    }
    for (int32_t a = 0; a < y->h; a += step) { /* the last group gives the outputs */
        const int32_t z = min32(a + step, y->h);
        j.first = a * y->w;
        j.last = z * y->w;
        DSCQ_TRY(emit_compute(e, &j));
        if (y->in_dram && moves_through_dram(e->l, t, s))
            DSCQ_TRY(emit_store(e, s->last, j.ring_out, a, z));
    }
done:
    return status;
}

static dscq_status emit_groups(emitter *e, const spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_op *op = e->p->op;
    const int32_t t = op[s->last].out;
    const dscq_hw_tensor *y = &e->p->tensor[t];
    const int32_t middle = e->p->tensor[op[s->last - 1].out].c;
    const int32_t groups = ceil_div(middle, s->group);
    const int32_t all[2] = {0, y->c};
    const int32_t out_rows = e->l->tensor[t].stays ? y->h : group_out_rows(e->l, t);
    int32_t ring_out;
    dscq_status status;

    DSCQ_TRY(open_group_inputs(e, v, at));
    DSCQ_TRY(group_ring(e, v, at, t, out_rows, all, &ring_out));
    for (int32_t g = 0; g < groups; g++) {
        const int32_t chan[2] = {g * s->group, min32((g + 1) * s->group, middle)};
        int32_t ring_in = slot_of(e, op[s->first].in[0])->ring;
        for (int32_t o = s->first; o < s->last; o++) {
            const dscq_hw_tensor *x = &e->p->tensor[op[o].out];
            job j = {.op = o, .wtile = e->l->op[o].wtile_first + g};
            j.ring_in[0] = ring_in;
            j.last = x->h * x->w;
            j.flags = DSCQ_CMD_ACC_HELD;
            DSCQ_TRY(group_ring(e, v, at, op[o].out, x->h, chan, &j.ring_out));
            DSCQ_TRY(emit_compute(e, &j));
            ring_in = j.ring_out;
        }
        job j = {.op = s->last, .ring_out = ring_out};
        j.ring_in[0] = ring_in;
        if (op[s->last].has_residual)
            j.ring_in[1] = slot_of(e, op[s->last].in[1])->ring;
        DSCQ_TRY(project_group(e, s, j, g, groups));
    }
done:
    return status;
}

/* Weights that are to stay together start where all of them fit in one piece. */
static void start_weights(emitter *e, const low_stage *s)
{
    int64_t bytes = 0;

    for (int32_t o = s->first; o <= s->last; o++)
        for (int32_t i = 0; i < e->l->op[o].wtile_count; i++) {
            const int32_t w = e->l->op[o].wtile_first + i;
            if (!e->weight_placed[w])
                bytes += (e->p->wtile[w].buffer_bytes + PAGE - 1) / PAGE * PAGE;
        }
    if (bytes <= e->l->m->weight_bytes && e->weight_at + bytes > e->l->m->weight_bytes)
        e->weight_at = 0;
}

static dscq_status emit_stage(emitter *e, const spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    low_bands b = {0};
    dscq_status status;

    if (s->kept)
        start_weights(e, s);
    if (s->strip > 0)
        return emit_strips(e, v, at);
    if (s->flow == LOW_GROUPS)
        return emit_groups(e, v, at);
    DSCQ_TRY(low__bands_make(&b, e->l, s->first, s->last, s->bands, 0, e->l->err));
    DSCQ_TRY(open_rings(e, v, at, &b));
    if (s->flow == LOW_BANDS)
        DSCQ_TRY(emit_bands(e, s, &b));
    else
        DSCQ_TRY(emit_tiles_first(e, v, at, &b));
done:
    low__bands_clear(&b);
    return status;
}

/* ---- the whole
 * --------------------------------------------------------------------------------- */

static void place_in_dram(lowering *l, int32_t frames)
{
    dscq_program *p = l->p;
    const uint64_t align = (uint64_t)l->m->burst_bytes;
    uint64_t at = (p->image_bytes + align - 1) / align * align;

    for (int32_t t = 0; t < p->tensor_count; t++) {
        dscq_hw_tensor *x = &p->tensor[t];
        const low_tensor *low = &l->tensor[t];
        const int32_t s = low->first_op >= 0 ? stage_of(l, low->first_op) : NONE;
        const int leaves = s != NONE && low->last_op > l->stage[s].last;
        x->in_dram = low->is_input || low->is_output || (leaves && !low->stays);
        if (!x->in_dram)
            continue;
        const uint64_t bytes =
            (uint64_t)x->h * (uint64_t)x->w * (uint64_t)x->c * (uint64_t)x->elem_bytes;
        x->dram_addr = at;
        x->dram_frame = (bytes + align - 1) / align * align;
        at += x->dram_frame * (uint64_t)frames;
    }
    p->dram_bytes = at;
}

static dscq_status emitter_create(emitter *e, lowering *l)
{
    const size_t tiles = (size_t)l->p->wtile_count;

    e->l = l;
    e->p = l->p;
    e->page_count = (size_t)(l->m->act_bytes / PAGE + 2);
    e->weight_page_count = (size_t)(l->m->weight_bytes / PAGE + 2);
    e->pages = dscq_calloc(e->page_count, sizeof *e->pages);
    e->weight_pages = dscq_calloc(e->weight_page_count, sizeof *e->weight_pages);
    e->weight_loaded = dscq_calloc(tiles, sizeof *e->weight_loaded);
    e->weight_placed = dscq_calloc(tiles, 1);
    e->stored_count = dscq_calloc((size_t)l->p->tensor_count, sizeof *e->stored_count);
    if (e->pages == NULL || e->weight_pages == NULL || e->weight_loaded == NULL ||
        e->weight_placed == NULL || e->stored_count == NULL)
        return dscq_fail_nomem(l->err, "the emitter", e->page_count * sizeof *e->pages);
    for (size_t i = 0; i < e->page_count; i++)
        e->pages[i].writer = NONE;
    for (size_t i = 0; i < e->weight_page_count; i++)
        e->weight_pages[i].owner = NONE;
    return DSCQ_OK;
}

static void emitter_clear(emitter *e)
{
    for (int32_t t = 0; e->stored_count != NULL && t < e->p->tensor_count; t++)
        dscq_free(e->stored_count[t]);
    dscq_free(e->stored_count);
    dscq_free(e->pages);
    dscq_free(e->weight_pages);
    dscq_free(e->weight_loaded);
    dscq_free(e->weight_placed);
    dscq_free(e->tickets);
    dscq_free(e->store_key);
}

static dscq_status start_frame(emitter *e, int32_t frame)
{
    e->frame = frame;
    for (int32_t t = 0; t < e->p->tensor_count; t++) {
        const size_t rows = (size_t)e->p->tensor[t].h;
        if (!e->p->tensor[t].in_dram)
            continue;
        if (e->stored_count[t] == NULL)
            e->stored_count[t] = dscq_calloc(rows, sizeof **e->stored_count);
        if (e->stored_count[t] == NULL)
            return dscq_fail_nomem(e->l->err, "stored rows", rows * 4);
        memset(e->stored_count[t], 0, rows * sizeof **e->stored_count);
    }
    if (e->l->m->schedule.weights == 1) /* streamed: nothing survives a frame */
        for (size_t i = 0; i < e->weight_page_count; i++)
            e->weight_pages[i].owner = NONE;
    return DSCQ_OK;
}

dscq_status low__emit(lowering *l, int32_t frames)
{
    emitter e = {0};
    spaces v = {0};
    dscq_status status;

    for (int32_t s = 0; s < l->stage_count; s++)
        if (l->stage[s].flow == LOW_GROUPS)
            DSCQ_TRY(low__regroup(l, l->stage[s].first, l->stage[s].last,
                                  l->stage[s].group));
    DSCQ_TRY(emitter_create(&e, l));
    DSCQ_TRY(place_all(&e, &v));
    place_in_dram(l, frames);
    for (int32_t f = 0; f < frames; f++) {
        DSCQ_TRY(start_frame(&e, f));
        for (int32_t s = 0; s < l->stage_count; s++)
            DSCQ_TRY(emit_stage(&e, &v, s));
    }
    deal_tickets(&e);
done:
    emitter_clear(&e);
    dscq_free(v.s);
    return status;
}
