/* Rules for pooling, padding, resizing, softmax, and for what only renames. */
#include "lower.h"

#include <math.h>
#include <string.h>

static dscq_status rule_same(lower *l, const onnx_node *n)
{
    const onnx_edge *x = &l->value[n->in[0]];
    const onnx_tensor *training =
        strcmp(n->op, "Dropout") == 0 ? onnx__const(l, n, 2) : NULL;

    if (x->kind != ONNX_RUN && x->kind != ONNX_PARTS)
        return onnx__fail(l, "its input is not computed");
    if (training != NULL && training->count > 0 && training->v[0] != 0)
        return onnx__fail(l, "dropout in training mode");
    if (strcmp(n->op, "Cast") == 0 &&
        !onnx__is_float((int32_t)onnx__attr_int(n, "to", 0)))
        return onnx__fail(l, "a computed map becomes integers");
    onnx__same(l, n->out[0], x);
    return DSCQ_OK;
}

/* The dimensions of output 0, found by the operator itself on the shape alone. */
static dscq_status new_shape(lower *l, const onnx_node *n, const onnx_edge *x,
                             int64_t *dim, int32_t *rank)
{
    onnx_tensor *shape_only = onnx__new(&l->pool, DSCQ_ONNX_FLOAT, x->rank, x->dim);
    const onnx_tensor *in[3] = {shape_only, onnx__const(l, n, 1), NULL};
    onnx_call c = {.pool = &l->pool,
                   .node = n,
                   .opset = l->f->opset,
                   .in = in,
                   .in_count = n->in_count < 2 ? n->in_count : 2,
                   .err = l->err};
    dscq_status status;

    if (shape_only == NULL)
        return dscq_fail_nomem(l->err, "a shape", 0);
    if (n->in_count > 1 && n->in[1] >= 0 && in[1] == NULL)
        return onnx__fail(l, "its shape is not constant");
    DSCQ_TRY(onnx__eval(&c));
    *rank = c.out[0]->rank;
    memcpy(dim, c.out[0]->dim, sizeof c.out[0]->dim);
done:
    return status;
}

static dscq_status rule_reshape(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    dscq_status status;

    if (x == NULL)
        return onnx__fail(l, "its input is not a computed map");
    onnx_edge v = *x;
    DSCQ_TRY(new_shape(l, n, x, v.dim, &v.rank));
    if (v.rank < 1 || (v.dim[0] != x->dim[0] && x->dim[0] != 1))
        return onnx__fail(l, "it mixes images of the batch");
    onnx__same(l, n->out[0], &v);
done:
    return status;
}

static dscq_status rule_transpose(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const onnx_attr *p = onnx__attr_find(n, "perm");
    int64_t moved[DSCQ_ONNX_RANK] = {0};
    int32_t kept = 0, last = -1, ordered = 1;

    if (x == NULL || p == NULL || p->ints != (size_t)x->rank)
        return onnx__fail(l, "its input is not a computed map, or perm is missing");
    for (int32_t i = 0; i < x->rank; i++) {
        if (p->int_v[i] < 0 || p->int_v[i] >= x->rank)
            return onnx__fail(l, "perm is out of range");
        moved[i] = x->dim[p->int_v[i]];
        if (moved[i] == 1)
            continue;
        ordered = ordered && (int32_t)p->int_v[i] > last;
        last = (int32_t)p->int_v[i];
        kept++;
    }
    onnx_edge v = *x;
    memcpy(v.dim, moved, sizeof v.dim);
    const int to_pixels = x->rank == 4 && p->int_v[0] == 0 && p->int_v[1] == 2 &&
                          p->int_v[2] == 3 && onnx__is_map(l, x);
    const int to_map = x->rank == 4 && p->int_v[0] == 0 && p->int_v[1] == 3 &&
                       p->int_v[2] == 1 && onnx__is_pixels(l, x);
    if (to_pixels || to_map)
        v.rows = to_pixels;
    else if (!ordered)
        return onnx__fail(l, "a transposition other than between NCHW and NHWC");
    onnx__same(l, n->out[0], &v);
    return DSCQ_OK;
}

