/* int_block.h - a block of 4*VL channels of a depthwise row: interleaving of its taps,
 * dot products, codes. See int_depthwise.c. */
#ifndef TENSOR_INT_BLOCK_H
#define TENSOR_INT_BLOCK_H

#include "int_requant.h"

enum {
    BLOCK = 4 * DSCQ_LANES,
    TAPS_MAX = 256,
    TOGETHER = 2 /* blocks computed at once share weights and constants */
};

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

typedef struct dw_job {
    const uint8_t *tap[TAPS_MAX]; /* of the first output, first channel */
    size_t groups;                /* of four taps; the last are repeated */
    size_t c, pixels, step;       /* step: bytes between two windows     */
    int is_square;                /* 3 x 3 taps without dilation         */
    const requant_head *head;
} dw_job;

/* Where a block is: its packed constants and what is stored of it. */
typedef struct block_at {
    const uint32_t *packed;
    const requant_group *g;
    size_t c;     /* its first channel      */
    size_t bytes; /* channels from there on */
} block_at;

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

INL vb upper_codes(const requant_head *h, const requant_group *g, vu acc[4])
{
    UNROLL
    for (size_t i = 0; i < 4; i++)
        acc[i] = upper_of(g + i, acc[i]);
    return clamp_bytes(pack_codes(acc), h);
}

#endif

#endif
