/*
 * Convolutions of any other kind: the window of every output pixel is laid out as a
 * row (im2col), a group of channels at a time, for blocks of pixels.
 */
#include "nn_internal.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { COLS_FLOATS = 192 * 1024, ROWS_MIN = 96, ROWS_MAX = 1024 };

typedef struct plan {
    dscq_geom g;
    size_t groups, c, k; /* channels of a group in and out        */
    size_t depth, ld;    /* r*s*c, row distance of the columns    */
    size_t in, out;      /* pixels of an image                    */
    size_t images;       /* of an item                            */
    size_t rows;         /* largest block of output pixels        */
    size_t ldz;          /* of loaded dz                          */
} plan;

static plan plan_of(const dscq_node *n, int32_t images)
{
    plan p = {.g = nn__geom(n)};

    p.groups = (size_t)p.g.groups;
    p.c = (size_t)n->weights->c;
    p.k = (size_t)n->weights->k / p.groups;
    p.depth = (size_t)n->weights->r * (size_t)n->weights->s * p.c;
    p.ld = dscq_row_stride(p.depth);
    p.in = (size_t)n->in.h * (size_t)n->in.w;
    p.out = (size_t)n->out.h * (size_t)n->out.w;
    p.ldz = dscq_row_stride((size_t)n->out.c);
    const size_t fit = nn__min(nn__max(COLS_FLOATS / p.ld, ROWS_MIN), ROWS_MAX);
    p.images = nn__min(nn__max(fit / p.out, 1), (size_t)images);
    p.rows = p.images > 1 ? p.images * p.out : nn__min(fit, p.out);
    return p;
}

static size_t group_floats(const plan *p, const dscq_kernels *k, int back)
{
    return back ? k->gemm_packed_floats(p->depth, p->k)
                : k->gemm_packed_floats(p->k, p->depth);
}

static size_t pack_floats(const dscq_node *n, const dscq_kernels *k, int back)
{
    const plan p = plan_of(n, 1);

    return p.groups * group_floats(&p, k, back);
}

static void pack(float *packed, const dscq_node *n, const dscq_kernels *k,
                 const float *w, int back)
{
    const plan p = plan_of(n, 1);

    for (size_t i = 0; i < p.groups; i++) {
        float *to = packed + i * group_floats(&p, k, back);
        const float *from = w + i * p.k * p.depth;
        if (back)
            k->gemm_pack(to, from, p.depth, p.k, 1, p.depth);
        else
            k->gemm_pack(to, from, p.k, p.depth, p.depth, 1);
    }
}

static size_t scratch_floats(const dscq_node *n, int32_t images, const dscq_kernels *k)
{
    const plan p = plan_of(n, images);
    const size_t map = p.in * (size_t)n->in.c;

    return 2 * nn__room(p.images * map) + nn__room(p.rows * p.ld) +
           nn__room(p.rows * p.ldz) +
           nn__room(k->gemm_tn_scratch_floats(p.k, p.depth)) +
           nn__sums_floats(nn__max((size_t)n->out.c, (size_t)n->in.c));
}

/* Output pixels [first, first+rows) of the item's images as rows of columns. */
static void columns(const plan *p, const dscq_kernels *k, const float *y, size_t group,
                    size_t first, size_t rows, float *cols)
{
    const size_t map = p->in * (size_t)p->g.c;

    while (rows > 0) {
        const size_t image = first / p->out, at = first % p->out;
        const size_t part = nn__min(rows, p->out - at);
        k->im2col(&p->g, y + image * map, (int32_t)group, at, part, cols, p->ld);
        cols += part * p->ld;
        first += part;
        rows -= part;
    }
}

/* ---- forward ------------------------------------------------------------ */

typedef struct pass {
    const dscq_layer_io *io;
    plan p;
    size_t items, groups, bands; /* an item: some images, or a band of one */
    size_t band;                 /* output rows of a band                  */
} pass;

/* The part of the input that output rows [first, end) see, as a geometry of its own. */
static plan band_of(const plan *whole, int32_t first, int32_t end, size_t *row_out)
{
    plan p = *whole;
    dscq_geom *g = &p.g;
    const int32_t reach = g->dilation_h * (g->kernel_h - 1) + 1;
    int32_t top = first * g->stride_h - g->pad_top;
    int32_t bottom = (end - 1) * g->stride_h - g->pad_top + reach;

    g->pad_top = top < 0 ? -top : 0;
    top = top < 0 ? 0 : top;
    top = top > g->in_h ? g->in_h : top;
    bottom = bottom > g->in_h ? g->in_h : bottom;
    g->in_h = bottom > top ? bottom - top : 0;
    g->out_h = end - first;
    p.in = (size_t)g->in_h * (size_t)g->in_w;
    p.out = (size_t)g->out_h * (size_t)g->out_w;
    *row_out = (size_t)top;
    return p;
}

