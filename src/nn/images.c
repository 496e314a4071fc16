/* Layers that are written for one image: the engine's loops around them. */
#include "nn_internal.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static size_t map_floats(const dscq_shape *s)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

size_t nn__images_scratch(const dscq_node *node, const dscq_shape *x, int32_t x_count)
{
    size_t floats =
        nn__room(map_floats(&node->out)) + nn__sums_floats((size_t)node->out.c);

    for (int32_t i = 0; i < x_count; i++)
        floats += 2 * nn__room(map_floats(&x[i])) + nn__sums_floats((size_t)x[i].c);
    return floats;
}

static size_t groups_of(const dscq_layer_io *io)
{
    return nn__min((size_t)io->n, DSCQ_SUM_GROUPS);
}

static void *state_of(const dscq_layer_io *io, size_t image)
{
    if (io->state == NULL)
        return NULL;
    const size_t bytes = io->node->ops->state_bytes(io->node, &io->x[0].shape);
    return (unsigned char *)io->state + image * bytes;
}

static void load_inputs(const float **x, const dscq_layer_io *io, float *const *buf,
                        size_t image)
{
    for (int32_t i = 0; i < io->x_count; i++) {
        const dscq_shape *s = &io->x[i].shape;
        const size_t rows = (size_t)s->h * (size_t)s->w;
        x[i] = nn__load_x(&io->x[i], io->k, image * rows, rows, buf[i], (size_t)s->c);
    }
}

static void take_inputs(float **buf, const dscq_layer_io *io, dscq_arena *scratch)
{
    for (int32_t i = 0; i < io->x_count; i++) {
        buf[i] = NULL;
        if (io->x[i].is_plain)
            continue;
        buf[i] = nn__take(scratch, map_floats(&io->x[i].shape));
        assert(buf[i] != NULL);
    }
}

static void forward_task(void *ctx, size_t task, int worker)
{
    const dscq_layer_io *io = ctx;
    dscq_arena *scratch = &io->scratch[worker];
    const size_t groups = groups_of(io);
    const size_t c = (size_t)io->node->out.c, floats = map_floats(&io->node->out);
    const size_t end = nn__cut((size_t)io->n, groups, task + 1);
    const float *x[DSCQ_NODE_INPUTS];
    float *buf[DSCQ_NODE_INPUTS];

    dscq_arena_clear(scratch);
    take_inputs(buf, io, scratch);
    nn_sums sums = nn__sums_begin(scratch, io->sum, task, c, 0, c);
    for (size_t i = nn__cut((size_t)io->n, groups, task); i < end; i++) {
        float *z = io->z + i * floats;
        load_inputs(x, io, buf, i);
        io->node->ops->image_forward(io, (int32_t)i, x, z, state_of(io, i));
        for (size_t r = 0; io->sum != NULL && r < floats / c; r += NN_FLUSH_ROWS) {
            const size_t part = nn__min(floats / c - r, NN_FLUSH_ROWS);
            io->k->stat(z + r * c, c, part, c, sums.a, sums.b);
            nn__sums_count(&sums, part);
        }
        if (!io->training)
            nn__post(io, z, floats / c, c);
    }
    nn__sums_flush(&sums);
}

size_t nn__images_forward(const dscq_layer_io *io)
{
    dscq_pool_run(io->pool, groups_of(io), forward_task, (void *)(uintptr_t)io);
    return groups_of(io);
}

static void backward_image(const dscq_layer_io *io, size_t i, float *const *x_buf,
                           float *dz_buf, float *const *dx_buf, nn_sums *sums)
{
    const dscq_node *node = io->node;
    const size_t c = (size_t)node->out.c, floats = map_floats(&node->out);
    const float *x[DSCQ_NODE_INPUTS] = {NULL};
    float *dx[DSCQ_NODE_INPUTS];
    const float *dz = nn__load_dz(io, i * (floats / c), floats / c, dz_buf, c);

    if (io->x_count == 1 && io->dx[0].from_output && io->dx[0].act != DSCQ_ACT_LINEAR) {
        const dscq_on_load act = {.act = io->dx[0].act};
        io->k->mask(&act, io->z + i * floats, dz, NULL, dz_buf, floats / c, c, NULL,
                    NULL, 0);
        dz = dz_buf;
    }
    if (node->ops->needs_x)
        load_inputs(x, io, x_buf, i);
    for (int32_t j = 0; j < io->x_count; j++) {
        dx[j] = dx_buf[j];
        if (dx[j] != NULL)
            memset(dx[j], 0, map_floats(&io->x[j].shape) * sizeof(float));
    }
    node->ops->image_backward(io, (int32_t)i, x, io->z + i * floats, dz, dx,
                              state_of(io, i));
    for (int32_t j = 0; j < io->x_count; j++) {
        const dscq_shape *s = &io->x[j].shape;
        const size_t rows = (size_t)s->h * (size_t)s->w;
        if (dx[j] != NULL)
            nn__sink_put(&io->dx[j], io->k, i * rows, rows, dx[j], &sums[j]);
    }
}

static void backward_task(void *ctx, size_t task, int worker)
{
    const dscq_layer_io *io = ctx;
    dscq_arena *scratch = &io->scratch[worker];
    const size_t groups = groups_of(io);
    const size_t end = nn__cut((size_t)io->n, groups, task + 1);
    float *x_buf[DSCQ_NODE_INPUTS], *dx_buf[DSCQ_NODE_INPUTS], *dz_buf;
    nn_sums sums[DSCQ_NODE_INPUTS];

    dscq_arena_clear(scratch);
    take_inputs(x_buf, io, scratch);
    dz_buf = nn__take(scratch, map_floats(&io->node->out));
    assert(dz_buf != NULL);
    for (int32_t j = 0; j < io->x_count; j++) {
        const dscq_sink *s = &io->dx[j];
        const size_t c = (size_t)io->x[j].shape.c;
        dx_buf[j] = NULL;
        if (s->g == NULL)
            continue;
        dx_buf[j] = nn__take(scratch, map_floats(&io->x[j].shape));
        sums[j] = nn__sums_begin(scratch, s->last ? s->sum : NULL, task, c, 0, c);
        assert(dx_buf[j] != NULL);
    }
    for (size_t i = nn__cut((size_t)io->n, groups, task); i < end; i++)
        backward_image(io, i, x_buf, dz_buf, dx_buf, sums);
    for (int32_t j = 0; j < io->x_count; j++)
        if (dx_buf[j] != NULL)
            nn__sums_flush(&sums[j]);
}

size_t nn__images_backward(const dscq_layer_io *io)
{
    dscq_pool_run(io->pool, groups_of(io), backward_task, (void *)(uintptr_t)io);
    return groups_of(io);
}
