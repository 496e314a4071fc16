/* Lane streams back into entries: docs/accelerator.md section 4, rules W1..W6. Bits
 * are taken from the low end of each byte. A stream is trusted no further than its
 * lengths: reading beyond a lane's end is DSCQ_FORMAT. */
#include "dscq/base/alloc.h"
#include "hw_internal.h"

#include <string.h>

typedef struct bits {
    const uint8_t *at;
    uint64_t pos, end; /* in bits */
    int bad;
} bits;

static inline uint32_t take(bits *b, int32_t n)
{
    uint64_t word = 0;

    if (b->pos + (uint64_t)n > b->end) {
        b->bad = 1;
        return 0;
    }
    const uint64_t byte = b->pos / 8;
    const uint64_t left = (b->end + 7) / 8 - byte;
    if (left >= 8)
        memcpy(&word, b->at + byte, 8);
    else
        memcpy(&word, b->at + byte, (size_t)left);
    const uint32_t v = (uint32_t)(word >> (b->pos % 8)) & (uint32_t)((1ULL << n) - 1);
    b->pos += (uint64_t)n;
    return v;
}

/* One lane's entries in stream order. */
typedef struct lane_list {
    uint32_t *pos; /* k * rows + row, or row * taps + tap (depthwise) */
    int16_t *value;
    size_t count, cap;
} lane_list;

typedef struct decoder {
    const dscq_program *p;
    const dscq_hw_wtile *w;
    const dscq_hw_op *op;
    int32_t lanes, active, depthwise;
    lane_list list;
    dscq_error *err;
} decoder;

static dscq_status append(decoder *d, uint32_t pos, int32_t value)
{
    lane_list *l = &d->list;

    if (l->count == l->cap) {
        const size_t cap = l->cap == 0 ? 4096 : 2 * l->cap;
        uint32_t *pos_new =
            dscq_realloc(l->pos, l->cap * sizeof *l->pos, cap * sizeof *l->pos);
        if (pos_new != NULL)
            l->pos = pos_new;
        int16_t *value_new =
            dscq_realloc(l->value, l->cap * sizeof *l->value, cap * sizeof *l->value);
        if (value_new != NULL)
            l->value = value_new;
        if (pos_new == NULL || value_new == NULL)
            return dscq_fail_nomem(d->err, "decoded weights", cap * 6ULL);
        l->cap = cap;
    }
    l->pos[l->count] = pos;
    l->value[l->count++] = (int16_t)value;
    return DSCQ_OK;
}

static int32_t value_of(const dscq_hw_wtile *w, uint32_t code)
{
    if (!w->is_linear)
        return w->codebook[code & 255];
    const uint32_t sign = 1u << (w->bits - 1);
    return (int32_t)(code ^ sign) - (int32_t)sign;
}

static int32_t rows_of_lane(const decoder *d, int32_t lane)
{
    int32_t n = 0;

    while (n < d->w->rows && d->w->channel[n * d->lanes + lane] >= 0)
        n++;
    return n;
}

static dscq_status lane_dense(decoder *d, bits *b, uint32_t positions)
{
    dscq_status status = DSCQ_OK;

    for (uint32_t i = 0; i < positions && !b->bad; i++)
        DSCQ_TRY(append(d, i, value_of(d->w, take(b, d->w->bits))));
done:
    return status;
}

static dscq_status lane_bitmap(decoder *d, bits *b, uint32_t positions, uint32_t group)
{
    dscq_status status = DSCQ_OK;

    for (uint32_t i = 0; i < positions && !b->bad; i += group) {
        bits map = *b; /* `group` mask bits, then the codes of those that are set */
        b->pos += group;
        if (b->pos > b->end)
            b->bad = 1;
        for (uint32_t j = 0; j < group && !b->bad; j += 32) {
            const uint32_t n = group - j < 32 ? group - j : 32;
            uint32_t mask = take(&map, (int32_t)n);
            for (uint32_t at = 0; mask != 0; at++, mask >>= 1)
                if (mask & 1)
                    DSCQ_TRY(
                        append(d, i + j + at, value_of(d->w, take(b, d->w->bits))));
        }
    }
done:
    return status;
}

static dscq_status lane_gap(decoder *d, bits *b, uint32_t positions)
{
    const uint32_t entries = take(b, 32);
    uint64_t pos = 0;
    dscq_status status = DSCQ_OK;

    for (uint32_t e = 0; e < entries && !b->bad; e++) {
        pos += take(b, d->w->gap_bits);
        const uint32_t code = take(b, d->w->bits);
        if (pos >= positions) {
            b->bad = 1;
            break;
        }
        DSCQ_TRY(append(d, (uint32_t)pos++, value_of(d->w, code)));
    }
done:
    return status;
}

