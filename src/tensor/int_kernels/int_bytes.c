/*
 * int_bytes.c - byte by byte: scaled sums, maxima, sums over positions.
 */
#include "int_internal.h"
#include "int_simd.h"

typedef uint8_t vbytes __attribute__((vector_size(4 * DSCQ_LANES)));
#if DSCQ_LANES < 8
typedef uint8_t vlow __attribute__((vector_size(DSCQ_LANES)));
#endif

/* VL bytes as 32-bit lanes */
INL vi widened(const uint8_t *p)
{
#if DSCQ_LANES == 16
    return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
#elif DSCQ_LANES == 8
    return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
#else
    vlow x;

    memcpy(&x, p, sizeof x);
    return __builtin_convertvector(x, vi);
#endif
}

INL vi limited(vi v, int32_t lo, int32_t hi)
{
    const vi low = (vi){0} + lo, high = (vi){0} + hi;

    v = v_pick(v < low, low, v);
    return v_pick(v > high, high, v);
}

/* sum and shift fit 32 bits: 2 * 255 * 2^15 < 2^25 */
INL vu scaled(const dscq_byte_sum *s, vi sum)
{
    const int shift = s->shift > 31 ? 31 : s->shift;

    return (vu)limited((((sum >> shift) + 128) >> 8) + s->zero, s->lo, s->hi);
}

INL void sum_loop(const dscq_byte_sum *s, const uint8_t *a, const uint8_t *b,
                  uint8_t *y, size_t n)
{
    const int32_t base = -(s->z[0] * s->m[0]) - (b != NULL ? s->z[1] * s->m[1] : 0);
    size_t i = 0;

    for (; i + VL <= n; i += VL) {
        vi sum = widened(a + i) * s->m[0] + base;

        if (b != NULL)
            sum += widened(b + i) * s->m[1];
        store_bytes(y + i, scaled(s, sum), VL);
    }
    if (i < n) {
        uint8_t last[2][DSCQ_LANES] = {{0}};
        vi sum;

        memcpy(last[0], a + i, n - i);
        sum = widened(last[0]) * s->m[0] + base;
        if (b != NULL) {
            memcpy(last[1], b + i, n - i);
            sum += widened(last[1]) * s->m[1];
        }
        store_bytes(y + i, scaled(s, sum), n - i);
    }
}

void FN(sum_bytes)(const dscq_byte_sum *s, const uint8_t *a, const uint8_t *b,
                   uint8_t *y, size_t n)
{
    if (b == NULL)
        sum_loop(s, a, NULL, y, n);
    else
        sum_loop(s, a, b, y, n);
}

INL vbytes larger(vbytes a, vbytes b)
{
#if DSCQ_LANES == 16
    return (vbytes)_mm512_max_epu8((__m512i)a, (__m512i)b);
#elif DSCQ_LANES == 8
    return (vbytes)_mm256_max_epu8((__m256i)a, (__m256i)b);
#else
    const vbytes mask = (vbytes)(a > b);

    return (mask & a) | (~mask & b);
#endif
}

INL vbytes smaller(vbytes a, vbytes b)
{
    return ~larger(~a, ~b);
}

void FN(max_bytes)(const uint8_t *const *x, size_t count, uint8_t lo, uint8_t hi,
                   uint8_t *y, size_t n)
{
    const vbytes low = (vbytes){0} + lo, high = (vbytes){0} + hi;

    for (size_t i = 0; i < n; i += sizeof low) {
        const size_t here = n - i < sizeof low ? n - i : sizeof low;
        vbytes top = low;

        for (size_t k = 0; k < count; k++) {
            vbytes v = low;

            memcpy(&v, x[k] + i, here);
            top = larger(top, v);
        }
        top = smaller(top, high);
        memcpy(y + i, &top, here);
    }
}

void FN(total_bytes)(uint32_t *sum, const uint8_t *x, size_t n)
{
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        u_store(sum + i, u_load(sum + i) + (vu)widened(x + i));
    for (; i < n; i++)
        sum[i] += x[i];
}
