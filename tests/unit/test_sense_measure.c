#include "dscq/base/io.h"
#include "dscq/sense/choose.h"
#include "dscq/sense/sense.h"
#include "test_compress_util.h"

static images g_train;
static dscq_model *g_float;

static void setup(void)
{
    images_make(&g_train, 1);
    g_float = net_make(k_net, 2);
    net_train(g_float, NULL, &g_train, 12, 0.05);
}

static void teardown(void)
{
    dscq_model_destroy(g_float);
}

typedef struct counter {
    int calls, stop_after;
} counter;

static dscq_status eval(void *ctx, int worker, dscq_model *m, uint8_t *right, size_t n,
                        dscq_error *err)
{
    const dscq_exec_options o = {.batch = IMAGES, .raw_outputs = 1};
    dscq_exec *e = NULL;
    dscq_shape shape;
    dscq_status status = dscq_exec_create(&e, m, &o, err);

    (void)worker;
    if (ctx != NULL)
        ((counter *)ctx)->calls++;
    if (status != DSCQ_OK)
        return status;
    dscq_exec_forward(e, DSCQ_PASS_EVAL, g_train.x[0], (int32_t)n, NULL);
    const float *y = dscq_exec_output(e, 0, &shape);
    for (size_t i = 0; i < n; i++) {
        int best = 0;
        for (int k = 1; k < CLASSES; k++)
            best =
                y[i * CLASSES + (size_t)k] > y[i * CLASSES + (size_t)best] ? k : best;
        right[i] = best == g_train.label[i];
    }
    dscq_exec_destroy(e);
    return DSCQ_OK;
}

static dscq_sense_params params(void)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_sense_params p;

    test_ok(dscq_keys_defaults(&p, dscq_sense_keys, &err));
    return p;
}

START_TEST(harder_costs_more)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_sense_params p = params();
    const dscq_sense_run run = {.eval = eval, .images = IMAGES};
    dscq_sense *s = NULL;
    dscq_table *t = NULL;
    double mild = 0.0, hard = 0.0;

    test_ok(dscq_sense_measure(&s, g_float, &p, &run, &err));
    ck_assert_uint_eq(s->layers, 5);
    ck_assert_uint_eq(s->cells, 5 * 10 + 4 * 3);
    for (size_t i = 0; i < s->cells; i++) {
        const dscq_sense_cell *c = &s->cell[i];

        ck_assert(c->done && c->lo <= c->drop && c->drop <= c->hi);
        ck_assert_double_eq_tol(
            c->drop, ((double)s->base_right - (double)c->right) / IMAGES, 1e-12);
        if (c->probe == DSCQ_PROBE_BITS)
            *(c->value == 8 ? &mild : &hard) +=
                c->value == 8 || c->value == 2 ? c->drop : 0;
    }
    ck_assert_double_lt(mild, 0.02);
    ck_assert_double_gt(hard, mild + 0.05);
    /* the model is as it was */
    ck_assert_uint_eq((uint64_t)(net_score(g_float, &g_train) * IMAGES + 0.5),
                      s->base_right);
    test_ok(dscq_sense_table(&t, s, g_float, &err));
    ck_assert_uint_eq(dscq_table_rows(t), s->cells);
    dscq_table_destroy(t);
    test_ok(dscq_sense_verdicts(&t, s, g_float, &err));
    ck_assert_uint_eq(dscq_table_rows(t), s->layers);
    dscq_table_destroy(t);
    const int32_t pw = dscq_model_find(g_float, "b1_pw");
    for (double x = 0.0; x < 0.9; x += 0.05) /* never less damage for more pruning */
        ck_assert_double_le(dscq_sense_drop(s, pw, x, 8),
                            dscq_sense_drop(s, pw, x + 0.04, 8) + 1e-12);
    ck_assert(isnan(dscq_sense_drop(s, pw, 0.95, 8)));
    for (double x = 0.0; x < 0.9; x += 0.05)
        ck_assert_double_le(dscq_sense_expect(s, pw, x, 8),
                            dscq_sense_expect(s, pw, x + 0.04, 8) + 1e-12);
    ck_assert(isnan(dscq_sense_expect(s, pw, 0.95, 8)));
    dscq_sense_destroy(s);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_sense_params p = params();
    dscq_sense_run run = {.eval = eval, .images = IMAGES};
    dscq_sense *s[2] = {NULL, NULL};
    dscq_pool *pool = NULL;

    p.bits.count = 2;
    p.channels.count = 1;
    test_ok(dscq_sense_measure(&s[0], g_float, &p, &run, &err));
    test_ok(dscq_pool_create(&pool, 8, &err));
    run.pool = pool;
    test_ok(dscq_sense_measure(&s[1], g_float, &p, &run, &err));
    ck_assert_uint_eq(s[0]->cells, s[1]->cells);
    ck_assert_mem_eq(s[0]->cell, s[1]->cell, s[0]->cells * sizeof *s[0]->cell);
    dscq_pool_destroy(pool);
    dscq_sense_destroy(s[0]);
    dscq_sense_destroy(s[1]);
}
END_TEST

