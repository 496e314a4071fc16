/* int_columns.h - depthwise rows of 3 x 3 taps, column by column: an interleaved column
 * serves all the outputs that see it. */
#ifndef TENSOR_INT_COLUMNS_H
#define TENSOR_INT_COLUMNS_H

#include "int_block.h"

#if HAS_UPPER

/* 3 x 3 taps from column to column: an output of one block needs three of them, the
 * next begins `stride` columns later and shares the others. */
typedef struct column_walk {
    const uint8_t *row[3]; /* the next column, at the block's first channel */
    size_t column, out;    /* bytes from one to the next; between outputs    */
} column_walk;

INL void next_column(column_walk *w, vb word[4])
{
    interleave(word, (vb)u_load(w->row[0]), (vb)u_load(w->row[1]),
               (vb)u_load(w->row[2]), (vb){0});
    UNROLL
    for (size_t r = 0; r < 3; r++)
        w->row[r] += w->column;
}

INL void copy_column(vb to[4], const vb from[4])
{
    UNROLL
    for (size_t i = 0; i < 4; i++)
        to[i] = from[i];
}

/* The same quarter of up to two outputs: weights and constants are loaded once. */
INL void quarter(const size_t count, const block_at *b, vb word[4][4], size_t i,
                 vu y[TOGETHER][4])
{
    const uint32_t *w = b->packed + BLOCK + i * WORDS * VL;
    vu x[3][WORDS], acc[TOGETHER];

    UNROLL
    for (size_t s = 0; s < 3; s++) {
        UNROLL
        for (size_t k = 0; k < WORDS; k++)
            x[s][k] = u_load(w + s * BLOCK * WORDS + k * VL);
    }
    UNROLL
    for (size_t u = 0; u < count; u++) {
        acc[u] = u_load(b->packed + i * VL);
        UNROLL
        for (size_t s = 0; s < 3; s++)
            acc[u] = dot4(acc[u], quad_of((vu)word[u + s][i]), x[s]);
        y[u][i] = upper_of(b->g + i, acc[u]);
    }
}

/* Two outputs a round at stride 1, one at stride 2: two new columns for either. */
INL void columns(const size_t stride, const dw_job *j, const block_at *b, column_walk w,
                 size_t outputs, uint8_t *out)
{
    const size_t count = 3 - stride;
    const block_at at = *b;
    const requant_head head = *j->head;
    vb word[4][4];

    UNROLL
    for (size_t s = 0; s < count; s++)
        next_column(&w, word[s]);
    for (; outputs >= count; outputs -= count) {
        vu y[TOGETHER][4];

        UNROLL
        for (size_t s = count; s < count + 2; s++)
            next_column(&w, word[s]);
        UNROLL
        for (size_t i = 0; i < 4; i++)
            quarter(count, &at, word, i, y);
        UNROLL
        for (size_t u = 0; u < count; u++) {
            u_store(out, (vu)clamp_bytes(pack_codes(y[u]), &head));
            out += w.out;
        }
        UNROLL
        for (size_t s = 0; s < count; s++)
            copy_column(word[s], word[s + 2]);
    }
    if (outputs > 0) {
        vu y[TOGETHER][4];

        next_column(&w, word[2]);
        UNROLL
        for (size_t i = 0; i < 4; i++)
            quarter(1, &at, word, i, y);
        u_store(out, (vu)clamp_bytes(pack_codes(y[0]), &head));
    }
}

static __attribute__((noinline)) void columns_1(const dw_job *j, const block_at *b,
                                                column_walk w, size_t outputs,
                                                uint8_t *out)
{
    columns(1, j, b, w, outputs, out);
}

static __attribute__((noinline)) void columns_2(const dw_job *j, const block_at *b,
                                                column_walk w, size_t outputs,
                                                uint8_t *out)
{
    columns(2, j, b, w, outputs, out);
}

INL column_walk walk_from(const dw_job *j, size_t at, size_t out)
{
    return (column_walk){{j->tap[0] + at, j->tap[1] + at, j->tap[2] + at}, j->c, out};
}

#endif

#if HAS_UPPER && DSCQ_LANES == 16

/* The same for blocks of several pixels: three columns of a block are cut out of what
 * was loaded for it and for the next one. Orders are those of eight-byte words. */
typedef struct narrow_orders {
    __m512i first, second;  /* stride 2: even and odd pixels of two vectors     */
    __m512i by_one, by_two; /* a vector's pixels and the next ones', moved along */
} narrow_orders;

