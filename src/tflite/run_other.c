/* Operators without weights, in the file's own arithmetic. */
#include "run.h"

#include <math.h>
#include <string.h>

/* ---- sums and products -------------------------------------------------- */

/* Where element i of y stands in an operand that is broadcast to it. */
static size_t spread(const tfl_side *s, const tfl_side *y, size_t i)
{
    size_t at = 0, step = 1;

    for (int d = 3; d >= 0; d--) {
        const size_t here = i % (size_t)y->dim[d];
        i /= (size_t)y->dim[d];
        at += s->dim[d] == 1 ? 0 : here * step;
        step *= (size_t)s->dim[d];
    }
    return at;
}

static int is_broadcast(const tfl_side *s, const tfl_side *y)
{
    for (int d = 0; d < 4; d++)
        if (s->dim[d] != 1 && s->dim[d] != y->dim[d])
            return 0;
    return s->t->rank <= 4 && y->t->rank <= 4;
}

static dscq_status two(tfl_side *a, tfl_side *b, tfl_side *y, double *lo, double *hi,
                       tfl_run *r, const tfl_op *o)
{
    dscq_status status;

    DSCQ_TRY(tflite__in(a, r, o, 0));
    DSCQ_TRY(tflite__in(b, r, o, 1));
    DSCQ_TRY(tflite__out(y, r, o, 0));
    if (!is_broadcast(a, y) || !is_broadcast(b, y))
        return tflite__cannot(r, "its shapes do not go together");
    DSCQ_TRY(tflite__fused_ends(lo, hi, r, y, tflite__int(&o->options, 0, 1, 0)));
done:
    return status;
}

dscq_status tflite__run_add(tfl_run *r, const tfl_op *o)
{
    const int minus = o->code == TFL_SUB;
    double lo, hi;
    tfl_side a, b, y;
    dscq_status status;

    DSCQ_TRY(two(&a, &b, &y, &lo, &hi, r, o));
    const int left = y.t->type == TFL_INT16 ? 15 : 20;
    const double twice = 2 * fmax(a.scale, b.scale);
    const tfl_requant qa = tflite__requant(a.scale / twice),
                      qb = tflite__requant(b.scale / twice),
                      qy = tflite__requant(twice / ((1 << left) * y.scale));
    for (size_t i = 0; i < y.count; i++) {
        const double u = a.v[spread(&a, &y, i)], v = b.v[spread(&b, &y, i)];
        if (!y.coded) {
            y.v[i] = (double)(float)fmin(fmax(minus ? u - v : u + v, lo), hi);
            continue;
        }
        const int64_t first = tflite__multiply(tflite__code((u - a.zero) * (1 << left)),
                                               qa),
                      second = tflite__multiply(
                          tflite__code((v - b.zero) * (1 << left)), qb);
        const int64_t sum =
            tflite__multiply(minus ? first - second : first + second, qy) + y.zero;
        y.v[i] = fmin(fmax((double)sum, lo), hi);
    }
done:
    return status;
}

dscq_status tflite__run_mul(tfl_run *r, const tfl_op *o)
{
    double lo, hi;
    tfl_side a, b, y;
    dscq_status status;

    DSCQ_TRY(two(&a, &b, &y, &lo, &hi, r, o));
    const tfl_requant q = tflite__requant(a.scale * b.scale / y.scale);
    for (size_t i = 0; i < y.count; i++) {
        const double u = a.v[spread(&a, &y, i)] - a.zero,
                     v = b.v[spread(&b, &y, i)] - b.zero;
        const double p =
            y.coded ? (double)(tflite__multiply(tflite__code(u * v), q) + y.zero)
                    : (double)(float)(u * v);
        y.v[i] = fmin(fmax(p, lo), hi);
    }
done:
    return status;
}

/* ---- pooling ------------------------------------------------------------ */

/* Half away from zero. */
static double mean_of(double sum, int64_t n)
{
    const int64_t s = tflite__code(sum);

    return (double)((s > 0 ? s + n / 2 : s - n / 2) / n);
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
    tfl_side x, y;
    double lo, hi;
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

/* ---- what moves --------------------------------------------------------- */

static dscq_status copied(tfl_run *r, const tfl_op *o, uint32_t from, int requantised)
{
    tfl_side x, y;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, from));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    if (x.count != y.count)
        return tflite__cannot(r, "its output has another size");
    const tfl_requant q = tflite__requant(x.scale / y.scale);
    for (size_t i = 0; i < y.count; i++)
        y.v[i] =
            !requantised ? x.v[i]
            : x.coded && y.coded
                ? fmin(
                      fmax((double)(tflite__multiply(tflite__code(x.v[i] - x.zero), q) +
                                    y.zero),
                           y.lo),
                      y.hi)
                : tflite__from_real(&y, tflite__to_real(&x, x.v[i]));
