/* Pooling and means, in the file's own arithmetic. */
#include "run.h"

#include <math.h>

/* Half away from zero. */
static double mean_of(double sum, int64_t n)
{
    const int64_t s = tflite__code(sum);

    const int64_t mean = (s > 0 ? s + n / 2 : s - n / 2) / n;

    return (double)mean;
}

typedef struct window {
    const tfl_side *x;
    int32_t kernel[2], stride[2], before[2];
    int max, coded;
} window;

static double pool_at(const window *w, int32_t p, int32_t q, int32_t k)
{
    double sum = 0, top = -(double)INFINITY;
    int64_t n = 0;

    for (int32_t i = 0; i < w->kernel[0]; i++)
        for (int32_t j = 0; j < w->kernel[1]; j++) {
            const int32_t y = p * w->stride[0] - w->before[0] + i,
                          x = q * w->stride[1] - w->before[1] + j;
            if (y < 0 || x < 0 || y >= w->x->dim[1] || x >= w->x->dim[2])
                continue;
            const double v = w->x->v[((size_t)y * (size_t)w->x->dim[2] + (size_t)x) *
                                         (size_t)w->x->dim[3] +
                                     (size_t)k];
            sum += v;
            top = fmax(top, v);
            n++;
        }
    if (w->max || n == 0)
        return top;
    return w->coded ? mean_of(sum, n) : sum / (double)n;
}

dscq_status tflite__run_pool(tfl_run *r, const tfl_op *o)
{
    const tfl_table *t = &o->options;
    tfl_side x = {0}, y = {0};
    double lo = 0, hi = 0;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    window w = {.x = &x, .max = o->code == TFL_MAX_POOL_2D, .coded = y.coded};
    if (x.t->rank != 4 || y.t->rank != 4 || x.dim[3] != y.dim[3] || x.dim[0] != 1)
        return tflite__cannot(r, "its shapes do not go together");
    for (int i = 0; i < 2; i++) { /* width stands before height */
        w.stride[i] = (int32_t)tflite__int(t, 2 - i, 4, 1);
        w.kernel[i] = (int32_t)tflite__int(t, 4 - i, 4, 1);
        if (w.stride[i] < 1 || w.stride[i] > 4096 || w.kernel[i] < 1 ||
            w.kernel[i] > 4096)
            return tflite__cannot(r, "kernel or stride outside 1 to 4096");
        const int32_t all =
            (y.dim[1 + i] - 1) * w.stride[i] + w.kernel[i] - x.dim[1 + i];
        w.before[i] = tflite__int(t, 0, 1, 0) == 0 && all > 0 ? all / 2 : 0;
    }
    DSCQ_TRY(tflite__fused_ends(&lo, &hi, r, &y, tflite__int(t, 5, 1, 0)));
    for (size_t i = 0; i < y.count; i++) {
        const int32_t k = (int32_t)(i % (size_t)y.dim[3]),
                      q = (int32_t)(i / (size_t)y.dim[3] % (size_t)y.dim[2]),
                      p = (int32_t)(i / (size_t)y.dim[3] / (size_t)y.dim[2]);
        const double v = fmin(fmax(pool_at(&w, p, q, k), lo), hi);
        y.v[i] = y.coded ? v : (double)(float)v;
    }
done:
    return status;
}

dscq_status tflite__run_mean(tfl_run *r, const tfl_op *o)
{
    tfl_side x, y;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    const size_t c = (size_t)x.dim[3], pixels = x.count / c;
    if (y.count != c)
        return tflite__cannot(r, "only the mean over all rows and columns");
    for (size_t k = 0; k < c; k++) {
        double sum = 0;
        for (size_t i = 0; i < pixels; i++)
            sum += tflite__to_real(&x, x.v[i * c + k]);
        y.v[k] = tflite__from_real(&y, sum / (double)pixels);
    }
done:
    return status;
}
