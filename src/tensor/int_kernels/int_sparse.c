/*
 * int_sparse.c - the same product for pruned weights.
 *
 * Pixels lie along the lanes: a block of 4*VL pixels is turned so that four
 * neighbouring channels of a pixel are one 32-bit word, and every stored group of four
 * weights is one broadcast against the words of the block.
 *
 * Packed: start[n], first group of every channel [n + 1], then per group its position
 * (k/4) and its weight words.
 */
#include "int_internal.h"
#include "int_requant.h"

enum { BLOCK = 4 * DSCQ_LANES };

static int has_weight(const int16_t *w, size_t g, size_t k)
{
    for (size_t i = 4 * g; i < k && i < 4 * g + 4; i++)
        if (w[i] != 0)
            return 1;
    return 0;
}

size_t FN(sparse_packed_bytes)(const int16_t *w, size_t ldw, size_t n, size_t k)
{
    size_t groups = 0;

    for (size_t j = 0; j < n; j++)
        for (size_t g = 0; 4 * g < k; g++)
            groups += (size_t)has_weight(w + j * ldw, g, k);
    return (n + n + 1 + groups * (1 + WORDS)) * sizeof(uint32_t);
}

void FN(sparse_pack)(void *packed, const int16_t *w, size_t ldw, size_t n, size_t k,
                     int32_t zero)
{
    uint32_t *start = packed, *first = start + n, *out = first + n + 1;
    uint32_t groups = 0;

    for (size_t j = 0; j < n; j++, w += ldw) {
        start[j] = 0;
        first[j] = groups;
        for (size_t g = 0; 4 * g < k; g++) {
            int16_t four[4] = {0, 0, 0, 0};

            if (!has_weight(w, g, k))
                continue;
            for (size_t i = 0; i < 4 && 4 * g + i < k; i++) {
                four[i] = w[4 * g + i];
                start[j] -= (uint32_t)(zero * four[i]);
            }
            *out = (uint32_t)g;
            weight_words(out + 1, four);
            out += 1 + WORDS;
            groups++;
        }
    }
    first[n] = groups;
}

static size_t turned_words(size_t k)
{
    return ((k + 3) / 4 + VL - 1) / VL * VL * WORDS * BLOCK;
}

size_t FN(sparse_scratch_bytes)(size_t n, size_t k)
{
    return (turned_words(k) + (n + VL) * BLOCK) * sizeof(uint32_t);
}

/* VL words of pixel row `a` from word g on; bytes past k are 0. */
static vf words_at(const uint8_t *a, size_t g, size_t k)
{
    uint32_t part[DSCQ_LANES] = {0};

    if (4 * (g + VL) <= k)
        return (vf)u_load(a + 4 * g);
    memcpy(part, a + 4 * g, k - 4 * g);
    return (vf)u_load(part);
}

INL void turn_square(uint32_t *x, vf t[DSCQ_LANES])
{
    v_transpose(t);
    UNROLL
    for (size_t i = 0; i < VL; i++) {
        const quad q = quad_of((vu)t[i]);

        UNROLL
        for (size_t w = 0; w < WORDS; w++)
            u_store(x + (i * WORDS + w) * BLOCK, q.word[w]);
    }
}

static void turn_full(uint32_t *x, const uint8_t *a, size_t lda)
{
    vf t[DSCQ_LANES];

    UNROLL
    for (size_t i = 0; i < VL; i++)
        t[i] = (vf)u_load(a + i * lda);
    turn_square(x, t);
}

/* x[word][WORDS][BLOCK] from `count` rows of a. */
static void turn_in(uint32_t *x, const uint8_t *a, size_t lda, size_t count, size_t k)
{
    for (size_t p = 0; p < count; p += VL)
        for (size_t g = 0; 4 * g < k; g += VL) {
            uint32_t *to = x + g * WORDS * BLOCK + p;
            vf t[DSCQ_LANES];

            if (p + VL <= count && 4 * (g + VL) <= k) {
                turn_full(to, a + p * lda + 4 * g, lda);
                continue;
            }
            for (size_t i = 0; i < VL; i++)
                t[i] = p + i < count ? words_at(a + (p + i) * lda, g, k) : (vf){0};
            turn_square(to, t);
        }
}

/* The accumulators of one output channel in `nv` vectors of pixels. */
INL void one_channel(const uint32_t *packed, size_t n, size_t j, const uint32_t *x,
                     const size_t nv, vu acc[4])
{
    const uint32_t *first = packed + n + j;
    const uint32_t *group = packed + n + n + 1 + (size_t)first[0] * (1 + WORDS);
    const vu start = u_set(packed[j]);

    UNROLL
    for (size_t p = 0; p < nv; p++)
        acc[p] = start;
    for (size_t count = first[1] - first[0]; count > 0; count--, group += 1 + WORDS) {
        const uint32_t *from = x + (size_t)group[0] * WORDS * BLOCK;
        vu w[WORDS];

        UNROLL
        for (size_t i = 0; i < WORDS; i++)
            w[i] = u_set(group[1 + i]);
        UNROLL
        for (size_t p = 0; p < nv; p++) {
            quad q;

            UNROLL
            for (size_t i = 0; i < WORDS; i++)
                q.word[i] = u_load(from + i * BLOCK + p * VL);
            acc[p] = dot4(acc[p], q, w);
        }
    }
}

