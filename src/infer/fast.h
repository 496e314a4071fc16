/*
 * fast.h - the runtime's inside.
 *
 * Between nodes a tensor of up to 8 bits holds bytes u = code + offset, offset = 128
 * when it is signed: what the kernels of tensor/int_kernels.h work on. Wider tensors
 * hold the code itself in two bytes.
 */
#ifndef INFER_FAST_H
#define INFER_FAST_H

#include "dscq/infer/runtime.h"
#include "dscq/tensor/int_kernels.h"

#include <stddef.h>
#include <stdint.h>

enum { FAST_SLACK = 128 /* bytes that may be read (not used) behind a tensor */ };

typedef enum fast_kind {
    FAST_GEMM,      /* pointwise: the input's pixels are the matrix          */
    FAST_LINES,     /* the lines of a window are read where they lie         */
    FAST_IM2COL,    /* windows are gathered, some pixels at a time           */
    FAST_DEPTHWISE, /* one input and one output channel a group              */
    FAST_WIDE       /* 16-bit activations or weights: plain loops            */
} fast_kind;

typedef struct fast_node {
    const dscq_qnode *n;
    /* convolutions */
    fast_kind kind;
    int is_sparse;
    uint8_t *packed;   /* weights of all groups, one behind another; wide: int16 */
    size_t *packed_at; /* [groups]                                */
    size_t packed_bytes;
    uint8_t *post;     /* requantisation of all groups            */
    size_t post_group; /* bytes                                   */
    size_t rows_bytes, tile_bytes, acc_bytes, other_bytes; /* scratch           */
    uint8_t *table; /* look-up: byte to code (stored form of the output) */
    double seconds;
} fast_node;

struct dscq_runtime {
    const dscq_qmodel *m;
    dscq_pool *pool;
    const dscq_int_kernels *k;
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

static inline int32_t fast_offset(const dscq_qtensor *t)
{
    return t->bits <= 8 && t->is_signed ? 128 : 0;
}

static inline int32_t fast_zero(const dscq_qtensor *t)
{
    return t->zero_point + fast_offset(t);
}

/* Element i of tensor t as it is held: a byte with its offset, or a wide code. */
static inline int32_t fast_get(const uint8_t *x, const dscq_qtensor *t, size_t i)
{
    if (t->bits <= 8)
        return x[i];
    return t->is_signed ? ((const int16_t *)(const void *)x)[i]
                        : ((const uint16_t *)(const void *)x)[i];
}

static inline size_t fast_round(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static inline int fast_has_padding(const dscq_qnode *n)
{
    return (n->pad_top | n->pad_left | n->pad_bottom | n->pad_right) != 0;
}

/* The rows of a convolution's input with its padding, handed out from top to bottom. */
typedef struct fast_rows {
    const uint8_t *in;
    const dscq_qtensor *x;
    uint8_t *buffer;         /* NULL: no padding, rows of `in` itself       */
    size_t bytes;            /* of a row                                    */
    size_t left, right, top; /* padding: bytes, bytes, rows                 */
    size_t capacity, span;   /* rows in the buffer, and of a window         */
    size_t first, end;       /* rows first .. end - 1 are in it             */
} fast_rows;

size_t infer__rows_bytes(const dscq_qnode *n, const dscq_qtensor *x);
fast_rows infer__rows_open(const dscq_qnode *n, const dscq_qtensor *x,
                           const uint8_t *in, uint8_t *buffer);
/* Row i and the rest of its window, `bytes` apart; i never goes back. */
const uint8_t *infer__rows_at(fast_rows *w, size_t i);

/* A node at work. */
typedef struct fast_run {
    const fast_node *f;
    const dscq_qnode *n;
    const dscq_qmodel *m;
    const dscq_int_kernels *k;
    const uint8_t *const *x;
    uint8_t *y, *scratch;
    const dscq_qtensor *in, *out; /* the first input */
} fast_run;

/* The operations. */
typedef void fast_fn(const fast_run *c);
#define DSCQ_QOP(name, id, meaning, traits) fast_fn infer__fast_##name;
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP

/* Weights: pack them and their constants, state the scratch. */
dscq_status infer__prepare_weights(fast_node *f, const dscq_qmodel *m,
                                   const dscq_int_kernels *k, dscq_error *err);
size_t infer__scratch_bytes(const fast_node *f);
/* A table of output codes, found by what the input holds. */
dscq_status infer__prepare_lookup(fast_node *f, const dscq_qmodel *m, dscq_error *err);

#endif
