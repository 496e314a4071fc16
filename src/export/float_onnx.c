/* A network as an ONNX file, layer by layer. */
#include "dscq/export/float_onnx.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "export_internal.h"

#include <stdio.h>
#include <string.h>

typedef dscq_onnx_node bytes; /* a node under way */

typedef struct writer {
    const dscq_model *m;
    dscq_onnx_graph g;
    dscq_error *err;
} writer;

static void init_ints(writer *w, const char *name, const int64_t *v, int64_t n)
{
    dscq_onnx_graph_ints(&w->g, name, DSCQ_ONNX_INT64, v, 1, &n);
}

/* ---- values ------------------------------------------------------------- */

enum { NAME = DSCQ_NODE_NAME + 32 };

static void value_name(const writer *w, int32_t node, char *out)
{
    snprintf(out, NAME, "%s",
             node == DSCQ_INPUT ? "input" : dscq_model_node(w->m, node)->name);
}

static void end_node(writer *w, bytes *node, const char *op, const char *output)
{
    dscq_onnx_node_end(&w->g, node, op, output);
}

static void parameter(writer *w, bytes *node, const char *layer, const char *what,
                      const float *v, int64_t n)
{
    char name[NAME];

    snprintf(name, sizeof name, "%s.%s", layer, what);
    dscq_onnx_graph_floats(&w->g, name, v, 1, &n);
    dscq_onnx_node_input(node, name);
}

/* ---- layers ------------------------------------------------------------- */

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
    dscq_onnx_graph_floats(&w->g, name, to, connected ? 2 : 4, dim);
    dscq_onnx_node_input(node, name);
    dscq_free(to);
    return DSCQ_OK;
}

static void window(bytes *node, const dscq_window *v, int is_conv)
{
    const int32_t kernel[] = {v->kernel_h, v->kernel_w},
                  stride[] = {v->stride_h, v->stride_w},
                  pads[] = {v->pad_top, v->pad_left, v->pad_bottom, v->pad_right},
                  dilation[] = {v->dilation_h, v->dilation_w};

    dscq_onnx_node_ints(node, "kernel_shape", kernel, 2);
    dscq_onnx_node_ints(node, "strides", stride, 2);
    dscq_onnx_node_ints(node, "pads", pads, 4);
    if (!is_conv)
        return;
    dscq_onnx_node_ints(node, "dilations", dilation, 2);
    dscq_onnx_node_int(node, "group", v->groups > 0 ? v->groups : 1);
}

static dscq_status weighted(writer *w, const dscq_node *n, const char *in,
                            const char *out)
{
    const int connected = n->ops->does == DSCQ_DOES_DENSE;
    char flat[NAME], product[NAME];
    bytes node = {0};
    dscq_status status;

    snprintf(flat, sizeof flat, "%s.flat", n->name);
    snprintf(product, sizeof product, "%s.product", n->name);
    if (connected) {
        bytes f = {0};
        dscq_onnx_node_input(&f, in);
        dscq_onnx_node_int(&f, "axis", 1);
        end_node(w, &f, "Flatten", flat);
    }
    dscq_onnx_node_input(&node, connected ? flat : in);
    DSCQ_TRY(kernels(w, &node, n, connected));
    if (n->weights->bias != NULL)
        parameter(w, &node, n->name, "bias", n->weights->bias, n->out.c);
    if (connected)
        dscq_onnx_node_int(&node, "transB", 1);
    else
        window(&node, &n->window, 1);
    end_node(w, &node, connected ? "Gemm" : "Conv", connected ? product : out);
    if (connected) { /* every value of the graph is a map */
        const int64_t shape[] = {-1, n->out.c, 1, 1};
        bytes r = {0};
        snprintf(flat, sizeof flat, "%s.shape", n->name);
        init_ints(w, flat, shape, 4);
        dscq_onnx_node_input(&r, product);
        dscq_onnx_node_input(&r, flat);
        end_node(w, &r, "Reshape", out);
    }
    return DSCQ_OK;
done:
    dscq_onnx_node_free(&node);
    return status;
}

/* One node from the inputs of `n`. */
static void joined(writer *w, const dscq_node *n, bytes *node)
{
    char name[NAME];

    for (int32_t i = 0; i < n->input_count; i++) {
        value_name(w, n->input[i], name);
        dscq_onnx_node_input(node, name);
    }
}

