/*
 * bench_train_step - images per second of a whole training step (forward, loss,
 * backward, update with momentum and decay) on generated pixels, and peak memory.
 *
 *   bench_train_step [--seconds S] [--threads N] [--batch B] [--profile] [--cpu]
 * [NET...]
 *
 * NET: one of the names below (default: all). Medians of 5 slices of S seconds
 * (default 1.0). --cpu counts this program's CPU time instead of the clock's, for a
 * busy machine (one thread only). bench/peer_train.sh runs it in turn with a peer.
 * --profile: per layer time, arithmetic and the traffic that it cannot do without.
 */
#include "bench_nets.h"
#include "dscq/base/alloc.h"
#include "dscq/nn/train.h"

#include <sys/resource.h>

enum { BATCH = 128, SLICES = 5 };

static const bench_net k_nets[] = {
    {"mbv1-0.25", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.25"}},
    {"mbv1-0.5", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.5"}},
    {"mbv1-1.0", "mobilenet_v1_32.cfg", {NULL}},
    {"mbv2-1.0", "mobilenet_v2_32.cfg", {NULL}},
    {"tinydsc96", "tiny_dsc.cfg", {NULL}},
    {"tinydsc64", "tiny_dsc.cfg", {"net.width=64", "net.height=64"}},
    {"alex-cifar", "alexnet_cifar_wide.cfg", {NULL}},
};

enum { NETS = sizeof k_nets / sizeof k_nets[0] };

typedef struct bench_run {
    dscq_model *m;
    dscq_trainer *t;
    dscq_train_batch batch;
    float *x;
    int32_t *label;
} bench_run;

static bench_run start(const bench_args *a, const bench_net *n, dscq_pool *pool)
{
    bench_run b = {.m = bench_load(a, n)};
    dscq_train_params p = {0};
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(2);
    const dscq_shape in = dscq_model_input(b.m);
    const size_t floats = dscq_shape_count(&in) * (size_t)a->batch;

    if (dscq_keys_defaults(&p, dscq_train_keys, &err) != DSCQ_OK)
        bench_fail(a->program, &err);
    p.batch = a->batch;
    p.learning_rate = 0.01;
    p.keep_best = 0; /* nothing validates here */
    p.lean = 1;      /* as dscq train */
    if (dscq_trainer_create(&b.t, b.m, &p, 1000, pool, NULL, &err) != DSCQ_OK)
        bench_fail(a->program, &err);
    b.x = dscq_malloc(floats, sizeof *b.x);
    b.label = dscq_malloc((size_t)a->batch, sizeof *b.label);
    if (b.x == NULL || b.label == NULL)
        exit(1);
    for (size_t i = 0; i < floats; i++)
        b.x[i] = dscq_rng_normal(&r);
    for (int32_t i = 0; i < a->batch; i++)
        b.label[i] = i % 10;
    b.batch = (dscq_train_batch){.n = a->batch, .x = b.x, .label = b.label};
    return b;
}

static void step(const bench_args *a, const bench_run *b)
{
    dscq_error err = {0};

    if (dscq_trainer_step(b->t, &b->batch, NULL, &err) != DSCQ_OK)
        bench_fail(a->program, &err);
}

static void print_profile(const bench_run *b, double steps)
{
    for (int32_t i = 0; i < dscq_model_nodes(b->m); i++) {
        const dscq_node *n = dscq_model_node(b->m, i);
        double f, g;
        dscq_exec_seconds(dscq_trainer_exec(b->t), i, &f, &g);
        const double flop = 2.0 * (double)n->macs * b->batch.n * steps;
        if (f + g > 0)
            printf("  %-22s %4dx%-4d %4d -> %-4d  "
                   "forward %8.3f ms %6.1f GFLOP/s %5.1f GB/s  "
                   "backward %8.3f ms %6.1f GFLOP/s %5.1f GB/s\n",
                   n->name, (int)n->in.h, (int)n->in.w, (int)n->in.c, (int)n->out.c,
                   1e3 * f / steps, 1e-9 * flop / f,
                   1e-9 * bench_forward_bytes(b->m, i, b->batch.n) * steps / f,
                   1e3 * g / steps, 2e-9 * flop / g,
                   1e-9 * bench_backward_bytes(b->m, i, b->batch.n) * steps / g);
    }
}

static void measure(const bench_args *a, const bench_net *n, dscq_pool *pool)
{
    bench_run b = start(a, n, pool);
    double rate[SLICES], steps = 0;
    struct rusage use;

    step(a, &b);
    step(a, &b);
    if (a->profile)
        dscq_exec_profile(dscq_trainer_exec(b.t), a->now);
    for (int i = 0; i < SLICES; i++) {
        const double begin = a->now();
        double count = 0, now;
        do {
            step(a, &b);
            count++;
        } while ((now = a->now()) - begin < a->seconds);
        rate[i] = count * a->batch / (now - begin);
        steps += count;
    }
    qsort(rate, SLICES, sizeof rate[0], bench_order);
    getrusage(RUSAGE_SELF, &use);
    printf("%-12s img_per_s %.1f min %.1f max %.1f batch %d threads %d kernels %s "
           "planned_mb %.1f peak_rss_mb %.1f\n",
           n->name, rate[SLICES / 2], rate[0], rate[SLICES - 1], (int)a->batch,
           dscq_pool_threads(pool), dscq_exec_kernels(dscq_trainer_exec(b.t)),
           (double)dscq_trainer_bytes(b.t) * 1e-6, (double)use.ru_maxrss * 1024e-6);
    fflush(stdout);
    if (a->profile)
        print_profile(&b, steps);
    dscq_trainer_destroy(b.t);
    dscq_model_destroy(b.m);
    dscq_free(b.x);
    dscq_free(b.label);
}

int main(int argc, char **argv)
{
    bench_args a = {"bench_train_step", .seconds = 1.0, .threads = 1, .batch = BATCH};

    bench_parse(&a, argc, argv);
    dscq_pool *pool = bench_pool(&a);
    for (int i = 0; i < NETS; i++)
        if (bench_wanted(&a, k_nets[i].name))
            measure(&a, &k_nets[i], pool);
    dscq_pool_destroy(pool);
    return 0;
}
