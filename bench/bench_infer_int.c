/*
 * bench_infer_int - milliseconds of one inference by the integer runtime.
 *
 *   bench_infer_int [--seconds S] [--density D] [--profile] [--cpu] [--all] [NET...]
 *
 * One thread, batch 1, median of 7 slices. The networks have random weights, which are
 * pruned to the density D (depthwise layers are not), quantised to 8 bits and packed
 * as `dscq compress` does it without training; activations are calibrated on random
 * pixels. --all: every kernel family of this CPU, not just the best.
 */
#include "bench_nets.h"
#include "dscq/base/alloc.h"
#include "dscq/build/build.h"
#include "dscq/compress/calibrate.h"
#include "dscq/compress/method.h"
#include "dscq/infer/runtime.h"
#include "dscq/tensor/int_kernels.h"

enum { SLICES = 7, CALIBRATE = 4 };

static void check(dscq_status status, const dscq_error *err)
{
    if (status != DSCQ_OK)
        bench_fail("bench_infer_int", err);
}

static dscq_settings *settings(double density)
{
    dscq_settings *s = NULL;
    dscq_error err = {0};

    check(dscq_settings_create(&s, &err), &err);
    (void)snprintf(s->all.method, sizeof s->all.method, "magnitude");
    s->all.p = 1.0 - density;
    s->all.b = 8;
    s->all.form = DSCQ_FORM_LINEAR;
    s->all.scale = 1;
    return s;
}

static dscq_calibrated *calibrated(dscq_model *m, const dscq_settings *s)
{
    const dscq_exec_options o = {.batch = CALIBRATE, .raw_outputs = 1};
    const dscq_shape in = dscq_model_input(m);
    const size_t floats = dscq_shape_count(&in) * CALIBRATE;
    float *x = dscq_malloc(floats, sizeof *x);
    dscq_observer *seen = NULL;
    dscq_calibrated *c = NULL;
    dscq_exec *e = NULL;
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(2);

    if (x == NULL)
        exit(1);
    for (size_t i = 0; i < floats; i++)
        x[i] = dscq_rng_normal(&r);
    check(dscq_observer_create(&seen, m, &err), &err);
    check(dscq_exec_create(&e, m, &o, &err), &err);
    dscq_observer_watch(seen, e);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, CALIBRATE, NULL);
    check(dscq_calibrate(&c, seen, s, NULL, &err), &err);
    dscq_exec_destroy(e);
    dscq_observer_destroy(seen);
    dscq_free(x);
    return c;
}

static dscq_qmodel *assemble(dscq_model *m, const dscq_compressor *c,
                             const dscq_calibrated *cal)
{
    const size_t nodes = (size_t)dscq_model_nodes(m);
    const dscq_wquant **w = dscq_calloc(nodes, sizeof *w);
    dscq_qmodel *q = NULL;
    dscq_error err = {0};

    if (w == NULL)
        exit(1);
    for (size_t i = 0; i < nodes; i++)
        w[i] = dscq_compressor_wquant(c, (int32_t)i);
    const dscq_build_spec spec = {.input = cal->input,
                                  .node_count = (int32_t)nodes,
                                  .edge = cal->edge,
                                  .before_act = cal->before,
                                  .weights = w};
    check(dscq_build_qmodel(&q, m, &spec, &err), &err);
    dscq_free(w);
    return q;
}

static dscq_qmodel *packed(const bench_args *a, const bench_net *n)
{
    dscq_model *m = bench_load(a, n);
    dscq_settings *s = settings(a->density);
    dscq_compressor *c = NULL;
    dscq_error err = {0};

    check(dscq_compressor_create(&c, m, s, NULL, &err), &err);
    check(dscq_compressor_start(c, 1, 1, 0, &err), &err);
    check(dscq_compressor_freeze(c, &err), &err);
    dscq_calibrated *cal = calibrated(m, s);
    dscq_qmodel *q = assemble(m, c, cal);
    dscq_calibrated_destroy(cal);
    dscq_compressor_destroy(c);
    dscq_settings_destroy(s);
    dscq_model_destroy(m);
    return q;
}

static void print_profile(const dscq_qmodel *m, const dscq_runtime *r, double passes)
{
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        const dscq_qtensor *x = &m->tensor[n->input[0]], *y = &m->tensor[n->output];
        const double s = dscq_runtime_seconds(r, i) / passes;
        const double bytes = (double)dscq_qtensor_bytes(x) +
                             (double)dscq_qtensor_bytes(y) +
                             (n->weights != NULL ? (double)n->weights->count : 0);
        printf("  %-22s %4dx%-4d %4d -> %-4d  %8.1f us %6.1f GMAC/s %6.1f GB/s\n",
               n->name, (int)x->h, (int)x->w, (int)x->c, (int)y->c, 1e6 * s,
               1e-9 * (double)dscq_qnode_macs(m, n) / s, 1e-9 * bytes / s);
    }
}

static void measure(const bench_args *a, const bench_net *net, dscq_qmodel *m,
                    const char *kernels)
{
    void *in = dscq_calloc(dscq_qtensor_bytes(&m->tensor[m->input[0].tensor]), 1);
    void *out = dscq_calloc(dscq_qtensor_bytes(&m->tensor[m->output[0].tensor]), 1);
    const void *inputs[1] = {in};
    void *outputs[1] = {out};
    const dscq_runtime_options o = {NULL, kernels};
    double ms[SLICES], passes = 0, macs = 0;
    dscq_runtime *r = NULL;
    dscq_error err = {0};

    if (in == NULL || out == NULL)
        exit(1);
    check(dscq_runtime_create(&r, m, &o, &err), &err);
    for (int i = 0; i < 5; i++)
        dscq_runtime_run(r, 1, inputs, outputs);
    if (a->profile)
        dscq_runtime_profile(r, a->now);
    for (int i = 0; i < SLICES; i++) {
        const double begin = a->now();
        double count = 0, now;
        do {
            dscq_runtime_run(r, 1, inputs, outputs);
            count++;
        } while ((now = a->now()) - begin < a->seconds);
        ms[i] = 1e3 * (now - begin) / count;
        passes += count;
    }
    for (int32_t i = 0; i < m->node_count; i++)
        macs += (double)dscq_qnode_macs(m, &m->node[i]);
    qsort(ms, SLICES, sizeof ms[0], bench_order);
    printf("%-14s ms %.4f min %.4f max %.4f density %.2f kernels %s gmac_per_s %.1f "
           "arena_kb %.0f\n",
           net->name, ms[SLICES / 2], ms[0], ms[SLICES - 1], a->density, kernels,
           1e-6 * macs / ms[SLICES / 2], (double)dscq_runtime_arena_bytes(r) / 1e3);
    if (a->profile)
        print_profile(m, r, passes);
    (void)fflush(stdout);
    dscq_runtime_destroy(r);
    dscq_free(in);
    dscq_free(out);
}

int main(int argc, char **argv)
{
    bench_args a = {"bench_infer_int", .seconds = 0.1, .density = 1.0, .threads = 1,
                    .batch = 1};
    int families = 1;

    bench_parse(&a, argc, argv);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--all") == 0)
            families = 100;
    for (int i = 0; i < BENCH_INFERENCE_NETS; i++) {
        const bench_net *n = &bench_inference_nets[i];
        if (!bench_wanted(&a, n->name))
            continue;
        dscq_qmodel *m = packed(&a, n);
        for (int f = 0; f < families && dscq_int_kernels_family(f) != NULL; f++)
            measure(&a, n, m, dscq_int_kernels_family(f));
        dscq_qmodel_destroy(m);
    }
    return 0;
}
