/* Kernels in plain C: any CPU. Also the packing that all families share. */
#include "fast.h"

#include <string.h>

size_t infer__gemm_bytes(size_t n, size_t k)
{
    return (n + FAST_BLOCK - 1) / FAST_BLOCK * FAST_BLOCK * ((k + 3) / 4) * 4;
}

void infer__pack_gemm(int8_t *out, const int16_t *w, size_t n, size_t k)
{
    const size_t k4 = (k + 3) / 4;

    memset(out, 0, infer__gemm_bytes(n, k));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            out[((i / 16 * k4 + j / 4) * 16 + i % 16) * 4 + j % 4] =
                (int8_t)w[i * k + j];
}

int32_t infer__requant(const fast_post *p, size_t k, int32_t acc)
{
    /* The sum may pass 32 bits on the way; the result does not. */
    const int32_t sum = (int32_t)((uint32_t)acc + (uint32_t)p->corr[k]);
    int64_t u = ((int64_t)sum * p->mult[k] >> p->shift[k]) + p->bias[k];

    if (p->is_leaky && u < 0)
        u = u * p->slope >> 15;
    u = p->zero + ((u + 128) >> 8);
    return u < p->lo ? p->lo : u > p->hi ? p->hi : (int32_t)u;
}

static void put(void *out, size_t at, int bytes, int32_t v)
{
    if (bytes == 1)
        ((uint8_t *)out)[at] = (uint8_t)v;
    else
        ((uint16_t *)out)[at] = (uint16_t)v;
}

static void gemm(const uint8_t *a, size_t lda, const int8_t *b, size_t k4, size_t m,
                 size_t n, const fast_post *p, void *out, size_t ldo)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j0 = 0; j0 < n; j0 += 16) {
            const int8_t *w = b + j0 * k4 * 4;
            uint32_t acc[16] = {0}; /* wraps, see infer__requant */
            for (size_t k = 0; k < k4; k++)
                for (size_t j = 0; j < 16; j++)
                    for (size_t q = 0; q < 4; q++)
                        acc[j] += (uint32_t)(w[(k * 16 + j) * 4 + q] *
                                             a[i * lda + k * 4 + q]);
            for (size_t j = 0; j < 16 && j0 + j < n; j++)
                put(out, i * ldo + j0 + j, p->out_bytes,
                    infer__requant(p, j0 + j, (int32_t)acc[j]));
        }
}

static void dw(const uint8_t *in, const int8_t *w, const fast_geom *g,
               const fast_post *p, uint8_t *out)
{
    for (int32_t x = 0; x < g->out_w; x++)
        for (int32_t c = 0; c < g->c; c++) {
            uint32_t acc = 0;
            for (int32_t r = 0; r < g->kernel_h; r++)
                for (int32_t s = 0; s < g->kernel_w; s++)
                    acc += (uint32_t)(w[(r * g->kernel_w + s) * g->c + c] *
                                      in[(size_t)x * g->step + (size_t)r * g->row +
                                         (size_t)s * g->column + (size_t)c]);
            put(out, (size_t)x * (size_t)g->c + (size_t)c, p->out_bytes,
                infer__requant(p, (size_t)c, (int32_t)acc));
        }
}

static size_t same_channel(size_t c)
{
    return c;
}

static size_t dw_bytes(size_t c, size_t taps)
{
    return c * taps;
}

static void pack_dw(int8_t *out, const int16_t *w, size_t c, size_t taps)
{
    for (size_t i = 0; i < c; i++)
        for (size_t t = 0; t < taps; t++)
            out[t * c + i] = (int8_t)w[i * taps + t];
}

static int usable(void)
{
    return 1;
}

const fast_kernels infer__portable = {"portable",   usable,   gemm,   dw,
                                      same_channel, dw_bytes, pack_dw};
