/* Reductions along axes, softmax and its kin. */
#include "onnx_internal.h"

#include <math.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };

typedef struct fold {
    const char *name;
    double start;
    double (*add)(double sum, double x);
    double (*finish)(double sum, double n);
} fold;

static double add_plain(double s, double x)
{
    return s + x;
}
static double add_abs(double s, double x)
{
    return s + fabs(x);
}
static double add_square(double s, double x)
{
    return s + x * x;
}
static double add_product(double s, double x)
{
    return s * x;
}
static double add_exp(double s, double x)
{
    return s + exp(x);
}
static double add_max(double s, double x)
{
    return x > s ? x : s;
}
static double add_min(double s, double x)
{
    return x < s ? x : s;
}
static double keep(double s, double n)
{
    (void)n;
    return s;
}
static double mean(double s, double n)
{
    return s / n;
}
static double root(double s, double n)
{
    (void)n;
    return sqrt(s);
}
static double logarithm(double s, double n)
{
    (void)n;
    return log(s);
}

static const fold k_folds[] = {
    {"ReduceSum", 0, add_plain, keep},
    {"ReduceMean", 0, add_plain, mean},
    {"ReduceMax", -(double)INFINITY, add_max, keep},
    {"ReduceMin", (double)INFINITY, add_min, keep},
    {"ReduceProd", 1, add_product, keep},
    {"ReduceL1", 0, add_abs, keep},
    {"ReduceL2", 0, add_square, root},
    {"ReduceSumSquare", 0, add_square, keep},
    {"ReduceLogSum", 0, add_plain, logarithm},
    {"ReduceLogSumExp", 0, add_exp, logarithm},
};

static dscq_status run_reduce(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const fold *f = k_folds;
    int64_t axes[RANK], dim[RANK], stride[RANK], step = 1;
    int marked[RANK] = {0};
    int32_t n, rank = 0;
    dscq_status status;

    while (strcmp(f->name, c->node->op) != 0)
        f++;
    DSCQ_TRY(onnx__int_list(c, "axes", 1, axes, &n, RANK));
    const int all = n == 0 && !onnx__attr_int(c->node, "noop_with_empty_axes", 0);
    for (int32_t i = 0; i < n; i++) {
        if (!onnx__axis(&axes[i], x->rank))
            return onnx__bad(c, "an axis is out of range");
        marked[axes[i]] = 1;
    }
    const int keepdims = onnx__attr_int(c->node, "keepdims", 1) != 0;
    for (int32_t i = x->rank - 1; i >= 0; i--) {
        marked[i] |= all;
        stride[i] = marked[i] ? 0 : step;
        step *= marked[i] ? 1 : x->dim[i];
    }
    for (int32_t i = 0; i < x->rank; i++)
        if (!marked[i] || keepdims)
            dim[rank++] = marked[i] ? 1 : x->dim[i];
    DSCQ_TRY(onnx__out(c, 0, x->type, rank, dim));
    onnx_tensor *y = c->out[0];
    for (size_t i = 0; i < y->count; i++)
        y->v[i] = f->start;
    for (size_t i = 0; i < x->count; i++) {
        const int64_t at = onnx__place((int64_t)i, x->rank, x->dim, stride);
        y->v[at] = f->add(y->v[at], x->v[i]);
    }
    const double each = y->count > 0 ? (double)x->count / (double)y->count : 1;
    for (size_t i = 0; i < y->count; i++)
        y->v[i] = onnx__round_to(y->type, f->finish(y->v[i], each), 0);
done:
    return status;
}

static dscq_status run_arg(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int max = strcmp(c->node->op, "ArgMax") == 0;
    const int last = onnx__attr_int(c->node, "select_last_index", 0) != 0;
    const int keepdims = onnx__attr_int(c->node, "keepdims", 1) != 0;
    int64_t axis = onnx__attr_int(c->node, "axis", 0), dim[RANK], inner = 1;
    int32_t rank = 0;
    dscq_status status;

    if (!onnx__axis(&axis, x->rank) || x->dim[axis] < 1)
        return onnx__bad(c, "axis is out of range");
    for (int32_t i = 0; i < x->rank; i++) {
        if (i != axis || keepdims)
            dim[rank++] = i == axis ? 1 : x->dim[i];
        inner *= i > axis ? x->dim[i] : 1;
    }
    DSCQ_TRY(onnx__out(c, 0, DSCQ_ONNX_INT64, rank, dim));
    const int64_t n = x->dim[axis];
    for (int64_t i = 0; i < (int64_t)c->out[0]->count; i++) {
        const double *from = x->v + i / inner * n * inner + i % inner;
        int64_t best = 0;
        for (int64_t k = 1; k < n; k++) {
            const double a = from[k * inner], b = from[best * inner];
            if (max ? a > b || (last && a == b) : a < b || (last && a == b))
                best = k;
        }
        c->out[0]->v[i] = (double)best;
    }
done:
    return status;
}

