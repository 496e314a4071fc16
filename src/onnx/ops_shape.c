/* Operators that move elements about, or speak of shapes. */
#include "onnx_internal.h"

#include <math.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };

static dscq_status reshaped(onnx_call *c, int32_t rank, const int64_t *dim)
{
    const dscq_status status = onnx__out(c, 0, c->in[0]->type, rank, dim);

    if (status != DSCQ_OK)
        return status;
    if (c->out[0]->count != c->in[0]->count)
        return onnx__bad(c, "the new shape has another number of elements");
    onnx__copy_values(c->out[0], c->in[0]);
    return DSCQ_OK;
}

static dscq_status run_constant(onnx_call *c)
{
    const onnx_node *n = c->node;
    const onnx_attr *a = n->attr_count > 0 ? &n->attr[0] : NULL;
    int64_t dim;
    dscq_status status;

    if (a == NULL)
        return onnx__bad(c, "no value");
    if (strcmp(a->name, "value") == 0) {
        if (a->t == NULL)
            return onnx__unsupported(c, "a constant of this data type");
        c->out[0] = a->t;
        return DSCQ_OK;
    }
    const int is_int = strcmp(a->name, "value_int") == 0,
              is_ints = strcmp(a->name, "value_ints") == 0;
    const int is_list = is_ints || strcmp(a->name, "value_floats") == 0;
    if (!is_list && !is_int && strcmp(a->name, "value_float") != 0)
        return onnx__unsupported(c, "constants of text or sparse tensors");
    dim = is_list ? (int64_t)(is_ints ? a->ints : a->floats) : 1;
    DSCQ_TRY(onnx__out(c, 0, is_int || is_ints ? DSCQ_ONNX_INT64 : DSCQ_ONNX_FLOAT,
                       is_list ? 1 : 0, &dim));
    if (!is_list)
        c->out[0]->v[0] = is_int ? (double)a->i : a->f;
    for (int64_t i = 0; is_list && i < dim; i++)
        c->out[0]->v[i] = is_ints ? (double)a->int_v[i] : a->float_v[i];
done:
    return status;
}

static dscq_status run_constant_of_shape(onnx_call *c)
{
    const onnx_attr *a = onnx__attr_find(c->node, "value");
    int64_t dim[RANK];
    int32_t rank;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "", 0, dim, &rank, RANK));
    if (a != NULL && (a->t == NULL || a->t->count != 1))
        return onnx__unsupported(c, "a value of this data type");
    DSCQ_TRY(onnx__out(c, 0, a != NULL ? a->t->type : DSCQ_ONNX_FLOAT, rank, dim));
    for (size_t i = 0; i < c->out[0]->count; i++)
        c->out[0]->v[i] = a != NULL ? a->t->v[0] : 0;
done:
    return status;
}

static dscq_status run_shape(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t from = onnx__attr_int(c->node, "start", 0),
            to = onnx__attr_int(c->node, "end", x->rank);

    from = from < 0 ? from + x->rank : from;
    to = to < 0 ? to + x->rank : to;
    from = from < 0 ? 0 : from > x->rank ? x->rank : from;
    to = to < from ? from : to > x->rank ? x->rank : to;
    const int64_t n = to - from;
    const dscq_status status = onnx__out(c, 0, DSCQ_ONNX_INT64, 1, &n);
    for (int64_t i = 0; status == DSCQ_OK && i < n; i++)
        c->out[0]->v[i] = (double)x->dim[from + i];
    return status;
}

static dscq_status run_size(onnx_call *c)
{
    const dscq_status status = onnx__out(c, 0, DSCQ_ONNX_INT64, 0, NULL);

    if (status == DSCQ_OK)
        c->out[0]->v[0] = (double)c->in[0]->count;
    return status;
}

