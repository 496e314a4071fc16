/* What all layers do around their arithmetic: load, sum, store gradients. */
#include "nn_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

size_t nn__sums_floats(size_t c)
{
    return 2 * nn__room(c);
}

nn_sums nn__sums_begin(dscq_arena *scratch, double *to, size_t group, size_t c,
                       size_t first, size_t count)
{
    nn_sums s = {.c = c, .count = count, .group = group};

    if (to == NULL)
        return s;
    s.to = to + group * 2 * c + first;
    s.a = nn__take(scratch, count);
    s.b = nn__take(scratch, count);
    assert(s.a != NULL && s.b != NULL);
    memset(s.a, 0, count * sizeof(float));
    memset(s.b, 0, count * sizeof(float));
    memset(s.to, 0, count * sizeof(double));
    memset(s.to + c, 0, count * sizeof(double));
    return s;
}

void nn__sums_flush(nn_sums *s)
{
    if (s->a == NULL || s->rows == 0)
        return;
    for (size_t i = 0; i < s->count; i++) {
        s->to[i] += (double)s->a[i];
        s->to[s->c + i] += (double)s->b[i];
    }
    memset(s->a, 0, s->count * sizeof(float));
    memset(s->b, 0, s->count * sizeof(float));
    s->rows = 0;
}

void nn__sums_count(nn_sums *s, size_t rows)
{
    s->rows += rows;
    if (s->rows >= NN_FLUSH_ROWS)
        nn__sums_flush(s);
}

dscq_on_store nn__on_store(const dscq_layer_io *io, const nn_sums *s, size_t channel,
                           size_t at)
{
    const dscq_on_load *p = &io->post;

    if (!io->training)
        return (dscq_on_store){.bias = p->b != NULL ? p->b + channel : NULL,
                               .act = p->act,
                               .slope = p->slope};
    if (s->a == NULL)
        return (dscq_on_store){0};
    return (dscq_on_store){.sum = s->a + at, .sum_sq = s->b + at};
}

void nn__stored(const dscq_layer_io *io, float *z, size_t rows, size_t c, nn_sums *s)
{
    if (!io->training && io->post.quant != NULL)
        io->k->quantise(io->post.quant, z, z, rows * c);
    nn__sums_count(s, rows);
}

void nn__sums_total(double *sums, size_t groups, size_t c)
{
    if (groups == 0)
        memset(sums, 0, 2 * c * sizeof(double));
    for (size_t g = 1; g < groups; g++)
        for (size_t i = 0; i < 2 * c; i++)
            sums[i] += sums[g * 2 * c + i];
}

const float *nn__load_dz(const dscq_layer_io *io, size_t first, size_t rows, float *buf,
                         size_t ld)
{
    const size_t c = (size_t)io->node->out.c;
    const float *g = io->g + first * c;

    if (io->coef[0] != NULL) {
        io->k->bn_back(io->coef, g, io->z + first * c, buf, ld, rows, c);
        return buf;
    }
    if (ld == c)
        return g;
    io->k->load(NULL, g, c, buf, ld, rows, c);
    return buf;
}

const float *nn__load_x(const dscq_edge *e, const dscq_kernels *k, size_t first,
                        size_t rows, float *buf, size_t ld)
{
    const size_t c = (size_t)e->shape.c;
    const float *z = e->z + first * c;

    if (e->is_plain && ld == c)
        return z;
    k->load(e->is_plain ? NULL : &e->load, z, c, buf, ld, rows, c);
    return buf;
}

/* Where act' is 1 everywhere and no sums are wanted. */
static int is_pass_through(const dscq_sink *s)
{
    return s->sum == NULL && s->edge->load.act == DSCQ_ACT_LINEAR &&
           s->edge->load.quant == NULL;
}

enum { RANGE_ROOM = 2048, RANGE_LANES = 16 };

/* sum of g * dy/dscale (Esser et al., ICLR 2020): the rounding error in steps inside
 * the range, the end's distance from zero outside. Lanes add up side by side, then in
 * order. */
