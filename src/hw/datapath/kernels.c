#include "kernels.h"

#include "simd.h"

#include <string.h>

#if DSCQ_HW_X86
#include <immintrin.h>
#endif

static inline int32_t low(int32_t pair)
{
    return (int16_t)(pair & 0xffff);
}

static inline int32_t high(int32_t pair)
{
    return pair >> 16;
}

/* One pixel: the pairs lie side by side. */
static DSCQ_HW_INLINE int32_t one_pixel(const int32_t *x, size_t stride,
                                        const uint32_t *at, const int32_t *value,
                                        uint32_t entries)
{
    int32_t s = 0;

    for (uint32_t e = 0; e < entries; e++) {
        const int32_t p = x[at[e] * stride];
        s += low(value[e]) * low(p) + high(value[e]) * high(p);
    }
    return s;
}

static DSCQ_HW_INLINE void mac_body(int32_t *sum, const int32_t *x, size_t stride,
                                    const uint32_t *at, const int32_t *value,
                                    uint32_t entries, int32_t n)
{
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (uint32_t e = 0; e < entries; e++) {
        const int32_t *row = x + at[e] * stride;
        const int32_t a = low(value[e]), b = high(value[e]);
        for (int32_t j = 0; j < n; j++)
            sum[j] += a * low(row[j]) + b * high(row[j]);
    }
}

static DSCQ_HW_INLINE int32_t widened(uint8_t code, const hw_pair_source *f)
{
    return (int32_t)(int8_t)(code ^ f->flip) - f->zero;
}

static DSCQ_HW_INLINE int32_t paired(int32_t even, int32_t odd)
{
    return (int32_t)(((uint32_t)even & 0xffff) | (uint32_t)odd << 16);
}

static DSCQ_HW_INLINE void pair_up_body(int32_t *to, size_t stride,
                                        const hw_pair_source *f, const uint32_t *list,
                                        size_t count, int32_t n)
{
    for (size_t i = 0; i < count; i++) {
        const hw_pair_lines from = hw__pair_lines(f, list[i]);
        int32_t *row = to + list[i] * stride;
        for (int32_t j = 0; j < n; j++)
            row[j] = paired(widened(from.even[j], f), widened(from.odd[j], f));
    }
}

static void pair_next_base(int32_t *to, const hw_pair_source *f, int32_t n)
{
    for (int32_t j = 0; j < n; j++)
        to[j] = paired(widened(f->even[2 * j], f), widened(f->even[2 * j + 1], f));
}

static uint32_t squeeze_base(uint32_t *at, int32_t *value, const int16_t *row,
                             uint32_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) { /* overwritten unless `kept` moves on */
        at[kept] = i;
        value[kept] = paired(row[2 * i], row[2 * i + 1]);
        kept += value[kept] != 0;
    }
    return kept;
}

/* What follows the sum or the scaled sum: leaky slope, rounding, clamp. */
static DSCQ_HW_INLINE int32_t finish(int64_t u, int32_t is_leaky, int32_t slope_q15,
                                     int32_t zero, int32_t lo, int32_t hi)
{
    if (is_leaky && u < 0)
        u = u * slope_q15 >> 15;
    u = ((u + 128) >> 8) + zero;
    if (u < lo)
        return lo;
    return u > hi ? hi : (int32_t)u;
}

static DSCQ_HW_INLINE void scale_body(int32_t *code, const int32_t *sum, int32_t n,
                                      const hw_scale *s)
{
    for (int32_t i = 0; i < n; i++)
        code[i] = finish(((int64_t)sum[i] * s->m >> s->shift) + s->bias, s->is_leaky,
                         s->slope_q15, s->zero, s->lo, s->hi);
}

static DSCQ_HW_INLINE void residual_body(int32_t *code, const int32_t *other, int32_t n,
                                         const hw_residual *r)
{
    for (int32_t i = 0; i < n; i++)
        code[i] = finish(((int64_t)(code[i] - r->zero_self) * r->m_self +
                          (int64_t)(other[i] - r->zero_other) * r->m_other) >>
                             r->shift,
                         r->is_leaky, r->slope_q15, r->zero, r->lo, r->hi);
}

static void mac_base(int32_t *sum, const int32_t *x, size_t stride, const uint32_t *at,
                     const int32_t *value, uint32_t entries, int32_t n)
{
    mac_body(sum, x, stride, at, value, entries, n);
}

