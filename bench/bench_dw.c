/*
 * bench_dw.c - one depthwise layer of a training step, one thread: milliseconds,
 * GFLOP/s and the bytes that must move.
 *
 * As the engine runs it: the stored z is loaded through batch norm and ReLU into a
 * ring of padded rows, so that forward reads z and writes z, and backward reads z of
 * both sides and g, and writes g. "copy" is the time of memcpy for the same bytes,
 * interleaved: the bound.
 *
 *     taskset -c 1 bench_dw [family]
 */
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/tensor/kernels.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int32_t batch, side, c, stride, kernel;
} shapes[] = {
    {128, 32, 8, 1, 3}, {128, 32, 16, 2, 3},  {128, 16, 32, 1, 3}, {128, 4, 512, 1, 3},
    {8, 112, 32, 1, 3}, {8, 112, 64, 2, 3},   {8, 56, 128, 1, 3},  {8, 28, 256, 1, 3},
    {8, 14, 512, 1, 3}, {8, 7, 1024, 1, 3},   {128, 48, 16, 1, 3}, {128, 24, 64, 2, 3},
    {8, 28, 240, 1, 5}, {128, 2, 1024, 1, 3},
};

enum { ROWS_MAX = 16 };

typedef struct world {
    const dscq_kernels *k;
    dscq_geom g;
    size_t batch, in, out;       /* floats of one image */
    float *z0, *z1, *g1, *g0;    /* stored tensors */
    float *w, *dw, *a, *b, *sum; /* sum: four of [c] */
    float *ring, *dz_ring, *row; /* rows of cached, padded pixels */
    unsigned char *from, *to;    /* copy */
    size_t copy_bytes;
} world;

static dscq_on_load on_load(const world *w)
{
    return (dscq_on_load){.a = w->a, .b = w->b, .act = DSCQ_ACT_RELU};
}

/* Fill the ring slot of input row y. */
static float *load_row(const world *w, const float *z, int32_t y)
{
    const size_t c = (size_t)w->g.c, pixels = (size_t)dscq_dw_in_pixels(&w->g);
    float *row = w->ring + (size_t)(y % ROWS_MAX) * pixels * c;
    const dscq_on_load f = on_load(w);
    size_t n = (size_t)w->g.in_w;

    n = n > pixels - (size_t)w->g.pad_left ? pixels - (size_t)w->g.pad_left : n;
    w->k->load(&f, z + (size_t)y * (size_t)w->g.in_w * c, c,
               row + (size_t)w->g.pad_left * c, c, n, c);
    return row;
}

static void point(const world *w, int32_t oy, const float *in[])
{
    const size_t line = (size_t)dscq_dw_in_pixels(&w->g) * (size_t)w->g.c;

    for (int32_t r = 0; r < w->g.kernel_h; r++) {
        int32_t y = oy * w->g.stride_h - w->g.pad_top + r;

        in[r] =
            y < 0 || y >= w->g.in_h ? NULL : w->ring + (size_t)(y % ROWS_MAX) * line;
    }
}

static void forward(void *ctx)
{
    world *w = ctx;
    const dscq_on_store s = {.sum = w->sum, .sum_sq = w->sum + w->g.c, .far = 1};
    const float *in[ROWS_MAX];

    for (size_t n = 0; n < w->batch; n++) {
        int32_t next = 0;

        for (int32_t y = 0; y < w->g.out_h; y++) {
            int32_t last = y * w->g.stride_h - w->g.pad_top + w->g.kernel_h - 1;

            for (; next <= last && next < w->g.in_h; next++)
                load_row(w, w->z0 + n * w->in, next);
            point(w, y, in);
            w->k->dw_forward(&w->g, in, w->w,
                             w->z1 + n * w->out + (size_t)(y * w->g.out_w * w->g.c),
                             &s);
        }
    }
}

/* dz of output row y into its ring slot, between zero pixels. */
static float *dz_row(const world *w, size_t n, int32_t y)
{
    const size_t c = (size_t)w->g.c, lead = (size_t)dscq_dw_dz_lead(&w->g);
    const size_t line =
        (lead + (size_t)w->g.out_w + (size_t)dscq_dw_dz_trail(&w->g)) * c;
    const size_t at = n * w->out + (size_t)(y * w->g.out_w) * c;
    float *row = w->dz_ring + (size_t)(y % ROWS_MAX) * line;

    w->k->bn_back((const float *const[]){w->a, w->b, w->sum}, w->g1 + at, w->z1 + at,
                  row + lead * c, c, (size_t)w->g.out_w, c);
    return row + lead * c;
}

static void input_row(const world *w, size_t n, int32_t iy)
{
    const dscq_on_load f = on_load(w);
    const size_t c = (size_t)w->g.c, lead = (size_t)dscq_dw_dz_lead(&w->g);
    const size_t line =
        (lead + (size_t)w->g.out_w + (size_t)dscq_dw_dz_trail(&w->g)) * c;
    const size_t at = n * w->in + (size_t)(iy * w->g.in_w) * c;
    const float *dz[ROWS_MAX];

    for (int32_t r = 0; r < w->g.kernel_h; r++) {
        int32_t y = iy + w->g.pad_top - r;

        dz[r] = y < 0 || y % w->g.stride_h != 0 || y / w->g.stride_h >= w->g.out_h
                    ? NULL
                    : w->dz_ring + (size_t)(y / w->g.stride_h % ROWS_MAX) * line;
    }
    w->k->dw_dgrad(&w->g, dz, w->w, w->row);
    w->k->mask(&f, w->z0 + at, w->row, NULL, w->g0 + at, (size_t)w->g.in_w, c,
               w->sum + 2 * c, w->sum + 3 * c, 1);
}

