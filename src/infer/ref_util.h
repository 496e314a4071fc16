/* The few steps that several operations share (docs/arithmetic.md sections 1, 3). */
#ifndef INFER_REF_UTIL_H
#define INFER_REF_UTIL_H

#include "infer_internal.h"

/* Division by 2^n towards minus infinity, also where >> of a negative number is the
 * compiler's choice. */
static inline int64_t ref_shift(int64_t v, int n)
{
    return v >= 0 ? v >> n : -((-(v + 1)) >> n) - 1;
}

static inline int32_t ref_at(const ref_map *x, int32_t h, int32_t w, int32_t c)
{
    return x
        ->q[((size_t)h * (size_t)x->t->w + (size_t)w) * (size_t)x->t->c + (size_t)c];
}

static inline int32_t *ref_cell(ref_map *y, int32_t h, int32_t w, int32_t c)
{
    return &y->q[((size_t)h * (size_t)y->t->w + (size_t)w) * (size_t)y->t->c +
                 (size_t)c];
}

static inline int ref_inside(const ref_map *x, int32_t h, int32_t w)
{
    return h >= 0 && h < x->t->h && w >= 0 && w < x->t->w;
}

static inline int32_t ref_clamp(const dscq_qnode *n, int64_t v)
{
    if (v < n->clamp_lo)
        return n->clamp_lo;
    return v > n->clamp_hi ? n->clamp_hi : (int32_t)v;
}

/* From 1/256 of an output step to an output code. */
static inline int32_t ref_finish(const dscq_qnode *n, const ref_map *y, int64_t u)
{
    return ref_clamp(n, y->t->zero_point + ref_shift(u + 128, 8));
}

static inline int64_t ref_leaky(const dscq_qnode *n, int64_t u)
{
    return n->is_leaky && u < 0 ? ref_shift(u * n->slope_q15, 15) : u;
}

#endif
