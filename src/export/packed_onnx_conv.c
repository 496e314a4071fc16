/* Convolutions: integer weights behind a DequantizeLinear with one scale a channel. */
#include "dscq/base/alloc.h"
#include "export_internal.h"

#include <math.h>

/* real = scale[k] * value, in real inputs and outputs. A dead channel gets 1/256 of an
 * output step, of which its bias is a multiple. */
static double scale_of(const export_onnx *w, const dscq_qnode *n, size_t k)
{
    const double s_x = w->m->tensor[n->input[0]].scale,
                 s_y = w->m->tensor[n->output].scale;
    const double f = n->mult[k] == 0 ? 1 : fabs(ldexp(n->mult[k], -n->shift[k]));

    return f * s_y / (256 * s_x);
}

/* OHWI to OIHW, the sign of a negative multiplier and a dead channel's zero put in.
 * 0: a value does not fit 8 bits. */
static int order_values(int64_t *to, const dscq_qnode *n, const dscq_qweights *w)
{
    const size_t map = (size_t)w->r * (size_t)w->s, c = (size_t)w->c;
    int fits = 1;

    for (size_t k = 0; k < (size_t)w->k; k++) {
        const int sign = n->mult[k] < 0 ? -1 : n->mult[k] > 0;
        for (size_t p = 0; p < map; p++)
            for (size_t i = 0; i < c; i++) {
                const int64_t v = sign * w->value[(k * map + p) * c + i];
                to[(k * c + i) * map + p] = v;
                fits = fits && v >= -128 && v <= 127;
            }
    }
    return fits;
}

static void dequantise(export_onnx *w, const char *codes, const char *scale,
                       const char *to)
{
    dscq_onnx_node node = {0};

    dscq_onnx_node_input(&node, codes);
    dscq_onnx_node_input(&node, scale);
    dscq_onnx_node_int(&node, "axis", 0);
    dscq_onnx_node_end(&w->g, &node, "DequantizeLinear", to);
}

/* v: the weights of n, opened. */
static void write_weights(export_onnx *w, const dscq_qnode *n, const dscq_qweights *v,
                          const char *to, int64_t *value, float *real)
{
    const int64_t dim[] = {v->k, v->c, v->r, v->s};
    const size_t per = v->count / (size_t)v->k;
    char codes[EXPORT_ONNX_NAME], scale[EXPORT_ONNX_NAME];

    if (order_values(value, n, v)) {
        export__onnx_part(codes, to, "codes");
        export__onnx_part(scale, to, "scale");
        for (size_t k = 0; k < (size_t)v->k; k++)
            real[k] = (float)scale_of(w, n, k);
        dscq_onnx_graph_ints(&w->g, codes, DSCQ_ONNX_INT8, value, 4, dim);
        dscq_onnx_graph_floats(&w->g, scale, real, 1, dim);
        dequantise(w, codes, scale, to);
        return;
    }
    for (size_t i = 0; i < v->count; i++)
        real[i] = (float)(scale_of(w, n, i / per) * (double)value[i]);
    dscq_onnx_graph_floats(&w->g, to, real, 4, dim);
}

/* 32-bit whole numbers of scale(input) * scale(weights), as is the custom; in float
 * when one does not fit. */
static void write_bias(export_onnx *w, const dscq_qnode *n, const char *to,
                       int64_t *value, float *real)
{
    const double s_x = w->m->tensor[n->input[0]].scale,
                 s_y = w->m->tensor[n->output].scale;
    const int64_t k_count = n->weights->k;
    char codes[EXPORT_ONNX_NAME], scale[EXPORT_ONNX_NAME];
    int fits = 1;

    for (size_t k = 0; k < (size_t)k_count; k++) {
        const double step = s_x * scale_of(w, n, k);
        const double v = nearbyint(n->bias[k] / 256.0 * s_y / step);
        fits = fits && fabs(v) < 2147483647.0;
        value[k] = fits ? (int64_t)v : 0;
        real[k] = (float)step;
    }
    if (fits) {
        export__onnx_part(codes, to, "codes");
        export__onnx_part(scale, to, "scale");
        dscq_onnx_graph_ints(&w->g, codes, DSCQ_ONNX_INT32, value, 1, &k_count);
        dscq_onnx_graph_floats(&w->g, scale, real, 1, &k_count);
        dequantise(w, codes, scale, to);
        return;
    }
    for (size_t k = 0; k < (size_t)k_count; k++)
        real[k] = (float)(n->bias[k] / 256.0 * s_y);
    dscq_onnx_graph_floats(&w->g, to, real, 1, &k_count);
}

dscq_status export__onnx_conv(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const dscq_qweights *v = n->weights;
    dscq_qweights open;
    const int32_t kernel[] = {v->r, v->s}, stride[] = {n->stride_h, n->stride_w},
                  pads[] = {n->pad_top, n->pad_left, n->pad_bottom, n->pad_right},
                  dilation[] = {n->dilation_h, n->dilation_w};
    char weight[EXPORT_ONNX_NAME], bias[EXPORT_ONNX_NAME];
    int64_t *value = dscq_malloc(v->count + (size_t)v->k, sizeof *value);
    float *real = dscq_malloc(v->count + (size_t)v->k, sizeof *real);
    dscq_status status = dscq_qweights_open(&open, v, w->err);
    dscq_onnx_node node = {0};

    if (value == NULL || real == NULL)
        status = dscq_fail_nomem(w->err, "weights", v->count * sizeof *value);
    if (status == DSCQ_OK) {
        export__onnx_part(weight, w->name[n->output], "weight");
        export__onnx_part(bias, w->name[n->output], "bias");
        write_weights(w, n, &open, weight, value, real);
        write_bias(w, n, bias, value, real);
        dscq_onnx_node_input(&node, w->name[n->input[0]]);
        dscq_onnx_node_input(&node, weight);
        dscq_onnx_node_input(&node, bias);
        dscq_onnx_node_ints(&node, "kernel_shape", kernel, 2);
        dscq_onnx_node_ints(&node, "strides", stride, 2);
        dscq_onnx_node_ints(&node, "pads", pads, 4);
        dscq_onnx_node_ints(&node, "dilations", dilation, 2);
        dscq_onnx_node_int(&node, "group", n->groups);
        dscq_onnx_node_end(&w->g, &node, "Conv", out);
    }
    dscq_qweights_close(&open, v);
    dscq_free(value);
    dscq_free(real);
    return status;
}
