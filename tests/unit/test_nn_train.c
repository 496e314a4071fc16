/* Training: optimisers against plain arithmetic, resume, divergence, early stop,
 * averaging, freezing, distillation; the memory plan. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/nn/train.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char k_net[] = "[net]\nwidth=8\nheight=8\nchannels=2\n"
                            "[convolutional]\nname=stem\nfilters=8\nsize=3\npad=1\n"
                            "batch_normalize=1\nactivation=relu\n"
                            "[depthwise]\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"
                            "activation=relu\n"
                            "[convolutional]\nfilters=16\nsize=1\nbatch_normalize=1\n"
                            "activation=relu\n"
                            "[avgpool]\n[dropout]\nprobability=0.2\n"
                            "[connected]\nname=head\noutput=3\nactivation=linear\n"
                            "[softmax]\n";

enum { IMAGES = 42, BATCH = 16, PIXELS = 8 * 8 * 2 };

/* Three classes that differ in mean and in a stripe. */
typedef struct toy {
    float x[IMAGES * PIXELS];
    int32_t label[IMAGES];
    float teacher[IMAGES * 3];
    int poison_epoch; /* this epoch holds a NaN; -1: none */
    int stop_after;   /* batches until the log says stop; -1: never */
    int calls;
    float bad[BATCH * PIXELS];
} toy;

static toy *make_toy(void)
{
    toy *t = dscq_calloc(1, sizeof *t);
    dscq_rng r = dscq_rng_seeded(9);

    t->poison_epoch = t->stop_after = -1;
    for (int i = 0; i < IMAGES; i++) {
        t->label[i] = i % 3;
        t->teacher[i * 3 + i % 3] = 3.0f;
        for (int j = 0; j < PIXELS; j++)
            t->x[i * PIXELS + j] = dscq_rng_normal(&r) * 0.5f +
                                   (float)(t->label[i] - 1) * (j % 2 ? 0.8f : -0.3f);
    }
    return t;
}

static dscq_status toy_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                             size_t number, dscq_error *err)
{
    toy *t = ctx;
    const size_t first = number * BATCH;

    (void)err;
    t->calls++;
    if (first >= IMAGES)
        return DSCQ_OK;
    out->n = (int32_t)(IMAGES - first < BATCH ? IMAGES - first : BATCH);
    out->x = t->x + first * PIXELS;
    out->label = t->label + first;
    out->teacher = t->teacher + first * 3;
    if ((int)epoch == t->poison_epoch && number == 1) {
        memcpy(t->bad, out->x, sizeof t->bad);
        t->bad[5] = (float)NAN;
        out->x = t->bad;
    }
    return DSCQ_OK;
}

static int toy_stop(void *ctx)
{
    const toy *t = ctx;

    return t->stop_after >= 0 && t->calls >= t->stop_after;
}

static dscq_model *make_net(void)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(4);

    ck_assert_int_eq(dscq_config_parse(&cfg, k_net, strlen(k_net), "toy.cfg", &err),
                     DSCQ_OK);
    ck_assert_msg(dscq_model_from_config(&m, cfg, "", &r, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_config_destroy(cfg);
    return m;
}

static dscq_train_params make_params(int epochs)
{
    dscq_train_params p = {0};

    ck_assert_int_eq(dscq_keys_defaults(&p, dscq_train_keys, NULL), DSCQ_OK);
    p.epochs = epochs;
    p.batch = BATCH;
    p.learning_rate = 0.05;
    return p;
}

static uint64_t digest(const dscq_model *m)
{
    uint64_t h = 0;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        const size_t c = (size_t)w->channels * sizeof(float);
        const float *all[] = {w->bias, w->gamma, w->beta, w->mean, w->var};
        if (w->w != NULL)
            h = dscq_fnv64(h, w->w, w->count * sizeof(float));
        for (int j = 0; j < 5; j++)
            if (all[j] != NULL)
                h = dscq_fnv64(h, all[j], c);
    }
    return h;
}

static dscq_trainer *make_trainer(dscq_model *m, const dscq_train_params *p,
                                  dscq_pool *pool)
{
    dscq_trainer *t = NULL;
    dscq_error err = {0};

    ck_assert_msg(dscq_trainer_create(&t, m, p, 3, pool, NULL, &err) == DSCQ_OK, "%s",
                  err.msg);
    return t;
}

