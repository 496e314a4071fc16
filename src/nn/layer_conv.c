/* [convolutional], [depthwise], [connected]: settings, shapes, reference. */
#include "nn_internal.h"

#include <math.h>
#include <string.h>

#define INT_(f, lo, hi, d, h) DSCQ_KEY_INT_ROW(dscq_conv_params, f, lo, hi, d, h)
#define BOOL_(f, d, h)        DSCQ_KEY_BOOL_ROW(dscq_conv_params, f, d, h)

/* clang-format off */
#define WINDOW_ROWS \
    INT_(size, 1, 4096, "1", "rows and columns of the kernel"), \
    NN_WINDOW_ROWS(dscq_conv_params, "kernel"), \
    BOOL_(pad, "0", "pad by half the kernel on all sides"), \
    INT_(padding, 0, 4096, "0", "pad by so much on all sides"), \
    INT_(pad_top, -1, 4096, "-1", "padding above; -1: as pad or padding say"), \
    INT_(pad_left, -1, 4096, "-1", "padding on the left"), \
    INT_(pad_bottom, -1, 4096, "-1", "padding below"), \
    INT_(pad_right, -1, 4096, "-1", "padding on the right"), \
    INT_(dilation, 1, 4096, "1", "distance of the kernel's elements")

static const dscq_key k_conv_keys[] = {
    INT_(filters, 1, 1e6, "1", "output channels"),
    WINDOW_ROWS,
    INT_(groups, 1, 1e6, "1", "parts of the channels that do not see each other"),
    BOOL_(binary, "0", "Darknet: not supported"),
    BOOL_(xnor, "0", "Darknet: not supported"),
    BOOL_(flipped, "0", "Darknet: not supported"),
    BOOL_(dot, "0", "Darknet: not supported"),
    BOOL_(antialiasing, "0", "Darknet: not supported"),
    DSCQ_KEY_END
};
static const dscq_key k_depthwise_keys[] = {WINDOW_ROWS, DSCQ_KEY_END};
static const dscq_key k_connected_keys[] = {
    DSCQ_KEY_INT_ROW(dscq_connected_params, output, 1, 1e7, "1", "outputs"),
    DSCQ_KEY_END
};
/* clang-format on */

dscq_conv_params dscq_conv_params_make(int32_t filters, const dscq_window *w)
{
    return (dscq_conv_params){.filters = filters,
                              .size = w->kernel_h,
                              .size_h = w->kernel_h,
                              .size_w = w->kernel_w,
                              .stride = w->stride_h,
                              .stride_x = w->stride_w,
                              .stride_y = w->stride_h,
                              .pad_top = w->pad_top,
                              .pad_left = w->pad_left,
                              .pad_bottom = w->pad_bottom,
                              .pad_right = w->pad_right,
                              .dilation = w->dilation_h > 0 ? w->dilation_h : 1,
                              .groups = w->groups > 0 ? w->groups : 1};
}

static int32_t pad_or(int32_t v, int32_t other)
{
    return v >= 0 ? v : other;
}

static dscq_window window_of(const dscq_conv_params *p)
{
    dscq_window w = {.kernel_h = nn__or_else(p->size_h, p->size),
                     .kernel_w = nn__or_else(p->size_w, p->size),
                     .stride_h = nn__or_else(p->stride_y, p->stride),
                     .stride_w = nn__or_else(p->stride_x, p->stride),
                     .dilation_h = p->dilation,
                     .dilation_w = p->dilation,
                     .groups = p->groups};
    const int32_t pad_h = p->pad ? w.kernel_h / 2 * p->dilation : p->padding;
    const int32_t pad_w = p->pad ? w.kernel_w / 2 * p->dilation : p->padding;

    w.pad_top = pad_or(p->pad_top, pad_h);
    w.pad_bottom = pad_or(p->pad_bottom, pad_h);
    w.pad_left = pad_or(p->pad_left, pad_w);
    w.pad_right = pad_or(p->pad_right, pad_w);
    return w;
}

static dscq_status convolve(dscq_layer_shape *out, const dscq_window *w,
                            const dscq_shape *x, int32_t filters, dscq_error *err)
{
    const dscq_status status = nn__slide(out, w, x, filters, err);

    if (status != DSCQ_OK)
        return status;
    out->k = filters;
    out->r = w->kernel_h;
    out->s = w->kernel_w;
    out->c = x->c / w->groups;
    const double macs =
        (double)out->out.h * out->out.w * filters * out->c * w->kernel_h * w->kernel_w;
    if (macs > 1e15)
        return dscq_fail(err, DSCQ_FORMAT, "%.3g multiply-accumulates: too many", macs);
    out->macs = (uint64_t)macs;
    return DSCQ_OK;
}