/* The channels that a route takes of one of its inputs, as value `out`. */
static void sliced(writer *w, const char *in, int64_t first, int64_t end,
                   const char *out)
{
    static const char *const what[] = {"starts", "ends", "axes"};
    const int64_t v[3] = {first, end, 1};
    bytes node = {0};
    char name[2 * NAME];

    dscq_onnx_node_input(&node, in);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s.%s", out, what[i]);
        init_ints(w, name, &v[i], 1);
        dscq_onnx_node_input(&node, name);
    }
    end_node(w, &node, "Slice", out);
}

/* The part of an input's channels that a route takes. */
static void route_part(writer *w, const dscq_node *n, const char *in, int32_t channels,
                       const char *out)
{
    const dscq_route_params *p = n->params;
    const int32_t groups = p->groups > 1 ? p->groups : 1;
    const int64_t first =
        (int64_t)(channels / groups) * (groups > 1 ? p->group_id : 0) +
        (p->channels > 0 ? p->first_channel : 0);

    sliced(w, in, first, first + (p->channels > 0 ? p->channels : channels / groups),
           out);
}

static int32_t channels_of(const writer *w, int32_t node)
{
    return node == DSCQ_INPUT ? dscq_model_input(w->m).c
                              : dscq_model_node(w->m, node)->out.c;
}

static void route(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const dscq_route_params *p = n->params;
    const int cuts = p->groups > 1 || p->channels > 0;
    char from[NAME], part[NAME];
    bytes node = {0};

    if (n->input_count == 1 && n->out.c != n->in.c) {
        route_part(w, n, in, n->in.c, out);
        return;
    }
    for (int32_t i = 0; i < n->input_count; i++) {
        value_name(w, n->input[i], from);
        if (cuts && n->input_count > 1) {
            snprintf(part, sizeof part, "%s.part%d", n->name, (int)i);
            route_part(w, n, from, channels_of(w, n->input[i]), part);
            memcpy(from, part, sizeof from);
        }
        dscq_onnx_node_input(&node, from);
    }
    if (n->input_count > 1)
        dscq_onnx_node_int(&node, "axis", 1);
    end_node(w, &node, n->input_count > 1 ? "Concat" : "Identity", out);
}

static void pooled(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const dscq_pool_params *p = n->params;
    const int is_mean = n->ops->does == DSCQ_DOES_MEAN;
    bytes node = {0};

    dscq_onnx_node_input(&node, in);
    if (is_mean && p->size <= 0 && p->size_h <= 0 && p->size_w <= 0) {
        end_node(w, &node, "GlobalAveragePool", out);
        return;
    }
    window(&node, &n->window, 0);
    if (is_mean && p->count_pad)
        dscq_onnx_node_int(&node, "count_include_pad", 1);
    end_node(w, &node, n->ops->onnx, out);
}

static void resized(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const float f = (float)((const dscq_scale_factor_params *)n->params)->stride;
    const float scales[] = {1, 1, f, f};
    const int64_t four = 4;
    char name[NAME];
    bytes node = {0};

    snprintf(name, sizeof name, "%s.scales", n->name);
    dscq_onnx_graph_floats(&w->g, name, scales, 1, &four);
    dscq_onnx_node_input(&node, in);
    dscq_onnx_node_input(&node, "");
    dscq_onnx_node_input(&node, name);
    dscq_onnx_node_text(&node, "mode", "nearest");
    dscq_onnx_node_text(&node, "coordinate_transformation_mode", "asymmetric");
    dscq_onnx_node_text(&node, "nearest_mode", "floor");
    end_node(w, &node, "Resize", out);
}

static void normalise(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const dscq_weights *v = n->weights;
    bytes node = {0};

    dscq_onnx_node_input(&node, in);
    parameter(w, &node, n->name, "gamma", v->gamma, n->out.c);
    parameter(w, &node, n->name, "beta", v->beta, n->out.c);
    parameter(w, &node, n->name, "mean", v->mean, n->out.c);
    parameter(w, &node, n->name, "var", v->var, n->out.c);
    dscq_onnx_node_real(&node, "epsilon", v->bn_eps);
    end_node(w, &node, "BatchNormalization", out);
}

/* One number as an initialiser and an input. */
static void scalar(writer *w, bytes *node, const char *name, double v)
{
    const float f = (float)v;

    dscq_onnx_graph_floats(&w->g, name, &f, 0, NULL);
    dscq_onnx_node_input(node, name);
}

