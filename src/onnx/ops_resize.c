/* Padding, resizing, and blocks of pixels to channels and back. */
#include "onnx_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };

/* ---- pad ---------------------------------------------------------------- */

/* Where index i of a padded axis comes from; -1: the constant. */
static int64_t pad_source(int64_t i, int64_t n, char mode)
{
    if (i >= 0 && i < n)
        return i;
    if (mode == 'c' || n < 1)
        return -1;
    if (mode == 'e')
        return i < 0 ? 0 : n - 1;
    const int64_t period = n > 1 ? 2 * (n - 1) : 1;
    i = (i % period + period) % period;
    return i < n ? i : period - i;
}

static dscq_status run_pad(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *value = onnx__in(c, 2);
    const char mode = onnx__attr_text(c->node, "mode", "constant")[0];
    const double fill = value != NULL && value->count > 0
                            ? value->v[0]
                            : onnx__attr_real(c->node, "value", 0);
    int64_t pad[2 * RANK], dim[RANK];
    int32_t n;
    dscq_status status;

    if (onnx__in(c, 3) != NULL)
        return onnx__unsupported(c, "Pad with axes");
    const char *name =
        onnx__attr_find(c->node, "paddings") != NULL ? "paddings" : "pads";
    DSCQ_TRY(onnx__int_list(c, name, 1, pad, &n, 2 * RANK));
    if (n != 2 * x->rank)
        return onnx__bad(c, "pads has another length than twice the rank");
    for (int32_t d = 0; d < x->rank; d++) {
        if (llabs(pad[d]) > 1 << 24 || llabs(pad[x->rank + d]) > 1 << 24)
            return onnx__bad(c, "pads are out of range");
        dim[d] = x->dim[d] + pad[d] + pad[x->rank + d];
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, dim));
    for (size_t i = 0; i < c->out[0]->count; i++) {
        int64_t left = (int64_t)i, at = 0, stride = 1, outside = 0;
        for (int32_t d = x->rank - 1; d >= 0; d--) {
            const int64_t from = pad_source(left % dim[d] - pad[d], x->dim[d], mode);
            outside |= from < 0;
            at += from * stride;
            stride *= x->dim[d];
            left /= dim[d];
        }
        c->out[0]->v[i] = outside ? fill : x->v[at];
    }
done:
    return status;
}

/* ---- resize ------------------------------------------------------------- */

typedef struct axis_map {
    int64_t in, out;
    double scale, start, end; /* roi, normalised */
} axis_map;

static double source_of(const axis_map *a, int64_t i, const char *mode)
{
    const double x = (double)i, in = (double)a->in, out = (double)a->out;

    if (strcmp(mode, "asymmetric") == 0)
        return x / a->scale;
    if (strcmp(mode, "align_corners") == 0)
        return a->out == 1 ? 0 : x * (in - 1) / (in * a->scale - 1);
    if (strcmp(mode, "pytorch_half_pixel") == 0 && a->out == 1)
        return 0;
    if (strcmp(mode, "tf_crop_and_resize") == 0)
        return a->out > 1 ? a->start * (in - 1) +
                                x * (a->end - a->start) * (in - 1) / (out - 1)
                          : 0.5 * (a->start + a->end) * (in - 1);
    if (strcmp(mode, "tf_half_pixel_for_nn") == 0)
        return (x + 0.5) / a->scale;
    return (x + 0.5) / a->scale - 0.5;
}

