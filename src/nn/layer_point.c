/* [batchnorm], [activation], [dropout]: each value by itself. */
#include "nn_internal.h"

#include <math.h>
#include <string.h>

static const dscq_key k_dropout_keys[] = {
    DSCQ_KEY_REAL_ROW(dscq_dropout_params, probability, 0, 0.99, "0.5",
                      "share of the values set to 0 in training"),
    DSCQ_KEY_END};

dscq_status nn__same_shape(dscq_layer_shape *out, void *params, const dscq_shape *x,
                           int32_t x_count, dscq_error *err)
{
    (void)params;
    (void)x_count;
    (void)err;
    out->out = *x;
    return DSCQ_OK;
}

static size_t floats_of(const dscq_layer_io *io)
{
    const dscq_shape *s = &io->node->out;

    return (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

void nn__copy_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                      float *z, void *state)
{
    (void)image;
    (void)state;
    memcpy(z, x[0], floats_of(io) * sizeof(float));
}

void nn__copy_backward(const dscq_layer_io *io, int32_t image, const float *const *x,
                       const float *z, const float *dz, float *const *dx,
                       const void *state)
{
    (void)image;
    (void)x;
    (void)z;
    (void)state;
    if (dx[0] != NULL)
        io->k->add(dz, dx[0], dx[0], floats_of(io));
}

static void copy_reference(double *z, const dscq_node *node, const double *const *x,
                           const dscq_shape *x_shape, int32_t n, const double *w)
{
    const size_t count = dscq_shape_count(&x_shape[0]) * (size_t)n;

    (void)node;
    (void)w;
    for (size_t i = 0; i < count; i++)
        z[i] = x[0][i];
}

/* The mask is not stored: the same numbers are drawn again. */
static void drop(const dscq_layer_io *io, int32_t image, const float *from, float *to,
                 int add)
{
    const dscq_dropout_params *p = io->node->params;
    const float keep = (float)(1.0 - p->probability), scale = 1.0f / keep;
    dscq_rng r = dscq_rng_fork(&io->rng, "dropout", (uint64_t)image);

    for (size_t i = 0; i < floats_of(io); i++) {
        const float factor = dscq_rng_unit(&r) < keep ? scale : 0.0f;
        to[i] = (add ? to[i] : 0.0f) + factor * from[i];
    }
}

static void dropout_forward(const dscq_layer_io *io, int32_t image,
                            const float *const *x, float *z, void *state)
{
    if (io->training && io->has_rng)
        drop(io, image, x[0], z, 0);
    else
        nn__copy_forward(io, image, x, z, state);
}

static void dropout_backward(const dscq_layer_io *io, int32_t image,
                             const float *const *x, const float *z, const float *dz,
                             float *const *dx, const void *state)
{
    if (io->has_rng && dx[0] != NULL)
        drop(io, image, dz, dx[0], 1);
    else
        nn__copy_backward(io, image, x, z, dz, dx, state);
}

extern const dscq_layer_ops dscq_layer_batchnorm, dscq_layer_activation,
    dscq_layer_dropout;

const dscq_layer_ops dscq_layer_batchnorm = {
    .name = "batchnorm",
    .summary = "normalise each channel over the batch",
    .keys = nn__no_keys,
    .flags =
        DSCQ_LAYER_NORM | DSCQ_LAYER_ALWAYS_NORM | DSCQ_LAYER_ACT | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_NORM,
    .darknet = DSCQ_DARKNET_BOTH,
    .onnx = "Identity",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = nn__same_shape,
    .image_forward = nn__copy_forward,
    .image_backward = nn__copy_backward,
    .reference = copy_reference,
};

const dscq_layer_ops dscq_layer_activation = {
    .name = "activation",
    .summary = "an activation by itself",
    .keys = nn__no_keys,
    .flags = DSCQ_LAYER_ACT | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_SAME,
    .onnx = "Identity",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = nn__same_shape,
    .image_forward = nn__copy_forward,
    .image_backward = nn__copy_backward,
    .reference = copy_reference,
};

const dscq_layer_ops dscq_layer_dropout = {
    .name = "dropout",
    .summary = "set random values to 0 in training, scale the others up",
    .param_bytes = sizeof(dscq_dropout_params),
    .keys = k_dropout_keys,
    .flags = DSCQ_LAYER_VIEW_EVAL | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_PASS,
    .darknet = DSCQ_DARKNET_BOTH,
    .onnx = "Identity",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = nn__same_shape,
    .image_forward = dropout_forward,
    .image_backward = dropout_backward,
    .reference = copy_reference,
};
