/*
 * Depthwise convolution: one filter per channel, row by row through a ring of loaded
 * rows, so that a map larger than the cache is still read once.
 */
#include "nn_internal.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { KERNEL_MAX = 64, BAND_FLOATS = 96 * 1024 };

typedef struct plan {
    dscq_geom g;
    size_t c, taps, in_row, out_row; /* floats of a row, dense             */
    int32_t x_ring, z_ring;          /* rows kept                          */
    size_t x_slot, z_slot;           /* floats of a padded row             */
    int32_t lead;                    /* zero pixels before a row of dz     */
    int32_t band, bands;             /* output rows of a task, tasks an image */
} plan;

static plan plan_of(const dscq_node *n)
{
    plan p = {.g = nn__geom(n)};
    const dscq_geom *g = &p.g;
    const int32_t reach = g->dilation_h * (g->kernel_h - 1) + 1;

    p.c = (size_t)g->c;
    p.taps = (size_t)g->kernel_h * (size_t)g->kernel_w;
    p.in_row = (size_t)g->in_w * p.c;
    p.out_row = (size_t)g->out_w * p.c;
    p.x_ring = reach + g->stride_h;
    p.z_ring = (reach - 1) / g->stride_h + 2;
    p.lead = dscq_dw_dz_lead(g);
    p.x_slot =
        nn__max((size_t)dscq_dw_in_pixels(g), (size_t)g->pad_left + (size_t)g->in_w) *
        p.c;
    p.z_slot = (size_t)(p.lead + g->out_w + dscq_dw_dz_trail(g)) * p.c;
    p.band = g->out_h;
    if ((size_t)g->out_h * p.in_row * (size_t)g->stride_h > BAND_FLOATS) {
        const size_t rows = BAND_FLOATS / (p.in_row * (size_t)g->stride_h);
        p.band = (int32_t)nn__min(nn__max(rows, 4), (size_t)g->out_h);
    }
    p.bands = (g->out_h + p.band - 1) / p.band;
    return p;
}

static size_t scratch_floats(const dscq_node *n, int32_t images, const dscq_kernels *k)
{
    const plan p = plan_of(n);

    (void)images;
    (void)k;
    return nn__room((size_t)p.x_ring * p.x_slot) +
           nn__room((size_t)p.z_ring * p.z_slot) + nn__room(p.in_row) +
           nn__sums_floats(p.c);
}

static size_t pack_floats(const dscq_node *n, const dscq_kernels *k, int back)
{
    (void)k;
    return back ? 0 : n->weights->count; /* the same for both directions */
}

static void pack(float *packed, const dscq_node *n, const dscq_kernels *k,
                 const float *w, int back)
{
    if (!back)
        k->transpose(packed, w, (size_t)n->weights->k,
                     (size_t)n->weights->r * (size_t)n->weights->s);
}

/* ---- a ring of padded, loaded rows -------------------------------------------- */

typedef struct ring {
    const dscq_layer_io *io;
    const plan *p;
    float *x, *z;
    size_t image;
    int32_t next; /* first input row not loaded yet */
} ring;

static float *x_slot(const ring *r, int32_t row)
{
    return r->x + (size_t)(row % r->p->x_ring) * r->p->x_slot;
}

static float *z_slot(const ring *r, int32_t row)
{
    return r->z + (size_t)(row % r->p->z_ring) * r->p->z_slot;
}

static ring ring_begin(const dscq_layer_io *io, const plan *p, dscq_arena *scratch,
                       int with_z)
{
    ring r = {.io = io, .p = p};

    r.x = nn__take(scratch, (size_t)p->x_ring * p->x_slot);
    assert(r.x != NULL);
    memset(r.x, 0, (size_t)p->x_ring * p->x_slot * sizeof(float));
    if (with_z) {
        r.z = nn__take(scratch, (size_t)p->z_ring * p->z_slot);
        assert(r.z != NULL);
        memset(r.z, 0, (size_t)p->z_ring * p->z_slot * sizeof(float));
    }
    return r;
}

/* Load what output row oy needs; in[] are its rows. */
static void ring_rows(ring *r, int32_t oy, const float **in)
{
    const dscq_geom *g = &r->p->g;
    const dscq_edge *e = &r->io->x[0];
    const int32_t top = oy * g->stride_h - g->pad_top;
    const int32_t end = top + g->dilation_h * (g->kernel_h - 1) + 1;

    if (r->next < top)
        r->next = top;
    for (; r->next < end && r->next < g->in_h; r->next++) {
        const size_t first =
            (r->image * (size_t)g->in_h + (size_t)r->next) * (size_t)g->in_w;
        r->io->k->load(e->is_plain ? NULL : &e->load, e->z + first * r->p->c, r->p->c,
                       x_slot(r, r->next) + (size_t)g->pad_left * r->p->c, r->p->c,
                       (size_t)g->in_w, r->p->c);
    }
    for (int32_t i = 0; i < g->kernel_h; i++) {
        const int32_t row = top + i * g->dilation_h;
        in[i] = row >= 0 && row < g->in_h ? x_slot(r, row) : NULL;
    }
}

/* ---- forward --------------------------------------------------------------------- */

typedef struct pass {
    const dscq_layer_io *io;
    plan p;
    size_t groups, items;
    float *sum, *part; /* of the weight gradient, see nn__part() */
} pass;

static int is_far(const dscq_layer_io *io)
{
    dscq_shape map = io->node->out;

    map.n = io->n;
    return nn__is_far(&map);
}

