/*
 * bench_int.c - the integer kernels on the layers of MobileNetV1, one thread: time of
 * a layer with requantised output, next to the float kernels with a bias and ReLU,
 * interleaved.
 *
 *     taskset -c 1 bench_int [family]
 */
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/tensor/int_kernels.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int32_t side, c, outs, stride; /* outs 0: depthwise 3x3 */
} shapes[] = {
    {112, 8, 16, 1},   {56, 32, 32, 1},    {28, 64, 64, 1},   {14, 128, 128, 1},
    {7, 256, 256, 1},  {112, 32, 64, 1},   {56, 128, 128, 1}, {28, 256, 256, 1},
    {14, 512, 512, 1}, {7, 1024, 1024, 1}, {112, 8, 0, 1},    {112, 16, 0, 2},
    {56, 32, 0, 1},    {28, 64, 0, 1},     {14, 128, 0, 1},   {7, 256, 0, 1},
    {112, 32, 0, 1},   {112, 64, 0, 2},    {56, 128, 0, 1},   {28, 256, 0, 1},
    {14, 512, 0, 1},   {7, 1024, 0, 1},
};

enum { SPARSE_PERCENT = 90 };

typedef struct world {
    const dscq_int_kernels *k;
    const dscq_kernels *f;
    dscq_geom g;
    size_t m, n, d;
    uint8_t *in, *out;
    void *packed, *sparse, *rq, *scratch;
    float *fin, *fout, *fpacked, *bias;
} world;

static void dense(void *ctx)
{
    world *w = ctx;

    w->k->gemm(w->packed, w->in, w->d, w->out, w->n, w->m, w->n, w->d, w->rq);
}

static void sparse(void *ctx)
{
    world *w = ctx;

    w->k->sparse_gemm(w->sparse, w->in, w->d, w->out, w->n, w->m, w->n, w->d, w->rq,
                      w->scratch);
}

static void dense_float(void *ctx)
{
    world *w = ctx;
    const dscq_on_store s = {.bias = w->bias, .act = DSCQ_ACT_RELU};

    w->f->gemm(w->fpacked, w->fin, w->d, w->fout, w->n, w->m, w->n, w->d, &s);
}

/* The input stands for a padded map: rows of in_w + 2 pixels. */
static void depthwise(void *ctx)
{
    world *w = ctx;
    const size_t line = (size_t)(w->g.in_w + 2) * w->d;

    for (int32_t y = 0; y < w->g.out_h; y++) {
        const uint8_t *at = w->in + (size_t)(y * w->g.stride_h) * line;

        w->k->dw_row(&w->g, (const uint8_t *[]){at, at + line, at + 2 * line},
                     w->packed, w->out + (size_t)(y * w->g.out_w) * w->d, w->rq);
    }
}

static void depthwise_float(void *ctx)
{
    world *w = ctx;
    const size_t line = (size_t)(w->g.in_w + 2) * w->d;
    const dscq_on_store s = {.bias = w->bias, .act = DSCQ_ACT_RELU};

    for (int32_t y = 0; y < w->g.out_h; y++) {
        const float *at = w->fin + (size_t)(y * w->g.stride_h) * line;

        w->f->dw_forward(&w->g, (const float *[]){at, at + line, at + 2 * line},
                         w->fpacked, w->fout + (size_t)(y * w->g.out_w) * w->d, &s);
    }
}

static uint32_t next(uint32_t *s)
{
    *s = *s * 1664525U + 1013904223U;
    return *s >> 8;
}

static void make_weights(world *w, int is_dw)
{
    const size_t count = is_dw ? 9 * w->d : w->n * w->d;
    int16_t *x = dscq_calloc(count, sizeof *x), *mult = dscq_calloc(w->n, sizeof *mult);
    uint8_t *shift = dscq_calloc(w->n, 1);
    int32_t *bias = dscq_calloc(w->n, sizeof *bias);
    const dscq_requant r = {mult, shift, bias, 0, 0, 255, 0, 0, 0, 1};
    uint32_t s = 1;

    for (size_t i = 0; i < count; i++)
        x[i] = (int16_t)((int)(next(&s) % 255) - 127);
    for (size_t i = 0; i < w->n; i++) {
        mult[i] = 20000;
        shift[i] = 20;
    }
    w->rq = dscq_malloc(w->k->requant_bytes(w->n), 1);
    w->k->requant_pack(w->rq, &r, w->n, is_dw);
    if (is_dw) {
        w->packed = dscq_malloc(w->k->dw_packed_bytes(9, w->d), 1);
        w->k->dw_pack(w->packed, x, 9, w->d, 128);
    } else {
        w->packed = dscq_malloc(w->k->gemm_packed_bytes(w->n, w->d), 1);
        w->k->gemm_pack(w->packed, x, w->d, w->n, w->d, 128);
        for (size_t i = 0; i < count; i++)
            x[i] = next(&s) % 100 < SPARSE_PERCENT ? 0 : x[i];
        w->sparse = dscq_malloc(w->k->sparse_packed_bytes(x, w->d, w->n, w->d), 1);
        w->k->sparse_pack(w->sparse, x, w->d, w->n, w->d, 128);
        w->scratch = dscq_malloc(w->k->sparse_scratch_bytes(w->n, w->d), 1);
    }
    dscq_free(x);
    dscq_free(mult);
    dscq_free(shift);
    dscq_free(bias);
}

