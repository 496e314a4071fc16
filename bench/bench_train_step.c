/*
 * bench_train_step - images per second of a whole training step (forward, loss,
 * backward, update with momentum and decay) on generated pixels, and peak memory.
 *
 *   bench_train_step [--seconds S] [--threads N] [--profile] [--cpu] [NET...]
 *
 * NET: one of the names below (default: all). Medians of 5 slices of S seconds
 * (default 1.0). --cpu counts this program's CPU time instead of the clock's, for a
 * busy machine (one thread only). bench/peer_train.sh runs it in turn with a peer.
 */
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/nn/train.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

typedef struct bench_net {
    const char *name, *file, *set[3];
    int32_t batch;
} bench_net;

static const bench_net k_nets[] = {
    {"mbv1-0.25", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.25"}, 128},
    {"mbv1-0.5", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.5"}, 128},
    {"mbv1-1.0", "mobilenet_v1_32.cfg", {NULL}, 128},
    {"mbv2-1.0", "mobilenet_v2_32.cfg", {NULL}, 128},
    {"tinydsc96", "tiny_dsc.cfg", {NULL}, 128},
    {"tinydsc64", "tiny_dsc.cfg", {"net.width=64", "net.height=64"}, 128},
    {"alex-cifar", "alexnet_cifar_wide.cfg", {NULL}, 128},
};

enum { NETS = sizeof k_nets / sizeof k_nets[0], SLICES = 5 };

typedef struct bench_run {
    dscq_model *m;
    dscq_trainer *t;
    dscq_train_batch batch;
    float *x;
    int32_t *label;
} bench_run;

static void fail(const dscq_error *err)
{
    fprintf(stderr, "bench_train_step: %s\n", err->msg);
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

static bench_run start(const bench_net *n, dscq_pool *pool)
{
    bench_run b = {.m = load(n)};
    dscq_train_params p = {0};
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(2);
    const dscq_shape in = dscq_model_input(b.m);
    const size_t floats = dscq_shape_count(&in) * (size_t)n->batch;

    if (dscq_keys_defaults(&p, dscq_train_keys, &err) != DSCQ_OK)
        fail(&err);
    p.batch = n->batch;
    p.learning_rate = 0.01;
    if (dscq_trainer_create(&b.t, b.m, &p, 1000, pool, NULL, &err) != DSCQ_OK)
        fail(&err);
    b.x = dscq_malloc(floats, sizeof *b.x);
    b.label = dscq_malloc((size_t)n->batch, sizeof *b.label);
    if (b.x == NULL || b.label == NULL)
        exit(1);
    for (size_t i = 0; i < floats; i++)
        b.x[i] = dscq_rng_normal(&r);
    for (int32_t i = 0; i < n->batch; i++)
        b.label[i] = i % 10;
    b.batch = (dscq_train_batch){.n = n->batch, .x = b.x, .label = b.label};
    return b;
}

static void step(const bench_run *b)
{
    dscq_error err = {0};

    if (dscq_trainer_step(b->t, &b->batch, NULL, &err) != DSCQ_OK)
        fail(&err);
}

static void print_profile(const bench_run *b, double steps)
{
    for (int32_t i = 0; i < dscq_model_nodes(b->m); i++) {
        const dscq_node *n = dscq_model_node(b->m, i);
        double f, g;
        dscq_exec_seconds(dscq_trainer_exec(b->t), i, &f, &g);
        const double flop = 2.0 * (double)n->macs * b->batch.n * steps;
        if (f + g > 0)
            printf("  %-22s %4dx%-4d %4d -> %-4d  forward %8.3f ms %6.1f GFLOP/s  "
                   "backward %8.3f ms %6.1f GFLOP/s\n",
                   n->name, (int)n->in.h, (int)n->in.w, (int)n->in.c, (int)n->out.c,
                   1e3 * f / steps, 1e-9 * flop / f, 1e3 * g / steps, 2e-9 * flop / g);
    }
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(const bench_net *n, double seconds, dscq_pool *pool, int profile,
                    double (*clock_now)(void))
{
    bench_run b = start(n, pool);
    double rate[SLICES], steps = 0;
    struct rusage use;

    step(&b);
    step(&b);
    if (profile)
        dscq_exec_profile(dscq_trainer_exec(b.t), clock_now);
    for (int i = 0; i < SLICES; i++) {
        const double begin = clock_now();
        double count = 0, now;
        do {
            step(&b);
            count++;
        } while ((now = clock_now()) - begin < seconds);
        rate[i] = count * n->batch / (now - begin);
        steps += count;
    }
    qsort(rate, SLICES, sizeof rate[0], bench_order);
    getrusage(RUSAGE_SELF, &use);
    printf("%-12s img_per_s %.1f min %.1f max %.1f batch %d threads %d kernels %s "
           "planned_mb %.1f peak_rss_mb %.1f\n",
           n->name, rate[SLICES / 2], rate[0], rate[SLICES - 1], (int)n->batch,
           dscq_pool_threads(pool), dscq_exec_kernels(dscq_trainer_exec(b.t)),
           (double)dscq_trainer_bytes(b.t) * 1e-6, (double)use.ru_maxrss * 1024e-6);
    fflush(stdout);
    if (profile)
        print_profile(&b, steps);
    dscq_trainer_destroy(b.t);
    dscq_model_destroy(b.m);
    dscq_free(b.x);
    dscq_free(b.label);
}

int main(int argc, char **argv)
{
    double seconds = 1.0;
    int threads = 1, profile = 0, named = 0;
    double (*clock_now)(void) = bench_now;
    dscq_pool *pool = NULL;
    dscq_error err = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--profile") == 0)
            profile = 1;
        else if (strcmp(argv[i], "--cpu") == 0)
            clock_now = cpu_now;
        else
            named++;
    }
    if (dscq_pool_create(&pool, threads, &err) != DSCQ_OK)
        fail(&err);
    for (int i = 0; i < NETS; i++) {
        int wanted = named == 0;
        for (int j = 1; j < argc; j++)
            wanted |= strcmp(argv[j], k_nets[i].name) == 0;
        if (wanted)
            measure(&k_nets[i], seconds, pool, profile, clock_now);
    }
    dscq_pool_destroy(pool);
    return 0;
}