static dscq_status rule_pad(lower *l, const onnx_node *n)
{
    const onnx_edge *x = &l->value[n->in[0]];
    const onnx_tensor *value = onnx__const(l, n, 2);
    const onnx_tensor *in[2] = {NULL, onnx__const(l, n, 1)};
    onnx_call c = {
        .node = n, .opset = l->f->opset, .in = in, .in_count = 2, .err = l->err};
    int64_t pad[2 * DSCQ_ONNX_RANK];
    int32_t count;
    dscq_status status;

    if (x->kind != ONNX_RUN || !onnx__is_map(l, x))
        return onnx__fail(l, "its input is not a computed map");
    if (n->in_count > 1 && n->in[1] >= 0 && in[1] == NULL)
        return onnx__fail(l, "its amounts are not constant");
    if (n->in_count > 3 && n->in[3] >= 0)
        return onnx__fail(l, "Pad with axes");
    const char *name = onnx__attr_find(n, "paddings") != NULL ? "paddings" : "pads";
    DSCQ_TRY(onnx__int_list(&c, name, 1, pad, &count, 2 * DSCQ_ONNX_RANK));
    const double v = value != NULL && value->count > 0 ? value->v[0]
                                                       : onnx__attr_real(n, "value", 0);
    int any = 0;
    for (int32_t i = 0; i < count; i++)
        any = any || pad[i] != 0;
    onnx_edge out = *x;
    if (!any) {
        onnx__same(l, n->out[0], x);
        return DSCQ_OK;
    }
    if (count != 8 || pad[0] || pad[1] || pad[4] || pad[5] || v != 0 ||
        strcmp(onnx__attr_text(n, "mode", "constant"), "constant") != 0)
        return onnx__fail(l,
                          "only zeros around rows and columns can be merged into the "
                          "convolution behind");
    for (int i = 0; i < 4; i++) {
        const int64_t more = pad[i < 2 ? 2 + i : 4 + i];
        if (more < 0 || more > 4096)
            return onnx__fail(l, "amounts below 0 or above 4096");
        out.pad[i] += more;
    }
    const onnx_value *made = &l->f->value[n->out[0]];
    for (int32_t i = l->index + 1; i <= made->consumer; i++) {
        const onnx_node *user = &l->f->node[i];
        for (int32_t j = 0; j < user->in_count; j++)
            if (user->in[j] == n->out[0] && strcmp(user->op, "Conv") != 0 &&
                strcmp(user->op, "Pad") != 0)
                return onnx__fail(l, "no convolution behind it to take it up");
    }
    onnx__same(l, n->out[0], &out);
done:
    return status;
}

static dscq_status add_pool(lower *l, const onnx_node *n, const onnx_edge *x, int max,
                            const dscq_pool_params *p, int keep)
{
    const onnx_edge v = *x;
    int32_t node;
    dscq_status status;

    DSCQ_TRY(
        onnx__add(&node, l, n, max ? "maxpool" : "avgpool", p, v.part, 1, NULL, 0));
    const dscq_shape out = dscq_model_node(l->m, node)->out;
    const int64_t dim[] = {v.dim[0], out.c, out.h, out.w};
    onnx__set(l, n->out[0], node, keep ? 4 : 2, dim, 0);
done:
    return status;
}

static dscq_status rule_pool(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const int max = strcmp(n->op, "MaxPool") == 0;
    const int count_pad = !max && onnx__attr_int(n, "count_include_pad", 0) != 0;
    const int ceil_mode = onnx__attr_int(n, "ceil_mode", 0) != 0;
    onnx_call c = {.node = n, .opset = l->f->opset, .err = l->err};
    onnx_window w = {.n = 2};
    dscq_status status;

    if (x == NULL || !onnx__is_map(l, x))
        return onnx__fail(l, "its input is not a computed N x C x H x W map");
    if (n->out_count > 1 && n->out[1] >= 0)
        return onnx__fail(l, "the indices of the maxima");
    w.in[0] = x->dim[2];
    w.in[1] = x->dim[3];
    DSCQ_TRY(onnx__window_read(&c, &w, 0, ceil_mode));
    for (int i = 0; i < 2; i++) {
        const int64_t span = (w.out[i] - 1) * w.stride[i] + w.kernel[i];
        const int64_t more = span - w.in[i] - w.lo[i] - w.hi[i];
        if (w.dilation[i] != 1 || w.kernel[i] > 4096 || w.stride[i] > 4096 ||
            w.lo[i] > 4096 || w.hi[i] + more > 4096)
            return onnx__fail(l, "dilation, or a window above 4096");
        if (more > 0 && count_pad)
            return onnx__fail(l, "count_include_pad together with ceil_mode");
        w.hi[i] += more > 0 ? more : 0;
    }
    const dscq_window ours = {.kernel_h = (int32_t)w.kernel[0],
                              .kernel_w = (int32_t)w.kernel[1],
                              .stride_h = (int32_t)w.stride[0],
                              .stride_w = (int32_t)w.stride[1],
                              .pad_top = (int32_t)w.lo[0],
                              .pad_left = (int32_t)w.lo[1],
                              .pad_bottom = (int32_t)w.hi[0],
                              .pad_right = (int32_t)w.hi[1],
                              .dilation_h = 1,
                              .dilation_w = 1,
                              .groups = 1};
    const dscq_pool_params p = dscq_pool_params_make(&ours, count_pad);
    return add_pool(l, n, x, max, &p, 1);
done:
    return status;
}