static int stop(void *ctx)
{
    const counter *c = ctx;

    return c->stop_after > 0 && c->calls >= c->stop_after;
}

START_TEST(a_stopped_run_goes_on)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_sense_params p = params();
    counter c = {0, 20};
    const dscq_log log = {.ctx = &c, .stop = stop};
    dscq_sense_run run = {
        .eval = eval, .ctx = &c, .images = IMAGES, .log = &log, .digest = "images 1"};
    dscq_sense *s = NULL, *whole = NULL;
    char path[512];

    strcpy(path, test_path("journal.json"));
    run.journal = path;
    ck_assert_int_eq(dscq_sense_measure(&s, g_float, &p, &run, &err), DSCQ_INTERRUPTED);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(c.calls, 20);
    c = (counter){0, 0};
    test_ok(dscq_sense_measure(&s, g_float, &p, &run, &err));
    ck_assert_int_eq(c.calls,
                     1 + (int)s->cells - 19); /* 19 cells and the base before */
    run.journal = NULL;
    test_ok(dscq_sense_measure(&whole, g_float, &p, &run, &err));
    ck_assert_mem_eq(s->cell, whole->cell, s->cells * sizeof *s->cell);
    dscq_sense_destroy(whole);
    dscq_sense_destroy(s);
    run.journal = path;
    run.digest = "images 2";
    ck_assert_int_eq(dscq_sense_measure(&s, g_float, &p, &run, &err), DSCQ_FORMAT);
}
END_TEST

START_TEST(a_recipe_to_start_from)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_sense_params p = params();
    const dscq_sense_run run = {.eval = eval, .images = IMAGES};
    dscq_sense *s = NULL;
    double bits[2] = {0, 0};
    char *text = NULL;

    test_ok(dscq_sense_measure(&s, g_float, &p, &run, &err));
    for (int k = 0; k < 2; k++) {
        dscq_settings *into = NULL;
        double loss = 0.0;

        p.max_loss = k == 0 ? 0.02 : 0.1;
        test_ok(dscq_settings_create(&into, &err));
        test_ok(dscq_sense_recipe(into, s, g_float, &p, &err));
        ck_assert_uint_eq(into->layer_count, s->layers);
        for (size_t i = 0; i < s->layers; i++) {
            const dscq_layer_params *l = &into->layer[i];
            bits[k] += dscq_sense_bits(s->layer[i].weights, l->p, l->b);
            loss += fmax(dscq_sense_drop(s, s->layer[i].node, l->p, l->b), 0);
            if (s->layer[i].kind == DSCQ_KIND_DEPTHWISE)
                ck_assert(l->p == 0.0);
        }
        ck_assert_double_le(loss, p.max_loss + 1e-9);
        if (k == 0) { /* its text is a cfg that says the same */
            test_ok(dscq_settings_text(&text, into, &err));
            dscq_settings *back = settings_make(text);
            ck_assert_uint_eq(back->layer_count, into->layer_count);
            ck_assert_mem_eq(back->layer, into->layer,
                             into->layer_count * sizeof *into->layer);
            dscq_settings_destroy(back);
            dscq_free(text);
        }
        dscq_settings_destroy(into);
    }
    ck_assert_double_lt(bits[1], bits[0]);
    dscq_sense_destroy(s);
}
END_TEST

