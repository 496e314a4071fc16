/*
 * int_requant.h - accumulators to codes, docs/arithmetic.md section 3.
 *
 * Without leaky, floor((floor(acc*m / 2^r) + bias + 128) / 256) is
 * floor((acc*m + (bias + 128)*2^r) / 2^(r+8)), because floors nest. When every channel
 * has 8 <= r <= 24 (or m = 0) both sides are scaled by 2^(24-r), which m has room for:
 * then the shift is by 32 for all of them, the code is the upper half of
 * acc * (m << (24-r)) + ((bias + 128) << 24) + (zero << 32), and no shift is left.
 * Other layers: requant.c.
 */
#ifndef TENSOR_INT_REQUANT_H
#define TENSOR_INT_REQUANT_H

#include "int_internal.h"
#include "int_simd.h"

typedef int64_t vl __attribute__((vector_size(4 * DSCQ_LANES)));

typedef enum requant_kind {
    REQUANT_UPPER, /* the upper half, as above                                  */
    REQUANT_SHIFT, /* 8 <= r <= 34: the sum in 64 bits, shifted by r + 8        */
    REQUANT_LEAKY, /* 16 <= r <= 32: u is the upper half of acc*(m << (32-r))   */
    REQUANT_LANES  /* anything else, and families without the instructions      */
} requant_kind;

typedef struct requant_head {
    int32_t kind, is_leaky, slope, zero, lo, hi, offset, out_bytes;
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

/* requant.c: a vector of any kind; one constant group, or one lane of it for all. */
void FN(requant_other)(const requant_head *h, const requant_group *g,
                       const uint32_t *acc, uint32_t *code);
void FN(requant_splat)(requant_group *out, const requant_group *in, size_t lane);

#if DSCQ_LANES == 16

#define HAS_UPPER 1

typedef __m512i v64;

INL v64 mul_wide(v64 a, const int64_t *b)
{
    return _mm512_mul_epi32(a, _mm512_loadu_si512(b));
}

INL v64 add_wide(v64 a, const int64_t *b)
{
    return _mm512_add_epi64(a, _mm512_loadu_si512(b));
}

INL v64 odd_lanes(v64 a)
{
    return _mm512_srli_epi64(a, 32);
}

/* the upper halves of e to the even lanes, those of o stay in the odd ones */
INL v64 upper_halves(v64 e, v64 o)
{
    return _mm512_mask_shuffle_epi32(o, 0x5555, e, _MM_PERM_DDBB);
}

#elif DSCQ_LANES == 8

#define HAS_UPPER 1

typedef __m256i v64;

INL v64 mul_wide(v64 a, const int64_t *b)
{
    return _mm256_mul_epi32(a, _mm256_loadu_si256((const __m256i *)(const void *)b));
}

INL v64 add_wide(v64 a, const int64_t *b)
{
    return _mm256_add_epi64(a, _mm256_loadu_si256((const __m256i *)(const void *)b));
}

INL v64 odd_lanes(v64 a)
{
    return _mm256_srli_epi64(a, 32);
}

INL v64 upper_halves(v64 e, v64 o)
{
    return _mm256_blend_epi32(_mm256_srli_epi64(e, 32), o, 0xaa);
}

#else

#define HAS_UPPER 0

#endif

#if HAS_UPPER

INL vu upper_of(const requant_group *g, vu acc)
{
    v64 e = add_wide(mul_wide((v64)acc, g->mult[0]), g->add[0]);
    v64 o = add_wide(mul_wide(odd_lanes((v64)acc), g->mult[1]), g->add[1]);

    return (vu)upper_halves(e, o);
}

/* the same with the constants of one channel in all lanes */
INL vu upper_splat(int64_t mult, int64_t add, vu acc)
{
    const vl m = mult + (vl){0}, a = add + (vl){0};
    v64 e = add_wide(mul_wide((v64)acc, (const int64_t *)&m), (const int64_t *)&a);
    v64 o = add_wide(mul_wide(odd_lanes((v64)acc), (const int64_t *)&m),
                     (const int64_t *)&a);

    return (vu)upper_halves(e, o);
}

#endif

INL vu clamp_codes(const requant_head *h, vu x)
{
#if DSCQ_LANES == 16
    x = (vu)_mm512_max_epi32((__m512i)x, _mm512_set1_epi32(h->lo + h->offset));
    return (vu)_mm512_min_epi32((__m512i)x, _mm512_set1_epi32(h->hi + h->offset));
#elif DSCQ_LANES == 8
    x = (vu)_mm256_max_epi32((__m256i)x, _mm256_set1_epi32(h->lo + h->offset));
    return (vu)_mm256_min_epi32((__m256i)x, _mm256_set1_epi32(h->hi + h->offset));
#else
    const vi lo = (vi){0} + (h->lo + h->offset), hi = (vi){0} + (h->hi + h->offset);
    vi y = v_pick((vi)x < lo, lo, (vi)x);

    return (vu)v_pick(y > hi, hi, y);
#endif
}

/* 32-bit lanes: code + offset */
INL vu requant_vector(const requant_head *h, const requant_group *g, vu acc)
{
#if HAS_UPPER
    if (h->kind == REQUANT_UPPER)
        return clamp_codes(h, upper_of(g, acc));
#endif
    uint32_t copy[DSCQ_LANES]; /* so that acc itself stays in a register */

    u_store(copy, acc);
    FN(requant_other)(h, g, copy, copy);
    return u_load(copy);
}

#endif
