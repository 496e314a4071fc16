/* Operators that pick, place or order elements by index. */
#include "onnx_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };

/* v as an index below n, negative ones from the end; -1: out of range. */
static int64_t index_of(double v, int64_t n)
{
    if (!(v >= (double)-n && v < (double)n))
        return -1;
    return v < 0 ? (int64_t)v + n : (int64_t)v;
}

static double reduced(const char *how, double old, double v)
{
    return strcmp(how, "add") == 0 ? old + v : strcmp(how, "mul") == 0 ? old * v : v;
}

/* ---- one index an element ----------------------------------------------- */

/* Offset in `data` of element i of `index` when its coordinate on `axis` is the index.
 */
static int64_t element_at(const onnx_tensor *data, const onnx_tensor *index,
                          int64_t axis, size_t i)
{
    int64_t left = (int64_t)i, at = 0, step = 1;

    for (int32_t d = data->rank - 1; d >= 0; d--) {
        int64_t p = left % index->dim[d];
        left /= index->dim[d];
        if (d == axis)
            p = index_of(index->v[i], data->dim[d]);
        if (p < 0 || p >= data->dim[d])
            return -1;
        at += p * step;
        step *= data->dim[d];
    }
    return at;
}

static dscq_status run_gather_elements(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *index = c->in[1];
    int64_t axis = onnx__attr_int(c->node, "axis", 0);
    dscq_status status;

    if (x->rank != index->rank || !onnx__axis(&axis, x->rank))
        return onnx__bad(c, "ranks differ, or axis is out of range");
    DSCQ_TRY(onnx__out(c, 0, x->type, index->rank, index->dim));
    for (size_t i = 0; i < index->count; i++) {
        const int64_t at = element_at(x, index, axis, i);
        if (at < 0)
            return onnx__bad(c, "an index is out of range");
        c->out[0]->v[i] = x->v[at];
    }
done:
    return status;
}

static dscq_status run_scatter_elements(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *index = c->in[1], *updates = c->in[2];
    const char *how = onnx__attr_text(c->node, "reduction", "none");
    int64_t axis = onnx__attr_int(c->node, "axis", 0);
    dscq_status status;

    if (x->rank != index->rank || !onnx__axis(&axis, x->rank) ||
        updates->count != index->count)
        return onnx__bad(c, "its inputs do not go together");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    onnx__copy_values(c->out[0], x);
    for (size_t i = 0; i < index->count; i++) {
        const int64_t at = element_at(x, index, axis, i);
        if (at < 0)
            return onnx__bad(c, "an index is out of range");
        c->out[0]->v[at] =
            onnx__round_to(x->type, reduced(how, c->out[0]->v[at], updates->v[i]), 0);
    }
done:
    return status;
}

/* ---- rows of indices ---------------------------------------------------- */

typedef struct nd {
    int32_t batch, depth;          /* leading dimensions shared; indices a row */
    int64_t rows, rows_per, slice; /* rows in all, of a batch; elements copied */
} nd;

static int nd_of(nd *p, const onnx_tensor *x, const onnx_tensor *index, int64_t batch)
{
    if (index->rank < 1 || batch < 0 || batch >= index->rank || batch >= x->rank)
        return 0;
    const int64_t depth = index->dim[index->rank - 1];
    if (depth < 1 || depth > x->rank - batch)
        return 0;
    for (int32_t i = 0; i < batch; i++)
        if (x->dim[i] != index->dim[i])
            return 0;
    p->batch = (int32_t)batch;
    p->depth = (int32_t)depth;
    p->rows = onnx__product(index->dim, 0, index->rank - 1);
    p->rows_per = onnx__product(index->dim, p->batch, index->rank - 1);
    p->slice = onnx__product(x->dim, p->batch + p->depth, x->rank);
    return 1;
}

/* First element of the slice that row i names; -1: out of range. */
static int64_t slice_at(const nd *p, const onnx_tensor *x, const onnx_tensor *index,
                        int64_t i)
{
    int64_t at = p->rows_per > 0 ? i / p->rows_per : 0;

    for (int32_t d = 0; d < p->depth; d++) {
        const int64_t size = x->dim[p->batch + d];
        const int64_t k = index_of(index->v[i * p->depth + d], size);
        if (k < 0)
            return -1;
        at = at * size + k;
    }
    return at * p->slice;
}

static dscq_status run_gather_nd(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *index = c->in[1];
    int64_t dim[2 * RANK];
    int32_t rank = 0;
    nd p;
    dscq_status status;

    if (!nd_of(&p, x, index, onnx__attr_int(c->node, "batch_dims", 0)))
        return onnx__bad(c, "its inputs do not go together");
    for (int32_t i = 0; i < index->rank - 1; i++)
        dim[rank++] = index->dim[i];
    for (int32_t i = p.batch + p.depth; i < x->rank; i++)
        dim[rank++] = x->dim[i];
    if (rank > RANK)
        return onnx__unsupported(c, "a result of rank above 8");
    DSCQ_TRY(onnx__out(c, 0, x->type, rank, dim));
    for (int64_t i = 0; i < p.rows; i++) {
        const int64_t at = slice_at(&p, x, index, i);
        if (at < 0)
            return onnx__bad(c, "an index is out of range");
        onnx__copy_runs(c->out[0]->v + i * p.slice, p.slice, x->v + at, p.slice,
                        p.slice, 1);
    }
done:
    return status;
}

