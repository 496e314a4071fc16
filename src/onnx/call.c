/* Calls of operators: inputs, outputs, axes, broadcasting. */
#include "onnx_internal.h"

#include <string.h>

const onnx_tensor *onnx__in(const onnx_call *c, int32_t i)
{
    return i < c->in_count ? c->in[i] : NULL;
}

dscq_status onnx__bad(onnx_call *c, const char *what)
{
    return dscq_fail(c->err, DSCQ_FORMAT, "%.40s '%.80s': %s", c->node->op,
                     c->node->name, what);
}

dscq_status onnx__unsupported(onnx_call *c, const char *what)
{
    return dscq_fail(c->err, DSCQ_UNSUPPORTED, "%s", what);
}

dscq_status onnx__out(onnx_call *c, int32_t i, int32_t type, int32_t rank,
                      const int64_t *dim)
{
    c->out[i] = onnx__new(c->pool, type, rank, dim);
    return c->out[i] != NULL
               ? DSCQ_OK
               : onnx__bad(c, "its output is too large, or of negative size");
}

int onnx__axis(int64_t *axis, int64_t rank)
{
    if (*axis < 0)
        *axis += rank;
    return *axis >= 0 && *axis < rank;
}

dscq_status onnx__int_list(onnx_call *c, const char *name, int32_t i, int64_t *out,
                           int32_t *count, int32_t max)
{
    const onnx_attr *a = onnx__attr_find(c->node, name);
    const onnx_tensor *t = i >= 0 ? onnx__in(c, i) : NULL;
    const size_t n = t != NULL ? t->count : a != NULL ? a->ints : 0;

    *count = 0;
    if (n > (size_t)max)
        return onnx__bad(c, "a list is longer than the rank allows");
    for (size_t j = 0; j < n; j++) {
        if (t != NULL && (t->v[j] < -9e18 || t->v[j] > 9e18))
            out[j] = t->v[j] < 0 ? INT64_MIN / 2 : INT64_MAX / 2;
        else
            out[j] = t != NULL ? (int64_t)t->v[j] : a->int_v[j];
        if (out[j] > INT64_MAX / 2)
            out[j] = INT64_MAX / 2;
        if (out[j] < -(INT64_MAX / 2))
            out[j] = -(INT64_MAX / 2);
    }
    *count = (int32_t)n;
    return DSCQ_OK;
}

void onnx__strides(int64_t *stride, const onnx_tensor *t, int32_t rank)
{
    int64_t step = 1;

    for (int32_t i = 0; i < rank; i++)
        stride[i] = 0;
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        stride[rank - t->rank + i] = t->dim[i] == 1 ? 0 : step;
        step *= t->dim[i];
    }
}

int onnx__broadcast(int64_t *dim, int32_t *rank, const onnx_tensor *t)
{
    if (t->rank > *rank) {
        const int32_t more = t->rank - *rank;
        memmove(dim + more, dim, (size_t)*rank * sizeof *dim);
        for (int32_t i = 0; i < more; i++)
            dim[i] = 1;
        *rank = t->rank;
    }
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t *d = &dim[*rank - t->rank + i];
        if (*d == 1)
            *d = t->dim[i];
        else if (t->dim[i] != 1 && t->dim[i] != *d)
            return 0;
    }
    return 1;
}

int64_t onnx__place(int64_t i, int32_t rank, const int64_t *dim, const int64_t *stride)
{
    int64_t at = 0;

    for (int32_t d = rank - 1; d >= 0; d--) {
        at += i % dim[d] * stride[d];
        i /= dim[d];
    }
    return at;
}

void onnx__copy_strided(onnx_tensor *to, const onnx_tensor *from, int64_t first,
                        const int64_t *stride)
{
    for (size_t i = 0; i < to->count; i++)
        to->v[i] = from->v[first + onnx__place((int64_t)i, to->rank, to->dim, stride)];
}

void onnx__copy_runs(double *to, int64_t to_step, const double *from, int64_t from_step,
                     int64_t n, int64_t rows)
{
    for (int64_t r = 0; n > 0 && r < rows; r++)
        memcpy(to + r * to_step, from + r * from_step, (size_t)n * sizeof *to);
}
