/* Lane streams as bytes of DRAM: docs/accelerator.md section 4, rules W1 to W7. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <math.h>
#include <string.h>

/* ---- the image: bytes from DRAM address 0 ------------------------------- */

static dscq_status image_room(lowering *l, size_t bytes)
{
    dscq_program *p = l->p;

    if (p->image_bytes + bytes <= l->image_cap)
        return DSCQ_OK;
    size_t cap = l->image_cap == 0 ? 1 << 16 : l->image_cap;
    while (cap < p->image_bytes + bytes)
        cap *= 2;
    uint8_t *image = dscq_realloc(p->image, l->image_cap, cap);
    if (image == NULL)
        return dscq_fail_nomem(l->err, "weight streams", cap);
    memset(image + l->image_cap, 0, cap - l->image_cap);
    p->image = image;
    l->image_cap = cap;
    return DSCQ_OK;
}

typedef struct bit_writer {
    uint8_t *at; /* cleared */
    uint64_t pos;
} bit_writer;

static void put(bit_writer *b, uint32_t v, int32_t n)
{
    for (int32_t i = 0; i < n;) { /* by parts of a byte */
        const int32_t off = (int32_t)(b->pos % 8);
        const int32_t part = 8 - off < n - i ? 8 - off : n - i;
        const uint32_t bits = v >> i & ((1u << part) - 1);
        b->at[b->pos / 8] = (uint8_t)(b->at[b->pos / 8] | bits << off);
        b->pos += (uint64_t)part;
        i += part;
    }
}

/* ---- which encoding ----------------------------------------------------- */

enum { GAP_LEAST = 2, GAP_MOST = 8 };
/* A filler costs a cycle: at most one in twenty (W4, W7). */
static const double FILLERS = 1.05;
/* A gap stream that is taken all the same: fillers and positions of GAP_MOST bits. */
static const double FORCED = 1.3;
/* Above it the marks of what is stored are for nothing (W7). */
static const double DENSE_ABOVE = 0.98;
static const double NO_GAP = 1e30; /* bits: no width keeps the fillers few */

static low_choice gap_choice(double density, int32_t bits)
{
    low_choice best = {DSCQ_STREAM_GAP, GAP_MOST, NO_GAP};

    for (int32_t g = GAP_LEAST; g <= GAP_MOST; g++) {
        const double fill = 1 - pow(1 - density, (double)(1 << g));
        const double entries = fill > 0 ? density / fill : 1;
        const double cost = entries * (bits + g);
        if (entries <= FILLERS * density + 1e-9 && cost < best.bits_per_weight)
            best = (low_choice){DSCQ_STREAM_GAP, g, cost};
    }
    return best;
}

/* [W7] */
low_choice lower__choose_encoding(const lowering *l, const dscq_qweights *w)
{
    const double density =
        w->count > 0 ? (double)dscq_qweights_nonzero(w) / (double)w->count : 0;
    const low_choice dense = {DSCQ_STREAM_DENSE, 0, w->bits};
    const low_choice bitmap = {DSCQ_STREAM_BITMAP, 0, 1 + density * w->bits};
    low_choice gap = gap_choice(density, w->bits);

    if (w->form == DSCQ_FORM_BINARY)
        return (low_choice){DSCQ_STREAM_BINARY, 0, 2};
    if (!l->m->zero_skip || l->m->schedule.stream == DSCQ_SCHEDULE_STREAM_DENSE)
        return dense;
    if (l->m->schedule.stream == DSCQ_SCHEDULE_STREAM_BITMAP)
        return bitmap;
    if (l->m->schedule.stream == DSCQ_SCHEDULE_STREAM_GAP) {
        if (gap.bits_per_weight == NO_GAP)
            gap.bits_per_weight = density * (w->bits + GAP_MOST) * FORCED;
        return gap;
    }
    if (density > DENSE_ABOVE)
        return dense;
    return gap.bits_per_weight < bitmap.bits_per_weight ? gap : bitmap;
}

/* ---- one lane's stream -------------------------------------------------- */