static dscq_status run_scatter_nd(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *index = c->in[1], *updates = c->in[2];
    const char *how = onnx__attr_text(c->node, "reduction", "none");
    nd p;
    dscq_status status;

    if (!nd_of(&p, x, index, 0) || (int64_t)updates->count != p.rows * p.slice)
        return onnx__bad(c, "its inputs do not go together");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    onnx__copy_values(c->out[0], x);
    for (int64_t i = 0; i < p.rows; i++) {
        const int64_t at = slice_at(&p, x, index, i);
        if (at < 0)
            return onnx__bad(c, "an index is out of range");
        for (int64_t k = 0; k < p.slice; k++) {
            double *to = &c->out[0]->v[at + k];
            *to = onnx__round_to(x->type,
                                 reduced(how, *to, updates->v[i * p.slice + k]), 0);
        }
    }
done:
    return status;
}

/* ---- made from conditions ----------------------------------------------- */

static dscq_status run_one_hot(onnx_call *c)
{
    const onnx_tensor *index = c->in[0], *values = c->in[2];
    int64_t axis = onnx__attr_int(c->node, "axis", -1), dim[RANK];
    dscq_status status;

    if (c->in[1]->count != 1 || values->count != 2 || index->rank >= RANK ||
        !onnx__axis(&axis, index->rank + 1) || !(c->in[1]->v[0] >= 0) ||
        c->in[1]->v[0] > 1e9)
        return onnx__bad(c, "axis, depth or values are out of range");
    const int64_t depth = (int64_t)c->in[1]->v[0];
    for (int32_t i = 0, from = 0; i <= index->rank; i++)
        dim[i] = i == axis ? depth : index->dim[from++];
    DSCQ_TRY(onnx__out(c, 0, values->type, index->rank + 1, dim));
    const int64_t inner = onnx__product(index->dim, (int32_t)axis, index->rank);
    for (size_t i = 0; i < c->out[0]->count; i++)
        c->out[0]->v[i] = values->v[0];
    for (int64_t i = 0; i < (int64_t)index->count; i++) {
        const int64_t k = index_of(index->v[i], depth);
        if (k >= 0)
            c->out[0]->v[(i / inner * depth + k) * inner + i % inner] = values->v[1];
    }
done:
    return status;
}

static dscq_status run_non_zero(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t dim[2] = {x->rank > 0 ? x->rank : 1, 0}, at = 0;
    dscq_status status;

    for (size_t i = 0; i < x->count; i++)
        dim[1] += x->v[i] != 0;
    DSCQ_TRY(onnx__out(c, 0, DSCQ_ONNX_INT64, 2, dim));
    for (size_t i = 0; i < x->count; i++) {
        if (x->v[i] == 0)
            continue;
        int64_t left = (int64_t)i;
        for (int32_t d = x->rank - 1; d >= 0; d--) {
            c->out[0]->v[d * dim[1] + at] = (double)(left % x->dim[d]);
            left /= x->dim[d];
        }
        at++;
    }
done:
    return status;
}

static dscq_status run_compress(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *keep = c->in[1];
    const int flat = onnx__attr_find(c->node, "axis") == NULL;
    int64_t axis = onnx__attr_int(c->node, "axis", 0), dim[RANK], kept = 0, at = 0;
    dscq_status status;

    if (!flat && !onnx__axis(&axis, x->rank))
        return onnx__bad(c, "axis is out of range");
    const int64_t n = flat ? (int64_t)x->count : x->dim[axis];
    const int64_t inner = flat ? 1 : onnx__product(x->dim, (int32_t)axis + 1, x->rank);
    if ((int64_t)keep->count > n)
        return onnx__bad(c, "more conditions than elements");
    for (size_t i = 0; i < keep->count; i++)
        kept += keep->v[i] != 0;
    memcpy(dim, x->dim, sizeof dim);
    dim[flat ? 0 : axis] = kept;
    DSCQ_TRY(onnx__out(c, 0, x->type, flat ? 1 : x->rank, dim));
    for (int64_t i = 0; i < (int64_t)x->count; i++) {
        const int64_t k = i / inner % n;
        if (k < (int64_t)keep->count && keep->v[k] != 0)
            c->out[0]->v[at++] = x->v[i];
    }
done:
    return status;
}

