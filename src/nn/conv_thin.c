/*
 * Convolutions of few channels (the first layer of a network): a row of the kernel
 * meets a row of the padded input as one matrix product whose rows overlap, so that
 * nothing is laid out first.
 */
#include "nn_internal.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { BAND_FLOATS = 24 * 1024 };

typedef struct plan {
    dscq_geom g;
    size_t k, depth; /* filters; kernel_w * c: of one kernel row  */
    size_t in_row;   /* floats of an input row, dense             */
    size_t slot;     /* floats of a padded row                    */
    size_t step;     /* floats between two windows                */
    size_t ldz;
    int32_t band, bands, rows; /* output rows of a task, tasks an image, input rows */
} plan;

static plan plan_of(const dscq_node *n)
{
    plan p = {.g = nn__geom(n)};
    const dscq_geom *g = &p.g;
    const size_t c = (size_t)g->c;
    const size_t reach = (size_t)(g->dilation_h * (g->kernel_h - 1) + 1);

    p.k = (size_t)n->out.c;
    p.depth = (size_t)g->kernel_w * c;
    p.in_row = (size_t)g->in_w * c;
    p.step = (size_t)g->stride_w * c;
    p.slot = nn__max((size_t)(g->out_w - 1) * p.step + p.depth,
                     (size_t)g->pad_left * c + p.in_row);
    p.ldz = dscq_row_stride(p.k);
    const size_t fit = BAND_FLOATS / nn__max(p.slot, (size_t)g->out_w * p.k);
    p.band = (int32_t)nn__min(nn__max(fit / (size_t)g->stride_h, 1), (size_t)g->out_h);
    p.bands = (g->out_h + p.band - 1) / p.band;
    p.rows = (p.band - 1) * g->stride_h + (int32_t)reach;
    return p;
}

static size_t scratch_floats(const dscq_node *n, int32_t images, const dscq_kernels *k)
{
    const plan p = plan_of(n);

    (void)images;
    return nn__room((size_t)p.rows * p.slot) + nn__room((size_t)p.g.out_w * p.ldz) +
           nn__room((size_t)p.g.out_w * p.depth) + nn__room((size_t)p.g.in_h * p.slot) +
           nn__room(k->gemm_tn_scratch_floats(p.k, p.depth)) +
           nn__sums_floats(nn__max(p.k, (size_t)p.g.c));
}

static size_t row_floats(const plan *p, const dscq_kernels *k, int back)
{
    return back ? k->gemm_packed_floats(p->depth, p->k)
                : k->gemm_packed_floats(p->k, p->depth);
}

static size_t pack_floats(const dscq_node *n, const dscq_kernels *k, int back)
{
    const plan p = plan_of(n);

    return (size_t)p.g.kernel_h * row_floats(&p, k, back);
}

static void pack(float *packed, const dscq_node *n, const dscq_kernels *k,
                 const float *w, int back)
{
    const plan p = plan_of(n);
    const size_t all = (size_t)p.g.kernel_h * p.depth;

    for (int32_t r = 0; r < p.g.kernel_h; r++) {
        float *to = packed + (size_t)r * row_floats(&p, k, back);
        const float *from = w + (size_t)r * p.depth;
        if (back)
            k->gemm_pack(to, from, p.depth, p.k, 1, all);
        else
            k->gemm_pack(to, from, p.k, p.depth, all, 1);
    }
}

/* Input rows that output rows [first, ...) of a band see, padded; strip is zeroed
 * where there is padding. */
static void load_strip(const dscq_layer_io *io, const plan *p, size_t image,
                       int32_t first, float *strip)
{
    const dscq_geom *g = &p->g;
    const dscq_edge *e = &io->x[0];
    const size_t c = (size_t)g->c, lead = (size_t)g->pad_left * c;
    const int32_t top = first * g->stride_h - g->pad_top;

    for (int32_t i = 0; i < p->rows; i++) {
        float *to = strip + (size_t)i * p->slot;
        const int32_t y = top + i;
        if (y < 0 || y >= g->in_h) {
            memset(to, 0, p->slot * sizeof(float));
            continue;
        }
        const float *z = e->z + (image * (size_t)g->in_h + (size_t)y) * p->in_row;
        memset(to, 0, lead * sizeof(float));
        io->k->load(e->is_plain ? NULL : &e->load, z, c, to + lead, c, (size_t)g->in_w,
                    c);
        if (p->slot > lead + p->in_row)
            memset(to + lead + p->in_row, 0,
                   (p->slot - lead - p->in_row) * sizeof(float));
    }
}

