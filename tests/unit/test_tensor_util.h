/* test_tensor_util.h - random arrays and comparisons for the kernel tests. */
#ifndef TEST_TENSOR_UTIL_H
#define TEST_TENSOR_UTIL_H

#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/tensor/kernels.h"
#include "dscq/tensor/ref.h"
#include "support.h"

#include <math.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED_FN   __attribute__((unused))

enum { FAMILY_MAX = 4 }; /* families are the loop index of a test */

/* Kernels of the family that is the loop index; NULL when there are fewer. */
UNUSED_FN static const dscq_kernels *family_at(int i)
{
    const char *name = dscq_kernels_family(i);

    return name != NULL ? dscq_kernels_get(name) : NULL;
}

/* A block of exactly `count` floats at an odd address, so that AddressSanitizer
 * sees every step outside and no kernel may rely on alignment. */
UNUSED_FN static float *floats(size_t count)
{
    float *p = dscq_malloc(count + 1, sizeof *p);

    ck_assert_ptr_nonnull(p);
    return p + 1;
}

UNUSED_FN static void floats_free(float *p)
{
    dscq_free(p - 1);
}

UNUSED_FN static float *randoms(dscq_rng *r, size_t count)
{
    float *p = floats(count);

    for (size_t i = 0; i < count; i++)
        p[i] = dscq_rng_between(r, -2, 2);
    return p;
}

UNUSED_FN static double *doubles(size_t count)
{
    double *p = dscq_calloc(count, sizeof *p);

    ck_assert_ptr_nonnull(p);
    return p;
}

/* |got - want| <= tol * (1 + |want|) */
UNUSED_FN static int close_to(double got, double want, double tol)
{
    return fabs(got - want) <= tol * (1 + fabs(want));
}

UNUSED_FN static void all_close(const char *what, const float *got, const double *want,
                                size_t count, double tol)
{
    for (size_t i = 0; i < count; i++)
        if (!close_to((double)got[i], want[i], tol))
            ck_abort_msg("%s: element %zu is %.9g, want %.9g", what, i, (double)got[i],
                         want[i]);
}

#endif
