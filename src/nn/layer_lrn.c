/* [lrn]: local response normalisation across channels (Krizhevsky et al. 2012, 3.3). */
#include "nn_internal.h"

#include <math.h>

/* clang-format off */
static const dscq_key k_keys[] = {
    DSCQ_KEY_INT_ROW(dscq_lrn_params, size, 1, 1024, "5", "channels across"),
    DSCQ_KEY_REAL_ROW(dscq_lrn_params, alpha, 0, 1e6, "1e-4", "weight of the mean square (divided by size)"),
    DSCQ_KEY_REAL_ROW(dscq_lrn_params, beta, 0, 100, "0.75", "exponent"),
    DSCQ_KEY_REAL_ROW(dscq_lrn_params, kappa, 1e-6, 1e6, "1", "constant"),
    DSCQ_KEY_END
};
/* clang-format on */

/* Channels [lo, hi) that c sees (ONNX: floor before, ceil behind). */
static void reach(const dscq_lrn_params *p, int32_t c, int32_t channels, int32_t *lo,
                  int32_t *hi)
{
    *lo = c - (p->size - 1) / 2;
    *hi = c + p->size / 2 + 1;
    *lo = *lo < 0 ? 0 : *lo;
    *hi = *hi > channels ? channels : *hi;
}

static size_t pixels_of(const dscq_layer_io *io)
{
    return (size_t)io->node->out.h * (size_t)io->node->out.w;
}

static float divisor(const dscq_lrn_params *p, const float *x, int32_t c,
                     int32_t channels)
{
    int32_t lo, hi;
    float sum = 0;

    reach(p, c, channels, &lo, &hi);
    for (int32_t j = lo; j < hi; j++)
        sum += x[j] * x[j];
    return (float)p->kappa + (float)(p->alpha / p->size) * sum;
}

static void forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                    float *z, void *state)
{
    const dscq_lrn_params *p = io->node->params;
    const int32_t channels = io->node->out.c;
    const size_t n = pixels_of(io);

    (void)image;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const float *in = x[0] + i * (size_t)channels;
        for (int32_t c = 0; c < channels; c++)
            z[i * (size_t)channels + (size_t)c] =
                in[c] * powf(divisor(p, in, c, channels), (float)-p->beta);
    }
}

/* dx_c = dy_c d_c^-beta - (2 alpha beta/size) x_c sum_j dy_j x_j d_j^(-beta-1), over
 * the channels j that see c. */
static void backward(const dscq_layer_io *io, int32_t image, const float *const *x,
                     const float *z, const float *dz, float *const *dx,
                     const void *state)
{
    const dscq_lrn_params *p = io->node->params;
    const int32_t channels = io->node->out.c;
    const float factor = (float)(2 * p->alpha * p->beta / p->size);

    (void)image;
    (void)state;
    if (dx[0] == NULL)
        return;
    for (size_t i = 0; i < pixels_of(io); i++) {
        const size_t at = i * (size_t)channels;
        const float *in = x[0] + at, *dy = dz + at, *y = z + at;
        float *out = dx[0] + at;
        for (int32_t j = 0; j < channels; j++) {
            const float d = divisor(p, in, j, channels);
            const float spread = factor * dy[j] * y[j] / d;
            int32_t lo, hi;
            reach(p, j, channels, &lo, &hi);
            out[j] += dy[j] * powf(d, (float)-p->beta);
            for (int32_t c = lo; c < hi; c++)
                out[c] -= spread * in[c];
        }
    }
}

static void reference(double *z, const dscq_node *node, const double *const *x,
                      const dscq_shape *x_shape, int32_t n, const double *w)
{
    const dscq_lrn_params *p = node->params;
    const int32_t channels = node->out.c;
    const size_t pixels = (size_t)n * (size_t)x_shape[0].h * (size_t)x_shape[0].w;

    (void)w;
    for (size_t i = 0; i < pixels; i++)
        for (int32_t c = 0; c < channels; c++) {
            double sum = 0;
            for (int32_t j = c - (p->size - 1) / 2; j <= c + p->size / 2; j++)
                if (j >= 0 && j < channels)
                    sum += pow(x[0][i * (size_t)channels + (size_t)j], 2);
            z[i * (size_t)channels + (size_t)c] =
                x[0][i * (size_t)channels + (size_t)c] /
                pow(p->kappa + p->alpha / p->size * sum, p->beta);
        }
}

extern const dscq_layer_ops dscq_layer_lrn;

const dscq_layer_ops dscq_layer_lrn = {
    .name = "lrn",
    .alias = "normalization",
    .summary = "local response normalisation across channels",
    .param_bytes = sizeof(dscq_lrn_params),
    .keys = k_keys,
    .does = DSCQ_DOES_LRN,
    .onnx = "LRN",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = nn__same_shape,
    .needs_x = 1,
    .needs_z = 1,
    .image_forward = forward,
    .image_backward = backward,
    .reference = reference,
};
