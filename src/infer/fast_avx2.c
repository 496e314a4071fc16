/* Kernels for AVX2: 16-bit products, summed in pairs (exact: no saturating step). */
#include "fast.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

enum { WIDE = 8 };

/* 8 channels at k.. of the post arrays: acc -> clamped u. */
AVX2 static inline __m256i post8(const fast_post *p, size_t k, __m256i acc)
{
    int32_t v[WIDE];

    /* The 64-bit arithmetic shift is missing in AVX2: scalar, exact. */
    _mm256_storeu_si256((__m256i *)(void *)v, acc);
    for (size_t i = 0; i < WIDE; i++)
        v[i] = infer__requant(p, k + i, v[i]);
    return _mm256_loadu_si256((const __m256i *)(const void *)v);
}

static void store(void *out, size_t at, size_t count, int bytes, const int32_t *v)
{
    for (size_t i = 0; i < count; i++)
        if (bytes == 1)
            ((uint8_t *)out)[at + i] = (uint8_t)v[i];
        else
            ((uint16_t *)out)[at + i] = (uint16_t)v[i];
}

/* Two pixels, 16 channels: the 4 bytes of a pixel as two 16-bit pairs. */
AVX2 static void tile(const uint8_t *a, size_t lda, size_t pixels, const int8_t *b,
                      size_t k4, __m256i acc[2][2])
{
    const uint8_t *a1 = pixels > 1 ? a + lda : a;

    for (size_t i = 0; i < 4; i++)
        acc[i / 2][i % 2] = _mm256_setzero_si256();
    for (size_t k = 0; k < k4; k++, b += 64) {
        uint32_t x0, x1;
        memcpy(&x0, a + k * 4, 4);
        memcpy(&x1, a1 + k * 4, 4);
        const __m256i y0 =
            _mm256_cvtepu8_epi16(_mm_set1_epi32((int32_t)x0)); /* a0 a1 a2 a3 .. */
        const __m256i y1 = _mm256_cvtepu8_epi16(_mm_set1_epi32((int32_t)x1));
        for (size_t h = 0; h < 2; h++) {
            const __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)b + h);
            const __m256i lo = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(w));
            const __m256i hi = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(w, 1));
            /* pairs of a channel side by side: add them, restore the order */
            const __m256i s0 =
                _mm256_hadd_epi32(_mm256_madd_epi16(lo, y0), _mm256_madd_epi16(hi, y0));
            const __m256i s1 =
                _mm256_hadd_epi32(_mm256_madd_epi16(lo, y1), _mm256_madd_epi16(hi, y1));
            acc[0][h] = _mm256_add_epi32(acc[0][h], s0);
            acc[1][h] = _mm256_add_epi32(acc[1][h], s1);
        }
    }
    for (size_t i = 0; i < 4; i++)
        acc[i / 2][i % 2] = _mm256_permute4x64_epi64(acc[i / 2][i % 2], 0xd8);
}

AVX2 static void gemm(const uint8_t *a, size_t lda, const int8_t *b, size_t k4,
                      size_t m, size_t n, const fast_post *p, void *out, size_t ldo)
{
    for (size_t j = 0; j < n; j += 16)
        for (size_t i = 0; i < m; i += 2) {
            const size_t pixels = m - i < 2 ? 1 : 2;
            __m256i acc[2][2];
            tile(a + i * lda, lda, pixels, b + j * k4 * 4, k4, acc);
            for (size_t q = 0; q < pixels; q++)
                for (size_t h = 0; h < 2 && j + h * WIDE < n; h++) {
                    int32_t v[WIDE];
                    const size_t at = j + h * WIDE;
                    _mm256_storeu_si256((__m256i *)(void *)v, post8(p, at, acc[q][h]));
                    store(out, (i + q) * ldo + at, n - at < WIDE ? n - at : WIDE,
                          p->out_bytes, v);
                }
        }
}

/* 8 channels at a time; weights [taps][c rounded up to 8] as 32-bit would be larger, so
 * bytes are widened on the way. */
AVX2 static void dw(const uint8_t *in, const int8_t *w, const fast_geom *g,
                    const fast_post *p, uint8_t *out)
{
    const size_t c = (size_t)g->c, ld = (c + WIDE - 1) / WIDE * WIDE;

    for (size_t x = 0; x < (size_t)g->out_w; x++)
        for (size_t k = 0; k < c; k += WIDE) {
            __m256i acc = _mm256_setzero_si256();
            for (size_t r = 0; r < (size_t)g->kernel_h; r++)
                for (size_t s = 0; s < (size_t)g->kernel_w; s++) {
                    const uint8_t *at =
                        in + x * g->step + r * g->row + s * g->column + k;
                    const __m256i v = _mm256_cvtepu8_epi32(
                        _mm_loadl_epi64((const __m128i *)(const void *)at));
                    const __m256i f = _mm256_cvtepi8_epi32(_mm_loadl_epi64(
                        (const __m128i *)(const void *)(w +
                                                        (r * (size_t)g->kernel_w + s) *
                                                            ld +
                                                        k)));
                    acc = _mm256_add_epi32(acc, _mm256_mullo_epi32(v, f));
                }
            int32_t v[WIDE];
            _mm256_storeu_si256((__m256i *)(void *)v, post8(p, k, acc));
            store(out, x * c + k, c - k < WIDE ? c - k : WIDE, p->out_bytes, v);
        }
}

static size_t same_channel(size_t c)
{
    return c;
}

static size_t dw_bytes(size_t c, size_t taps)
{
    return (c + WIDE - 1) / WIDE * WIDE * taps;
}

static void pack_dw(int8_t *out, const int16_t *w, size_t c, size_t taps)
{
    const size_t ld = (c + WIDE - 1) / WIDE * WIDE;

    memset(out, 0, ld * taps);
    for (size_t i = 0; i < c; i++)
        for (size_t t = 0; t < taps; t++)
            out[t * ld + i] = (int8_t)w[i * taps + t];
}

static int usable(void)
{
    return __builtin_cpu_supports("avx2");
}

const fast_kernels infer__avx2 = {"avx2",       usable,   gemm,   dw,
                                  same_channel, dw_bytes, pack_dw};

#else

static int usable(void)
{
    return 0;
}

const fast_kernels infer__avx2 = {.name = "avx2", .usable = usable};

#endif
