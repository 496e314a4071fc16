/*
 * 1x1 convolutions and connected layers: Z = Y W^T over rows (pixels or images).
 *
 * Rows come in blocks that stay in cache; a block is loaded (normalised, activated)
 * once and meets all columns. Matrices wider than CHUNK are packed as column chunks,
 * which are also tasks of their own when there are few rows.
 */
#include "nn_internal.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum {
    CHUNK = 256,
    BLOCK_FLOATS = 48 * 1024,
    ROWS_MIN = 128,
    ROWS_MAX = 4032,
    TASKS = 16
};

typedef struct matrix {
    size_t m, c, k; /* rows, columns in, columns out */
    size_t pixels;  /* of the input per row          */
    size_t ldx, ldz;
    size_t block, blocks;
} matrix;

static matrix matrix_of(const dscq_node *n, int32_t images)
{
    const dscq_weights *w = n->weights;
    matrix x = {.c = (size_t)w->c, .k = (size_t)w->k};

    x.pixels = x.c / (size_t)n->in.c;
    x.m = (size_t)images * (size_t)n->out.h * (size_t)n->out.w;
    x.ldx = dscq_row_stride(x.c);
    x.ldz = dscq_row_stride(x.k);
    x.block = nn__min(nn__max(BLOCK_FLOATS / (x.c + x.k), ROWS_MIN), ROWS_MAX);
    x.block = nn__min((x.block + 23) / 24 * 24, nn__max(x.m, 1));
    assert(x.block > 0);
    x.blocks = (x.m + x.block - 1) / x.block;
    return x;
}

enum { TILE = 24 }; /* rows that a micro-kernel likes to meet at once */

/* Groups of rows: an even number, so that two threads have equally many. */
static size_t groups_of(const matrix *x)
{
    const size_t even = x->blocks + (x->blocks > 1 ? x->blocks % 2 : 0);

    return nn__min(even, DSCQ_SUM_GROUPS);
}

/* The rows of group g of `groups`, equal shares to a tile, and how many are visited at
 * a time: by whole blocks a thread would wait for another one's last. */
typedef struct rows_range {
    size_t first, end, block;
} rows_range;

static rows_range rows_of(const matrix *x, size_t groups, size_t g)
{
    const size_t tiles = (x->m + TILE - 1) / TILE;

    rows_range r = {nn__cut(tiles, groups, g) * TILE,
                    nn__min(nn__cut(tiles, groups, g + 1) * TILE, x->m), 0};
    const size_t count = r.end - r.first, blocks = (count + x->block - 1) / x->block;
    r.block = ((count + blocks - 1) / blocks + TILE - 1) / TILE * TILE;
    return r;
}

/* ---- packing --------------------------------------------------------------- */

