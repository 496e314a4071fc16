/* Training with less memory: the same bytes as with more. */
#include "dscq/base/alloc.h"
#include "dscq/nn/train.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Windows that overlap, that do not, and that lie in padding; activations whose slope
 * the pooled value tells (relu, relu6, none) or does not tell (leaky); a normalised
 * layer and one that is read twice in front of a pool. */
static const char k_pools[] =
    "[net]\nwidth=12\nheight=12\nchannels=2\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=relu\n"
    "[maxpool]\nsize=3\nstride=2\n"
    "[convolutional]\nfilters=8\nsize=1\nactivation=relu6\n"
    "[maxpool]\nsize=2\nstride=1\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=3\nstride=1\npadding=2\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[maxpool]\nsize=2\nstride=1\n"
    "[convolutional]\nfilters=8\nsize=1\nactivation=relu\n"
    "[maxpool]\nsize=2\nstride=1\n"
    "[route]\nlayers=-1,-2\n"
    "[convolutional]\nfilters=8\nsize=1\nactivation=linear\n"
    "[maxpool]\nsize=2\nstride=2\npadding=0\n"
    "[dropout]\nprobability=0.3\n"
    "[connected]\noutput=4\nactivation=linear\n[softmax]\n";

/* From so many weights on copies are packed late, or piece by piece. */
static const char k_large[] = "[net]\nwidth=1\nheight=1\nchannels=50\n"
                              "[connected]\noutput=900\nactivation=relu\n"
                              "[connected]\noutput=700\nactivation=relu\n"
                              "[connected]\noutput=900\nactivation=relu6\n"
                              "[connected]\noutput=4\nactivation=linear\n[softmax]\n";

enum { IMAGES = 11, CLASSES = 4, PIXELS = 12 * 12 * 2 };

static dscq_model *make(const char *text)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(4);

    test_ok(dscq_config_parse(&cfg, text, strlen(text), "memory.cfg", &err));
    test_ok(dscq_model_from_config(&m, cfg, "", &r, &err));
    dscq_config_destroy(cfg);
    return m;
}

typedef struct data {
    float x[IMAGES * PIXELS];
    int32_t label[IMAGES];
} data;

static const data *make_data(void)
{
    static data d;
    dscq_rng r = dscq_rng_seeded(9);

    for (int i = 0; i < IMAGES * PIXELS; i++)
        d.x[i] = dscq_rng_normal(&r);
    for (int i = 0; i < IMAGES; i++)
        d.label[i] = i % CLASSES;
    return &d;
}

static void same_weights(const dscq_model *a, const dscq_model *b)
{
    for (int32_t i = 0; i < dscq_model_nodes(a); i++) {
        const dscq_weights *u = dscq_model_node(a, i)->weights;
        const dscq_weights *v = dscq_model_node(b, i)->weights;
        const size_t c = (size_t)u->channels * sizeof(float);
        if (u->w != NULL)
            ck_assert_mem_eq(u->w, v->w, u->count * sizeof(float));
        if (u->bias != NULL)
            ck_assert_mem_eq(u->bias, v->bias, c);
        if (u->gamma != NULL)
            ck_assert_mem_eq(u->gamma, v->gamma, c);
    }
}

/* Steps of a run; returns the bytes of its plan, which its trainer must agree with. */
static size_t train(dscq_model *m, int lean, int optimiser, double ema, int threads)
{
    const data *d = make_data();
    dscq_train_params p = {0};
    dscq_train_plan plan;
    dscq_trainer *t = NULL;
    dscq_pool *pool = NULL;
    dscq_error err = {0};

    test_ok(dscq_pool_create(&pool, threads, &err));
    test_ok(dscq_keys_defaults(&p, dscq_train_keys, &err));
    p.batch = IMAGES;
    p.lean = lean;
    p.optimiser = optimiser;
    p.ema = ema;
    p.learning_rate = optimiser == DSCQ_OPT_SGD ? 0.05 : 0.005;
    test_ok(dscq_trainer_dry_run(&plan, m, &p, pool, NULL, &err));
    test_ok(dscq_trainer_create(&t, m, &p, 3, pool, NULL, &err));
    ck_assert_uint_eq(dscq_trainer_bytes(t), plan.total_bytes);
    for (int i = 0; i < 6; i++) {
        const dscq_train_batch b = {
            .n = i % 2 ? IMAGES : IMAGES - 4, .x = d->x, .label = d->label};
        test_ok(dscq_trainer_step(t, &b, NULL, &err));
    }
    dscq_trainer_destroy(t);
    dscq_pool_destroy(pool);
    return plan.total_bytes;
}