/* ---- choosing ----------------------------------------------------------- */

/* All combinations, for few layers. */
static double exhaustive(const dscq_menu *m, double budget)
{
    int32_t pick[4] = {0};
    double best = (double)INFINITY;

    for (;;) {
        double cost, loss;
        size_t g = 0;

        dscq_choice_sums(m, pick, &cost, &loss);
        if (loss <= budget && cost < best)
            best = cost;
        while (g < m->layers && (size_t)++pick[g] == m->first[g + 1] - m->first[g])
            pick[g++] = 0;
        if (g == m->layers)
            return best;
    }
}

START_TEST(knapsack_is_the_best)
{
    dscq_rng rng = dscq_rng_seeded((uint64_t)_i);
    dscq_option option[4 * 6];
    const size_t first[5] = {0, 6, 10, 11, 17};
    const dscq_menu m = {option, first, 4};
    dscq_error err = {DSCQ_OK, ""};
    int32_t pick[4];
    double cost, loss, greedy;

    for (int i = 0; i < 17; i++) /* losses on the grid: nothing is lost by rounding */
        option[i] = (dscq_option){(double)dscq_rng_below(&rng, 1000),
                                  (double)dscq_rng_below(&rng, 400) / 2000.0};
    dscq_status status = dscq_choose_knapsack(pick, &m, 1.0, &err);
    ck_assert(status == DSCQ_OK);
    dscq_choice_sums(&m, pick, &cost, &loss);
    ck_assert_double_le(loss, 1.0 + 1e-9);
    ck_assert_double_eq_tol(cost, exhaustive(&m, 1.0 + 1e-9), 1e-9);
    test_ok(dscq_choose_greedy(pick, &m, 1.0, &err));
    dscq_choice_sums(&m, pick, &greedy, &loss);
    ck_assert_double_le(loss, 1.0 + 1e-9);
    ck_assert_double_ge(greedy, cost);
    if (_i == 0) {
        for (int i = 0; i < 17; i++)
            option[i].loss = 1.0;
        test_fails(dscq_choose_knapsack(pick, &m, 1.0, &err), DSCQ_GATE,
                   "the mildest options together lose 4, more than 1");
    }
}
END_TEST

START_TEST(sizes_of_positions)
{
    /* docs/methods.md: dense, bitmap and gap each win where they should (b = 4) */
    const double n = 1e6;
    ck_assert_double_eq_tol(dscq_sense_bits(1000000, 0.0, 4) / n, 4.0, 0.001);
    ck_assert_double_eq_tol(dscq_sense_bits(1000000, 0.5, 4) / n, 3.0, 0.001);
    ck_assert_double_eq_tol(dscq_sense_bits(1000000, 0.9, 4) / n, 0.1 * (4 + 5.32),
                            0.005);
}
END_TEST

static Suite *sense_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("sense", &tc);

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, harder_costs_more);
    tcase_add_test(tc, threads_do_not_matter);
    tcase_add_test(tc, a_stopped_run_goes_on);
    tcase_add_test(tc, a_recipe_to_start_from);
    tcase_add_loop_test(tc, knapsack_is_the_best, 0, 20);
    tcase_add_test(tc, sizes_of_positions);
    return s;
}

int main(void)
{
    return test_run(sense_suite);
}