static void backward(void *ctx)
{
    world *w = ctx;
    const float *in[ROWS_MAX];

    for (size_t n = 0; n < w->batch; n++) {
        int32_t next = 0, done = 0;

        for (int32_t y = 0; y < w->g.out_h; y++) {
            int32_t last = y * w->g.stride_h - w->g.pad_top + w->g.kernel_h - 1;
            /* input rows that no later output row touches */
            int32_t ready = (y + 1) * w->g.stride_h - w->g.pad_top;

            for (; next <= last && next < w->g.in_h; next++)
                load_row(w, w->z0 + n * w->in, next);
            point(w, y, in);
            w->k->dw_wgrad(&w->g, in, dz_row(w, n, y), w->dw);
            ready = y + 1 == w->g.out_h ? w->g.in_h : ready;
            for (; done < ready; done++)
                input_row(w, n, done);
        }
    }
}

static void copy(void *ctx)
{
    world *w = ctx;

    memcpy(w->to, w->from, w->copy_bytes);
}

static float *noise(size_t count)
{
    float *p = dscq_malloc(count, sizeof *p);
    uint32_t s = 1;

    for (size_t i = 0; p != NULL && i < count; i++) {
        s = s * 1664525U + 1013904223U;
        p[i] = (float)(s >> 8) / 16777216.0F - 0.5F;
    }
    return p;
}

static void run(const dscq_kernels *k, size_t i)
{
    world w = {.k = k, .batch = (size_t)shapes[i].batch};
    const int32_t side = shapes[i].side, kernel = shapes[i].kernel;
    double t[3], flops, bytes_f, bytes_b;
    size_t c = (size_t)shapes[i].c, line;

    w.g = (dscq_geom){.in_h = side,
                      .in_w = side,
                      .c = shapes[i].c,
                      .out_h = (side + shapes[i].stride - 1) / shapes[i].stride,
                      .kernel_h = kernel,
                      .kernel_w = kernel,
                      .stride_h = shapes[i].stride,
                      .stride_w = shapes[i].stride,
                      .pad_top = kernel / 2,
                      .pad_left = kernel / 2,
                      .dilation_h = 1,
                      .dilation_w = 1,
                      .groups = shapes[i].c};
    w.g.out_w = w.g.out_h;
    w.in = (size_t)(side * side) * c;
    w.out = (size_t)(w.g.out_h * w.g.out_w) * c;
    line = (size_t)(side + 2 * kernel) * c;
    w.z0 = noise(w.batch * w.in);
    w.g0 = noise(w.batch * w.in);
    w.z1 = noise(w.batch * w.out);
    w.g1 = noise(w.batch * w.out);
    w.w = noise((size_t)(kernel * kernel) * c);
    w.dw = noise((size_t)(kernel * kernel) * c);
    w.a = noise(c);
    w.b = noise(c);
    w.sum = noise(4 * c);
    w.ring = dscq_calloc(ROWS_MAX * line, sizeof *w.ring);
    w.dz_ring = dscq_calloc(ROWS_MAX * line, sizeof *w.dz_ring);
    w.row = noise(line);
    bytes_f = 4.0 * (double)(w.batch * (w.in + w.out));
    bytes_b = 4.0 * (double)(w.batch * (2 * w.in + 2 * w.out));
    w.copy_bytes = (size_t)bytes_f / 2;
    w.from = dscq_calloc(w.copy_bytes, 1);
    w.to = dscq_calloc(w.copy_bytes, 1);
    memset(w.from, 1, w.copy_bytes); /* pages of its own, not the zero page */
    bench_interleaved((bench_fn *const[]){forward, backward, copy}, 3, &w, 0.05, t);
    flops = 2e-9 * (double)(kernel * kernel) * (double)(w.batch * w.out);
    printf(
        "B%-3d %3dx%-3d C%-4d s%d k%d  fwd %6.3f ms %5.1f GFLOP/s  bwd %6.3f ms %5.1f "
        "GFLOP/s  copy of the bytes: fwd %6.3f bwd %6.3f ms\n",
        (int)shapes[i].batch, (int)side, (int)side, (int)shapes[i].c,
        (int)shapes[i].stride, (int)kernel, 1e3 * t[0], flops / t[0], 1e3 * t[1],
        2 * flops / t[1], 1e3 * t[2], 1e3 * t[2] * bytes_b / bytes_f);
    fflush(stdout);
    float *all[] = {w.z0, w.g0, w.z1,  w.g1,   w.w,       w.dw,
                    w.a,  w.b,  w.sum, w.ring, w.dz_ring, w.row};
    for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
        dscq_free(all[j]);
    dscq_free(w.from);
    dscq_free(w.to);
}

int main(int argc, char **argv)
{
    const dscq_kernels *k = dscq_kernels_get(argc > 1 ? argv[1] : NULL);

    if (k == NULL) {
        fprintf(stderr, "bench_dw: family '%s' does not run here\n", argv[1]);
        return 2;
    }
    printf("# kernels %s; median of %d interleaved rounds\n", k->name, BENCH_ROUNDS);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        run(k, i);
    return 0;
}