static void two(writer *w, const char *op, const char *a, const char *b,
                const char *out)
{
    bytes node = {0};

    dscq_onnx_node_input(&node, a);
    dscq_onnx_node_input(&node, b);
    if (strcmp(op, "Concat") == 0)
        dscq_onnx_node_int(&node, "axis", 1);
    end_node(w, &node, op, out);
}

/* sum + more, of which the first channels meet: of more the others are left out, of
 * fewer those behind stay as they are. */
static void add_uneven(writer *w, const dscq_node *n, int32_t i, const char *sum,
                       const char *more, const char *out)
{
    const int32_t have = channels_of(w, n->input[i]), want = n->out.c;
    char head[NAME], rest[NAME], both[NAME];

    snprintf(head, sizeof head, "%s.head%d", n->name, (int)i);
    snprintf(rest, sizeof rest, "%s.rest%d", n->name, (int)i);
    snprintf(both, sizeof both, "%s.both%d", n->name, (int)i);
    if (have == want) {
        two(w, "Add", sum, more, out);
    } else if (have > want) {
        sliced(w, more, 0, want, head);
        two(w, "Add", sum, head, out);
    } else {
        sliced(w, sum, 0, have, head);
        sliced(w, sum, have, want, rest);
        two(w, "Add", head, more, both);
        two(w, "Concat", both, rest, out);
    }
}

static int is_even(const writer *w, const dscq_node *n)
{
    for (int32_t i = 0; i < n->input_count; i++)
        if (channels_of(w, n->input[i]) != n->out.c)
            return 0;
    return 1;
}

/* alpha * first + beta * the others, with a product only where a factor is not 1. */
static void summed(writer *w, const dscq_node *n, const char *out)
{
    const dscq_shortcut_params *p = n->params;
    char part[DSCQ_NODE_INPUTS][NAME], name[NAME];
    const int even = is_even(w, n);
    const int is_difference =
        even && n->input_count == 2 && p->alpha == 1 && p->beta == -1;
    bytes node = {0};

    for (int32_t i = 0; i < n->input_count; i++) {
        const double factor = is_difference ? 1 : i == 0 ? p->alpha : p->beta;
        value_name(w, n->input[i], part[i]);
        if (factor == 1)
            continue;
        bytes product = {0};
        dscq_onnx_node_input(&product, part[i]);
        snprintf(name, sizeof name, "%s.factor%d", n->name, (int)i);
        scalar(w, &product, name, factor);
        snprintf(part[i], sizeof part[i], "%s.part%d", n->name, (int)i);
        end_node(w, &product, "Mul", part[i]);
    }
    for (int32_t i = 1; !even && i < n->input_count; i++) {
        snprintf(name, sizeof name, "%s.sum%d", n->name, (int)i);
        add_uneven(w, n, i, part[i - 1], part[i], i + 1 < n->input_count ? name : out);
        memcpy(part[i], name, sizeof part[i]); /* the next one is added to it */
    }
    if (!even)
        return;
    for (int32_t i = 0; i < n->input_count; i++)
        dscq_onnx_node_input(&node, part[i]);
    end_node(w, &node, is_difference ? "Sub" : "Sum", out);
}

/* value -> reshaped to `dim`. */
static void reshaped(writer *w, const char *in, const int64_t *dim, int64_t rank,
                     const char *out)
{
    char name[2 * NAME];
    bytes node = {0};

    snprintf(name, sizeof name, "%s.shape", out);
    init_ints(w, name, dim, rank);
    dscq_onnx_node_input(&node, in);
    dscq_onnx_node_input(&node, name);
    end_node(w, &node, "Reshape", out);
}

/* Probabilities over the channels of each group, pixel by pixel. */
static void softened(writer *w, const dscq_node *n, const char *in, const char *out)
{
    const dscq_softmax_params *p = n->params;
    const int32_t groups = p->groups > 1 ? p->groups : 1;
    const int64_t apart[] = {1, groups, n->out.c / groups, n->out.h, n->out.w},
                  whole[] = {1, n->out.c, n->out.h, n->out.w};
    char cool[NAME], parted[NAME], soft[NAME], name[NAME];
    bytes node = {0};

    snprintf(cool, sizeof cool, "%s.cool", n->name);
    snprintf(parted, sizeof parted, "%s.groups", n->name);
    snprintf(soft, sizeof soft, "%s.soft", n->name);
    if (p->temperature != 1) {
        dscq_onnx_node_input(&node, in);
        snprintf(name, sizeof name, "%s.temperature", n->name);
        scalar(w, &node, name, p->temperature);
        end_node(w, &node, "Div", cool);
        in = cool;
    }
    if (groups > 1)
        reshaped(w, in, apart, 5, parted);
    dscq_onnx_node_input(&node, groups > 1 ? parted : in);
    dscq_onnx_node_int(&node, "axis", groups > 1 ? 2 : 1);
    end_node(w, &node, "Softmax", groups > 1 ? soft : out);
    if (groups > 1)
        reshaped(w, soft, whole, 4, out);
}

