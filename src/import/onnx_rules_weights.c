/* Rules for layers with weights, normalisation and activation. */
#include "onnx_lower.h"

#include <math.h>
#include <string.h>

static ox_call attributes(const lower *l, const ox_node *n)
{
    return (ox_call){.node = n, .opset = l->f->opset, .err = l->err};
}

/* File: K C R S. Ours: K R S C. */
static void fill_kernels(const dscq_weights *w, const ox_tensor *t)
{
    size_t at = 0;

    for (int64_t k = 0; k < w->k; k++)
        for (int64_t r = 0; r < w->r; r++)
            for (int64_t s = 0; s < w->s; s++)
                for (int64_t c = 0; c < w->c; c++)
                    w->w[at++] = (float)t->v[((k * w->c + c) * w->r + r) * w->s + s];
}

static dscq_status conv_window(dscq_window *out, lower *l, const ox_node *n,
                               const lw_value *x, const ox_tensor *weight)
{
    ox_call c = attributes(l, n);
    ox_window w = {.n = 2};
    dscq_status status;

    for (int i = 0; i < 2; i++) {
        w.kernel[i] = weight->dim[2 + i];
        w.in[i] = x->dim[2 + i] + x->pad[i] + x->pad[2 + i];
    }
    DSCQ_TRY(ox_window_read(&c, &w, 1, 0));
    for (int i = 0; i < 2; i++)
        if (w.kernel[i] > 4096 || w.stride[i] > 4096 || w.lo[i] + x->pad[i] > 4096 ||
            w.hi[i] + x->pad[2 + i] > 4096 || w.dilation[i] > 4096)
            return lw_fail(l, "kernel, stride or padding above 4096");
    if (w.dilation[0] != w.dilation[1])
        return lw_fail(l, "dilations differ between rows and columns");
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

dscq_status lw_conv(lower *l, const ox_node *n, const lw_value *x,
                    const ox_tensor *weight, const ox_tensor *bias,
                    const lw_tail *given)
{
    const int64_t groups = ox_attr_int(n, "group", 1);
    dscq_window w;
    int32_t node;
    dscq_status status;

    if (x->kind != LW_RUN || !lw_is_map(l, x))
        return lw_fail(l, "its input is not an N x C x H x W map");
    if (weight == NULL || weight->rank != 4)
        return lw_fail(l, "weights and bias must be constants, of rank 4 and 1");
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
    const lw_value in = *x;
    const lw_like like = {4, 1, filters, 1};
    const lw_tail tail = given != NULL ? *given : lw_follow(l, n->out[0], &like, NULL);
    DSCQ_TRY(lw_add(&node, l, n, depthwise ? "depthwise" : "convolutional", &p, in.part,
                    1, &tail, bias != NULL || tail.shift[0] != NULL));
    const dscq_node *made = dscq_model_node(l->m, node);
    fill_kernels(made->weights, weight);
    lw_apply_affine(made->weights, &tail, bias, 1);
    const int64_t dim[] = {in.dim[0], filters, made->out.h, made->out.w};
    lw_set(l, tail.value, node, 4, dim, 0);
done:
    return status;
}

static dscq_status rule_conv(lower *l, const ox_node *n)
{
    const ox_tensor *bias = lw_const(l, n, 2);

    if (bias == NULL && n->in_count > 2 && n->in[2] >= 0)
        return lw_fail(l, "weights and bias must be constants, of rank 4 and 1");
    return lw_conv(l, n, &l->value[n->in[0]], lw_const(l, n, 1), bias, NULL);
}

/* Weight of output o for element i of the file's flattened input. */
typedef struct dense {
    const ox_tensor *b;
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
    const ox_tensor *bias;
    double beta;
    const lw_tail *tail; /* NULL: look ahead */
} dense_end;

static dscq_status add_dense(lower *l, const ox_node *n, const lw_value *x,
                             const dense *d, const dense_end *end)
{
    const ox_tensor *bias = end->bias;
    const dscq_shape in = x != NULL ? lw_shape(l, x) : (dscq_shape){0, 0, 0, 0};
    int64_t inputs = (int64_t)in.h * in.w * in.c;
    int32_t node;
    dscq_status status;

    if (x == NULL || d->b == NULL || d->b->rank != 2)
        return lw_fail(l, "only a computed value times a constant matrix");
    const int64_t outputs = d->b->dim[d->transposed ? 0 : 1];
    if (x->rank < 2 || x->dim[x->rank - 1] != inputs ||
        d->b->dim[d->transposed ? 1 : 0] != inputs || outputs < 1 || outputs > 10000000)
        return lw_fail(l, "a matrix product over more than one row of features");
    const lw_value v = *x;
    const lw_like like = {v.rank, v.rank - 1, outputs, 1};
    const lw_tail tail =
        end->tail != NULL ? *end->tail : lw_follow(l, n->out[0], &like, NULL);
    if (bias != NULL && bias->count != 1 && bias->count != (size_t)outputs)
        return lw_fail(l, "a bias that is not one value per output");
    const dscq_connected_params p = {.output = (int32_t)outputs};
    DSCQ_TRY(lw_add(&node, l, n, "connected", &p, v.part, 1, &tail,
                    bias != NULL || tail.shift[0] != NULL));
    const dscq_node *made = dscq_model_node(l->m, node);
    fill_dense(made->weights, d, in, v.rows);
    lw_apply_affine(made->weights, &tail, bias, end->beta);
    int64_t dim[DSCQ_ONNX_RANK];
    memcpy(dim, v.dim, sizeof dim);
    dim[v.rank - 1] = outputs;
    lw_set(l, tail.value, node, v.rank, dim, 0);
done:
    return status;
}

static dscq_status rule_gemm(lower *l, const ox_node *n)
{
    const dense d = {lw_const(l, n, 1), ox_attr_int(n, "transB", 0) != 0,
                     ox_attr_real(n, "alpha", 1)};
    const ox_tensor *bias = lw_const(l, n, 2);

    if (ox_attr_int(n, "transA", 0) != 0)
        return lw_fail(l, "transA");
    if (bias == NULL && n->in_count > 2 && n->in[2] >= 0)
        return lw_fail(l, "its bias is not constant");
    const dense_end end = {bias, ox_attr_real(n, "beta", 1), NULL};
    return add_dense(l, n, lw_run(l, n, 0), &d, &end);
}

static dscq_status rule_matmul(lower *l, const ox_node *n)
{
    const dense d = {lw_const(l, n, 1), 0, 1};
    const dense_end end = {NULL, 1, NULL};

    return add_dense(l, n, lw_run(l, n, 0), &d, &end);
}

dscq_status lw_dense(lower *l, const ox_node *n, const lw_value *x,
                     const ox_tensor *weight, const lw_tail *tail)
{
    const dense d = {weight, 0, 1};
    const dense_end end = {NULL, 1, tail};

    return add_dense(l, n, x, &d, &end);
}

static dscq_status rule_norm(lower *l, const ox_node *n)
{
    const lw_value *x = lw_run(l, n, 0);
    int32_t node;
    dscq_status status;

    if (x == NULL || lw_channel_axis(l, x) != 1)
        return lw_fail(l, "its input is not a map, or has its channels elsewhere");
    if (ox_attr_int(n, "training_mode", 0) != 0 || ox_attr_int(n, "spatial", 1) == 0)
        return lw_fail(l, "training mode, or statistics per pixel");
    const lw_value v = *x;
    const lw_like like = {v.rank, 1, lw_shape(l, &v).c, 0};
    const lw_tail tail = lw_follow(l, n->out[0], &like, n);
    DSCQ_TRY(lw_add(&node, l, n, "batchnorm", NULL, v.part, 1, &tail, 0));
    lw_apply_affine(dscq_model_node(l->m, node)->weights, &tail, NULL, 0);
    lw_set(l, tail.value, node, v.rank, v.dim, v.rows);
done:
    return status;
}

int lw_add_composed(dscq_status *status, lower *l, const ox_node *n, int32_t i)
{
    const lw_value *x = lw_run(l, n, i);
    lw_tail tail = {.value = -1};
    int32_t node;

    if (x == NULL || !lw_follow_composed(l, n->in[i], &tail))
        return 0;
    const lw_value v = *x;
    *status = lw_add(&node, l, n, "activation", NULL, v.part, 1, &tail, 0);
    if (*status == DSCQ_OK)
        lw_set(l, tail.value, node, v.rank, v.dim, v.rows);
    return 1;
}

static dscq_status rule_activation(lower *l, const ox_node *n)
{
    const lw_value *x = lw_run(l, n, 0);
    lw_tail tail = {.value = n->out[0]};
    int32_t node;
    dscq_status status;

    if (x == NULL)
        return lw_fail(l, "its input is not a computed map");
    if (lw_add_composed(&status, l, n, 0))
        return status;
    if (lw_is(n, "Softplus"))
        return lw_fail(l, "a Softplus that is no part of x * Tanh(Softplus(x))");
    if (!lw_activation(l, n, &tail.act, &tail.slope))
        return lw_fail(l, "no activation has these parameters (Clip: 0 to 6, 0 to "
                          "infinity; HardSigmoid: 1/6, 1/2; PRelu: one slope)");
    tail.act = lw_quantised_act(l, n->out[0], tail.act, tail.slope);
    if (tail.act == DSCQ_ACT_LINEAR) {
        lw_same(l, n->out[0], x);
        return DSCQ_OK;
    }
    const lw_value v = *x;
    DSCQ_TRY(lw_add(&node, l, n, "activation", NULL, v.part, 1, &tail, 0));
    lw_set(l, tail.value, node, v.rank, v.dim, v.rows);
done:
    return status;
}

const lw_row lw_rows_weights[] = {
    {"Conv", rule_conv, LW_REAL},           {"Gemm", rule_gemm, LW_REAL},
    {"MatMul", rule_matmul, LW_REAL},       {"BatchNormalization", rule_norm, LW_REAL},
    {"Relu", rule_activation, LW_REAL},     {"Clip", rule_activation, LW_REAL},
    {"Sigmoid", rule_activation, LW_REAL},  {"Tanh", rule_activation, LW_REAL},
    {"Mish", rule_activation, LW_REAL},     {"HardSwish", rule_activation, LW_REAL},
    {"Elu", rule_activation, LW_REAL},      {"LeakyRelu", rule_activation, LW_REAL},
    {"PRelu", rule_activation, LW_REAL},    {"HardSigmoid", rule_activation, LW_REAL},
    {"Softplus", rule_activation, LW_REAL}, {NULL, NULL, LW_REAL},
};