static void run(const dscq_int_kernels *k, size_t i)
{
    const int is_dw = shapes[i].outs == 0;
    const int32_t side = shapes[i].side, stride = shapes[i].stride;
    world w = {.k = k, .f = dscq_kernels_get(NULL), .d = (size_t)shapes[i].c};
    const size_t pixels = (size_t)((side + 3) * (side + 3));
    double t[3], macs;

    w.g = (dscq_geom){.in_h = side,
                      .in_w = side,
                      .c = shapes[i].c,
                      .out_h = side / stride,
                      .out_w = side / stride,
                      .kernel_h = 3,
                      .kernel_w = 3,
                      .stride_h = stride,
                      .stride_w = stride,
                      .pad_top = 1,
                      .pad_left = 1,
                      .dilation_h = 1,
                      .dilation_w = 1,
                      .groups = shapes[i].c};
    w.n = is_dw ? w.d : (size_t)shapes[i].outs;
    w.m = (size_t)(side * side);
    make_weights(&w, is_dw);
    w.in = dscq_malloc(pixels, w.d);
    w.fin = dscq_malloc(pixels * w.d, sizeof *w.fin);
    for (size_t j = 0; j < pixels * w.d; j++) {
        w.in[j] = (uint8_t)(j * 7 % 251);
        w.fin[j] = (float)(j % 17);
    }
    w.out = dscq_calloc(w.m, w.n);
    w.fout = dscq_calloc(w.m * w.n, sizeof *w.fout);
    w.bias = dscq_calloc(w.n, sizeof *w.bias);
    w.fpacked =
        dscq_calloc(w.f->gemm_packed_floats(w.n, is_dw ? 9 : w.d), sizeof *w.fpacked);
    bench_interleaved(is_dw ? (bench_fn *const[]){depthwise, depthwise_float, NULL}
                            : (bench_fn *const[]){dense, dense_float, sparse},
                      is_dw ? 2 : 3, &w, 0.02, t);
    macs = is_dw ? 9.0 * w.g.out_h * w.g.out_w * (double)w.d
                 : (double)w.m * (double)w.n * (double)w.d;
    printf("%3dx%-3d %4d -> %4zu s%d %-9s int8 %8.1f us %6.1f GMAC/s  float %8.1f us  "
           "int8/float speed %.2f",
           (int)side, (int)side, (int)shapes[i].c, w.n, (int)stride,
           is_dw ? "depthwise" : "pointwise", 1e6 * t[0], 1e-9 * macs / t[0],
           1e6 * t[1], t[1] / t[0]);
    if (!is_dw)
        printf("  %d%% zeros %8.1f us, %.2f of dense", SPARSE_PERCENT, 1e6 * t[2],
               t[2] / t[0]);
    printf("\n");
    fflush(stdout);
    void *all[] = {w.packed, w.sparse, w.rq,   w.scratch, w.in,
                   w.fin,    w.out,    w.fout, w.bias,    w.fpacked};
    for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
        dscq_free(all[j]);
}

int main(int argc, char **argv)
{
    const dscq_int_kernels *k = dscq_int_kernels_get(argc > 1 ? argv[1] : NULL);

    if (k == NULL) {
        fprintf(stderr, "bench_int: family '%s' does not run here\n", argv[1]);
        return 2;
    }
    printf("# integer kernels %s, float kernels %s; median of %d interleaved rounds\n",
           k->name, dscq_kernels_get(NULL)->name, BENCH_ROUNDS);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        run(k, i);
    return 0;
}
