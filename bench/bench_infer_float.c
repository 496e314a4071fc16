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
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/nn/exec.h"

#include <stdio.h>
#include <string.h>

typedef struct bench_net {
    const char *name, *file, *set[3];
} bench_net;

static const bench_net k_nets[] = {
    {"mbv1-0.25-32", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.25"}},
    {"mbv1-0.25-224", "mobilenet_v1_224.cfg", {"net.width_multiplier=0.25"}},
    {"tinydsc96", "tiny_dsc.cfg", {NULL}},
    {"mbv1-1.0-224", "mobilenet_v1_224.cfg", {NULL}},
    {"mbv2-1.0-224", "mobilenet_v2_224.cfg", {NULL}},
    {"squeezenet-227", "squeezenet.cfg", {NULL}},
};

enum { NETS = sizeof k_nets / sizeof k_nets[0], SLICES = 7 };

static void fail(const dscq_error *err)
{
    fprintf(stderr, "bench_infer_float: %s\n", err->msg);
    exit(1);
}

static dscq_model *load(const bench_net *n)
{
    char path[1024];
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(1);

    snprintf(path, sizeof path, "%s/data/nets/%s", BENCH_SOURCE_DIR, n->file);
    if (dscq_config_load(&cfg, path, &err) != DSCQ_OK)
        fail(&err);
    for (int i = 0; i < 3 && n->set[i] != NULL; i++)
        if (dscq_config_set(cfg, n->set[i], "bench", &err) != DSCQ_OK)
            fail(&err);
    if (dscq_model_from_config(&m, cfg, "data|train|compress|machine", &r, &err) !=
        DSCQ_OK)
        fail(&err);
    dscq_config_destroy(cfg);
    return m;
}

static void print_profile(const dscq_model *m, const dscq_exec *e, double passes,
                          int32_t batch)
{
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        double f, g;
        dscq_exec_seconds(e, i, &f, &g);
        if (f > 0)
            printf("  %-22s %4dx%-4d %4d -> %-4d  %8.1f us %6.1f GFLOP/s\n", n->name,
                   (int)n->in.h, (int)n->in.w, (int)n->in.c, (int)n->out.c,
                   1e6 * f / passes, 2e-9 * (double)n->macs * batch * passes / f);
    }
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(const bench_net *n, double seconds, int32_t batch, dscq_pool *pool,
                    int profile, double (*clock_now)(void))
{
    dscq_model *m = load(n);
    const dscq_exec_options o = {.batch = batch, .raw_outputs = 1, .pool = pool};
    const dscq_shape in = dscq_model_input(m);
    const size_t floats = dscq_shape_count(&in) * (size_t)batch;
    float *x = dscq_malloc(floats, sizeof *x);
    dscq_exec *e = NULL;
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(2);
    double ms[SLICES], passes = 0;

    if (x == NULL || dscq_exec_create(&e, m, &o, &err) != DSCQ_OK)
        fail(&err);
    for (size_t i = 0; i < floats; i++)
        x[i] = dscq_rng_normal(&r);
    for (int i = 0; i < 5; i++)
        dscq_exec_forward(e, DSCQ_PASS_EVAL, x, batch, NULL);
    if (profile)
        dscq_exec_profile(e, clock_now);
    for (int i = 0; i < SLICES; i++) {
        const double begin = clock_now();
        double count = 0, now;
        do {
            dscq_exec_forward(e, DSCQ_PASS_EVAL, x, batch, NULL);
            count++;
        } while ((now = clock_now()) - begin < seconds);
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
    if (profile)
        print_profile(m, e, passes, batch);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
    dscq_free(x);
}

int main(int argc, char **argv)
{
    double seconds = 0.2;
    int threads = 1, profile = 0, named = 0;
    int32_t batch = 1;
    double (*clock_now)(void) = bench_now;
    dscq_pool *pool = NULL;
    dscq_error err = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            batch = (int32_t)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--profile") == 0)
            profile = 1;
        else if (strcmp(argv[i], "--cpu") == 0)
            clock_now = cpu_now;
        else
            named++;
    }
    if (batch < 1 || dscq_pool_create(&pool, threads, &err) != DSCQ_OK)
        fail(&err);
    for (int i = 0; i < NETS; i++) {
        int wanted = named == 0;
        for (int j = 1; j < argc; j++)
            wanted |= strcmp(argv[j], k_nets[i].name) == 0;
        if (wanted)
            measure(&k_nets[i], seconds, batch, pool, profile, clock_now);
    }
    dscq_pool_destroy(pool);
    return 0;
}