static double accuracy(dscq_model *m, toy *t)
{
    const dscq_exec_options o = {.batch = BATCH, .raw_outputs = 1};
    dscq_exec *e = NULL;
    dscq_eval *v = NULL;
    dscq_error err = {0};

    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_eval_create(&v, 3, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_evaluate(v, e, toy_batch, t, NULL, &err), DSCQ_OK);
    ck_assert_uint_eq(dscq_eval_count(v), IMAGES);
    const double a = dscq_eval_top1_frac(v);
    dscq_eval_destroy(v);
    dscq_exec_destroy(e);
    return a;
}

static const char *const k_optimisers[] = {"sgd",   "nesterov", "adam",
                                           "adamw", "ema",      "clip"};

static dscq_train_params params_of(int which, int epochs)
{
    dscq_train_params p = make_params(epochs);

    p.nesterov = which == 1;
    p.optimiser = which == 2   ? DSCQ_OPT_ADAM
                  : which == 3 ? DSCQ_OPT_ADAMW
                               : DSCQ_OPT_SGD;
    if (which == 2 || which == 3)
        p.learning_rate = 0.01;
    p.ema = which == 4 ? 0.9 : 0;
    p.clip_norm = which == 5 ? 0.5 : 0;
    p.warmup_epochs = 1;
    p.label_smoothing = 0.1;
    return p;
}

START_TEST(every_optimiser_learns_the_toy)
{
    toy *t = make_toy();
    dscq_model *m = make_net();
    const dscq_train_params p = params_of(_i, 15);
    dscq_trainer *tr = make_trainer(m, &p, NULL);
    dscq_error err = {0};

    ck_assert_msg(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err) == DSCQ_OK,
                  "%s", err.msg);
    ck_assert_msg(accuracy(m, t) > 0.9, "%s: %g", k_optimisers[_i], accuracy(m, t));
    ck_assert_uint_eq(dscq_trainer_state(tr)->step, 45);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_free(t);
}
END_TEST

static uint64_t run_all(int which, int threads)
{
    toy *t = make_toy();
    dscq_model *m = make_net();
    dscq_pool *pool = NULL;
    const dscq_train_params p = params_of(which, 4);

    ck_assert_int_eq(dscq_pool_create(&pool, threads, NULL), DSCQ_OK);
    dscq_trainer *tr = make_trainer(m, &p, pool);
    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, NULL),
                     DSCQ_OK);
    const uint64_t h = digest(m);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_pool_destroy(pool);
    dscq_free(t);
    return h;
}

START_TEST(threads_do_not_change_the_result)
{
    const uint64_t one = run_all(_i, 1);

    ck_assert_uint_eq(run_all(_i, 2), one);
    ck_assert_uint_eq(run_all(_i, 8), one);
}
END_TEST

/* Stopped after k batches, thrown away, begun anew from the file: the same bytes. */
START_TEST(resumed_run_ends_with_the_same_bytes)
{
    const uint64_t whole = run_all(_i, 1);

    for (int k = 1; k < 16; k += 3) {
        toy *t = make_toy();
        dscq_error err = {0};
        dscq_train_params p = params_of(_i, 4);
        const dscq_log log = {.ctx = t, .stop = toy_stop};
        snprintf(p.save, sizeof p.save, "%s", test_path("run.ckpt"));
        dscq_model *m = make_net();
        dscq_trainer *tr = make_trainer(m, &p, NULL);
        t->stop_after = k;
        ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, &log, &err),
                         DSCQ_INTERRUPTED);
        dscq_trainer_destroy(tr);
        dscq_model_destroy(m);

        m = make_net();
        dscq_model_node(m, 0)->weights->w[0] = 99.0f;
        tr = make_trainer(m, &p, NULL);
        ck_assert_msg(dscq_trainer_resume(tr, p.save, &err) == DSCQ_OK, "%s", err.msg);
        ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                         DSCQ_OK);
        ck_assert_msg(digest(m) == whole, "%s: stopped after %d", k_optimisers[_i], k);
        dscq_trainer_destroy(tr);
        dscq_model_destroy(m);
        dscq_free(t);
    }
}
END_TEST

