/* The resizing of the two programs that made the golden answers, to the last grey
 * level (checked against the stored inputs): ours rounds once, theirs twice. */
#include "dscq/base/alloc.h"
#include "foreign.h"
#include "support.h"

#include <math.h>
#include <string.h>

/* One direction: where output i of `out` reads an axis of `in` pixels. */
typedef struct axis {
    int32_t in, out;
    size_t in_step, out_step;        /* bytes from pixel to pixel along the axis */
    size_t lines, in_line, out_line; /* and across it */
} axis;

/* A triangle as wide as the reduction, weights of 22 bits, rounded to bytes. */
static void shrink_axis(uint8_t *to, const uint8_t *from, const axis *a)
{
    enum { TAPS = 512, ONE = 1 << 22 };
    const double step = (double)a->in / a->out, reach = fmax(step, 1);
    int32_t weight[TAPS];

    for (int32_t i = 0; i < a->out; i++) {
        const double centre = (i + 0.5) * step;
        const int32_t lo = (int32_t)fmax(centre - reach + 0.5, 0);
        const int32_t hi = (int32_t)fmin(centre + reach + 0.5, a->in);
        double w[TAPS], sum = 0;
        ck_assert_int_lt(hi - lo, TAPS);
        for (int32_t k = lo; k < hi; k++) {
            w[k - lo] = fmax(0, 1 - fabs((k - centre + 0.5) / reach));
            sum += w[k - lo];
        }
        for (int32_t k = 0; k < hi - lo; k++)
            weight[k] = (int32_t)(w[k] / sum * ONE + 0.5);
        for (size_t l = 0; l < a->lines; l++)
            for (size_t c = 0; c < 3; c++) {
                int32_t v = ONE / 2;
                for (int32_t k = 0; k < hi - lo; k++)
                    v += weight[k] *
                         from[l * a->in_line + c + (size_t)(lo + k) * a->in_step];
                v >>= 22;
                to[l * a->out_line + (size_t)i * a->out_step + c] =
                    (uint8_t)(v < 0     ? 0
                              : v > 255 ? 255
                                        : v);
            }
    }
}

void foreign_shrink(uint8_t *to, const uint8_t *from, const int32_t in[2],
                    const int32_t out[2])
{
    const size_t in_row = 3 * (size_t)in[0], out_row = 3 * (size_t)out[0];
    const axis across = {in[0], out[0], 3, 3, (size_t)in[1], in_row, out_row};
    const axis down = {in[1], out[1], out_row, out_row, (size_t)out[0], 3, 3};
    uint8_t *narrow = dscq_malloc(out_row * (size_t)in[1], 1);

    ck_assert_ptr_nonnull(narrow);
    shrink_axis(narrow, from, &across);
    shrink_axis(to, narrow, &down);
    dscq_free(narrow);
}

/* Pixel below, and the weights (11 bits) of it and the next. */
typedef struct pair {
    int32_t lo, hi, w_lo, w_hi;
} pair;

static pair pair_at(int32_t i, int32_t in, int32_t out)
{
    const float at = (float)((i + 0.5) * ((double)in / out) - 0.5);
    const int32_t lo = (int32_t)floorf(at);
    const double frac = (double)at - lo;
    pair p = {lo, lo + 1, (int32_t)lrint((1 - frac) * 2048),
              (int32_t)lrint(frac * 2048)};

    if (lo < 0)
        p = (pair){0, 0, 2048, 0};
    if (lo >= in - 1)
        p = (pair){in - 1, in - 1, 2048, 0};
    return p;
}

void foreign_stretch(uint8_t *to, const uint8_t *from, const int32_t in[2],
                     const int32_t out[2])
{
    const size_t row = 3 * (size_t)in[0];

    for (int32_t y = 0; y < out[1]; y++) {
        const pair v = pair_at(y, in[1], out[1]);
        const uint8_t *a = from + (size_t)v.lo * row, *b = from + (size_t)v.hi * row;
        for (int32_t x = 0; x < out[0]; x++) {
            const pair h = pair_at(x, in[0], out[0]);
            for (size_t c = 0; c < 3; c++) {
                const size_t l = 3 * (size_t)h.lo + c, r = 3 * (size_t)h.hi + c;
                const int32_t above = a[l] * h.w_lo + a[r] * h.w_hi;
                const int32_t below = b[l] * h.w_lo + b[r] * h.w_hi;
                *to++ = (uint8_t)((((v.w_lo * (above >> 4)) >> 16) +
                                   ((v.w_hi * (below >> 4)) >> 16) + 2) >>
                                  2);
            }
        }
    }
}
