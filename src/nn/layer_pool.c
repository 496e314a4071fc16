/* [maxpool], [avgpool] */
#include "nn_internal.h"

#include <string.h>

#define INT_(f, lo, hi, d, h) DSCQ_KEY_INT_ROW(dscq_pool_params, f, lo, hi, d, h)

/* clang-format off */
#define POOL_ROWS(size_help) \
    INT_(size, 0, 4096, "0", size_help), \
    NN_WINDOW_ROWS(dscq_pool_params, "window"), \
    INT_(pad_top, -1, 4096, "-1", "padding above; -1: half of padding"), \
    INT_(pad_left, -1, 4096, "-1", "padding on the left"), \
    INT_(pad_bottom, -1, 4096, "-1", "padding below; -1: the rest of padding"), \
    INT_(pad_right, -1, 4096, "-1", "padding on the right")

static const dscq_key k_max_keys[] = {
    POOL_ROWS("rows and columns of the window; 0: stride"),
    INT_(padding, -1, 8192, "-1", "padding of both sides together; -1: size - 1"),
    INT_(maxpool_depth, 0, 1, "0", "Darknet: not supported"),
    INT_(out_channels, 0, 1e6, "0", "Darknet: not supported"),
    DSCQ_KEY_END
};
static const dscq_key k_avg_keys[] = {
    POOL_ROWS("rows and columns of the window; 0: the whole map"),
    INT_(padding, -1, 8192, "0", "padding of both sides together"),
    DSCQ_KEY_BOOL_ROW(dscq_pool_params, count_pad, "0", "divide by the whole window, padding included"),
    DSCQ_KEY_END
};
/* clang-format on */

dscq_pool_params dscq_pool_params_make(const dscq_window *w, int count_pad)
{
    return (dscq_pool_params){.size = w->kernel_h,
                              .size_h = w->kernel_h,
                              .size_w = w->kernel_w,
                              .stride = w->stride_h,
                              .stride_x = w->stride_w,
                              .stride_y = w->stride_h,
                              .pad_top = w->pad_top,
                              .pad_left = w->pad_left,
                              .pad_bottom = w->pad_bottom,
                              .pad_right = w->pad_right,
                              .count_pad = count_pad};
}

dscq_pool_params dscq_pool_params_global(void)
{
    return (dscq_pool_params){
        .stride = 1, .pad_top = -1, .pad_left = -1, .pad_bottom = -1, .pad_right = -1};
}

static void pads(int32_t *lo, int32_t *hi, int32_t want_lo, int32_t want_hi,
                 int32_t total)
{
    *lo = want_lo >= 0 ? want_lo : total / 2;
    *hi = want_hi >= 0 ? want_hi : total - total / 2;
}

static dscq_status slide(dscq_layer_shape *out, const dscq_pool_params *p,
                         const dscq_shape *x, dscq_error *err)
{
    dscq_window w = {.stride_h = nn__or_else(p->stride_y, p->stride),
                     .stride_w = nn__or_else(p->stride_x, p->stride),
                     .dilation_h = 1,
                     .dilation_w = 1,
                     .groups = 1};

    w.kernel_h = nn__or_else(p->size_h, nn__or_else(p->size, w.stride_h));
    w.kernel_w = nn__or_else(p->size_w, nn__or_else(p->size, w.stride_w));
    pads(&w.pad_top, &w.pad_bottom, p->pad_top, p->pad_bottom,
         p->padding >= 0 ? p->padding : w.kernel_h - 1);
    pads(&w.pad_left, &w.pad_right, p->pad_left, p->pad_right,
         p->padding >= 0 ? p->padding : w.kernel_w - 1);
    return nn__slide(out, &w, x, x->c, err);
}

static dscq_status max_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                             int32_t x_count, dscq_error *err)
{
    const dscq_pool_params *p = params;

    (void)x_count;
    if (p->maxpool_depth || p->out_channels)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "maxpool_depth is not supported");
    return slide(out, p, x, err);
}

static dscq_status avg_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                             int32_t x_count, dscq_error *err)
{
    const dscq_pool_params *p = params;

    (void)x_count;
    if (p->size > 0 || p->size_h > 0 || p->size_w > 0)
        return slide(out, p, x, err);
    out->window = (dscq_window){.kernel_h = x->h,
                                .kernel_w = x->w,
                                .stride_h = 1,
                                .stride_w = 1,
                                .dilation_h = 1,
                                .dilation_w = 1,
                                .groups = 1};
    out->out = (dscq_shape){1, 1, 1, x->c};
    return DSCQ_OK;
}

static size_t max_state(const dscq_node *node, const dscq_shape *x)
{
    (void)x;
    return dscq_shape_count(&node->out) * sizeof(int32_t);
}

