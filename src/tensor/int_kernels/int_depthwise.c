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
#include "int_columns.h"
#include "int_internal.h"

#include <assert.h>

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

static int is_upper(const dw_job *j)
{
    return HAS_UPPER && j->head->kind == REQUANT_UPPER;
}

static int goes_by_columns(const dw_job *j)
{
    return j->is_square && is_upper(j) && j->step <= 2 * j->c;
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
    if (goes_by_columns(j)) {
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
    if (goes_by_columns(j))
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
