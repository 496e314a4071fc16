/*
 * simd.h - vectors of DSCQ_LANES floats: compiler vectors, and the few instructions
 * they do not express. Included only by kernels/, which is compiled once per family
 * with DSCQ_FAMILY, DSCQ_LANES and the family's flags (flags.cmake).
 */
#ifndef TENSOR_SIMD_H
#define TENSOR_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if DSCQ_LANES == 16 || DSCQ_LANES == 8
#include <immintrin.h>
#endif

#define VL ((size_t)DSCQ_LANES)
/* Unrolled tiles are what makes the kernels fast, and what makes sanitised builds take
 * minutes to compile; those keep their loops and calls. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TENSOR_KEEP_LOOPS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                   \
    !defined(__OPTIMIZE__)
#define TENSOR_KEEP_LOOPS 1
#endif
#if defined(TENSOR_KEEP_LOOPS)
#define INL static __attribute__((unused))
#define UNROLL
#define UNROLL4
#elif defined(__clang__)
#define INL     static inline __attribute__((always_inline, unused))
#define UNROLL  _Pragma("clang loop unroll(full)")
#define UNROLL4 _Pragma("clang loop unroll_count(4)")
#else
#define INL     static inline __attribute__((always_inline, unused))
#define UNROLL  _Pragma("GCC unroll 64")
#define UNROLL4 _Pragma("GCC unroll 4")
#endif

typedef float vf __attribute__((vector_size(4 * DSCQ_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * DSCQ_LANES)));
typedef float vf_mem
    __attribute__((vector_size(4 * DSCQ_LANES), aligned(4), may_alias));

INL vf v_load(const float *p)
{
    return *(const vf_mem *)p;
}

INL void v_store(float *p, vf x)
{
    *(vf_mem *)p = x;
}

/* Past the caches; p is aligned to a vector. */
INL void v_stream(float *p, vf x)
{
#if DSCQ_LANES == 16
    _mm512_stream_ps(p, (__m512)x);
#elif DSCQ_LANES == 8
    _mm256_stream_ps(p, (__m256)x);
#else
    v_store(p, x);
#endif
}

/* Whether whole vectors of rows ld apart may be streamed. */
INL int v_may_stream(const float *p, size_t ld)
{
    return (uintptr_t)p % (VL * sizeof *p) == 0 && ld % VL == 0;
}

INL vf v_set(float x)
{
    return x - (vf){0}; /* a splat that keeps -0 and NaN */
}

INL vi v_pick(vi mask, vi a, vi b)
{
    return (mask & a) | (~mask & b);
}

#if DSCQ_LANES == 16

INL vf v_load_n(const float *p, size_t n)
{
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
}

INL void v_store_n(float *p, size_t n, vf x)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)x);
}

/* a > b ? a : b, so b when one is NaN; and likewise v_min */
INL vf v_max(vf a, vf b)
{
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}

INL vf v_min(vf a, vf b)
{
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}

/* g where x > y, else 0 */
INL vf v_keep_gt(vf g, vf x, vf y)
{
    return (vf)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)x, (__m512)y, _CMP_GT_OQ),
                                   (__m512)g);
}

/* x > y ? a : b */
INL vf v_if_gt(vf x, vf y, vf a, vf b)
{
    return (vf)_mm512_mask_blend_ps(
        _mm512_cmp_ps_mask((__m512)x, (__m512)y, _CMP_GT_OQ), (__m512)b, (__m512)a);
}

INL vf v_rint(vf x)
{
    return (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT);
}

INL vf v_sqrt(vf x)
{
    return (vf)_mm512_sqrt_ps((__m512)x);
}

#else

INL vf v_if_gt(vf x, vf y, vf a, vf b)
{
    return (vf)v_pick(x > y, (vi)a, (vi)b);
}

INL vf v_keep_gt(vf g, vf x, vf y)
{
    return (vf)((vi)g & (x > y));
}

#if DSCQ_LANES == 8

INL __m256i v_tail(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INL vf v_load_n(const float *p, size_t n)
{
    return (vf)_mm256_maskload_ps(p, v_tail(n));
}

INL void v_store_n(float *p, size_t n, vf x)
{
    _mm256_maskstore_ps(p, v_tail(n), (__m256)x);
}

INL vf v_max(vf a, vf b)
{
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}

INL vf v_min(vf a, vf b)
{
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}

INL vf v_rint(vf x)
{
    return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT);
}