static dscq_status lane_binary(decoder *d, bits *b, int32_t lane, int32_t rows)
{
    const dscq_hw_wtile *w = d->w;
    const int32_t blocks = (w->columns + w->block - 1) / w->block;
    bits flags = *b;
    dscq_status status = DSCQ_OK;

    b->pos += (uint64_t)blocks * (uint64_t)rows;
    const uint64_t flags_at = flags.pos;
    if (b->pos > b->end)
        b->bad = 1;
    for (int32_t i = 0; i < w->columns * rows && !b->bad; i++) {
        const int32_t row = d->depthwise ? i / w->columns : i % rows;
        const int32_t k = d->depthwise ? i % w->columns : i / rows;
        flags.pos = flags_at + (uint64_t)(row * blocks + k / w->block);
        const int32_t level = w->level[w->channel[row * d->lanes + lane] - w->m_first];
        int32_t v;
        if (take(&flags, 1))
            v = (int8_t)(uint8_t)take(b, 8);
        else
            v = take(b, 1) ? -level : level;
        DSCQ_TRY(append(d, (uint32_t)i, v));
    }
done:
    return status;
}

static dscq_status decode_lane(decoder *d, int32_t lane)
{
    const dscq_hw_wtile *w = d->w;
    const uint8_t *stream = d->p->image + w->dram_addr;
    bits b = {stream + w->lane_offset[lane], 0,
              8ULL * (w->lane_offset[lane + 1] - w->lane_offset[lane]), 0};
    const int32_t rows = rows_of_lane(d, lane);
    const uint32_t positions = (uint32_t)rows * (uint32_t)w->columns;
    const uint32_t group = (uint32_t)(d->depthwise ? w->columns : rows);
    dscq_status status = DSCQ_OK;

    d->list.count = 0;
    if (rows == 0)
        return DSCQ_OK;
    switch (w->kind) {
    case DSCQ_STREAM_DENSE:
        status = lane_dense(d, &b, positions);
        break;
    case DSCQ_STREAM_BITMAP:
        status = lane_bitmap(d, &b, positions, group);
        break;
    case DSCQ_STREAM_GAP:
        status = lane_gap(d, &b, positions);
        break;
    default:
        status = lane_binary(d, &b, lane, rows);
        break;
    }
    if (status == DSCQ_OK && b.bad)
        return dscq_fail(d->err, DSCQ_FORMAT,
                         "program: lane %d of a weight tile of %s ends too early", lane,
                         d->op->name);
    return status;
}

/* Everything of one tile before columns are compacted. */
typedef struct raw {
    uint16_t *count; /* [columns * active] or [rows * active] */
    uint32_t *place, *k;
    int16_t *value;
    size_t entries, cap;
} raw;

static dscq_status keep_lane(raw *r, decoder *d, int32_t lane, int with_values)
{
    const int32_t rows = rows_of_lane(d, lane), taps = d->w->columns;
    const size_t want = r->entries + d->list.count;

    if (with_values && want > r->cap) {
        const size_t cap = want > 2 * r->cap ? want : 2 * r->cap;
        void *p0 = dscq_realloc(r->place, r->cap * 4, cap * 4);
        r->place = p0 != NULL ? p0 : r->place;
        void *p1 = dscq_realloc(r->k, r->cap * 4, cap * 4);
        r->k = p1 != NULL ? p1 : r->k;
        void *p2 = dscq_realloc(r->value, r->cap * 2, cap * 2);
        r->value = p2 != NULL ? p2 : r->value;
        if (p0 == NULL || p1 == NULL || p2 == NULL)
            return dscq_fail_nomem(d->err, "decoded weights", cap * 10ULL);
        r->cap = cap;
    }
    for (size_t e = 0; e < d->list.count; e++) {
        const uint32_t pos = d->list.pos[e];
        const uint32_t row = d->depthwise ? pos / (uint32_t)taps : pos % (uint32_t)rows;
        const uint32_t k = d->depthwise ? pos % (uint32_t)taps : pos / (uint32_t)rows;
        r->count[(size_t)(d->depthwise ? row : k) * (size_t)d->active + (size_t)lane]++;
        if (with_values && d->list.value[e] != 0) {
            r->place[r->entries] = row * (uint32_t)d->lanes + (uint32_t)lane;
            r->k[r->entries] = k;
            r->value[r->entries++] = d->list.value[e];
        }
    }
    return DSCQ_OK;
}