static dscq_status conv_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                              int32_t x_count, dscq_error *err)
{
    const dscq_conv_params *p = params;
    const dscq_window w = window_of(p);

    (void)x_count;
    if (p->binary || p->xnor || p->flipped || p->dot || p->antialiasing)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "binary, xnor, flipped, dot and antialiasing convolutions are "
                         "not supported");
    if (p->groups < 1 || x->c % p->groups != 0 || p->filters % p->groups != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "groups = %d divides neither or not both of %d input channels "
                         "and %d filters",
                         (int)p->groups, (int)x->c, (int)p->filters);
    return convolve(out, &w, x, p->filters, err);
}

static dscq_status depthwise_infer(dscq_layer_shape *out, void *params,
                                   const dscq_shape *x, int32_t x_count,
                                   dscq_error *err)
{
    dscq_conv_params *p = params;

    (void)x_count;
    p->filters = p->groups = x->c;
    const dscq_window w = window_of(p);
    return convolve(out, &w, x, x->c, err);
}

static dscq_status connected_infer(dscq_layer_shape *out, void *params,
                                   const dscq_shape *x, int32_t x_count,
                                   dscq_error *err)
{
    const dscq_connected_params *p = params;
    const size_t in = dscq_shape_count(x);

    (void)x_count;
    if (in > INT32_MAX / 2)
        return dscq_fail(err, DSCQ_FORMAT, "%zu inputs: too many", in);
    out->out = (dscq_shape){1, 1, 1, p->output};
    out->k = p->output;
    out->r = out->s = 1;
    out->c = (int32_t)in;
    out->macs = (uint64_t)in * (uint64_t)p->output;
    return DSCQ_OK;
}

/* Depthwise stays depthwise. */
static int32_t conv_channels(void *params, int32_t want)
{
    dscq_conv_params *p = params;
    const int is_depthwise = p->groups > 1 && p->groups == p->filters;

    if (want > 0)
        p->filters = want;
    if (want > 0 && is_depthwise)
        p->groups = want;
    return p->filters;
}

static int32_t connected_channels(void *params, int32_t want)
{
    dscq_connected_params *p = params;

    if (want > 0)
        p->output = want;
    return p->output;
}

/* ---- which way ------------------------------------------------------------------- */

static const nn_conv_way *way_of(const dscq_node *n)
{
    const dscq_window *w = &n->window;

    if (w->kernel_h == 0) /* connected */
        return &nn__pointwise;
    if (w->groups == n->in.c && w->groups == n->out.c && w->groups > 1 &&
        w->kernel_h <= 64)
        return &nn__depthwise;
    const int is_plain = w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 &&
                         w->stride_w == 1 && w->groups == 1 && w->pad_top == 0 &&
                         w->pad_left == 0 && w->pad_bottom == 0 && w->pad_right == 0;
    if (is_plain)
        return &nn__pointwise;
    const int is_thin = w->groups == 1 && w->dilation_w == 1 &&
                        w->kernel_w * n->in.c <= 40 && n->out.w >= 16;
    return is_thin ? &nn__thin : &nn__dense;
}

static size_t scratch_floats(const dscq_node *n, const dscq_shape *x, int32_t images,
                             const dscq_kernels *k)
{
    (void)x;
    return way_of(n)->scratch_floats(n, images, k);
}

static size_t pack_floats(const dscq_node *n, const dscq_kernels *k, int back)
{
    return way_of(n)->pack_floats(n, k, back);
}

static void pack(float *packed, const dscq_node *n, const dscq_kernels *k,
                 const float *scale, int back, float *scratch)
{
    const dscq_weights *w = n->weights;
    const float *from = w->w_used;

    if (scale != NULL) {
        const size_t row = w->count / (size_t)w->k;
        for (size_t i = 0; i < (size_t)w->k; i++)
            k->scale(scale[i], w->w_used + i * row, scratch + i * row, row);
        from = scratch;
    }
    way_of(n)->pack(packed, n, k, from, back);
}

static int packs_itself(const dscq_node *n, int32_t images)
{
    const nn_conv_way *way = way_of(n);

    return way->packs_itself != NULL && way->packs_itself(n, images);
}

static size_t dw_part_floats(const dscq_node *n, int32_t images)
{
    return way_of(n)->dw_part_floats(n, images);
}