/* One operator, with the attributes of its kind. */
static dscq_status other(writer *w, const dscq_node *n, const char *out)
{
    bytes node = {0};

    if (n->ops->onnx == NULL)
        return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                         "layer '%s': no ONNX operator does this [%s]", n->name,
                         n->type);
    joined(w, n, &node);
    if (n->ops->does == DSCQ_DOES_REORG)
        dscq_onnx_node_int(&node, "blocksize",
                           ((const dscq_scale_factor_params *)n->params)->stride);
    if (n->ops->does == DSCQ_DOES_LRN) {
        const dscq_lrn_params *p = n->params;
        dscq_onnx_node_int(&node, "size", p->size);
        dscq_onnx_node_real(&node, "alpha", p->alpha);
        dscq_onnx_node_real(&node, "beta", p->beta);
        dscq_onnx_node_real(&node, "bias", p->kappa);
    }
    end_node(w, &node, n->ops->onnx, out);
    return DSCQ_OK;
}

/* The layer without its normalisation and activation. */
static dscq_status body_of(writer *w, const dscq_node *n, const char *in,
                           const char *out)
{
    switch (n->ops->does) {
    case DSCQ_DOES_CONV:
    case DSCQ_DOES_DENSE:
        return weighted(w, n, in, out);
    case DSCQ_DOES_JOIN:
        route(w, n, in, out);
        return DSCQ_OK;
    case DSCQ_DOES_MAX:
    case DSCQ_DOES_MEAN:
        pooled(w, n, in, out);
        return DSCQ_OK;
    case DSCQ_DOES_UPSAMPLE:
        resized(w, n, in, out);
        return DSCQ_OK;
    case DSCQ_DOES_SOFTMAX:
        softened(w, n, in, out);
        return DSCQ_OK;
    case DSCQ_DOES_SUM:
        summed(w, n, out);
        return DSCQ_OK;
    default:
        return other(w, n, out);
    }
}

static dscq_status layer(writer *w, const dscq_node *n)
{
    char in[NAME], z[NAME], normal[NAME];
    const char *body = n->name, *norm = n->name;

    if (dscq_act_at(n->act)->onnx.op == NULL)
        return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                         "layer '%s': no ONNX operator does this activation [%s]",
                         n->name, dscq_act_name(n->act));
    value_name(w, n->input[0], in);
    snprintf(z, sizeof z, "%s.z", n->name);
    snprintf(normal, sizeof normal, "%s.norm", n->name);
    if (n->act != DSCQ_ACT_LINEAR)
        body = norm = normal;
    if (n->normalised)
        body = z;
    const dscq_status status = body_of(w, n, in, body);
    if (status != DSCQ_OK)
        return status;
    if (n->normalised)
        normalise(w, n, body, norm);
    if (n->act != DSCQ_ACT_LINEAR)
        export__onnx_act(&w->g, n->act, n->act_slope, norm, n->name);
    return DSCQ_OK;
}

dscq_status dscq_export_float_onnx(const dscq_model *m, const char *path,
                                   dscq_error *err)
{
    writer w = {.m = m, .err = err};
    dscq_status status;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        DSCQ_TRY(layer(&w, dscq_model_node(m, i)));
    dscq_onnx_graph_input(&w.g, "input", dscq_model_input(m));
    for (int32_t i = 0; i < dscq_model_outputs(m); i++) {
        const dscq_node *n = dscq_model_node(m, dscq_model_output(m, i));
        dscq_onnx_graph_output(&w.g, n->name, n->out);
    }
    DSCQ_TRY(dscq_onnx_graph_write(&w.g, dscq_model_name(m), path, err));
done:
    dscq_onnx_graph_free(&w.g);
    return status;
}