static narrow_orders narrow_orders_of(size_t c)
{
    static const uint64_t orders[3][4][8] = {
        {{0, 2, 4, 6, 8, 10, 12, 14},
         {1, 3, 5, 7, 9, 11, 13, 15},
         {1, 2, 3, 4, 5, 6, 7, 8},
         {2, 3, 4, 5, 6, 7, 8, 9}},
        {{0, 1, 4, 5, 8, 9, 12, 13},
         {2, 3, 6, 7, 10, 11, 14, 15},
         {2, 3, 4, 5, 6, 7, 8, 9},
         {4, 5, 6, 7, 8, 9, 10, 11}},
        {{0, 1, 2, 3, 8, 9, 10, 11},
         {4, 5, 6, 7, 12, 13, 14, 15},
         {4, 5, 6, 7, 8, 9, 10, 11},
         {8, 9, 10, 11, 12, 13, 14, 15}},
    };
    const uint64_t(*o)[8] = orders[c / 16]; /* c is 8, 16 or 32 */

    return (narrow_orders){_mm512_loadu_si512(o[0]), _mm512_loadu_si512(o[1]),
                           _mm512_loadu_si512(o[2]), _mm512_loadu_si512(o[3])};
}

/* Of the three rows: a block's pixels, at stride 2 its even and its odd ones. */
typedef struct narrow_rows {
    __m512i pixel[3], odd[3];
} narrow_rows;

INL narrow_rows narrow_load(const size_t stride, const narrow_orders *o,
                            const uint8_t *const row[3], size_t at)
{
    narrow_rows x = {{_mm512_setzero_si512()}, {_mm512_setzero_si512()}};

    UNROLL
    for (size_t r = 0; r < 3; r++) {
        const __m512i a = _mm512_loadu_si512(row[r] + at);

        if (stride == 1) {
            x.pixel[r] = a;
        } else {
            const __m512i b = _mm512_loadu_si512(row[r] + at + BLOCK);

            x.pixel[r] = _mm512_permutex2var_epi64(a, o->first, b);
            x.odd[r] = _mm512_permutex2var_epi64(a, o->second, b);
        }
    }
    return x;
}

/* Column s of the three of a block. */
INL void narrow_column(const size_t stride, const size_t s, const narrow_orders *o,
                       const narrow_rows *x, const narrow_rows *next, vb word[4])
{
    const __m512i move = stride == 1 && s == 2 ? o->by_two : o->by_one;
    vb row[3];

    UNROLL
    for (size_t r = 0; r < 3; r++)
        row[r] = s == 0 ? (vb)x->pixel[r]
                 : stride == 2 && s == 1
                     ? (vb)x->odd[r]
                     : (vb)_mm512_permutex2var_epi64(x->pixel[r], move, next->pixel[r]);
    interleave(word, row[0], row[1], row[2], (vb){0});
}

INL void narrow(const size_t stride, const dw_job *j, const block_at *b, size_t blocks,
                uint8_t *out)
{
    const narrow_orders o = narrow_orders_of(j->c);
    const uint8_t *const row[3] = {j->tap[0], j->tap[1], j->tap[2]};
    const requant_head head = *j->head;
    const block_at at = *b;
    narrow_rows x = narrow_load(stride, &o, row, 0);

    for (size_t i = 1; i <= blocks; i++, out += BLOCK) {
        const narrow_rows next = narrow_load(stride, &o, row, i * stride * BLOCK);
        vb word[4][4];
        vu y[TOGETHER][4];

        UNROLL
        for (size_t s = 0; s < 3; s++)
            narrow_column(stride, s, &o, &x, &next, word[s]);
        UNROLL
        for (size_t q = 0; q < 4; q++)
            quarter(1, &at, word, q, y);
        u_store(out, (vu)clamp_bytes(pack_codes(y[0]), &head));
        x = next;
    }
}

static __attribute__((noinline)) void narrow_1(const dw_job *j, const block_at *b,
                                               size_t blocks, uint8_t *out)
{
    narrow(1, j, b, blocks, out);
}

static __attribute__((noinline)) void narrow_2(const dw_job *j, const block_at *b,
                                               size_t blocks, uint8_t *out)
{
    narrow(2, j, b, blocks, out);
}

/* The row's first pixels, as many as whole vectors hold: the last that is loaded must
 * not reach over the last window. Returns how many. */
static size_t narrow_row(const dw_job *j, const block_at *b, uint8_t *out)
{
    const size_t stride = j->step / j->c, bytes = (j->pixels - 1) * j->step + 3 * j->c;
    const size_t vectors = bytes / (stride * BLOCK);
    const size_t blocks = vectors > 0 ? vectors - 1 : 0;

    (stride == 1 ? narrow_1 : narrow_2)(j, b, blocks, out);
    return blocks * (BLOCK / j->c);
}

#else

static size_t narrow_row(const dw_job *j, const block_at *b, uint8_t *out)
{
    (void)j;
    (void)b;
    (void)out;
    return 0;
}

#endif

#endif
