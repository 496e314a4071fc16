/* What a search says of its trials: which meet the limits, which no other beats, and
 * that its journal gives back what was written. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/base/str.h"
#include "dscq/nn/model.h"
#include "search_internal.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { LAYERS = 2 };

#define NET                                                                            \
    "[net]\nwidth=4\nheight=4\nchannels=1\n"                                           \
    "[convolutional]\nname=a\nfilters=2\nsize=1\nactivation=linear\n"                  \
    "[convolutional]\nname=b\nfilters=2\nsize=1\nactivation=linear\n"

static void no_limits(search *s)
{
    for (int m = 0; m < DSCQ_METRICS; m++)
        s->limit[m] = (double)INFINITY;
}

/* ---- limits ------------------------------------------------------------------------
 */

START_TEST(a_limit_is_met_at_itself)
{
    search s = {0};
    double over[DSCQ_METRICS];
    double value[DSCQ_METRICS] = {0.1, 1000, 2000, 3e6, 40};

    no_limits(&s);
    s.limit[DSCQ_METRIC_BYTES] = 1000;
    s.limit[DSCQ_METRIC_BRAM] = 40;
    ck_assert(search__judge(over, &s, value, 0.1) == 0);
    value[DSCQ_METRIC_BYTES] = 1000.001;
    ck_assert(search__judge(over, &s, value, 0.1) > 0);
    ck_assert_double_eq_tol(over[DSCQ_METRIC_BYTES], 1e-6, 1e-12);
    value[DSCQ_METRIC_BYTES] = 1500;
    value[DSCQ_METRIC_BRAM] = 50;
    value[DSCQ_METRIC_LOSS] = 0.15;
    ck_assert_double_eq_tol(search__judge(over, &s, value, 0.1), 0.5 + 0.25 + 0.5,
                            1e-12);
    ck_assert(over[DSCQ_METRIC_CYCLES] == 0 && over[DSCQ_METRIC_ENERGY] == 0);
}
END_TEST

/* No loss allowed: a hundredth is the unit in which it is exceeded. */
START_TEST(a_limit_of_no_loss_has_a_size)
{
    search s = {0};
    double over[DSCQ_METRICS], value[DSCQ_METRICS] = {0};

    no_limits(&s);
    ck_assert(search__judge(over, &s, value, 0) == 0);
    value[DSCQ_METRIC_LOSS] = -0.02; /* better than float */
    ck_assert(search__judge(over, &s, value, 0) == 0);
    value[DSCQ_METRIC_LOSS] = 0.02;
    ck_assert_double_eq_tol(search__judge(over, &s, value, 0), 2, 1e-12);
}
END_TEST

/* ---- the Pareto set ----------------------------------------------------------------
 */

START_TEST(what_no_other_beats_is_on_the_front)
{
    enum { TRIALS = 7 };
    const double none = (double)NAN;
    search_trial t[TRIALS] = {
        {.value = {0.10, 100, none, none, none}},
        {.value = {0.20, 50, none, none, none}},
        {.value = {0.20, 51, none, none, none}},  /* by the one before   */
        {.value = {0.10, 100, none, none, none}}, /* as good as the first */
        {.value = {0.15, 120, none, none, none}}, /* by the first         */
        {.value = {0.0, 1, none, none, none}, .failed = 1},
        {.value = {0.05, 400, none, none, none}},
    };
    static const unsigned char k_want[TRIALS] = {1, 1, 0, 1, 0, 0, 1};
    const search s = {.trial = t, .trials = TRIALS};
    unsigned char on[TRIALS];

    search__front(&s, on);
    ck_assert_mem_eq(on, k_want, sizeof k_want);
    t[4].value[DSCQ_METRIC_CYCLES] = 1; /* the others' were not measured */
    search__front(&s, on);
    ck_assert_mem_eq(on, k_want, sizeof k_want);
    t[0].value[DSCQ_METRIC_CYCLES] = t[3].value[DSCQ_METRIC_CYCLES] = 2;
    search__front(&s, on);
    ck_assert_int_eq(on[4], 1);
}
END_TEST

/* ---- the journal -------------------------------------------------------------------
 */

typedef struct world {
    search s;
    dscq_search_options o;
    search_method method;
    search_layer layer[LAYERS];
    search_trial trial[2];
    search_choice choice[2][LAYERS];
    search_finalist finalist[1];
    char dir[DSCQ_PATH_MAX];
} world;

static void make_world(world *w)
{
    const double none = (double)NAN;
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *cfg = NULL;

    memset(w, 0, sizeof *w);
    test_ok(dscq_config_parse(&cfg, NET, strlen(NET), "net.cfg", &err));
    test_ok(dscq_model_from_config(&w->s.origin, cfg, "", &rng, &err));
    dscq_config_destroy(cfg);
    dscq_path_dir(w->dir, sizeof w->dir, test_path("search.json"));
    for (size_t i = 0; i < LAYERS; i++)
        w->layer[i] = (search_layer){.node = (int32_t)i, .steps = 18, .b_max = 8};
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < LAYERS; i++)
            w->choice[t][i] = (search_choice){(int32_t)(7 * t + i), (int32_t)(2 + t)};
    w->trial[0] = (search_trial){.choice = w->choice[0],
                                 .layer = -1,
                                 .value = {0.1 / 3, 1234, none, none, none}};
    w->trial[1] = (search_trial){
        .choice = w->choice[1], .layer = 1, .failed = 1, .why = "no room"};
    for (int m = 0; m < DSCQ_METRICS; m++)
        w->trial[1].value[m] = (double)NAN;
    w->finalist[0] = (search_finalist){.trial = 1, .value = {0.01, 99, 7, none, none}};
    w->o.compress.run.resume = 1;
    w->s.o = &w->o;
    w->s.method = &w->method;
    w->s.params.search = 1;
    w->s.params.p_step = 0.05;
    w->s.dir = w->dir;
    w->s.layer = w->layer;
    w->s.layers = LAYERS;
    w->s.trial = w->trial;
    w->s.trials = 2;
    w->s.finalist = w->finalist;
    w->s.finalists = 1;
    (void)dscq_str_copy(w->s.fingerprint, sizeof w->s.fingerprint, "these inputs");
    no_limits(&w->s);
}