static dscq_status rule_global(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const int max = strcmp(n->op, "GlobalMaxPool") == 0;
    const dscq_shape s = x != NULL ? onnx__shape(l, x) : (dscq_shape){0, 0, 0, 0};
    const dscq_window all = {.kernel_h = s.h,
                             .kernel_w = s.w,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1};
    const dscq_pool_params p =
        max ? dscq_pool_params_make(&all, 0) : dscq_pool_params_global();

    if (x == NULL || !onnx__is_map(l, x))
        return onnx__fail(l, "its input is not a computed N x C x H x W map");
    return add_pool(l, n, x, max, &p, 1);
}

static dscq_status rule_reduce_mean(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const onnx_tensor *in[2] = {NULL, onnx__const(l, n, 1)};
    onnx_call c = {
        .node = n, .opset = l->f->opset, .in = in, .in_count = 2, .err = l->err};
    const dscq_pool_params p = dscq_pool_params_global();
    int64_t axes[DSCQ_ONNX_RANK];
    int32_t count, wanted = 0;
    dscq_status status;

    if (x == NULL || x->rank != 4 || (n->in_count > 1 && n->in[1] >= 0 && !in[1]))
        return onnx__fail(l, "only the mean of a computed map over rows and columns");
    const int pixels = !onnx__is_map(l, x) && onnx__is_pixels(l, x);
    const int64_t first = pixels ? 1 : 2;
    DSCQ_TRY(onnx__int_list(&c, "axes", 1, axes, &count, DSCQ_ONNX_RANK));
    for (int32_t i = 0; i < count; i++) {
        if (!onnx__axis(&axes[i], 4))
            return onnx__fail(l, "an axis is out of range");
        wanted += axes[i] == first || axes[i] == first + 1;
    }
    const int keep = onnx__attr_int(n, "keepdims", 1) != 0;
    if (count != 2 || wanted != 2 || axes[0] == axes[1] || (pixels && keep) ||
        (!pixels && !onnx__is_map(l, x)))
        return onnx__fail(l, "only the mean of a computed map over rows and columns");
    return add_pool(l, n, x, 0, &p, keep);
done:
    return status;
}

static dscq_status rule_softmax(lower *l, const onnx_node *n)
{
    const onnx_edge *v = &l->value[n->in[0]];
    const onnx_edge *x = onnx__run(l, n, 0);
    const dscq_softmax_params p = {.groups = 1, .temperature = 1};
    int64_t axis = onnx__attr_int(n, "axis", l->f->opset >= 13 ? -1 : 1);

    if ((v->kind != ONNX_RUN && v->kind != ONNX_PARTS) || !onnx__axis(&axis, v->rank))
        return onnx__fail(l, "its input is not computed, or axis is out of range");
    int64_t features = 1;
    for (int32_t i = 1; i < v->rank; i++)
        features *= v->dim[i];
    if (x != NULL && onnx__is_vector(l, x) && axis > 0 && v->dim[axis] == features)
        return onnx__add_like(l, n, "softmax", &p, x);
    if (x != NULL && axis == onnx__channel_axis(l, x) && l->f->opset >= 13)
        return onnx__add_like(l, n, "softmax", &p, x); /* pixel by pixel */
    if (axis == v->rank - 1 && axis > 0 && v->rows && v->softmax == 0 &&
        v->dim[axis] <= 65536 && l->f->value[n->out[0]].consumers == 0) {
        onnx_edge out = *v;
        out.softmax = (int32_t)v->dim[axis];
        onnx__same(l, n->out[0], &out);
        return DSCQ_OK;
    }
    return onnx__fail(l,
                      "a softmax that is neither over one vector of features nor over "
                      "the rows of an output");
}