START_TEST(another_run_is_not_continued)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(1);
    dscq_model *m = make_net();
    dscq_trainer *tr = make_trainer(m, &p, NULL);

    ck_assert_int_eq(dscq_trainer_save(tr, test_path("a.ckpt"), &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_save(m, test_path("w.ckpt"), &err), DSCQ_OK);
    dscq_trainer_destroy(tr);
    p.seed = 7;
    tr = make_trainer(m, &p, NULL);
    ck_assert_int_eq(dscq_trainer_resume(tr, test_path("a.ckpt"), &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "other settings"));
    ck_assert_int_eq(dscq_trainer_resume(tr, test_path("w.ckpt"), &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "no run to continue"));
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_free(t);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_ends_the_run_with_the_last_good_weights)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(5);
    dscq_model *m = make_net(), *good = NULL;
    dscq_trainer *tr = make_trainer(m, &p, NULL);

    ck_assert_int_eq(dscq_trainer_epoch(tr, toy_batch, t, NULL, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_clone(&good, m, &err), DSCQ_OK);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);

    m = make_net();
    tr = make_trainer(m, &p, NULL);
    t->poison_epoch = 1;
    snprintf(p.save, sizeof p.save, "%s", test_path("nan.ckpt"));
    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "epoch 2, batch 2"));
    ck_assert_uint_eq(digest(m), digest(good));
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_model_destroy(good);
    dscq_free(t);
}
END_TEST

START_TEST(an_absurd_rate_is_noticed)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(40);
    dscq_model *m = make_net();
    p.learning_rate = 1000;
    p.schedule = DSCQ_SCHED_CONSTANT;
    p.decay = 1; /* w grows by a factor of 999 a step */
    dscq_trainer *tr = make_trainer(m, &p, NULL);

    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "diverged"));
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        for (size_t j = 0; j < w->count; j++)
            ck_assert(isfinite(w->w[j]));
    }
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_free(t);
}
END_TEST

/* ---- hooks -------------------------------------------------------------- */

typedef struct hook_log {
    int before, after_backward, after;
    double scores[8];
    float *copy; /* stands in for quantised weights */
    dscq_model *m;
} hook_log;

static dscq_status hook_before(void *ctx, dscq_model *m, uint64_t step, dscq_error *err)
{
    hook_log *h = ctx;
    dscq_weights *w = dscq_model_node(m, 0)->weights;

    (void)err;
    ck_assert_uint_eq(step, (uint64_t)h->before++);
    for (size_t i = 0; i < w->count; i++)
        h->copy[i] = w->w[i] > 0 ? 0.25f : -0.25f;
    w->w_used = h->copy;
    return DSCQ_OK;
}

static dscq_status hook_backward(void *ctx, dscq_model *m, dscq_exec *e, uint64_t step,
                                 dscq_error *err)
{
    const dscq_grads g = dscq_exec_grads(e, 0);

    (void)step;
    (void)err;
    ((hook_log *)ctx)->after_backward++;
    for (size_t i = 0; i < dscq_model_node(m, 0)->weights->count; i += 2)
        g.w[i] = 0.0f; /* these must stay */
    return DSCQ_OK;
}

static dscq_status hook_validate(void *ctx, dscq_model *m, uint32_t epoch,
                                 double *score, dscq_error *err)
{
    (void)m;
    (void)err;
    *score = ((hook_log *)ctx)->scores[epoch];
    return DSCQ_OK;
}

START_TEST(hooks_see_every_step_and_steer_it)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(2);
    dscq_model *m = make_net(), *start = make_net();
    const dscq_weights *w = dscq_model_node(m, 0)->weights;
    const dscq_weights *w0 = dscq_model_node(start, 0)->weights;
    hook_log h = {.copy = dscq_calloc(w->count, sizeof(float))};
    p.decay = 0;
    dscq_trainer *tr = make_trainer(m, &p, NULL);
    const dscq_train_hooks hooks = {
        .ctx = &h, .before_step = hook_before, .after_backward = hook_backward};

    dscq_trainer_set_hooks(tr, &hooks);
    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                     DSCQ_OK);
    ck_assert_int_eq(h.before, 6);
    ck_assert_int_eq(h.after_backward, 6);
    int moved = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (i % 2 == 0)
            ck_assert(w->w[i] == w0->w[i]);
        moved += w->w[i] != w0->w[i];
    }
    ck_assert_int_gt(moved, (int)w->count / 4); /* through the copy, to the masters */
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_model_destroy(start);
    dscq_free(h.copy);
    dscq_free(t);
}
END_TEST

