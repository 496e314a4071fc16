/* The state of fine-tuning: what is written is what a resumed run begins with. */
#include "dscq/base/io.h"
#include "flow_internal.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define NET                                                                            \
    "[net]\nwidth=4\nheight=4\nchannels=1\n"                                           \
    "[convolutional]\nname=a\nfilters=2\nsize=1\nactivation=relu\n"                    \
    "[avgpool]\n[connected]\nname=fc\noutput=2\nactivation=linear\n[softmax]\n"

enum { GRIDS = 16, STEPS = 20 };

typedef struct tuned {
    flow_tune t;
    dscq_model *model;
    dscq_settings *settings;
    dscq_aquant edge[GRIDS];
    char dir[DSCQ_PATH_MAX];
} tuned;

static void make(tuned *w)
{
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *cfg = NULL;
    flow_tune *t = &w->t;

    memset(w, 0, sizeof *w);
    test_ok(dscq_config_parse(&cfg, NET, strlen(NET), "net.cfg", &err));
    test_ok(dscq_model_from_config(&w->model, cfg, "", &rng, &err));
    dscq_config_destroy(cfg);
    test_ok(dscq_model_clone(&t->best, w->model, &err));
    test_ok(dscq_settings_create(&w->settings, &err));
    test_ok(dscq_compressor_create(&t->compressor, w->model, w->settings, NULL, &err));
    test_ok(dscq_compressor_start(t->compressor, 2, STEPS / 2, 0.5, &err));
    test_ok(dscq_keys_defaults(&t->params, dscq_train_keys, &err));
    t->params.epochs = 2;
    test_ok(dscq_trainer_create(&t->trainer, w->model, &t->params, STEPS / 2, NULL,
                                NULL, &err));
    t->nodes = dscq_model_nodes(w->model);
    ck_assert_uint_le(dscq_grid_count(t->nodes), GRIDS);
    t->edge = w->edge;
    t->saved_step = UINT64_MAX;
    t->best_score = -1;
    dscq_path_dir(w->dir, sizeof w->dir, test_path("tune.ckpt"));
    t->dir = w->dir;
    (void)snprintf(t->save, sizeof t->save, "%s", test_path("tune.ckpt"));
}

static void clear(tuned *w)
{
    dscq_trainer_destroy(w->t.trainer);
    dscq_compressor_destroy(w->t.compressor);
    dscq_model_destroy(w->t.best);
    dscq_model_destroy(w->model);
    dscq_settings_destroy(w->settings);
}

static float *weights_of(dscq_model *m)
{
    return dscq_model_node(m, dscq_model_find(m, "fc"))->weights->w;
}

START_TEST(a_resumed_run_begins_with_what_was_written)
{
    dscq_error err = {DSCQ_OK, ""};
    tuned a, b;

    make(&a);
    a.t.has_edges = _i != 0;
    a.t.has_best = 1;
    a.t.best_epoch = 7;
    a.t.best_score = 0.1 + 1e-17;
    weights_of(a.t.best)[0] = 42;
    for (size_t i = 0; i < dscq_grid_count(a.t.nodes); i++)
        a.edge[i] = (dscq_aquant){1.0 / (double)(3 + i), (int32_t)i - 4, 4 + (int32_t)i,
                                  i % 2 == 0};
    test_ok(dscq_compressor_before_step(a.t.compressor, a.model, 0, &err));
    test_ok(flow__tune_save(&a.t, &err));
    make(&b);
    weights_of(b.model)[0] += 1;
    test_ok(flow__tune_load(&b.t, &err));
    ck_assert_int_eq(b.t.has_edges, a.t.has_edges);
    ck_assert_int_eq(b.t.has_best, 1);
    ck_assert_uint_eq(b.t.best_epoch, 7);
    ck_assert(b.t.best_score == a.t.best_score);
    ck_assert_uint_eq(b.t.saved_step, 0);
    ck_assert(weights_of(b.t.best)[0] == 42);
    ck_assert(weights_of(b.model)[0] == weights_of(a.model)[0]);
    for (size_t i = 0; i < dscq_grid_count(a.t.nodes); i++) {
        ck_assert(b.edge[i].scale == a.edge[i].scale);
        ck_assert_int_eq(b.edge[i].zero_point, a.edge[i].zero_point);
        ck_assert_int_eq(b.edge[i].bits, a.edge[i].bits);
        ck_assert_int_eq(b.edge[i].is_signed, a.edge[i].is_signed);
    }
    clear(&a);
    clear(&b);
}
END_TEST

/* Another network has other edges: refused by the name of what is missing. */
START_TEST(a_state_of_another_network_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    tuned a, b;

    make(&a);
    test_ok(flow__tune_save(&a.t, &err));
    make(&b);
    b.t.nodes += 1;
    ck_assert_int_eq(flow__tune_load(&b.t, &err), DSCQ_FORMAT);
    ck_assert_msg(strstr(err.msg, "no usable 'tune.edge.") != NULL, "%s", err.msg);
    clear(&a);
    clear(&b);
}
END_TEST

static Suite *suite(void)
{
    TCase *tc;
    Suite *s = test_suite("tune", &tc);

    tcase_add_loop_test(tc, a_resumed_run_begins_with_what_was_written, 0, 2);
    tcase_add_test(tc, a_state_of_another_network_is_refused);
    return s;
}

int main(void)
{
    return test_run(suite);
}
