/* ONNX files are written without a generated serialiser: messages are nested byte
 * strings, built inside out. Field numbers are those of onnx.proto. */
#include "dscq/import/onnx_write.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/nn/layers.h"

#include <stdio.h>
#include <string.h>

enum { MODEL_IR = 7, OPSET = 13, TYPE_FLOAT = 1, TYPE_INT64 = 7 };
enum { ATTR_FLOAT = 1, ATTR_INT = 2, ATTR_STRING = 3, ATTR_INTS = 7 };

typedef dscq_str bytes; /* a growable byte string */

static void put_varint(bytes *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        const char c = (char)(uint8_t)(v | 0x80);
        dscq_str_add_bytes(b, &c, 1);
    }
    const char c = (char)(uint8_t)v;
    dscq_str_add_bytes(b, &c, 1);
}

static void put_int(bytes *b, unsigned field, int64_t v)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, (uint64_t)v);
}

static void put_bytes(bytes *b, unsigned field, const void *data, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    if (n > 0)
        dscq_str_add_bytes(b, data, n);
}

static void put_text(bytes *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

static void put_u32(bytes *b, uint32_t v)
{
    const char c[] = {(char)(uint8_t)v, (char)(uint8_t)(v >> 8),
                      (char)(uint8_t)(v >> 16), (char)(uint8_t)(v >> 24)};
    dscq_str_add_bytes(b, c, sizeof c);
}

/* The message `part` as a field; frees it. */
static void put_part(bytes *b, unsigned field, bytes *part)
{
    b->bad |= part->bad;
    put_bytes(b, field, part->text, part->len);
    dscq_str_free(part);
}

typedef struct writer {
    const dscq_model *m;
    bytes graph;
    dscq_error *err;
} writer;

/* ---- attributes, initialisers
 * -------------------------------------------------------- */

static void attr_int(bytes *node, const char *name, int64_t v)
{
    bytes a = {0};

    put_text(&a, 1, name);
    put_int(&a, 3, v);
    put_int(&a, 20, ATTR_INT);
    put_part(node, 5, &a);
}

static void attr_ints(bytes *node, const char *name, const int32_t *v, int n)
{
    bytes a = {0};

    put_text(&a, 1, name);
    for (int i = 0; i < n; i++)
        put_int(&a, 8, v[i]);
    put_int(&a, 20, ATTR_INTS);
    put_part(node, 5, &a);
}

static void attr_float(bytes *node, const char *name, double v)
{
    const float f = (float)v;
    uint32_t bits;
    bytes a = {0};

    memcpy(&bits, &f, sizeof bits);
    put_text(&a, 1, name);
    put_varint(&a, 2 << 3 | 5);
    put_u32(&a, bits);
    put_int(&a, 20, ATTR_FLOAT);
    put_part(node, 5, &a);
}

static void attr_text(bytes *node, const char *name, const char *v)
{
    bytes a = {0};

    put_text(&a, 1, name);
    put_text(&a, 4, v);
    put_int(&a, 20, ATTR_STRING);
    put_part(node, 5, &a);
}

static void init_floats(writer *w, const char *name, const float *v, int rank,
                        const int64_t *dim)
{
    bytes t = {0}, raw = {0};
    size_t n = 1;

    for (int i = 0; i < rank; i++) {
        put_int(&t, 1, dim[i]);
        n *= (size_t)dim[i];
    }
    put_int(&t, 2, TYPE_FLOAT);
    put_text(&t, 8, name);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, v + i, sizeof bits);
        put_u32(&raw, bits);
    }
    put_part(&t, 9, &raw);
    put_part(&w->graph, 5, &t);
}

static void init_ints(writer *w, const char *name, const int64_t *v, int64_t n)
{
    bytes t = {0};

    put_int(&t, 1, n);
    put_int(&t, 2, TYPE_INT64);
    for (int64_t i = 0; i < n; i++)
        put_int(&t, 7, v[i]);
    put_text(&t, 8, name);
    put_part(&w->graph, 5, &t);
}