START_TEST(the_best_validation_wins_and_patience_ends_the_run)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(8);
    dscq_model *m = make_net(), *two = make_net();
    hook_log h = {.scores = {0.1, 0.9, 0.5, 0.6, 0.7, 0.8, 0.85, 0.89}};
    const dscq_train_hooks hooks = {.ctx = &h, .validate = hook_validate};

    p.patience = 3;
    p.schedule = DSCQ_SCHED_CONSTANT;
    dscq_trainer *tr = make_trainer(m, &p, NULL);
    dscq_trainer_set_hooks(tr, &hooks);
    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                     DSCQ_OK);
    ck_assert_uint_eq(dscq_trainer_state(tr)->epoch, 5);
    ck_assert_int_eq(dscq_trainer_state(tr)->stopped_early, 1);
    ck_assert_uint_eq(dscq_trainer_state(tr)->best_epoch, 1);
    dscq_trainer_destroy(tr);

    p.epochs = 2; /* the same two epochs */
    p.patience = 0;
    tr = make_trainer(two, &p, NULL);
    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                     DSCQ_OK);
    ck_assert_uint_eq(digest(m), digest(two));
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_model_destroy(two);
    dscq_free(t);
}
END_TEST

/* Stopped while it waits for something better: it does not wait anew. */
START_TEST(patience_is_remembered_across_a_resume)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(8);
    hook_log h = {.scores = {0.1, 0.9, 0.5, 0.6, 0.7, 0.8, 0.85, 0.89}};
    const dscq_train_hooks hooks = {.ctx = &h, .validate = hook_validate};
    const dscq_log log = {.ctx = t, .stop = toy_stop};

    p.patience = 3;
    p.schedule = DSCQ_SCHED_CONSTANT;
    snprintf(p.save, sizeof p.save, "%s", test_path("wait.ckpt"));
    dscq_model *m = make_net();
    dscq_trainer *tr = make_trainer(m, &p, NULL);
    dscq_trainer_set_hooks(tr, &hooks);
    while (dscq_trainer_state(tr)->epoch < 4) { /* two epochs after the best one */
        t->stop_after = t->calls + 1;
        ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, &log, &err),
                         DSCQ_INTERRUPTED);
    }
    ck_assert_uint_eq(dscq_trainer_state(tr)->epochs_since_best, 2);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);

    m = make_net();
    tr = make_trainer(m, &p, NULL);
    dscq_trainer_set_hooks(tr, &hooks);
    ck_assert_msg(dscq_trainer_resume(tr, p.save, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_uint_eq(dscq_trainer_state(tr)->epochs_since_best, 2);
    t->stop_after = -1;
    ck_assert_int_eq(dscq_trainer_run(tr, toy_batch, t, NULL, NULL, NULL, &err),
                     DSCQ_OK);
    ck_assert_uint_eq(dscq_trainer_state(tr)->epoch, 5);
    ck_assert_int_eq(dscq_trainer_state(tr)->stopped_early, 1);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_free(t);
}
END_TEST

START_TEST(frozen_layers_stay_and_rates_differ)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(1);
    dscq_model *m = make_net(), *start = make_net();
    dscq_train_batch b = {0};

    snprintf(p.freeze, sizeof p.freeze, "stem,*depth*");
    snprintf(p.head_rate_layers, sizeof p.head_rate_layers, "head");
    p.head_rate = 0;
    dscq_trainer *tr = make_trainer(m, &p, NULL);
    ck_assert_int_eq(toy_batch(t, &b, 0, 0, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_trainer_step(tr, &b, NULL, &err), DSCQ_OK);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        const dscq_weights *w0 = dscq_model_node(start, i)->weights;
        if (w->count == 0)
            continue;
        const int same = memcmp(w->w, w0->w, w->count * sizeof(float)) == 0;
        ck_assert_msg(same == (i != 2), "node %d", (int)i);
        if (i < 2) /* frozen statistics as well */
            ck_assert_mem_eq(w->mean, w0->mean, (size_t)w->channels * sizeof(float));
    }
    dscq_trainer_destroy(tr);
    p.freeze[0] = '*';
    p.freeze[1] = '\0';
    tr = NULL;
    ck_assert_int_eq(dscq_trainer_create(&tr, m, &p, 3, NULL, NULL, &err), DSCQ_ARG);
    ck_assert_ptr_null(tr);
    dscq_model_destroy(m);
    dscq_model_destroy(start);
    dscq_free(t);
}
END_TEST

