/* Rows of a fused stage, band by band: what every tensor must hold for the stage's
 * outputs to advance, and so how many rows its ring needs. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <string.h>

int32_t lower__bands_find(const low_bands *b, int32_t tensor)
{
    for (int32_t i = 0; i < b->count; i++)
        if (b->tensor[i] == tensor)
            return i;
    return -1;
}

static int add_tensor(low_bands *b, int32_t tensor)
{
    if (lower__bands_find(b, tensor) >= 0)
        return 1;
    if (b->count == LOWER_STAGE_MAX * 4)
        return 0;
    b->tensor[b->count++] = tensor;
    return 1;
}

void lower__bands_clear(low_bands *b)
{
    dscq_free(b->end);
    dscq_free(b->low);
    b->end = b->low = NULL;
}

/* Is the tensor wanted beyond the stage? Then it advances by its own share. */
static int leaves(const lowering *l, int32_t tensor, int32_t last)
{
    return l->tensor[tensor].is_output || l->tensor[tensor].last_op > last;
}

static int consumed_inside(const lowering *l, int32_t tensor, int32_t first,
                           int32_t last)
{
    for (int32_t o = first; o <= last; o++)
        for (int32_t i = 0; i < l->p->op[o].in_count; i++)
            if (l->p->op[o].in[i] == tensor)
                return 1;
    return 0;
}

/* `end` after each band: sinks by share, the rest by what their consumers need. */
static void fill_ends(low_bands *b, const lowering *l, int32_t first, int32_t last)
{
    const int32_t n = b->bands + 1;

    memset(b->end, 0, (size_t)b->count * (size_t)n * sizeof *b->end);
    for (int32_t i = 0; i < b->count; i++) {
        const int32_t t = b->tensor[i], h = l->p->tensor[t].h;
        const int produced = l->tensor[t].first_op >= first;
        if (!produced || !(leaves(l, t, last) || !consumed_inside(l, t, first, last)))
            continue;
        for (int32_t s = 1; s <= b->bands; s++)
            b->end[i * n + s] = (int32_t)(((int64_t)h * s + b->bands - 1) / b->bands);
    }
    for (int32_t o = last; o >= first; o--) {
        const dscq_hw_op *op = &l->p->op[o];
        const int32_t y = lower__bands_find(b, op->out);
        /* rows that nobody reads are computed all the same: it is the workload */
        b->end[y * n + b->bands] = l->p->tensor[op->out].h;
        for (int32_t i = 0; i < op->in_count; i++) {
            const int32_t x = lower__bands_find(b, op->in[i]);
            for (int32_t s = 1; s <= b->bands; s++) {
                int32_t lo, hi;
                if (b->end[y * n + s] == 0)
                    continue;
                lower__rows(l->p, o, i, 0, b->end[y * n + s], &lo, &hi);
                b->end[x * n + s] = dscq_max32(b->end[x * n + s], hi);
            }
        }
    }
}

/* Lowest row that the band s (from 1) or a later one still reads or writes. */
static void fill_lows(low_bands *b, const lowering *l, int32_t first, int32_t last)
{
    const int32_t n = b->bands + 1;

    for (int32_t i = 0; i < b->count; i++)
        for (int32_t s = 1; s <= b->bands; s++)
            b->low[i * n + s] = b->end[i * n + s - 1];
    for (int32_t o = first; o <= last; o++) {
        const dscq_hw_op *op = &l->p->op[o];
        const int32_t y = lower__bands_find(b, op->out), h = l->p->tensor[op->out].h;
        for (int32_t i = 0; i < op->in_count; i++) {
            const int32_t x = lower__bands_find(b, op->in[i]);
            for (int32_t s = 1; s <= b->bands; s++) {
                const int32_t from = b->end[y * n + s - 1];
                int32_t lo, hi;
                if (from >= h)
                    continue;
                lower__rows(l->p, o, i, from, from + 1, &lo, &hi);
                if (lo < b->low[x * n + s])
                    b->low[x * n + s] = lo;
            }
        }
    }
}

dscq_status lower__bands_make(low_bands *b, const lowering *l, int32_t first,
                              int32_t last, int32_t bands, dscq_error *err)
{
    memset(b, 0, sizeof *b);
    b->bands = bands;
    for (int32_t o = first; o <= last; o++) {
        int ok = add_tensor(b, l->p->op[o].out);
        for (int32_t i = 0; i < l->p->op[o].in_count; i++)
            ok &= add_tensor(b, l->p->op[o].in[i]);
        if (!ok)
            return dscq_fail(err, DSCQ_INTERNAL, "a stage of more than %d tensors",
                             LOWER_STAGE_MAX * 4);
    }
    const size_t cells = (size_t)b->count * (size_t)(bands + 1);
    b->end = dscq_calloc(cells, sizeof *b->end);
    b->low = dscq_calloc(cells, sizeof *b->low);
    if (b->end == NULL || b->low == NULL) {
        lower__bands_clear(b);
        return dscq_fail_nomem(err, "band rows", cells * 8);
    }
    fill_ends(b, l, first, last);
    fill_lows(b, l, first, last);
    for (int32_t i = 0; i < b->count; i++) {
        int32_t rows = 1;
        for (int32_t s = 1; s <= bands; s++)
            rows = dscq_max32(rows, b->end[i * (bands + 1) + s] -
                                        b->low[i * (bands + 1) + s]);
        b->ring_rows[i] = rows;
    }
    return DSCQ_OK;
}
