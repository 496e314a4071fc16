/* Kernels for AVX-512 with VNNI: vpdpbusd sums four unsigned by signed products into 32
 * bits without saturation. */
#include "fast.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

enum { ROWS = 6 }; /* pixels of a tile; ROWS * 4 accumulators of 32 registers */

VNNI static inline __m512i load(const int32_t *p)
{
    return _mm512_loadu_si512((const void *)p);
}

/* (acc * m >> r) + bias of eight channels, 64 bits each. */
VNNI static inline __m512i scale8(__m512i acc, __m512i m, __m512i r, __m512i bias,
                                  const fast_post *p)
{
    __m512i u = _mm512_srav_epi64(_mm512_mul_epi32(acc, m), r);

    u = _mm512_add_epi64(u, bias);
    if (p->is_leaky) {
        const __m512i v =
            _mm512_srai_epi64(_mm512_mullo_epi64(u, _mm512_set1_epi64(p->slope)), 15);
        u = _mm512_mask_mov_epi64(u, _mm512_movepi64_mask(u), v);
    }
    return u;
}

/* 16 channels at k of the post arrays. Even and odd lanes go through 64 bits; then
 * 32 bits are enough: beyond them a code is clamped whatever the rest. */
VNNI static inline __m512i post16(const fast_post *p, size_t k, __m512i acc)
{
    const __m512i m = load(p->mult + k), r = load(p->shift + k), b = load(p->bias + k);

    acc = _mm512_add_epi32(acc, load(p->corr + k));
    const __m512i low = _mm512_set1_epi64(0xff);
    const __m512i even = scale8(acc, m, _mm512_and_si512(r, low),
                                _mm512_srai_epi64(_mm512_slli_epi64(b, 32), 32), p);
    const __m512i odd = scale8(_mm512_srli_epi64(acc, 32), _mm512_srli_epi64(m, 32),
                               _mm512_srli_epi64(r, 32), _mm512_srai_epi64(b, 32), p);
    /* (u + 128) >> 8 in 64 bits, then saturate to 32. */
    const __m512i half = _mm512_set1_epi64(128);
    const __m512i top = _mm512_set1_epi64(1 << 30),
                  bottom = _mm512_set1_epi64(-(1 << 30));
    __m512i e = _mm512_srai_epi64(_mm512_add_epi64(even, half), 8);
    __m512i o = _mm512_srai_epi64(_mm512_add_epi64(odd, half), 8);
    e = _mm512_max_epi64(_mm512_min_epi64(e, top), bottom);
    o = _mm512_max_epi64(_mm512_min_epi64(o, top), bottom);
    __m512i v = _mm512_mask_mov_epi32(e, 0xaaaa, _mm512_slli_epi64(o, 32));
    v = _mm512_add_epi32(v, _mm512_set1_epi32(p->zero));
    v = _mm512_max_epi32(v, _mm512_set1_epi32(p->lo));
    return _mm512_min_epi32(v, _mm512_set1_epi32(p->hi));
}

VNNI static inline void store16(void *out, size_t at, size_t count, int bytes,
                                __m512i v)
{
    const __mmask16 mask = (__mmask16)(count >= 16 ? 0xffff : (1U << count) - 1);

    if (bytes == 1)
        _mm512_mask_cvtepi32_storeu_epi8((uint8_t *)out + at, mask, v);
    else
        _mm512_mask_cvtepi32_storeu_epi16((uint16_t *)out + at, mask, v);
}

