/*
 * int_gemm.c - bytes times 8-bit weights in register tiles.
 *
 * Packed: [n, rounded up to vectors] start values -zero * sum(w); then for every panel
 * of one to three vectors of output channels, for every four of k, the panel's words.
 * Up to HALF channels are there twice: a vector then has two rows of the matrix.
 */
#include "int_internal.h"
#include "int_store.h"
#include "tile.h"

enum { HALF = DSCQ_LANES == 16 ? DSCQ_LANES / 2 : 0 };

typedef struct tile_job {
    const uint8_t *a;
    const uint32_t *w, *start;
    void *out;
    size_t lda, ldo;
    size_t k, lines, skip; /* a row: k bytes `lines` times, with gaps of `skip` */
    size_t last;           /* columns of the last vector that exist */
    const requant_head *head;
    const requant_group *group; /* NULL: store accumulators */
} tile_job;

/* mr x nv vectors; with `half` each holds two rows. */
typedef struct tile_size {
    size_t mr, nv;
    int half;
} tile_size;

/* Pointers to every third row; lda leads to the two after it. */
enum { ROW_POINTERS = (TILE_MR + 2) / 3 };

INL const uint8_t *row_at(const uint8_t *const p[ROW_POINTERS], size_t lda, size_t i)
{
    return p[i / 3] + i % 3 * lda;
}

/* Four bytes of a row in all lanes, or of two rows in half of them each. */
INL quad row_words(const tile_size s, const uint8_t *const p[ROW_POINTERS], size_t lda,
                   size_t i)
{
#if DSCQ_LANES == 16
    if (s.half) {
        const __m512i x = _mm512_set1_epi32((int)load_word(row_at(p, lda, 2 * i)));

        return quad_of((vu)_mm512_mask_broadcastd_epi32(
            x, 0xff00, _mm_loadu_si32(row_at(p, lda, 2 * i + 1))));
    }
#else
    (void)s;
#endif
    return quad_of(u_set(load_word(row_at(p, lda, i))));
}

INL void tile_step(const tile_size s, vu acc[TILE_MR][TILE_NV],
                   const uint8_t *const p[ROW_POINTERS], size_t lda, const uint32_t *w)
{
    vu x[TILE_NV][WORDS];

    UNROLL
    for (size_t j = 0; j < s.nv; j++) {
        UNROLL
        for (size_t i = 0; i < WORDS; i++)
            x[j][i] = u_load(w + (j * WORDS + i) * VL);
    }
    UNROLL
    for (size_t i = 0; i < s.mr; i++) {
        const quad a = row_words(s, p, lda, i);

        UNROLL
        for (size_t j = 0; j < s.nv; j++)
            acc[i][j] = dot4(acc[i][j], a, x[j]);
    }
}

/* The last one to three bytes of every row. */
INL void tile_rest(const tile_size s, const size_t rows, vu acc[TILE_MR][TILE_NV],
                   const uint8_t *const p[ROW_POINTERS], const tile_job *t,
                   const uint32_t *w)
{
    uint8_t copy[TILE_MR][sizeof(uint32_t)] = {{0}};
    const uint8_t *at[ROW_POINTERS];

    UNROLL
    for (size_t i = 0; i < rows; i++) {
        memcpy(copy[i], row_at(p, t->lda, i), t->k % 4);
        if (i % 3 == 0)
            at[i / 3] = copy[i];
    }
    tile_step(s, acc, at, sizeof copy[0], w);
}

INL tile_out out_of(const tile_job *t)
{
    return (tile_out){t->out, t->ldo, t->last};
}

/* Codes of the slower kinds, from a tile in memory. */
static __attribute__((noinline)) void store_other(const uint32_t *acc,
                                                  const tile_size *s, const tile_job *t)
{
    const tile_out o = out_of(t);

    for (size_t i = 0; i < s->mr; i++)
        for (size_t j = 0; j < s->nv; j++, acc += VL)
            store_codes(&o, i, j, s->half, j + 1 == s->nv ? t->last : VL,
                        requant_vector(t->head, t->group + j, u_load(acc)));
}

static void store_sums(const uint32_t *acc, const tile_size *s, const tile_job *t)
{
    uint32_t *out = t->out;

    for (size_t i = 0; i < s->mr; i++)
        for (size_t j = 0; j < s->nv; j++, acc += VL) {
            const size_t n = (j + 1 == s->nv ? t->last : VL) * sizeof *acc;

            if (s->half) {
                memcpy(out + 2 * i * t->ldo, acc, n);
                memcpy(out + (2 * i + 1) * t->ldo, acc + VL / 2, n);
            } else {
                memcpy(out + i * t->ldo + j * VL, acc, n);
            }
        }
}

#if DSCQ_LANES == 16

