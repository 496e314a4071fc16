/*
 * bench_gemm.c - GFLOP/s of the matrix products of separable networks, one thread.
 *
 * Columns: our kernels, cblas_sgemm where OpenBLAS is linked, and a loop of fused
 * multiply-adds in registers (the peak of this core at this moment), interleaved.
 * Weights are packed inside the measured time. Rows of the operands are dense, as
 * networks store them, unless their distance is a multiple of 1 KiB, where ours uses
 * dscq_row_stride() as the training engine does for its scratch.
 *
 *     taskset -c 1 env -u OPENBLAS_CORETYPE bench_gemm [family [first row]]
 */
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/tensor/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#if BENCH_WITH_BLAS
#include <cblas.h>
#endif

typedef enum kind { FORWARD, DX, DW } kind;

static const struct {
    kind kind;
    size_t m, n, k; /* C is m x n; for DW k counts rows */
} shapes[] = {
    {FORWARD, 131072, 8, 3},   {FORWARD, 131072, 16, 8},   {FORWARD, 32768, 16, 16},
    {FORWARD, 32768, 32, 16},  {FORWARD, 131072, 64, 32},  {FORWARD, 32768, 24, 40},
    {FORWARD, 8192, 64, 32},   {FORWARD, 8192, 64, 64},    {FORWARD, 2048, 128, 128},
    {FORWARD, 2048, 512, 512}, {FORWARD, 512, 1024, 1024}, {FORWARD, 12544, 64, 32},
    {FORWARD, 784, 256, 128},  {FORWARD, 49, 1024, 1024},  {FORWARD, 1024, 1024, 1024},
    {DX, 131072, 32, 64},      {DX, 131072, 8, 16},        {DX, 32768, 16, 32},
    {DX, 32768, 64, 128},      {DX, 2048, 128, 128},       {DX, 2048, 512, 512},
    {DW, 16, 8, 131072},       {DW, 32, 16, 32768},        {DW, 64, 32, 131072},
    {DW, 64, 32, 8192},        {DW, 24, 40, 32768},        {DW, 128, 64, 32768},
    {DW, 128, 128, 2048},      {DW, 512, 512, 2048},       {DW, 1024, 1024, 512},
    {DW, 16, 27, 131072},      {FORWARD, 131072, 16, 27},
};

typedef struct world {
    const dscq_kernels *k;
    kind kind;
    size_t m, n, d, lda, ldb, ldc;
    float *a, *b, *c, *peer, *packed, *scratch;
} world;

/* Blocks of rows as the engine cuts them. */
static size_t rows_of(const world *w)
{
    size_t rows = 48 * 1024 / (w->n + (w->kind == DW ? w->m : w->d));

    return rows < 256 ? 256 : rows;
}

static void ours(void *ctx)
{
    world *w = ctx;
    const size_t step = rows_of(w);

    if (w->kind == DW) {
        for (size_t r = 0; r < w->d; r += step)
            w->k->gemm_tn(w->a + r * w->lda, w->lda, w->b + r * w->ldb, w->ldb,
                          w->d - r < step ? w->d - r : step, w->m, w->n, w->c, w->n,
                          r > 0, w->scratch);
        return;
    }
    if (w->kind == FORWARD)
        w->k->gemm_pack(w->packed, w->b, w->n, w->d, w->d, 1);
    else
        w->k->gemm_pack(w->packed, w->b, w->n, w->d, 1, w->n);
    for (size_t r = 0; r < w->m; r += step)
        w->k->gemm(w->packed, w->a + r * w->lda, w->lda, w->c + r * w->ldc, w->ldc,
                   w->m - r < step ? w->m - r : step, w->n, w->d, NULL);
}

#if BENCH_WITH_BLAS
static void blas(void *ctx)
{
    world *w = ctx;

    cblas_sgemm(CblasRowMajor, w->kind == DW ? CblasTrans : CblasNoTrans,
                w->kind == FORWARD ? CblasTrans : CblasNoTrans, (int)w->m, (int)w->n,
                (int)w->d, 1, w->a, (int)w->lda, w->b, (int)w->ldb, 0, w->peer,
                (int)w->n);
}
#else
#define blas NULL
#endif

/* Independent chains of fused multiply-adds on 16 floats. */
typedef float peak_vector __attribute__((vector_size(64)));
enum { PEAK_TURNS = 20000, PEAK_CHAINS = 16 };

