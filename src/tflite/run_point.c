/* Sums, products and functions of one value, in the file's own arithmetic. */
#include "run.h"

#include <math.h>

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
    double lo = 0, hi = 0;
    tfl_side a = {0}, b = {0}, y = {0};
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
    double lo = 0, hi = 0;
    tfl_side a = {0}, b = {0}, y = {0};
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
