/* Rules for layers with weights, normalisation and activation. */
#include "lower.h"

#include <math.h>
#include <string.h>

static onnx_call attributes(const lower *l, const onnx_node *n)
{
    return (onnx_call){.node = n, .opset = l->f->opset, .err = l->err};
}

/* File: K C R S. Ours: K R S C. */
static void fill_kernels(const dscq_weights *w, const onnx_tensor *t)
{
    size_t at = 0;

    for (int64_t k = 0; k < w->k; k++)
        for (int64_t r = 0; r < w->r; r++)
            for (int64_t s = 0; s < w->s; s++)
                for (int64_t c = 0; c < w->c; c++)
                    w->w[at++] = (float)t->v[((k * w->c + c) * w->r + r) * w->s + s];
}

static dscq_status conv_window(dscq_window *out, lower *l, const onnx_node *n,
                               const onnx_edge *x, const onnx_tensor *weight)
{
    onnx_call c = attributes(l, n);
    onnx_window w = {.n = 2};
    dscq_status status;

    for (int i = 0; i < 2; i++) {
        w.kernel[i] = weight->dim[2 + i];
        w.in[i] = x->dim[2 + i] + x->pad[i] + x->pad[2 + i];
    }
    DSCQ_TRY(onnx__window_read(&c, &w, 1, 0));
    for (int i = 0; i < 2; i++)
        if (w.kernel[i] > 4096 || w.stride[i] > 4096 || w.lo[i] + x->pad[i] > 4096 ||
            w.hi[i] + x->pad[2 + i] > 4096 || w.dilation[i] > 4096)
            return onnx__fail(l, "kernel, stride or padding above 4096");
    if (w.dilation[0] != w.dilation[1])
        return onnx__fail(l, "dilations differ between rows and columns");
    *out = (dscq_window){.kernel_h = (int32_t)w.kernel[0],
                         .kernel_w = (int32_t)w.kernel[1],
                         .stride_h = (int32_t)w.stride[0],
                         .stride_w = (int32_t)w.stride[1],
                         .pad_top = (int32_t)(w.lo[0] + x->pad[0]),
                         .pad_left = (int32_t)(w.lo[1] + x->pad[1]),
                         .pad_bottom = (int32_t)(w.hi[0] + x->pad[2]),
                         .pad_right = (int32_t)(w.hi[1] + x->pad[3]),
                         .dilation_h = (int32_t)w.dilation[0],
                         .dilation_w = (int32_t)w.dilation[1]};
done:
    return status;
}

dscq_status onnx__conv(lower *l, const onnx_node *n, const onnx_edge *x,
                       const onnx_tensor *weight, const onnx_tensor *bias,
                       const onnx_tail *given)
{
    const int64_t groups = onnx__attr_int(n, "group", 1);
    dscq_window w;
    int32_t node;
    dscq_status status;

    if (x->kind != ONNX_RUN || !onnx__is_map(l, x))
        return onnx__fail(l, "its input is not an N x C x H x W map");
    if (weight == NULL || weight->rank != 4)
        return onnx__fail(l, "weights and bias must be constants, of rank 4 and 1");
    const int64_t channels = x->dim[1], filters = weight->dim[0];
    if (groups < 1 || groups > channels || weight->dim[1] * groups != channels ||
        filters < 1 || filters > 1000000 || filters % groups != 0 ||
        (bias != NULL && bias->count != (size_t)filters))
        return dscq_fail(
            l->err, DSCQ_FORMAT,
            "%.40s '%.80s': %lld channels, weights %lld x %lld, group %lld "
            "do not go together",
            n->op, n->name, (long long)channels, (long long)filters,
            (long long)weight->dim[1], (long long)groups);
    DSCQ_TRY(conv_window(&w, l, n, x, weight));
    w.groups = (int32_t)groups;
    const dscq_conv_params p = dscq_conv_params_make((int32_t)filters, &w);
    const int depthwise = groups > 1 && groups == channels && filters == channels;
    const onnx_edge in = *x;
    const onnx_like like = {4, 1, filters, 1};
    const onnx_tail tail =
        given != NULL ? *given : onnx__follow(l, n->out[0], &like, NULL);
    DSCQ_TRY(onnx__add(&node, l, n, depthwise ? "depthwise" : "convolutional", &p,
                       in.part, 1, &tail, bias != NULL || tail.shift[0] != NULL));
    const dscq_node *made = dscq_model_node(l->m, node);
    fill_kernels(made->weights, weight);
    onnx__apply_affine(made->weights, &tail, bias, 1);
    const int64_t dim[] = {in.dim[0], filters, made->out.h, made->out.w};
    onnx__set(l, tail.value, node, 4, dim, 0);
done:
    return status;
}

