/* [upsample], [reorg]: values change their place, not their size. */
#include "nn_internal.h"

static const dscq_key k_keys[] = {
    DSCQ_KEY_INT_ROW(dscq_scale_factor_params, stride, 1, 64, "2", "factor"),
    DSCQ_KEY_END};

static int32_t factor_of(const dscq_node *n)
{
    return ((const dscq_scale_factor_params *)n->params)->stride;
}

static dscq_status upsample_infer(dscq_layer_shape *out, void *params,
                                  const dscq_shape *x, int32_t x_count, dscq_error *err)
{
    const dscq_scale_factor_params *p = params;

    (void)x_count;
    if (x->h > 65536 / p->stride || x->w > 65536 / p->stride)
        return dscq_fail(err, DSCQ_FORMAT, "stride = %d makes %d x %d too large",
                         (int)p->stride, (int)x->h, (int)x->w);
    out->out = (dscq_shape){1, x->h * p->stride, x->w * p->stride, x->c};
    return DSCQ_OK;
}

static void upsample_forward(const dscq_layer_io *io, int32_t image,
                             const float *const *x, float *z, void *state)
{
    const dscq_shape *s = &io->x[0].shape;

    (void)image;
    (void)state;
    io->k->upsample(x[0], s->h, s->w, s->c, factor_of(io->node), z);
}

static void upsample_backward(const dscq_layer_io *io, int32_t image,
                              const float *const *x, const float *z, const float *dz,
                              float *const *dx, const void *state)
{
    const dscq_shape *s = &io->x[0].shape;

    (void)image;
    (void)x;
    (void)z;
    (void)state;
    if (dx[0] != NULL)
        io->k->upsample_back(dz, s->h, s->w, s->c, factor_of(io->node), dx[0]);
}

static void upsample_reference(double *z, const dscq_node *node, const double *const *x,
                               const dscq_shape *x_shape, int32_t n, const double *w)
{
    const dscq_shape *o = &node->out, *s = &x_shape[0];
    const int32_t f = factor_of(node);
    size_t at = 0;

    (void)w;
    for (int32_t i = 0; i < n; i++)
        for (int32_t y = 0; y < o->h; y++)
            for (int32_t xx = 0; xx < o->w; xx++)
                for (int32_t c = 0; c < o->c; c++)
                    z[at++] =
                        x[0]
                         [(((size_t)i * (size_t)s->h + (size_t)(y / f)) * (size_t)s->w +
                           (size_t)(xx / f)) *
                              (size_t)s->c +
                          (size_t)c];
}

static dscq_status reorg_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                               int32_t x_count, dscq_error *err)
{
    const dscq_scale_factor_params *p = params;

    (void)x_count;
    if (x->h % p->stride != 0 || x->w % p->stride != 0 ||
        x->c > 1000000 / (p->stride * p->stride))
        return dscq_fail(err, DSCQ_FORMAT, "stride = %d does not divide %d x %d",
                         (int)p->stride, (int)x->h, (int)x->w);
    out->out = (dscq_shape){1, x->h / p->stride, x->w / p->stride,
                            x->c * p->stride * p->stride};
    return DSCQ_OK;
}

/* Runs of c channels: run i of the output is run source(i) of the input. */
static size_t source(const dscq_node *n, size_t run)
{
    const size_t f = (size_t)factor_of(n), ow = (size_t)n->out.w;
    const size_t dx = run % f, dy = run / f % f;
    const size_t ox = run / (f * f) % ow, oy = run / (f * f) / ow;

    return (oy * f + dy) * (ow * f) + ox * f + dx;
}

static void reorg_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                          float *z, void *state)
{
    const dscq_shape *s = &io->x[0].shape;
    const size_t c = (size_t)s->c;

    (void)image;
    (void)state;
    for (size_t i = 0; i < (size_t)s->h * (size_t)s->w; i++)
        io->k->load(NULL, x[0] + source(io->node, i) * c, c, z + i * c, c, 1, c);
}

static void reorg_backward(const dscq_layer_io *io, int32_t image,
                           const float *const *x, const float *z, const float *dz,
                           float *const *dx, const void *state)
{
    const dscq_shape *s = &io->x[0].shape;
    const size_t c = (size_t)s->c;

    (void)image;
    (void)x;
    (void)z;
    (void)state;
    for (size_t i = 0; dx[0] != NULL && i < (size_t)s->h * (size_t)s->w; i++) {
        float *to = dx[0] + source(io->node, i) * c;
        io->k->add(dz + i * c, to, to, c);
    }
}

static void reorg_reference(double *z, const dscq_node *node, const double *const *x,
                            const dscq_shape *x_shape, int32_t n, const double *w)
{
    const int32_t f = factor_of(node), c = x_shape[0].c, iw = x_shape[0].w;
    const size_t map = dscq_shape_count(&x_shape[0]);
    size_t at = 0;

    (void)w;
    for (int32_t i = 0; i < n; i++)
        for (int32_t y = 0; y < node->out.h; y++)
            for (int32_t xx = 0; xx < node->out.w; xx++)
                for (int32_t k = 0; k < node->out.c; k++) {
                    const int32_t block = k / c;
                    const int32_t iy = y * f + block / f, ix = xx * f + block % f;
                    z[at++] =
                        x[0][(size_t)i * map + (size_t)((iy * iw + ix) * c + k % c)];
                }
}

extern const dscq_layer_ops dscq_layer_upsample, dscq_layer_reorg;

const dscq_layer_ops dscq_layer_upsample = {
    .name = "upsample",
    .summary = "nearest neighbour by a whole factor",
    .param_bytes = sizeof(dscq_scale_factor_params),
    .keys = k_keys,
    .flags = DSCQ_LAYER_MOVES | DSCQ_LAYER_BETWEEN | DSCQ_LAYER_FOLLOWS,
    .does = DSCQ_DOES_UPSAMPLE,
    .darknet = DSCQ_DARKNET_BOTH,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = upsample_infer,
    .image_forward = upsample_forward,
    .image_backward = upsample_backward,
    .reference = upsample_reference,
};

const dscq_layer_ops dscq_layer_reorg = {
    .name = "reorg",
    .alias = "reorg3d",
    .summary = "space to depth: a block of pixels becomes one with more channels",
    .param_bytes = sizeof(dscq_scale_factor_params),
    .keys = k_keys,
    .flags = DSCQ_LAYER_MOVES | DSCQ_LAYER_BETWEEN,
    .does = DSCQ_DOES_REORG,
    .onnx = "SpaceToDepth",
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = reorg_infer,
    .image_forward = reorg_forward,
    .image_backward = reorg_backward,
    .reference = reorg_reference,
};