done:
    return status;
}

dscq_status tflite__run_same(tfl_run *r, const tfl_op *o)
{
    return copied(r, o, 0, 0);
}

dscq_status tflite__run_quantize(tfl_run *r, const tfl_op *o)
{
    return copied(r, o, 0, 1);
}

/* A constant may have a scale for each channel. */
dscq_status tflite__run_dequantize(tfl_run *r, const tfl_op *o)
{
    tfl_side x, y;
    int32_t lo, hi;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    if (x.count != y.count || x.t->scale.count > 1)
        return tflite__cannot(r, "its output has another size, or a scale a channel");
    const int coded = tflite__code_range(x.t->type, &lo, &hi);
    for (size_t i = 0; i < y.count; i++)
        y.v[i] = coded ? (double)(float)tflite__to_real(&x, x.v[i]) : x.v[i];
done:
    return status;
}

/* Elements in front of `axis`, and from it on. */
static size_t inner_of(const tfl_tensor *t, int64_t axis)
{
    size_t n = 1;

    for (int32_t i = (int32_t)axis; i < t->rank; i++)
        n *= (size_t)t->dim[i];
    return n;
}

dscq_status tflite__run_concatenation(tfl_run *r, const tfl_op *o)
{
    int64_t axis = tflite__int(&o->options, 0, 4, 0);
    tfl_side x, y;
    size_t done_inner = 0;
    dscq_status status;

    DSCQ_TRY(tflite__out(&y, r, o, 0));
    axis += axis < 0 ? y.t->rank : 0;
    if (axis < 0 || axis >= y.t->rank || tflite__int(&o->options, 1, 1, 0) != 0)
        return tflite__cannot(r, "its axis is out of range, or it has an activation");
    const size_t whole = inner_of(y.t, axis), outer = y.count / whole;
    for (uint32_t i = 0; i < o->in.count; i++) {
        DSCQ_TRY(tflite__in(&x, r, o, i));
        const size_t part = x.count / outer;
        if (part * outer != x.count || done_inner + part > whole)
            return tflite__cannot(r, "its shapes do not go together");
        const int same = x.coded == y.coded && x.scale == y.scale && x.zero == y.zero;
        for (size_t k = 0; k < x.count; k++)
            y.v[k / part * whole + done_inner + k % part] =
                same ? x.v[k] : tflite__from_real(&y, tflite__to_real(&x, x.v[k]));
        done_inner += part;
    }
done:
    return status;
}

dscq_status tflite__run_split(tfl_run *r, const tfl_op *o)
{
    int64_t axis;
    tfl_side x, y;
    dscq_status status;

    if (tflite__whole(r, o, 0, &axis, 1) != 1)
        return tflite__cannot(r, "its axis is not constant");
    DSCQ_TRY(tflite__in(&x, r, o, 1));
    axis += axis < 0 ? x.t->rank : 0;
    if (axis < 0 || axis >= x.t->rank)
        return tflite__cannot(r, "its axis is out of range");
    const size_t whole = inner_of(x.t, axis), part = whole / o->out.count;
    for (uint32_t i = 0; i < o->out.count; i++) {
        DSCQ_TRY(tflite__out(&y, r, o, i));
        if (part * o->out.count != whole || y.count != x.count / o->out.count)
            return tflite__cannot(r, "its shapes do not go together");
        for (size_t k = 0; k < y.count; k++)
            y.v[k] = x.v[k / part * whole + i * part + k % part];
    }
done:
    return status;
}