START_TEST(rates_are_set_by_pattern_and_a_pattern_must_match)
{
    static const struct {
        const char *freeze, *head, *rates, *said;
    } k_bad[] = {
        {"stem,nothing*", "", "", "nothing*"}, {"", "haed", "", "haed"},
        {"", "", "stem:0.5,none:2", "none"},   {"", "", "stem", "pattern:factor"},
        {"", "", "stem:-1", "pattern:factor"}, {"", "", "stem:2x", "pattern:factor"},
    };
    dscq_error err = {0};
    dscq_model *m = make_net();
    dscq_train_params p = make_params(1);
    dscq_trainer *tr = NULL;

    for (size_t i = 0; i < sizeof k_bad / sizeof *k_bad; i++) {
        snprintf(p.freeze, sizeof p.freeze, "%s", k_bad[i].freeze);
        snprintf(p.head_rate_layers, sizeof p.head_rate_layers, "%s", k_bad[i].head);
        snprintf(p.layer_rates, sizeof p.layer_rates, "%s", k_bad[i].rates);
        ck_assert_int_eq(dscq_trainer_create(&tr, m, &p, 3, NULL, NULL, &err),
                         DSCQ_FORMAT);
        ck_assert_ptr_null(tr);
        ck_assert_msg(strstr(err.msg, k_bad[i].said) != NULL, "%s", err.msg);
    }
    p = make_params(1);
    snprintf(p.layer_rates, sizeof p.layer_rates, "*:0.25, stem:0.1 ,head:3");
    tr = make_trainer(m, &p, NULL);
    const int32_t stem = dscq_model_find(m, "stem"), head = dscq_model_find(m, "head");
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        ck_assert_double_eq_tol(dscq_model_node(m, i)->rate,
                                i == stem   ? 0.1
                                : i == head ? 3
                                            : 0.25,
                                1e-12);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
}
END_TEST