typedef struct pass {
    const dscq_layer_io *io;
    plan p;
    size_t groups, items;
} pass;

/* ---- forward ------------------------------------------------------------ */

static void forward_row(const dscq_layer_io *io, const plan *p, const float *strip,
                        float *z, const dscq_on_store *last)
{
    const dscq_geom *g = &p->g;

    for (int32_t r = 0; r < g->kernel_h; r++) {
        dscq_on_store s = {0};
        if (r + 1 == g->kernel_h)
            s = *last;
        s.add_to = r > 0;
        io->k->gemm(io->packed + (size_t)r * row_floats(p, io->k, 0),
                    strip + (size_t)(r * g->dilation_h) * p->slot, p->step, z, p->k,
                    (size_t)g->out_w, p->k, p->depth, &s);
    }
}

static void forward_task(void *ctx, size_t task, int worker)
{
    const pass *f = ctx;
    const dscq_layer_io *io = f->io;
    const plan *p = &f->p;
    const size_t end = nn__cut(f->items, f->groups, task + 1);
    const size_t out_row = (size_t)p->g.out_w * p->k;
    dscq_arena *scratch = &io->scratch[worker];

    dscq_arena_clear(scratch);
    float *strip = nn__take(scratch, (size_t)p->rows * p->slot);
    assert(strip != NULL);
    nn_sums sums = nn__sums_begin(scratch, io->sum, task, p->k, 0, p->k);
    const dscq_on_store s = nn__on_store(io, &sums, 0, 0);
    for (size_t i = nn__cut(f->items, f->groups, task); i < end; i++) {
        const nn_band b = nn__band(i, p->band, p->bands, p->g.out_h);
        load_strip(io, p, b.image, b.first, strip);
        for (int32_t oy = b.first; oy < b.stop; oy++) {
            float *z = io->z + (b.image * (size_t)p->g.out_h + (size_t)oy) * out_row;
            const size_t row = (size_t)((oy - b.first) * p->g.stride_h);
            forward_row(io, p, strip + row * p->slot, z, &s);
            nn__stored(io, z, (size_t)p->g.out_w, p->k, &sums);
        }
    }
    nn__sums_flush(&sums);
}

static size_t forward(const dscq_layer_io *io)
{
    pass f = {.io = io, .p = plan_of(io->node)};

    f.items = (size_t)io->n * (size_t)f.p.bands;
    f.groups = nn__min(f.items, DSCQ_SUM_GROUPS);
    dscq_pool_run(io->pool, f.groups, forward_task, &f);
    return f.groups;
}

/* ---- backward ----------------------------------------------------------- */

typedef struct buffers {
    float *strip, *dz, *cols, *dx, *tn;
} buffers;

/* dx: the image's gradient, rows of `slot` floats that begin at column -pad_left. */
static void spread_row(const dscq_layer_io *io, const plan *p, const float *dz,
                       int32_t oy, const buffers *b)
{
    const dscq_geom *g = &p->g;
    const dscq_on_store plain = {0};

    for (int32_t r = 0; r < g->kernel_h; r++) {
        const int32_t y = oy * g->stride_h - g->pad_top + r * g->dilation_h;
        if (y < 0 || y >= g->in_h)
            continue;
        io->k->gemm(io->packed_back + (size_t)r * row_floats(p, io->k, 1), dz, p->ldz,
                    b->cols, p->depth, (size_t)g->out_w, p->depth, p->k, &plain);
        for (size_t x = 0; x < (size_t)g->out_w; x++) {
            float *to = b->dx + (size_t)y * p->slot + x * p->step;
            for (size_t j = 0; j < p->depth; j++)
                to[j] += b->cols[x * p->depth + j];
        }
    }
}

