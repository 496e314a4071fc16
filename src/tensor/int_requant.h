/*
 * int_requant.h - accumulators to codes, docs/arithmetic.md section 3.
 *
 * Without leaky, floor((floor(acc*m / 2^r) + bias + 128) / 256) is
 * floor((acc*m + (bias + 128)*2^r) / 2^(r+8)) because floors nest; with the zero
 * point added inside, one multiplication, addition and shift in 64 bits remain. That
 * is used when every channel has 8 <= r <= 34 (or m = 0): then nothing passes 64 bits
 * and the result fits 32. Other layers go lane by lane.
 */
#ifndef TENSOR_INT_REQUANT_H
#define TENSOR_INT_REQUANT_H

#include "int_simd.h"

typedef struct requant_head {
    int32_t is_fast, is_leaky, slope, zero, lo, hi, offset, out_bytes;
    int32_t pad[8];
} requant_head;

/* The constants of VL channels. Even and odd lanes apart: a 32-bit multiplication
 * yields 64 bits from every other lane. */
typedef struct requant_group {
    int64_t mult[2][DSCQ_LANES / 2], add[2][DSCQ_LANES / 2], shift[2][DSCQ_LANES / 2];
    int32_t m[DSCQ_LANES], r[DSCQ_LANES], bias[DSCQ_LANES];
} requant_group;

INL const requant_group *requant_groups(const void *packed)
{
    return (const requant_group *)((const unsigned char *)packed +
                                   sizeof(requant_head));
}

/* One accumulator: the definition. Returns the code, offset not added. */
INL int32_t requant_lane(const requant_head *h, const requant_group *g, size_t i,
                         int32_t acc)
{
    int64_t u = ((int64_t)acc * g->m[i] >> g->r[i]) + g->bias[i];

    if (h->is_leaky && u < 0)
        u = (u * h->slope) >> 15;
    u = h->zero + ((u + 128) >> 8);
    return (int32_t)(u < h->lo ? h->lo : u > h->hi ? h->hi : u);
}

INL vu requant_slow(const requant_head *h, const requant_group *g, vu acc)
{
    for (size_t i = 0; i < VL; i++)
        acc[i] = (uint32_t)(requant_lane(h, g, i, (int32_t)acc[i]) + h->offset);
    return acc;
}

#if DSCQ_LANES == 16

INL __m512i requant_half(__m512i acc, const requant_group *g, int odd)
{
    __m512i p = _mm512_mul_epi32(acc, _mm512_loadu_si512(g->mult[odd]));

    p = _mm512_add_epi64(p, _mm512_loadu_si512(g->add[odd]));
    return _mm512_srav_epi64(p, _mm512_loadu_si512(g->shift[odd]));
}

INL vu requant_fast(const requant_head *h, const requant_group *g, vu acc)
{
    __m512i e = requant_half((__m512i)acc, g, 0);
    __m512i o = requant_half(_mm512_srli_epi64((__m512i)acc, 32), g, 1);
    __m512i y = _mm512_mask_blend_epi32(0xaaaa, e, _mm512_slli_epi64(o, 32));

    y = _mm512_max_epi32(y, _mm512_set1_epi32(h->lo + h->offset));
    return (vu)_mm512_min_epi32(y, _mm512_set1_epi32(h->hi + h->offset));
}

#elif DSCQ_LANES == 8

/* There is no arithmetic 64-bit shift: add 2^62 (in `add` it would overflow no sum
 * here), shift logically, and take 2^62 >> s away again, of which only the low 32
 * bits matter. */
INL __m256i requant_half(__m256i acc, const requant_group *g, int odd)
{
    const __m256i up = _mm256_set1_epi64x((int64_t)1 << 62);
    const __m256i s = _mm256_loadu_si256((const __m256i *)g->shift[odd]);
    __m256i p =
        _mm256_mul_epi32(acc, _mm256_loadu_si256((const __m256i *)g->mult[odd]));

    p = _mm256_add_epi64(p, _mm256_loadu_si256((const __m256i *)g->add[odd]));
    p = _mm256_srlv_epi64(_mm256_add_epi64(p, up), s);
    return _mm256_sub_epi64(p, _mm256_srlv_epi64(up, s));
}

INL vu requant_fast(const requant_head *h, const requant_group *g, vu acc)
{
    __m256i e = requant_half((__m256i)acc, g, 0);
    __m256i o = requant_half(_mm256_srli_epi64((__m256i)acc, 32), g, 1);
    __m256i y = _mm256_blend_epi32(e, _mm256_slli_epi64(o, 32), 0xaa);

    y = _mm256_max_epi32(y, _mm256_set1_epi32(h->lo + h->offset));
    return (vu)_mm256_min_epi32(y, _mm256_set1_epi32(h->hi + h->offset));
}

#else

INL vu requant_fast(const requant_head *h, const requant_group *g, vu acc)
{
    return requant_slow(h, g, acc);
}

#endif

/* The constants of one channel in every lane. */
INL void requant_splat(requant_group *out, const requant_group *in, size_t lane)
{
    for (size_t i = 0; i < VL; i++) {
        out->mult[i % 2][i / 2] = in->mult[lane % 2][lane / 2];
        out->add[i % 2][i / 2] = in->add[lane % 2][lane / 2];
        out->shift[i % 2][i / 2] = in->shift[lane % 2][lane / 2];
        out->m[i] = in->m[lane];
        out->r[i] = in->r[lane];
        out->bias[i] = in->bias[lane];
    }
}

/* 32-bit lanes: code + offset */
INL vu requant_vector(const requant_head *h, const requant_group *g, vu acc)
{
    return h->is_fast ? requant_fast(h, g, acc) : requant_slow(h, g, acc);
}

#endif
