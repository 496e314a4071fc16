/* Convolutions and products, in the file's own arithmetic. */
#include "dscq/base/alloc.h"
#include "run.h"

#include <math.h>

/* A sum of products as the file's next code, or as a real value. */
typedef struct ending {
    const tfl_side *y;
    const tfl_tensor *weight;
    const tfl_side *bias; /* NULL: none */
    double x_scale, lo, hi;
} ending;

static double end_sum(const ending *e, double sum, size_t k)
{
    const double bias = e->bias != NULL ? e->bias->v[k] : 0;

    if (!e->y->coded)
        return (double)(float)fmin(fmax(sum + bias, e->lo), e->hi);
    const tfl_requant q =
        tflite__requant(e->x_scale * tflite__scale(e->weight, k) / e->y->scale);
    const int64_t acc = tflite__code(sum + bias);
    const int64_t u = e->y->t->type == TFL_INT16 ? tflite__multiply_wide(acc, q)
                                                 : tflite__multiply(acc, q);
    return fmin(fmax((double)(u + e->y->zero), e->lo), e->hi);
}

/* Weights less their zero point; real ones, and those beside real activations, as what
 * they stand for. */
static dscq_status read_weights(double **out, tfl_run *r, const tfl_side *w, int real,
                                int depthwise)
{
    const size_t filters = (size_t)w->t->dim[depthwise ? 3 : 0];
    double *v = dscq_malloc(w->count, sizeof *v);
    int32_t lo, hi;

    *out = v;
    if (v == NULL)
        return dscq_fail_nomem(r->err, "weights", w->count * sizeof *v);
    const int coded = tflite__code_range(w->t->type, &lo, &hi);
    for (size_t i = 0; i < w->count; i++) {
        const size_t k = depthwise ? i % filters : i / (w->count / filters);
        v[i] = coded ? w->v[i] - tflite__zero(w->t, k) : w->v[i];
        if (coded && real)
            v[i] = (double)(float)(v[i] * tflite__scale(w->t, k));
    }
    return DSCQ_OK;
}

/* One direction of the window. */
typedef struct slide {
    int32_t in, out, kernel, stride, dilation, before;
} slide;

static slide slide_of(int32_t in, int32_t out, int32_t kernel, int64_t stride,
                      int64_t dilation, int64_t mode)
{
    const int32_t s = stride > 0 ? (int32_t)stride : 1,
                  d = dilation > 0 ? (int32_t)dilation : 1;
    const int32_t span = (kernel - 1) * d + 1;
    const int32_t all = mode == 0 ? (out - 1) * s + span - in : 0;

    return (slide){in, out, kernel, s, d, all > 0 ? all / 2 : 0};
}

typedef struct conv {
    const tfl_side *x, *y, *w;
    const double *weight;
    slide rows, columns;
    int depthwise;
} conv;

static double sum_at(const conv *c, int32_t p, int32_t q, int32_t k)
{
    const int32_t channels = c->x->dim[3], filters = c->y->dim[3];
    const int32_t each = c->depthwise ? 1 : c->w->dim[3];
    const int32_t first = k / (filters / (channels / each)) * each;
    double sum = 0;

    for (int32_t i = 0; i < c->rows.kernel; i++) {
        const int32_t y = p * c->rows.stride - c->rows.before + i * c->rows.dilation;
        for (int32_t j = 0; y >= 0 && y < c->rows.in && j < c->columns.kernel; j++) {
            const int32_t x =
                q * c->columns.stride - c->columns.before + j * c->columns.dilation;
            if (x < 0 || x >= c->columns.in)
                continue;
            const double *in =
                c->x->v +
                ((size_t)y * (size_t)c->columns.in + (size_t)x) * (size_t)channels +
                first;
            const size_t tap = (size_t)i * (size_t)c->columns.kernel + (size_t)j;
            const size_t taps = (size_t)c->rows.kernel * (size_t)c->columns.kernel;
            const double *w =
                c->weight + (c->depthwise ? tap * (size_t)filters + (size_t)k
                                          : ((size_t)k * taps + tap) * (size_t)each);
            for (int32_t ch = 0; ch < each; ch++)
                sum += (in[ch] - c->x->zero) * w[ch];
        }
    }
    return sum;
}

