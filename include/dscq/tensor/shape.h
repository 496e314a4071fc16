/*
 * tensor/shape.h - the shape of an activation: batch, rows, columns, channels.
 *
 * Memory order is NHWC, dense, channels fastest. A vector of features is
 * 1 x 1 x C. Batch is 1 in a graph that has not been planned.
 */
#ifndef DSCQ_TENSOR_SHAPE_H
#define DSCQ_TENSOR_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_shape {
    int32_t n, h, w, c;
} dscq_shape;

/* Elements; 0 when a dimension is not positive or the product passes 2^40. */
size_t dscq_shape_count(const dscq_shape *s);
int dscq_shape_equal(const dscq_shape *a, const dscq_shape *b);    /* all four */
int dscq_shape_same_map(const dscq_shape *a, const dscq_shape *b); /* h, w, c */
/* "32x32x16" (h x w x c) */
void dscq_shape_text(char *out, size_t cap, const dscq_shape *s);

/* Output size of a sliding window: (in + pad_lo + pad_hi - dilation*(k-1) - 1) /
 * stride + 1, or 0 when the window does not fit. */
int32_t dscq_window_out(int32_t in, int32_t k, int32_t stride, int32_t pad_lo,
                        int32_t pad_hi, int32_t dilation);

#ifdef __cplusplus
}
#endif
#endif