static void pair_up_base(int32_t *to, size_t stride, const hw_pair_source *from,
                         const uint32_t *list, size_t count, int32_t n)
{
    pair_up_body(to, stride, from, list, count, n);
}

static void scale_base(int32_t *code, const int32_t *sum, int32_t n, const hw_scale *s)
{
    scale_body(code, sum, n, s);
}

static void residual_base(int32_t *code, const int32_t *other, int32_t n,
                          const hw_residual *r)
{
    residual_body(code, other, n, r);
}

static const hw_kernels k_base = {"base",         mac_base,     pair_up_base,
                                  pair_next_base, squeeze_base, scale_base,
                                  residual_base};

#if DSCQ_HW_X86

/* ---- AVX2: 8 pixels a register ------------------------------------------------- */

DSCQ_HW_AVX2 static void mac_avx2(int32_t *sum, const int32_t *x, size_t stride,
                                  const uint32_t *at, const int32_t *value,
                                  uint32_t entries, int32_t n)
{
    if (n == 1) {
        *sum = one_pixel(x, stride, at, value, entries);
        return;
    }
    for (int32_t j = 0; j < n; j += 32) {
        __m256i acc[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                          _mm256_setzero_si256(), _mm256_setzero_si256()};
        for (uint32_t e = 0; e < entries; e++) {
            const __m256i *row = (const __m256i *)(x + at[e] * stride + (size_t)j);
            const __m256i w = _mm256_set1_epi32(value[e]);
            for (int i = 0; i < 4; i++)
                acc[i] = _mm256_add_epi32(
                    acc[i], _mm256_madd_epi16(w, _mm256_loadu_si256(row + i)));
        }
        for (int i = 0; i < 4 && j + 8 * i < n; i++)
            _mm256_storeu_si256((__m256i *)(sum + j + 8 * i), acc[i]);
    }
}

DSCQ_HW_AVX2 static void pair_up_avx2(int32_t *to, size_t stride,
                                      const hw_pair_source *f, const uint32_t *list,
                                      size_t count, int32_t n)
{
    const __m128i flip = _mm_set1_epi8((char)f->flip);
    const __m256i zero = _mm256_set1_epi16(f->zero);

    for (size_t i = 0; i < count; i++) {
        const hw_pair_lines from = hw__pair_lines(f, list[i]);
        int32_t *row = to + list[i] * stride;
        for (int32_t j = 0; j < n; j += 16) {
            const __m128i a =
                _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from.even + j)), flip);
            const __m128i b =
                _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from.odd + j)), flip);
            const __m256i first = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
            const __m256i second = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b));
            _mm256_storeu_si256((__m256i *)(row + j), _mm256_sub_epi16(first, zero));
            _mm256_storeu_si256((__m256i *)(row + j + 8),
                                _mm256_sub_epi16(second, zero));
        }
    }
}

DSCQ_HW_AVX2 static void pair_next_avx2(int32_t *to, const hw_pair_source *f, int32_t n)
{
    const __m128i flip = _mm_set1_epi8((char)f->flip);
    const __m256i zero = _mm256_set1_epi16(f->zero);

    for (int32_t j = 0; j < n; j += 8) {
        const __m128i a =
            _mm_xor_si128(_mm_loadu_si128((const __m128i *)(f->even + 2 * j)), flip);
        _mm256_storeu_si256((__m256i *)(to + j),
                            _mm256_sub_epi16(_mm256_cvtepi8_epi16(a), zero));
    }
}

DSCQ_HW_AVX2 static void scale_avx2(int32_t *code, const int32_t *sum, int32_t n,
                                    const hw_scale *s)
{
    scale_body(code, sum, n, s);
}

DSCQ_HW_AVX2 static void residual_avx2(int32_t *code, const int32_t *other, int32_t n,
                                       const hw_residual *r)
{
    residual_body(code, other, n, r);
}

static const hw_kernels k_avx2 = {"avx2",         mac_avx2,     pair_up_avx2,
                                  pair_next_avx2, squeeze_base, scale_avx2,
                                  residual_avx2};

#endif

const hw_kernels *hw__kernels(int i)
{
#if DSCQ_HW_X86
    if (hw_has_avx512() && i-- == 0)
        return &hw__kernels_avx512;
    if (hw_has_avx2() && i-- == 0)
        return &k_avx2;
#endif
    return i == 0 ? &k_base : NULL;
}