static dscq_status run_reshape(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t dim[RANK], known = 1;
    int32_t rank, open = -1;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "shape", 1, dim, &rank, RANK));
    for (int32_t i = 0; i < rank; i++) {
        if (dim[i] == 0 && !onnx__attr_int(c->node, "allowzero", 0)) {
            if (i >= x->rank)
                return onnx__bad(c, "a 0 in the shape beyond the input's rank");
            dim[i] = x->dim[i];
        }
        if (dim[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (dim[i] < 0 || (dim[i] > 0 && known > ((int64_t)1 << 40) / dim[i]))
            return onnx__bad(c, "the shape is out of range");
        known *= dim[i];
    }
    if (open >= 0)
        dim[open] = known > 0 ? (int64_t)x->count / known : 0;
    DSCQ_TRY(reshaped(c, rank, dim));
done:
    return status;
}

static dscq_status run_flatten(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t axis = onnx__attr_int(c->node, "axis", 1);

    if (axis < 0)
        axis += x->rank;
    if (axis < 0 || axis > x->rank)
        return onnx__bad(c, "axis is out of range");
    const int64_t dim[2] = {onnx__product(x->dim, 0, (int32_t)axis),
                            onnx__product(x->dim, (int32_t)axis, x->rank)};
    return reshaped(c, 2, dim);
}

static dscq_status mark_axes(onnx_call *c, int *marked, int32_t rank, int32_t *count)
{
    int64_t axes[RANK];
    const dscq_status status = onnx__int_list(c, "axes", 1, axes, count, RANK);

    memset(marked, 0, RANK * sizeof *marked);
    for (int32_t i = 0; status == DSCQ_OK && i < *count; i++) {
        if (!onnx__axis(&axes[i], rank))
            return onnx__bad(c, "an axis is out of range");
        marked[axes[i]] = 1;
    }
    return status;
}

static dscq_status run_squeeze(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t dim[RANK];
    int marked[RANK];
    int32_t n, rank = 0;
    const dscq_status status = mark_axes(c, marked, x->rank, &n);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < x->rank; i++)
        if (n > 0 ? !marked[i] : x->dim[i] != 1)
            dim[rank++] = x->dim[i];
    return reshaped(c, rank, dim);
}

static dscq_status run_unsqueeze(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t dim[RANK], axes[RANK];
    int marked[RANK];
    int32_t n, from = 0;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "axes", 1, axes, &n, RANK));
    if (x->rank + n > RANK)
        return onnx__unsupported(c, "a rank above 8");
    DSCQ_TRY(mark_axes(c, marked, x->rank + n, &n));
    for (int32_t i = 0; i < x->rank + n; i++) {
        if (!marked[i] && from >= x->rank)
            return onnx__bad(c, "an axis stands twice");
        dim[i] = marked[i] ? 1 : x->dim[from++];
    }
    DSCQ_TRY(reshaped(c, x->rank + n, dim));
done:
    return status;
}

static dscq_status run_transpose(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t perm[RANK], dim[RANK], stride[RANK];
    int32_t n;
    int seen[RANK] = {0};
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "perm", -1, perm, &n, RANK));
    for (int32_t i = 0; n == 0 && i < x->rank; i++)
        perm[i] = x->rank - 1 - i;
    if (n != 0 && n != x->rank)
        return onnx__bad(c, "perm has another length than the rank");
    for (int32_t i = 0; i < x->rank; i++) {
        if (!onnx__axis(&perm[i], x->rank) || seen[perm[i]]++)
            return onnx__bad(c, "perm is not a permutation");
        dim[i] = x->dim[perm[i]];
        stride[i] = onnx__product(x->dim, (int32_t)perm[i] + 1, x->rank);
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    onnx__copy_strided(c->out[0], x, 0, stride);
done:
    return status;
}

