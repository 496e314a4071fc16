/* Convolutions and pools over up to three spatial dimensions, in double precision. */
#include "onnx_internal.h"

#include <math.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };
static const int64_t LIMIT = (int64_t)1 << 24;

static dscq_status one_per_axis(onnx_call *c, const char *name, int64_t *out, int32_t n,
                                int64_t otherwise)
{
    int64_t v[2 * RANK];
    int32_t count;
    const dscq_status status = onnx__int_list(c, name, -1, v, &count, 2 * RANK);

    if (status != DSCQ_OK)
        return status;
    if (count != 0 && count != n)
        return onnx__bad(c, "kernel, strides or dilations have another length");
    for (int32_t i = 0; i < n; i++) {
        out[i] = count > 0 ? v[i] : otherwise;
        if (out[i] < 1 || out[i] > LIMIT)
            return onnx__bad(c, "kernel, strides or dilations are out of range");
    }
    return DSCQ_OK;
}

/* SAME: as few zeros as give ceil(in / stride); the odd one goes behind (UPPER). */
static void same_pads(onnx_window *w, int32_t i, int upper)
{
    const int64_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
    int64_t all =
        (out - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - w->in[i];

    all = all > 0 ? all : 0;
    w->lo[i] = upper ? all / 2 : all - all / 2;
    w->hi[i] = all - w->lo[i];
}

dscq_status onnx__window_read(onnx_call *c, onnx_window *w, int has_kernel,
                              int ceil_mode)
{
    const char *pad = onnx__attr_text(c->node, "auto_pad", "NOTSET");
    int64_t pads[2 * RANK];
    int32_t count;
    dscq_status status;

    if (!has_kernel && onnx__attr_find(c->node, "kernel_shape") == NULL)
        return onnx__bad(c, "kernel_shape is missing");
    int64_t kernel[3];
    DSCQ_TRY(one_per_axis(c, "kernel_shape", kernel, w->n, 1));
    for (int32_t i = 0; i < w->n; i++) {
        if (has_kernel && onnx__attr_find(c->node, "kernel_shape") != NULL &&
            kernel[i] != w->kernel[i])
            return onnx__bad(c, "kernel_shape is not that of the weights");
        w->kernel[i] = has_kernel ? w->kernel[i] : kernel[i];
        if (w->kernel[i] < 1 || w->kernel[i] > LIMIT)
            return onnx__bad(c, "a kernel without elements");
    }
    DSCQ_TRY(one_per_axis(c, "strides", w->stride, w->n, 1));
    DSCQ_TRY(one_per_axis(c, "dilations", w->dilation, w->n, 1));
    DSCQ_TRY(onnx__int_list(c, "pads", -1, pads, &count, 2 * RANK));
    if (count != 0 && count != 2 * w->n)
        return onnx__bad(c, "pads has another length");
    for (int32_t i = 0; i < w->n; i++) {
        w->lo[i] = count > 0 ? pads[i] : 0;
        w->hi[i] = count > 0 ? pads[w->n + i] : 0;
        if (strncmp(pad, "SAME_", 5) == 0)
            same_pads(w, i, strcmp(pad, "SAME_UPPER") == 0);
        else if (strcmp(pad, "VALID") == 0)
            w->lo[i] = w->hi[i] = 0;
        if (w->lo[i] < 0 || w->hi[i] < 0 || w->lo[i] > LIMIT || w->hi[i] > LIMIT)
            return onnx__unsupported(c, "negative padding");
        const int64_t room =
            w->in[i] + w->lo[i] + w->hi[i] - (w->kernel[i] - 1) * w->dilation[i] - 1;
        if (room < 0 || w->in[i] < 1)
            return onnx__bad(c, "the kernel is larger than the padded input");
        w->out[i] = (room + (ceil_mode ? w->stride[i] - 1 : 0)) / w->stride[i] + 1;
        if (ceil_mode && (w->out[i] - 1) * w->stride[i] >= w->in[i] + w->lo[i])
            w->out[i]--; /* a window that begins in the padding behind */
    }
done:
    return status;
}

static int64_t volume(const int64_t *v, int32_t n)
{
    int64_t p = 1;

    for (int32_t i = 0; i < n; i++)
        p *= v[i];
    return p;
}

/* Input position of kernel element `e` for output pixel `o`; -1: in the padding. */
static int64_t position(const onnx_window *w, int64_t o, int64_t e)
{
    int64_t at = 0, stride = 1;

    for (int32_t i = w->n - 1; i >= 0; i--) {
        const int64_t p =
            o % w->out[i] * w->stride[i] - w->lo[i] + e % w->kernel[i] * w->dilation[i];
        if (p < 0 || p >= w->in[i])
            return -1;
        at += p * stride;
        stride *= w->in[i];
        o /= w->out[i];
        e /= w->kernel[i];
    }
    return at;
}

static dscq_status spatial(onnx_call *c, onnx_window *w, const onnx_tensor *x)
{
    if (x->rank < 3 || x->rank > 5)
        return onnx__unsupported(c, "a rank other than 3 to 5");
    w->n = x->rank - 2;
    for (int32_t i = 0; i < w->n; i++)
        w->in[i] = x->dim[2 + i];
    return DSCQ_OK;
}

/* ---- convolution -------------------------------------------------------- */

typedef struct conv {
    const onnx_tensor *x, *w, *bias;
    double x_zero;
    const onnx_tensor *w_zero; /* NULL, one, or one a filter */
    int64_t groups;
    onnx_window win;
} conv;

static double zero_of(const onnx_tensor *t, int64_t k)
{
    return t == NULL || t->count == 0 ? 0 : t->v[t->count == 1 ? 0 : k];
}

static double conv_one(const conv *v, int64_t n, int64_t k, int64_t o)
{
    const int64_t per = v->w->dim[1], kernel = volume(v->win.kernel, v->win.n);
    const int64_t in = volume(v->win.in, v->win.n);
    const int64_t first = k / (v->w->dim[0] / v->groups) * per;
    const double wz = zero_of(v->w_zero, k);
    double sum = v->bias != NULL ? v->bias->v[k] : 0;

    for (int64_t e = 0; e < kernel; e++) {
        const int64_t at = position(&v->win, o, e);
        for (int64_t i = 0; at >= 0 && i < per; i++)
            sum += (v->x->v[(n * v->x->dim[1] + first + i) * in + at] - v->x_zero) *
                   (v->w->v[(k * per + i) * kernel + e] - wz);
    }
    return sum;
}

static dscq_status prepare(onnx_call *c, conv *v)
{
    const onnx_tensor *x = v->x, *w = v->w;
    dscq_status status;

    DSCQ_TRY(spatial(c, &v->win, x));
    v->groups = onnx__attr_int(c->node, "group", 1);
    if (w->rank != x->rank || v->groups < 1 || v->groups > x->dim[1] ||
        w->dim[1] * v->groups != x->dim[1] || w->dim[0] < 1 ||
        w->dim[0] % v->groups != 0 ||
        (v->bias != NULL && v->bias->count != (size_t)w->dim[0]) ||
        (v->w_zero != NULL && v->w_zero->count > 1 &&
         v->w_zero->count != (size_t)w->dim[0]))
        return onnx__bad(c, "input, weights, bias and group do not go together");
    for (int32_t i = 0; i < v->win.n; i++)
        v->win.kernel[i] = w->dim[2 + i];
    DSCQ_TRY(onnx__window_read(c, &v->win, 1, 0));
done:
    return status;
}

static dscq_status conv_all(onnx_call *c, conv *v, int32_t type)
{
    int64_t dim[RANK] = {v->x->dim[0], v->w->dim[0]};
    dscq_status status;

    DSCQ_TRY(prepare(c, v));
    for (int32_t i = 0; i < v->win.n; i++)
        dim[2 + i] = v->win.out[i];
    DSCQ_TRY(onnx__out(c, 0, type, v->x->rank, dim));
    const int64_t pixels = volume(v->win.out, v->win.n);
    size_t at = 0;
    for (int64_t n = 0; n < dim[0]; n++)
        for (int64_t k = 0; k < dim[1]; k++)
            for (int64_t o = 0; o < pixels; o++)
                c->out[0]->v[at++] = conv_one(v, n, k, o);
done:
    return status;
}

static dscq_status run_conv(onnx_call *c)
{
    conv v = {.x = c->in[0], .w = c->in[1], .bias = onnx__in(c, 2)};
    const dscq_status status = conv_all(c, &v, c->in[0]->type);

    for (size_t i = 0; status == DSCQ_OK && i < c->out[0]->count; i++)
        c->out[0]->v[i] = onnx__round_to(c->out[0]->type, c->out[0]->v[i], 0);
    return status;
}

static dscq_status run_conv_integer(onnx_call *c)
{
    conv v = {.x = c->in[0],
              .w = c->in[1],
              .x_zero = zero_of(onnx__in(c, 2), 0),
              .w_zero = onnx__in(c, 3)};

    return conv_all(c, &v, DSCQ_ONNX_INT32);
}

static dscq_status run_qlinear_conv(onnx_call *c)
{
    const onnx_tensor *ws = c->in[4], *yz = c->in[7];
    conv v = {.x = c->in[0],
              .w = c->in[3],
              .bias = onnx__in(c, 8),
              .x_zero = zero_of(c->in[2], 0),
              .w_zero = c->in[5]};
    const dscq_status status = conv_all(c, &v, yz->type);

    if (status != DSCQ_OK)
        return status;
    if (c->in[1]->count < 1 || c->in[6]->count < 1 || ws->count < 1 ||
        (ws->count > 1 && ws->count != (size_t)v.w->dim[0]))
        return onnx__bad(c, "scales of the wrong length");
    const int64_t pixels = volume(v.win.out, v.win.n), k = v.w->dim[0];
    for (size_t i = 0; i < c->out[0]->count; i++) {
        const double s =
            c->in[1]->v[0] * zero_of(ws, (int64_t)i / pixels % k) / c->in[6]->v[0];
        c->out[0]->v[i] = onnx__round_to(
            yz->type, onnx__half_to_even(c->out[0]->v[i] * s) + zero_of(yz, 0), 1);
    }
    return DSCQ_OK;
}

/* Scattered: input pixel o goes where a convolution would have read it from. */
static void scatter(onnx_call *c, const conv *v, const onnx_window *w)
{
    const onnx_tensor *x = v->x;
    const int64_t per_in = x->dim[1] / v->groups, per_out = v->w->dim[1];
    const int64_t kernel = volume(w->kernel, w->n), pixels = volume(w->out, w->n);
    const int64_t out = volume(w->in, w->n);

    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t i = 0; i < x->dim[1]; i++)
            for (int64_t o = 0; o < pixels; o++)
                for (int64_t e = 0; e < kernel; e++) {
                    const int64_t at = position(w, o, e);
                    for (int64_t k = 0; at >= 0 && k < per_out; k++)
                        c->out[0]
                            ->v[((n * v->groups + i / per_in) * per_out + k) * out +
                                at] += x->v[(n * x->dim[1] + i) * pixels + o] *
                                       v->w->v[(i * per_out + k) * kernel + e];
                }
}

