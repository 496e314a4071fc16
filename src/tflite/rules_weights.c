/* Rules for layers with weights. */
#include "dscq/base/alloc.h"
#include "lower.h"

#include <math.h>
#include <stdlib.h>

/* Weights of the file, and which of their dimensions count what. */
typedef struct kernels {
    const tfl_tensor *t;
    int64_t k, r, s, c; /* filters, rows, columns, channels of a group */
    int depthwise; /* rows, columns, filters; else filters, rows, columns, channels */
} kernels;

static size_t place(const kernels *w, int64_t k, int64_t r, int64_t s, int64_t c)
{
    return (size_t)(w->depthwise ? (r * w->s + s) * w->k + k
                                 : ((k * w->r + r) * w->s + s) * w->c + c);
}

/* What every code stands for. */
static void fill_weights(const dscq_weights *to, const kernels *w, int turned)
{
    int32_t lo, hi;
    size_t at = 0;
    const int coded = tflite__code_range(w->t->type, &lo, &hi);

    for (int64_t k = 0; k < w->k; k++) {
        const double scale = tflite__scale(w->t, (size_t)k);
        const int32_t zero = tflite__zero(w->t, (size_t)k);
        for (int64_t r = 0; r < to->r; r++)
            for (int64_t s = 0; s < to->s; s++)
                for (int64_t c = 0; c < w->c; c++) {
                    const double v = tflite__value(
                        w->t, place(w, k, turned ? s : r, turned ? r : s, c));
                    to->w[at++] = coded ? (float)((v - zero) * scale) : (float)v;
                }
    }
}

/* Whole biases are on the grid of input times weight. */
static dscq_status fill_bias(const dscq_weights *to, const lower *l, const tfl_op *o,
                             const tfl_tensor *weight)
{
    const tfl_tensor *bias = tflite__const(l, o, 2),
                     *x = tflite__tensor(l->f, o->in, 0);
    double scale = 1;
    int32_t zero;

    if (bias == NULL)
        return DSCQ_OK;
    const int whole = bias->type == TFL_INT32 || bias->type == TFL_INT64,
              has_grid = tflite__grid(x, &scale, &zero);
    if (whole && !has_grid && bias->scale.count == 0)
        return tflite__fail(l, "a bias of whole numbers without a scale");
    for (int32_t k = 0; k < to->channels; k++) {
        const double step = !whole     ? 1
                            : has_grid ? scale * tflite__scale(weight, (size_t)k)
                                       : tflite__scale(bias, (size_t)k);
        to->bias[k] = (float)(tflite__value(bias, (size_t)k) * step);
    }
    return DSCQ_OK;
}

#define NO_WEIGHTS                                                                     \
    "weights and bias must be constants that go together, with one scale or one a "    \
    "filter"

/* Whether the constants are what the layer needs. */
static dscq_status check_weights(lower *l, const tfl_op *o, const kernels *w)
{
    const tfl_tensor *bias = tflite__const(l, o, 2);
    int32_t lo, hi;
    const int coded = tflite__code_range(w->t->type, &lo, &hi);

    if ((!coded && w->t->type != TFL_FLOAT32 && w->t->type != TFL_FLOAT16) ||
        (coded && w->t->scale.count != 1 && w->t->scale.count != (uint64_t)w->k) ||
        (tflite__index(o->in, 2) >= 0 && bias == NULL) ||
        (bias != NULL && tflite__elements(bias) != (uint64_t)w->k) ||
        (bias != NULL && bias->scale.count > 1 && bias->scale.count != (uint64_t)w->k))
        return tflite__fail(l, NO_WEIGHTS);
    for (size_t i = 0; coded && i < w->t->scale.count; i++)
        if (!(tflite__scale(w->t, i) > 0) || !isfinite(tflite__scale(w->t, i)))
            return tflite__fail(l, "a scale of its weights is not above 0");
    return tflite__take_room(l, tflite__elements(w->t));
}

/* Codes beside real values: what the file means by them is real. */
static void note_hybrid(lower *l, const tfl_op *o, const tfl_tensor *weight)
{
    const tfl_tensor *x = tflite__tensor(l->f, o->in, 0);
    int32_t lo, hi;

    if (x->type == TFL_FLOAT32 && tflite__code_range(weight->type, &lo, &hi))
        tflite__note(l, "a dynamic-range file: weights are 8-bit codes and activations "
                        "are float; the codes were multiplied out");
}

static dscq_status fill_layer(lower *l, const tfl_op *o, const kernels *w, int32_t node,
                              int turned)
{
    const dscq_weights *made = dscq_model_node(l->m, node)->weights;

    note_hybrid(l, o, w->t);
    fill_weights(made, w, turned);
    return fill_bias(made, l, o, w->t);
}

/* ---- convolution -------------------------------------------------------- */

/* Where the options stand: padding, stride, fused activation, dilation. */
typedef struct conv_options {
    int64_t mode, stride[2], fused, dilation[2];
} conv_options;

static conv_options read_options(const tfl_op *o, int depthwise)
{
    const int32_t more = depthwise; /* the multiplier stands before the activation */
    const tfl_table *t = &o->options;

    return (conv_options){
        tflite__int(t, 0, 1, 0),
        {tflite__int(t, 2, 4, 0), tflite__int(t, 1, 4, 0)},
        tflite__int(t, 3 + more, 1, 0),
        {tflite__int(t, 5 + more, 4, 1), tflite__int(t, 4 + more, 4, 1)}};
}

static dscq_status conv_window(dscq_window *out, lower *l, const tfl_edge *x,
                               const kernels *w, const conv_options *p)
{
    const int64_t kernel[] = {w->r, w->s};
    dscq_status status;

    DSCQ_TRY(tflite__window(out, l, kernel, p->stride, p->dilation));
    DSCQ_TRY(tflite__pads(out, l, x, p->mode));
done:
    return status;
}