/* ---- values
 * --------------------------------------------------------------------------- */

enum { NAME = DSCQ_NODE_NAME + 32 };

static void value_name(const writer *w, int32_t node, char *out)
{
    snprintf(out, NAME, "%s",
             node == DSCQ_INPUT ? "input" : dscq_model_node(w->m, node)->name);
}

static void port(writer *w, unsigned field, const char *name, dscq_shape s)
{
    const int32_t dim[] = {1, s.c, s.h, s.w};
    bytes v = {0}, type = {0}, tensor = {0}, shape = {0};

    for (int i = 0; i < 4; i++) {
        bytes d = {0};
        put_int(&d, 1, dim[i]);
        put_part(&shape, 1, &d);
    }
    put_int(&tensor, 1, TYPE_FLOAT);
    put_part(&tensor, 2, &shape);
    put_part(&type, 1, &tensor);
    put_text(&v, 1, name);
    put_part(&v, 2, &type);
    put_part(&w->graph, field, &v);
}

/* A node under way: inputs first, then end_node(). */
static void end_node(writer *w, bytes *node, const char *op, const char *output)
{
    put_text(node, 2, output);
    put_text(node, 3, output);
    put_text(node, 4, op);
    put_part(&w->graph, 1, node);
}

static void parameter(writer *w, bytes *node, const char *layer, const char *what,
                      const float *v, int64_t n)
{
    char name[NAME];

    snprintf(name, sizeof name, "%s.%s", layer, what);
    init_floats(w, name, v, 1, &n);
    put_text(node, 1, name);
}

/* ---- layers
 * --------------------------------------------------------------------------- */

/* OHWI to OIHW; a connected layer's map counts as its kernel. */
static dscq_status kernels(writer *w, bytes *node, const dscq_node *n, int connected)
{
    const dscq_weights *v = n->weights;
    const size_t map =
        connected ? (size_t)n->in.h * (size_t)n->in.w : (size_t)v->r * (size_t)v->s;
    const size_t c = connected ? (size_t)n->in.c : (size_t)v->c;
    const float *from = v->w_used != NULL ? v->w_used : v->w;
    const int64_t dim[] = {v->k, connected ? v->c : (int64_t)c, v->r, v->s};
    float *to = dscq_malloc(v->count, sizeof *to);
    char name[NAME];

    if (to == NULL)
        return dscq_fail_nomem(w->err, "weights", v->count * sizeof *to);
    for (size_t k = 0; k < (size_t)v->k; k++)
        for (size_t p = 0; p < map; p++)
            for (size_t i = 0; i < c; i++)
                to[(k * c + i) * map + p] = from[(k * map + p) * c + i];
    snprintf(name, sizeof name, "%s.weight", n->name);
    init_floats(w, name, to, connected ? 2 : 4, dim);
    put_text(node, 1, name);
    dscq_free(to);
    return DSCQ_OK;
}

static void window(bytes *node, const dscq_window *v, int is_conv)
{
    const int32_t kernel[] = {v->kernel_h, v->kernel_w},
                  stride[] = {v->stride_h, v->stride_w},
                  pads[] = {v->pad_top, v->pad_left, v->pad_bottom, v->pad_right},
                  dilation[] = {v->dilation_h, v->dilation_w};

    attr_ints(node, "kernel_shape", kernel, 2);
    attr_ints(node, "strides", stride, 2);
    attr_ints(node, "pads", pads, 4);
    if (!is_conv)
        return;
    attr_ints(node, "dilations", dilation, 2);
    attr_int(node, "group", v->groups > 0 ? v->groups : 1);
}