static void forward_rows(const dscq_layer_io *io, const plan *p, const float *y,
                         size_t z_row, size_t rows, float *cols, nn_sums *sums)
{
    const size_t k_all = p->groups * p->k;

    for (size_t first = 0; first < rows; first += p->rows) {
        const size_t part = nn__min(rows - first, p->rows);
        float *z = io->z + (z_row + first) * k_all;
        for (size_t i = 0; i < p->groups; i++) {
            const size_t k0 = i * p->k;
            const dscq_on_store s = nn__on_store(io, sums, k0, k0);
            columns(p, io->k, y, i, first, part, cols);
            io->k->gemm(io->packed + i * group_floats(p, io->k, 0), cols, p->ld, z + k0,
                        k_all, part, p->k, p->depth, &s);
        }
        nn__stored(io, z, part, k_all, sums);
    }
}

static void forward_item(const pass *f, size_t item, float *y_buf, float *cols,
                         nn_sums *sums)
{
    const dscq_layer_io *io = f->io;
    const dscq_edge *e = &io->x[0];
    const size_t c = (size_t)e->shape.c;

    if (f->bands == 1) {
        const size_t image = item * f->p.images;
        const size_t images = nn__min((size_t)io->n - image, f->p.images);
        const float *y =
            nn__load_x(e, io->k, image * f->p.in, images * f->p.in, y_buf, c);
        forward_rows(io, &f->p, y, image * f->p.out, images * f->p.out, cols, sums);
        return;
    }
    const size_t image = item / f->bands, first = item % f->bands * f->band;
    const size_t end = nn__min(first + f->band, (size_t)f->p.g.out_h);
    size_t row;
    const plan p = band_of(&f->p, (int32_t)first, (int32_t)end, &row);
    const float *y =
        nn__load_x(e, io->k, image * f->p.in + row * (size_t)p.g.in_w, p.in, y_buf, c);
    forward_rows(io, &p, y, image * f->p.out + first * (size_t)p.g.out_w, p.out, cols,
                 sums);
}

static void forward_task(void *ctx, size_t task, int worker)
{
    const pass *f = ctx;
    const dscq_layer_io *io = f->io;
    const plan *p = &f->p;
    const size_t end = nn__cut(f->items, f->groups, task + 1);
    const size_t k_all = p->groups * p->k;
    dscq_arena *scratch = &io->scratch[worker];

    dscq_arena_clear(scratch);
    float *y_buf = nn__take(scratch, p->images * p->in * (size_t)p->g.c);
    float *cols = nn__take(scratch, p->rows * p->ld);
    assert(y_buf != NULL && cols != NULL);
    nn_sums sums = nn__sums_begin(scratch, io->sum, task, k_all, 0, k_all);
    for (size_t i = nn__cut(f->items, f->groups, task); i < end; i++)
        forward_item(f, i, y_buf, cols, &sums);
    nn__sums_flush(&sums);
}

static size_t forward(const dscq_layer_io *io)
{
    pass f = {.io = io, .p = plan_of(io->node, io->n_max), .bands = 1};
    const size_t out_w = (size_t)f.p.g.out_w;

    f.items = ((size_t)io->n + f.p.images - 1) / f.p.images;
    if (f.p.images == 1) {
        f.band = nn__max(f.p.rows / out_w, 1);
        f.bands = ((size_t)f.p.g.out_h + f.band - 1) / f.band;
        f.items = (size_t)io->n * f.bands;
    }
    f.groups = nn__min(f.items, DSCQ_SUM_GROUPS);
    dscq_pool_run(io->pool, f.groups, forward_task, &f);
    return f.groups;
}

/* ---- backward ----------------------------------------------------------- */

typedef struct buffers {
    float *y, *dx, *cols, *dz, *tn;
} buffers;

