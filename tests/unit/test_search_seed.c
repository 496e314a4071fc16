/* The first trials of a joint search, on a made-up network whose measured losses are a
 * multiple of what the tables expect. */
#include "dscq/base/alloc.h"
#include "search_internal.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { LAYERS = 6, STEPS = 18, TRIALS = 12 };

typedef struct world {
    search s;
    dscq_settings settings;
    double factor; /* measured over expected */
} world;

/* Layer i: more weights and less sensitive than the one before; bits 2..8, p 0..0.9. */
static void make_world(world *w, double factor)
{
    search *s = &w->s;

    memset(w, 0, sizeof *w);
    w->factor = factor;
    w->settings.all.p = 0.5;
    w->settings.all.b = 4;
    s->settings = &w->settings;
    s->params = (dscq_search_params){.objective = DSCQ_METRIC_BYTES,
                                     .trials = TRIALS,
                                     .trial_loss = 0.1,
                                     .p_max = 0.9,
                                     .p_step = 0.05,
                                     .b_min = 2,
                                     .b_max = 8};
    s->float_score = 0.9;
    s->layers = LAYERS;
    s->layer = dscq_calloc(LAYERS, sizeof *s->layer);
    s->trial = dscq_calloc(TRIALS + 1, sizeof *s->trial);
    const size_t all = (size_t)LAYERS * (SEARCH_STEPS + 1) * SEARCH_BITS;
    s->drop = dscq_calloc(all, sizeof *s->drop);
    s->cost[DSCQ_METRIC_BYTES] = dscq_calloc(all, sizeof *s->drop);
    for (int m = 0; m < DSCQ_METRICS; m++)
        s->limit[m] = (double)INFINITY;
    s->limit[DSCQ_METRIC_LOSS] = s->params.trial_loss;
    for (size_t i = 0; i < LAYERS; i++) {
        const double weights = 1000.0 * (double)(1 << i), hurt = 0.2 / (double)(i + 1);

        s->layer[i] = (search_layer){.weights = (size_t)weights,
                                     .steps = i == 0 ? 0 : STEPS,
                                     .b_min = 2,
                                     .b_max = 8};
        for (int32_t p = 0; p <= s->layer[i].steps; p++)
            for (int32_t b = 2; b <= 8; b++) {
                const size_t at = search__at(s, i, (search_choice){p, b});
                const double rate = 0.05 * p;
                s->drop[at] = hurt * (pow(rate, 3) + pow(0.25, b - 1));
                s->cost[DSCQ_METRIC_BYTES][at] =
                    weights / 8 * fmin(b, 1 + (1 - rate) * b);
            }
    }
}

static void free_world(world *w)
{
    for (size_t i = 0; i < w->s.trials; i++)
        dscq_free(w->s.trial[i].choice);
    dscq_free(w->s.trial);
    dscq_free(w->s.layer);
    dscq_free(w->s.drop);
    dscq_free(w->s.cost[DSCQ_METRIC_BYTES]);
}

static void measure(world *w, const search_choice *c, search_source source)
{
    search *s = &w->s;
    search_trial *t = &s->trial[s->trials++];

    t->source = source;
    t->choice = dscq_malloc(LAYERS, sizeof *c);
    memcpy(t->choice, c, LAYERS * sizeof *c);
    t->value[DSCQ_METRIC_LOSS] =
        0.9 * (1 - exp(-w->factor * search__drop_sum(s, c) / 0.9));
    t->value[DSCQ_METRIC_BYTES] = 100 + search__cost_sum(s, DSCQ_METRIC_BYTES, c);
}

static double loss_of(const world *w, size_t trial)
{
    return w->s.trial[trial].value[DSCQ_METRIC_LOSS];
}

static void plant_all(world *w)
{
    search_choice c[2 * LAYERS];
    search_picker m = {0};
    dscq_error err = {DSCQ_OK, ""};

    for (size_t i = 0; i < LAYERS; i++)
        c[i] = (search_choice){i == 0 ? 0 : 10, i == 0 ? 8 : 4};
    measure(w, c, SEARCH_GIVEN);
    test_ok(search__picker_make(&m, &w->s, &err));
    for (size_t row = 0; row < 10; row++) {
        int found;

        test_ok(search__seed_choose(c, &found, &w->s, row, &m, &err));
        if (!found)
            continue;
        ck_assert_int_lt(search__find(&w->s, c), 0);
        measure(w, c, search__seed_source(row));
    }
    search__picker_clear(&m);
}

