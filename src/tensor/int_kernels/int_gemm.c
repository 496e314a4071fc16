/*
 * int_gemm.c - bytes times 8-bit weights in register tiles.
 *
 * Packed: [n, rounded up to vectors] start values -zero * sum(w); then for every panel
 * of one to three vectors of output channels, for every four of k, the panel's words.
 */
#include "int_internal.h"
#include "int_requant.h"
#include "tile.h"

typedef struct tile_job {
    const uint8_t *a;
    const uint32_t *w, *start;
    void *out;
    size_t lda, ldo, k;
    size_t last; /* columns of the last vector that exist */
    const requant_head *head;
    const requant_group *group; /* NULL: store accumulators */
} tile_job;

INL void tile_step(const size_t mr, const size_t nv, vu acc[TILE_MR][TILE_NV],
                   const uint32_t word[TILE_MR], const uint32_t *w)
{
    vu x[TILE_NV][WORDS];

    UNROLL
    for (size_t j = 0; j < nv; j++) {
        UNROLL
        for (size_t i = 0; i < WORDS; i++)
            x[j][i] = u_load(w + (j * WORDS + i) * VL);
    }
    UNROLL
    for (size_t i = 0; i < mr; i++) {
        const quad a = quad_of(u_set(word[i]));

        UNROLL
        for (size_t j = 0; j < nv; j++)
            acc[i][j] = dot4(acc[i][j], a, x[j]);
    }
}

/* Codes of the slower kinds, from a tile in memory. */
static __attribute__((noinline)) void store_other(const uint32_t *acc, size_t mr,
                                                  size_t nv, const tile_job *t)
{
    for (size_t i = 0; i < mr; i++)
        for (size_t j = 0; j < nv; j++, acc += VL)
            store_bytes((uint8_t *)t->out + i * t->ldo + j * VL,
                        requant_vector(t->head, t->group + j, u_load(acc)),
                        j + 1 == nv ? t->last : VL);
}

INL void tile_store(const size_t mr, const size_t nv, vu acc[TILE_MR][TILE_NV],
                    const tile_job *t)
{
    if (t->group == NULL) {
        UNROLL
        for (size_t i = 0; i < mr; i++) {
            UNROLL
            for (size_t j = 0; j < nv; j++)
                v_store_upto((float *)t->out + i * t->ldo + j * VL,
                             j + 1 == nv ? t->last : VL, (vf)acc[i][j]);
        }
        return;
    }
#if HAS_UPPER
    if (t->head->kind == REQUANT_UPPER) {
        UNROLL
        for (size_t j = 0; j < nv; j++) {
            const requant_group *g = t->group + j;
            uint8_t *to = (uint8_t *)t->out + j * VL;

            UNROLL
            for (size_t i = 0; i < mr; i++, to += t->ldo)
                store_bytes(to, clamp_codes(t->head, upper_of(g, acc[i][j])),
                            j + 1 == nv ? t->last : VL);
        }
        return;
    }
#endif
    uint32_t copy[TILE_MR * TILE_NV * DSCQ_LANES]; /* acc itself stays in registers */

    UNROLL
    for (size_t i = 0; i < mr; i++) {
        UNROLL
        for (size_t j = 0; j < nv; j++)
            u_store(copy + (i * nv + j) * VL, acc[i][j]);
    }
    store_other(copy, mr, nv, t);
}

INL void tile(const size_t mr, const size_t nv, const tile_job *t)
{
    const uint8_t *p[(TILE_MR + 2) / 3];
    const uint32_t *w = t->w;
    const size_t lda = t->lda, rest = t->k % 4;
    uint32_t word[TILE_MR];
    vu acc[TILE_MR][TILE_NV];

    UNROLL
    for (size_t i = 0; i < mr; i++) {
        if (i % 3 == 0)
            p[i / 3] = t->a + i * lda;
        UNROLL
        for (size_t j = 0; j < nv; j++)
            acc[i][j] = u_load(t->start + j * VL);
    }
    for (size_t k = t->k / 4; k > 0; k--) {
        UNROLL
        for (size_t i = 0; i < mr; i++)
            word[i] = load_word(p[i / 3] + i % 3 * lda);
        tile_step(mr, nv, acc, word, w);
        w += nv * WORDS * VL;
        UNROLL
        for (size_t i = 0; i < mr; i += 3)
            p[i / 3] += 4;
    }
    if (rest > 0) {
        UNROLL
        for (size_t i = 0; i < mr; i++) {
            word[i] = 0;
            memcpy(&word[i], p[i / 3] + i % 3 * lda, rest);
        }
        tile_step(mr, nv, acc, word, w);
    }
    tile_store(mr, nv, acc, t);
}

