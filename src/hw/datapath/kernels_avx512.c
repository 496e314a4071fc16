/* The loops for CPUs with AVX-512 VNNI: 16 pixels a register. */
#include "kernels.h"
#include "simd.h"

#if DSCQ_HW_X86
#include <immintrin.h>

static inline __mmask16 first_lanes(uint32_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
}

DSCQ_HW_AVX512 static int32_t one_pixel_avx512(const int32_t *x, size_t stride,
                                               const uint32_t *at, const int32_t *value,
                                               uint32_t entries)
{
    __m512i acc = _mm512_setzero_si512();
    const __m512i step = _mm512_set1_epi32((int32_t)stride);

    for (uint32_t e = 0; e < entries; e += 16) {
        const uint32_t left = entries - e;
        const __mmask16 m = first_lanes(left);
        const __m512i k = _mm512_mullo_epi32(_mm512_maskz_loadu_epi32(m, at + e), step);
        const __m512i p = _mm512_mask_i32gather_epi32(acc, m, k, x, 4);
        acc = _mm512_dpwssd_epi32(acc, _mm512_maskz_loadu_epi32(m, value + e), p);
    }
    return _mm512_reduce_add_epi32(acc);
}

static DSCQ_HW_INLINE DSCQ_HW_AVX512 void mac_groups(int32_t *sum, const int32_t *x,
                                                     size_t stride, const uint32_t *at,
                                                     const int32_t *value,
                                                     uint32_t entries, const int groups)
{
    __m512i acc[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512(), _mm512_setzero_si512()};

    for (uint32_t e = 0; e < entries; e++) {
        const int32_t *row = x + at[e] * stride;
        const __m512i w = _mm512_set1_epi32(value[e]);
        for (int i = 0; i < groups; i++)
            acc[i] = _mm512_dpwssd_epi32(acc[i], w, _mm512_loadu_si512(row + 16 * i));
    }
    for (int i = 0; i < groups; i++)
        _mm512_storeu_si512(sum + 16 * i, acc[i]);
}

DSCQ_HW_AVX512 static void mac_avx512(int32_t *sum, const int32_t *x, size_t stride,
                                      const uint32_t *at, const int32_t *value,
                                      uint32_t entries, int32_t n)
{
    if (n == 1)
        *sum = one_pixel_avx512(x, stride, at, value, entries);
    else if (n <= 16)
        mac_groups(sum, x, stride, at, value, entries, 1);
    else if (n <= 32)
        mac_groups(sum, x, stride, at, value, entries, 2);
    else if (n <= 48)
        mac_groups(sum, x, stride, at, value, entries, 3);
    else
        mac_groups(sum, x, stride, at, value, entries, 4);
}

DSCQ_HW_AVX512 static void pair_up_avx512(int32_t *to, size_t stride,
                                          const hw_pair_source *f, const uint32_t *list,
                                          size_t count, int32_t n)
{
    const __m128i flip = _mm_set1_epi8((char)f->flip);
    const __m512i zero = _mm512_set1_epi16(f->zero);

    for (size_t i = 0; i < count; i++) {
        const hw_pair_lines from = hw__pair_lines(f, list[i]);
        int32_t *row = to + list[i] * stride;
        for (int32_t j = 0; j < n; j += 16) {
            const __m128i a =
                _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from.even + j)), flip);
            const __m128i b =
                _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from.odd + j)), flip);
            const __m256i both =
                _mm256_set_m128i(_mm_unpackhi_epi8(a, b), _mm_unpacklo_epi8(a, b));
            _mm512_storeu_si512(row + j,
                                _mm512_sub_epi16(_mm512_cvtepi8_epi16(both), zero));
        }
    }
}

DSCQ_HW_AVX512 static void pair_next_avx512(int32_t *to, const hw_pair_source *f,
                                            int32_t n)
{
    const __m256i flip = _mm256_set1_epi8((char)f->flip);
    const __m512i zero = _mm512_set1_epi16(f->zero);

    for (int32_t j = 0; j < n; j += 16) {
        const __m256i a = _mm256_xor_si256(
            _mm256_loadu_si256((const __m256i *)(f->even + 2 * j)), flip);
        _mm512_storeu_si512(to + j, _mm512_sub_epi16(_mm512_cvtepi8_epi16(a), zero));
    }
}