START_TEST(lean_training_gives_the_same_bytes)
{
    static const struct {
        const char *net;
        int optimiser;
        double ema;
    } k_case[] = {{k_pools, DSCQ_OPT_SGD, 0},
                  {k_pools, DSCQ_OPT_ADAM, 0.9},
                  {k_pools, DSCQ_OPT_ADAMW, 0},
                  {k_large, DSCQ_OPT_SGD, 0.9},
                  {k_large, DSCQ_OPT_ADAM, 0}};
    dscq_model *a = make(k_case[_i].net), *b = make(k_case[_i].net);

    const size_t full = train(a, 0, k_case[_i].optimiser, k_case[_i].ema, 2);
    const size_t lean = train(b, 1, k_case[_i].optimiser, k_case[_i].ema, 2);
    same_weights(a, b);
    ck_assert_uint_lt(lean, full);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

START_TEST(a_lean_engine_does_not_quantise)
{
    const dscq_act_quant q = {0.1f, 0, 8, 1};
    const dscq_exec_options o = {.batch = 2, .training = 1, .lean = 1};
    dscq_model *m = make(k_pools);
    dscq_exec *e = NULL;
    dscq_error err = {0};

    test_ok(dscq_exec_create(&e, m, &o, &err));
    test_fails(dscq_exec_quantise(e, 0, &q, &err), DSCQ_ARG,
               "node 0: this engine is lean: its outputs stay floats");
    test_ok(dscq_exec_quantise(e, 0, NULL, &err));
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
}
END_TEST

static dscq_exec *engine(dscq_model *m, int32_t batch, int training)
{
    const dscq_exec_options o = {
        .batch = batch, .training = training, .raw_outputs = !training};
    dscq_exec *e = NULL;
    dscq_error err = {0};

    test_ok(dscq_exec_create(&e, m, &o, &err));
    return e;
}

static void pass(dscq_exec *e, const data *d)
{
    dscq_exec_forward(e, DSCQ_PASS_TRAIN, d->x, IMAGES, NULL);
    float *g = dscq_exec_output_grad(e, 0);
    for (int i = 0; i < IMAGES * CLASSES; i++)
        g[i] = (float)(i % 5) - 1.5f;
    dscq_exec_backward(e);
}

/* An engine for few images packs pieces, one for many packs large layers when their
 * turn comes; both give what packed copies of everything give. */
START_TEST(however_weights_are_packed_the_bytes_are_the_same)
{
    const data *d = make_data();
    const size_t out = (size_t)IMAGES * CLASSES * sizeof(float);
    dscq_model *m = make(k_large);
    dscq_exec *few = engine(m, IMAGES, 1), *many = engine(m, 300, 1);
    dscq_exec *eval = engine(m, IMAGES, 0);
    const dscq_exec_plan small = dscq_exec_get_plan(few);

    pass(few, d);
    pass(many, d);
    dscq_exec_forward(eval, DSCQ_PASS_EVAL, d->x, IMAGES, NULL);
    ck_assert_mem_eq(dscq_exec_output(few, 0, NULL), dscq_exec_output(many, 0, NULL),
                     out);
    ck_assert_mem_eq(dscq_exec_output(few, 0, NULL), dscq_exec_output(eval, 0, NULL),
                     out);
    for (int32_t i = 0; i + 1 < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        const dscq_grads a = dscq_exec_grads(few, i), b = dscq_exec_grads(many, i);
        ck_assert_mem_eq(a.w, b.w, w->count * sizeof(float));
        ck_assert_mem_eq(a.bias, b.bias, (size_t)w->channels * sizeof(float));
    }
    dscq_exec_forward(few, DSCQ_PASS_EVAL, d->x, IMAGES, NULL);
    ck_assert_mem_eq(dscq_exec_output(few, 0, NULL), dscq_exec_output(eval, 0, NULL),
                     out);
    /* gradients, a copy of the first and of the last layer, and no more copies */
    ck_assert_uint_lt(small.weight_bytes - small.gradient_bytes,
                      small.gradient_bytes / 4);
    dscq_exec_destroy(few);
    dscq_exec_destroy(many);
    dscq_exec_destroy(eval);
    dscq_model_destroy(m);
}
END_TEST

/* A large network's last good weights lie in a file. */
START_TEST(a_run_that_diverges_gets_its_weights_back)
{
    static float bad[IMAGES * PIXELS];
    const data *d = make_data();
    dscq_model *m = make(k_large), *want = make(k_large);
    dscq_train_params p = {0};
    dscq_trainer *t = NULL;
    dscq_error err = {0};
    dscq_train_batch b = {.n = IMAGES, .x = d->x, .label = d->label};

    test_ok(dscq_keys_defaults(&p, dscq_train_keys, &err));
    p.batch = IMAGES;
    p.lean = 1;
    ck_assert_int_eq(setenv("TMPDIR", test_path("nowhere"), 1), 0);
    ck_assert_int_eq(dscq_trainer_create(&t, m, &p, 3, NULL, NULL, &err), DSCQ_IO);
    ck_assert_ptr_nonnull(strstr(err.msg, "last good weights: "));
    ck_assert_ptr_nonnull(strstr(err.msg, "(TMPDIR names another folder)"));
    ck_assert_int_eq(unsetenv("TMPDIR"), 0);
    test_ok(dscq_trainer_create(&t, m, &p, 3, NULL, NULL, &err));
    test_ok(dscq_trainer_step(t, &b, NULL, &err));
    memcpy(bad, d->x, sizeof bad);
    bad[3] = (float)NAN;
    b.x = bad;
    ck_assert_int_eq(dscq_trainer_step(t, &b, NULL, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "training diverged in epoch 1, batch 2"));
    same_weights(m, want);
    dscq_trainer_destroy(t);
    dscq_model_destroy(m);
    dscq_model_destroy(want);
}
END_TEST

static Suite *make_suite(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("nn/memory", &tc);

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, lean_training_gives_the_same_bytes, 0, 5);
    tcase_add_test(tc, a_lean_engine_does_not_quantise);
    tcase_add_test(tc, a_run_that_diverges_gets_its_weights_back);
    tcase_add_test(tc, however_weights_are_packed_the_bytes_are_the_same);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
