/* A tile of weights for the lanes (how long) and for the data path (what). */
#include "decode.h"

#include "dscq/base/alloc.h"
#include "hw_internal.h"

#include <string.h>

typedef struct decoder {
    const dscq_program *p;
    const dscq_hw_wtile *w;
    const dscq_hw_op *op;
    hw_decoded *out;
    int32_t lanes, depthwise;
    uint16_t *count;    /* [groups * active] entries                         */
    int32_t pairs;      /* of one channel                                    */
    int16_t *plane;     /* [rows of a lane * pairs * 2] weights of one lane   */
    uint32_t *inner_at; /* place of a position in the plane: hw_plane         */
    size_t cap;
    dscq_error *err;
} decoder;

static int32_t rows_of_lane(const decoder *d, int32_t lane)
{
    int32_t n = 0;

    while (n < d->w->rows && d->w->channel[n * d->lanes + lane] >= 0)
        n++;
    return n;
}

/* Columns that are empty in every lane are not broadcast [L6]. */
static dscq_status compact(const decoder *d)
{
    hw_decoded *out = d->out;
    const size_t active = (size_t)out->active;
    const int32_t columns = d->depthwise ? d->w->rows : d->w->columns;

    out->column = dscq_malloc((size_t)columns, sizeof *out->column);
    out->work = dscq_malloc((size_t)columns * active, sizeof *out->work);
    if (out->column == NULL || out->work == NULL)
        return dscq_fail_nomem(d->err, "decoded columns", (size_t)columns * active * 2);
    for (int32_t k = 0; k < columns; k++) {
        const uint16_t *count = d->count + (size_t)k * active;
        uint16_t *work = out->work + (size_t)out->columns * active;
        uint64_t sum = 0, empty = 0;
        for (size_t l = 0; l < active; l++) {
            sum += count[l];
            empty += count[l] == 0;
            work[l] = (uint16_t)(count[l] > 0 ? count[l] * out->entry_cycles : 1);
        }
        const int last_chance = k == columns - 1 && out->columns == 0;
        if (sum == 0 && !last_chance && !d->depthwise)
            continue;
        for (size_t l = 0; d->depthwise && l < active; l++) /* no channel: no lane */
            empty -=
                count[l] == 0 && d->w->channel[(size_t)k * (size_t)d->lanes + l] < 0;
        out->empty += empty;
        out->entries += sum;
        out->column[out->columns++] = k;
    }
    return DSCQ_OK;
}

static dscq_status keep_room(decoder *d, size_t want)
{
    hw_decoded *o = d->out;

    if (want <= d->cap)
        return DSCQ_OK;
    const size_t cap = want > 2 * d->cap ? want : 2 * d->cap;
    void *at = dscq_realloc(o->at, d->cap * 4, cap * 4);
    o->at = at != NULL ? at : o->at;
    void *value = dscq_realloc(o->value, d->cap * 4, cap * 4);
    o->value = value != NULL ? value : o->value;
    if (at == NULL || value == NULL)
        return dscq_fail_nomem(d->err, "decoded weights", cap * 8ULL);
    d->cap = cap;
    return DSCQ_OK;
}

/* The pairs of one lane's plane that are not zero, channel by channel. */
static dscq_status keep_pairs(decoder *d, int32_t lane, int32_t rows)
{
    hw_decoded *o = d->out;
    const size_t pairs = (size_t)d->pairs;
    uint32_t (*squeeze)(uint32_t *, int32_t *, const int16_t *, uint32_t) =
        hw__kernels(0)->squeeze;

    if (keep_room(d, o->pairs + (size_t)rows * pairs + HW_SLACK) != DSCQ_OK)
        return DSCQ_NOMEM;
    for (int32_t r = 0; r < rows; r++) {
        const uint32_t n = squeeze(o->at + o->pairs, o->value + o->pairs,
                                   d->plane + (size_t)r * 2 * pairs, (uint32_t)pairs);
        const size_t place = (size_t)r * (size_t)d->lanes + (size_t)lane;
        o->first[place] = (uint32_t)o->pairs;
        o->pairs += n;
        o->last[place] = (uint32_t)o->pairs;
    }
    return DSCQ_OK;
}