INL vf v_sqrt(vf x)
{
    return (vf)_mm256_sqrt_ps((__m256)x);
}

#else

INL vf v_load_n(const float *p, size_t n)
{
    vf x = {0};

    memcpy(&x, p, n * sizeof(float));
    return x;
}

INL void v_store_n(float *p, size_t n, vf x)
{
    memcpy(p, &x, n * sizeof(float));
}

INL vf v_max(vf a, vf b)
{
    return v_if_gt(a, b, a, b);
}

INL vf v_min(vf a, vf b)
{
    return v_if_gt(b, a, a, b);
}

/* Adding 1.5*2^23 leaves no room for a fraction; above 2^22 there is none or the
 * half does not matter to any code. The volatile-free form is exact only without
 * reassociation, which the build never allows. */
INL vf v_rint(vf x)
{
    vf big = v_set(12582912.0F), near = (x + big) - big;
    vf size = v_max(x, -x);

    return v_if_gt(v_set(4194304.0F), size, near, x);
}

INL vf v_sqrt(vf x)
{
    for (size_t i = 0; i < VL; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
}

#endif
#endif

/* A vector at p, of which n <= VL floats exist. */
INL vf v_load_upto(const float *p, size_t n)
{
    return n >= VL ? v_load(p) : v_load_n(p, n);
}

INL void v_store_upto(float *p, size_t n, vf x)
{
    if (n >= VL)
        v_store(p, x);
    else
        v_store_n(p, n, x);
}

/* e^x for x clamped to [-87, 88]: x = n*ln2 + r, |r| <= ln2/2; e^r by its Taylor
 * polynomial of degree 7 (error 2^-27); relative error below 3e-7. */
INL vf v_exp(vf x)
{
    static const float inv[] = {1.0F / 5040, 1.0F / 720, 1.0F / 120,
                                1.0F / 24,   1.0F / 6,   0.5F};
    vf n, r, e;

    x = v_max(v_set(-87.0F), v_min(v_set(88.0F), x));
    n = v_rint(x * 1.44269504F);
    r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    e = v_set(inv[0]);
    for (int i = 1; i < 6; i++)
        e = e * r + inv[i];
    e = e * r * r + r + 1.0F;
    return e * (vf)((__builtin_convertvector(n, vi) + 127) << 23);
}

/* Swap the off-diagonal halves of two vectors seen as blocks of h lanes. */
#define SWAP_LO(l, h)      ((l) & (h) ? DSCQ_LANES + (l) - (h) : (l))
#define SWAP_HI(l, h)      ((l) & (h) ? DSCQ_LANES + (l) : (l) + (h))
#define LANES_4(F, at, h)  F(at, h), F((at) + 1, h), F((at) + 2, h), F((at) + 3, h)
#define LANES_8(F, at, h)  LANES_4(F, at, h), LANES_4(F, (at) + 4, h)
#define LANES_16(F, at, h) LANES_8(F, at, h), LANES_8(F, (at) + 8, h)
#if DSCQ_LANES == 16
#define LANES LANES_16
#elif DSCQ_LANES == 8
#define LANES LANES_8
#else
#define LANES LANES_4
#endif
#define SWAP_BLOCKS(x, h)                                                              \
    UNROLL                                                                             \
    for (int i_ = 0; i_ < DSCQ_LANES; i_++)                                            \
        if ((i_ & (h)) == 0) {                                                         \
            vf lo_ =                                                                   \
                __builtin_shufflevector((x)[i_], (x)[i_ + (h)], LANES(SWAP_LO, 0, h)); \
            vf hi_ =                                                                   \
                __builtin_shufflevector((x)[i_], (x)[i_ + (h)], LANES(SWAP_HI, 0, h)); \
            (x)[i_] = lo_;                                                             \
            (x)[i_ + (h)] = hi_;                                                       \
        }

/* Transpose a square of VL vectors in registers. */
INL void v_transpose(vf x[DSCQ_LANES])
{
    SWAP_BLOCKS(x, 1)
    SWAP_BLOCKS(x, 2)
#if DSCQ_LANES >= 8
    SWAP_BLOCKS(x, 4)
#endif
#if DSCQ_LANES >= 16
    SWAP_BLOCKS(x, 8)
#endif
}

INL float v_sum(vf x)
{
    float s[DSCQ_LANES];

    memcpy(s, &x, sizeof s);
    for (size_t half = VL / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

#endif
