/*
 * bench_tune_step - what a compression method costs in fine-tuning: CPU time of its
 * training step over the plain one, on one thread, steps taken in turn.
 *
 *   bench_tune_step [--batch B] [--seconds S] [NET...]
 *
 * Columns: the plain step; dsc_clipq partitioning anew in every step; codebooks frozen
 * and activations quantised; the same with ranges that learn. Medians of 7 rounds of
 * S seconds of CPU time (default 0.5).
 */
#include "bench_nets.h"
#include "dscq/base/alloc.h"
#include "dscq/compress/calibrate.h"
#include "dscq/compress/method.h"
#include "dscq/compress/ranges.h"
#include "dscq/nn/train.h"

enum { BATCH = 128, PLAIN = 0, CLIPS, FROZEN, LEARNS, WORKS };

static const bench_net k_nets[] = {
    {"mbv1-0.25", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.25"}},
    {"mbv1-0.5", "mobilenet_v1_32.cfg", {"net.width_multiplier=0.5"}},
    {"mbv2-1.0", "mobilenet_v2_32.cfg", {NULL}},
    {"tinydsc64", "tiny_dsc.cfg", {"net.width=64", "net.height=64"}},
};

enum { NETS = sizeof k_nets / sizeof k_nets[0] };

typedef struct tuning {
    const char *program;
    dscq_model *m;
    dscq_trainer *t;
    dscq_compressor *c; /* NULL: the plain step */
    dscq_ranges *ranges;
    dscq_aquant *edge;
} tuning;

typedef struct tunings {
    tuning of[WORKS];
    dscq_train_batch batch;
} tunings;

static void must(const tuning *t, dscq_status status, const dscq_error *err)
{
    if (status != DSCQ_OK)
        bench_fail(t->program, err);
}

static void use_edges(const tuning *t)
{
    dscq_error err = {0};

    for (int32_t i = -1; i < dscq_model_nodes(t->m); i++) {
        const dscq_act_quant q = dscq_aquant_fake(&t->edge[i + 1]);
        must(t, dscq_exec_quantise(dscq_trainer_exec(t->t), i, &q, &err), &err);
    }
    for (int32_t i = 0; i < dscq_model_nodes(t->m); i++) {
        const dscq_act_quant q =
            dscq_aquant_fake(&t->edge[dscq_grid_before(dscq_model_nodes(t->m), i)]);
        if (dscq_node_has_table(dscq_model_node(t->m, i)))
            must(t, dscq_exec_quantise_before(dscq_trainer_exec(t->t), i, &q, &err),
                 &err);
    }
}

static dscq_status after(void *ctx, dscq_model *m, dscq_exec *e, uint64_t step,
                         dscq_error *err)
{
    const tuning *t = ctx;
    const dscq_status status = dscq_compressor_after_backward(t->c, m, e, step, err);

    if (t->ranges != NULL) {
        dscq_ranges_step(t->ranges, t->edge, e, 1e-6);
        use_edges(t);
    }
    return status;
}

static dscq_status before(void *ctx, dscq_model *m, uint64_t step, dscq_error *err)
{
    return dscq_compressor_before_step(((tuning *)ctx)->c, m, step, err);
}

static void start_compressor(tuning *t, int work)
{
    const int32_t nodes = dscq_model_nodes(t->m);
    const dscq_train_hooks hooks = {
        .ctx = t, .before_step = before, .after_backward = after};
    dscq_settings *s = NULL;
    dscq_error err = {0};

    must(t, dscq_settings_create(&s, &err), &err);
    (void)snprintf(s->all.method, sizeof s->all.method, "dsc_clipq");
    s->all.p = 0.6;
    s->all.b = 4;
    must(t, dscq_compressor_create(&t->c, t->m, s, NULL, &err), &err);
    must(t, dscq_compressor_start(t->c, 1000, 1000, 0, &err), &err);
    dscq_trainer_set_hooks(t->t, &hooks);
    dscq_settings_destroy(s);
    if (work == CLIPS)
        return;
    must(t, dscq_compressor_freeze(t->c, &err), &err);
    t->edge = dscq_calloc(dscq_grid_count(nodes), sizeof *t->edge);
    if (t->edge == NULL)
        exit(1);
    for (size_t i = 0; i < dscq_grid_count(nodes); i++)
        t->edge[i] = dscq_aquant_make(-4, 4, 8, 1);
    use_edges(t);
    if (work != LEARNS)
        return;
    must(t, dscq_ranges_create(&t->ranges, t->m, &err), &err);
    dscq_exec_learn_ranges(dscq_trainer_exec(t->t), 1);
}

static void start(tuning *t, const bench_args *a, const bench_net *n, int work)
{
    dscq_train_params p = {0};
    dscq_error err = {0};

    *t = (tuning){.program = a->program, .m = bench_load(a, n)};
    must(t, dscq_keys_defaults(&p, dscq_train_keys, &err), &err);
    p.batch = a->batch;
    p.learning_rate = 1e-4;
    must(t, dscq_trainer_create(&t->t, t->m, &p, 1000, NULL, NULL, &err), &err);
    if (work != PLAIN)
        start_compressor(t, work);
}

static void stop(tuning *t)
{
    dscq_trainer_destroy(t->t);
    dscq_compressor_destroy(t->c);
    dscq_ranges_destroy(t->ranges);
    dscq_model_destroy(t->m);
    dscq_free(t->edge);
}

static void step(tunings *all, int work)
{
    const tuning *t = &all->of[work];
    dscq_error err = {0};

    must(t, dscq_trainer_step(t->t, &all->batch, NULL, &err), &err);
}

static void plain(void *ctx)
{
    step(ctx, PLAIN);
}

static void clips(void *ctx)
{
    step(ctx, CLIPS);
}

static void frozen(void *ctx)
{
    step(ctx, FROZEN);
}

static void learns(void *ctx)
{
    step(ctx, LEARNS);
}

static void measure(const bench_args *a, const bench_net *n)
{
    static bench_fn *const k_work[WORKS] = {plain, clips, frozen, learns};
    tunings all = {.batch = {.n = a->batch}};
    dscq_rng r = dscq_rng_seeded(2);
    double s[WORKS];

    for (int i = 0; i < WORKS; i++)
        start(&all.of[i], a, n, i);
    const dscq_shape in = dscq_model_input(all.of[0].m);
    const size_t floats = dscq_shape_count(&in) * (size_t)a->batch;
    float *x = dscq_malloc(floats, sizeof *x);
    int32_t *label = dscq_malloc((size_t)a->batch, sizeof *label);
    if (x == NULL || label == NULL)
        exit(1);
    for (size_t i = 0; i < floats; i++)
        x[i] = dscq_rng_normal(&r);
    for (int32_t i = 0; i < a->batch; i++)
        label[i] = i % 10;
    all.batch.x = x;
    all.batch.label = label;
    bench_interleaved(k_work, WORKS, &all, a->seconds, s);
    printf("%-10s plain %.2f ms  dsc_clipq %.3f  frozen %.3f  learned ranges %.3f\n",
           n->name, 1e3 * s[PLAIN], s[CLIPS] / s[PLAIN], s[FROZEN] / s[PLAIN],
           s[LEARNS] / s[PLAIN]);
    (void)fflush(stdout);
    for (int i = 0; i < WORKS; i++)
        stop(&all.of[i]);
    dscq_free(x);
    dscq_free(label);
}

int main(int argc, char **argv)
{
    bench_args a = {"bench_tune_step", .seconds = 0.5, .threads = 1, .batch = BATCH};

    bench_parse(&a, argc, argv);
    for (int i = 0; i < NETS; i++)
        if (bench_wanted(&a, k_nets[i].name))
            measure(&a, &k_nets[i]);
    return 0;
}