static dscq_status weighted(writer *w, const dscq_node *n, const char *in,
                            const char *out)
{
    const int connected = strcmp(n->type, "connected") == 0;
    char flat[NAME], product[NAME];
    bytes node = {0};
    dscq_status status;

    snprintf(flat, sizeof flat, "%s.flat", n->name);
    snprintf(product, sizeof product, "%s.product", n->name);
    if (connected) {
        bytes f = {0};
        put_text(&f, 1, in);
        attr_int(&f, "axis", 1);
        end_node(w, &f, "Flatten", flat);
    }
    put_text(&node, 1, connected ? flat : in);
    DSCQ_TRY(kernels(w, &node, n, connected));
    if (n->weights->bias != NULL)
        parameter(w, &node, n->name, "bias", n->weights->bias, n->out.c);
    if (connected)
        attr_int(&node, "transB", 1);
    else
        window(&node, &n->window, 1);
    end_node(w, &node, connected ? "Gemm" : "Conv", connected ? product : out);
    if (connected) { /* every value of the graph is a map */
        const int64_t shape[] = {-1, n->out.c, 1, 1};
        bytes r = {0};
        snprintf(flat, sizeof flat, "%s.shape", n->name);
        init_ints(w, flat, shape, 4);
        put_text(&r, 1, product);
        put_text(&r, 1, flat);
        end_node(w, &r, "Reshape", out);
    }
    return DSCQ_OK;
done:
    dscq_str_free(&node);
    return status;
}

/* One node from the inputs of `n`. */
static void joined(writer *w, const dscq_node *n, bytes *node)
{
    char name[NAME];

    for (int32_t i = 0; i < n->input_count; i++) {
        value_name(w, n->input[i], name);
        put_text(node, 1, name);
    }
}

static dscq_status route(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const dscq_route_params *p = n->params;
    bytes node = {0};

    if (n->input_count == 1 && n->out.c != n->in.c) {
        const int32_t groups = p->groups > 1 ? p->groups : 1;
        const int64_t first = (p->groups > 1 ? n->in.c / groups * p->group_id : 0) +
                              (p->channels > 0 ? p->first_channel : 0);
        const int64_t v[3] = {first, first + n->out.c, 1};
        const char *const what[] = {"starts", "ends", "axes"};
        put_text(&node, 1, in);
        for (int i = 0; i < 3; i++) {
            char name[NAME];
            snprintf(name, sizeof name, "%s.%s", n->name, what[i]);
            init_ints(w, name, &v[i], 1);
            put_text(&node, 1, name);
        }
        end_node(w, &node, "Slice", out);
        return DSCQ_OK;
    }
    if (n->input_count > 1 && (p->groups > 1 || p->channels > 0))
        return dscq_fail(
            w->err, DSCQ_UNSUPPORTED,
            "layer '%s': parts of several layers joined cannot be exported", n->name);
    joined(w, n, &node);
    if (n->input_count > 1)
        attr_int(&node, "axis", 1);
    end_node(w, &node, n->input_count > 1 ? "Concat" : "Identity", out);
    return DSCQ_OK;
}

static dscq_status pooled(writer *w, const dscq_node *n, const char *in,
                          const char *out)
{
    const dscq_pool_params *p = n->params;
    const int max = strcmp(n->type, "maxpool") == 0;
    bytes node = {0};

    put_text(&node, 1, in);
    if (!max && p->size <= 0 && p->size_h <= 0 && p->size_w <= 0) {
        end_node(w, &node, "GlobalAveragePool", out);
        return DSCQ_OK;
    }
    window(&node, &n->window, 0);
    if (!max && p->count_pad)
        attr_int(&node, "count_include_pad", 1);
    end_node(w, &node, max ? "MaxPool" : "AveragePool", out);
    return DSCQ_OK;
}

