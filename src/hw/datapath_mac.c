/* The multiply-accumulate loop of the data path: which order the sums are made in
 * does not matter, they are exact. */
#include "hw_internal.h"
#include "simd.h"

#include <string.h>

#if defined(__GNUC__)
typedef int32_t v8i __attribute__((vector_size(32)));
typedef int16_t v8s __attribute__((vector_size(16)));

enum { WIDE = 8, BLOCK = 64 };

/* 64 pixels in eight registers. */
static DSCQ_HW_INLINE void block_body(int32_t *sum, const int16_t *x, size_t stride,
                                      const int32_t *k, const int16_t *value,
                                      uint32_t entries)
{
    v8i acc[BLOCK / WIDE];

    memset(acc, 0, sizeof acc);
    for (uint32_t e = 0; e < entries; e++) {
        const int16_t *row = x + (size_t)k[e] * stride;
        const int32_t v = value[e];
        const v8i w = {v, v, v, v, v, v, v, v};
        for (int i = 0; i < BLOCK / WIDE; i++) {
            v8s part;
            memcpy(&part, row + WIDE * i, sizeof part);
            acc[i] += w * __builtin_convertvector(part, v8i);
        }
    }
    memcpy(sum, acc, sizeof acc);
}
#else
enum { BLOCK = 64 };

static DSCQ_HW_INLINE void block_body(int32_t *sum, const int16_t *x, size_t stride,
                                      const int32_t *k, const int16_t *value,
                                      uint32_t entries)
{
    memset(sum, 0, BLOCK * sizeof *sum);
    for (uint32_t e = 0; e < entries; e++)
        for (int i = 0; i < BLOCK; i++)
            sum[i] += value[e] * x[(size_t)k[e] * stride + (size_t)i];
}
#endif

DSCQ_HW_DISPATCH(block,
                 (int32_t * sum, const int16_t *x, size_t stride, const int32_t *k,
                  const int16_t *value, uint32_t entries),
                 block_body, (sum, x, stride, k, value, entries))

static DSCQ_HW_INLINE void widen_body(int16_t *to, const uint8_t *from, int32_t n,
                                      int32_t zero)
{
    const int16_t z = (int16_t)zero;

    for (int32_t i = 0; i < n; i++)
        to[i] = (int16_t)((int8_t)from[i] - z);
}

DSCQ_HW_DISPATCH(widen, (int16_t * to, const uint8_t *from, int32_t n, int32_t zero),
                 widen_body, (to, from, n, zero))

void hw__widen(int16_t *to, const uint8_t *from, int32_t n, int32_t zero)
{
    widen(to, from, n, zero);
}

void hw__mac_narrow(int32_t *sum, const int16_t *x, size_t stride, const int32_t *k,
                    const int16_t *value, uint32_t entries, int32_t n)
{
    if (n > 4) { /* rows of x are padded to whole blocks */
        block(sum, x, stride, k, value, entries);
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        int32_t s = 0;
        for (uint32_t e = 0; e < entries; e++)
            s += value[e] * x[(size_t)k[e] * stride + (size_t)i];
        sum[i] = s;
    }
}
