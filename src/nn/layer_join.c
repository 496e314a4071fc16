/* [shortcut], [route], [scale_channels]: sums, joins and slices, products. */
#include "nn_internal.h"

#include <math.h>
#include <string.h>

/* clang-format off */
static const dscq_key k_shortcut_keys[] = {
    DSCQ_KEY_LIST_ROW(dscq_shortcut_params, from, -1e6, 1e6, NULL, "layers added to the previous one (negative: counted back)"),
    DSCQ_KEY_REAL_ROW(dscq_shortcut_params, alpha, -1e6, 1e6, "1", "factor of the previous layer"),
    DSCQ_KEY_REAL_ROW(dscq_shortcut_params, beta, -1e6, 1e6, "1", "factor of the others"),
    DSCQ_KEY_ENUM_ROW(dscq_shortcut_params, weights_type, "none|per_feature|per_layer|per_channel", "none", "Darknet: only none"),
    DSCQ_KEY_END
};
static const dscq_key k_route_keys[] = {
    DSCQ_KEY_LIST_ROW(dscq_route_params, layers, -1e6, 1e6, NULL, "layers joined along channels (negative: counted back)"),
    DSCQ_KEY_INT_ROW(dscq_route_params, groups, 1, 65536, "1", "take one of so many parts of the channels"),
    DSCQ_KEY_INT_ROW(dscq_route_params, group_id, 0, 65535, "0", "which part"),
    DSCQ_KEY_INT_ROW(dscq_route_params, first_channel, 0, 1e6, "0", "first channel taken (of a single layer)"),
    DSCQ_KEY_INT_ROW(dscq_route_params, channels, 0, 1e6, "0", "channels taken; 0: all"),
    DSCQ_KEY_END
};
static const dscq_key k_scale_keys[] = {
    DSCQ_KEY_INT_ROW(dscq_scale_channels_params, from, -1e6, 1e6, NULL, "layer that is scaled by the previous one"),
    DSCQ_KEY_INT_ROW(dscq_scale_channels_params, scale_wh, 0, 1, "0", "Darknet: not supported"),
    DSCQ_KEY_END
};
/* clang-format on */

static size_t floats_of(const dscq_shape *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

/* ---- shortcut ----------------------------------------------------------- */

static dscq_status wire_one(int32_t *out, double v, int32_t index, const char *key,
                            dscq_error *err)
{
    const double at = v < 0 ? index + v : v;

    if (v != floor(v) || at < 0 || at >= index)
        return dscq_fail(
            err, DSCQ_FORMAT,
            "%s = %g: not an earlier layer (this is layer %d, counted from "
            "0)",
            key, v, (int)index);
    *out = (int32_t)at;
    return DSCQ_OK;
}

static dscq_status wire_list(int32_t *input, int32_t *count, const dscq_list *l,
                             int32_t index, const char *key, dscq_error *err)
{
    if (*count + l->count > DSCQ_NODE_INPUTS || l->count < 1)
        return dscq_fail(err, DSCQ_FORMAT, "%s: %d layers; 1 to %d are allowed", key,
                         (int)l->count, (int)DSCQ_NODE_INPUTS - 1);
    for (int32_t i = 0; i < l->count; i++) {
        const dscq_status status = wire_one(&input[*count], l->v[i], index, key, err);
        if (status != DSCQ_OK)
            return status;
        (*count)++;
    }
    return DSCQ_OK;
}

static dscq_status shortcut_wire(int32_t *input, int32_t *count, void *params,
                                 int32_t index, dscq_error *err)
{
    const dscq_shortcut_params *p = params;

    if (index == 0)
        return dscq_fail(err, DSCQ_FORMAT, "[shortcut] needs a layer in front of it");
    input[0] = index - 1;
    *count = 1;
    return wire_list(input, count, &p->from, index, "from", err);
}

static dscq_status shortcut_infer(dscq_layer_shape *out, void *params,
                                  const dscq_shape *x, int32_t x_count, dscq_error *err)
{
    const dscq_shortcut_params *p = params;

    if (p->weights_type != 0)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "weights_type is not supported");
    for (int32_t i = 1; i < x_count; i++)
        if (x[i].h != x[0].h || x[i].w != x[0].w)
            return dscq_fail(err, DSCQ_FORMAT,
                             "cannot add %d x %d x %d and %d x %d x %d (h x w x c)",
                             (int)x[0].h, (int)x[0].w, (int)x[0].c, (int)x[i].h,
                             (int)x[i].w, (int)x[i].c);
    out->out = x[0];
    return DSCQ_OK;
}

