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

/* x[word][WORDS][BLOCK] from `count` rows of a. */
static void turn_in(uint32_t *x, const uint8_t *a, size_t lda, size_t count, size_t k)
{
    for (size_t p = 0; p < BLOCK; p += VL)
        for (size_t g = 0; 4 * g < k; g += VL) {
            vf t[DSCQ_LANES];

            for (size_t i = 0; i < VL; i++)
                t[i] = p + i < count ? words_at(a + (p + i) * lda, g, k) : (vf){0};
            v_transpose(t);
            for (size_t i = 0; i < VL; i++) {
                const quad q = quad_of((vu)t[i]);

                for (size_t w = 0; w < WORDS; w++)
                    u_store(x + ((g + i) * WORDS + w) * BLOCK + p, q.word[w]);
            }
        }
}

/* The accumulators of one output channel. */
static void one_channel(const uint32_t *group, size_t count, uint32_t start,
                        const uint32_t *x, vu acc[4])
{
    vu a[4] = {u_set(start), u_set(start), u_set(start), u_set(start)};

    for (; count > 0; count--, group += 1 + WORDS) {
        const uint32_t *from = x + (size_t)group[0] * WORDS * BLOCK;
        vu w[WORDS];

        for (size_t i = 0; i < WORDS; i++)
            w[i] = u_set(group[1 + i]);
        UNROLL
        for (size_t p = 0; p < 4; p++) {
            quad q;

            for (size_t i = 0; i < WORDS; i++)
                q.word[i] = u_load(from + i * BLOCK + p * VL);
            a[p] = dot4(a[p], q, w);
        }
    }
    memcpy(acc, a, sizeof a);
}

/* Codes of channel j; `splat` holds its constants unless the kind is UPPER. */
INL vu one_code(const void *rq, size_t j, const requant_group *splat, vu acc)
{
    const requant_head *h = rq;

#if HAS_UPPER
    if (h->kind == REQUANT_UPPER) {
        const requant_group *g = requant_groups(rq) + j / VL;
        const size_t o = j % 2, i = j % VL / 2;

        return clamp_codes(h, upper_splat(g->mult[o][i], g->add[o][i], acc));
    }
#endif
    (void)j;
    return requant_vector(h, splat, acc);
}

/* y[n][BLOCK] accumulators, or y[n/4][BLOCK] words of four codes. */
static void channels(const void *packed, const uint32_t *x, uint32_t *y, size_t n,
                     const void *rq)
{
    const uint32_t *start = packed, *first = start + n, *group = first + n + 1;
    vu word[4] = {{0}, {0}, {0}, {0}}, acc[4];

    for (size_t j = 0; j < n; j++) {
        requant_group g;

        one_channel(group + (size_t)first[j] * (1 + WORDS), first[j + 1] - first[j],
                    start[j], x, acc);
        if (rq == NULL) {
            memcpy(y + j * BLOCK, acc, sizeof acc);
            continue;
        }
        if (!HAS_UPPER || ((const requant_head *)rq)->kind != REQUANT_UPPER)
            FN(requant_splat)(&g, requant_groups(rq) + j / VL, j % VL);
        for (size_t p = 0; p < 4; p++) {
            const vu code = one_code(rq, j, &g, acc[p]);

            word[p] = (j % 4 == 0 ? (vu){0} : word[p]) | code << (8 * (j % 4));
        }
        if (j % 4 == 3 || j + 1 == n)
            memcpy(y + j / 4 * BLOCK, word, sizeof word);
    }
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
        channels(packed, x, y, n, rq);
        turn_out((unsigned char *)out + m0 * ldo * size, ldo * size, y, count,
                 n * size);
    }
}
