/*
 * fast.h - the runtime's inside.
 *
 * Between nodes a tensor holds u = code - lowest code: bytes for up to 8 bits, 16-bit
 * words above. So products are unsigned by signed, and the zero point is
 * zu = zero_point - lowest code. With padding filled with zu,
 *     sum w * (x - z) = sum w * u - zu * sum w,
 * the last term being one number a channel (`corr`).
 */
#ifndef INFER_FAST_H
#define INFER_FAST_H

#include "dscq/infer/runtime.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FAST_BLOCK = 64, /* output channels in a block of the kernels */
    FAST_SLACK = 128 /* bytes that may be read (not used) behind a tensor */
};

/* From accumulators to output codes; arrays padded to a multiple of FAST_BLOCK. */
typedef struct fast_post {
    int32_t *corr, *mult, *shift, *bias;
    int32_t zero, lo, hi; /* output zero point and clamp, in u */
    int32_t is_leaky, slope;
    int out_bytes; /* 1 or 2 */
} fast_post;

typedef struct fast_geom {
    int32_t c, out_w; /* channels (depthwise), output columns      */
    int32_t kernel_h, kernel_w;
    size_t row, column, step; /* bytes: kernel row, kernel column, output column */
} fast_geom;

typedef struct fast_kernels {
    const char *name;
    int (*usable)(void);
    /* out[m x n] = A[m x 4*k4] * B, then post. Rows of A are lda bytes apart; b from
     * pack_gemm. Up to 4*k4 bytes of a row are read. out: ldo elements a row. */
    void (*gemm)(const uint8_t *a, size_t lda, const int8_t *b, size_t k4, size_t m,
                 size_t n, const fast_post *p, void *out, size_t ldo);
    /* One output row of a depthwise convolution; w from pack_dw, post arrays in the
     * order of dw_channel. Reads up to FAST_SLACK bytes behind the last channel. */
    void (*dw)(const uint8_t *in, const int8_t *w, const fast_geom *g,
               const fast_post *p, uint8_t *out);
    /* Where channel `c` stands in the arrays of a depthwise post. */
    size_t (*dw_channel)(size_t c);
    size_t (*dw_bytes)(size_t c, size_t taps);
    void (*pack_dw)(int8_t *out, const int16_t *w, size_t c, size_t taps);
} fast_kernels;

extern const fast_kernels infer__portable, infer__avx2, infer__avx512;

/* B as [n/16][k4][16][4]; w is [n][k], rounded up with zeros. */
size_t infer__gemm_bytes(size_t n, size_t k);
void infer__pack_gemm(int8_t *out, const int16_t *w, size_t n, size_t k);

/* Exact and slow enough to be obvious; used for tails and wide types. */
int32_t infer__requant(const fast_post *p, size_t k, int32_t acc);

typedef enum fast_kind { FAST_POINT, FAST_IM2COL, FAST_DEPTHWISE, FAST_WIDE } fast_kind;

typedef struct fast_node {
    const dscq_qnode *n;
    fast_kind kind;
    int8_t *packed; /* convolution: all groups behind one another */
    size_t packed_bytes, packed_group;
    size_t k4;
    fast_post post;
    int32_t *post_memory;
    size_t group_post; /* channels of a group in the post arrays */
    size_t padded_bytes, tile_bytes;
    uint8_t *table[DSCQ_QNODE_INPUTS]; /* byte to byte, for rescaling 8-bit inputs */
    double seconds;
} fast_node;

struct dscq_runtime {
    const dscq_qmodel *m;
    dscq_pool *pool;
    const fast_kernels *k;
    fast_node *node;
    size_t *offset;     /* [tensors] in a worker's block */
    size_t block_bytes; /* activations, then scratch     */
    size_t scratch_at;
    uint8_t **block; /* [workers] */
    int workers;
    double (*now)(void);
};

static inline size_t fast_elem(const dscq_qtensor *t)
{
    return t->bits > 8 ? 2 : 1;
}

static inline int32_t fast_zero(const dscq_qtensor *t)
{
    return t->zero_point - dscq_qtensor_lo(t);
}

/* Conv: pack weights and constants, state the scratch. */
dscq_status infer__conv_prepare(fast_node *f, const dscq_qmodel *m,
                                const fast_kernels *k, dscq_error *err);
void infer__conv_run(const fast_node *f, const dscq_qmodel *m, const fast_kernels *k,
                     const uint8_t *x, uint8_t *y, uint8_t *scratch);

/* The other operations. */
dscq_status infer__other_prepare(fast_node *f, const dscq_qmodel *m, dscq_error *err);
void infer__other_run(const fast_node *f, const dscq_qmodel *m, const uint8_t *const *x,
                      uint8_t *y);

#endif