/* to[pixels][to_c] += factor * from[pixels][from_c]: where they have different numbers
 * of channels the first ones meet, as in Darknet. */
static void add_scaled(const dscq_kernels *k, float factor, const float *from,
                       int32_t from_c, float *to, int32_t to_c, size_t pixels)
{
    const size_t both = (size_t)(from_c < to_c ? from_c : to_c);

    if (from_c == to_c)
        k->axpy(factor, from, to, pixels * both);
    for (size_t p = 0; from_c != to_c && p < pixels; p++)
        k->axpy(factor, from + p * (size_t)from_c, to + p * (size_t)to_c, both);
}

static void shortcut_forward(const dscq_layer_io *io, int32_t image,
                             const float *const *x, float *z, void *state)
{
    const dscq_shortcut_params *p = io->node->params;
    const dscq_shape *o = &io->node->out;
    const size_t n = floats_of(o);
    int32_t i = 1;

    (void)image;
    (void)state;
    if (p->alpha == 1 && p->beta == 1 && io->x_count > 1 && io->x[1].shape.c == o->c) {
        io->k->add(x[0], x[1], z, n);
        i = 2;
    } else {
        io->k->scale((float)p->alpha, x[0], z, n);
    }
    for (; i < io->x_count; i++)
        add_scaled(io->k, (float)p->beta, x[i], io->x[i].shape.c, z, o->c,
                   (size_t)o->h * (size_t)o->w);
}

static void shortcut_backward(const dscq_layer_io *io, int32_t image,
                              const float *const *x, const float *z, const float *dz,
                              float *const *dx, const void *state)
{
    const dscq_shortcut_params *p = io->node->params;
    const dscq_shape *o = &io->node->out;

    (void)image;
    (void)x;
    (void)z;
    (void)state;
    for (int32_t i = 0; i < io->x_count; i++)
        if (dx[i] != NULL)
            add_scaled(io->k, (float)(i == 0 ? p->alpha : p->beta), dz, o->c, dx[i],
                       io->x[i].shape.c, (size_t)o->h * (size_t)o->w);
}

static void shortcut_reference(double *z, const dscq_node *node, const double *const *x,
                               const dscq_shape *x_shape, int32_t n, const double *w)
{
    const dscq_shortcut_params *p = node->params;
    const size_t channels = (size_t)x_shape[0].c;
    const size_t pixels = floats_of(&x_shape[0]) / channels * (size_t)n;

    (void)w;
    for (size_t i = 0; i < pixels * channels; i++) {
        const size_t at = i / channels, c = i % channels;
        z[i] = p->alpha * x[0][i];
        for (int32_t j = 1; j < node->input_count; j++)
            if (c < (size_t)x_shape[j].c)
                z[i] += p->beta * x[j][at * (size_t)x_shape[j].c + c];
    }
}

/* ---- route -------------------------------------------------------------- */

static dscq_status route_wire(int32_t *input, int32_t *count, void *params,
                              int32_t index, dscq_error *err)
{
    const dscq_route_params *p = params;

    *count = 0;
    return wire_list(input, count, &p->layers, index, "layers", err);
}

/* Channels [*first, *first + *count) of an input of c channels. */
static void taken(const dscq_route_params *p, int32_t c, int32_t *first, int32_t *count)
{
    const int32_t groups = p->groups > 1 ? p->groups : 1;

    *count = c / groups;
    *first = *count * (groups > 1 ? p->group_id : 0);
    if (p->channels > 0) {
        *first += p->first_channel;
        *count = p->channels;
    }
}

