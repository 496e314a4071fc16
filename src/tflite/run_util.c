/* What the operators share: tensors, numbers, multiplication. */
#include "dscq/base/alloc.h"
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

dscq_status tflite__cannot(const tfl_run *r, const char *what)
{
    char op[80];

    tflite__op_text(op, sizeof op, &r->f->op[r->index]);
    return dscq_fail(r->err, DSCQ_UNSUPPORTED, "%s: operator %d, %s: %s", r->f->name,
                     (int)r->index, op, what);
}

static int describe(tfl_side *s, const tfl_tensor *t, double *v)
{
    *s = (tfl_side){.t = t, .v = v, .scale = 1, .dim = {1, 1, 1, 1}};
    s->count = (size_t)tflite__elements(t);
    s->coded = tflite__grid(t, &s->scale, &s->zero);
    (void)tflite__code_range(t->type, &s->lo, &s->hi);
    if (!s->coded) {
        s->scale = 1;
        s->zero = 0;
    }
    for (int32_t i = 0; i < t->rank && t->rank <= 4; i++)
        s->dim[4 - t->rank + i] = (int32_t)t->dim[i];
    return s->count > 0 && s->count <= TFL_VALUES_MAX;
}

dscq_status tflite__room(tfl_run *r, int32_t tensor, size_t count)
{
    dscq_free(r->v[tensor]);
    r->v[tensor] = dscq_malloc(count, sizeof *r->v[tensor]);
    return r->v[tensor] != NULL
               ? DSCQ_OK
               : dscq_fail_nomem(r->err, "a tensor", count * sizeof *r->v[tensor]);
}

dscq_status tflite__in(tfl_side *out, tfl_run *r, const tfl_op *o, uint32_t i)
{
    const int32_t at = tflite__index(o->in, i);
    const tfl_tensor *t = tflite__tensor(r->f, o->in, i);
    dscq_status status;

    if (t == NULL || !describe(out, t, r->v[at]))
        return tflite__cannot(r, "an input is missing, or its size is not fixed");
    if (r->v[at] == NULL) {
        if (!tflite__is_whole(t))
            return tflite__cannot(r, "nothing before it makes one of its inputs");
        DSCQ_TRY(tflite__room(r, at, out->count));
        for (size_t k = 0; k < out->count; k++)
            r->v[at][k] = tflite__value(t, k);
    }
    out->v = r->v[at];
    return DSCQ_OK;
done:
    return status;
}

dscq_status tflite__out(tfl_side *out, tfl_run *r, const tfl_op *o, uint32_t i)
{
    const int32_t at = tflite__index(o->out, i);
    const tfl_tensor *t = tflite__tensor(r->f, o->out, i);
    dscq_status status;

    if (t == NULL || !describe(out, t, NULL))
        return tflite__cannot(r, "an output is missing, or its size is not fixed");
    DSCQ_TRY(tflite__room(r, at, out->count));
    out->v = r->v[at];
done:
    return status;
}

int32_t tflite__whole(const tfl_run *r, const tfl_op *o, uint32_t i, int64_t *out,
                      int32_t cap)
{
    const tfl_tensor *t = tflite__tensor(r->f, o->in, i);

    if (t == NULL || !tflite__is_whole(t) || tflite__elements(t) > (uint64_t)cap)
        return -1;
    for (size_t k = 0; k < tflite__elements(t); k++)
        out[k] = tflite__code(tflite__value(t, k));
    return (int32_t)tflite__elements(t);
}

/* ---- numbers ------------------------------------------------------------ */

double tflite__to_real(const tfl_side *s, double v)
{
    return s->coded ? (v - s->zero) * s->scale : v;
}

double tflite__from_real(const tfl_side *s, double v)
{
    if (!s->coded)
        return (double)(float)v;
    const double code = round(v / s->scale) + s->zero;
    return fmin(fmax(code, s->lo), s->hi);
}

tfl_requant tflite__requant(double factor)
{
    int shift;

    if (!isfinite(factor))
        return (tfl_requant){0, 0};
    const double f = frexp(factor, &shift);
    int64_t m = (int64_t)round(f * 2147483648.0);

    if (m == INT64_C(1) << 31) {
        m /= 2;
        shift++;
    }
    if (shift > 30) /* of no file that somebody runs */
        return (tfl_requant){INT32_MAX, 30};
    return shift < -31 ? (tfl_requant){0, 0} : (tfl_requant){(int32_t)m, shift};
}

int64_t tflite__code(double v)
{
    static const double k_most = 140737488355328.0; /* 2^47: sums of files fit well */

    return isnan(v) ? 0 : (int64_t)fmin(fmax(v, -k_most), k_most);
}

static int64_t to_32_bits(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x;
}

int64_t tflite__multiply(int64_t x, tfl_requant q)
{
    const int64_t left =
        to_32_bits(to_32_bits(x) * (INT64_C(1) << (q.shift > 0 ? q.shift : 0)));
    const int64_t product = left * q.mult;
    const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    const int64_t high = (product + nudge) / (INT64_C(1) << 31);
    const int right = q.shift < 0 ? -q.shift : 0;
    const int64_t mask = (INT64_C(1) << right) - 1, rest = high & mask;

    return (high >> right) + (rest > (mask >> 1) + (high < 0));
}

int64_t tflite__multiply_wide(int64_t x, tfl_requant q)
{
    const int64_t m = q.mult < 0x7FFF0000 ? (q.mult + (1 << 15)) >> 16 : 0x7FFF;
    const int shift = q.shift < 14 ? 15 - q.shift : 1;

    return (x * m + (INT64_C(1) << (shift - 1))) >> shift;
}

dscq_status tflite__fused_ends(double *lo, double *hi, const tfl_run *r,
                               const tfl_side *y, int64_t fused)
{
    *lo = y->coded ? y->lo : -(double)INFINITY;
    *hi = y->coded ? y->hi : (double)INFINITY;
    if (fused < 0 || fused > 3)
        return tflite__cannot(r, "its fused activation");
    const double from = fused == 2 ? -1 : 0, to = fused == 3 ? 6 : 1;
    if (fused != 0)
        *lo = fmax(*lo, y->coded ? y->zero + round(from / y->scale) : from);
    if (fused > 1)
        *hi = fmin(*hi, y->coded ? y->zero + round(to / y->scale) : to);
    return DSCQ_OK;
}