/* y[n][BLOCK]: accumulators */
INL void raw_channels(const uint32_t *packed, const uint32_t *x, uint32_t *y, size_t n,
                      const size_t nv)
{
    for (size_t j = 0; j < n; j++) {
        vu acc[4];

        one_channel(packed, n, j, x, nv, acc);
        UNROLL
        for (size_t p = 0; p < nv; p++)
            u_store(y + j * BLOCK + p * VL, acc[p]);
    }
}

#if HAS_UPPER

/* y[n/4][BLOCK]: words of four codes, for requantisation of the kind UPPER */
INL void upper_channels(const uint32_t *packed, const uint32_t *x, uint32_t *y,
                        size_t n, const size_t nv, const requant_head *h)
{
    for (size_t j = 0; j < n; j += 4) {
        vu word[4] = {{0}, {0}, {0}, {0}};

        for (size_t i = j; i < j + 4 && i < n; i++) {
            const requant_group *g = requant_groups(h) + i / VL;
            const int64_t mult = g->mult[i % 2][i % VL / 2];
            const int64_t add = g->add[i % 2][i % VL / 2];
            const uint32_t by = 8 * (uint32_t)(i - j);
            vu acc[4];

            one_channel(packed, n, i, x, nv, acc);
            UNROLL
            for (size_t p = 0; p < nv; p++)
                word[p] |= clamp_codes(h, upper_splat(mult, add, acc[p])) << by;
        }
        UNROLL
        for (size_t p = 0; p < nv; p++)
            u_store(y + j / 4 * BLOCK + p * VL, word[p]);
    }
}

#endif

#define X(nv)                                                                          \
    static void raw_##nv(const uint32_t *packed, const uint32_t *x, uint32_t *y,       \
                         size_t n)                                                     \
    {                                                                                  \
        raw_channels(packed, x, y, n, nv);                                             \
    }
X(1)
X(2)
X(3)
X(4)
#undef X

#if HAS_UPPER
#define X(nv)                                                                          \
    static void upper_##nv(const uint32_t *packed, const uint32_t *x, uint32_t *y,     \
                           size_t n, const requant_head *h)                            \
    {                                                                                  \
        upper_channels(packed, x, y, n, nv, h);                                        \
    }
X(1)
X(2)
X(3)
X(4)
#undef X
#endif

/* Accumulators of y[n][BLOCK] to words of four codes y[n/4][BLOCK], in place. */
static void requant_words(uint32_t *y, size_t n, const requant_head *h)
{
    for (size_t j = 0; j < n; j++) {
        requant_group g;

        FN(requant_splat)(&g, requant_groups(h) + j / VL, j % VL);
        for (size_t p = 0; p < BLOCK; p += VL) {
            uint32_t *to = y + j / 4 * BLOCK + p;
            vu code = requant_vector(h, &g, u_load(y + j * BLOCK + p));

            u_store(to, (j % 4 == 0 ? (vu){0} : u_load(to)) | code << (8 * (j % 4)));
        }
    }
}

/* y[n][BLOCK] accumulators when h is NULL, else y[n/4][BLOCK] words of four codes. */
static void channels(const uint32_t *packed, const uint32_t *x, uint32_t *y, size_t n,
                     size_t count, const requant_head *h)
{
    static void (*const raw[])(const uint32_t *, const uint32_t *, uint32_t *,
                               size_t) = {raw_1, raw_2, raw_3, raw_4};
    const size_t nv = (count + VL - 1) / VL;

#if HAS_UPPER
    static void (*const upper[])(const uint32_t *, const uint32_t *, uint32_t *, size_t,
                                 const requant_head *) = {upper_1, upper_2, upper_3,
                                                          upper_4};

    if (h != NULL && h->kind == REQUANT_UPPER) {
        upper[nv - 1](packed, x, y, n, h);
        return;
    }
#endif
    raw[nv - 1](packed, x, y, n);
    if (h != NULL)
        requant_words(y, n, h);
}

/* Rows of `bytes` bytes each from y[words][BLOCK]. */
static void turn_out(unsigned char *out, size_t ldo, const uint32_t *y, size_t count,
                     size_t bytes)
{
    for (size_t p = 0; p < count; p += VL)
        for (size_t g = 0; 4 * g < bytes; g += VL) {
            const size_t left = bytes - 4 * g < 4 * VL ? bytes - 4 * g : 4 * VL;
            vf t[DSCQ_LANES];

            for (size_t i = 0; i < VL; i++)
                t[i] =
                    4 * (g + i) < bytes ? (vf)u_load(y + (g + i) * BLOCK + p) : (vf){0};
            v_transpose(t);
            for (size_t i = 0; i < VL && p + i < count; i++) {
                unsigned char *to = out + (p + i) * ldo + 4 * g;

                if (left == 4 * VL)
                    u_store(to, (vu)t[i]);
                else
                    memcpy(to, &t[i], left);
            }
        }
}

void FN(sparse_gemm)(const void *packed, const uint8_t *a, size_t lda, void *out,
                     size_t ldo, size_t m, size_t n, size_t k, const void *rq,
                     void *scratch)
{
    const size_t size = rq != NULL ? 1 : sizeof(int32_t);
    uint32_t *x = scratch, *y = x + turned_words(k);

    for (size_t m0 = 0; m0 < m; m0 += BLOCK) {
        const size_t count = m - m0 < BLOCK ? m - m0 : BLOCK;

        turn_in(x, a + m0 * lda, lda, count, k);
        channels(packed, x, y, n, count, rq);
        turn_out((unsigned char *)out + m0 * ldo * size, ldo * size, y, count,
                 n * size);
    }
}