__attribute__((target("avx512f"))) static void peak(void *ctx)
{
    world *w = ctx;
    peak_vector a[PEAK_CHAINS], x = {0}, y = {0};

    x = x + 0.999F;
    y = y + 0.001F;
#pragma GCC unroll 16
    for (int i = 0; i < PEAK_CHAINS; i++)
        a[i] = y;
    for (int t = 0; t < PEAK_TURNS; t++) {
#pragma GCC unroll 16
        for (int i = 0; i < PEAK_CHAINS; i++)
            __asm__ volatile("vfmadd213ps %2, %1, %0" : "+v"(a[i]) : "v"(x), "v"(y));
    }
#pragma GCC unroll 16
    for (int i = 0; i < PEAK_CHAINS; i++)
        w->scratch[i] = a[i][0];
}

static float *filled(size_t rows, size_t c, size_t ld, int seed)
{
    float *p = dscq_calloc(rows * ld + 16, sizeof *p);

    for (size_t i = 0; p != NULL && i < rows * c; i++)
        p[i / c * ld + i % c] =
            (float)((i * 7 + (size_t)seed) % 13) * 0.1F - 0.6F + (float)(i % 5) * 0.01F;
    return p;
}

static size_t stride_of(size_t c)
{
    return c % 256 == 0 ? dscq_row_stride(c) : c;
}

static double difference(const world *w)
{
    double most = 0, size = 0;

    for (size_t i = 0; i < w->m; i++)
        for (size_t j = 0; j < w->n; j++) {
            double x = (double)w->c[i * w->ldc + j], y = (double)w->peer[i * w->n + j];

            most = fmax(most, fabs(x - y));
            size = fmax(size, fabs(y));
        }
    return most / (size + 1e-9);
}

static int run(const dscq_kernels *k, size_t i)
{
    static const char *const names[] = {"fwd", "dX", "dW"};
    world w = {.k = k, .kind = shapes[i].kind, .m = shapes[i].m, .n = shapes[i].n};
    bench_fn *const work[] = {ours, blas,
                              __builtin_cpu_supports("avx512f") ? peak : NULL};
    double t[3], flops, top;

    w.d = shapes[i].k;
    w.lda = stride_of(w.kind == DW ? w.m : w.d);
    w.ldb = w.kind == FORWARD ? w.d : w.kind == DX ? w.n : stride_of(w.n);
    w.ldc = w.kind == DW ? w.n : stride_of(w.n);
    w.a = w.kind == DW ? filled(w.d, w.m, w.lda, 1) : filled(w.m, w.d, w.lda, 1);
    w.b = w.kind == FORWARD ? filled(w.n, w.d, w.ldb, 2) : filled(w.d, w.n, w.ldb, 2);
    w.c = dscq_calloc(w.m * w.ldc + 16, sizeof *w.c);
    w.peer = dscq_calloc(w.m * w.n + 16, sizeof *w.peer);
    w.packed = dscq_malloc(k->gemm_packed_floats(w.n, w.d), sizeof *w.packed);
    w.scratch = dscq_malloc(k->gemm_tn_scratch_floats(w.m, w.n), sizeof *w.scratch);
    if (!w.a || !w.b || !w.c || !w.peer || !w.packed || !w.scratch)
        return 1;
    bench_interleaved(work, 3, &w, 0.03, t);
    flops = 2e-9 * (double)w.m * (double)w.n * (double)w.d;
    top = 1e-9 * 32 * PEAK_TURNS * PEAK_CHAINS / t[2];
    printf("%-3s %7zu x %4zu x %6zu  ours %6.1f", names[w.kind], w.m, w.n, w.d,
           flops / t[0]);
#if BENCH_WITH_BLAS
    printf("  openblas %6.1f  ratio %.2f  difference %.0e", flops / t[1], t[1] / t[0],
           difference(&w));
#endif
    if (work[2] != NULL)
        printf("  peak %5.1f  of peak %.2f", top, flops / t[0] / top);
    printf("\n");
    fflush(stdout);
    dscq_free(w.a);
    dscq_free(w.b);
    dscq_free(w.c);
    dscq_free(w.peer);
    dscq_free(w.packed);
    dscq_free(w.scratch);
    return 0;
}

int main(int argc, char **argv)
{
    const dscq_kernels *k = dscq_kernels_get(argc > 1 ? argv[1] : NULL);
    const size_t first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    int failed = 0;

    if (k == NULL) {
        fprintf(stderr, "bench_gemm: family '%s' does not run here\n", argv[1]);
        return 2;
    }
    printf("# kernels %s; GFLOP/s, median of %d interleaved rounds\n", k->name,
           BENCH_ROUNDS);
#if BENCH_WITH_BLAS
    openblas_set_num_threads(1);
    printf("# %s\n", openblas_get_config());
#endif
    for (size_t i = first; i < sizeof shapes / sizeof shapes[0]; i++)
        failed |= run(k, i);
    return failed;
}