static void resized(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const float f = (float)((const dscq_scale_factor_params *)n->params)->stride;
    const float scales[] = {1, 1, f, f};
    const int64_t four = 4;
    char name[NAME];
    bytes node = {0};

    snprintf(name, sizeof name, "%s.scales", n->name);
    init_floats(w, name, scales, 1, &four);
    put_text(&node, 1, in);
    put_text(&node, 1, "");
    put_text(&node, 1, name);
    attr_text(&node, "mode", "nearest");
    attr_text(&node, "coordinate_transformation_mode", "asymmetric");
    attr_text(&node, "nearest_mode", "floor");
    end_node(w, &node, "Resize", out);
}

static void normalise(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const dscq_weights *v = n->weights;
    bytes node = {0};

    put_text(&node, 1, in);
    parameter(w, &node, n->name, "gamma", v->gamma, n->out.c);
    parameter(w, &node, n->name, "beta", v->beta, n->out.c);
    parameter(w, &node, n->name, "mean", v->mean, n->out.c);
    parameter(w, &node, n->name, "var", v->var, n->out.c);
    attr_float(&node, "epsilon", v->bn_eps);
    end_node(w, &node, "BatchNormalization", out);
}

/* op(in) -> out, or a product with it, from at most two operators. */
static void activate(writer *w, const dscq_node *n, const char *in, const char *out)
{
    static const char *const op[] = {[DSCQ_ACT_LINEAR] = "Identity",
                                     [DSCQ_ACT_RELU] = "Relu",
                                     [DSCQ_ACT_RELU6] = "Clip",
                                     [DSCQ_ACT_LEAKY] = "LeakyRelu",
                                     [DSCQ_ACT_LOGISTIC] = "Sigmoid",
                                     [DSCQ_ACT_TANH] = "Tanh",
                                     [DSCQ_ACT_SWISH] = "Sigmoid",
                                     [DSCQ_ACT_HARD_SWISH] = "HardSigmoid",
                                     [DSCQ_ACT_HARD_SIGMOID] = "HardSigmoid",
                                     [DSCQ_ACT_ELU] = "Elu",
                                     [DSCQ_ACT_MISH] = "Tanh"};
    const int gated = n->act == DSCQ_ACT_SWISH || n->act == DSCQ_ACT_HARD_SWISH ||
                      n->act == DSCQ_ACT_MISH;
    char gate[NAME], soft[NAME];
    bytes node = {0};

    snprintf(gate, sizeof gate, "%s.gate", n->name);
    snprintf(soft, sizeof soft, "%s.softplus", n->name);
    if (n->act == DSCQ_ACT_MISH) {
        bytes s = {0};
        put_text(&s, 1, in);
        end_node(w, &s, "Softplus", soft);
    }
    put_text(&node, 1, n->act == DSCQ_ACT_MISH ? soft : in);
    if (n->act == DSCQ_ACT_RELU6) {
        const float lo = 0, hi = 6;
        char name[NAME];
        snprintf(name, sizeof name, "%s.min", n->name);
        init_floats(w, name, &lo, 0, NULL);
        put_text(&node, 1, name);
        snprintf(name, sizeof name, "%s.max", n->name);
        init_floats(w, name, &hi, 0, NULL);
        put_text(&node, 1, name);
    }
    if (n->act == DSCQ_ACT_LEAKY || n->act == DSCQ_ACT_ELU)
        attr_float(&node, "alpha", n->act_slope);
    if (n->act == DSCQ_ACT_HARD_SIGMOID || n->act == DSCQ_ACT_HARD_SWISH) {
        attr_float(&node, "alpha", 1.0 / 6);
        attr_float(&node, "beta", 0.5);
    }
    end_node(w, &node, op[n->act], gated ? gate : out);
    if (gated) {
        bytes mul = {0};
        put_text(&mul, 1, in);
        put_text(&mul, 1, gate);
        end_node(w, &mul, "Mul", out);
    }
}