/* One SGD step by hand: decay on weights, none on biases. */
START_TEST(sgd_does_what_the_formula_says)
{
    toy *t = make_toy();
    dscq_error err = {0};
    dscq_train_params p = make_params(1);
    dscq_model *m = make_net(), *start = make_net();
    dscq_train_batch b = {0};

    p.schedule = DSCQ_SCHED_CONSTANT;
    p.decay = 0.1;
    dscq_trainer *tr = make_trainer(m, &p, NULL);
    ck_assert_int_eq(toy_batch(t, &b, 0, 0, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_trainer_step(tr, &b, NULL, &err), DSCQ_OK);
    const int32_t head = dscq_model_find(m, "head");
    const dscq_weights *w = dscq_model_node(m, head)->weights;
    const dscq_weights *w0 = dscq_model_node(start, head)->weights;
    const dscq_grads g = dscq_exec_grads(dscq_trainer_exec(tr), head);
    for (size_t i = 0; i < w->count; i++)
        ck_assert_double_eq_tol(
            (double)w->w[i],
            (double)w0->w[i] - 0.05 * ((double)g.w[i] + 0.1 * (double)w0->w[i]), 1e-6);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol((double)w->bias[i], -0.05 * (double)g.bias[i], 1e-6);
    dscq_trainer_destroy(tr);
    dscq_model_destroy(m);
    dscq_model_destroy(start);
    dscq_free(t);
}
END_TEST

/* 1, 2, 4, 9: mean 4, sum of squares 38; what is kept for evaluation divides by n - 1,
 * what this batch is divided by has n. */
START_TEST(running_variance_is_unbiased)
{
    static const char k_four[] =
        "[net]\nwidth=2\nheight=1\nchannels=1\nbn_eps=1e-12\n[convolutional]\n"
        "filters=1\nsize=1\nbatch_normalize=1\nactivation=linear\n";
    const float x[] = {1, 2, 4, 9};
    const dscq_exec_options o = {.batch = 2, .training = 1};
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_exec *e = NULL;
    dscq_shape shape;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(4);

    ck_assert_int_eq(dscq_config_parse(&cfg, k_four, sizeof k_four - 1, "t", &err),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_model_from_config(&m, cfg, "", &r, &err), DSCQ_OK);
    dscq_config_destroy(cfg);
    const dscq_weights *w = dscq_model_node(m, 0)->weights;
    w->w[0] = 1;
    ck_assert_msg(dscq_exec_create(&e, m, &o, &err) == DSCQ_OK, "%s", err.msg);
    dscq_exec_norm_momentum(e, 0.25);
    dscq_exec_forward(e, DSCQ_PASS_TRAIN, x, 2, NULL);
    ck_assert_double_eq_tol((double)w->mean[0], 0.25 * 4, 1e-6);
    ck_assert_double_eq_tol((double)w->var[0], 0.75 * 1 + 0.25 * 38 / 3, 1e-5);
    const float *y = dscq_exec_output(e, 0, &shape);
    ck_assert_double_eq_tol((double)y[0], -3 / sqrt(38.0 / 4), 1e-5);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(schedules_pass_through_known_points)
{
    dscq_train_params p = make_params(10);

    p.learning_rate = 1;
    ck_assert_double_eq_tol(dscq_train_rate(&p, 0, 100), 1, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 500, 100), 0.5, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 1000, 100), 0, 1e-12);
    p.final_rate = 0.1;
    ck_assert_double_eq_tol(dscq_train_rate(&p, 1000, 100), 0.1, 1e-12);
    p.warmup_epochs = 1;
    ck_assert_double_eq_tol(dscq_train_rate(&p, 0, 100), 1.0 / 101, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 99, 100), 100.0 / 101, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 100, 100), 1, 1e-12);
    p = make_params(10);
    p.learning_rate = 1;
    p.schedule = DSCQ_SCHED_STEP;
    p.steps = (dscq_list){2, {5, 8}};
    ck_assert_double_eq_tol(dscq_train_rate(&p, 499, 100), 1, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 500, 100), 0.1, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 800, 100), 0.01, 1e-12);
    p.schedule = DSCQ_SCHED_POLY;
    p.steps.count = 0;
    p.poly_power = 2;
    ck_assert_double_eq_tol(dscq_train_rate(&p, 500, 100), 0.25, 1e-12);
}
END_TEST

/* Warm-up 1, flat 3, then two cosine falls over the remaining 6 epochs; at epoch 7 all
 * of it times a tenth. */
START_TEST(schedules_can_be_combined)
{
    dscq_train_params p = make_params(10);

    p.learning_rate = 1;
    p.warmup_epochs = 1;
    p.hold_epochs = 3;
    p.cycles = 2;
    p.final_rate = 0.2;
    p.steps = (dscq_list){1, {7}};
    ck_assert_double_eq_tol(dscq_train_rate(&p, 49, 100), 50.0 / 101, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 100, 100), 1, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 400, 100), 1, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 550, 100), 0.6, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 699, 100), 0.2, 1e-3);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 700, 100), 0.1, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 850, 100), 0.06, 1e-12);
    ck_assert_double_eq_tol(dscq_train_rate(&p, 1000, 100), 0.02, 1e-12);
}
END_TEST

