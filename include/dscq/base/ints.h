/*
 * base/ints.h - small arithmetic of whole numbers, and the way to them.
 */
#ifndef DSCQ_BASE_INTS_H
#define DSCQ_BASE_INTS_H

#include <math.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline int32_t dscq_min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t dscq_max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline uint64_t dscq_max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* a / b rounded up; a >= 0, b > 0. */
static inline int64_t dscq_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The rounding of everything that is made (docs/arithmetic.md section 3): half away
 * from zero, in two double operations. round() differs just below a half. */
static inline double dscq_round_away(double x)
{
    return x < 0.0 ? ceil(x - 0.5) : floor(x + 0.5);
}

#ifdef __cplusplus
}
#endif
#endif
