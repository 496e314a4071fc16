/*
 * bench_infer_float - milliseconds of one float32 inference (batch 1 unless said
 * otherwise), as `dscq run` on a float model and the training's evaluation do it.
 *
 *   bench_infer_float [--seconds S] [--threads N] [--batch B] [--profile] [--cpu]
 * [NET...]
 *
 * Weights are random; the time does not depend on them. Median of 7 slices. --cpu
 * counts CPU time instead of the clock's, for a busy machine (one thread only).
 */
#include "bench_nets.h"
#include "dscq/base/alloc.h"
#include "dscq/nn/exec.h"

enum { SLICES = 7 };

static void print_profile(const dscq_model *m, const dscq_exec *e, double passes,
                          int32_t batch)
{
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        double f, g;
        dscq_exec_seconds(e, i, &f, &g);
        if (f > 0)
            printf("  %-22s %4dx%-4d %4d -> %-4d  %8.1f us %6.1f GFLOP/s %5.1f GB/s\n",
                   n->name, (int)n->in.h, (int)n->in.w, (int)n->in.c, (int)n->out.c,
                   1e6 * f / passes, 2e-9 * (double)n->macs * batch * passes / f,
                   1e-9 * bench_forward_bytes(m, i, batch) * passes / f);
    }
}

static void measure(const bench_args *a, const bench_net *n, dscq_pool *pool)
{
    const int32_t batch = a->batch;
    dscq_model *m = bench_load(a, n);
    const dscq_exec_options o = {.batch = batch, .raw_outputs = 1, .pool = pool};
    const dscq_shape in = dscq_model_input(m);
    const size_t floats = dscq_shape_count(&in) * (size_t)batch;
    float *x = dscq_malloc(floats, sizeof *x);
    dscq_exec *e = NULL;
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(2);
    double ms[SLICES], passes = 0;

    if (x == NULL || dscq_exec_create(&e, m, &o, &err) != DSCQ_OK)
        bench_fail(a->program, &err);
    for (size_t i = 0; i < floats; i++)
        x[i] = dscq_rng_normal(&r);
    for (int i = 0; i < 5; i++)
        dscq_exec_forward(e, DSCQ_PASS_EVAL, x, batch, NULL);
    if (a->profile)
        dscq_exec_profile(e, a->now);
    for (int i = 0; i < SLICES; i++) {
        const double begin = a->now();
        double count = 0, now;
        do {
            dscq_exec_forward(e, DSCQ_PASS_EVAL, x, batch, NULL);
            count++;
        } while ((now = a->now()) - begin < a->seconds);
        ms[i] = 1e3 * (now - begin) / count;
        passes += count;
    }
    qsort(ms, SLICES, sizeof ms[0], bench_order);
    printf("%-14s ms %.4f min %.4f max %.4f batch %d threads %d kernels %s "
           "planned_mb %.2f mmacs %.1f\n",
           n->name, ms[SLICES / 2], ms[0], ms[SLICES - 1], (int)batch,
           dscq_pool_threads(pool), dscq_exec_kernels(e),
           (double)dscq_exec_get_plan(e).total_bytes * 1e-6,
           (double)dscq_model_macs(m) * 1e-6);
    fflush(stdout);
    if (a->profile)
        print_profile(m, e, passes, batch);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
    dscq_free(x);
}

int main(int argc, char **argv)
{
    bench_args a = {"bench_infer_float", .seconds = 0.2, .threads = 1, .batch = 1};

    bench_parse(&a, argc, argv);
    dscq_pool *pool = bench_pool(&a);
    for (int i = 0; i < BENCH_INFERENCE_NETS; i++)
        if (bench_wanted(&a, bench_inference_nets[i].name))
            measure(&a, &bench_inference_nets[i], pool);
    dscq_pool_destroy(pool);
    return 0;
}