static double cubic(double t, double a)
{
    t = fabs(t);
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static double nearest(double x, const char *mode)
{
    if (strcmp(mode, "floor") == 0)
        return floor(x);
    if (strcmp(mode, "ceil") == 0)
        return ceil(x);
    return strcmp(mode, "round_prefer_ceil") == 0 ? floor(x + 0.5) : ceil(x - 0.5);
}

typedef struct taps {
    int64_t at[4];
    double w[4];
    int outside;
} taps;

typedef struct resize {
    const char *mode, *coords, *rounding;
    double a;
    int exclude, crop;
} resize;

static taps taps_of(const resize *r, const axis_map *m, int64_t i)
{
    taps t = {{0}, {0}, 0};
    const double x = source_of(m, i, r->coords);
    const int count = r->mode[0] == 'n' ? 1 : r->mode[0] == 'l' ? 2 : 4;
    const double base = count == 1 ? nearest(x, r->rounding) : floor(x) - count / 2 + 1;
    double sum = 0;

    t.outside = r->crop && (x < 0 || x > (double)(m->in - 1));
    for (int k = 0; k < count; k++) {
        const double p = base + k;
        const int beyond = p < 0 || p > (double)(m->in - 1);
        t.at[k] = p < 0 ? 0 : beyond ? m->in - 1 : (int64_t)p;
        t.w[k] = count == 1 ? 1 : count == 2 ? 1 - fabs(x - p) : cubic(x - p, r->a);
        if (r->exclude && beyond)
            t.w[k] = 0;
        sum += t.w[k];
    }
    for (int k = 0; r->exclude && k < count; k++)
        t.w[k] /= sum;
    return t;
}

/* One axis at a time: the interpolations are products of one-dimensional ones. */
static onnx_tensor *resize_axis(onnx_call *c, const onnx_tensor *x, int32_t axis,
                                const resize *r, const axis_map *m, double extra)
{
    int64_t dim[RANK], inner = 1;

    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = m->out;
    for (int32_t i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    onnx_tensor *y = onnx__new(c->pool, x->type, x->rank, dim);
    for (size_t i = 0; y != NULL && i < y->count; i++) {
        const int64_t k = (int64_t)i / inner % m->out;
        const int64_t first =
            (int64_t)i / inner / m->out * m->in * inner + (int64_t)i % inner;
        const taps t = taps_of(r, m, k);
        double sum = 0;
        for (int j = 0; j < 4; j++)
            sum += t.w[j] != 0 ? t.w[j] * x->v[first + t.at[j] * inner] : 0;
        y->v[i] = t.outside ? extra : sum;
    }
    return y;
}

static dscq_status read_scales(onnx_call *c, axis_map *m)
{
    const onnx_tensor *x = c->in[0];
    const int late = c->opset >= 11 && strcmp(c->node->op, "Resize") == 0;
    const onnx_tensor *scales = onnx__in(c, late ? 2 : 1),
                      *sizes = late ? onnx__in(c, 3) : NULL;
    const onnx_tensor *roi = late ? onnx__in(c, 1) : NULL;
    const onnx_attr *old = onnx__attr_find(c->node, "scales");
    const size_t n = (size_t)x->rank;

    for (size_t i = 0; i < n; i++) {
        m[i].in = x->dim[i];
        if (scales != NULL && scales->count == n)
            m[i].scale = scales->v[i];
        else if (sizes != NULL && sizes->count == n)
            m[i].scale = m[i].in > 0 ? sizes->v[i] / (double)m[i].in : 0;
        else if (old != NULL && old->floats == n)
            m[i].scale = old->float_v[i];
        else
            return onnx__unsupported(c, "neither one scale nor one size an axis");
        const double out = sizes != NULL && sizes->count == n
                               ? sizes->v[i]
                               : floor((double)m[i].in * m[i].scale + 1e-6);
        if (!(out >= 1 && out < 1e6) || m[i].in < 1)
            return onnx__bad(c, "a size out of range");
        m[i].out = (int64_t)out;
        m[i].start = roi != NULL && roi->count == 2 * n ? roi->v[i] : 0;
        m[i].end = roi != NULL && roi->count == 2 * n ? roi->v[n + i] : 1;
    }
    return DSCQ_OK;
}

static dscq_status run_resize(onnx_call *c)
{
    const onnx_node *n = c->node;
    const int late = c->opset >= 11 && strcmp(n->op, "Resize") == 0;
    const resize r = {
        .mode = onnx__attr_text(n, "mode", "nearest"),
        .coords =
            late ? onnx__attr_text(n, "coordinate_transformation_mode", "half_pixel")
                 : "asymmetric",
        .rounding =
            late ? onnx__attr_text(n, "nearest_mode", "round_prefer_floor") : "floor",
        .a = onnx__attr_real(n, "cubic_coeff_a", -0.75),
        .exclude = onnx__attr_int(n, "exclude_outside", 0) != 0,
        .crop = late && strcmp(onnx__attr_text(n, "coordinate_transformation_mode", ""),
                               "tf_crop_and_resize") == 0};
    const onnx_tensor *x = c->in[0];
    axis_map m[RANK];
    dscq_status status;

    DSCQ_TRY(read_scales(c, m));
    const double extra = onnx__attr_real(n, "extrapolation_value", 0);
    for (int32_t d = 0; d < c->in[0]->rank; d++) {
        if (m[d].in == m[d].out && m[d].scale == 1 && !r.crop)
            continue;
        x = resize_axis(c, x, d, &r, &m[d], extra);
        if (x == NULL)
            return onnx__bad(c, "its output is too large");
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++)
        c->out[0]->v[i] = onnx__round_to(x->type, x->v[i], 0);
done:
    return status;
}

/* ---- blocks ------------------------------------------------------------- */

static dscq_status run_space_to_depth(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int64_t b = onnx__attr_int(c->node, "blocksize", 0);
    dscq_status status;

    if (x->rank != 4 || b < 1 || b > 4096 || x->dim[2] % b != 0 || x->dim[3] % b != 0)
        return onnx__bad(c, "blocksize does not divide the map");
    const int64_t ch = x->dim[1];
    const int64_t dim[] = {x->dim[0], ch * b * b, x->dim[2] / b, x->dim[3] / b};
    DSCQ_TRY(onnx__out(c, 0, x->type, 4, dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t at = (int64_t)i, w = at % dim[3], h = at / dim[3] % dim[2];
        const int64_t k = at / (dim[2] * dim[3]) % dim[1];
        const int64_t n = at / (dim[1] * dim[2] * dim[3]);
        const int64_t block = k / ch;
        c->out[0]->v[i] =
            x->v[((n * ch + k % ch) * x->dim[2] + h * b + block / b) * x->dim[3] +
                 w * b + block % b];
    }
done:
    return status;
}

static dscq_status run_depth_to_space(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int64_t b = onnx__attr_int(c->node, "blocksize", 0);
    const int crd = strcmp(onnx__attr_text(c->node, "mode", "DCR"), "CRD") == 0;
    dscq_status status;

    if (x->rank != 4 || b < 1 || b > 4096 || x->dim[1] % (b * b) != 0)
        return onnx__bad(c, "blocksize does not divide the channels");
    const int64_t ch = x->dim[1] / (b * b);
    const int64_t dim[] = {x->dim[0], ch, x->dim[2] * b, x->dim[3] * b};
    DSCQ_TRY(onnx__out(c, 0, x->type, 4, dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t at = (int64_t)i, w = at % dim[3], h = at / dim[3] % dim[2];
        const int64_t k = at / (dim[2] * dim[3]) % ch, n = at / (ch * dim[2] * dim[3]);
        const int64_t block = h % b * b + w % b;
        const int64_t from = crd ? k * b * b + block : block * ch + k;
        c->out[0]->v[i] =
            x->v[((n * x->dim[1] + from) * x->dim[2] + h / b) * x->dim[3] + w / b];
    }
done:
    return status;
}

const onnx_op_row onnx__ops_resize[] = {
    {"Pad", run_pad, 1, 1},
    {"Resize", run_resize, 1, 0},
    {"Upsample", run_resize, 1, 0},
    {"SpaceToDepth", run_space_to_depth, 1, 0},
    {"DepthToSpace", run_depth_to_space, 1, 0},
    {NULL, NULL, 0, 0},
};