INL void store_upper(const tile_size s, const store_kind kind, vu acc[TILE_MR][TILE_NV],
                     const tile_job *t)
{
    const tile_out o = out_of(t);
    const size_t all = s.mr * s.nv;

    UNROLL
    for (size_t v = 0; v < all; v += 4) {
        vu y[4];

        UNROLL
        for (size_t i = 0; i < 4; i++) {
            const size_t at = v + i < all ? v + i : v;

            y[i] = v + i < all
                       ? upper_of(t->group + at % s.nv, acc[at / s.nv][at % s.nv])
                       : y[0];
        }
        store_four(&o, kind, v, all, s.nv, s.half, pack_four(t->head, y));
    }
}

#elif HAS_UPPER

INL void store_upper(const tile_size s, vu acc[TILE_MR][TILE_NV], const tile_job *t)
{
    const tile_out o = out_of(t);

    UNROLL
    for (size_t j = 0; j < s.nv; j++) {
        UNROLL
        for (size_t i = 0; i < s.mr; i++)
            store_codes(&o, i, j, 0, j + 1 == s.nv ? t->last : VL,
                        clamp_codes(t->head, upper_of(t->group + j, acc[i][j])));
    }
}

#endif

INL void tile_store(const tile_size s, vu acc[TILE_MR][TILE_NV], const tile_job *t)
{
#if DSCQ_LANES == 16
    if (t->group != NULL && t->head->kind == REQUANT_UPPER) {
        if (t->ldo * (s.half ? 2 : 1) == s.nv * VL && t->last * (s.half ? 2 : 1) == VL)
            store_upper(s, STORE_WHOLE, acc, t);
        else
            store_upper(s, STORE_PIECES, acc, t);
        return;
    }
#elif HAS_UPPER
    if (t->group != NULL && t->head->kind == REQUANT_UPPER) {
        store_upper(s, acc, t);
        return;
    }
#endif
    uint32_t copy[TILE_MR * TILE_NV * DSCQ_LANES]; /* acc itself stays in registers */

    UNROLL
    for (size_t i = 0; i < s.mr; i++) {
        UNROLL
        for (size_t j = 0; j < s.nv; j++)
            u_store(copy + (i * s.nv + j) * VL, acc[i][j]);
    }
    (t->group != NULL ? store_other : store_sums)(copy, &s, t);
}

INL void tile(const tile_size s, const tile_job *t)
{
    const size_t rows = s.half ? 2 * s.mr : s.mr;
    const uint8_t *p[ROW_POINTERS];
    const uint32_t *w = t->w;
    const size_t lda = t->lda;
    vu acc[TILE_MR][TILE_NV];

    UNROLL
    for (size_t i = 0; i < rows; i += 3)
        p[i / 3] = t->a + i * lda;
    UNROLL
    for (size_t i = 0; i < s.mr; i++) {
        UNROLL
        for (size_t j = 0; j < s.nv; j++)
            acc[i][j] = u_load(t->start + j * VL);
    }
    for (size_t lines = t->lines; lines > 0; lines--) {
        for (size_t k = t->k / 4; k > 0; k--) {
            tile_step(s, acc, p, lda, w);
            w += s.nv * WORDS * VL;
            UNROLL
            for (size_t i = 0; i < rows; i += 3)
                p[i / 3] += 4;
        }
        UNROLL
        for (size_t i = 0; i < rows; i += 3)
            p[i / 3] += t->skip;
    }
    if (t->k % 4 > 0)
        tile_rest(s, rows, acc, p, t, w);
    tile_store(s, acc, t);
}

#define X(mr, nv)                                                                      \
    static void tile_##mr##_##nv(const tile_job *t)                                    \
    {                                                                                  \
        tile((tile_size){mr, nv, 0}, t);                                               \
    }
TILE_LIST(X)
#undef X

#if DSCQ_LANES == 16
#define HALF_LIST(X) X(12) X(8) X(4) X(2) X(1)
#else
#define HALF_LIST(X)
#endif

#define X(mr)                                                                          \
    static void half_##mr(const tile_job *t)                                           \
    {                                                                                  \
        tile((tile_size){mr, 1, 1}, t);                                                \
    }
HALF_LIST(X)
#undef X

/* nv 0: two rows a vector. */
static const struct {
    size_t mr, nv;
    void (*run)(const tile_job *t);
} tiles[] = {
#define X(mr, nv) {mr, nv, tile_##mr##_##nv},
    TILE_LIST(X)
#undef X
#define X(mr) {mr, 0, half_##mr},
        HALF_LIST(X)
#undef X
};

/* m vectors of rows. 24 are too many here: their words would not stay in registers. */
static void strip(size_t nv, size_t m, tile_job *t)
{
    const size_t bytes = t->group != NULL ? 1 : sizeof(int32_t);
    size_t i = 0;

    while (tiles[i].nv != nv || tiles[i].mr > 12)
        i++;
    while (m > 0) {
        while (tiles[i].mr > m)
            i++;
        tiles[i].run(t);
        const size_t rows = nv > 0 ? tiles[i].mr : 2 * tiles[i].mr;

        t->a += rows * t->lda;
        t->out = (unsigned char *)t->out + rows * t->ldo * bytes;
        m -= tiles[i].mr;
    }
}