static dscq_status route_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                               int32_t x_count, dscq_error *err)
{
    const dscq_route_params *p = params;
    int64_t sum = 0;

    out->out = x[0];
    for (int32_t i = 0; i < x_count; i++) {
        int32_t first, count;
        taken(p, x[i].c, &first, &count);
        if (x[i].h != x[0].h || x[i].w != x[0].w)
            return dscq_fail(err, DSCQ_FORMAT,
                             "cannot join maps of %d x %d and %d x %d", (int)x[0].h,
                             (int)x[0].w, (int)x[i].h, (int)x[i].w);
        if ((p->groups > 1 && (x[i].c % p->groups != 0 || p->group_id >= p->groups)) ||
            count < 1 || first + count > x[i].c)
            return dscq_fail(err, DSCQ_FORMAT,
                             "channels %d..%d (group %d of %d) of an input with %d",
                             (int)first, (int)(first + count - 1), (int)p->group_id,
                             (int)p->groups, (int)x[i].c);
        sum += count;
    }
    if (sum > 1000000)
        return dscq_fail(err, DSCQ_FORMAT, "%lld channels: too many", (long long)sum);
    out->out.c = (int32_t)sum;
    return DSCQ_OK;
}

static void route_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                          float *z, void *state)
{
    const dscq_shape *o = &io->node->out;
    const size_t pixels = (size_t)o->h * (size_t)o->w;
    size_t at = 0;

    (void)image;
    (void)state;
    for (int32_t i = 0; i < io->x_count; i++) {
        const size_t c = (size_t)io->x[i].shape.c;
        int32_t first, count;
        taken(io->node->params, (int32_t)c, &first, &count);
        for (size_t p = 0; p < pixels; p++)
            memcpy(z + p * (size_t)o->c + at, x[i] + p * c + (size_t)first,
                   (size_t)count * sizeof(float));
        at += (size_t)count;
    }
}

static void route_backward(const dscq_layer_io *io, int32_t image,
                           const float *const *x, const float *z, const float *dz,
                           float *const *dx, const void *state)
{
    const dscq_shape *o = &io->node->out;
    const size_t pixels = (size_t)o->h * (size_t)o->w;
    size_t at = 0;

    (void)image;
    (void)x;
    (void)z;
    (void)state;
    for (int32_t i = 0; i < io->x_count; i++) {
        const size_t c = (size_t)io->x[i].shape.c;
        int32_t first, count;
        taken(io->node->params, (int32_t)c, &first, &count);
        if (dx[i] != NULL)
            io->k->add_rows(1.0f, dz + at, (size_t)o->c, dx[i] + first, c, pixels,
                            (size_t)count);
        at += (size_t)count;
    }
}

static void route_reference(double *z, const dscq_node *node, const double *const *x,
                            const dscq_shape *x_shape, int32_t n, const double *w)
{
    const dscq_route_params *p = node->params;
    const size_t pixels = (size_t)n * (size_t)node->out.h * (size_t)node->out.w;
    const int32_t part = p->groups > 1 ? p->groups : 1;
    size_t at = 0;

    (void)w;
    for (size_t px = 0; px < pixels; px++)
        for (int32_t i = 0; i < node->input_count; i++) {
            const int32_t c = x_shape[i].c;
            int32_t lo = part > 1 ? c / part * p->group_id : 0;
            int32_t hi = part > 1 ? lo + c / part : c;
            if (p->channels > 0) {
                lo += p->first_channel;
                hi = lo + p->channels;
            }
            for (int32_t j = lo; j < hi; j++)
                z[at++] = x[i][px * (size_t)c + (size_t)j];
        }
}

/* ---- scale_channels ----------------------------------------------------- */

static dscq_status scale_wire(int32_t *input, int32_t *count, void *params,
                              int32_t index, dscq_error *err)
{
    const dscq_scale_channels_params *p = params;

    if (index == 0)
        return dscq_fail(err, DSCQ_FORMAT, "[scale_channels] needs a layer before it");
    input[0] = index - 1;
    *count = 2;
    return wire_one(&input[1], p->from, index, "from", err);
}

static int is_vector(const dscq_shape *s)
{
    return s->h == 1 && s->w == 1;
}