/* Gradient of the loss, with smoothing and a teacher, against its slope. */
START_TEST(loss_gradient_is_the_slope_of_the_loss)
{
    float logits[] = {1.5f, -0.3f, 0.2f, 4.0f, 2.0f, -1.0f, 0.1f, 0.1f, 0.1f};
    const float teacher[] = {2.0f, 0.0f, -1.0f, 0.5f, 3.0f, 0.0f, 0.0f, 0.0f, 1.0f};
    const int32_t label[] = {0, 1, -1};
    const dscq_loss_params p = {0.1, 3.0, _i * 0.4};
    float grad[9];
    int32_t counted = 0;
    const float *soft = _i > 0 ? teacher : NULL;

    dscq_loss_softmax(grad, logits, label, soft, 3, 3, &p, &counted);
    ck_assert_int_eq(counted, 2);
    for (int i = 0; i < 9; i++) {
        const float old = logits[i];
        logits[i] = old + 0.01f;
        const double up = dscq_loss_softmax(NULL, logits, label, soft, 3, 3, &p, NULL);
        const double hi = (double)logits[i];
        logits[i] = old - 0.01f;
        const double down =
            dscq_loss_softmax(NULL, logits, label, soft, 3, 3, &p, NULL);
        const double want = (up - down) / (hi - (double)logits[i]) / 2; /* mean of 2 */
        logits[i] = old;
        ck_assert_double_eq_tol((double)grad[i], want, 1e-5);
    }
}
END_TEST