static size_t forward(const dscq_layer_io *io)
{
    return way_of(io->node)->forward(io);
}

static size_t backward(const dscq_layer_io *io)
{
    return way_of(io->node)->backward(io);
}

/* ---- reference ---------------------------------------------------------- */

static double window_sum(const double *x, dscq_shape in, const dscq_window *win,
                         const double *w, int32_t oy, int32_t ox, int32_t c0,
                         int32_t cg)
{
    double sum = 0;

    for (int32_t r = 0; r < win->kernel_h; r++)
        for (int32_t s = 0; s < win->kernel_w; s++) {
            const int32_t iy = oy * win->stride_h + r * win->dilation_h - win->pad_top;
            const int32_t ix = ox * win->stride_w + s * win->dilation_w - win->pad_left;
            if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w)
                continue;
            for (int32_t c = 0; c < cg; c++)
                sum += w[(r * win->kernel_w + s) * cg + c] *
                       x[((size_t)iy * (size_t)in.w + (size_t)ix) * (size_t)in.c +
                         (size_t)(c0 + c)];
        }
    return sum;
}

void nn__conv_reference(double *z, const double *x, dscq_shape in, dscq_shape out,
                        const dscq_window *win, int32_t n, const double *w)
{
    const int32_t cg = in.c / win->groups, kg = out.c / win->groups;
    const size_t taps = (size_t)(win->kernel_h * win->kernel_w * cg);
    size_t at = 0;

    for (int32_t i = 0; i < n; i++, x += in.h * in.w * in.c)
        for (int32_t oy = 0; oy < out.h; oy++)
            for (int32_t ox = 0; ox < out.w; ox++)
                for (int32_t k = 0; k < out.c; k++)
                    z[at++] = window_sum(x, in, win, w + (size_t)k * taps, oy, ox,
                                         k / kg * cg, cg);
}

static void conv_reference(double *z, const dscq_node *node, const double *const *x,
                           const dscq_shape *x_shape, int32_t n, const double *w)
{
    nn__conv_reference(z, x[0], x_shape[0], node->out, &node->window, n, w);
}

static void connected_reference(double *z, const dscq_node *node,
                                const double *const *x, const dscq_shape *x_shape,
                                int32_t n, const double *w)
{
    const size_t in = dscq_shape_count(&x_shape[0]), out = (size_t)node->out.c;

    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t k = 0; k < out; k++) {
            double sum = 0;
            for (size_t c = 0; c < in; c++)
                sum += w[k * in + c] * x[0][i * in + c];
            z[i * out + k] = sum;
        }
}

#define CONV_ROW                                                                       \
    .inputs_min = 1, .inputs_max = 1, .scratch_floats = scratch_floats,                \
    .pack_floats = pack_floats, .pack = pack, .packs_itself = packs_itself,            \
    .dw_part_floats = dw_part_floats, .forward = forward, .backward = backward,        \
    .flags = DSCQ_LAYER_WEIGHTS | DSCQ_LAYER_NORM | DSCQ_LAYER_ACT

extern const dscq_layer_ops dscq_layer_convolutional, dscq_layer_depthwise,
    dscq_layer_connected;

const dscq_layer_ops dscq_layer_convolutional = {
    .name = "convolutional",
    .alias = "conv",
    .summary = "convolution; size = 1 is pointwise",
    .param_bytes = sizeof(dscq_conv_params),
    .keys = k_conv_keys,
    .channels = conv_channels,
    .channels_key = "filters",
    .does = DSCQ_DOES_CONV,
    .darknet = DSCQ_DARKNET_BOTH,
    .infer = conv_infer,
    .reference = conv_reference,
    CONV_ROW,
};

const dscq_layer_ops dscq_layer_depthwise = {
    .name = "depthwise",
    .summary = "convolution of each channel by itself",
    .param_bytes = sizeof(dscq_conv_params),
    .keys = k_depthwise_keys,
    .does = DSCQ_DOES_CONV,
    .darknet = DSCQ_DARKNET_BOTH,
    .infer = depthwise_infer,
    .reference = conv_reference,
    CONV_ROW,
};

const dscq_layer_ops dscq_layer_connected = {
    .name = "connected",
    .alias = "conn",
    .summary = "every output sees every input",
    .param_bytes = sizeof(dscq_connected_params),
    .keys = k_connected_keys,
    .channels = connected_channels,
    .channels_key = "output",
    .does = DSCQ_DOES_DENSE,
    .darknet = DSCQ_DARKNET_BOTH,
    .infer = connected_infer,
    .reference = connected_reference,
    CONV_ROW,
};