static void free_world(world *w)
{
    for (size_t i = 0; i < w->s.olds; i++)
        dscq_free(w->s.old[i].choice);
    dscq_free(w->s.old);
    dscq_free(w->s.old_finalist);
    dscq_model_destroy(w->s.origin);
}

static void check_values(const double *got, const double *want)
{
    for (int m = 0; m < DSCQ_METRICS; m++)
        ck_assert_msg(got[m] == want[m] || (isnan(got[m]) && isnan(want[m])),
                      "%s: %.17g, want %.17g", dscq_metric_name(m), got[m], want[m]);
}

START_TEST(a_journal_gives_back_what_was_tried)
{
    dscq_error err = {DSCQ_OK, ""};
    world w;

    if (!test_has_json())
        return;
    make_world(&w);
    test_ok(search__journal_write(&w.s, &err));
    test_ok(search__journal_read(&w.s, &err));
    ck_assert_uint_eq(w.s.olds, 2);
    for (size_t t = 0; t < 2; t++) {
        ck_assert(search__same(&w.s, w.s.old[t].choice, w.choice[t]));
        ck_assert_int_eq(w.s.old[t].failed, w.trial[t].failed);
        ck_assert_str_eq(w.s.old[t].why, w.trial[t].why);
        check_values(w.s.old[t].value, w.trial[t].value);
    }
    ck_assert_uint_eq(w.s.old_finalists, 1);
    ck_assert_uint_eq(w.s.old_finalist[0].trial, 1);
    check_values(w.s.old_finalist[0].value, w.finalist[0].value);
    free_world(&w);
}
END_TEST

START_TEST(a_journal_of_other_inputs_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    world w;

    if (!test_has_json())
        return;
    make_world(&w);
    test_ok(search__journal_write(&w.s, &err));
    w.s.fingerprint[0] = 'T';
    ck_assert_int_eq(search__journal_read(&w.s, &err), DSCQ_FORMAT);
    ck_assert_uint_eq(w.s.olds, 0);
    w.o.compress.run.resume = 0; /* afresh: not even looked at */
    test_ok(search__journal_read(&w.s, &err));
    ck_assert_uint_eq(w.s.olds, 0);
    free_world(&w);
}
END_TEST

/* ---- asking ------------------------------------------------------------------------
 */

/* What a resumed search asks for is answered by the journal, once and in its order;
 * what the journal does not have in that place is refused. */
START_TEST(a_resumed_search_is_replayed)
{
    dscq_error err = {DSCQ_OK, ""};
    world w;
    size_t at;

    if (!test_has_json())
        return;
    make_world(&w);
    test_ok(search__journal_write(&w.s, &err));
    test_ok(search__journal_read(&w.s, &err));
    w.s.trial = NULL;
    w.s.trials = 0;
    w.s.best = -1;
    w.s.limit[DSCQ_METRIC_LOSS] = w.s.params.trial_loss = 0.1;
    w.s.params.objective = DSCQ_METRIC_BYTES;
    const dscq_settings settings = {.layer_count = 0};
    w.s.settings = &settings;
    test_ok(search__try(&w.s, w.choice[0], SEARCH_GIVEN, -1, &at, &err));
    ck_assert_uint_eq(at, 0);
    ck_assert(w.s.best == 0 && w.s.trial[0].total_over == 0);
    check_values(w.s.trial[0].value, w.trial[0].value);
    test_ok(search__try(&w.s, w.choice[0], SEARCH_GIVEN, -1, &at, &err));
    ck_assert(at == 0 && w.s.trials == 1 && w.s.replayed == 1);
    const search_choice other[LAYERS] = {{3, 3}, {3, 3}};
    ck_assert_int_eq(search__try(&w.s, other, SEARCH_BAYES, -1, &at, &err),
                     DSCQ_FORMAT);
    test_ok(search__try(&w.s, w.choice[1], SEARCH_BAYES, -1, &at, &err));
    ck_assert(at == 1 && w.s.replayed == 2 && w.s.best == 0);
    ck_assert(w.s.trial[1].failed && isinf(w.s.trial[1].total_over));
    for (size_t i = 0; i < w.s.trials; i++)
        dscq_free(w.s.trial[i].choice);
    dscq_free(w.s.trial);
    free_world(&w);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("trials", &tc);

    tcase_add_test(tc, a_limit_is_met_at_itself);
    tcase_add_test(tc, a_limit_of_no_loss_has_a_size);
    tcase_add_test(tc, what_no_other_beats_is_on_the_front);
    tcase_add_test(tc, a_journal_gives_back_what_was_tried);
    tcase_add_test(tc, a_journal_of_other_inputs_is_refused);
    tcase_add_test(tc, a_resumed_search_is_replayed);
    return s;
}

int main(void)
{
    return test_run(make);
}