START_TEST(plan_is_what_is_used)
{
    dscq_model *m = make_net();
    dscq_error err = {0};
    dscq_exec_plan dry = {0};
    dscq_exec *e = NULL;
    toy *t = make_toy();
    const dscq_exec_options o = {.batch = BATCH, .training = 1};

    ck_assert_int_eq(dscq_exec_dry_run(&dry, m, &o, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    const dscq_exec_plan got = dscq_exec_get_plan(e);
    ck_assert_mem_eq(&got, &dry, sizeof dry);
    ck_assert_uint_eq(got.total_bytes,
                      got.activation_bytes + got.weight_bytes + got.scratch_bytes);
    ck_assert_uint_lt(got.activation_bytes, got.unshared_bytes);
    /* no pass allocates, and the planned scratch is enough but not idle */
    dscq_alloc_fail_at(0);
    dscq_exec_forward(e, DSCQ_PASS_TRAIN, t->x, BATCH, NULL);
    dscq_exec_backward(e);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, t->x, 3, NULL);
    ck_assert_uint_eq(dscq_alloc_fail_at(0), 0);
    ck_assert_uint_gt(dscq_exec_scratch_peak(e), 0);
    ck_assert_uint_le(dscq_exec_scratch_peak(e), got.scratch_bytes);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
    dscq_free(t);
}
END_TEST

static dscq_status always_better(void *ctx, dscq_model *m, uint32_t epoch,
                                 double *score, dscq_error *err)
{
    (void)ctx;
    (void)m;
    (void)err;
    *score = epoch + 1;
    return DSCQ_OK;
}

/* Bytes a trainer asks for while it lives through two epochs, less those of the plan
 * made beforehand, which must be the trainer's own. */
static int64_t beyond_the_plan(const dscq_train_params *p, toy *data)
{
    const dscq_train_hooks hooks = {.validate = always_better};
    dscq_model *m = make_net(), *same = make_net();
    dscq_train_plan plan;
    dscq_trainer *t = NULL;
    dscq_error err = {0};

    (void)dscq_alloc_asked();
    ck_assert_int_eq(dscq_trainer_dry_run(&plan, m, p, NULL, NULL, &err), DSCQ_OK);
    ck_assert_uint_lt(dscq_alloc_asked(), plan.total_bytes / 4);
    ck_assert_uint_eq(plan.total_bytes, plan.engine.total_bytes + plan.optimiser_bytes);
    ck_assert_int_eq(dscq_trainer_create(&t, same, p, 3, NULL, NULL, &err), DSCQ_OK);
    ck_assert_uint_eq(dscq_trainer_bytes(t), plan.total_bytes);
    dscq_trainer_set_hooks(t, &hooks);
    ck_assert_int_eq(dscq_trainer_run(t, toy_batch, data, NULL, NULL, NULL, &err),
                     DSCQ_OK);
    const int64_t asked = (int64_t)dscq_alloc_asked();
    ck_assert_uint_eq(dscq_trainer_bytes(t), plan.total_bytes);
    dscq_trainer_destroy(t);
    dscq_model_destroy(m);
    dscq_model_destroy(same);
    return asked - (int64_t)plan.total_bytes;
}

/* Whatever is kept beside the weights: beyond the plan are the engine's and trainer's
 * lists, the same for all of them but for the list of learned arrays. */
START_TEST(a_trainer_takes_what_its_plan_says)
{
    static const struct {
        int32_t optimiser, keep_best;
        double ema;
        const char *freeze;
    } k_case[] = {{DSCQ_OPT_SGD, 0, 0, ""},
                  {DSCQ_OPT_SGD, 1, 0, ""},
                  {DSCQ_OPT_ADAM, 0, 0.9, ""},
                  {DSCQ_OPT_ADAMW, 1, 0.9, ""},
                  {DSCQ_OPT_SGD, 1, 0.9, "stem"}};
    toy *data = make_toy();
    int64_t lists = 0;

    for (size_t i = 0; i < sizeof k_case / sizeof k_case[0]; i++) {
        dscq_train_params p = make_params(2);
        p.optimiser = k_case[i].optimiser;
        p.keep_best = k_case[i].keep_best;
        p.ema = k_case[i].ema;
        snprintf(p.freeze, sizeof p.freeze, "%s", k_case[i].freeze);
        const int64_t beyond = beyond_the_plan(&p, data);
        lists = i == 0 ? beyond : lists;
        ck_assert_int_ge(beyond, 0);
        ck_assert_int_le(beyond, 32 * 1024);
        if (p.freeze[0] == '\0')
            ck_assert_int_eq(beyond, lists);
    }
    dscq_free(data);
}
END_TEST

static dscq_status create_op(void *ctx, dscq_error *err)
{
    const dscq_train_params *p = ctx;
    dscq_config *cfg = NULL;
    dscq_model *m = NULL, *copy = NULL;
    dscq_trainer *t = NULL;
    const dscq_rng r = dscq_rng_seeded(4);
    dscq_status status;

    DSCQ_TRY(dscq_config_parse(&cfg, k_net, strlen(k_net), "toy.cfg", err));
    DSCQ_TRY(dscq_model_from_config(&m, cfg, "", &r, err));
    DSCQ_TRY(dscq_model_clone(&copy, m, err));
    DSCQ_TRY(dscq_trainer_create(&t, copy, p, 3, NULL, NULL, err));
    DSCQ_TRY(dscq_trainer_save(t, test_path("alloc.ckpt"), err));
    DSCQ_TRY(dscq_trainer_resume(t, test_path("alloc.ckpt"), err));
done:
    dscq_trainer_destroy(t);
    dscq_model_destroy(copy);
    dscq_model_destroy(m);
    dscq_config_destroy(cfg);
    return status;
}

START_TEST(every_failed_allocation_is_reported)
{
    dscq_train_params p = make_params(1);

    ck_assert_uint_gt(test_each_alloc_fails(create_op, &p), 50);
}
END_TEST

static Suite *make(void)
{
    Suite *s = suite_create("nn_train");
    TCase *tc = tcase_create("core");
    const int all = (int)(sizeof k_optimisers / sizeof k_optimisers[0]);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_optimiser_learns_the_toy, 0, all);
    tcase_add_loop_test(tc, threads_do_not_change_the_result, 0, all);
    tcase_add_loop_test(tc, resumed_run_ends_with_the_same_bytes, 0, all);
    tcase_add_test(tc, another_run_is_not_continued);
    tcase_add_test(tc,
                   a_loss_that_is_not_finite_ends_the_run_with_the_last_good_weights);
    tcase_add_test(tc, an_absurd_rate_is_noticed);
    tcase_add_test(tc, hooks_see_every_step_and_steer_it);
    tcase_add_test(tc, the_best_validation_wins_and_patience_ends_the_run);
    tcase_add_test(tc, patience_is_remembered_across_a_resume);
    tcase_add_test(tc, frozen_layers_stay_and_rates_differ);
    tcase_add_test(tc, sgd_does_what_the_formula_says);
    tcase_add_test(tc, rates_are_set_by_pattern_and_a_pattern_must_match);
    tcase_add_test(tc, running_variance_is_unbiased);
    tcase_add_test(tc, schedules_pass_through_known_points);
    tcase_add_test(tc, schedules_can_be_combined);
    tcase_add_loop_test(tc, loss_gradient_is_the_slope_of_the_loss, 0, 3);
    tcase_add_test(tc, plan_is_what_is_used);
    tcase_add_test(tc, a_trainer_takes_what_its_plan_says);
    tcase_add_test(tc, every_failed_allocation_is_reported);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make);
}