/* Over n values that stand `step` apart. */
static void soft(double *y, const double *x, int64_t n, int64_t step, char kind)
{
    double most = -(double)INFINITY, sum = 0;
    int64_t best = 0;

    for (int64_t i = 0; i < n; i++)
        if (x[i * step] > most) {
            most = x[i * step];
            best = i;
        }
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i * step] - most);
    for (int64_t i = 0; i < n; i++)
        y[i * step] = kind == 'S'   ? exp(x[i * step] - most) / sum
                      : kind == 'L' ? x[i * step] - most - log(sum)
                                    : i == best;
}

static dscq_status run_softmax(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t axis = onnx__attr_int(c->node, "axis", c->opset >= 13 ? -1 : 1), n = 1;
    int64_t inner = 1;
    dscq_status status;

    if (axis == x->rank && c->opset < 13)
        axis = x->rank - 1;
    if (!onnx__axis(&axis, x->rank))
        return onnx__bad(c, "axis is out of range");
    for (int32_t i = (int32_t)axis; i < x->rank; i++) {
        n *= c->opset < 13 || i == axis ? x->dim[i] : 1;
        inner *= c->opset >= 13 && i > axis ? x->dim[i] : 1;
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    for (int64_t i = 0; n > 0 && i < (int64_t)x->count / n; i++) {
        const int64_t at = i / inner * n * inner + i % inner;
        soft(c->out[0]->v + at, x->v + at, n, inner, c->node->op[0]);
    }
    for (size_t i = 0; i < x->count; i++)
        c->out[0]->v[i] = onnx__round_to(x->type, c->out[0]->v[i], 0);
done:
    return status;
}

static dscq_status run_cumsum(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t axis = c->in[1]->count == 1 ? (int64_t)c->in[1]->v[0] : RANK, inner = 1;
    const int exclusive = onnx__attr_int(c->node, "exclusive", 0) != 0,
              reverse = onnx__attr_int(c->node, "reverse", 0) != 0;
    dscq_status status;

    if (!onnx__axis(&axis, x->rank))
        return onnx__bad(c, "axis is out of range");
    for (int32_t i = (int32_t)axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    const int64_t n = x->dim[axis];
    for (int64_t i = 0; n > 0 && i < (int64_t)x->count / n; i++) {
        const int64_t at = i / inner * n * inner + i % inner;
        double sum = 0;
        for (int64_t k = 0; k < n; k++) {
            const int64_t e = at + (reverse ? n - 1 - k : k) * inner;
            c->out[0]->v[e] = exclusive ? sum : sum + x->v[e];
            sum += x->v[e];
        }
    }
done:
    return status;
}

const onnx_op_row onnx__ops_reduce[] = {
    {"ReduceSum", run_reduce, 1, 1},
    {"ReduceMean", run_reduce, 1, 1},
    {"ReduceMax", run_reduce, 1, 1},
    {"ReduceMin", run_reduce, 1, 1},
    {"ReduceProd", run_reduce, 1, 1},
    {"ReduceL1", run_reduce, 1, 1},
    {"ReduceL2", run_reduce, 1, 1},
    {"ReduceSumSquare", run_reduce, 1, 1},
    {"ReduceLogSum", run_reduce, 1, 1},
    {"ReduceLogSumExp", run_reduce, 1, 1},
    {"ArgMax", run_arg, 1, 1},
    {"ArgMin", run_arg, 1, 1},
    {"Softmax", run_softmax, 1, 0},
    {"LogSoftmax", run_softmax, 1, 0},
    {"Hardmax", run_softmax, 1, 0},
    {"CumSum", run_cumsum, 2, 1},
    {NULL, NULL, 0, 0},
};