static double range_part(const dscq_fake_quant *q, const float *y, const float *g,
                         const float *more, size_t n)
{
    /* adding and taking off 1.5 * 2^23 rounds half to even below 2^22; what is larger
     * is clamped anyway */
    const float inv = 1.0f / q->scale, big = 12582912.0f;
    const float lo = q->lo - q->zero, hi = q->hi - q->zero;
    float lane[RANGE_LANES] = {0};
    double sum = 0;

    for (size_t i = 0; i < n; i += RANGE_LANES) {
        const size_t count = nn__min(n - i, RANGE_LANES);
        float d[RANGE_LANES];
        for (size_t k = 0; k < count; k++) {
            const float x = y[i + k] * inv, code = (x + big) - big;
            const float low = code < lo ? lo : code, end = low > hi ? hi : low;
            d[k] = end - (low == code && end == low ? x : 0.0f);
        }
        for (size_t k = 0; k < count; k++)
            lane[k] += d[k] * (more != NULL ? g[i + k] + more[i + k] : g[i + k]);
    }
    for (int k = 0; k < RANGE_LANES; k++)
        sum += (double)lane[k];
    return sum;
}

/* Of the output's grid, for n values in rows of width: all but that grid is done. */
static double output_range(const dscq_on_load *f, const dscq_kernels *k, const float *z,
                           size_t ldz, const float *g, const float *more, size_t rows,
                           size_t width)
{
    dscq_on_load act = *f;
    float y[RANGE_ROOM];

    act.quant = NULL;
    k->load(&act, z, ldz, y, width, rows, width);
    return range_part(f->quant, y, g, more, rows * width);
}

/* Of the grid in front of the activation: g comes back through what is behind it. */
static double before_range(const dscq_on_load *f, const dscq_kernels *k, const float *z,
                           size_t ldz, const float *g, const float *more, size_t rows,
                           size_t width)
{
    const dscq_on_load front = {.a = f->a, .b = f->b};
    const dscq_on_load rest = {.act = f->act, .slope = f->slope, .quant = f->quant};
    float x[RANGE_ROOM], coded[RANGE_ROOM], behind[RANGE_ROOM];

    k->load(&front, z, ldz, x, width, rows, width);
    k->quantise(f->before, x, coded, rows * width);
    k->mask(&rest, coded, g, more, behind, rows, width, NULL, NULL, 0);
    return range_part(f->before, x, behind, NULL, rows * width);
}

typedef double range_fn(const dscq_on_load *f, const dscq_kernels *k, const float *z,
                        size_t ldz, const float *g, const float *more, size_t rows,
                        size_t width);

static double range_sum(range_fn *fn, const dscq_edge *e, const dscq_kernels *k,
                        const float *z, const float *g, const float *more, size_t rows,
                        size_t c)
{
    double sum = 0;

    for (size_t col = 0; col < c; col += RANGE_ROOM) {
        const size_t width = nn__min(c - col, RANGE_ROOM);
        /* whole rows lie one after another; a slice of a row goes alone */
        const size_t block = width == c ? RANGE_ROOM / c : 1;
        dscq_on_load f = e->load;
        f.a = f.a != NULL ? f.a + col : NULL;
        f.b = f.b != NULL ? f.b + col : NULL;
        for (size_t r = 0; r < rows; r += block) {
            const size_t at = r * c + col;
            sum += fn(&f, k, z + at, c, g + at, more != NULL ? more + at : NULL,
                      nn__min(rows - r, block), width);
        }
    }
    return sum;
}

