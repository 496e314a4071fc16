/*
 * int_depthwise.c - one row of a depthwise convolution on bytes.
 *
 * Four taps of 4*VL channels are interleaved into words (two rounds of unpacking), so
 * that the dot product of four bytes does four taps. Unpacking leaves vector q with
 * channels 4q..4q+3 of every sixteen; start values, weights and requantisation are
 * stored in that order, and packing the codes undoes it. Maps of 8, 16 or 32 channels
 * (less than a block) take neighbouring pixels together. Of 3 x 3 taps a group is one
 * column, so that a column, once interleaved, serves up to three outputs.
 */
#include "int_internal.h"
#include "int_requant.h"

#include <assert.h>

enum { BLOCK = 4 * DSCQ_LANES, TAPS_MAX = 256 };

typedef uint8_t vb __attribute__((vector_size(4 * DSCQ_LANES)));
typedef uint64_t vw __attribute__((vector_size(4 * DSCQ_LANES)));

#if DSCQ_LANES == 16
#define UNPACK(part, bits, a, b)                                                       \
    ((vb)_mm512_unpack##part##_epi##bits((__m512i)(a), (__m512i)(b)))
#elif DSCQ_LANES == 8
#define UNPACK(part, bits, a, b)                                                       \
    ((vb)_mm256_unpack##part##_epi##bits((__m256i)(a), (__m256i)(b)))
#elif defined(__x86_64__)
#define UNPACK(part, bits, a, b)                                                       \
    ((vb)_mm_unpack##part##_epi##bits((__m128i)(a), (__m128i)(b)))
#else
typedef uint16_t vh __attribute__((vector_size(16)));
#define lo_8(a, b)                                                                     \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,  \
                            23)
#define hi_8(a, b)                                                                     \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,    \
                            30, 15, 31)
#define lo_16(a, b)                                                                    \
    ((vb)__builtin_shufflevector((vh)(a), (vh)(b), 0, 8, 1, 9, 2, 10, 3, 11))
#define hi_16(a, b)                                                                    \
    ((vb)__builtin_shufflevector((vh)(a), (vh)(b), 4, 12, 5, 13, 6, 14, 7, 15))
#define UNPACK(part, bits, a, b) part##_##bits(a, b)
#endif

static int is_joined(size_t c)
{
    return c < BLOCK && c % 8 == 0 && BLOCK % c == 0;
}

static size_t blocks(size_t c)
{
    return (c + BLOCK - 1) / BLOCK;
}

static size_t tap_groups(size_t taps)
{
    return (taps + 3) / 4;
}

/* The place of a tap, four to a group. Nine go by columns of three. */
static size_t place_of(size_t tap, size_t taps)
{
    return taps == 9 ? tap % 3 * 4 + tap / 3 : tap;
}

/* Words of one block: its start values, then its weights. */
static size_t block_words(size_t taps)
{
    return (size_t)BLOCK * (1 + tap_groups(taps) * WORDS);
}

size_t FN(dw_packed_bytes)(size_t taps, size_t c)
{
    return blocks(c) * block_words(taps) * sizeof(uint32_t);
}

/* As channel_at() in requant.c */
static size_t channel_of(size_t block, size_t i, size_t c)
{
    const size_t first =
        c >= BLOCK && (block + 1) * BLOCK > c ? c - BLOCK : block * BLOCK;
    const size_t at = first + i % VL / 4 * 16 + 4 * (i / VL) + i % 4;

    return is_joined(c) ? at % c : at;
}

void FN(dw_pack)(void *packed, const int16_t *w, size_t taps, size_t c, int32_t zero)
{
    uint32_t *out = packed;

    for (size_t b = 0; b < blocks(c); b++, out += block_words(taps))
        for (size_t i = 0; i < BLOCK; i++) {
            const size_t from = channel_of(b, i, c);
            uint32_t start = 0, words[WORDS];
            int16_t four[TAPS_MAX] = {0};

            for (size_t t = 0; t < taps && from < c; t++) {
                four[place_of(t, taps)] = w[from * taps + t];
                start -= (uint32_t)(zero * w[from * taps + t]);
            }
            for (size_t g = 0; g < tap_groups(taps); g++) {
                weight_words(words, four + 4 * g);
                for (size_t k = 0; k < WORDS; k++)
                    out[BLOCK * (1 + g * WORDS) + (i / VL * WORDS + k) * VL + i % VL] =
                        words[k];
            }
            out[i] = start;
        }
}

typedef struct dw_job {
    const uint8_t *tap[TAPS_MAX]; /* of the first output, first channel */
    size_t groups;                /* of four taps; the last are repeated */
    size_t c, pixels, step;       /* step: bytes between two windows     */
    int is_square;                /* 3 x 3 taps without dilation         */
    const requant_head *head;
} dw_job;

/* BLOCK bytes: `c` bytes (8, 16 or 32) from each of BLOCK/c windows. */
INL vb load_windows(const uint8_t *p, size_t step, size_t c)
{
    vw x;

#if DSCQ_LANES == 16
    /* every second pixel of two blocks; nothing behind the last window is touched */
    if (step == 2 * c) {
        const __m512i of8 = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
        const __m512i of16 = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
        const __m512i of32 = _mm512_setr_epi64(0, 1, 2, 3, 8, 9, 10, 11);
        const __m512i order = c == 8 ? of8 : c == 16 ? of16 : of32;
        const __mmask8 there = (__mmask8)((1U << (8 - c / 8)) - 1);

        return (vb)_mm512_permutex2var_epi64(_mm512_loadu_si512(p), order,
                                             _mm512_maskz_loadu_epi64(there, p + 64));
    }
#endif
    UNROLL
    for (size_t i = 0; i < BLOCK / 8; i++) {
        uint64_t eight;

        memcpy(&eight, p + i * 8 / c * step + i * 8 % c, sizeof eight);
        x[i] = eight;
    }
    return (vb)x;
}

/* n bytes of a block, the windows next to each other. */
INL vb load_part(const uint8_t *p, size_t n)
{
#if DSCQ_LANES == 16
    return (vb)_mm512_maskz_loadu_epi8(
        n >= BLOCK ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1, p);
#else
    uint8_t part[BLOCK] = {0};

    memcpy(part, p, n);
    return (vb)u_load(part);
#endif
}

INL vu dot_words(vu acc, vb q, const uint32_t *w)
{
    vu words[WORDS];

    UNROLL
    for (size_t k = 0; k < WORDS; k++)
        words[k] = u_load(w + k * VL);
    return dot4(acc, quad_of((vu)q), words);
}

/* Four taps of a block as words. */
INL void interleave(vb word[4], vb x0, vb x1, vb x2, vb x3)
{
    const vb a = UNPACK(lo, 8, x0, x1), b = UNPACK(hi, 8, x0, x1);
    const vb c = UNPACK(lo, 8, x2, x3), d = UNPACK(hi, 8, x2, x3);

    word[0] = UNPACK(lo, 16, a, c);
    word[1] = UNPACK(hi, 16, a, c);
    word[2] = UNPACK(lo, 16, b, d);
    word[3] = UNPACK(hi, 16, b, d);
}

INL void accumulate(vu acc[4], const vb word[4], const uint32_t *w)
{
    UNROLL
    for (size_t i = 0; i < 4; i++)
        acc[i] = dot_words(acc[i], word[i], w + i * WORDS * VL);
}

/* Codes of a block back in channel order. The first two packings saturate, so that
 * codes outside a byte may come in where there are such instructions. */
INL vb pack_codes(const vu y[4])
{
#if DSCQ_LANES == 16
    return (vb)_mm512_packus_epi16(_mm512_packs_epi32((__m512i)y[0], (__m512i)y[1]),
                                   _mm512_packs_epi32((__m512i)y[2], (__m512i)y[3]));
#elif DSCQ_LANES == 8
    return (vb)_mm256_packus_epi16(_mm256_packs_epi32((__m256i)y[0], (__m256i)y[1]),
                                   _mm256_packs_epi32((__m256i)y[2], (__m256i)y[3]));
#else
    vb x = {0};

    for (size_t i = 0; i < BLOCK; i++)
        x[i] = (uint8_t)y[i / 4][i % 4];
    return x;
#endif
}

#if HAS_UPPER

INL vb clamp_bytes(vb x, const requant_head *h)
{
#if DSCQ_LANES == 16
    x = (vb)_mm512_max_epu8((__m512i)x, _mm512_set1_epi8((char)(h->lo + h->offset)));
    return (vb)_mm512_min_epu8((__m512i)x, _mm512_set1_epi8((char)(h->hi + h->offset)));
#else
    x = (vb)_mm256_max_epu8((__m256i)x, _mm256_set1_epi8((char)(h->lo + h->offset)));
    return (vb)_mm256_min_epu8((__m256i)x, _mm256_set1_epi8((char)(h->hi + h->offset)));
#endif
}

#endif

typedef enum load_kind { CONTIGUOUS, WINDOWS, PART } load_kind;

/* Constants of a loop: how bytes are loaded, groups of four taps (0: as the job says),
 * blocks computed together (they share weights and constants), and whether codes are
 * upper halves. Each makes a function of its own: a call or too many cases in one make
 * the compiler keep vectors in memory. */
typedef struct loop_kind {
    load_kind load;
    size_t groups, count;
    int is_upper;
} loop_kind;

enum { TOGETHER = 2 };

/* Where a block is: its packed constants and what is stored of it. */
typedef struct block_at {
    const uint32_t *packed;
    const requant_group *g;
    size_t c;     /* its first channel      */
    size_t bytes; /* channels from there on */
} block_at;

INL vb load_tap(const dw_job *j, const loop_kind k, size_t tap, size_t at, size_t bytes)
{
    const uint8_t *p = j->tap[tap] + at;

    return k.load == PART      ? load_part(p, bytes)
           : k.load == WINDOWS ? load_windows(p, j->step, j->c)
                               : (vb)u_load(p);
}

INL void accumulate_all(const dw_job *j, const loop_kind k, const size_t at[TOGETHER],
                        const block_at *b, vu acc[TOGETHER][4])
{
    const size_t groups = k.groups > 0 ? k.groups : j->groups;
    const uint32_t *w = b->packed + BLOCK;

    for (size_t g = 0; g < groups; g++, w += BLOCK * WORDS) {
        UNROLL
        for (size_t u = 0; u < k.count; u++) {
            vb word[4];

            interleave(word, load_tap(j, k, 4 * g, at[u], b->bytes),
                       load_tap(j, k, 4 * g + 1, at[u], b->bytes),
                       load_tap(j, k, 4 * g + 2, at[u], b->bytes),
                       load_tap(j, k, 4 * g + 3, at[u], b->bytes));
            accumulate(acc[u], word, w);
        }
    }
}

/* The slower kinds of requantisation; through memory. */
static vb other_codes(const requant_head *h, const requant_group *g,
                      const uint32_t *acc)
{
    vu code[4];

    for (size_t i = 0; i < 4; i++)
        FN(requant_other)(h, g + i, acc + i * VL, (uint32_t *)&code[i]);
    return pack_codes(code);
}

#if HAS_UPPER

INL vb upper_codes(const requant_head *h, const requant_group *g, vu acc[4])
{
    UNROLL
    for (size_t i = 0; i < 4; i++)
        acc[i] = upper_of(g + i, acc[i]);
    return clamp_bytes(pack_codes(acc), h);
}

#endif

/* The codes of `count` blocks at byte offsets at[] of every tap. */
INL void run_blocks(const dw_job *j, const loop_kind k, const size_t at[TOGETHER],
                    const block_at *b, vb y[TOGETHER])
{
    vu acc[TOGETHER][4];

    UNROLL
    for (size_t u = 0; u < k.count; u++) {
        UNROLL
        for (size_t i = 0; i < 4; i++)
            acc[u][i] = u_load(b->packed + i * VL);
    }
    accumulate_all(j, k, at, b, acc);
#if HAS_UPPER
    if (k.is_upper) {
        UNROLL
        for (size_t u = 0; u < k.count; u++)
            y[u] = upper_codes(j->head, b->g, acc[u]);
        return;
    }
#endif
    for (size_t u = 0; u < k.count; u++) {
        uint32_t copy[BLOCK]; /* so that acc itself stays in registers */

        for (size_t i = 0; i < 4; i++)
            u_store(copy + i * VL, acc[u][i]);
        y[u] = other_codes(j->head, b->g, copy);
    }
}

INL void store_part(uint8_t *out, vb y, size_t n)
{
#if DSCQ_LANES == 16
    _mm512_mask_storeu_epi8(out, n >= BLOCK ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1,
                            (__m512i)y);
#else
    memcpy(out, &y, n < BLOCK ? n : BLOCK);
#endif
}

/* One block of channels at c of pixels x[0] to x[1]. */
INL void column(const dw_job *j, const loop_kind k, const block_at *b,
                const size_t x[2], uint8_t *out)
{
    for (size_t i = x[0]; i + k.count <= x[1]; i += k.count) {
        const size_t at[TOGETHER] = {i * j->step + b->c, (i + 1) * j->step + b->c};
        vb y[TOGETHER];

        run_blocks(j, k, at, b, y);
        UNROLL
        for (size_t u = 0; u < k.count; u++) {
            uint8_t *to = out + (i + u) * j->c + b->c;

            if (k.load == PART)
                store_part(to, y[u], b->bytes);
            else
                u_store(to, (vu)y[u]);
        }
    }
}

/* Blocks of several neighbouring pixels, from pixel x[0]. */
INL void joined(const dw_job *j, const loop_kind k, const block_at *b,
                const size_t x[2], uint8_t *out)
{
    const size_t join = BLOCK / j->c;

    for (size_t i = x[0]; i + k.count * join <= x[1]; i += k.count * join) {
        const size_t at[TOGETHER] = {i * j->step, (i + join) * j->step};
        vb y[TOGETHER];

        run_blocks(j, k, at, b, y);
        UNROLL
        for (size_t u = 0; u < k.count; u++)
            u_store(out + (i + u * join) * j->c, (vu)y[u]);
    }
}

#define LOOPS(X)                                                                       \
    X(column, full_pairs, CONTIGUOUS, 3, 2, 1)                                         \
    X(column, full_upper, CONTIGUOUS, 0, 1, 1)                                         \
    X(column, full_other, CONTIGUOUS, 0, 1, 0)                                         \
    X(column, part_upper, PART, 0, 1, 1)                                               \
    X(column, part_other, PART, 0, 1, 0)                                               \
    X(joined, dense_pairs, CONTIGUOUS, 3, 2, 1)                                        \
    X(joined, dense_upper, CONTIGUOUS, 0, 1, 1)                                        \
    X(joined, dense_other, CONTIGUOUS, 0, 1, 0)                                        \
    X(joined, apart_pairs, WINDOWS, 3, 2, 1)                                           \
    X(joined, apart_upper, WINDOWS, 0, 1, 1)                                           \
    X(joined, apart_other, WINDOWS, 0, 1, 0)
#define X(loop, name, load, groups, count, upper)                                      \
    static __attribute__((noinline)) void name(const dw_job *j, const block_at *b,     \
                                               const size_t x[2], uint8_t *out)        \
    {                                                                                  \
        loop(j, (loop_kind){load, groups, count, upper}, b, x, out);                   \
    }
LOOPS(X)
#undef X

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

/* What a block needs of the three rows: its pixels, at stride 2 even ones and odd ones.
 */
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

static int is_upper(const dw_job *j)
{
    return HAS_UPPER && j->head->kind == REQUANT_UPPER;
}

static void column_any(const dw_job *j, const block_at *b, const size_t x[2],
                       uint8_t *out)
{
    const size_t even[2] = {x[0], x[0] + (x[1] - x[0]) / 2 * 2},
                 rest[2] = {even[1], x[1]};

    if (b->bytes < BLOCK) {
        (is_upper(j) ? part_upper : part_other)(j, b, x, out);
        return;
    }
#if HAS_UPPER
    if (j->is_square && is_upper(j) && j->step <= 2 * j->c) {
        const column_walk w = walk_from(j, x[0] * j->step + b->c, j->c);
        uint8_t *to = out + x[0] * j->c + b->c;

        (j->step == j->c ? columns_1 : columns_2)(j, b, w, x[1] - x[0], to);
        return;
    }
#endif
    if (!is_upper(j) || j->groups != 3) {
        (is_upper(j) ? full_upper : full_other)(j, b, x, out);
        return;
    }
    full_pairs(j, b, even, out);
    full_upper(j, b, rest, out);
}

/* As many pixels as the first-level cache holds outside, blocks of channels inside. */
static void row_wide(const dw_job *j, const uint32_t *packed, size_t words,
                     uint8_t *out)
{
    const size_t fit = (size_t)8 * 1024 / j->c, span = fit > 8 ? fit : 8;

    for (size_t x = 0; x < j->pixels; x += span) {
        const size_t part[2] = {x, j->pixels - x < span ? j->pixels : x + span};
        block_at b = {packed, requant_groups(j->head), 0, 0};

        for (; b.c < j->c; b.c += BLOCK, b.packed += words, b.g += 4) {
            block_at here = b;

            here.bytes = j->c - b.c;
            if (here.bytes < BLOCK && j->c >= BLOCK) { /* ends with the pixel instead */
                here.c = j->c - BLOCK;
                here.bytes = BLOCK;
            }
            column_any(j, &here, part, out);
        }
    }
}

/* A row shorter than a block goes pixel by pixel; else the last block starts early
 * enough to end with the row. */
static void row_joined(const dw_job *j, const uint32_t *packed, uint8_t *out)
{
    const size_t join = BLOCK / j->c, all[2] = {0, j->pixels};
    const block_at b = {packed, requant_groups(j->head), 0, j->c};
    const int dense = j->step == j->c;
    size_t done = 0;

    if (j->pixels < join) {
        column_any(j, &b, all, out);
        return;
    }
    if (j->is_square && is_upper(j) && j->step <= 2 * j->c)
        done = narrow_row(j, &b, out);
    if (done == 0 && is_upper(j) && j->groups == 3) {
        (dense ? dense_pairs : apart_pairs)(j, &b, all, out);
        done = j->pixels / (2 * join) * (2 * join);
    }
    for (; done < j->pixels; done += join) {
        const size_t from = done + join <= j->pixels ? done : j->pixels - join;
        const size_t one[2] = {from, from + join};

        if (is_upper(j))
            (dense ? dense_upper : apart_upper)(j, &b, one, out);
        else
            (dense ? dense_other : apart_other)(j, &b, one, out);
    }
}

/* Where the taps of the first output are; places without one read the first. */
static void set_taps(dw_job *j, const dscq_geom *g, const uint8_t *const *in)
{
    const size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    const size_t next = (size_t)g->dilation_w * j->c;
    size_t tap = 0;

    for (size_t t = 0; t < 4 * j->groups; t++)
        j->tap[t] = in[0];
    for (int32_t r = 0; r < g->kernel_h; r++) {
        const uint8_t *at = in[r];

        for (int32_t s = 0; s < g->kernel_w; s++, at += next, tap++)
            j->tap[place_of(tap, taps)] = at;
    }
}

void FN(dw_row)(const dscq_geom *g, const uint8_t *const *in, const void *packed,
                uint8_t *out, const void *rq)
{
    const size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    dw_job j; /* the unused places of tap[] are not worth setting */

    assert(taps <= TAPS_MAX - 4);
    j.groups = tap_groups(taps);
    j.c = (size_t)g->c;
    j.pixels = (size_t)g->out_w;
    j.step = (size_t)g->stride_w * j.c;
    j.is_square = g->kernel_h == 3 && g->kernel_w == 3 && g->dilation_w == 1;
    j.head = rq;
    set_taps(&j, g, in);
    if (is_joined(j.c))
        row_joined(&j, packed, out);
    else
        row_wide(&j, packed, block_words(taps), out);
}