static void max_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                        float *z, void *state)
{
    const dscq_geom g = nn__geom(io->node);

    (void)image;
    io->k->maxpool(&g, x[0], z, state);
}

static void max_backward(const dscq_layer_io *io, int32_t image, const float *const *x,
                         const float *z, const float *dz, float *const *dx,
                         const void *state)
{
    const dscq_geom g = nn__geom(io->node);

    (void)image;
    (void)x;
    (void)z;
    if (dx[0] != NULL)
        io->k->maxpool_back(&g, dz, state, dx[0]);
}

static int counts_padding(const dscq_layer_io *io)
{
    return ((const dscq_pool_params *)io->node->params)->count_pad;
}

static void avg_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                        float *z, void *state)
{
    const dscq_geom g = nn__geom(io->node);

    (void)image;
    (void)state;
    io->k->avgpool(&g, counts_padding(io), x[0], z);
}

static void avg_backward(const dscq_layer_io *io, int32_t image, const float *const *x,
                         const float *z, const float *dz, float *const *dx,
                         const void *state)
{
    const dscq_geom g = nn__geom(io->node);

    (void)image;
    (void)x;
    (void)z;
    (void)state;
    if (dx[0] != NULL)
        io->k->avgpool_back(&g, counts_padding(io), dz, dx[0]);
}

/* ---- reference ---------------------------------------------------------- */

static double window_of(const double *x, dscq_shape in, const dscq_window *w,
                        int32_t oy, int32_t ox, int32_t c, int is_max, int count_pad)
{
    double sum = 0, best = 0;
    int32_t count = 0;

    for (int32_t r = 0; r < w->kernel_h; r++)
        for (int32_t s = 0; s < w->kernel_w; s++) {
            const int32_t iy = oy * w->stride_h + r - w->pad_top;
            const int32_t ix = ox * w->stride_w + s - w->pad_left;
            if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w)
                continue;
            const double v =
                x[((size_t)iy * (size_t)in.w + (size_t)ix) * (size_t)in.c + (size_t)c];
            best = count == 0 || v > best ? v : best;
            sum += v;
            count++;
        }
    if (is_max)
        return best;
    if (count_pad)
        count = w->kernel_h * w->kernel_w;
    return count > 0 ? sum / count : 0;
}

static void reference(double *z, const dscq_node *node, const double *x, dscq_shape in,
                      int32_t n, int is_max)
{
    const dscq_pool_params *p = node->params;
    size_t at = 0;

    for (int32_t i = 0; i < n; i++)
        for (int32_t oy = 0; oy < node->out.h; oy++)
            for (int32_t ox = 0; ox < node->out.w; ox++)
                for (int32_t c = 0; c < node->out.c; c++)
                    z[at++] = window_of(x + (size_t)i * dscq_shape_count(&in), in,
                                        &node->window, oy, ox, c, is_max, p->count_pad);
}

static void max_reference(double *z, const dscq_node *node, const double *const *x,
                          const dscq_shape *x_shape, int32_t n, const double *w)
{
    (void)w;
    reference(z, node, x[0], x_shape[0], n, 1);
}

static void avg_reference(double *z, const dscq_node *node, const double *const *x,
                          const dscq_shape *x_shape, int32_t n, const double *w)
{
    (void)w;
    reference(z, node, x[0], x_shape[0], n, 0);
}

extern const dscq_layer_ops dscq_layer_maxpool, dscq_layer_avgpool;

const dscq_layer_ops dscq_layer_maxpool = {
    .name = "maxpool",
    .alias = "max",
    .summary = "largest value of a window",
    .flags =
        DSCQ_LAYER_PICKS | DSCQ_LAYER_MOVES | DSCQ_LAYER_BETWEEN | DSCQ_LAYER_FOLLOWS,
    .param_bytes = sizeof(dscq_pool_params),
    .keys = k_max_keys,
    .does = DSCQ_DOES_MAX,
    .darknet = DSCQ_DARKNET_BOTH,
    .onnx = "MaxPool",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = max_infer,
    .state_bytes = max_state,
    .image_forward = max_forward,
    .image_backward = max_backward,
    .reference = max_reference,
};

const dscq_layer_ops dscq_layer_avgpool = {
    .name = "avgpool",
    .alias = "avg",
    .summary = "mean of a window, or of the whole map",
    .param_bytes = sizeof(dscq_pool_params),
    .keys = k_avg_keys,
    .flags = DSCQ_LAYER_BETWEEN | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_MEAN,
    .darknet = DSCQ_DARKNET_BOTH,
    .onnx = "AveragePool",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = avg_infer,
    .image_forward = avg_forward,
    .image_backward = avg_backward,
    .reference = avg_reference,
};