/* Two rows a vector; of an odd number the last is computed twice. */
static void half_strip(size_t m, tile_job *t)
{
    strip(0, m / 2, t);
    if (m % 2 > 0) {
        t->lda = 0;
        t->ldo = 0;
        strip(0, 1, t);
    }
}

static size_t vectors(size_t n)
{
    return (n + VL - 1) / VL;
}

static size_t words_of(size_t k)
{
    return (k + 3) / 4 * WORDS;
}

size_t FN(gemm_packed_bytes)(size_t n, size_t k)
{
    return vectors(n) * VL * (1 + words_of(k)) * sizeof(uint32_t);
}

#define NO_CHANNEL SIZE_MAX

/* The channel of a column of a matrix, or of a panel, with n of them. */
static size_t channel_of(size_t column, size_t n, int half)
{
    const size_t j = half ? column % (VL / 2) : column;

    return j < n ? j : NO_CHANNEL;
}

static void pack_panel(uint32_t *out, const int16_t *w, size_t ldw, const size_t nk[2],
                       size_t nv, int half)
{
    for (size_t g = 0; g < (nk[1] + 3) / 4; g++)
        for (size_t j = 0; j < nv * VL; j++) {
            const size_t c = channel_of(j, nk[0], half);
            int16_t four[4] = {0, 0, 0, 0};
            uint32_t words[WORDS];

            for (size_t i = 0; i < 4 && c != NO_CHANNEL && 4 * g + i < nk[1]; i++)
                four[i] = w[c * ldw + 4 * g + i];
            weight_words(words, four);
            for (size_t i = 0; i < WORDS; i++)
                out[((g * nv + j / VL) * WORDS + i) * VL + j % VL] = words[i];
        }
}

void FN(gemm_pack)(void *packed, const int16_t *w, size_t ldw, size_t n, size_t k,
                   int32_t zero)
{
    uint32_t *start = packed, *out = start + vectors(n) * VL;

    for (size_t j = 0; j < vectors(n) * VL; j++) {
        const size_t c = channel_of(j, n, n <= HALF);

        start[j] = 0;
        for (size_t i = 0; i < k && c != NO_CHANNEL; i++)
            start[j] -= (uint32_t)(zero * w[c * ldw + i]);
    }
    for (size_t v = 0, nv; v < vectors(n); v += nv) {
        nv = panel_vectors(vectors(n) - v);
        pack_panel(out, w + v * VL * ldw, ldw, (size_t[]){n - v * VL, k}, nv,
                   n <= HALF);
        out += nv * VL * words_of(k);
    }
}

/* Rows whose bytes stay in the first half of a second-level cache. */
static size_t row_block(size_t k)
{
    size_t rows = (size_t)256 * 1024 / (k > 0 ? k : 1) / TILE_MR * TILE_MR;

    return rows < TILE_MR ? TILE_MR : rows;
}

void FN(gemm_lines)(const void *packed, const dscq_byte_lines *a, void *out, size_t ldo,
                    size_t m, size_t n, const void *rq)
{
    const size_t k = a->line * a->lines;
    const uint32_t *start = packed, *w = start + vectors(n) * VL;
    const size_t block = row_block(k), bytes = rq != NULL ? 1 : sizeof(int32_t);

    for (size_t m0 = 0; m0 < m; m0 += block)
        for (size_t v = 0, nv; v < vectors(n); v += nv) {
            const size_t rows = m - m0 < block ? m - m0 : block;
            tile_job t = {.a = a->at + m0 * a->step,
                          .w = w + v * VL * words_of(k),
                          .start = start + v * VL,
                          .out = (unsigned char *)out + (m0 * ldo + v * VL) * bytes,
                          .lda = a->step,
                          .ldo = ldo,
                          .k = a->line,
                          .lines = a->lines,
                          .skip = a->pitch - a->line / 4 * 4};

            nv = panel_vectors(vectors(n) - v);
            t.last = n - (v + nv - 1) * VL < VL ? n - (v + nv - 1) * VL : VL;
            t.head = rq;
            t.group = rq != NULL ? requant_groups(rq) + v : NULL;
            if (n <= HALF)
                half_strip(rows, &t);
            else
                strip(nv, rows, &t);
        }
}

void FN(gemm)(const void *packed, const uint8_t *a, size_t lda, void *out, size_t ldo,
              size_t m, size_t n, size_t k, const void *rq)
{
    const dscq_byte_lines rows = {a, lda, k, 1, k / 4 * 4};

    FN(gemm_lines)(packed, &rows, out, ldo, m, n, rq);
}