static size_t chunk_count(size_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

static size_t chunk_end(size_t n, size_t i)
{
    return nn__min((i + 1) * CHUNK, n);
}

/* Floats in front of chunk i. */
static size_t chunk_at(const dscq_kernels *k, size_t n, size_t depth, size_t i)
{
    if (i == 0)
        return 0;
    if (i * CHUNK >= n)
        return (i - 1) * k->gemm_packed_floats(CHUNK, depth) +
               k->gemm_packed_floats(n - (i - 1) * CHUNK, depth);
    return i * k->gemm_packed_floats(CHUNK, depth);
}

static size_t pack_floats(const dscq_node *n, const dscq_kernels *k, int back)
{
    const size_t cols = (size_t)(back ? n->weights->c : n->weights->k);
    const size_t depth = (size_t)(back ? n->weights->k : n->weights->c);

    return chunk_at(k, cols, depth, chunk_count(cols));
}

static void pack(float *packed, const dscq_node *n, const dscq_kernels *k,
                 const float *w, int back)
{
    const size_t in = (size_t)n->weights->c, out = (size_t)n->weights->k;
    const size_t cols = back ? in : out, depth = back ? out : in;

    for (size_t i = 0; i < chunk_count(cols); i++) {
        const size_t first = i * CHUNK, count = chunk_end(cols, i) - first;
        float *to = packed + chunk_at(k, cols, depth, i);
        if (back)
            k->gemm_pack(to, w + first, count, depth, 1, in);
        else
            k->gemm_pack(to, w + first * in, count, depth, in, 1);
    }
}

/* ---- loads ------------------------------------------------------------------ */

/* Rows [first, first+rows) of the input matrix; *ld: their distance. */
static const float *load_rows(const dscq_layer_io *io, const matrix *x, size_t first,
                              size_t rows, float *buf, size_t *ld)
{
    const dscq_edge *e = &io->x[0];

    *ld = x->c;
    if (e->is_plain)
        return e->z + first * x->c;
    if (x->pixels == 1)
        *ld = x->ldx;
    return nn__load_x(e, io->k, first * x->pixels, rows * x->pixels, buf,
                      x->pixels == 1 ? x->ldx : (size_t)e->shape.c);
}

/* ---- few rows, many weights ---------------------------------------------------- */

/* PIECE: columns that are packed at once, whole panels of any kernel family. */
enum { WIDE_ROWS = 64, WIDE_OUT = 64, PIECE = 48, PIECE_WEIGHTS = 512 * 1024 };

static size_t wide_floats(const matrix *x)
{
    return x->m * (x->ldz + nn__max(x->ldx, x->c) + x->c) + 48;
}

static int is_wide(const matrix *planned)
{
    return planned->blocks > 1 ? wide_floats(planned) < 8 * planned->c * planned->k
                               : planned->c * planned->k > 64 * 1024;
}

/* Where every weight meets one block of rows, a packed copy would be read only once:
 * pieces are packed into the cache instead. */
static int packs_itself(const dscq_node *n, int32_t images)
{
    const matrix x = matrix_of(n, images);

    return x.blocks == 1 && is_wide(&x) && x.c * x.k >= PIECE_WEIGHTS && !n->normalised;
}

static size_t piece_floats(const matrix *x, const dscq_kernels *k)
{
    return k->gemm_packed_floats(PIECE, nn__max(x->c, x->k));
}

/* ---- forward ----------------------------------------------------------------- */

typedef struct forward_ctx {
    const dscq_layer_io *io;
    matrix x;
    size_t groups, splits; /* tasks = groups * splits */
} forward_ctx;

static void forward_block(const forward_ctx *f, size_t first, size_t rows, size_t chunk,
                          size_t chunk_stop, float *buf, float *piece, nn_sums *sums,
                          size_t sum_first)
{
    const dscq_layer_io *io = f->io;
    const matrix *x = &f->x;
    size_t ld;
    const float *a = load_rows(io, x, first, rows, buf, &ld);

    const size_t step = piece != NULL ? PIECE : CHUNK;
    const size_t stop = chunk_end(x->k, chunk_stop - 1);
    for (size_t col = chunk * CHUNK; col < stop; col += step) {
        const size_t cols = nn__min(stop - col, step);
        const float *packed = piece;
        const dscq_on_store s = nn__on_store(io, sums, col, col - sum_first);
        if (piece == NULL)
            packed = io->packed + chunk_at(io->k, x->k, x->c, col / CHUNK);
        else
            io->k->gemm_pack(piece, io->node->weights->w_used + col * x->c, cols, x->c,
                             x->c, 1);
        io->k->gemm(packed, a, ld, io->z + first * x->k + col, x->k, rows, cols, x->c,
                    &s);
    }
    nn__sums_count(sums, rows);
}

static void forward_task(void *ctx, size_t task, int worker)
{
    const forward_ctx *f = ctx;
    const dscq_layer_io *io = f->io;
    const matrix *x = &f->x;
    const size_t group = task / f->splits, split = task % f->splits;
    const size_t chunks = chunk_count(x->k);
    const size_t chunk = nn__cut(chunks, f->splits, split);
    const size_t chunk_stop = nn__cut(chunks, f->splits, split + 1);
    const size_t col = chunk * CHUNK, cols = chunk_end(x->k, chunk_stop - 1) - col;
    const rows_range range = rows_of(x, f->groups, group);
    dscq_arena *scratch = &io->scratch[worker];

    dscq_arena_clear(scratch);
    float *buf = nn__take(scratch, x->block * x->ldx), *piece = NULL;
    assert(buf != NULL);
    if (io->packed == NULL) {
        piece = nn__take(scratch, piece_floats(x, io->k));
        assert(piece != NULL);
    }
    nn_sums sums = nn__sums_begin(scratch, io->sum, group, x->k, col, cols);
    for (size_t first = range.first; first < range.end; first += range.block) {
        const size_t rows = nn__min(range.end - first, range.block);
        forward_block(f, first, rows, chunk, chunk_stop, buf, piece, &sums, col);
        if (!io->training && io->post.quant != NULL)
            for (size_t r = 0; r < rows; r++)
                io->k->quantise(io->post.quant, io->z + (first + r) * x->k + col,
                                io->z + (first + r) * x->k + col, cols);
    }
    nn__sums_flush(&sums);
}

static size_t forward(const dscq_layer_io *io)
{
    forward_ctx f = {.io = io, .x = matrix_of(io->node, io->n)};

    f.groups = groups_of(&f.x);
    f.splits = 1;
    if (f.groups < TASKS)
        f.splits = nn__min(chunk_count(f.x.k), TASKS / f.groups);
    dscq_pool_run(io->pool, f.groups * f.splits, forward_task, &f);
    return f.groups;
}

/* ---- backward, many rows: one visit of a block makes dW and dX ----------------- */

typedef struct backward_ctx {
    const dscq_layer_io *io;
    matrix x;
    size_t groups;
    /* few rows: whole matrices */
    float *dz, *y, *dx;
    size_t ldy, slabs;
} backward_ctx;

static void input_gradient(const dscq_layer_io *io, const matrix *x, const float *dz,
                           size_t rows, float *dx, size_t chunk, size_t chunk_stop)
{
    const dscq_on_store s = {0};

    for (; chunk < chunk_stop; chunk++) {
        const size_t col = chunk * CHUNK, cols = chunk_end(x->c, chunk) - col;
        io->k->gemm(io->packed_back + chunk_at(io->k, x->c, x->k, chunk), dz, x->ldz,
                    dx + col, x->c, rows, cols, x->k, &s);
    }
}

static void fused_task(void *ctx, size_t task, int worker)
{
    const backward_ctx *b = ctx;
    const dscq_layer_io *io = b->io;
    const matrix *x = &b->x;
    const dscq_sink *sink = &io->dx[0];
    const size_t c = (size_t)io->node->in.c;
    const rows_range range = rows_of(x, b->groups, task);
    dscq_arena *scratch = &io->scratch[worker];
    float *dw =
        io->dw != NULL ? nn__part(io->dw, io->dw_part, task, x->c * x->k) : NULL;

    dscq_arena_clear(scratch);
    float *y_buf = nn__take(scratch, x->block * x->ldx);
    float *dz_buf = nn__take(scratch, x->block * x->ldz);
    float *dx_buf = nn__take(scratch, x->block * x->c);
    float *tn = nn__take(scratch, io->k->gemm_tn_scratch_floats(x->k, x->c));
    assert(y_buf != NULL && dz_buf != NULL && dx_buf != NULL && tn != NULL);
    nn_sums sums = nn__sums_begin(
        scratch, sink->g != NULL && sink->last ? sink->sum : NULL, task, c, 0, c);
    for (size_t first = range.first; first < range.end; first += range.block) {
        const size_t rows = nn__min(range.end - first, range.block);
        const float *dz = nn__load_dz(io, first, rows, dz_buf, x->ldz);
        if (dw != NULL) {
            size_t ld;
            const float *y = load_rows(io, x, first, rows, y_buf, &ld);
            io->k->gemm_tn(dz, x->ldz, y, ld, rows, x->k, x->c, dw, x->c,
                           first > range.first, tn);
        }
        if (sink->g == NULL)
            continue;
        input_gradient(io, x, dz, rows, dx_buf, 0, chunk_count(x->c));
        nn__sink_put(sink, io->k, first * x->pixels, rows * x->pixels, dx_buf, &sums);
    }
    nn__sums_flush(&sums);
}

/* ---- backward, few rows, many weights: whole matrices, no partial sums ----------- */

static void wide_load_task(void *ctx, size_t task, int worker)
{
    const backward_ctx *b = ctx;
    const matrix *x = &b->x;
    const size_t first = task * WIDE_ROWS, rows = nn__min(x->m - first, WIDE_ROWS);
    float *dz = b->dz + first * x->ldz;
    float *y = b->y + first * b->ldy;

    (void)worker;
    if (nn__load_dz(b->io, first, rows, dz, x->ldz) != dz) /* dense g, ldz = k */
        memcpy(dz, b->io->g + first * x->k, rows * x->k * sizeof(float));
    if (b->io->dw == NULL)
        return;
    const dscq_edge *e = &b->io->x[0];
    const size_t ld = x->pixels == 1 ? x->ldx : (size_t)e->shape.c;
    if (nn__load_x(e, b->io->k, first * x->pixels, rows * x->pixels, y, ld) != y)
        memcpy(y, e->z + first * x->c, rows * x->c * sizeof(float));
}

static void wide_dw_task(void *ctx, size_t task, int worker)
{
    const backward_ctx *b = ctx;
    const matrix *x = &b->x;
    const size_t first = task * WIDE_OUT, count = nn__min(x->k - first, WIDE_OUT);
    dscq_arena *scratch = &b->io->scratch[worker];
    float *dw = b->io->dw + first * x->c;

    dscq_arena_clear(scratch);
    float *tn = nn__take(scratch, b->io->k->gemm_tn_scratch_floats(WIDE_OUT, x->c));
    assert(tn != NULL);
    b->io->k->gemm_tn(b->dz + first, x->ldz, b->y, b->ldy, x->m, count, x->c, dw, x->c,
                      0, tn);
}

/* As input_gradient() of one chunk, without packed weights. */
static void pieces_gradient(const backward_ctx *b, const float *dz, size_t rows,
                            float *dx, size_t chunk, int worker)
{
    const dscq_layer_io *io = b->io;
    const matrix *x = &b->x;
    const dscq_on_store s = {0};
    dscq_arena *scratch = &io->scratch[worker];
    const size_t stop = chunk_end(x->c, chunk);

    dscq_arena_clear(scratch);
    float *piece = nn__take(scratch, piece_floats(x, io->k));
    assert(piece != NULL);
    for (size_t col = chunk * CHUNK; col < stop; col += PIECE) {
        const size_t cols = nn__min(stop - col, PIECE);
        io->k->gemm_pack(piece, io->node->weights->w_used + col, cols, x->k, 1, x->c);
        io->k->gemm(piece, dz, x->ldz, dx + col, x->c, rows, cols, x->k, &s);
    }
}

static void wide_dx_task(void *ctx, size_t task, int worker)
{
    const backward_ctx *b = ctx;
    const matrix *x = &b->x;
    const size_t chunk = task / b->slabs;
    const rows_range r = rows_of(x, b->slabs, task % b->slabs);
    const float *dz = b->dz + r.first * x->ldz;
    float *dx = b->dx + r.first * x->c;

    if (b->io->packed == NULL)
        pieces_gradient(b, dz, r.end - r.first, dx, chunk, worker);
    else
        input_gradient(b->io, x, dz, r.end - r.first, dx, chunk, chunk + 1);
}

static void wide_put_task(void *ctx, size_t task, int worker)
{
    const backward_ctx *b = ctx;
    const dscq_sink *s = &b->io->dx[0];
    const size_t c = (size_t)b->io->node->in.c, rows = b->x.m * b->x.pixels;
    const size_t first = nn__cut(rows, b->groups, task);
    const size_t end = nn__cut(rows, b->groups, task + 1);
    dscq_arena *scratch = &b->io->scratch[worker];

    dscq_arena_clear(scratch);
    nn_sums sums = nn__sums_begin(scratch, s->last ? s->sum : NULL, task, c, 0, c);
    nn__sink_put(s, b->io->k, first, end - first, b->dx + first * c, &sums);
    nn__sums_flush(&sums);
}

static size_t wide_backward(backward_ctx *b)
{
    const dscq_layer_io *io = b->io;
    const matrix *x = &b->x;

    b->ldy = x->pixels == 1 ? x->ldx : x->c;
    b->dz = io->dw_part;
    b->y = b->dz + x->m * x->ldz;
    b->dx = b->y + x->m * b->ldy;
    b->groups =
        nn__min((x->m * x->pixels + WIDE_ROWS - 1) / WIDE_ROWS, DSCQ_SUM_GROUPS);
    dscq_pool_run(io->pool, (x->m + WIDE_ROWS - 1) / WIDE_ROWS, wide_load_task, b);
    if (io->dw != NULL)
        dscq_pool_run(io->pool, (x->k + WIDE_OUT - 1) / WIDE_OUT, wide_dw_task, b);
    if (io->dx[0].g == NULL)
        return 0;
    b->slabs = nn__max(nn__min(TASKS / chunk_count(x->c), x->m / WIDE_ROWS), 1);
    dscq_pool_run(io->pool, chunk_count(x->c) * b->slabs, wide_dx_task, b);
    dscq_pool_run(io->pool, b->groups, wide_put_task, b);
    return b->groups;
}

/* ---- choice ------------------------------------------------------------------- */

size_t nn__dw_groups(size_t items, size_t weights)
{
    const size_t by_memory = (size_t)1024 * 1024 / nn__max(weights, 1);

    /* whole fours: equal shares for 2 and 4 threads */
    return nn__min(nn__min(items, DSCQ_SUM_GROUPS),
                   nn__max((by_memory + 3) / 4 * 4, 4));
}

static size_t dw_part_floats(const dscq_node *n, int32_t images)
{
    const matrix x = matrix_of(n, images);

    if (is_wide(&x))
        return wide_floats(&x);
    return (nn__dw_groups(groups_of(&x), x.c * x.k) - 1) * nn__part_stride(x.c * x.k);
}

static size_t backward(const dscq_layer_io *io)
{
    backward_ctx b = {.io = io, .x = matrix_of(io->node, io->n)};
    const matrix planned = matrix_of(io->node, io->n_max);
    const size_t weights = b.x.c * b.x.k;

    if (is_wide(&planned))
        return wide_backward(&b);
    b.groups = nn__dw_groups(groups_of(&b.x), weights);
    dscq_pool_run(io->pool, b.groups, fused_task, &b);
    if (io->dw != NULL)
        nn__reduce(io->pool, io->k, io->dw, io->dw_part, b.groups, weights);
    return b.groups;
}

static size_t scratch_floats(const dscq_node *n, int32_t images, const dscq_kernels *k)
{
    const matrix x = matrix_of(n, images);
    const size_t load = nn__room(x.block * nn__max(x.ldx, x.c));
    const size_t sums = nn__sums_floats(nn__max(x.c, x.k));

    if (is_wide(&x))
        return nn__max(load + nn__room(piece_floats(&x, k)),
                       nn__room(k->gemm_tn_scratch_floats(WIDE_OUT, x.c))) +
               sums;
    return load + nn__room(x.block * x.ldz) + nn__room(x.block * x.c) +
           nn__room(k->gemm_tn_scratch_floats(x.k, x.c)) + sums;
}

const nn_conv_way nn__pointwise = {scratch_floats, pack_floats, pack,    packs_itself,
                                   dw_part_floats, forward,     backward};
