/* Where rings lie in the activation buffer. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Space of the activation buffer: pieces with lifetimes in stages, placed largest first
 * at the lowest address that is free all their life. */
static dscq_status add_space(low_emitter *e, low_spaces *v, low_space s)
{
    if (v->count == v->cap) {
        const size_t cap = v->cap == 0 ? 128 : 2 * v->cap;
        low_space *n = dscq_realloc(v->s, v->cap * sizeof *n, cap * sizeof *n);
        if (n == NULL)
            return dscq_fail_nomem(e->l->err, "buffer places", cap * sizeof *n);
        v->s = n;
        v->cap = cap;
    }
    s.bytes = in_pages(s.bytes);
    v->s[v->count++] = s;
    return DSCQ_OK;
}

static int larger(const void *a, const void *b)
{
    const low_space *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->tensor != y->tensor)
        return x->tensor < y->tensor ? -1 : 1;
    return x->part - y->part;
}

static int overlap(const low_space *a, const low_space *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* 1 when everything found a place. */
static int place_spaces(low_spaces *v, int64_t room, int64_t *peak)
{
    if (v->count > 0)
        qsort(v->s, v->count, sizeof *v->s, larger);
    *peak = 0;
    for (size_t i = 0; i < v->count; i++) {
        low_space *s = &v->s[i];
        int64_t at = 0;
        for (int moved = 1; moved;) {
            moved = 0;
            for (size_t k = 0; k < i; k++) {
                const low_space *o = &v->s[k];
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

int32_t lower__stage_of(const lowering *l, int32_t op)
{
    for (int32_t s = 0; s < l->stage_count; s++)
        if (op >= l->stage[s].first && op <= l->stage[s].last)
            return s;
    return LOWER_NONE;
}

int lower__moves_through_dram(const lowering *l, int32_t t, const low_stage *s)
{
    const low_tensor *x = &l->tensor[t];
    const int made = !x->is_input && x->first_op >= s->first;

    return !made || x->is_output || x->last_op > s->last;
}

int32_t lower__band_rows(const lowering *l, int32_t tensor, int32_t bands)
{
    return ceil_div(l->p->tensor[tensor].h, bands);
}

/* Rows of a stage ring: the need, and a band more where DRAM is on the other side. */
int32_t lower__rows_of(const lowering *l, const low_stage *s, const low_bands *b,
                       int32_t i)
{
    const int32_t t = b->tensor[i], h = l->p->tensor[t].h;
    int32_t rows = b->ring_rows[i];

    if (s->flow == LOW_FEATURES && t != l->p->op[s->first].out)
        return h;
    if (lower__moves_through_dram(l, t, s))
        rows += lower__band_rows(l, t, s->bands);
    return dscq_min32(rows, h);
}

/* Largest window of strip columns and rows of input i (or the output, i < 0). */
void lower__strip_size(const lowering *l, const low_stage *s, int32_t i, int32_t *rows,
                       int32_t *width)
{
    const dscq_hw_op *op = &l->p->op[s->first];
    const dscq_hw_tensor *y = &l->p->tensor[op->out];
    const int32_t band = lower__band_rows(l, op->out, s->bands);
    int32_t lo, hi;

    *rows = i < 0 ? band : 1;
    *width = i < 0 ? dscq_min32(s->strip, y->w) : 1;
    for (int32_t a = 0; i >= 0 && a < y->h; a += band) {
        lower__rows(l->p, s->first, i, a, dscq_min32(a + band, y->h), &lo, &hi);
        *rows = dscq_max32(*rows, hi - lo);
    }
    for (int32_t a = 0; i >= 0 && a < y->w; a += s->strip) {
        lower__columns(l->p, s->first, i, a, dscq_min32(a + s->strip, y->w), &lo, &hi);
        *width = dscq_max32(*width, hi - lo);
    }
}

static dscq_status spaces_of_strip(low_emitter *e, low_spaces *v, int32_t at)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    const dscq_hw_op *op = &l->p->op[s->first];
    dscq_status status = DSCQ_OK;

    for (int32_t i = -1; i < op->in_count; i++) {
        const int32_t t = i < 0 ? op->out : op->in[i];
        const int32_t chan = s->chan > 0 ? s->chan : l->p->tensor[t].c;
        int32_t rows, width;
        lower__strip_size(l, s, i, &rows, &width);
        DSCQ_TRY(
            add_space(e, v,
                      (low_space){.bytes = lower__ring_bytes(l, t, rows, width, chan),
                                  .from = at,
                                  .to = at,
                                  .tensor = t,
                                  .stage = at}));
    }
done:
    return status;
}

/* A block in groups: inputs whole, the middle a group wide, the output in bands. */
static dscq_status spaces_of_groups(low_emitter *e, low_spaces *v, int32_t at)
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
            const int32_t rows =
                t == op[s->last].out ? lower__group_out_rows(l, t) : x->h;
            DSCQ_TRY(
                add_space(e, v,
                          (low_space){.bytes = lower__ring_bytes(
                                          l, t, rows, x->w, middle ? s->group : x->c),
                                      .from = at,
                                      .to = at,
                                      .tensor = t,
                                      .stage = at}));
        }
done:
    return status;
}

static dscq_status spaces_of_stage(low_emitter *e, low_spaces *v, int32_t at)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    low_bands b = {0};
    dscq_status status;

    if (s->strip > 0)
        return spaces_of_strip(e, v, at);
    if (s->flow == LOW_GROUPS)
        return spaces_of_groups(e, v, at);
    DSCQ_TRY(lower__bands_make(&b, l, s->first, s->last, s->bands, l->err));
    for (int32_t i = 0; i < b.count; i++) {
        const int32_t t = b.tensor[i];
        const dscq_hw_tensor *x = &l->p->tensor[t];
        low_space n = {.from = at, .to = at, .tensor = t, .stage = at};
        if (l->tensor[t].stays)
            continue;
        if (s->flow != LOW_BANDS && t == l->p->op[s->first].out) {
            n.bytes = lower__ring_bytes(l, t, lower__band_rows(l, t, s->bands), x->w,
                                        lower__widest_tile(l, s->first));
            DSCQ_TRY(add_space(e, v, n)); /* two, used in turn */
            n.part = 1;
            DSCQ_TRY(add_space(e, v, n));
            continue;
        }
        n.bytes = lower__ring_bytes(l, t, lower__rows_of(l, s, &b, i), x->w, x->c);
        DSCQ_TRY(add_space(e, v, n));
    }
done:
    lower__bands_clear(&b);
    return status;
}

dscq_status lower__place_all(low_emitter *e, low_spaces *v)
{
    lowering *l = e->l;
    dscq_status status = DSCQ_OK;

    for (int32_t t = 0; t < l->p->tensor_count; t++) {
        const low_tensor *x = &l->tensor[t];
        const dscq_hw_tensor *h = &l->p->tensor[t];
        if (x->stays)
            DSCQ_TRY(add_space(
                e, v,
                (low_space){.bytes = lower__ring_bytes(l, t, h->h, h->w, h->c),
                            .from = lower__stage_of(l, x->first_op),
                            .to = lower__stage_of(l, x->last_op),
                            .tensor = t,
                            .stage = LOWER_NONE}));
    }
    for (int32_t s = 0; s < l->stage_count; s++)
        DSCQ_TRY(spaces_of_stage(e, v, s));
    if (!place_spaces(v, l->m->act_bytes, &l->p->act_peak_bytes))
        status = DSCQ_ARG; /* the caller plans again with less room */
done:
    return status;
}

int64_t lower__base_of(const low_spaces *v, int32_t tensor, int32_t stage, int32_t part)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->s[i].tensor == tensor && v->s[i].stage == stage && v->s[i].part == part)
            return v->s[i].base;
    assert(0 && "a ring without a place");
    return 0;
}

dscq_hw_ring lower__ring_shape(const lowering *l, int32_t t, int32_t rows, int32_t x0,
                               int32_t width)
{
    dscq_hw_ring r;

    memset(&r, 0, sizeof r);
    r.tensor = t;
    r.rows = rows;
    r.x0 = x0;
    r.width = width;
    r.c_count = l->p->tensor[t].c;
    r.line_bytes = lower__line_bytes(l, t, width);
    return r;
}