void nn__sink_put(const dscq_sink *s, const dscq_kernels *k, size_t first, size_t rows,
                  const float *dx, nn_sums *sums)
{
    const size_t c = (size_t)s->edge->shape.c;
    float *g = s->g + first * c;

    if (!s->last || is_pass_through(s)) {
        if (dx == NULL)
            return;
        if (s->add)
            k->add(dx, g, g, rows * c);
        else if (dx != g)
            memcpy(g, dx, rows * c * sizeof(float));
        return;
    }
    const float *z = s->from_output ? NULL : s->edge->z + first * c;
    for (size_t r = 0; r < rows; r += NN_FLUSH_ROWS) {
        const size_t part = nn__min(rows - r, NN_FLUSH_ROWS);
        const size_t at = r * c;
        const float *from = dx != NULL ? dx + at : g + at;
        const float *more = s->add && dx != NULL ? g + at : NULL;

        if (s->range != NULL) /* before the gradient is masked in place */
            s->range[sums->group] +=
                range_sum(output_range, s->edge, k, z + at, from, more, part, c);
        if (s->before_range != NULL)
            s->before_range[sums->group] +=
                range_sum(before_range, s->edge, k, z + at, from, more, part, c);
        k->mask(&s->edge->load, z != NULL ? z + at : NULL, from, more, g + at, part, c,
                sums->a, s->wants_sum_z ? sums->b : NULL, nn__is_far(&s->edge->shape));
        nn__sums_count(sums, part);
    }
}

void nn__post(const dscq_layer_io *io, float *z, size_t rows, size_t c)
{
    const dscq_on_load *p = &io->post;

    if (p->a != NULL || p->b != NULL || p->act != DSCQ_ACT_LINEAR || p->quant != NULL)
        io->k->load(p, z, c, z, c, rows, c);
}

typedef struct reduce_ctx {
    const dscq_kernels *k;
    float *sum;
    const float *part;
    size_t groups, n, stride;
} reduce_ctx;

enum { REDUCE_BLOCK = 2048 };

static void reduce_task(void *ctx, size_t task, int worker)
{
    const reduce_ctx *r = ctx;
    const size_t first = task * REDUCE_BLOCK;
    const size_t count = nn__min(r->n - first, REDUCE_BLOCK);

    (void)worker;
    for (size_t g = 1; g < r->groups; g++)
        r->k->add(r->part + (g - 1) * r->stride + first, r->sum + first, r->sum + first,
                  count);
}

void nn__reduce(dscq_pool *pool, const dscq_kernels *k, float *sum, const float *part,
                size_t groups, size_t n)
{
    reduce_ctx r = {k, sum, part, groups, n, nn__part_stride(n)};

    if (groups < 2)
        return;
    dscq_pool_run(pool, (n + REDUCE_BLOCK - 1) / REDUCE_BLOCK, reduce_task, &r);
}

dscq_status nn__slide(dscq_layer_shape *out, const dscq_window *w, const dscq_shape *x,
                      int32_t c, dscq_error *err)
{
    char dilated[32] = "";

    out->window = *w;
    out->out.c = c;
    out->out.h = dscq_window_out(x->h, w->kernel_h, w->stride_h, w->pad_top,
                                 w->pad_bottom, w->dilation_h);
    out->out.w = dscq_window_out(x->w, w->kernel_w, w->stride_w, w->pad_left,
                                 w->pad_right, w->dilation_w);
    if (out->out.h >= 1 && out->out.w >= 1)
        return DSCQ_OK;
    if (w->dilation_h > 1)
        (void)snprintf(dilated, sizeof dilated, " (dilation %d)", (int)w->dilation_h);
    return dscq_fail(err, DSCQ_FORMAT,
                     "a window of %d x %d%s does not fit the padded input %d x %d",
                     (int)w->kernel_h, (int)w->kernel_w, dilated,
                     (int)(x->h + w->pad_top + w->pad_bottom),
                     (int)(x->w + w->pad_left + w->pad_right));
}

dscq_geom nn__geom(const dscq_node *node)
{
    const dscq_window *w = &node->window;

    return (dscq_geom){.in_h = node->in.h,
                       .in_w = node->in.w,
                       .c = node->in.c,
                       .out_h = node->out.h,
                       .out_w = node->out.w,
                       .kernel_h = w->kernel_h,
                       .kernel_w = w->kernel_w,
                       .stride_h = w->stride_h,
                       .stride_w = w->stride_w,
                       .pad_top = w->pad_top,
                       .pad_left = w->pad_left,
                       .dilation_h = w->dilation_h,
                       .dilation_w = w->dilation_w,
                       .groups = w->groups > 0 ? w->groups : 1};
}