/* Whatever the tables are wrong by: the first is mild, one is near the limit, most keep
 * it, and the knapsack's beat uniform ones that lose as much. */
START_TEST(mild_ones_first_and_most_within_the_limit)
{
    static const double k_factor[] = {0.5, 1, 2, 4};
    world w;
    size_t within = 0, mild = 0, near = 0, uniform = 0;
    double ladder = (double)INFINITY, flat = (double)INFINITY;

    make_world(&w, k_factor[_i]);
    plant_all(&w);
    ck_assert_uint_ge(w.s.trials, 7);
    ck_assert_double_le(loss_of(&w, 1), 0.05);
    for (size_t i = 1; i < w.s.trials; i++) {
        const search_trial *t = &w.s.trial[i];
        const double loss = loss_of(&w, i), bytes = t->value[DSCQ_METRIC_BYTES];

        within += loss <= 0.1;
        mild += loss <= 0.06;
        near += loss > 0.085 && loss <= 0.1;
        uniform += t->source == SEARCH_UNIFORM;
        if (loss <= 0.1)
            *(t->source == SEARCH_UNIFORM ? &flat : &ladder) =
                fmin(t->source == SEARCH_UNIFORM ? flat : ladder, bytes);
    }
    ck_assert_uint_ge(3 * within, 2 * (w.s.trials - 1));
    ck_assert_uint_ge(mild, 2);
    ck_assert_uint_ge(near, 1);
    ck_assert_uint_ge(uniform, 1);
    ck_assert_double_lt(ladder, flat);
    free_world(&w);
}
END_TEST

START_TEST(the_ratio_is_learnt)
{
    world w;

    make_world(&w, 2.5);
    ck_assert_double_eq(search__ratio(&w.s), 1.0); /* nothing known yet */
    plant_all(&w);
    ck_assert_double_eq_tol(search__ratio(&w.s), 2.5, 1e-6);
    for (size_t i = 0; i < w.s.trials; i++) /* failed trials say nothing */
        w.s.trial[i].failed = i > 0;
    ck_assert_double_eq_tol(search__ratio(&w.s), 2.5, 1e-6);
    free_world(&w);
}
END_TEST

/* The one in the middle: neither of the trials that lost much more or less than
 * expected. */
START_TEST(the_ratio_is_the_median)
{
    world w;

    make_world(&w, 0.5);
    plant_all(&w);
    for (size_t i = 0; i < w.s.trials; i++) {
        search_trial *t = &w.s.trial[i];
        const double factor = i < 2 ? 0.5 : i + 3 < w.s.trials ? 1.5 : 3;
        t->failed = i >= 7;
        t->value[DSCQ_METRIC_LOSS] =
            0.9 * (1 - exp(-factor * search__drop_sum(&w.s, t->choice) / 0.9));
    }
    ck_assert_uint_ge(w.s.trials, 7);
    ck_assert_double_eq_tol(search__ratio(&w.s), 1.5, 1e-6);
    free_world(&w);
}
END_TEST

/* A uniform recipe changes the layers that have p and b of [compress], no others. */
START_TEST(uniform_recipes_leave_what_was_given_apart)
{
    world w;

    make_world(&w, 1);
    plant_all(&w);
    for (size_t i = 1; i < w.s.trials; i++) {
        const search_choice *c = w.s.trial[i].choice;

        if (w.s.trial[i].source != SEARCH_UNIFORM)
            continue;
        ck_assert(c[0].p == 0 && c[0].b == 8);
        for (size_t k = 2; k < LAYERS; k++)
            ck_assert(c[k].p == c[1].p && c[k].b == c[1].b);
    }
    free_world(&w);
}
END_TEST

START_TEST(no_loss_allowed_has_mild_ones_too)
{
    world w;

    make_world(&w, 2);
    w.s.params.trial_loss = 0;
    plant_all(&w);
    ck_assert_uint_ge(w.s.trials, 4);
    for (size_t i = 1; i < w.s.trials; i++)
        if (w.s.trial[i].source == SEARCH_LADDER)
            ck_assert_double_le(loss_of(&w, i), 0.03);
    free_world(&w);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("seed", &tc);

    tcase_add_loop_test(tc, mild_ones_first_and_most_within_the_limit, 0, 4);
    tcase_add_test(tc, the_ratio_is_learnt);
    tcase_add_test(tc, the_ratio_is_the_median);
    tcase_add_test(tc, no_loss_allowed_has_mild_ones_too);
    tcase_add_test(tc, uniform_recipes_leave_what_was_given_apart);
    return s;
}

int main(void)
{
    return test_run(make);
}
