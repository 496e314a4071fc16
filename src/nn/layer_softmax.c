/* [softmax]: probabilities over the channels of a pixel, or over parts of them. */
#include "nn_internal.h"

#include <math.h>

static const dscq_key k_keys[] = {
    DSCQ_KEY_INT_ROW(dscq_softmax_params, groups, 1, 65536, "1",
                     "parts of the channels, each with sum 1"),
    DSCQ_KEY_REAL_ROW(dscq_softmax_params, temperature, 1e-3, 1e3, "1",
                      "the input is divided by this"),
    DSCQ_KEY_END};

static dscq_status infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                         int32_t x_count, dscq_error *err)
{
    const dscq_softmax_params *p = params;

    (void)x_count;
    if (p->groups < 1 || x->c % p->groups != 0)
        return dscq_fail(err, DSCQ_FORMAT, "groups = %d does not divide %d channels",
                         (int)p->groups, (int)x->c);
    out->out = *x;
    return DSCQ_OK;
}

static size_t floats_of(const dscq_node *n)
{
    return (size_t)n->out.h * (size_t)n->out.w * (size_t)n->out.c;
}

static void forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                    float *z, void *state)
{
    const dscq_softmax_params *p = io->node->params;
    const size_t n = floats_of(io->node);
    const size_t part = (size_t)(io->node->out.c / p->groups);

    (void)image;
    (void)state;
    io->k->scale((float)(1.0 / p->temperature), x[0], z, n);
    io->k->softmax(z, z, n / part, part);
}

static void backward(const dscq_layer_io *io, int32_t image, const float *const *x,
                     const float *z, const float *dz, float *const *dx,
                     const void *state)
{
    const dscq_softmax_params *p = io->node->params;
    const size_t n = floats_of(io->node);
    const size_t part = (size_t)(io->node->out.c / p->groups);
    const float scale = (float)(1.0 / p->temperature);

    (void)image;
    (void)x;
    (void)state;
    if (dx[0] == NULL)
        return;
    for (size_t i = 0; i < n; i += part) {
        const float mean = (float)io->k->dot(dz + i, z + i, part);
        for (size_t j = i; j < i + part; j++)
            dx[0][j] += scale * z[j] * (dz[j] - mean);
    }
}

static void reference(double *z, const dscq_node *node, const double *const *x,
                      const dscq_shape *x_shape, int32_t n, const double *w)
{
    const dscq_softmax_params *p = node->params;
    const size_t part = (size_t)(x_shape[0].c / p->groups);
    const size_t all = floats_of(node) * (size_t)n;

    (void)w;
    for (size_t i = 0; i < all; i += part) {
        double top = x[0][i], sum = 0;
        for (size_t j = i; j < i + part; j++)
            top = x[0][j] > top ? x[0][j] : top;
        for (size_t j = i; j < i + part; j++)
            sum += exp((x[0][j] - top) / p->temperature);
        for (size_t j = i; j < i + part; j++)
            z[j] = exp((x[0][j] - top) / p->temperature) / sum;
    }
}

extern const dscq_layer_ops dscq_layer_softmax;

const dscq_layer_ops dscq_layer_softmax = {
    .name = "softmax",
    .alias = "soft",
    .summary = "probabilities; at the end of a network, its loss is cross-entropy",
    .param_bytes = sizeof(dscq_softmax_params),
    .keys = k_keys,
    .flags = DSCQ_LAYER_SOFTMAX,
    .does = DSCQ_DOES_SOFTMAX,
    .darknet = DSCQ_DARKNET_BOTH,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .needs_z = 1,
    .image_forward = forward,
    .image_backward = backward,
    .reference = reference,
};