/* `rows` pixels (a constant where it is inlined) by `cols` blocks of 16 channels. */
VNNI static inline __attribute__((always_inline)) void
tile(const uint8_t *a, size_t lda, const int8_t *b, size_t k4, size_t rows, size_t cols,
     size_t n_left, size_t k, const fast_post *p, void *out, size_t at, size_t ldo)
{
    __m512i acc[ROWS][4];

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            acc[i][j] = _mm512_setzero_si512();
    for (size_t q = 0; q < k4; q++) {
        __m512i w[4];
        for (size_t j = 0; j < cols; j++)
            w[j] = _mm512_loadu_si512((const void *)(b + (j * k4 + q) * 64));
        for (size_t i = 0; i < rows; i++) {
            int32_t x;
            memcpy(&x, a + i * lda + q * 4, 4);
            const __m512i v = _mm512_set1_epi32(x);
            for (size_t j = 0; j < cols; j++)
                acc[i][j] = _mm512_dpbusd_epi32(acc[i][j], v, w[j]);
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            store16(out, at + i * ldo + j * 16, n_left - j * 16, p->out_bytes,
                    post16(p, k + j * 16, acc[i][j]));
}

VNNI static inline __attribute__((always_inline)) void
columns(const uint8_t *a, size_t lda, const int8_t *b, size_t k4, size_t m, size_t cols,
        size_t n_left, size_t k, const fast_post *p, void *out, size_t ldo)
{
    size_t i = 0;

    for (; i + ROWS <= m; i += ROWS)
        tile(a + i * lda, lda, b, k4, ROWS, cols, n_left, k, p, out, i * ldo + k, ldo);
    for (; i + 2 <= m; i += 2)
        tile(a + i * lda, lda, b, k4, 2, cols, n_left, k, p, out, i * ldo + k, ldo);
    for (; i < m; i++)
        tile(a + i * lda, lda, b, k4, 1, cols, n_left, k, p, out, i * ldo + k, ldo);
}

VNNI static void gemm(const uint8_t *a, size_t lda, const int8_t *b, size_t k4,
                      size_t m, size_t n, const fast_post *p, void *out, size_t ldo)
{
    for (size_t k = 0; k < n; k += FAST_BLOCK) {
        const size_t left = n - k;
        const int8_t *w = b + k * k4 * 4;
        if (left > 48)
            columns(a, lda, w, k4, m, 4, left, k, p, out, ldo);
        else if (left > 32)
            columns(a, lda, w, k4, m, 3, left, k, p, out, ldo);
        else if (left > 16)
            columns(a, lda, w, k4, m, 2, left, k, p, out, ldo);
        else
            columns(a, lda, w, k4, m, 1, left, k, p, out, ldo);
    }
}

/* ---- depthwise: 64 channels at a time, four taps in a product ----------------------
 */

/* Bytes of four taps, interleaved: vector j holds channels 16*lane + 4*j .. + 3. */
VNNI static inline void interleave(__m512i out[4], __m512i a, __m512i b, __m512i c,
                                   __m512i d)
{
    const __m512i ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b);
    const __m512i cd0 = _mm512_unpacklo_epi8(c, d), cd1 = _mm512_unpackhi_epi8(c, d);

    out[0] = _mm512_unpacklo_epi16(ab0, cd0);
    out[1] = _mm512_unpackhi_epi16(ab0, cd0);
    out[2] = _mm512_unpacklo_epi16(ab1, cd1);
    out[3] = _mm512_unpackhi_epi16(ab1, cd1);
}

static size_t dw_channel(size_t c)
{
    const size_t in = c % 64, lane = in / 16, j = in % 16 / 4;

    return c / 64 * 64 + j * 16 + lane * 4 + in % 4;
}

static size_t dw_bytes(size_t c, size_t taps)
{
    return (c + 63) / 64 * 64 * ((taps + 3) / 4) * 4;
}

/* [block of 64][group of 4 taps][64 channels in dw_channel order][4 taps] */
static void pack_dw(int8_t *out, const int16_t *w, size_t c, size_t taps)
{
    const size_t groups = (taps + 3) / 4;

    memset(out, 0, dw_bytes(c, taps));
    for (size_t i = 0; i < c; i++)
        for (size_t t = 0; t < taps; t++)
            out[((i / 64 * groups + t / 4) * 64 + dw_channel(i) % 64) * 4 + t % 4] =
                (int8_t)w[i * taps + t];
}

/* Back to channel order: packs undoes what interleave did. */
VNNI static inline void store64(uint8_t *out, const fast_post *p, size_t left,
                                const __m512i v[4])
{
    const __m512i w0 = _mm512_packus_epi32(v[0], v[1]);
    const __m512i w1 = _mm512_packus_epi32(v[2], v[3]);
    const __mmask64 mask = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;

    if (p->out_bytes == 1) {
        _mm512_mask_storeu_epi8(out, mask, _mm512_packus_epi16(w0, w1));
        return;
    }
    uint16_t t[2][32];
    _mm512_storeu_si512((void *)t[0], w0);
    _mm512_storeu_si512((void *)t[1], w1);
    for (size_t i = 0; i < left && i < 64; i++) /* lane i/16, halves of 8 */
        ((uint16_t *)(void *)out)[i] = t[i % 16 / 8][i / 16 * 8 + i % 8];
}

VNNI static inline __attribute__((always_inline)) void
dw_block(const uint8_t *at, const size_t *tap, size_t groups, const int8_t *w,
         const fast_post *p, size_t k, __mmask64 mask, uint8_t *out, size_t left)
{
    __m512i acc[4], x[4];

    for (size_t j = 0; j < 4; j++)
        acc[j] = _mm512_setzero_si512();
    for (size_t g = 0; g < groups; g++, w += 256) {
        interleave(x, _mm512_maskz_loadu_epi8(mask, at + tap[g * 4]),
                   _mm512_maskz_loadu_epi8(mask, at + tap[g * 4 + 1]),
                   _mm512_maskz_loadu_epi8(mask, at + tap[g * 4 + 2]),
                   _mm512_maskz_loadu_epi8(mask, at + tap[g * 4 + 3]));
        for (size_t j = 0; j < 4; j++)
            acc[j] = _mm512_dpbusd_epi32(
                acc[j], x[j], _mm512_loadu_si512((const void *)(w + j * 64)));
    }
    for (size_t j = 0; j < 4; j++)
        acc[j] = post16(p, k + j * 16, acc[j]);
    store64(out, p, left, acc);
}

VNNI static void dw(const uint8_t *in, const int8_t *w, const fast_geom *g,
                    const fast_post *p, uint8_t *out)
{
    enum { TAPS = 256 };
    const size_t taps = (size_t)g->kernel_h * (size_t)g->kernel_w, c = (size_t)g->c;
    const size_t groups = (taps + 3) / 4;
    size_t tap[TAPS + 4];

    for (size_t t = 0; t < groups * 4; t++) /* surplus taps: any address, weight 0 */
        tap[t] = t < taps ? t / (size_t)g->kernel_w * g->row +
                                t % (size_t)g->kernel_w * g->column
                          : 0;
    for (size_t k = 0; k < c; k += 64) {
        const size_t left = c - k;
        const __mmask64 mask = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
        for (size_t x = 0; x < (size_t)g->out_w; x++) {
            const uint8_t *at = in + x * g->step + k;
            uint8_t *to = out + (x * c + k) * (size_t)p->out_bytes;
            if (groups == 3)
                dw_block(at, tap, 3, w + k * groups * 4, p, k, mask, to, left);
            else
                dw_block(at, tap, groups, w + k * groups * 4, p, k, mask, to, left);
        }
    }
}

static int usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

const fast_kernels infer__avx512 = {"avx512_vnni", usable,   gemm,   dw,
                                    dw_channel,    dw_bytes, pack_dw};

#else

static int usable(void)
{
    return 0;
}

const fast_kernels infer__avx512 = {.name = "avx512_vnni", .usable = usable};

#endif