static void forward_task(void *ctx, size_t task, int worker)
{
    const pass *f = ctx;
    const dscq_layer_io *io = f->io;
    const plan *p = &f->p;
    const size_t end = nn__cut(f->items, f->groups, task + 1);
    const float *in[KERNEL_MAX];
    dscq_arena *scratch = &io->scratch[worker];

    dscq_arena_clear(scratch);
    ring r = ring_begin(io, p, scratch, 0);
    nn_sums sums = nn__sums_begin(scratch, io->sum, task, p->c, 0, p->c);
    dscq_on_store s = nn__on_store(io, &sums, 0, 0);
    s.far = io->training && is_far(io);
    for (size_t i = nn__cut(f->items, f->groups, task); i < end; i++) {
        const nn_band b = nn__band(i, p->band, p->bands, p->g.out_h);
        r.image = b.image;
        r.next = 0;
        for (int32_t oy = b.first; oy < b.stop; oy++) {
            float *z = io->z + (r.image * (size_t)p->g.out_h + (size_t)oy) * p->out_row;
            ring_rows(&r, oy, in);
            io->k->dw_forward(&p->g, in, io->packed, z, &s);
            nn__stored(io, z, (size_t)p->g.out_w, p->c, &sums);
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

static void input_row(const ring *r, int32_t iy, float *dx, const dscq_sink *sink,
                      nn_sums *sums)
{
    const dscq_geom *g = &r->p->g;
    const float *dz[KERNEL_MAX];

    for (int32_t i = 0; i < g->kernel_h; i++) {
        const int32_t at = iy + g->pad_top - i * g->dilation_h;
        const int32_t oy = at / g->stride_h;
        dz[i] =
            at >= 0 && at % g->stride_h == 0 && oy < g->out_h ? z_slot(r, oy) : NULL;
    }
    r->io->k->dw_dgrad(g, dz, r->io->packed, dx);
    nn__sink_put(sink, r->io->k,
                 (r->image * (size_t)g->in_h + (size_t)iy) * (size_t)g->in_w,
                 (size_t)g->in_w, dx, sums);
}

static void backward_image(ring *r, float *dw, float *dx, const dscq_sink *sink,
                           nn_sums *sums)
{
    const dscq_layer_io *io = r->io;
    const plan *p = r->p;
    const dscq_geom *g = &p->g;
    const float *in[KERNEL_MAX];
    int32_t iy = 0;

    r->next = 0;
    for (int32_t oy = 0; oy < g->out_h; oy++) {
        float *dz = z_slot(r, oy) + (size_t)p->lead * p->c;
        const size_t first =
            (r->image * (size_t)g->out_h + (size_t)oy) * (size_t)g->out_w;
        if (io->coef[0] != NULL)
            io->k->bn_back(io->coef, io->g + first * p->c, io->z + first * p->c, dz,
                           p->c, (size_t)g->out_w, p->c);
        else
            memcpy(dz, io->g + first * p->c, p->out_row * sizeof(float));
        if (dw != NULL) {
            ring_rows(r, oy, in);
            io->k->dw_wgrad(g, in, dz, dw);
        }
        if (sink->g == NULL)
            continue;
        /* input rows that no later output row touches */
        int32_t ready = (oy + 1) * g->stride_h - g->pad_top;
        if (ready > g->in_h || oy + 1 == g->out_h)
            ready = g->in_h;
        for (; iy < ready; iy++)
            input_row(r, iy, dx, sink, sums);
    }
}

static void backward_task(void *ctx, size_t task, int worker)
{
    const pass *f = ctx;
    const dscq_layer_io *io = f->io;
    const plan *p = &f->p;
    const dscq_sink *sink = &io->dx[0];
    const size_t end = nn__cut(f->items, f->groups, task + 1);
    float *dw = io->dw != NULL ? nn__part(f->sum, f->part, task, p->taps * p->c) : NULL;
    dscq_arena *scratch = &io->scratch[worker];

    dscq_arena_clear(scratch);
    ring r = ring_begin(io, p, scratch, 1);
    float *dx = nn__take(scratch, p->in_row);
    assert(dx != NULL);
    nn_sums sums = nn__sums_begin(
        scratch, sink->g != NULL && sink->last ? sink->sum : NULL, task, p->c, 0, p->c);
    if (dw != NULL)
        memset(dw, 0, p->taps * p->c * sizeof(float));
    for (r.image = nn__cut(f->items, f->groups, task); r.image < end; r.image++)
        backward_image(&r, dw, dx, sink, &sums);
    nn__sums_flush(&sums);
}

static size_t dw_part_floats(const dscq_node *n, int32_t images)
{
    /* the first one is the sum before it is transposed */
    return nn__min((size_t)images, DSCQ_SUM_GROUPS) *
           nn__part_stride(n->weights->count);
}

static size_t backward(const dscq_layer_io *io)
{
    pass f = {.io = io, .p = plan_of(io->node)};
    const size_t count = io->node->weights->count;

    f.items = (size_t)io->n;
    f.groups = nn__min(f.items, DSCQ_SUM_GROUPS);
    f.sum = io->dw_part;
    f.part = f.sum + nn__part_stride(count);
    dscq_pool_run(io->pool, f.groups, backward_task, &f);
    if (io->dw != NULL) {
        nn__reduce(io->pool, io->k, f.sum, f.part, f.groups, count);
        io->k->transpose(io->dw, f.sum, f.p.taps, f.p.c);
    }
    return f.groups;
}

const nn_conv_way nn__depthwise = {scratch_floats, pack_floats, pack,    NULL,
                                   dw_part_floats, forward,     backward};