/* Which pairs some channel has: only those are fetched. */
static dscq_status list_pairs(decoder *d)
{
    hw_decoded *o = d->out;
    uint8_t *has = dscq_calloc((size_t)d->pairs, 1);

    o->used = dscq_malloc((size_t)d->pairs, sizeof *o->used);
    if (has == NULL || o->used == NULL) {
        dscq_free(has);
        return dscq_fail_nomem(d->err, "decoded weights", (size_t)d->pairs * 5);
    }
    for (size_t e = 0; e < o->pairs; e++)
        has[o->at[e]] = 1;
    for (int32_t i = 0; i < d->pairs; i++)
        if (has[i])
            o->used[o->used_count++] = (uint32_t)i;
    dscq_free(has);
    return DSCQ_OK;
}

/* The plane of one lane: a row a channel, kernel rows padded to whole pairs in
 * depthwise tiles. */
static dscq_status lay_out(decoder *d, hw_plane *plane)
{
    const int32_t kw = d->op->kernel_w, row_pairs = (kw + 1) / 2;
    const int32_t inner = d->depthwise ? d->w->columns : d->w->rows;
    const size_t places = (size_t)d->w->rows * (size_t)d->lanes;

    d->pairs = d->depthwise ? d->op->kernel_h * row_pairs : (d->w->columns + 1) / 2;
    d->out->row_pairs = row_pairs;
    d->plane = dscq_malloc((size_t)d->w->rows * (size_t)d->pairs, 4);
    d->inner_at = dscq_malloc((size_t)inner, sizeof *d->inner_at);
    d->out->first = dscq_calloc(places, sizeof *d->out->first);
    d->out->last = dscq_calloc(places, sizeof *d->out->last);
    if (d->plane == NULL || d->inner_at == NULL || d->out->first == NULL ||
        d->out->last == NULL)
        return dscq_fail_nomem(d->err, "decoded weights", places * 8ULL);
    for (int32_t i = 0; i < inner; i++)
        d->inner_at[i] = d->depthwise ? (uint32_t)(i / kw * 2 * row_pairs + i % kw)
                                      : (uint32_t)i * (uint32_t)d->pairs * 2;
    plane->value = d->plane; /* a tile has no more pairs than weights */
    if (keep_room(d, d->w->nonzero < places * (size_t)d->pairs
                         ? (size_t)d->w->nonzero
                         : places * (size_t)d->pairs) != DSCQ_OK)
        return DSCQ_NOMEM;
    plane->inner_at = d->inner_at;
    plane->outer_step = d->depthwise ? (size_t)d->pairs * 2 : 1;
    return DSCQ_OK;
}

static dscq_status decode_lanes(decoder *d, int with_values)
{
    const int32_t active = d->out->active;
    hw_plane plane = {.count_step = (size_t)active};
    dscq_status status = DSCQ_OK;

    if (with_values)
        DSCQ_TRY(lay_out(d, &plane));
    for (int32_t l = 0; l < active; l++) {
        const int32_t rows = rows_of_lane(d, l);
        plane.count = d->count + l;
        if (with_values)
            memset(d->plane, 0, (size_t)rows * (size_t)d->pairs * 4);
        if (!hw__decode_lane(&plane, d->w, d->p->image + d->w->dram_addr, l, rows,
                             d->lanes, d->depthwise))
            DSCQ_TRY(dscq_fail(d->err, DSCQ_FORMAT,
                               "program: lane %d of a weight tile of %s ends too early",
                               l, d->op->name));
        if (with_values)
            DSCQ_TRY(keep_pairs(d, l, rows));
    }
    if (with_values)
        DSCQ_TRY(list_pairs(d));
done:
    return status;
}