static dscq_status run_concat(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t axis = onnx__attr_int(c->node, "axis", 1), dim[RANK], done = 0;
    dscq_status status;

    if (!onnx__axis(&axis, x->rank))
        return onnx__bad(c, "axis is out of range");
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = 0;
    for (int32_t i = 0; i < c->in_count; i++) {
        if (c->in[i] == NULL || c->in[i]->rank != x->rank)
            return onnx__bad(c, "its inputs differ in rank");
        for (int32_t d = 0; d < x->rank; d++)
            if (d != axis && c->in[i]->dim[d] != x->dim[d])
                return onnx__bad(c, "its inputs differ in another axis");
        dim[axis] += c->in[i]->dim[axis];
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    const int64_t outer = onnx__product(dim, 0, (int32_t)axis);
    const int64_t inner = onnx__product(dim, (int32_t)axis + 1, x->rank);
    for (int32_t i = 0; i < c->in_count; i++) {
        const int64_t run = c->in[i]->dim[axis] * inner;
        onnx__copy_runs(c->out[0]->v + done, dim[axis] * inner, c->in[i]->v, run, run,
                        outer);
        done += run;
    }
done:
    return status;
}

static dscq_status run_split(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int32_t n = c->node->out_count;
    int64_t axis = onnx__attr_int(c->node, "axis", 0), size[ONNX_OUTPUTS], dim[RANK];
    int64_t done = 0;
    int32_t sizes;
    dscq_status status;

    if (!onnx__axis(&axis, x->rank) || n < 1)
        return onnx__bad(c, "axis is out of range");
    DSCQ_TRY(onnx__int_list(c, "split", 1, size, &sizes, ONNX_OUTPUTS));
    const int64_t all = x->dim[axis], part = (all + n - 1) / n;
    for (int32_t i = 0; sizes == 0 && i < n; i++)
        size[i] = i < n - 1 ? part : all - part * (n - 1);
    if (sizes != 0 && sizes != n)
        return onnx__bad(c, "split has another length than there are outputs");
    const int64_t outer = onnx__product(x->dim, 0, (int32_t)axis);
    const int64_t inner = onnx__product(x->dim, (int32_t)axis + 1, x->rank);
    memcpy(dim, x->dim, sizeof dim);
    for (int32_t i = 0; i < n; i++) {
        if (size[i] < 0 || size[i] > all - done)
            return onnx__bad(c, "the parts are larger than the whole");
        dim[axis] = size[i];
        DSCQ_TRY(onnx__out(c, i, x->type, x->rank, dim));
        onnx__copy_runs(c->out[i]->v, size[i] * inner, x->v + done * inner, all * inner,
                        size[i] * inner, outer);
        done += size[i];
    }
done:
    return status;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static dscq_status run_slice(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t from[RANK], to[RANK], axis[RANK], step[RANK];
    int64_t first[RANK] = {0}, by[RANK], dim[RANK], at = 0;
    int32_t n, n_to, n_axis, n_step;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "starts", 1, from, &n, RANK));
    DSCQ_TRY(onnx__int_list(c, "ends", 2, to, &n_to, RANK));
    DSCQ_TRY(onnx__int_list(c, "axes", 3, axis, &n_axis, RANK));
    DSCQ_TRY(onnx__int_list(c, "steps", 4, step, &n_step, RANK));
    if (n_to != n || (n_axis != 0 && n_axis != n) || (n_step != 0 && n_step != n))
        return onnx__bad(c, "its lists differ in length");
    for (int32_t d = 0; d < x->rank; d++) {
        by[d] = 1;
        dim[d] = x->dim[d];
    }
    for (int32_t i = 0; i < n; i++) {
        int64_t a = n_axis > 0 ? axis[i] : i, s = n_step > 0 ? step[i] : 1;
        if (!onnx__axis(&a, x->rank) || s == 0)
            return onnx__bad(c, "an axis is out of range, or a step is 0");
        const int64_t size = x->dim[a];
        int64_t lo = from[i] < 0 ? from[i] + size : from[i],
                hi = to[i] < 0 ? to[i] + size : to[i];
        s = clamp(s, -size - 1, size + 1);
        lo = s > 0 ? clamp(lo, 0, size) : clamp(lo, 0, size - 1);
        hi = s > 0 ? clamp(hi, 0, size) : clamp(hi, -1, size - 1);
        const int64_t span = s > 0 ? hi - lo : lo - hi, up = s > 0 ? s : -s;
        first[a] = lo;
        by[a] = s;
        dim[a] = span > 0 && size > 0 ? (span + up - 1) / up : 0;
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    for (int32_t d = 0; d < x->rank; d++) {
        const int64_t each = onnx__product(x->dim, d + 1, x->rank);
        at += first[d] * each;
        by[d] *= each;
    }
    onnx__copy_strided(c->out[0], x, at, by);
done:
    return status;
}

static dscq_status run_gather(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *index = c->in[1];
    int64_t axis = onnx__attr_int(c->node, "axis", 0), dim[2 * RANK];
    int32_t rank = 0;
    int64_t to = 0;
    dscq_status status;

    if (!onnx__axis(&axis, x->rank))
        return onnx__bad(c, "axis is out of range");
    if (x->rank + index->rank - 1 > RANK)
        return onnx__unsupported(c, "a rank above 8");
    for (int32_t d = 0; d < axis; d++)
        dim[rank++] = x->dim[d];
    for (int32_t d = 0; d < index->rank; d++)
        dim[rank++] = index->dim[d];
    for (int32_t d = (int32_t)axis + 1; d < x->rank; d++)
        dim[rank++] = x->dim[d];
    DSCQ_TRY(onnx__out(c, 0, x->type, rank, dim));
    const int64_t outer = onnx__product(x->dim, 0, (int32_t)axis), size = x->dim[axis];
    const int64_t inner = onnx__product(x->dim, (int32_t)axis + 1, x->rank);
    for (int64_t o = 0; o < outer; o++)
        for (size_t i = 0; i < index->count; i++) {
            const double v = index->v[i] < 0 ? index->v[i] + (double)size : index->v[i];
            if (!(v >= 0 && v < (double)size))
                return onnx__bad(c, "an index is out of range");
            onnx__copy_runs(c->out[0]->v + to, inner,
                            x->v + (o * size + (int64_t)v) * inner, inner, inner, 1);
            to += inner;
        }
done:
    return status;
}

static dscq_status run_expand(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t dim[RANK], stride[RANK];
    int32_t rank;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "", 1, dim, &rank, RANK));
    for (int32_t i = 0; i < rank; i++)
        if (dim[i] < 0)
            return onnx__bad(c, "a negative size");
    if (!onnx__broadcast(dim, &rank, x))
        return onnx__bad(c, "the shape does not go with its input");
    DSCQ_TRY(onnx__out(c, 0, x->type, rank, dim));
    onnx__strides(stride, x, rank);
    onnx__copy_strided(c->out[0], x, 0, stride);