static void backward_rows(const pass *b, size_t image, const float *y, size_t first,
                          size_t rows, float *dw, const buffers *buf)
{
    const dscq_layer_io *io = b->io;
    const plan *p = &b->p;
    const size_t map = p->in * (size_t)p->g.c;
    const size_t ldz = p->ldz;
    const dscq_on_store plain = {0};
    const float *dz = nn__load_dz(io, image * p->out + first, rows, buf->dz, ldz);

    for (size_t i = 0; i < p->groups; i++) {
        if (dw != NULL) {
            columns(p, io->k, y, i, first, rows, buf->cols);
            io->k->gemm_tn(dz + i * p->k, ldz, buf->cols, p->ld, rows, p->k, p->depth,
                           dw + i * p->k * p->depth, p->depth, 1, buf->tn);
        }
        if (io->dx[0].g == NULL)
            continue;
        io->k->gemm(io->packed_back + i * group_floats(p, io->k, 1), dz + i * p->k, ldz,
                    buf->cols, p->ld, rows, p->depth, p->k, &plain);
        for (size_t r = 0; r < rows;) {
            const size_t at = (first + r) % p->out, in_item = (first + r) / p->out;
            const size_t part = nn__min(rows - r, p->out - at);
            io->k->col2im_add(&p->g, buf->cols + r * p->ld, p->ld, (int32_t)i, at, part,
                              buf->dx + in_item * map);
            r += part;
        }
    }
}

static void backward_task(void *ctx, size_t task, int worker)
{
    const pass *b = ctx;
    const dscq_layer_io *io = b->io;
    const plan *p = &b->p;
    const dscq_sink *sink = &io->dx[0];
    const size_t c = (size_t)p->g.c, weights = io->node->weights->count;
    const size_t end = nn__cut(b->items, b->groups, task + 1);
    float *dw = io->dw != NULL ? nn__part(io->dw, io->dw_part, task, weights) : NULL;
    dscq_arena *scratch = &io->scratch[worker];
    buffers buf;

    dscq_arena_clear(scratch);
    buf.y = nn__take(scratch, p->images * p->in * c);
    buf.dx = nn__take(scratch, p->images * p->in * c);
    buf.cols = nn__take(scratch, p->rows * p->ld);
    buf.dz = nn__take(scratch, p->rows * p->ldz);
    buf.tn = nn__take(scratch, io->k->gemm_tn_scratch_floats(p->k, p->depth));
    assert(buf.y != NULL && buf.dx != NULL && buf.cols != NULL && buf.dz != NULL &&
           buf.tn != NULL);
    nn_sums sums = nn__sums_begin(
        scratch, sink->g != NULL && sink->last ? sink->sum : NULL, task, c, 0, c);
    if (dw != NULL)
        memset(dw, 0, weights * sizeof(float));
    for (size_t i = nn__cut(b->items, b->groups, task); i < end; i++) {
        const size_t image = i * p->images;
        const size_t images = nn__min((size_t)io->n - image, p->images);
        const size_t rows = images * p->out;
        const float *y = NULL;
        if (dw != NULL)
            y = nn__load_x(&io->x[0], io->k, image * p->in, images * p->in, buf.y, c);
        if (sink->g != NULL)
            memset(buf.dx, 0, images * p->in * c * sizeof(float));
        for (size_t r = 0; r < rows; r += p->rows)
            backward_rows(b, image, y, r, nn__min(rows - r, p->rows), dw, &buf);
        if (sink->g != NULL)
            nn__sink_put(sink, io->k, image * p->in, images * p->in, buf.dx, &sums);
    }
    nn__sums_flush(&sums);
}

static size_t items_of(const plan *p, int32_t images)
{
    return ((size_t)images + p->images - 1) / p->images;
}

static size_t dw_part_floats(const dscq_node *n, int32_t images)
{
    const plan p = plan_of(n, images);

    return (nn__dw_groups(items_of(&p, images), n->weights->count) - 1) *
           nn__part_stride(n->weights->count);
}

static size_t backward(const dscq_layer_io *io)
{
    pass b = {.io = io, .p = plan_of(io->node, io->n_max)};
    const size_t weights = io->node->weights->count;

    b.items = items_of(&b.p, io->n);
    b.groups = nn__dw_groups(b.items, weights);
    dscq_pool_run(io->pool, b.groups, backward_task, &b);
    if (io->dw != NULL)
        nn__reduce(io->pool, io->k, io->dw, io->dw_part, b.groups, weights);
    return b.groups;
}

const nn_conv_way nn__dense = {scratch_floats, pack_floats, pack,    NULL,
                               dw_part_floats, forward,     backward};