void hw__decoded_destroy(hw_decoded *d)
{
    if (d == NULL)
        return;
    dscq_free(d->column);
    dscq_free(d->work);
    dscq_free(d->first);
    dscq_free(d->last);
    dscq_free(d->at);
    dscq_free(d->value);
    dscq_free(d->used);
    dscq_free(d);
}

uint64_t hw__paired(const hw_decoded *d, const dscq_machine *m, uint64_t pixels,
                    int32_t vector)
{
    const uint64_t v = (uint64_t)vector, full = pixels / v, rest = pixels % v;

    if (!m->int8_pairs || d->is_wide)
        return 0;
    return full * (v & ~UINT64_C(1)) + (rest & ~UINT64_C(1));
}

void hw__count_tile(dscq_counters *c, const dscq_hw_wtile *t, const hw_decoded *d,
                    uint64_t vectors, uint64_t vector, uint64_t pixels)
{
    const uint64_t channels = (uint64_t)t->m_count, slots = vectors * vector;
    const uint64_t dense = (uint64_t)t->columns * channels * pixels;
    const uint64_t bits = d->entries * (uint64_t)t->bits + channels * DSCQ_CHANNEL_BITS;

    c->mult_compute += d->nonzero * pixels;
    c->mult_filler += (d->entries - d->nonzero) * pixels;
    c->mult_pixel_tail += d->entries * (slots - pixels);
    c->mult_split += d->entries * (uint64_t)(d->entry_cycles - 1) * slots;
    c->mult_empty += d->empty * slots;
    c->mac_dense += dense;
    /* [L4] */
    c->mac_done += d->entries * pixels;
    c->mac_skipped += dense - d->entries * pixels;
    c->acc_updates += d->entries * pixels;
    c->entries += d->entries * vectors;
    c->codebook_reads += d->entries * vectors;
    c->weight_read_bytes += (vectors * bits + 7) / 8;
}

dscq_status hw__decode(hw_decoded **out, const dscq_program *p, const dscq_hw_wtile *w,
                       int32_t entry_cycles, int with_values, dscq_error *err)
{
    decoder d = {.p = p, .w = w, .op = &p->op[w->op], .err = err};
    dscq_status status = DSCQ_OK;

    *out = NULL;
    d.lanes = d.op->lanes;
    d.depthwise = d.op->mode == DSCQ_HW_DEPTHWISE;
    if (w->bits < 1 || w->bits > 16 || w->gap_bits < 0 || w->gap_bits > 32)
        return dscq_fail(err, DSCQ_FORMAT,
                         "program: weights of %s have codes of %d and runs of %d bits",
                         d.op->name, w->bits, w->gap_bits);
    d.out = dscq_calloc(1, sizeof *d.out);
    if (d.out == NULL)
        return dscq_fail_nomem(err, "decoded weights", sizeof *d.out);
    d.out->active = w->m_count < d.lanes ? w->m_count : d.lanes;
    d.out->nonzero = w->nonzero;
    d.out->entry_cycles = entry_cycles;
    d.out->is_wide = dscq_hw_wtile_is_wide(p, w);
    const size_t groups = (size_t)(d.depthwise ? w->rows : w->columns);
    d.count = dscq_calloc(groups * (size_t)d.out->active, sizeof *d.count);
    if (d.count == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "decoded weights", groups * 64));
    DSCQ_TRY(decode_lanes(&d, with_values));
    DSCQ_TRY(compact(&d));
    if (d.out->entries != w->entries)
        DSCQ_TRY(dscq_fail(err, DSCQ_FORMAT,
                           "program: a weight tile of %s holds %llu entries, not %llu",
                           d.op->name, (unsigned long long)d.out->entries,
                           (unsigned long long)w->entries));
    d.out->bytes = groups * (size_t)d.out->active * 2 + d.cap * 8 + 256;
    *out = d.out;
    d.out = NULL;
done:
    hw__decoded_destroy(d.out);
    dscq_free(d.count);
    dscq_free(d.plane);
    dscq_free(d.inner_at);
    return status;
}
