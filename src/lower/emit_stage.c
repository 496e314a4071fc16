/* A stage as commands: bands, tiles outermost, strips of columns. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- stages ------------------------------------------------------------- */

low_slot *lower__slot_of(low_emitter *e, int32_t tensor)
{
    for (int32_t i = 0; i < e->slot_count; i++)
        if (e->slots[i].tensor == tensor)
            return &e->slots[i];
    assert(0 && "no ring for a tensor");
    return NULL;
}

dscq_status lower__open_rings(low_emitter *e, const low_spaces *v, int32_t at,
                              const low_bands *b)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    dscq_status status = DSCQ_OK;

    e->slot_count = 0;
    for (int32_t i = 0; i < b->count; i++) {
        const int32_t t = b->tensor[i];
        const dscq_hw_tensor *x = &l->p->tensor[t];
        low_slot *n = &e->slots[e->slot_count++];
        dscq_hw_ring r;
        *n = (low_slot){t, LOWER_NONE, 0, 0, 0};
        if (!l->tensor[t].stays && s->flow != LOW_BANDS && t == l->p->op[s->first].out)
            continue; /* regions in turn */
        if (l->tensor[t].stays) {
            r = lower__ring_shape(l, t, x->h, 0, x->w);
            r.base = lower__base_of(v, t, LOWER_NONE, 0);
        } else {
            r = lower__ring_shape(l, t, lower__rows_of(l, s, b, i), 0, x->w);
            r.base = lower__base_of(v, t, at, 0);
        }
        DSCQ_TRY(lower__new_ring(e, &r, &n->ring));
    }
done:
    return status;
}

int lower__comes_from_dram(const lowering *l, int32_t t, const low_stage *s)
{
    const low_tensor *x = &l->tensor[t];

    return !x->stays && (x->is_input || x->first_op < s->first);
}

/* Rows [lo, hi) of a loaded tensor are there when the next compute command reads them.
 */
static dscq_status ensure(low_emitter *e, int32_t op, low_slot *s, int32_t lo,
                          int32_t hi)
{
    const int32_t rows = e->p->ring[s->ring].rows;
    dscq_status status = DSCQ_OK;

    if (lo >= hi || (lo >= s->have_lo && hi <= s->have_hi))
        return DSCQ_OK;
    if (lo > s->have_hi || hi < s->have_lo || s->have_lo == s->have_hi) {
        DSCQ_TRY(lower__emit_load(e, op, s->ring, lo, hi));
        s->have_lo = lo;
        s->have_hi = hi;
        return DSCQ_OK;
    }
    if (hi > s->have_hi) {
        DSCQ_TRY(lower__emit_load(e, op, s->ring, s->have_hi, hi));
        s->have_hi = hi;
        s->have_lo = dscq_max32(s->have_lo, hi - rows);
    }
    if (lo < s->have_lo) {
        DSCQ_TRY(lower__emit_load(e, op, s->ring, lo, s->have_lo));
        s->have_lo = lo;
        s->have_hi = dscq_min32(s->have_hi, lo + rows);
    }
done:
    return status;
}

static low_job job_of(low_emitter *e, int32_t op)
{
    const dscq_hw_op *o = &e->p->op[op];
    low_job j = {
        .op = op, .wtile = LOWER_NONE, .ring_out = lower__slot_of(e, o->out)->ring};

    for (int32_t i = 0; i < o->in_count; i++)
        j.ring_in[i] = lower__slot_of(e, o->in[i])->ring;
    return j;
}

/* May this operation's commands end inside a row? Only when nothing is dropped. */
static int whole_rings(low_emitter *e, int32_t op)
{
    const dscq_hw_op *o = &e->p->op[op];
    const low_job j = job_of(e, op);

    if (o->mode != DSCQ_HW_BROADCAST || j.ring_out < 0 ||
        e->p->ring[j.ring_out].rows < e->p->tensor[o->out].h)
        return 0;
    for (int32_t i = 0; i < o->in_count; i++)
        if (e->p->ring[j.ring_in[i]].rows < e->p->tensor[o->in[i]].h)
            return 0;
    return 1;
}