static dscq_status run_eye_like(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int64_t type = onnx__attr_int(c->node, "dtype", x->type),
                  k = onnx__attr_int(c->node, "k", 0);
    dscq_status status;

    if (x->rank != 2 || type < 1 || type > DSCQ_ONNX_UINT64 || type == 8)
        return onnx__unsupported(c, "a rank other than 2, or this data type");
    DSCQ_TRY(onnx__out(c, 0, (int32_t)type, 2, x->dim));
    for (int64_t i = 0; i < (int64_t)x->count; i++)
        c->out[0]->v[i] = i % x->dim[1] - i / x->dim[1] == k;
done:
    return status;
}

static dscq_status run_trilu(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *at = onnx__in(c, 1);
    const int upper = onnx__attr_int(c->node, "upper", 1) != 0;
    const double k = at != NULL && at->count == 1 ? at->v[0] : 0;
    dscq_status status;

    if (x->rank < 2)
        return onnx__bad(c, "no matrix");
    const int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    for (int64_t i = 0; i < (int64_t)x->count; i++) {
        const double d = (double)(i % columns - i / columns % rows);
        c->out[0]->v[i] = (upper ? d >= k : d <= k) ? x->v[i] : 0;
    }
done:
    return status;
}

/* ---- order -------------------------------------------------------------- */

typedef struct ranked {
    double v; /* negated when the smallest come first */
    int64_t index;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->v != y->v)
        return x->v > y->v ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static dscq_status run_top_k(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *given = onnx__in(c, 1);
    const double sign = onnx__attr_int(c->node, "largest", 1) != 0 ? 1 : -1;
    int64_t axis = onnx__attr_int(c->node, "axis", -1), dim[RANK],
            k = given != NULL && given->count == 1 ? (int64_t)given->v[0]
                                                   : onnx__attr_int(c->node, "k", -1);
    dscq_status status;

    if (!onnx__axis(&axis, x->rank) || k < 0 || k > x->dim[axis])
        return onnx__bad(c, "axis or k is out of range");
    const int64_t n = x->dim[axis],
                  inner = onnx__product(x->dim, (int32_t)axis + 1, x->rank);
    ranked *list = onnx__take(c->pool, (size_t)n, sizeof *list);
    if (list == NULL)
        return dscq_fail_nomem(c->err, "a list", 0);
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = k;
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    DSCQ_TRY(onnx__out(c, 1, DSCQ_ONNX_INT64, x->rank, dim));
    for (int64_t i = 0; n > 0 && i < (int64_t)x->count / n; i++) {
        const int64_t from = i / inner * n * inner + i % inner,
                      to = i / inner * k * inner + i % inner;
        for (int64_t j = 0; j < n; j++)
            list[j] = (ranked){sign * x->v[from + j * inner], j};
        qsort(list, (size_t)n, sizeof *list, by_value);
        for (int64_t j = 0; j < k; j++) {
            c->out[0]->v[to + j * inner] = sign * list[j].v;
            c->out[1]->v[to + j * inner] = (double)list[j].index;
        }
    }
done:
    return status;
}

static dscq_status run_reverse_sequence(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *length = c->in[1];
    int64_t batch = onnx__attr_int(c->node, "batch_axis", 1),
            time = onnx__attr_int(c->node, "time_axis", 0);
    dscq_status status;

    if (x->rank < 2 || !onnx__axis(&batch, x->rank) || !onnx__axis(&time, x->rank) ||
        batch == time || (int64_t)length->count != x->dim[batch])
        return onnx__bad(c, "axes or lengths are out of range");
    for (size_t i = 0; i < length->count; i++)
        if (!(length->v[i] >= 0 && length->v[i] <= (double)x->dim[time]))
            return onnx__bad(c, "axes or lengths are out of range");
    const int64_t step_b = onnx__product(x->dim, (int32_t)batch + 1, x->rank),
                  step_t = onnx__product(x->dim, (int32_t)time + 1, x->rank);
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    for (int64_t i = 0; i < (int64_t)x->count; i++) {
        const int64_t t = i / step_t % x->dim[time];
        const int64_t n = (int64_t)length->v[i / step_b % x->dim[batch]];
        c->out[0]->v[i] = x->v[t < n ? i + (n - 1 - 2 * t) * step_t : i];
    }
done:
    return status;
}

const onnx_op_row onnx__ops_index[] = {
    {"GatherElements", run_gather_elements, 2, 1},
    {"GatherND", run_gather_nd, 2, 1},
    {"Scatter", run_scatter_elements, 3, 1},
    {"ScatterElements", run_scatter_elements, 3, 1},
    {"ScatterND", run_scatter_nd, 3, 1},
    {"OneHot", run_one_hot, 3, 1},
    {"NonZero", run_non_zero, 1, 1},
    {"Compress", run_compress, 2, 1},
    {"EyeLike", run_eye_like, 1, 1},
    {"Trilu", run_trilu, 1, 1},
    {"TopK", run_top_k, 1, 1},
    {"ReverseSequence", run_reverse_sequence, 2, 1},
    {NULL, NULL, 0, 0},
};