/* OHWI index of column k, channel 0 of the tile's output channels aside. */
size_t lower__column_at(const low_tile_job *j, int32_t k)
{
    const dscq_qweights *w = j->w;

    if (j->depthwise)
        return (size_t)k;
    const int32_t c = j->t->c_first - j->group_first + k % j->t->c_count;
    return (size_t)(k / j->t->c_count) * (size_t)w->c + (size_t)c;
}

static int32_t lane_rows(const low_tile_job *j, int32_t lane)
{
    int32_t n = 0;

    while (n < j->t->rows && j->t->channel[n * j->op->lanes + lane] >= 0)
        n++;
    return n;
}

/* [W1] A lane's weights in stream order. */
typedef struct lane_seq {
    const uint16_t *code;
    const int16_t *value;
    int32_t rows, count;
} lane_seq;

static lane_seq gather(low_tile_job *j, int32_t lane)
{
    const size_t per = j->w->count / (size_t)j->w->k;
    const int32_t rows = lane_rows(j, lane), columns = j->t->columns;
    const lane_seq q = {j->code, j->value, rows, rows * columns};

    for (int32_t r = 0; r < rows; r++) {
        const size_t base = (size_t)j->t->channel[r * j->op->lanes + lane] * per;
        const size_t to = j->depthwise ? (size_t)r * (size_t)columns : (size_t)r;
        const size_t step = j->depthwise ? 1 : (size_t)rows;
        for (int32_t k = 0; k < columns; k++) {
            j->code[to + (size_t)k * step] = j->codes[base + j->column[k]];
            j->value[to + (size_t)k * step] = j->w->value[base + j->column[k]];
        }
    }
    return q;
}

/* [W2] */
static void lane_dense(low_tile_job *j, bit_writer *b, const lane_seq *q)
{
    for (int32_t i = 0; i < q->count; i++) {
        put(b, q->code[i], j->code_bits);
        j->t->nonzero += q->value[i] != 0;
    }
    j->t->entries += (uint64_t)q->count;
}

/* [W3] */
static void lane_bitmap(low_tile_job *j, bit_writer *b, const lane_seq *q)
{
    const int32_t group = j->depthwise ? j->t->columns : q->rows;

    for (int32_t i = 0; i < q->count; i += group) {
        for (int32_t g = 0; g < group; g++)
            put(b, q->code[i + g] != 0, 1);
        for (int32_t g = 0; g < group; g++) {
            if (q->code[i + g] == 0)
                continue;
            put(b, q->code[i + g], j->code_bits);
            j->t->entries++;
            j->t->nonzero += q->value[i + g] != 0;
        }
    }
}

/* [W4] */
static void lane_gap(low_tile_job *j, bit_writer *b, const lane_seq *q)
{
    const int32_t most = (1 << j->t->gap_bits) - 1;
    bit_writer head = *b;
    uint32_t entries = 0;
    int32_t run = 0, end = q->count;

    while (end > 0 && q->code[end - 1] == 0)
        end--; /* what follows the last weight is not stored */
    b->pos += 32;
    for (int32_t i = 0; i < end; i++) {
        if (q->code[i] == 0 && run < most) {
            run++;
            continue;
        }
        put(b, (uint32_t)run, j->t->gap_bits); /* a filler when the code is 0 */
        put(b, q->code[i], j->code_bits);
        run = 0;
        entries++;
        j->t->nonzero += q->value[i] != 0;
    }
    put(&head, entries & 0xffff, 16);
    put(&head, entries >> 16, 16);
    j->t->entries += entries;
}