static int32_t pixel_end(const low_emitter *e, int32_t op, int32_t rows, int by_vector)
{
    const dscq_hw_op *o = &e->p->op[op];
    const dscq_hw_tensor *y = &e->p->tensor[o->out];
    const int32_t p = rows * y->w;

    return by_vector && rows < y->h ? p / o->vector * o->vector : p;
}

/* Rows [lo, hi) of every input that comes from DRAM. */
static dscq_status ensure_inputs(low_emitter *e, const low_stage *s, int32_t op,
                                 int32_t a, int32_t b)
{
    const dscq_hw_op *o = &e->p->op[op];
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < o->in_count; i++) {
        int32_t lo, hi;
        if (!lower__comes_from_dram(e->l, o->in[i], s))
            continue;
        lower__rows(e->p, op, i, a, b, &lo, &hi);
        DSCQ_TRY(ensure(e, op, lower__slot_of(e, o->in[i]), lo, hi));
    }
done:
    return status;
}

static dscq_status store_rows(low_emitter *e, const low_stage *s, int32_t op,
                              int32_t rows)
{
    const int32_t t = e->p->op[op].out;
    low_slot *x = lower__slot_of(e, t);
    dscq_status status = DSCQ_OK;

    if (!e->p->tensor[t].in_dram || !lower__moves_through_dram(e->l, t, s))
        return DSCQ_OK;
    /* the last writer of a joined tensor stores it */
    if (op < s->last && e->p->op[op + 1].out == t)
        return DSCQ_OK;
    DSCQ_TRY(lower__emit_store(e, op, x->ring, x->stored, rows));
    x->stored = dscq_max32(x->stored, rows);
done:
    return status;
}

dscq_status lower__emit_bands(low_emitter *e, const low_stage *s, const low_bands *b)
{
    const int32_t n = b->bands + 1;
    const int single = s->first == s->last;
    dscq_status status = DSCQ_OK;

    for (int32_t k = 1; k <= b->bands; k++)
        for (int32_t op = s->first; op <= s->last; op++) {
            const int32_t y = lower__bands_find(b, e->p->op[op].out);
            const int32_t a = b->end[y * n + k - 1], z = b->end[y * n + k];
            const int by_vector = single && whole_rings(e, op);
            low_job j = job_of(e, op);
            if (z <= a)
                continue;
            DSCQ_TRY(ensure_inputs(e, s, op, a, z));
            j.first = pixel_end(e, op, a, by_vector);
            j.last = pixel_end(e, op, z, by_vector);
            DSCQ_TRY(lower__emit_all_tiles(e, j, e->l->scan && k % 2 == 0 && !s->kept));
            DSCQ_TRY(store_rows(e, s, op, j.last / e->p->tensor[e->p->op[op].out].w));
        }
done:
    return status;
}

/* Tiles outermost: the whole input stays, or streams again for every tile. */
dscq_status lower__emit_tiles_first(low_emitter *e, const low_spaces *v, int32_t at,
                                    const low_bands *b)
{
    const low_stage *s = &e->l->stage[at];
    const int32_t op = s->first, t = e->p->op[op].out, n = b->bands + 1;
    const int stays = e->l->tensor[t].stays;
    const int32_t y = lower__bands_find(b, t), w = e->p->tensor[t].w;
    int32_t turn = 0;
    dscq_status status = DSCQ_OK;

    for (int32_t tile = 0; tile < lower__tiles_of(e, op); tile++) {
        const int backwards = e->l->scan && tile % 2 == 1;
        for (int32_t i = 1; i <= b->bands; i++) {
            const int32_t k = backwards ? b->bands + 1 - i : i;
            const int32_t a = b->end[y * n + k - 1], z = b->end[y * n + k];
            low_job j = job_of(e, op);
            const dscq_hw_wtile *x = &e->p->wtile[e->l->op[op].wtile_first + tile];
            if (z <= a)
                continue;
            if (!stays) {
                dscq_hw_ring r = lower__ring_shape(
                    e->l, t, lower__band_rows(e->l, t, s->bands), 0, w);
                r.c0 = x->m_first;
                r.c_count = x->m_count;
                r.base = lower__base_of(v, t, at, turn++ % 2);
                DSCQ_TRY(lower__new_ring(e, &r, &j.ring_out));
            }
            DSCQ_TRY(ensure_inputs(e, s, op, a, z));
            j.first = a * w;
            j.last = z * w;
            DSCQ_TRY(lower__emit_tile(e, j, tile));
            if (e->p->tensor[t].in_dram && lower__moves_through_dram(e->l, t, s))
                DSCQ_TRY(lower__emit_store(e, op, j.ring_out, a, z));
        }
    }
done:
    return status;
}