dscq_status tflite__run_pad(tfl_run *r, const tfl_op *o)
{
    int64_t pad[8];
    tfl_side x, y, v;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    double filler = x.zero;
    if (o->code == TFL_PADV2) {
        DSCQ_TRY(tflite__in(&v, r, o, 2));
        filler = v.v[0];
    }
    if (x.t->rank != 4 || y.t->rank != 4 || tflite__whole(r, o, 1, pad, 8) != 8)
        return tflite__cannot(r, "its amounts are not constant, or no map is padded");
    for (size_t i = 0; i < y.count; i++) {
        size_t rest = i, at = 0, step = 1;
        int inside = 1;
        for (int d = 3; d >= 0; d--) {
            const int64_t here = (int64_t)(rest % (size_t)y.dim[d]) - pad[2 * d];
            rest /= (size_t)y.dim[d];
            inside = inside && here >= 0 && here < x.dim[d];
            at += inside ? (size_t)here * step : 0;
            step *= (size_t)x.dim[d];
        }
        y.v[i] = inside ? x.v[at] : filler;
    }
done:
    return status;
}

dscq_status tflite__run_resize(tfl_run *r, const tfl_op *o)
{
    const double half = tflite__int(&o->options, 1, 1, 0) != 0 ? 0.5 : 0;
    tfl_side x, y;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    if (x.t->rank != 4 || y.t->rank != 4 || x.dim[3] != y.dim[3] ||
        tflite__int(&o->options, 0, 1, 0) != 0)
        return tflite__cannot(r, "its corners are aligned, or no map is resized");
    const size_t c = (size_t)y.dim[3];
    for (size_t i = 0; i < y.count; i++) {
        const double q = (double)(i / c % (size_t)y.dim[2]),
                     p = (double)(i / c / (size_t)y.dim[2] % (size_t)y.dim[1]);
        const size_t row = (size_t)fmin((p + half) * x.dim[1] / y.dim[1], x.dim[1] - 1),
                     column =
                         (size_t)fmin((q + half) * x.dim[2] / y.dim[2], x.dim[2] - 1);
        y.v[i] = x.v[(row * (size_t)x.dim[2] + column) * c + i % c];
    }
done:
    return status;
}

/* ---- one value at a time ------------------------------------------------ */

dscq_status tflite__run_softmax(tfl_run *r, const tfl_op *o)
{
    const double beta = tflite__real(&o->options, 0, 1);
    tfl_side x, y;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    const size_t n = (size_t)x.dim[3];
    if (x.count != y.count || x.t->rank > 4)
        return tflite__cannot(r, "its output has another size");
    for (size_t i = 0; i < x.count; i += n) {
        double top = x.v[i], sum = 0;
        for (size_t k = i; k < i + n; k++)
            top = fmax(top, x.v[k]);
        for (size_t k = i; k < i + n; k++)
            sum += exp(beta * x.scale * (x.v[k] - top));
        for (size_t k = i; k < i + n; k++)
            y.v[k] = tflite__from_real(&y, exp(beta * x.scale * (x.v[k] - top)) / sum);
    }
done:
    return status;
}

static double at_point(const tfl_op *o, double x)
{
    switch (o->code) {
    case TFL_RELU:
        return fmax(x, 0);
    case TFL_RELU6:
        return fmin(fmax(x, 0), 6);
    case TFL_RELU_N1_TO_1:
        return fmin(fmax(x, -1), 1);
    case TFL_RELU_0_TO_1:
        return fmin(fmax(x, 0), 1);
    case TFL_LOGISTIC:
        return 1 / (1 + exp(-x));
    case TFL_TANH:
        return tanh(x);
    case TFL_HARD_SWISH:
        return x * fmin(fmax(x + 3, 0), 6) / 6;
    case TFL_ELU:
        return x < 0 ? expm1(x) : x;
    default: /* LEAKY_RELU */
        return x < 0 ? x * tflite__real(&o->options, 0, 0) : x;
    }
}

dscq_status tflite__run_point(tfl_run *r, const tfl_op *o)
{
    tfl_side x, y;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    if (x.count != y.count)
        return tflite__cannot(r, "its output has another size");
    for (size_t i = 0; i < y.count; i++)
        y.v[i] = tflite__from_real(&y, at_point(o, tflite__to_real(&x, x.v[i])));
done:
    return status;
}

dscq_status tflite__run_prelu(tfl_run *r, const tfl_op *o)
{
    tfl_side x, y, a;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__in(&a, r, o, 1));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    if (x.count != y.count || !is_broadcast(&a, &y))
        return tflite__cannot(r, "its shapes do not go together");
    for (size_t i = 0; i < y.count; i++) {
        const double v = tflite__to_real(&x, x.v[i]);
        const double slope = tflite__to_real(&a, a.v[spread(&a, &y, i)]);
        y.v[i] = tflite__from_real(&y, v < 0 ? v * slope : v);
    }
done:
    return status;
}
