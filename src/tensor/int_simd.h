/*
 * int_simd.h - dot products of four bytes in every 32-bit lane, in the best way the
 * family has: one instruction (VNNI), or two multiplications of pairs. Lanes wrap, so
 * the order of a sum does not matter. DSCQ_VNNI is 1 or 0.
 */
#ifndef TENSOR_INT_SIMD_H
#define TENSOR_INT_SIMD_H

#include "simd.h"

#if defined(__x86_64__) && DSCQ_LANES == 4
#include <emmintrin.h>
#endif

typedef uint32_t vu __attribute__((vector_size(4 * DSCQ_LANES)));
typedef uint32_t vu_mem
    __attribute__((vector_size(4 * DSCQ_LANES), aligned(1), may_alias));

INL vu u_load(const void *p)
{
    return *(const vu_mem *)p;
}

INL void u_store(void *p, vu x)
{
    *(vu_mem *)p = x;
}

INL vu u_set(uint32_t x)
{
    return x + (vu){0};
}

INL uint32_t load_word(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

/* Four weights: WORDS vectors, each a weight's bytes in every lane. */
#if DSCQ_VNNI
enum { WORDS = 1 };
#else
enum { WORDS = 2 };
#endif

/* Four activations of every lane, as the multiplier wants them. */
typedef struct quad {
    vu word[WORDS];
} quad;

#if DSCQ_VNNI

INL quad quad_of(vu bytes)
{
    return (quad){{bytes}};
}

INL vu dot4(vu acc, quad a, const vu w[WORDS])
{
    return (vu)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a.word[0], (__m512i)w[0]);
}

/* What to store for the weights w[0..3]. */
INL void weight_words(uint32_t out[WORDS], const int16_t w[4])
{
    out[0] = 0;
    for (int i = 0; i < 4; i++)
        out[0] |= (uint32_t)(uint8_t)w[i] << (8 * i);
}

#else

/* sum of the products of the two signed 16-bit halves */
INL vu madd(vu a, vu b)
{
#if DSCQ_LANES == 16
    return (vu)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif DSCQ_LANES == 8
    return (vu)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
    return (vu)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    return (vu)(((vi)(a << 16) >> 16) * ((vi)(b << 16) >> 16) +
                ((vi)a >> 16) * ((vi)b >> 16));
#endif
}

INL quad quad_of(vu bytes)
{
    return (quad){{bytes & 0x00ff00ffU, (bytes >> 8) & 0x00ff00ffU}};
}

INL vu dot4(vu acc, quad a, const vu w[WORDS])
{
    return acc + madd(a.word[0], w[0]) + madd(a.word[1], w[1]);
}

INL void weight_words(uint32_t out[WORDS], const int16_t w[4])
{
    out[0] = (uint32_t)(uint16_t)w[0] | (uint32_t)(uint16_t)w[2] << 16;
    out[1] = (uint32_t)(uint16_t)w[1] | (uint32_t)(uint16_t)w[3] << 16;
}

#endif

/* The low bytes of the first n lanes. */
INL void store_bytes(uint8_t *p, vu x, size_t n)
{
#if DSCQ_LANES == 16
    const __m128i low = _mm512_cvtepi32_epi8((__m512i)x);

    if (n >= VL)
        _mm_storeu_si128((__m128i *)(void *)p, low);
    else
        _mm_mask_storeu_epi8(p, (__mmask16)((1U << n) - 1), low);
#else
#if DSCQ_LANES == 8
    const __m256i low =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0,
                         4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i t = _mm256_shuffle_epi8((__m256i)x, low);
    const uint32_t bytes[2] = {(uint32_t)_mm256_extract_epi32(t, 0),
                               (uint32_t)_mm256_extract_epi32(t, 4)};
#else
    const uint32_t bytes[1] = {(x[0] & 255) | (x[1] & 255) << 8 | (x[2] & 255) << 16 |
                               x[3] << 24};
#endif
    if (n >= VL)
        memcpy(p, bytes, VL);
    else
        memcpy(p, bytes, n);
#endif
}

#endif
