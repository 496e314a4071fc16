/* What moves values, or puts them on another grid. */
#include "run.h"

#include <math.h>

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