/* [W5] */
static void lane_binary(low_tile_job *j, bit_writer *b, int32_t lane, const lane_seq *q)
{
    const dscq_qweights *w = j->w;
    const int32_t columns = j->t->columns, blocks = ceil_div(columns, w->block);

    for (int32_t r = 0; r < q->rows; r++)
        for (int32_t i = 0; i < blocks; i++) {
            const int32_t m = j->t->channel[r * j->op->lanes + lane];
            put(b, w->block_high[(size_t)m * (size_t)blocks + (size_t)i] != 0, 1);
        }
    for (int32_t i = 0; i < q->count; i++) {
        const int32_t row = j->depthwise ? i / columns : i % q->rows;
        const int32_t k = j->depthwise ? i % columns : i / q->rows;
        const size_t m = (size_t)j->t->channel[row * j->op->lanes + lane];
        const int high =
            w->block_high[m * (size_t)blocks + (size_t)(k / w->block)] != 0;
        put(b, high ? (uint32_t)(uint8_t)q->value[i] : (uint32_t)(q->code[i] & 1),
            high ? 8 : 1);
        j->t->nonzero += q->value[i] != 0;
    }
    j->t->entries += (uint64_t)q->count;
}

static uint64_t lane_bits_max(const low_tile_job *j, int32_t rows)
{
    const uint64_t n = (uint64_t)rows * (uint64_t)j->t->columns;

    return 64 + n * (uint64_t)(1 + j->code_bits + j->t->gap_bits) +
           (uint64_t)rows * n / 8;
}

/* [W6] */
static void put_constants(low_tile_job *j, uint8_t *at)
{
    for (int32_t i = 0; i < j->t->m_count; i++, at += DSCQ_CHANNEL_BYTES) {
        const int32_t m = j->t->m_first + i;
        const uint16_t mult = (uint16_t)j->op->mult[m];
        const uint32_t bias = (uint32_t)j->op->bias[m];
        at[0] = (uint8_t)(mult & 255);
        at[1] = (uint8_t)(mult >> 8);
        at[2] = j->op->shift[m];
        at[3] = (uint8_t)(bias & 255);
        at[4] = (uint8_t)(bias >> 8 & 255);
        at[5] = (uint8_t)(bias >> 16 & 255);
    }
}

dscq_status lower__write_streams(low_tile_job *j)
{
    lowering *l = j->l;
    dscq_hw_wtile *t = j->t;
    const int32_t lanes = j->op->lanes;
    const uint64_t align = (uint64_t)l->m->burst_bytes;
    uint32_t longest = 0;
    dscq_status status = DSCQ_OK;

    l->p->image_bytes = (l->p->image_bytes + align - 1) / align * align;
    t->dram_addr = l->p->image_bytes;
    for (int32_t lane = 0; lane < lanes; lane++) {
        const lane_seq q = gather(j, lane);
        DSCQ_TRY(image_room(l, lane_bits_max(j, q.rows) / 8 + 64));
        bit_writer b = {l->p->image + l->p->image_bytes, 0};
        t->lane_offset[lane] = (uint32_t)(l->p->image_bytes - t->dram_addr);
        if (q.rows == 0)
            continue;
        if (t->kind == DSCQ_STREAM_DENSE)
            lane_dense(j, &b, &q);
        else if (t->kind == DSCQ_STREAM_BITMAP)
            lane_bitmap(j, &b, &q);
        else if (t->kind == DSCQ_STREAM_GAP)
            lane_gap(j, &b, &q);
        else
            lane_binary(j, &b, lane, &q);
        const uint32_t bytes = (uint32_t)((b.pos + 31) / 32 * 4);
        l->p->image_bytes += bytes;
        longest = bytes > longest ? bytes : longest;
    }
    t->lane_offset[lanes] = (uint32_t)(l->p->image_bytes - t->dram_addr);
    /* constants go with the piece that is post-processed, the last one */
    const int ends =
        j->depthwise || t->c_first + t->c_count == j->group_first + j->w->c;
    const size_t fixed = (ends ? DSCQ_CHANNEL_BYTES * (size_t)t->m_count : 0) +
                         2 * (size_t)t->codebook_count;
    DSCQ_TRY(image_room(l, fixed));
    if (ends)
        put_constants(j, l->p->image + l->p->image_bytes);
    l->p->image_bytes += fixed;
    t->stream_bytes = (uint32_t)(l->p->image_bytes - t->dram_addr);
    t->buffer_bytes = (int64_t)longest * lanes + (int64_t)fixed;
done:
    return status;
}