static dscq_status fits(const tfl_run *r, const conv *c)
{
    const int32_t each = c->depthwise ? 1 : c->w->dim[3], channels = c->x->dim[3],
                  filters = c->w->dim[c->depthwise ? 3 : 0];

    if (c->x->t->rank != 4 || c->y->t->rank != 4 || c->w->t->rank != 4 ||
        c->x->dim[0] != 1 || c->y->dim[0] != 1 || c->y->dim[3] != filters ||
        channels % each != 0 || filters % (channels / each) != 0)
        return tflite__cannot(r, "its shapes do not go together");
    return DSCQ_OK;
}

dscq_status tflite__run_conv(tfl_run *r, const tfl_op *o)
{
    const int depthwise = o->code == TFL_DEPTHWISE_CONV_2D;
    const tfl_table *t = &o->options;
    const int64_t mode = tflite__int(t, 0, 1, 0);
    tfl_side x, y, w, b;
    double *weight = NULL;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__in(&w, r, o, 1));
    const int biased = tflite__index(o->in, 2) >= 0;
    if (biased)
        DSCQ_TRY(tflite__in(&b, r, o, 2));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    conv c = {.x = &x, .y = &y, .w = &w, .depthwise = depthwise};
    DSCQ_TRY(fits(r, &c));
    if (biased && b.count != (size_t)y.dim[3])
        return tflite__cannot(r, "its bias has another length");
    c.rows = slide_of(x.dim[1], y.dim[1], w.dim[1], tflite__int(t, 2, 4, 1),
                      tflite__int(t, 5 + depthwise, 4, 1), mode);
    c.columns = slide_of(x.dim[2], y.dim[2], w.dim[2], tflite__int(t, 1, 4, 1),
                         tflite__int(t, 4 + depthwise, 4, 1), mode);
    DSCQ_TRY(read_weights(&weight, r, &w, !x.coded, depthwise));
    c.weight = weight;
    ending e = {&y, w.t, biased ? &b : NULL, x.scale, 0, 0};
    DSCQ_TRY(
        tflite__fused_ends(&e.lo, &e.hi, r, &y, tflite__int(t, 3 + depthwise, 1, 0)));
    for (int32_t p = 0; p < y.dim[1]; p++)
        for (int32_t q = 0; q < y.dim[2]; q++)
            for (int32_t k = 0; k < y.dim[3]; k++)
                y.v[((size_t)p * (size_t)y.dim[2] + (size_t)q) * (size_t)y.dim[3] +
                    (size_t)k] = end_sum(&e, sum_at(&c, p, q, k), (size_t)k);
done:
    dscq_free(weight);
    return status;
}

dscq_status tflite__run_connected(tfl_run *r, const tfl_op *o)
{
    tfl_side x, y, w, b;
    double *weight = NULL;
    dscq_status status;

    DSCQ_TRY(tflite__in(&x, r, o, 0));
    DSCQ_TRY(tflite__in(&w, r, o, 1));
    const int biased = tflite__index(o->in, 2) >= 0;
    if (biased)
        DSCQ_TRY(tflite__in(&b, r, o, 2));
    DSCQ_TRY(tflite__out(&y, r, o, 0));
    const size_t n = w.t->rank == 2 ? (size_t)w.t->dim[1] : 0,
                 k = w.t->rank == 2 ? (size_t)w.t->dim[0] : 0;
    if (n == 0 || x.count % n != 0 || y.count != x.count / n * k ||
        (biased && b.count != k))
        return tflite__cannot(r, "its shapes do not go together");
    DSCQ_TRY(read_weights(&weight, r, &w, !x.coded, 0));
    ending e = {&y, w.t, biased ? &b : NULL, x.scale, 0, 0};
    DSCQ_TRY(
        tflite__fused_ends(&e.lo, &e.hi, r, &y, tflite__int(&o->options, 0, 1, 0)));
    for (size_t i = 0; i < y.count; i++) {
        const double *in = x.v + i / k * n, *row = weight + i % k * n;
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += (in[j] - x.zero) * row[j];
        y.v[i] = end_sum(&e, sum, i % k);
    }
done:
    dscq_free(weight);
    return status;
}