#define X(mr, nv)                                                                      \
    static void tile_##mr##_##nv(const tile_job *t)                                    \
    {                                                                                  \
        tile(mr, nv, t);                                                               \
    }
TILE_LIST(X)
#undef X

static const struct {
    size_t mr, nv;
    void (*run)(const tile_job *t);
} tiles[] = {
#define X(mr, nv) {mr, nv, tile_##mr##_##nv},
    TILE_LIST(X)
#undef X
};

/* 24 rows are too many here: their words would not stay in registers. */
static void strip(size_t nv, size_t m, tile_job t)
{
    const size_t bytes = t.group != NULL ? 1 : sizeof(int32_t);
    size_t i = 0;

    while (tiles[i].nv != nv || tiles[i].mr > 12)
        i++;
    while (m > 0) {
        while (tiles[i].mr > m)
            i++;
        tiles[i].run(&t);
        t.a += tiles[i].mr * t.lda;
        t.out = (unsigned char *)t.out + tiles[i].mr * t.ldo * bytes;
        m -= tiles[i].mr;
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

static void pack_panel(uint32_t *out, const int16_t *w, size_t ldw, const size_t nk[2],
                       size_t nv)
{
    for (size_t g = 0; g < (nk[1] + 3) / 4; g++)
        for (size_t j = 0; j < nv * VL; j++) {
            int16_t four[4] = {0, 0, 0, 0};
            uint32_t words[WORDS];

            for (size_t i = 0; i < 4 && j < nk[0] && 4 * g + i < nk[1]; i++)
                four[i] = w[j * ldw + 4 * g + i];
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
        start[j] = 0;
        for (size_t i = 0; i < k && j < n; i++)
            start[j] -= (uint32_t)(zero * w[j * ldw + i]);
    }
    for (size_t v = 0, nv; v < vectors(n); v += nv) {
        nv = panel_vectors(vectors(n) - v);
        pack_panel(out, w + v * VL * ldw, ldw, (size_t[]){n - v * VL, k}, nv);
        out += nv * VL * words_of(k);
    }
}

/* Rows whose bytes stay in the first half of a second-level cache. */
static size_t row_block(size_t k)
{
    size_t rows = (size_t)256 * 1024 / (k > 0 ? k : 1) / TILE_MR * TILE_MR;

    return rows < TILE_MR ? TILE_MR : rows;
}

void FN(gemm)(const void *packed, const uint8_t *a, size_t lda, void *out, size_t ldo,
              size_t m, size_t n, size_t k, const void *rq)
{
    const uint32_t *start = packed, *w = start + vectors(n) * VL;
    const size_t block = row_block(k), bytes = rq != NULL ? 1 : sizeof(int32_t);

    for (size_t m0 = 0; m0 < m; m0 += block)
        for (size_t v = 0, nv; v < vectors(n); v += nv) {
            tile_job t = {.a = a + m0 * lda,
                          .w = w + v * VL * words_of(k),
                          .start = start + v * VL,
                          .out = (unsigned char *)out + (m0 * ldo + v * VL) * bytes,
                          .lda = lda,
                          .ldo = ldo,
                          .k = k};

            nv = panel_vectors(vectors(n) - v);
            t.last = n - (v + nv - 1) * VL < VL ? n - (v + nv - 1) * VL : VL;
            t.head = rq;
            t.group = rq != NULL ? requant_groups(rq) + v : NULL;
            strip(nv, m - m0 < block ? m - m0 : block, t);
        }
}