DSCQ_HW_AVX512 static uint32_t squeeze_avx512(uint32_t *at, int32_t *value,
                                              const int16_t *row, uint32_t n)
{
    const __m512i lanes =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i += 16) {
        const __mmask16 in = first_lanes(n - i);
        const __m512i v = _mm512_maskz_loadu_epi32(in, row + 2 * i);
        const __mmask16 m = _mm512_test_epi32_mask(v, v);
        const __m512i k = _mm512_add_epi32(_mm512_set1_epi32((int32_t)i), lanes);
        _mm512_storeu_si512(at + kept, _mm512_maskz_compress_epi32(m, k));
        _mm512_storeu_si512(value + kept, _mm512_maskz_compress_epi32(m, v));
        kept += (uint32_t)_mm_popcnt_u32(m);
    }
    return kept;
}

/* Eight numbers of 64 bits: leaky slope, rounding, clamp. */
static DSCQ_HW_INLINE DSCQ_HW_AVX512 __m256i finish8(__m512i u, int32_t is_leaky,
                                                     int32_t slope_q15, int32_t zero,
                                                     int32_t lo, int32_t hi)
{
    if (is_leaky) {
        const __m512i sloped =
            _mm512_srai_epi64(_mm512_mullo_epi64(u, _mm512_set1_epi64(slope_q15)), 15);
        u = _mm512_mask_mov_epi64(u, _mm512_movepi64_mask(u), sloped);
    }
    u = _mm512_srai_epi64(_mm512_add_epi64(u, _mm512_set1_epi64(128)), 8);
    u = _mm512_add_epi64(u, _mm512_set1_epi64(zero));
    u = _mm512_max_epi64(u, _mm512_set1_epi64(lo));
    return _mm512_cvtepi64_epi32(_mm512_min_epi64(u, _mm512_set1_epi64(hi)));
}

DSCQ_HW_AVX512 static void scale_avx512(int32_t *code, const int32_t *sum, int32_t n,
                                        const hw_scale *s)
{
    const __m512i m = _mm512_set1_epi64(s->m), bias = _mm512_set1_epi64(s->bias);
    const __m128i shift = _mm_cvtsi32_si128(s->shift);

    for (int32_t i = 0; i < n; i += 8) {
        const __m512i x =
            _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)(sum + i)));
        const __m512i u =
            _mm512_add_epi64(_mm512_sra_epi64(_mm512_mul_epi32(x, m), shift), bias);
        _mm256_storeu_si256((__m256i *)(code + i), finish8(u, s->is_leaky, s->slope_q15,
                                                           s->zero, s->lo, s->hi));
    }
}

DSCQ_HW_AVX512 static void residual_avx512(int32_t *code, const int32_t *other,
                                           int32_t n, const hw_residual *r)
{
    const __m512i m1 = _mm512_set1_epi64(r->m_self), m2 = _mm512_set1_epi64(r->m_other);
    const __m512i z1 = _mm512_set1_epi64(r->zero_self),
                  z2 = _mm512_set1_epi64(r->zero_other);
    const __m128i shift = _mm_cvtsi32_si128(r->shift);

    for (int32_t i = 0; i < n; i += 8) {
        const __m512i a =
            _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)(code + i)));
        const __m512i b =
            _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)(other + i)));
        const __m512i u =
            _mm512_add_epi64(_mm512_mul_epi32(_mm512_sub_epi64(a, z1), m1),
                             _mm512_mul_epi32(_mm512_sub_epi64(b, z2), m2));
        _mm256_storeu_si256((__m256i *)(code + i),
                            finish8(_mm512_sra_epi64(u, shift), r->is_leaky,
                                    r->slope_q15, r->zero, r->lo, r->hi));
    }
}

const hw_kernels hw__kernels_avx512 = {"avx512vnni",     mac_avx512,     pair_up_avx512,
                                       pair_next_avx512, squeeze_avx512, scale_avx512,
                                       residual_avx512};

#endif