/* Columns that are empty in every lane are not broadcast (rule L6). */
static dscq_status compact(hw_decoded *out, const decoder *d, raw *r, int32_t *at)
{
    const size_t active = (size_t)d->active;
    const int32_t columns = d->depthwise ? d->w->rows : d->w->columns;

    out->column = dscq_malloc((size_t)columns, sizeof *out->column);
    out->work = dscq_malloc((size_t)columns * active, sizeof *out->work);
    if (out->column == NULL || out->work == NULL)
        return dscq_fail_nomem(d->err, "decoded columns", (size_t)columns * active * 2);
    for (int32_t k = 0; k < columns; k++) {
        const uint16_t *count = r->count + (size_t)k * active;
        uint64_t sum = 0;
        for (size_t l = 0; l < active; l++)
            sum += count[l];
        at[k] = -1;
        const int last_chance = k == columns - 1 && out->columns == 0;
        if (sum == 0 && !last_chance && !d->depthwise)
            continue;
        at[k] = out->columns;
        uint16_t *work = out->work + (size_t)out->columns * active;
        for (size_t l = 0; l < active; l++) {
            const int32_t lane = (int32_t)l;
            out->empty += count[l] == 0 &&
                          (!d->depthwise || d->w->channel[k * d->lanes + lane] >= 0);
            work[l] = count[l] > 0 ? count[l] : 1;
        }
        out->entries += sum;
        out->column[out->columns++] = k;
    }
    return DSCQ_OK;
}

static dscq_status sort_by_place(hw_decoded *out, const decoder *d, const raw *r,
                                 const int32_t *at)
{
    const size_t places = (size_t)d->w->rows * (size_t)d->lanes;

    out->first = dscq_calloc(places + 1, sizeof *out->first);
    out->k = dscq_malloc(r->entries, sizeof *out->k);
    out->value = dscq_malloc(r->entries, sizeof *out->value);
    if (out->first == NULL || out->k == NULL || out->value == NULL)
        return dscq_fail_nomem(d->err, "decoded weights", r->entries * 6ULL);
    for (size_t e = 0; e < r->entries; e++)
        out->first[r->place[e] + 1]++;
    for (size_t i = 0; i < places; i++)
        out->first[i + 1] += out->first[i];
    for (size_t e = r->entries;
         e-- > 0;) { /* backwards fills each range from its end */
        const uint32_t to = --out->first[r->place[e] + 1];
        out->k[to] = d->depthwise ? (int32_t)r->k[e] : at[r->k[e]];
        out->value[to] = r->value[e];
    }
    /* every start moved down to the one before it: shift back */
    memmove(out->first, out->first + 1, places * sizeof *out->first);
    out->first[places] = (uint32_t)r->entries;
    return DSCQ_OK;
}

void hw__decoded_destroy(hw_decoded *d)
{
    if (d == NULL)
        return;
    dscq_free(d->column);
    dscq_free(d->work);
    dscq_free(d->first);
    dscq_free(d->k);
    dscq_free(d->value);
    dscq_free(d);
}

dscq_status hw__decode(hw_decoded **out, const dscq_program *p, const dscq_hw_wtile *w,
                       int with_values, dscq_error *err)
{
    decoder d = {.p = p, .w = w, .op = &p->op[w->op], .err = err};
    hw_decoded *o = dscq_calloc(1, sizeof *o);
    raw r = {0};
    int32_t *at = NULL;
    dscq_status status = DSCQ_OK;

    *out = NULL;
    d.lanes = d.op->lanes;
    d.depthwise = d.op->mode == DSCQ_HW_DEPTHWISE;
    d.active = w->m_count < d.lanes ? w->m_count : d.lanes;
    const size_t columns = (size_t)(d.depthwise ? w->rows : w->columns);
    r.count = dscq_calloc(columns * (size_t)d.active, sizeof *r.count);
    at = dscq_malloc(columns, sizeof *at);
    if (o == NULL || r.count == NULL || at == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "decoded weights", columns * 64));
    o->active = d.active;
    for (int32_t l = 0; l < d.active; l++) {
        DSCQ_TRY(decode_lane(&d, l));
        DSCQ_TRY(keep_lane(&r, &d, l, with_values));
    }
    DSCQ_TRY(compact(o, &d, &r, at));
    o->nonzero = w->nonzero;
    if (with_values)
        DSCQ_TRY(sort_by_place(o, &d, &r, at));
    if (o->entries != w->entries)
        DSCQ_TRY(dscq_fail(err, DSCQ_FORMAT,
                           "program: a weight tile of %s holds %llu entries, not %llu",
                           d.op->name, (unsigned long long)o->entries,
                           (unsigned long long)w->entries));
    o->bytes = columns * (size_t)d.active * 2 + r.entries * 6 + 256;
    *out = o;
    o = NULL;
done:
    hw__decoded_destroy(o);
    dscq_free(r.count);
    dscq_free(r.place);
    dscq_free(r.k);
    dscq_free(r.value);
    dscq_free(at);
    dscq_free(d.list.pos);
    dscq_free(d.list.value);
    return status;
}