static dscq_status run_conv_transpose(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *bias = onnx__in(c, 2);
    conv v = {.x = x, .w = c->in[1], .groups = onnx__attr_int(c->node, "group", 1)};
    int64_t shape[RANK], more[RANK] = {0}, dim[RANK];
    int32_t n_shape, n_more;
    onnx_window w = {.n = 0};
    dscq_status status;

    DSCQ_TRY(spatial(c, &w, x));
    if (v.w->rank != x->rank || v.groups < 1 || x->dim[1] % v.groups != 0 ||
        v.w->dim[0] != x->dim[1])
        return onnx__bad(c, "input, weights and group do not go together");
    for (int32_t i = 0; i < w.n; i++) {
        w.out[i] = x->dim[2 + i];
        w.kernel[i] = v.w->dim[2 + i];
        w.in[i] = LIMIT * 8; /* not known yet */
    }
    onnx_window grid = w;
    DSCQ_TRY(onnx__window_read(c, &grid, 1, 0));
    DSCQ_TRY(onnx__int_list(c, "output_padding", -1, more, &n_more, RANK));
    DSCQ_TRY(onnx__int_list(c, "output_shape", -1, shape, &n_shape, RANK));
    const char *pad = onnx__attr_text(c->node, "auto_pad", "NOTSET");
    const int same = strncmp(pad, "SAME_", 5) == 0;
    dim[0] = x->dim[0];
    dim[1] = v.w->dim[1] * v.groups;
    for (int32_t i = 0; i < w.n; i++) {
        const int64_t span = (w.out[i] - 1) * grid.stride[i] + more[i] +
                             (w.kernel[i] - 1) * grid.dilation[i] + 1;
        w.stride[i] = grid.stride[i];
        w.dilation[i] = grid.dilation[i];
        w.lo[i] = grid.lo[i];
        w.hi[i] = grid.hi[i];
        if (n_shape == w.n || same) {
            const int64_t want = n_shape == w.n ? shape[i] : w.out[i] * w.stride[i];
            const int64_t all = span > want ? span - want : 0;
            w.lo[i] = strcmp(pad, "SAME_UPPER") == 0 ? all / 2 : all - all / 2;
            w.hi[i] = span - want - w.lo[i];
        }
        w.in[i] = dim[2 + i] = span - w.lo[i] - w.hi[i];
        if (w.in[i] < 1 || w.in[i] > LIMIT)
            return onnx__bad(c, "an output of that size is out of range");
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    if (bias != NULL && bias->count != (size_t)dim[1])
        return onnx__bad(c, "bias of the wrong length");
    scatter(c, &v, &w);
    const int64_t pixels = volume(w.in, w.n);
    for (size_t i = 0; i < c->out[0]->count; i++) {
        const double b = bias != NULL ? bias->v[(int64_t)i / pixels % dim[1]] : 0;
        c->out[0]->v[i] = onnx__round_to(x->type, c->out[0]->v[i] + b, 0);
    }
done:
    return status;
}

/* ---- pools -------------------------------------------------------------- */

typedef enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

static double pool_one(const double *x, const onnx_window *w, int64_t o, pool_kind kind,
                       double p, int count_pad, int64_t *where)
{
    const int64_t kernel = volume(w->kernel, w->n);
    double sum = 0, most = -(double)INFINITY;
    int64_t used = 0, counted = 0;

    *where = 0;
    for (int64_t e = 0; e < kernel; e++) {
        const int64_t at = position(w, o, e);
        if (at < 0)
            continue;
        used++;
        sum += kind == POOL_LP ? pow(fabs(x[at]), p) : x[at];
        if (x[at] > most) {
            most = x[at];
            *where = at;
        }
    }
    if (kind == POOL_MAX)
        return most;
    if (kind == POOL_LP)
        return pow(sum, 1 / p);
    onnx_window whole = *w; /* padding counts, what is beyond it does not */
    for (int32_t i = 0; i < w->n; i++) {
        whole.in[i] += w->lo[i] + w->hi[i];
        whole.lo[i] = 0;
    }
    for (int64_t e = 0; count_pad && e < kernel; e++)
        counted += position(&whole, o, e) >= 0;
    return sum / (double)(count_pad ? counted : used > 0 ? used : 1);
}

static dscq_status pool(onnx_call *c, const onnx_window *w, pool_kind kind)
{
    const onnx_tensor *x = c->in[0];
    const int count_pad = onnx__attr_int(c->node, "count_include_pad", 0) != 0;
    const int by_column = onnx__attr_int(c->node, "storage_order", 0) != 0 && w->n == 2;
    const double p = (double)onnx__attr_int(c->node, "p", 2);
    const int64_t in = volume(w->in, w->n), out = volume(w->out, w->n);
    const int64_t maps = x->dim[0] * x->dim[1];
    int64_t dim[RANK] = {x->dim[0], x->dim[1]}, where;
    dscq_status status;

    for (int32_t i = 0; i < w->n; i++)
        dim[2 + i] = w->out[i];
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    if (c->node->out_count > 1) {
        if (kind != POOL_MAX ||
            (onnx__attr_int(c->node, "storage_order", 0) != 0 && w->n != 2))
            return onnx__unsupported(c, "indices in column order, or of no maximum");
        DSCQ_TRY(onnx__out(c, 1, DSCQ_ONNX_INT64, x->rank, dim));
    }
    for (int64_t m = 0; m < maps; m++)
        for (int64_t o = 0; o < out; o++) {
            c->out[0]->v[m * out + o] = onnx__round_to(
                x->type, pool_one(x->v + m * in, w, o, kind, p, count_pad, &where), 0);
            if (by_column)
                where = where % w->in[1] * w->in[0] + where / w->in[1];
            if (c->out[1] != NULL)
                c->out[1]->v[m * out + o] = (double)(m * in + where);
        }
done:
    return status;
}

static dscq_status run_pool(onnx_call *c)
{
    const int max = strcmp(c->node->op, "MaxPool") == 0;
    const int lp = strcmp(c->node->op, "LpPool") == 0;
    onnx_window w = {.n = 0};
    dscq_status status;

    DSCQ_TRY(spatial(c, &w, c->in[0]));
    DSCQ_TRY(onnx__window_read(c, &w, 0, onnx__attr_int(c->node, "ceil_mode", 0) != 0));
    DSCQ_TRY(pool(c, &w, max ? POOL_MAX : lp ? POOL_LP : POOL_AVERAGE));
done:
    return status;
}

static dscq_status run_global_pool(onnx_call *c)
{
    const int max = strcmp(c->node->op, "GlobalMaxPool") == 0;
    const int lp = strcmp(c->node->op, "GlobalLpPool") == 0;
    onnx_window w = {.n = 0};
    const dscq_status status = spatial(c, &w, c->in[0]);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < w.n; i++) {
        w.kernel[i] = w.in[i];
        w.stride[i] = w.dilation[i] = w.out[i] = 1;
        w.lo[i] = w.hi[i] = 0;
    }
    return pool(c, &w, max ? POOL_MAX : lp ? POOL_LP : POOL_AVERAGE);
}

const onnx_op_row onnx__ops_window[] = {
    {"Conv", run_conv, 2, 0},
    {"ConvInteger", run_conv_integer, 2, 0},
    {"QLinearConv", run_qlinear_conv, 8, 0},
    {"ConvTranspose", run_conv_transpose, 2, 0},
    {"MaxPool", run_pool, 1, 0},
    {"AveragePool", run_pool, 1, 0},
    {"LpPool", run_pool, 1, 0},
    {"GlobalMaxPool", run_global_pool, 1, 0},
    {"GlobalAveragePool", run_global_pool, 1, 0},
    {"GlobalLpPool", run_global_pool, 1, 0},
    {NULL, NULL, 0, 0},
};
