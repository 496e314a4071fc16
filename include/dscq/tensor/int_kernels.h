/*
 * tensor/int_kernels.h - the 8-bit integer kernels, one table per CPU family. Exact:
 * every family gives the same bytes (docs/arithmetic.md), and ref.h the same again.
 *
 * Activations are bytes u without sign: u = code for an unsigned tensor, code + 128
 * for a signed one (`offset` below). The zero point in these units is `zero` =
 * z + offset, and padding is filled with it. Weights are integers in -128..127,
 * handed in as int16_t, output channel after output channel (OHWI).
 *
 * Packed forms belong to a family; they are made once per network. All packed blocks
 * and scratch are 64-byte aligned. Nothing allocates; counts may be 0.
 */
#ifndef DSCQ_TENSOR_INT_KERNELS_H
#define DSCQ_TENSOR_INT_KERNELS_H

#include "dscq/tensor/kernels.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* docs/arithmetic.md section 3: u = ((acc*mult) >> shift) + bias, leaky,
 * y = clamp(zero + ((u + 128) >> 8)). */
typedef struct dscq_requant {
    const int16_t *mult;  /* [n] */
    const uint8_t *shift; /* [n] 0..47 */
    const int32_t *bias;  /* [n] signed 24 bit */
    int32_t zero, lo, hi; /* codes of the output tensor */
    int32_t is_leaky, slope_q15;
    int32_t offset;    /* added to the stored code: 128 when signed in a byte  */
    int32_t out_bytes; /* 1, or 2 (then the code itself, int16_t or uint16_t) */
} dscq_requant;

/* y = clamp(zero + ((((a - z[0])*m[0] + (b - z[1])*m[1]) >> shift) + 128 >> 8)), all
 * in bytes as they are held (offset included); |m| < 2^15, shift 0..47. */
typedef struct dscq_byte_sum {
    int32_t z[2], m[2], shift, zero, lo, hi;
} dscq_byte_sum;

/* Rows of a matrix where they lie in an image: row i is `lines` pieces of `line` bytes,
 * `pitch` apart, from at + i*step on. With more than one line, `line` is a multiple of
 * four. */
typedef struct dscq_byte_lines {
    const uint8_t *at;
    size_t step, line, lines, pitch;
} dscq_byte_lines;

typedef struct dscq_int_kernels {
    const char *name; /* "avx512vnni", "avx512", "avx2", "portable", "neon" */

    /* What a requantisation needs. `depthwise`: for dw_row, else for the others. */
    size_t (*requant_bytes)(size_t n);
    void (*requant_pack)(void *packed, const dscq_requant *r, size_t n, int depthwise);
    /* Rows of n accumulators to rows of codes; ldo in elements of out_bytes. */
    void (*requant)(const void *packed, const int32_t *acc, size_t lda, void *out,
                    size_t ldo, size_t rows, size_t n);

    /* out[m x n] from a[m x k] bytes and weights w[n x k]: int32 accumulators
     * sum w*(u - zero) when `rq` is NULL, else requantised bytes (out_bytes 1). */
    size_t (*gemm_packed_bytes)(size_t n, size_t k);
    void (*gemm_pack)(void *packed, const int16_t *w, size_t ldw, size_t n, size_t k,
                      int32_t zero);
    void (*gemm)(const void *packed, const uint8_t *a, size_t lda, void *out,
                 size_t ldo, size_t m, size_t n, size_t k, const void *rq);
    /* The same, k = line * lines: the windows of a convolution without a copy. */
    void (*gemm_lines)(const void *packed, const dscq_byte_lines *a, void *out,
                       size_t ldo, size_t m, size_t n, const void *rq);

    /* The same for weights of which most are 0: only groups of four neighbouring
     * weights with one that is not 0 are stored and computed. Scratch is per thread. */
    size_t (*sparse_packed_bytes)(const int16_t *w, size_t ldw, size_t n, size_t k);
    void (*sparse_pack)(void *packed, const int16_t *w, size_t ldw, size_t n, size_t k,
                        int32_t zero);
    size_t (*sparse_scratch_bytes)(size_t n, size_t k);
    void (*sparse_gemm)(const void *packed, const uint8_t *a, size_t lda, void *out,
                        size_t ldo, size_t m, size_t n, size_t k, const void *rq,
                        void *scratch);

    /* One output row of a depthwise convolution; in[r] as for dw_forward in
     * kernels.h, but never NULL: a row of padding is a row of `zero` bytes. Weights
     * [c][taps]. out_bytes 1. */
    size_t (*dw_packed_bytes)(size_t taps, size_t c);
    void (*dw_pack)(void *packed, const int16_t *w, size_t taps, size_t c,
                    int32_t zero);
    void (*dw_row)(const dscq_geom *g, const uint8_t *const *in, const void *packed,
                   uint8_t *out, const void *rq);

    /* As in kernels.h, on bytes; padding becomes `fill`. Up to 63 bytes behind the
     * image are read, and behind the last row of `out` written. */
    void (*im2col)(const dscq_geom *g, const uint8_t *image, int32_t group,
                   size_t first, size_t rows, uint8_t *out, size_t ldo, uint8_t fill);

    /* n bytes; b NULL: one term. */
    void (*sum_bytes)(const dscq_byte_sum *s, const uint8_t *a, const uint8_t *b,
                      uint8_t *y, size_t n);
    /* y = max over x[0 .. count) of n bytes each, then clamped to [lo, hi]. */
    void (*max_bytes)(const uint8_t *const *x, size_t count, uint8_t lo, uint8_t hi,
                      uint8_t *y, size_t n);
    /* sum[i] += x[i] */
    void (*total_bytes)(uint32_t *sum, const uint8_t *x, size_t n);
} dscq_int_kernels;

/* As dscq_kernels_get() and dscq_kernels_family(). */
const dscq_int_kernels *dscq_int_kernels_get(const char *family);
const char *dscq_int_kernels_family(int i);

#ifdef __cplusplus
}
#endif
#endif