static void weight_row(const dscq_layer_io *io, const plan *p, const float *dz,
                       const float *strip, float *dw, float *tn)
{
    const dscq_geom *g = &p->g;

    for (int32_t r = 0; r < g->kernel_h; r++)
        io->k->gemm_tn(dz, p->ldz, strip + (size_t)(r * g->dilation_h) * p->slot,
                       p->step, (size_t)g->out_w, p->k, p->depth,
                       dw + (size_t)r * p->depth, (size_t)g->kernel_h * p->depth, 1,
                       tn);
}

static void backward_image(const dscq_layer_io *io, const plan *p, size_t image,
                           float *dw, const buffers *b)
{
    const dscq_geom *g = &p->g;

    for (int32_t oy = 0; oy < g->out_h; oy++) {
        const int32_t in_band = oy % p->band;
        const float *dz =
            nn__load_dz(io, (image * (size_t)g->out_h + (size_t)oy) * (size_t)g->out_w,
                        (size_t)g->out_w, b->dz, p->ldz);
        if (dw != NULL && in_band == 0)
            load_strip(io, p, image, oy, b->strip);
        if (dw != NULL)
            weight_row(io, p, dz, b->strip + (size_t)(in_band * g->stride_h) * p->slot,
                       dw, b->tn);
        if (io->dx[0].g != NULL)
            spread_row(io, p, dz, oy, b);
    }
}

static void backward_task(void *ctx, size_t task, int worker)
{
    const pass *f = ctx;
    const dscq_layer_io *io = f->io;
    const plan *p = &f->p;
    const dscq_geom *g = &p->g;
    const dscq_sink *sink = &io->dx[0];
    const size_t weights = io->node->weights->count, c = (size_t)g->c;
    const size_t end = nn__cut(f->items, f->groups, task + 1);
    float *dw = io->dw != NULL ? nn__part(io->dw, io->dw_part, task, weights) : NULL;
    dscq_arena *scratch = &io->scratch[worker];
    buffers b;

    dscq_arena_clear(scratch);
    b.strip = nn__take(scratch, (size_t)p->rows * p->slot);
    b.dz = nn__take(scratch, (size_t)g->out_w * p->ldz);
    b.cols = nn__take(scratch, (size_t)g->out_w * p->depth);
    b.dx = nn__take(scratch, (size_t)g->in_h * p->slot);
    b.tn = nn__take(scratch, io->k->gemm_tn_scratch_floats(p->k, p->depth));
    assert(b.strip != NULL && b.dz != NULL && b.cols != NULL && b.dx != NULL &&
           b.tn != NULL);
    nn_sums sums = nn__sums_begin(
        scratch, sink->g != NULL && sink->last ? sink->sum : NULL, task, c, 0, c);
    if (dw != NULL)
        memset(dw, 0, weights * sizeof(float));
    for (size_t i = nn__cut(f->items, f->groups, task); i < end; i++) {
        if (sink->g != NULL)
            memset(b.dx, 0, (size_t)g->in_h * p->slot * sizeof(float));
        backward_image(io, p, i, dw, &b);
        for (int32_t y = 0; sink->g != NULL && y < g->in_h; y++)
            nn__sink_put(sink, io->k,
                         (i * (size_t)g->in_h + (size_t)y) * (size_t)g->in_w,
                         (size_t)g->in_w,
                         b.dx + (size_t)y * p->slot + (size_t)g->pad_left * c, &sums);
    }
    nn__sums_flush(&sums);
}

static size_t dw_part_floats(const dscq_node *n, int32_t images)
{
    return (nn__dw_groups((size_t)images, n->weights->count) - 1) *
           nn__part_stride(n->weights->count);
}

static size_t backward(const dscq_layer_io *io)
{
    pass f = {.io = io, .p = plan_of(io->node)};
    const size_t weights = io->node->weights->count;

    f.items = (size_t)io->n;
    f.groups = nn__dw_groups(f.items, weights);
    dscq_pool_run(io->pool, f.groups, backward_task, &f);
    if (io->dw != NULL)
        nn__reduce(io->pool, io->k, io->dw, io->dw_part, f.groups, weights);
    return f.groups;
}

const nn_conv_way nn__thin = {scratch_floats, pack_floats, pack,    NULL,
                              dw_part_floats, forward,     backward};