static dscq_status rule_resize(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const int32_t at = strcmp(n->op, "Upsample") == 0 || l->f->opset < 11 ? 1 : 2;
    const onnx_tensor *scales = onnx__const(l, n, at), *sizes = onnx__const(l, n, 3);
    const onnx_attr *old = onnx__attr_find(n, "scales");
    const char *mode = onnx__attr_text(n, "mode", "nearest");
    const char *coords =
        onnx__attr_text(n, "coordinate_transformation_mode", "half_pixel");
    const char *round = onnx__attr_text(n, "nearest_mode", "round_prefer_floor");
    double f[4] = {0};
    dscq_status status;

    if (x == NULL || !onnx__is_map(l, x))
        return onnx__fail(l, "its input is not a computed N x C x H x W map");
    for (int i = 0; i < 4; i++) {
        if (scales != NULL && scales->count == 4)
            f[i] = scales->v[i];
        else if (sizes != NULL && sizes->count == 4)
            f[i] = sizes->v[i] / (double)x->dim[i];
        else if (old != NULL && old->floats == 4)
            f[i] = old->float_v[i];
    }
    const int plain = l->f->opset < 11 || (strcmp(coords, "asymmetric") == 0 &&
                                           strcmp(round, "floor") == 0);
    const int centred =
        strcmp(coords, "half_pixel") == 0 || strcmp(coords, "pytorch_half_pixel") == 0;
    if (strcmp(mode, "nearest") != 0 || !(plain || (centred && round[0] == 'r')) ||
        f[0] != 1 || f[1] != 1 || f[2] != f[3] || f[2] != floor(f[2]) || f[2] < 1 ||
        f[2] > 64)
        return onnx__fail(l, "only nearest neighbours by the same whole factor in rows "
                             "and columns");
    const dscq_scale_factor_params p = {.stride = (int32_t)f[2]};
    const onnx_edge v = *x;
    int32_t node;
    DSCQ_TRY(onnx__add(&node, l, n, "upsample", &p, v.part, 1, NULL, 0));
    const dscq_shape out = dscq_model_node(l->m, node)->out;
    const int64_t dim[] = {v.dim[0], out.c, out.h, out.w};
    onnx__set(l, n->out[0], node, 4, dim, 0);
done:
    return status;
}

static dscq_status rule_space_to_depth(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const dscq_scale_factor_params p = {.stride =
                                            (int32_t)onnx__attr_int(n, "blocksize", 0)};
    int32_t node;
    dscq_status status;

    if (x == NULL || !onnx__is_map(l, x) || p.stride < 1 || p.stride > 64)
        return onnx__fail(l, "its input is not a computed map, or blocksize above 64");
    const onnx_edge v = *x;
    DSCQ_TRY(onnx__add(&node, l, n, "reorg", &p, v.part, 1, NULL, 0));
    const dscq_shape out = dscq_model_node(l->m, node)->out;
    const int64_t dim[] = {v.dim[0], out.c, out.h, out.w};
    onnx__set(l, n->out[0], node, 4, dim, 0);
done:
    return status;
}

static dscq_status rule_lrn(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const dscq_lrn_params p = {.size = (int32_t)onnx__attr_int(n, "size", 1),
                               .alpha = onnx__attr_real(n, "alpha", 1e-4),
                               .beta = onnx__attr_real(n, "beta", 0.75),
                               .kappa = onnx__attr_real(n, "bias", 1)};

    if (x == NULL || !onnx__is_map(l, x) || p.size < 1 || p.size > 4096)
        return onnx__fail(l, "its input is not a computed map");
    return onnx__add_like(l, n, "lrn", &p, x);
}

const onnx_row onnx__rows_move[] = {
    {"Identity", rule_same, ONNX_MOVES},
    {"Dropout", rule_same, ONNX_REAL},
    {"Cast", rule_same, ONNX_REAL},
    {"Flatten", rule_reshape, ONNX_MOVES},
    {"Reshape", rule_reshape, ONNX_MOVES},
    {"Squeeze", rule_reshape, ONNX_MOVES},
    {"Unsqueeze", rule_reshape, ONNX_MOVES},
    {"Transpose", rule_transpose, ONNX_MOVES},
    {"Pad", rule_pad, ONNX_REAL},
    {"MaxPool", rule_pool, ONNX_MOVES},
    {"AveragePool", rule_pool, ONNX_REAL},
    {"GlobalAveragePool", rule_global, ONNX_REAL},
    {"GlobalMaxPool", rule_global, ONNX_MOVES},
    {"ReduceMean", rule_reduce_mean, ONNX_REAL},
    {"Softmax", rule_softmax, ONNX_REAL},
    {"Resize", rule_resize, ONNX_MOVES},
    {"Upsample", rule_resize, ONNX_MOVES},
    {"SpaceToDepth", rule_space_to_depth, ONNX_MOVES},
    {"LRN", rule_lrn, ONNX_REAL},
    {NULL, NULL, ONNX_REAL},
};
