/* What a search makes small when a machine is named, and its budget: counted by a clock
 * that goes on by the work that is done, not by the time that it takes. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/flow/sensitivity.h"
#include "dscq/flow/simulate.h"
#include "dscq/search/search.h"
#include "program.h"

#include <stdio.h>
#include <string.h>

static const char k_net[] =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nname=first\nfilters=8\nsize=3\nstride=2\npad=1\n"
    "batch_normalize=1\nactivation=relu\n"
    "[convolutional]\nname=wide\nfilters=32\nsize=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[avgpool]\n[connected]\nname=fc\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=300\ntest_count=60\nvalid_frac=0.3\n"
    "difficulty=0\n[train]\nepochs=6\nbatch=16\nlearning_rate=0.1\n"
    "[compress]\nmethod=dsc_clipq\np=0.3\nb=5\nepochs=3\nfreeze_frac=0.5\n"
    "calibration_images=64\n"
    "[sensitivity]\nprune=0.5,0.9\nbits=2,4,8\nchannels=\nnorm_images=64\n"
    "[search]\nsearch=bayes\ntrials=400\nwarm=4\nnorm_images=64\nmax_loss=0.9\n"
    "trial_loss=0.9\n";

static void world(void)
{
    test_file("net.cfg", k_net);
    test_program_ok("train net.cfg -o float --quiet");
}

/* ---- a clock of work ----------------------------------------------------------------
 */

/* One second a reading; what is logged tells of work that takes longer. */
static double clock_s;
static size_t trials, epochs, cells, finalists, borrowed;

static double now(void)
{
    return clock_s += 0.5;
}

static void on_message(void *ctx, dscq_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    if (strncmp(text, "trial ", 6) == 0) {
        clock_s += 10;
        trials++;
    } else if (strncmp(text, "tune ", 5) == 0) {
        clock_s += 6; /* 14 batches of half a second: what the steps of the clock say */
        epochs++;
    } else if (strncmp(text, "finalist ", 9) == 0) {
        finalists++;
    } else if (strstr(text, "sensitivity taken from there") != NULL) {
        borrowed++;
    }
}

static void on_progress(void *ctx, const char *what, double done, double total,
                        const char *note)
{
    (void)ctx;
    (void)done;
    (void)total;
    (void)note;
    if (strcmp(what, "sensitivity") == 0) {
        clock_s += 5;
        cells++;
    }
}

static const dscq_log k_log = {.message = on_message, .progress = on_progress};

static dscq_status run(dscq_search_result *found, const char *dir, const char *sense,
                       const char *const *set, size_t sets, dscq_error *err)
{
    char net[1024], weights[1024], out[1024], table[1024];
    const dscq_project_section *const section = &dscq_search_section;
    const dscq_project_options po = {
        .set = set, .set_count = sets, .section = &section, .section_count = 1};
    dscq_compress_result packed;
    dscq_project *p = NULL;

    (void)snprintf(net, sizeof net, "%s", test_path("net.cfg"));
    (void)snprintf(weights, sizeof weights, "%s", test_path("float/float.ckpt"));
    (void)snprintf(out, sizeof out, "%s", test_path(dir));
    (void)snprintf(table, sizeof table, "%s", sense != NULL ? test_path(sense) : "");
    clock_s = 1000;
    trials = epochs = cells = finalists = borrowed = 0;
    ck_assert_int_eq(dscq_project_open(&p, net, &po, err), DSCQ_OK);
    const dscq_search_options o = {.compress = {.run = {.out_dir = out,
                                                        .weights = weights,
                                                        .threads = 1,
                                                        .log = &k_log}},
                                   .sense_dir = sense != NULL ? table : NULL,
                                   .now = now};
    const dscq_status status = dscq_flow_search(found, &packed, NULL, p, &o, err);
    dscq_project_destroy(p);
    return status;
}

static const char *const k_minutes[] = {"search.budget=200s"};

START_TEST(the_budget_counts_sensitivity_trials_and_fine_tuning)
{
    dscq_search_result found;
    dscq_error err = {0};

    test_ok(run(&found, "a", NULL, k_minutes, 1, &err));
    ck_assert_uint_gt(cells, 5);
    ck_assert_uint_gt(trials, 3);
    ck_assert_uint_eq(finalists, 1);
    ck_assert_uint_eq(epochs, 3);
    /* all of it within the time, and most of the time used */
    ck_assert_msg(clock_s - 1000 <= 215 && clock_s - 1000 > 140, "%g s",
                  clock_s - 1000);
    dscq_search_clear(&found);
}
END_TEST