static dscq_status strip_ring(low_emitter *e, const low_spaces *v, int32_t at,
                              int32_t i, const int32_t cols[2], const int32_t chan[2],
                              int32_t *out)
{
    const lowering *l = e->l;
    const low_stage *s = &l->stage[at];
    const dscq_hw_op *op = &l->p->op[s->first];
    const int32_t t = i < 0 ? op->out : op->in[i];
    int32_t rows, width, lo = cols[0], hi = cols[1];

    lower__strip_size(l, s, i, &rows, &width);
    if (i >= 0)
        lower__columns(l->p, s->first, i, cols[0], cols[1], &lo, &hi);
    if (hi <= lo) { /* a strip that sees only padding: hold any column */
        lo = dscq_min32(lo, l->p->tensor[t].w - 1);
        hi = lo + 1;
    }
    dscq_hw_ring r = lower__ring_shape(l, t, rows, lo, hi - lo);
    if (s->chan > 0) {
        r.c0 = chan[0];
        r.c_count = chan[1] - chan[0];
    }
    r.base = lower__base_of(v, t, at, 0);
    return lower__new_ring(e, &r, out);
}

static dscq_status emit_strip(low_emitter *e, const low_spaces *v, int32_t at,
                              const int32_t cols[2], const int32_t chan[2])
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_op *op = &e->p->op[s->first];
    const int32_t h = e->p->tensor[op->out].h, w = cols[1] - cols[0];
    const int32_t step = lower__band_rows(e->l, op->out, s->bands);
    dscq_status status = DSCQ_OK;

    e->slot_count = 0;
    for (int32_t i = -1; i < op->in_count; i++) {
        low_slot *n = &e->slots[e->slot_count++];
        *n = (low_slot){i < 0 ? op->out : op->in[i], LOWER_NONE, 0, 0, 0};
        DSCQ_TRY(strip_ring(e, v, at, i, cols, chan, &n->ring));
    }
    for (int32_t a = 0; a < h; a += step) {
        const int32_t z = dscq_min32(a + step, h);
        low_job j = job_of(e, s->first);
        DSCQ_TRY(ensure_inputs(e, s, s->first, a, z));
        j.first = a * w;
        j.last = z * w;
        DSCQ_TRY(lower__emit_all_tiles(e, j, 0));
        if (e->p->tensor[op->out].in_dram)
            DSCQ_TRY(lower__emit_store(e, s->first, j.ring_out, a, z));
    }
done:
    return status;
}

dscq_status lower__emit_strips(low_emitter *e, const low_spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_tensor *y = &e->p->tensor[e->p->op[s->first].out];
    const int32_t step = s->chan > 0 ? s->chan : y->c;
    dscq_status status = DSCQ_OK;

    for (int32_t c = 0; c < y->c; c += step)
        for (int32_t x = 0; x < y->w; x += s->strip) {
            const int32_t cols[2] = {x, dscq_min32(x + s->strip, y->w)};
            const int32_t chan[2] = {c, dscq_min32(c + step, y->c)};
            DSCQ_TRY(emit_strip(e, v, at, cols, chan));
        }
done:
    return status;
}