static dscq_status rule_conv(lower *l, const onnx_node *n)
{
    const onnx_tensor *bias = onnx__const(l, n, 2);

    if (bias == NULL && n->in_count > 2 && n->in[2] >= 0)
        return onnx__fail(l, "weights and bias must be constants, of rank 4 and 1");
    return onnx__conv(l, n, &l->value[n->in[0]], onnx__const(l, n, 1), bias, NULL);
}

/* Weight of output o for element i of the file's flattened input. */
typedef struct dense {
    const onnx_tensor *b;
    int transposed; /* b is outputs x inputs */
    double alpha;
} dense;

/* Our inputs are in row, column, channel order, whatever the file's are. */
static void fill_dense(const dscq_weights *w, const dense *d, dscq_shape in, int rows)
{
    const size_t map = (size_t)in.h * (size_t)in.w, channels = (size_t)in.c;
    const size_t inputs = map * channels, outputs = (size_t)w->k;

    for (size_t o = 0; o < outputs; o++)
        for (size_t p = 0; p < map; p++)
            for (size_t c = 0; c < channels; c++) {
                const size_t i = rows ? p * channels + c : c * map + p;
                const double v =
                    d->b->v[d->transposed ? o * inputs + i : i * outputs + o];
                w->w[o * inputs + p * channels + c] = (float)(d->alpha * v);
            }
}

/* How the product ends. */
typedef struct dense_end {
    const onnx_tensor *bias;
    double beta;
    const onnx_tail *tail; /* NULL: look ahead */
} dense_end;

static dscq_status add_dense(lower *l, const onnx_node *n, const onnx_edge *x,
                             const dense *d, const dense_end *end)
{
    const onnx_tensor *bias = end->bias;
    const dscq_shape in = x != NULL ? onnx__shape(l, x) : (dscq_shape){0, 0, 0, 0};
    int64_t inputs = (int64_t)in.h * in.w * in.c;
    int32_t node;
    dscq_status status;

    if (x == NULL || d->b == NULL || d->b->rank != 2)
        return onnx__fail(l, "only a computed value times a constant matrix");
    const int64_t outputs = d->b->dim[d->transposed ? 0 : 1];
    if (x->rank < 2 || x->dim[x->rank - 1] != inputs ||
        d->b->dim[d->transposed ? 1 : 0] != inputs || outputs < 1 || outputs > 10000000)
        return onnx__fail(l, "a matrix product over more than one row of features");
    const onnx_edge v = *x;
    const onnx_like like = {v.rank, v.rank - 1, outputs, 1};
    const onnx_tail tail =
        end->tail != NULL ? *end->tail : onnx__follow(l, n->out[0], &like, NULL);
    if (bias != NULL && bias->count != 1 && bias->count != (size_t)outputs)
        return onnx__fail(l, "a bias that is not one value per output");
    const dscq_connected_params p = {.output = (int32_t)outputs};
    DSCQ_TRY(onnx__add(&node, l, n, "connected", &p, v.part, 1, &tail,
                       bias != NULL || tail.shift[0] != NULL));
    const dscq_node *made = dscq_model_node(l->m, node);
    fill_dense(made->weights, d, in, v.rows);
    onnx__apply_affine(made->weights, &tail, bias, end->beta);
    int64_t dim[DSCQ_ONNX_RANK];
    memcpy(dim, v.dim, sizeof dim);
    dim[v.rank - 1] = outputs;
    onnx__set(l, tail.value, node, v.rank, dim, 0);
done:
    return status;
}

static dscq_status rule_gemm(lower *l, const onnx_node *n)
{
    const dense d = {onnx__const(l, n, 1), onnx__attr_int(n, "transB", 0) != 0,
                     onnx__attr_real(n, "alpha", 1)};
    const onnx_tensor *bias = onnx__const(l, n, 2);

    if (onnx__attr_int(n, "transA", 0) != 0)
        return onnx__fail(l, "transA");
    if (bias == NULL && n->in_count > 2 && n->in[2] >= 0)
        return onnx__fail(l, "its bias is not constant");
    const dense_end end = {bias, onnx__attr_real(n, "beta", 1), NULL};
    return add_dense(l, n, onnx__run(l, n, 0), &d, &end);
}

