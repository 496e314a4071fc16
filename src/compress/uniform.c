#include "compress_internal.h"
#include "dscq/compress/levels.h"

#include <assert.h>
#include <math.h>

enum { STEPS = 48, CELLS = 512 };
static const double k_smallest_step = 1e-8; /* of an all-zero channel */

/* Squared error of a value on a symmetric grid with T steps a side. */
static double grid_error(double a, double step, double top)
{
    double q = dscq_round_away(a / step);

    q = q < top ? q : top;
    return (a - q * step) * (a - q * step);
}

static double biggest_of(const float *w, const uint8_t *mask, size_t n)
{
    double biggest = 0.0;

    for (size_t i = 0; i < n; i++)
        if ((mask == NULL || mask[i]) && isfinite(w[i]))
            biggest = fmax(biggest, fabs((double)w[i]));
    return biggest;
}

/* Whether all weights are whole multiples of biggest / m. */
static int is_lattice(const float *w, const uint8_t *mask, size_t n, double biggest,
                      int m)
{
    static const double k_float = 5e-5; /* in steps: what rounding to float32 may do */
    const double inv = m / biggest;

    for (size_t i = 0; i < n; i++) {
        const double x = (double)w[i] * inv;
        if ((mask == NULL || mask[i]) && !(fabs(x - dscq_round_away(x)) < k_float))
            return 0;
    }
    return 1;
}

double dscq_lattice_step(const float *w, const uint8_t *mask, size_t n, int32_t lo,
                         int32_t hi)
{
    const double biggest = biggest_of(w, mask, n);

    if (!(biggest > 0.0) && lo <= 1)
        return k_smallest_step; /* zeros are multiples of anything */
    for (int32_t m = lo; m <= hi; m++)
        if (is_lattice(w, mask, n, biggest, m))
            return biggest / m;
    return 0.0;
}

/* The step of 8 or more bits: all of them over the range, unless the weights have a
 * coarser one already, whose codes stay what they are. */
static double fine_step(const float *w, const uint8_t *mask, size_t n, double biggest,
                        int32_t b)
{
    const int32_t top = (1 << (b - 1)) - 1;
    const double own = b == 8 && !is_lattice(w, mask, n, biggest, top)
                           ? dscq_lattice_step(w, mask, n, 1, top - 1)
                           : 0.0;

    return own > 0.0 ? own : biggest / top;
}

double dscq_linear_step(const float *w, const uint8_t *mask, size_t n, int32_t b)
{
    const double top = (double)((1 << (b - 1)) - 1);
    const double biggest = biggest_of(w, mask, n);
    double best = (double)INFINITY, step = 0.0;
    double count[CELLS] = {0.0};

    assert(b >= 2 && b <= 16);
    if (!(biggest > 0.0))
        return k_smallest_step;
    if (b >= 8)
        return fmax(fine_step(w, mask, n, biggest, b), k_smallest_step * 1e-3);
    if (n > CELLS) /* a histogram is exact enough for many weights */
        for (size_t i = 0; i < n; i++)
            if ((mask == NULL || mask[i]) && isfinite(w[i])) {
                const int cell = (int)(fabs((double)w[i]) / biggest * CELLS);
                count[cell < CELLS ? cell : CELLS - 1] += 1.0;
            }
    for (int s = 0; s < STEPS; s++) {
        /* from the whole range down to a twelfth of it */
        const double try = biggest / top * pow(12.0, -(double)s / (STEPS - 1));
        double error = 0.0;

        if (n > CELLS)
            for (int c = 0; c < CELLS; c++)
                error += count[c] * grid_error((c + 0.5) / CELLS * biggest, try, top);
        else
            for (size_t i = 0; i < n; i++)
                if ((mask == NULL || mask[i]) && isfinite(w[i]))
                    error += grid_error(fabs((double)w[i]), try, top);
        if (error < best) {
            best = error;
            step = try;
        }
    }
    return fmax(step, k_smallest_step * 1e-3);
}