done:
    return status;
}

static dscq_status run_tile(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t times[RANK], dim[RANK];
    int32_t n;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "", 1, times, &n, RANK));
    if (n != x->rank)
        return onnx__bad(c, "repeats has another length than the rank");
    for (int32_t d = 0; d < n; d++) {
        if (times[d] < 0 || times[d] > 1 << 24)
            return onnx__bad(c, "a repeat is out of range");
        dim[d] = x->dim[d] * times[d];
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, n, dim));
    for (size_t i = 0; i < c->out[0]->count; i++) {
        int64_t left = (int64_t)i, at = 0, stride = 1;
        for (int32_t d = n - 1; d >= 0; d--) {
            at += left % dim[d] % x->dim[d] * stride;
            left /= dim[d];
            stride *= x->dim[d];
        }
        c->out[0]->v[i] = x->v[at];
    }
done:
    return status;
}

static dscq_status run_range(onnx_call *c)
{
    for (int i = 0; i < 3; i++)
        if (c->in[i]->count != 1)
            return onnx__bad(c, "its inputs must be scalars");
    const double from = c->in[0]->v[0], to = c->in[1]->v[0], by = c->in[2]->v[0];
    const double n = by != 0 ? fmax(0, ceil((to - from) / by)) : -1;
    if (!(n >= 0 && n < 1e7))
        return onnx__bad(c, "its range is empty or endless");
    const int64_t count = (int64_t)n;
    const dscq_status status = onnx__out(c, 0, c->in[0]->type, 1, &count);
    for (int64_t i = 0; status == DSCQ_OK && i < count; i++)
        c->out[0]->v[i] = onnx__round_to(c->in[0]->type, from + by * (double)i, 0);
    return status;
}

const onnx_op_row onnx__ops_shape[] = {
    {"Constant", run_constant, 0, 1},
    {"ConstantOfShape", run_constant_of_shape, 1, 1},
    {"Shape", run_shape, 1, 1},
    {"Size", run_size, 1, 1},
    {"Reshape", run_reshape, 1, 1},
    {"Flatten", run_flatten, 1, 1},
    {"Squeeze", run_squeeze, 1, 1},
    {"Unsqueeze", run_unsqueeze, 1, 1},
    {"Transpose", run_transpose, 1, 1},
    {"Concat", run_concat, 1, 1},
    {"Split", run_split, 1, 1},
    {"Slice", run_slice, 1, 1},
    {"Gather", run_gather, 2, 1},
    {"Expand", run_expand, 2, 1},
    {"Tile", run_tile, 2, 1},
    {"Range", run_range, 3, 1},
    {NULL, NULL, 0, 0},
};
