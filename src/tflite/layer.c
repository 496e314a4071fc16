/* Layers, their names and windows. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "lower.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The last part of what the tensor is called, as a cfg can hold it. */
static void layer_name(const lower *l, const tfl_op *o, char *out, size_t cap)
{
    const tfl_tensor *t = tflite__tensor(l->f, o->out, 0);
    char text[256];
    size_t len = 0;

    tflite__text(text, sizeof text, t != NULL ? t->name : (tfl_vec){NULL, 0});
    text[strcspn(text, ";")] = '\0'; /* of operators that were made one, the first */
    const size_t whole = strlen(text), keep = cap - 8;
    for (const char *p = text + (whole > keep ? whole - keep : 0); *p != '\0'; p++) {
        const int same = isalnum((unsigned char)*p) || *p == '_' || *p == '-';
        if (same || (len > 0 && out[len - 1] != '.'))
            out[len++] = same ? *p : '.';
    }
    while (len > 0 && out[len - 1] == '.')
        len--;
    out[len] = '\0';
    if (len > 0 && dscq_model_find(l->m, out) < 0)
        return;
    if (len == 0)
        (void)snprintf(out, cap, "op%d", (int)l->index);
    char base[DSCQ_NODE_NAME];
    (void)dscq_str_copy(base, sizeof base, out);
    for (int i = 2; dscq_model_find(l->m, out) >= 0 && i < 10000; i++)
        (void)snprintf(out, cap, "%.*s.%d", (int)keep, base, i);
}

dscq_status tflite__add(int32_t *node, lower *l, const tfl_op *o, const char *type,
                        const void *params, const int32_t *inputs, int32_t count,
                        const tfl_tail *tail, int has_bias)
{
    char name[DSCQ_NODE_NAME];
    dscq_node_spec spec = {.name = name, .has_bias = has_bias};

    if (dscq_model_nodes(l->m) >= l->node_max)
        return tflite__fail(l, "the network grows too large");
    layer_name(l, o, name, sizeof name);
    if (tail != NULL) {
        spec.act = tail->act;
        spec.act_slope = tail->slope;
    }
    return dscq_model_add(node, l->m, type, params, &spec, inputs, count, l->err);
}

dscq_status tflite__take_room(lower *l, uint64_t weights)
{
    if (weights > l->room)
        return tflite__fail(l, "the layers take far more weights than the file has");
    l->room -= weights;
    return DSCQ_OK;
}

dscq_status tflite__affine(int32_t *node, lower *l, const tfl_op *o, int32_t x,
                           const double *scale, const double *shift,
                           const tfl_tail *tail)
{
    char name[DSCQ_NODE_NAME];
    dscq_node_spec spec = {.name = name, .normalised = 1, .bn_eps = 1e-12};

    if (dscq_model_nodes(l->m) >= l->node_max)
        return tflite__fail(l, "the network grows too large");
    layer_name(l, o, name, sizeof name);
    if (tail != NULL) {
        spec.act = tail->act;
        spec.act_slope = tail->slope;
    }
    const dscq_status status =
        dscq_model_add(node, l->m, "batchnorm", NULL, &spec, &x, 1, l->err);
    if (status != DSCQ_OK)
        return status;
    const dscq_weights *w = dscq_model_node(l->m, *node)->weights;
    for (int32_t i = 0; i < w->channels; i++) {
        w->gamma[i] = scale != NULL ? (float)scale[i] : 1.0F;
        w->beta[i] = shift != NULL ? (float)shift[i] : 0.0F;
        w->mean[i] = 0.0F;
        w->var[i] = 1.0F;
    }
    return DSCQ_OK;
}

dscq_status tflite__pick(int32_t *node, lower *l, const tfl_op *o, int32_t x,
                         const dscq_window *w, int32_t row, int32_t column)
{
    const tfl_edge v = {.part = {x}};
    const int32_t c = tflite__shape(l, &v).c;
    dscq_window own = *w;
    dscq_status status;

    own.groups = c;
    const dscq_conv_params p = dscq_conv_params_make(c, &own);
    DSCQ_TRY(tflite__take_room(l, (uint64_t)c * (uint64_t)w->kernel_h *
                                      (uint64_t)w->kernel_w));
    DSCQ_TRY(tflite__add(node, l, o, c > 1 ? "depthwise" : "convolutional", &p, &x, 1,
                         NULL, 0));
    const dscq_weights *made = dscq_model_node(l->m, *node)->weights;
    memset(made->w, 0, made->count * sizeof *made->w);
    for (int32_t k = 0; k < made->k; k++)
        made->w[((size_t)k * (size_t)made->r + (size_t)row) * (size_t)made->s +
                (size_t)column] = 1.0F;
done:
    return status;
}

/* ---- windows ------------------------------------------------------------ */

/* One direction, along which x has `in` positions. */
static void same_pads(int64_t *before, int64_t *after, int64_t in, int32_t kernel,
                      int32_t stride, int32_t dilation)
{
    const int64_t span = (int64_t)(kernel - 1) * dilation + 1;
    const int64_t out = (in + stride - 1) / stride;
    const int64_t all = (out - 1) * stride + span - in;

    *before = all > 0 ? all / 2 : 0;
    *after = all > 0 ? all - all / 2 : 0;
}

dscq_status tflite__pads(dscq_window *w, const lower *l, const tfl_edge *x,
                         int64_t mode)
{
    int64_t pad[4] = {0};

    if (mode != 0 && mode != 1)
        return tflite__fail(l, "a padding that is neither SAME nor VALID");
    if (mode == 0) {
        same_pads(&pad[0], &pad[2], x->dim[1], w->kernel_h, w->stride_h, w->dilation_h);
        same_pads(&pad[1], &pad[3], x->dim[2], w->kernel_w, w->stride_w, w->dilation_w);
    }
    for (int i = 0; i < 4; i++) {
        pad[i] += x->pad[i];
        if (pad[i] > 4096)
            return tflite__fail(l, "padding above 4096");
    }
    w->pad_top = (int32_t)pad[0];
    w->pad_left = (int32_t)pad[1];
    w->pad_bottom = (int32_t)pad[2];
    w->pad_right = (int32_t)pad[3];
    return DSCQ_OK;
}

dscq_status tflite__window(dscq_window *out, const lower *l, const int64_t kernel[2],
                           const int64_t stride[2], const int64_t dilation[2])
{
    for (int i = 0; i < 2; i++)
        if (kernel[i] < 1 || kernel[i] > 4096 || stride[i] < 1 || stride[i] > 4096 ||
            dilation[i] < 1 || dilation[i] > 4096)
            return tflite__fail(l, "kernel, stride or dilation outside 1 to 4096");
    /* along a kernel of one there is nothing to dilate */
    const int64_t d = kernel[0] > 1 ? dilation[0] : dilation[1];
    if (kernel[1] > 1 && dilation[1] != d)
        return tflite__fail(l, "dilations differ between rows and columns");
    *out = (dscq_window){.kernel_h = (int32_t)kernel[0],
                         .kernel_w = (int32_t)kernel[1],
                         .stride_h = (int32_t)stride[0],
                         .stride_w = (int32_t)stride[1],
                         .dilation_h = (int32_t)d,
                         .dilation_w = (int32_t)d,
                         .groups = 1};
    return DSCQ_OK;
}

dscq_window tflite__turn(dscq_window w)
{
    return (dscq_window){w.kernel_w,   w.kernel_h,   w.stride_w,  w.stride_h,
                         w.pad_left,   w.pad_top,    w.pad_right, w.pad_bottom,
                         w.dilation_w, w.dilation_h, w.groups};
}