START_TEST(a_table_that_is_there_leaves_more_time_for_trials)
{
    dscq_search_result found;
    dscq_error err = {0};

    test_program_ok("sensitivity net.cfg -w float/float.ckpt -o sense --threads 1 -q");
    test_ok(run(&found, "a", NULL, k_minutes, 1, &err));
    const size_t measured = trials;
    dscq_search_clear(&found);
    test_ok(run(&found, "b", "sense", k_minutes, 1, &err));
    ck_assert_uint_eq(cells, 0);
    ck_assert_uint_eq(borrowed, 1);
    ck_assert_uint_gt(trials, measured);
    dscq_search_clear(&found);
    /* beside the weights it is found by itself */
    char *table = test_read(test_path("sense/sensitivity.json"));
    test_file("float/sensitivity.json", table);
    test_ok(run(&found, "c", NULL, k_minutes, 1, &err));
    ck_assert_uint_eq(cells, 0);
    ck_assert_uint_eq(borrowed, 1);
    dscq_search_clear(&found);
    /* one of other images is measured again, or refused when it was asked for */
    static const char *const k_fewer[] = {"search.budget=200s",
                                          "sensitivity.images=40"};
    test_ok(run(&found, "d", NULL, k_fewer, 2, &err));
    ck_assert_uint_gt(cells, 5);
    dscq_search_clear(&found);
    ck_assert_int_eq(run(&found, "e", "sense", k_fewer, 2, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "sense: its sensitivity is of another"));
    dscq_search_clear(&found);
    dscq_free(table);
}
END_TEST

START_TEST(finalists_are_as_many_as_there_is_time_for)
{
    static const char *const k_many[] = {"search.budget=200s", "search.finalists=20"};
    dscq_search_result found;
    dscq_error err = {0};

    test_ok(run(&found, "a", NULL, k_many, 2, &err));
    ck_assert_uint_ge(finalists, 1);
    ck_assert_msg(clock_s - 1000 <= 240, "%g s", clock_s - 1000);
    dscq_search_clear(&found);
}
END_TEST

START_TEST(too_short_a_budget_still_makes_a_network)
{
    static const char *const k_short[] = {"search.budget=10s"};
    dscq_search_result found;
    dscq_error err = {0};

    test_ok(run(&found, "a", NULL, k_short, 1, &err));
    ck_assert_uint_eq(trials, 1); /* the recipe that was given */
    ck_assert_uint_eq(finalists, 1);
    ck_assert(dscq_path_exists(test_path("a/packed.bin")));
    dscq_search_clear(&found);
}
END_TEST

START_TEST(sensitivity_that_takes_it_all_is_kept)
{
    static const char *const k_half[] = {"search.budget=30s", "search.finalists=0"};
    dscq_search_result found;
    dscq_error err = {0};

    test_ok(run(&found, "a", NULL, k_half, 2, &err));
    ck_assert_uint_eq(trials, 1);
    ck_assert_uint_gt(cells, 1);
    ck_assert(dscq_path_exists(test_path("a/sensitivity.json")));
    ck_assert(dscq_path_exists(test_path("a/recipe.cfg")));
    dscq_search_clear(&found);
}
END_TEST

/* ---- the objective --------------------------------------------------------------- */

static void check_objective(const char *args, const char *want, const char *said)
{
    dscq_json *j = NULL;
    dscq_error err = {0};

    test_program_ok(args);
    test_said(said);
    if (!test_has_json())
        return;
    test_ok(dscq_json_load(&j, test_path("o/search.json"), &err));
    ck_assert_str_eq(dscq_json_text(dscq_json_get(j, "objective"), ""), want);
    dscq_json_free(j);
}

#define SEARCH                                                                         \
    "compress net.cfg -w float/float.ckpt -o o --force --search knapsack --set "       \
    "search.trials=3 --set search.finalists=0 "

START_TEST(who_names_a_machine_gets_least_energy)
{
    check_objective(SEARCH "--machine zynq7020", "energy_pj",
                    "what shall be small: energy");
    check_objective(SEARCH, "bytes", "what shall be small: bytes");
    check_objective(SEARCH "--machine zynq7020 --set search.objective=bytes", "bytes",
                    "trial 0");
    check_objective(SEARCH "--set search.max_cycles=1e9 --set machine.file=zynq7020",
                    "energy_pj", "what shall be small: energy");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("search_budget", &tc);

    tcase_add_checked_fixture(tc, world, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, the_budget_counts_sensitivity_trials_and_fine_tuning);
    tcase_add_test(tc, a_table_that_is_there_leaves_more_time_for_trials);
    tcase_add_test(tc, finalists_are_as_many_as_there_is_time_for);
    tcase_add_test(tc, too_short_a_budget_still_makes_a_network);
    tcase_add_test(tc, sensitivity_that_takes_it_all_is_kept);
    tcase_add_test(tc, who_names_a_machine_gets_least_energy);
    return s;
}

int main(void)
{
    return test_run(make);
}
