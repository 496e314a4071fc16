/*
 * base/ints.h - small arithmetic of whole numbers.
 */
#ifndef DSCQ_BASE_INTS_H
#define DSCQ_BASE_INTS_H

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

#ifdef __cplusplus
}
#endif
#endif