static dscq_status add_conv(lower *l, const tfl_op *o, const tfl_edge *x,
                            const kernels *w, int turned)
{
    const conv_options options = read_options(o, w->depthwise);
    const int64_t channels = x->dim[3], groups = channels / w->c;
    const int depthwise = groups > 1 && groups == channels && w->k == channels;
    const tfl_edge in = *x;
    dscq_window window;
    tfl_tail tail;
    int32_t node;
    dscq_status status;

    DSCQ_TRY(check_weights(l, o, w));
    DSCQ_TRY(conv_window(&window, l, &in, w, &options));
    if (turned)
        window = tflite__turn(window);
    window.groups = (int32_t)groups;
    const dscq_conv_params p = dscq_conv_params_make((int32_t)w->k, &window);
    DSCQ_TRY(tflite__tail(&tail, l, o, options.fused));
    DSCQ_TRY(tflite__add(&node, l, o, depthwise ? "depthwise" : "convolutional", &p,
                         in.part, 1, &tail, tflite__const(l, o, 2) != NULL));
    DSCQ_TRY(fill_layer(l, o, w, node, turned));
    const dscq_shape s = dscq_model_node(l->m, node)->out;
    const int64_t dim[] = {1, turned ? s.w : s.h, turned ? s.h : s.w, s.c};
    DSCQ_TRY(tflite__finish(l, o, &tail, node, 4, dim));
done:
    return status;
}

static dscq_status conv(lower *l, const tfl_op *o, int depthwise)
{
    const tfl_edge *x = tflite__edge(l, o, 0);
    const tfl_tensor *t = tflite__const(l, o, 1);
    int turned;

    if (x == NULL || !tflite__is_padded_map(l, x, &turned))
        return tflite__fail(l, "its input is not an N x H x W x C map");
    if (t == NULL || t->rank != 4 || (depthwise && t->dim[0] != 1))
        return tflite__fail(l, NO_WEIGHTS);
    const kernels w = {t,         depthwise ? t->dim[3] : t->dim[0], t->dim[1],
                       t->dim[2], depthwise ? 1 : t->dim[3],         depthwise};
    if (w.k > 1000000 || x->dim[3] % w.c != 0 || w.k % (x->dim[3] / w.c) != 0)
        return tflite__fail(l, "its filters and channels do not go together");
    return add_conv(l, o, x, &w, turned);
}

dscq_status tflite__rule_conv(lower *l, const tfl_op *o)
{
    return conv(l, o, 0);
}

dscq_status tflite__rule_depthwise(lower *l, const tfl_op *o)
{
    return conv(l, o, 1);
}

/* ---- fully connected ---------------------------------------------------- */

/* Over every row of features: a convolution of one position. */
static dscq_status add_rows(lower *l, const tfl_op *o, const tfl_edge *x,
                            const kernels *w, const tfl_tail *tail)
{
    const dscq_window one = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1};
    const dscq_conv_params p = dscq_conv_params_make((int32_t)w->k, &one);
    tfl_edge v = *x;
    int32_t node;
    dscq_status status;

    DSCQ_TRY(tflite__add(&node, l, o, "convolutional", &p, v.part, 1, tail,
                         tflite__const(l, o, 2) != NULL));
    DSCQ_TRY(fill_layer(l, o, w, node, 0));
    v.dim[v.rank - 1] = w->k;
    DSCQ_TRY(tflite__finish(l, o, tail, node, v.rank, v.dim));
done:
    return status;
}

static dscq_status add_dense(lower *l, const tfl_op *o, const tfl_edge *x,
                             const kernels *w, const tfl_tail *tail)
{
    const dscq_connected_params p = {.output = (int32_t)w->k};
    const int keep = tflite__int(&o->options, 2, 1, 0) != 0;
    const int64_t dim[] = {1, w->k};
    tfl_edge v = *x;
    int32_t node;
    dscq_status status;

    DSCQ_TRY(tflite__add(&node, l, o, "connected", &p, v.part, 1, tail,
                         tflite__const(l, o, 2) != NULL));
    DSCQ_TRY(fill_layer(l, o, w, node, 0));
    v.dim[v.rank - 1] = w->k;
    DSCQ_TRY(tflite__finish(l, o, tail, node, keep ? v.rank : 2, keep ? v.dim : dim));
done:
    return status;
}

dscq_status tflite__rule_connected(lower *l, const tfl_op *o)
{
    const tfl_tensor *t = tflite__const(l, o, 1);
    tfl_edge x;
    tfl_tail tail;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (t == NULL || t->rank != 2 || t->dim[0] > 10000000)
        return tflite__fail(l, NO_WEIGHTS);
    if (tflite__int(&o->options, 1, 1, 0) != 0)
        return tflite__fail(l, "shuffled weights");
    const int64_t all = tflite__count(&x), features = t->dim[1];
    const kernels w = {t, t->dim[0], 1, 1, features, 0};
    const int is_rows = all != features && tflite__shape(l, &x).c == features &&
                        x.dim[x.rank - 1] == features;
    if (all != features && !is_rows)
        return tflite__fail(l,
                            "a matrix product over rows that no map has as channels");
    DSCQ_TRY(check_weights(l, o, &w));
    DSCQ_TRY(tflite__tail(&tail, l, o, tflite__int(&o->options, 0, 1, 0)));
    DSCQ_TRY(is_rows ? add_rows(l, o, &x, &w, &tail) : add_dense(l, o, &x, &w, &tail));
done:
    return status;
}