static dscq_status scale_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                               int32_t x_count, dscq_error *err)
{
    const dscq_scale_channels_params *p = params;

    (void)x_count;
    if (p->scale_wh != 0)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "scale_wh is not supported");
    if (x[0].c != x[1].c || (!is_vector(&x[0]) && !dscq_shape_same_map(&x[0], &x[1])))
        return dscq_fail(
            err, DSCQ_FORMAT,
            "%d x %d x %d cannot scale %d x %d x %d; want 1 x 1 x %d or the "
            "same size",
            (int)x[0].h, (int)x[0].w, (int)x[0].c, (int)x[1].h, (int)x[1].w,
            (int)x[1].c, (int)x[1].c);
    out->out = x[1];
    return DSCQ_OK;
}

static void scale_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                          float *z, void *state)
{
    const dscq_shape *o = &io->node->out;
    const size_t c = (size_t)o->c, n = floats_of(o);
    const size_t step = dscq_shape_same_map(&io->x[0].shape, o) ? n : c;

    (void)image;
    (void)state;
    for (size_t i = 0; i < n; i += step)
        io->k->mul(x[0], x[1] + i, z + i, step);
}

static void scale_backward(const dscq_layer_io *io, int32_t image,
                           const float *const *x, const float *z, const float *dz,
                           float *const *dx, const void *state)
{
    const dscq_shape *o = &io->node->out;
    const size_t c = (size_t)o->c, n = floats_of(o);
    const int same = dscq_shape_same_map(&io->x[0].shape, o);

    (void)image;
    (void)z;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const size_t j = same ? i : i % c;
        if (dx[0] != NULL)
            dx[0][j] += dz[i] * x[1][i];
        if (dx[1] != NULL)
            dx[1][i] += dz[i] * x[0][j];
    }
}

static void scale_reference(double *z, const dscq_node *node, const double *const *x,
                            const dscq_shape *x_shape, int32_t n, const double *w)
{
    const size_t map = floats_of(&node->out), c = (size_t)node->out.c;
    const size_t factors = floats_of(&x_shape[0]);

    (void)w;
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t j = 0; j < map; j++)
            z[i * map + j] =
                x[1][i * map + j] * x[0][i * factors + (factors == map ? j : j % c)];
}

extern const dscq_layer_ops dscq_layer_shortcut, dscq_layer_route,
    dscq_layer_scale_channels;

const dscq_layer_ops dscq_layer_shortcut = {
    .name = "shortcut",
    .summary = "sum of layers of the same size (residual)",
    .param_bytes = sizeof(dscq_shortcut_params),
    .keys = k_shortcut_keys,
    .flags = DSCQ_LAYER_ACT | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_SUM,
    .darknet = DSCQ_DARKNET_BOTH,
    .inputs_min = 2,
    .inputs_max = DSCQ_NODE_INPUTS,
    .wire = shortcut_wire,
    .infer = shortcut_infer,
    .image_forward = shortcut_forward,
    .image_backward = shortcut_backward,
    .reference = shortcut_reference,
};

const dscq_layer_ops dscq_layer_route = {
    .name = "route",
    .summary = "layers joined along channels, or a part of one's channels",
    .param_bytes = sizeof(dscq_route_params),
    .keys = k_route_keys,
    .flags = DSCQ_LAYER_VIEW | DSCQ_LAYER_MOVES | DSCQ_LAYER_BETWEEN,
    .does = DSCQ_DOES_JOIN,
    .darknet = DSCQ_DARKNET_BOTH,
    .inputs_min = 1,
    .inputs_max = DSCQ_NODE_INPUTS,
    .wire = route_wire,
    .infer = route_infer,
    .image_forward = route_forward,
    .image_backward = route_backward,
    .reference = route_reference,
};

const dscq_layer_ops dscq_layer_scale_channels = {
    .name = "scale_channels",
    .summary = "product of a layer and the previous one, a number per channel",
    .param_bytes = sizeof(dscq_scale_channels_params),
    .keys = k_scale_keys,
    .flags = DSCQ_LAYER_ACT | DSCQ_LAYER_PRODUCT | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_PRODUCT,
    .darknet = DSCQ_DARKNET_YOUNGER,
    .onnx = "Mul",
    .inputs_min = 2,
    .inputs_max = 2,
    .wire = scale_wire,
    .infer = scale_infer,
    .needs_x = 1,
    .image_forward = scale_forward,
    .image_backward = scale_backward,
    .reference = scale_reference,
};