static dscq_status other(writer *w, const dscq_node *n, const char *out)
{
    const char *op = NULL;
    bytes node = {0};

    joined(w, n, &node);
    if (strcmp(n->type, "shortcut") == 0) {
        const dscq_shortcut_params *p = n->params;
        op = p->alpha == 1 && p->beta == 1 ? "Sum" : NULL;
    } else if (strcmp(n->type, "scale_channels") == 0) {
        op = "Mul";
    } else if (strcmp(n->type, "reorg") == 0) {
        attr_int(&node, "blocksize",
                 ((const dscq_scale_factor_params *)n->params)->stride);
        op = "SpaceToDepth";
    } else if (strcmp(n->type, "softmax") == 0) {
        const dscq_softmax_params *p = n->params;
        attr_int(&node, "axis", 1);
        op = p->groups == 1 && p->temperature == 1 && n->in.h == 1 && n->in.w == 1
                 ? "Softmax"
                 : NULL;
    } else if (strcmp(n->type, "lrn") == 0) {
        const dscq_lrn_params *p = n->params;
        attr_int(&node, "size", p->size);
        attr_float(&node, "alpha", p->alpha);
        attr_float(&node, "beta", p->beta);
        attr_float(&node, "bias", p->kappa);
        op = "LRN";
    } else if (dscq_choice_find("dropout|activation|batchnorm|yolo|region", n->type) >=
               0) {
        op = "Identity";
    }
    if (op == NULL) {
        dscq_str_free(&node);
        return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                         "layer '%s': no ONNX operator does this [%s]", n->name,
                         n->type);
    }
    end_node(w, &node, op, out);
    return DSCQ_OK;
}

static dscq_status layer(writer *w, const dscq_node *n)
{
    char in[NAME], z[NAME], normal[NAME];
    const char *body = n->name, *norm = n->name;
    dscq_status status;

    value_name(w, n->input[0], in);
    snprintf(z, sizeof z, "%s.z", n->name);
    snprintf(normal, sizeof normal, "%s.norm", n->name);
    if (n->act != DSCQ_ACT_LINEAR)
        body = norm = normal;
    if (n->normalised)
        body = z;
    if (n->weights->count > 0)
        DSCQ_TRY(weighted(w, n, in, body));
    else if (strcmp(n->type, "route") == 0)
        DSCQ_TRY(route(w, n, in, body));
    else if (strcmp(n->type, "maxpool") == 0 || strcmp(n->type, "avgpool") == 0)
        DSCQ_TRY(pooled(w, n, in, body));
    else if (strcmp(n->type, "upsample") == 0)
        resized(w, n, in, body);
    else
        DSCQ_TRY(other(w, n, body));
    if (n->normalised)
        normalise(w, n, body, norm);
    if (n->act != DSCQ_ACT_LINEAR)
        activate(w, n, norm, n->name);
    status = DSCQ_OK;
done:
    return status;
}

dscq_status dscq_onnx_write(const dscq_model *m, const char *path, dscq_error *err)
{
    writer w = {.m = m, .err = err};
    bytes file = {0}, opset = {0};
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        DSCQ_TRY(layer(&w, dscq_model_node(m, i)));
    put_text(&w.graph, 2,
             dscq_model_name(m)[0] != '\0' ? dscq_model_name(m) : "network");
    port(&w, 11, "input", dscq_model_input(m));
    for (int32_t i = 0; i < dscq_model_outputs(m); i++) {
        const dscq_node *n = dscq_model_node(m, dscq_model_output(m, i));
        port(&w, 12, n->name, n->out);
    }
    put_int(&file, 1, MODEL_IR);
    put_text(&file, 2, "dscq");
    put_text(&file, 3, dscq_version());
    put_part(&file, 7, &w.graph);
    put_text(&opset, 1, "");
    put_int(&opset, 2, OPSET);
    put_part(&file, 8, &opset);
    if (file.bad)
        DSCQ_TRY(dscq_fail_nomem(err, "an ONNX file", file.len));
    DSCQ_TRY(dscq_file_write(path, file.text, file.len, err));
done:
    dscq_str_free(&w.graph);
    dscq_str_free(&file);
    return status;
}