static dscq_status rule_matmul(lower *l, const onnx_node *n)
{
    const dense d = {onnx__const(l, n, 1), 0, 1};
    const dense_end end = {NULL, 1, NULL};

    return add_dense(l, n, onnx__run(l, n, 0), &d, &end);
}

dscq_status onnx__dense(lower *l, const onnx_node *n, const onnx_edge *x,
                        const onnx_tensor *weight, const onnx_tail *tail)
{
    const dense d = {weight, 0, 1};
    const dense_end end = {NULL, 1, tail};

    return add_dense(l, n, x, &d, &end);
}

static dscq_status rule_norm(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    int32_t node;
    dscq_status status;

    if (x == NULL || onnx__channel_axis(l, x) != 1)
        return onnx__fail(l, "its input is not a map, or has its channels elsewhere");
    if (onnx__attr_int(n, "training_mode", 0) != 0 ||
        onnx__attr_int(n, "spatial", 1) == 0)
        return onnx__fail(l, "training mode, or statistics per pixel");
    const onnx_edge v = *x;
    const onnx_like like = {v.rank, 1, onnx__shape(l, &v).c, 0};
    const onnx_tail tail = onnx__follow(l, n->out[0], &like, n);
    DSCQ_TRY(onnx__add(&node, l, n, "batchnorm", NULL, v.part, 1, &tail, 0));
    onnx__apply_affine(dscq_model_node(l->m, node)->weights, &tail, NULL, 0);
    onnx__set(l, tail.value, node, v.rank, v.dim, v.rows);
done:
    return status;
}

int onnx__add_composed(dscq_status *status, lower *l, const onnx_node *n, int32_t i)
{
    const onnx_edge *x = onnx__run(l, n, i);
    onnx_tail tail = {.value = -1};
    int32_t node;

    if (x == NULL || !onnx__follow_composed(l, n->in[i], &tail))
        return 0;
    const onnx_edge v = *x;
    *status = onnx__add(&node, l, n, "activation", NULL, v.part, 1, &tail, 0);
    if (*status == DSCQ_OK)
        onnx__set(l, tail.value, node, v.rank, v.dim, v.rows);
    return 1;
}

static dscq_status rule_activation(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    onnx_tail tail = {.value = n->out[0]};
    int32_t node;
    dscq_status status;

    if (x == NULL)
        return onnx__fail(l, "its input is not a computed map");
    if (onnx__add_composed(&status, l, n, 0))
        return status;
    if (onnx__is(n, "Softplus"))
        return onnx__fail(l, "a Softplus that is no part of x * Tanh(Softplus(x))");
    if (!onnx__activation(l, n, &tail.act, &tail.slope))
        return onnx__fail(l, "no activation has these parameters (Clip: 0 to 6, 0 to "
                             "infinity; HardSigmoid: 1/6, 1/2; PRelu: one slope)");
    tail.act = onnx__quantised_act(l, n->out[0], tail.act, tail.slope);
    if (tail.act == DSCQ_ACT_LINEAR) {
        onnx__same(l, n->out[0], x);
        return DSCQ_OK;
    }
    const onnx_edge v = *x;
    DSCQ_TRY(onnx__add(&node, l, n, "activation", NULL, v.part, 1, &tail, 0));
    onnx__set(l, tail.value, node, v.rank, v.dim, v.rows);
done:
    return status;
}

const onnx_row onnx__rows_weights[] = {
    {"Conv", rule_conv, ONNX_REAL},
    {"Gemm", rule_gemm, ONNX_REAL},
    {"MatMul", rule_matmul, ONNX_REAL},
    {"BatchNormalization", rule_norm, ONNX_REAL},
    {"Relu", rule_activation, ONNX_REAL},
    {"Clip", rule_activation, ONNX_REAL},
    {"Sigmoid", rule_activation, ONNX_REAL},
    {"Tanh", rule_activation, ONNX_REAL},
    {"Mish", rule_activation, ONNX_REAL},
    {"HardSwish", rule_activation, ONNX_REAL},
    {"Elu", rule_activation, ONNX_REAL},
    {"LeakyRelu", rule_activation, ONNX_REAL},
    {"PRelu", rule_activation, ONNX_REAL},
    {"HardSigmoid", rule_activation, ONNX_REAL},
    {"Softplus", rule_activation, ONNX_REAL},
    {NULL, NULL, ONNX_REAL},
};
