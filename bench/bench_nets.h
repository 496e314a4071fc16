/* bench_nets.h - what the programs that run whole networks share: the networks by
 * name, the command line, loading. */
#ifndef BENCH_NETS_H
#define BENCH_NETS_H

#include "bench_util.h"
#include "dscq/base/par.h"
#include "dscq/nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_net {
    const char *name, *file, *set[3];
} bench_net;

/* Command line: [--seconds S] [--threads N] [--batch B] [--density D] [--profile]
 * [--cpu] [NET...] */
typedef struct bench_args {
    const char *program;
    double seconds, density;
    int threads, batch, profile;
    double (*now)(void); /* the clock, or with --cpu the program's CPU time */
    int named;
    char **argv;
    int argc;
} bench_args;

BENCH_FN void bench_fail(const char *program, const dscq_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", program, err->msg);
    exit(1);
}

/* CPU time of all threads. */
BENCH_FN double bench_process_cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Defaults come in `a`. */
BENCH_FN void bench_parse(bench_args *a, int argc, char **argv)
{
    a->now = bench_now;
    a->argc = argc;
    a->argv = argv;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--profile") == 0)
            a->profile = 1;
        else if (strcmp(argv[i], "--cpu") == 0)
            a->now = bench_process_cpu;
        else if (strncmp(argv[i], "--", 2) != 0)
            a->named++;
        else if (next == NULL)
            break;
        else if (strcmp(argv[i], "--seconds") == 0)
            a->seconds = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--density") == 0)
            a->density = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--threads") == 0)
            a->threads = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--batch") == 0)
            a->batch = (int)strtol(argv[++i], NULL, 10);
    }
}

BENCH_FN int bench_wanted(const bench_args *a, const char *name)
{
    for (int i = 1; i < a->argc; i++)
        if (strcmp(a->argv[i], name) == 0)
            return 1;
    return a->named == 0;
}

BENCH_FN dscq_pool *bench_pool(const bench_args *a)
{
    dscq_pool *pool = NULL;
    dscq_error err = {0};

    if (dscq_pool_create(&pool, a->threads, &err) != DSCQ_OK)
        bench_fail(a->program, &err);
    return pool;
}

/* With random weights: times do not depend on them. */
BENCH_FN dscq_model *bench_load(const bench_args *a, const bench_net *n)
{
    char path[1024];
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(1);

    (void)snprintf(path, sizeof path, "%s/data/nets/%s", BENCH_SOURCE_DIR, n->file);
    if (dscq_config_load(&cfg, path, &err) != DSCQ_OK)
        bench_fail(a->program, &err);
    for (int i = 0; i < 3 && n->set[i] != NULL; i++)
        if (dscq_config_set(cfg, n->set[i], "bench", &err) != DSCQ_OK)
            bench_fail(a->program, &err);
    if (dscq_model_from_config(&m, cfg, "data|train|compress|machine", &r, &err) !=
        DSCQ_OK)
        bench_fail(a->program, &err);
    dscq_config_destroy(cfg);
    return m;
}

/* Bytes that must pass between memory and core when node i runs forward on `batch`
 * images, each array once: inputs, output, weights. */
BENCH_FN double bench_forward_bytes(const dscq_model *m, int32_t i, double batch)
{
    const dscq_node *n = dscq_model_node(m, i);
    double floats = (double)dscq_shape_count(&n->out);

    for (int32_t j = 0; j < n->input_count; j++) {
        const dscq_shape s = n->input[j] == DSCQ_INPUT
                                 ? dscq_model_input(m)
                                 : dscq_model_node(m, n->input[j])->out;
        floats += (double)dscq_shape_count(&s);
    }
    return 4 * (floats * batch + (double)n->weights->count);
}

/* Backward, in training: what is read and written once for each float of forward is
 * twice that (stored output and its gradient, weights and theirs); the network's input
 * has no gradient. */
BENCH_FN double bench_backward_bytes(const dscq_model *m, int32_t i, double batch)
{
    const dscq_node *n = dscq_model_node(m, i);
    const dscq_shape in = dscq_model_input(m);
    double bytes = 2 * bench_forward_bytes(m, i, batch);

    for (int32_t j = 0; j < n->input_count; j++)
        if (n->input[j] == DSCQ_INPUT)
            bytes -= 4 * (double)dscq_shape_count(&in) * batch;
    return bytes;
}

/* The networks of the inference bars. */
static const bench_net bench_inference_nets[] __attribute__((unused)) = {
    {"mbv1-0.25-32", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.25"}},
    {"mbv1-0.25-224", "mobilenet_v1_224.cfg", {"net.width_multiplier=0.25"}},
    {"tinydsc96", "tiny_dsc.cfg", {NULL}},
    {"mbv1-1.0-224", "mobilenet_v1_224.cfg", {NULL}},
    {"mbv2-1.0-224", "mobilenet_v2_224.cfg", {NULL}},
    {"squeezenet-227", "squeezenet.cfg", {NULL}},
};

enum {
    BENCH_INFERENCE_NETS = sizeof bench_inference_nets / sizeof bench_inference_nets[0]
};

#endif
