/* dscq compress with a search, and dscq explain: every solver, limits that cannot be
 * met, the same bytes for any number of threads and after kill -9, refusals. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const k_net =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nname=first\nfilters=8\nsize=3\nstride=2\npad=1\n"
    "batch_normalize=1\nactivation=relu\n"
    "[depthwise]\nname=deep\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[convolutional]\nname=wide\nfilters=32\nsize=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[avgpool]\n[connected]\nname=fc\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=1000\ntest_count=100\nvalid_frac=0.3\n"
    "difficulty=0\n"
    "[train]\nepochs=10\nbatch=16\nlearning_rate=0.1\n"
    "[compress]\nmethod=dsc_clipq\np=0.3\nb=5\nepochs=2\nfreeze_frac=0.5\n"
    "calibration_images=64\n"
    "[sensitivity]\nprune=0.5,0.9\nbits=2,4,8\nchannels=\nnorm_images=128\n"
    "[search]\ntrials=12\nwarm=4\nnorm_images=128\nmax_loss=0.2\n"
    "[machine]\nfile=zynq7020\n";

static void world(void)
{
    test_file("net.cfg", k_net);
    test_program_ok("train net.cfg -o float --quiet");
}

#define BASE "compress net.cfg -w float/float.ckpt --quiet "

static dscq_json *journal(const char *name)
{
    dscq_json *j = NULL;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_json_load(&j, test_path(name), &err));
    return j;
}

static double trial_real(const dscq_json *j, int64_t i, const char *key)
{
    const dscq_json *t = dscq_json_at(dscq_json_get(j, "trials"), (size_t)i);

    return dscq_json_real(dscq_json_get(t, key), -1e9);
}

/* The best trial is the cheapest of those that lose no more than is allowed. */
static void check_best(const char *name, const char *objective, double trial_loss)
{
    dscq_json *j = journal(name);
    const size_t n = dscq_json_count(dscq_json_get(j, "trials"));
    const int64_t best = dscq_json_int(dscq_json_get(j, "best"), -1);

    ck_assert_int_ge(best, 0);
    ck_assert_double_le(trial_real(j, best, "loss_frac"), trial_loss + 1e-9);
    for (size_t i = 0; i < n; i++)
        if (trial_real(j, (int64_t)i, "loss_frac") <= trial_loss)
            ck_assert_double_le(trial_real(j, best, objective),
                                trial_real(j, (int64_t)i, objective));
    ck_assert_double_lt(trial_real(j, best, objective), trial_real(j, 0, objective));
    dscq_json_free(j);
}

START_TEST(every_solver_beats_the_recipe_it_was_given)
{
    static const char *const k_how[] = {"greedy", "knapsack", "bayes",
                                        "bayes --set search.protocol=layers"};
    char args[512], name[64];

    if (!test_has_json())
        return;
    (void)snprintf(args, sizeof args, BASE "-o s%d --search %s", _i, k_how[_i]);
    if (_i == 3) /* 4 layers, 6 trials each: the start is far from the end */
        strncat(args, " --set search.trials=26", sizeof args - strlen(args) - 1);
    test_program_ok(args);
    (void)snprintf(name, sizeof name, "s%d/search.json", _i);
    check_best(name, "bytes", 0.1);
    (void)snprintf(name, sizeof name, "verify s%d/packed.bin", _i);
    test_program_ok(name);
    static const char *const files[] = {"recipe.cfg", "trials.csv",      "pareto.csv",
                                        "pareto.svg", "pareto.png",      "run.json",
                                        "layers.csv", "sensitivity.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(name, sizeof name, "s%d/%s", _i, files[i]);
        ck_assert_msg(dscq_path_exists(test_path(name)), "no %s", name);
    }
}
END_TEST

/* The first trials of the joint search: mild ones too, named in the journal. */
START_TEST(the_joint_search_begins_mildly)
{
    if (!test_has_json())
        return;
    test_program_ok(BASE "-o mild --search bayes --set search.finalists=0 --set "
                         "search.trials=9 --set search.warm=8");
    dscq_json *j = journal("mild/search.json");
    const dscq_json *trials = dscq_json_get(j, "trials");
    int mild = 0, uniform = 0;

    for (size_t i = 1; i < dscq_json_count(trials); i++) {
        const char *source =
            dscq_json_text(dscq_json_get(dscq_json_at(trials, i), "source"), "");
        mild += strcmp(source, "ladder") == 0 &&
                trial_real(j, (int64_t)i, "loss_frac") <= 0.05;
        uniform += strcmp(source, "uniform") == 0;
    }
    ck_assert_int_ge(mild, 2);
    ck_assert_int_ge(uniform, 1);
    dscq_json_free(j);
}
END_TEST

/* Every trial is beaten by none on the set, and every other one by one that is. */
START_TEST(the_pareto_set_is_complete)
{
    static const char *const k_metric[] = {"loss_frac", "bytes", "cycles", "energy_pj",
                                           "bram36"};

    if (!test_has_json())
        return;
    test_program_ok(BASE "-o hard --search bayes --set search.objective=energy --set "
                         "search.finalists=0");
    check_best("hard/search.json", "energy_pj", 0.1);
    ck_assert(!dscq_path_exists(test_path("hard/packed.bin")));
    dscq_json *j = journal("hard/search.json");
    const dscq_json *trials = dscq_json_get(j, "trials");
    const size_t n = dscq_json_count(trials);
    char *csv = test_read(test_path("hard/pareto.csv"));
    size_t rows = 0, on = 0;

    for (size_t i = 0; i < n; i++) {
        int beaten = 0;
        for (size_t k = 0; k < n; k++) {
            int better = 0, worse = 0;
            for (size_t m = 0; m < 5; m++) {
                const double a = trial_real(j, (int64_t)k, k_metric[m]);
                const double b = trial_real(j, (int64_t)i, k_metric[m]);
                ck_assert_double_gt(a, -1e8);
                better |= a < b;
                worse |= a > b;
            }
            beaten |= better && !worse;
        }
        char *text = NULL;
        ck_assert_int_eq(
            dscq_json_dump(&text, dscq_json_get(dscq_json_at(trials, i), "pareto"),
                           NULL),
            DSCQ_OK);
        ck_assert_msg((strncmp(text, "true", 4) == 0) == !beaten, "trial %zu", i);
        on += !beaten;
        dscq_free(text);
    }
    for (const char *at = csv; (at = strstr(at, "\r\n")) != NULL; at += 2)
        rows++;
    ck_assert_uint_eq(rows, on + 1);
    dscq_free(csv);
    dscq_json_free(j);
}
END_TEST

START_TEST(threads_and_kills_change_no_byte)
{
    static const char *const files[] = {"search.json", "recipe.cfg", "packed.bin",
                                        "trials.csv",  "pareto.svg", "layers.csv"};
    int kills = 0;

    test_program_ok(BASE "-o one --threads 1 --search bayes");
    test_program_ok(BASE "-o two --threads 2 --search bayes");
    if (test_has_json()) {
        kills = test_kill_until_done(BASE "-o three --threads 1 --search bayes",
                                     "--resume", 0);
        ck_assert_int_gt(kills, 0);
    }
    test_same_files("one", "two", files, sizeof files / sizeof *files);
    if (kills > 0)
        test_same_files("one", "three", files, sizeof files / sizeof *files);
}
END_TEST

START_TEST(more_trials_go_on_from_the_journal)
{
    if (!test_has_json())
        return;
    test_program_ok(BASE "-o more --search bayes --set search.finalists=0 --set "
                         "search.trials=7");
    test_program_ok(BASE "-o more --search bayes --set search.finalists=0 --resume");
    test_program_ok(BASE "-o whole --search bayes --set search.finalists=0");
    test_same("more/search.json", "whole/search.json");
}
END_TEST

START_TEST(interrupted_it_has_a_recipe_and_says_130)
{
    const struct timespec tick = {0, 20 * 1000 * 1000};
    const pid_t pid =
        test_start(BASE "-o stop --search bayes --set search.trials=2000");

    for (int i = 0; i < 3000 && !dscq_path_exists(test_path("stop/search.json")); i++)
        (void)nanosleep(&tick, NULL);
    (void)kill(pid, SIGINT);
    ck_assert_int_eq(test_finish(pid), 130);
    ck_assert(dscq_path_exists(test_path("stop/recipe.cfg")));
    ck_assert(!dscq_path_exists(test_path("stop/packed.bin")));
}
END_TEST

START_TEST(a_budget_ends_the_trials)
{
    test_program_ok(BASE "-o quick --search bayes --budget 1s --set "
                         "search.trials=100000 --set search.finalists=0");
    ck_assert_int_eq(test_program(BASE "-o x --search bayes --budget soon"), 2);
    ck_assert(!dscq_path_exists(test_path("x/search.json")));
}
END_TEST

START_TEST(other_inputs_are_refused)
{
    test_program_ok(BASE "-o base --search knapsack --set search.finalists=0");
    ck_assert_int_eq(test_program(BASE "-o base --search knapsack"), 2);
    test_said("--resume continues that run");
    if (!test_has_json())
        return;
    ck_assert_int_eq(test_program(BASE "-o base --search knapsack --resume --set "
                                       "compress.p=0.4"),
                     5);
    test_said("begun with compress.p = 0.3, now it is 0.4");
    ck_assert_int_eq(test_program(BASE "-o base --search knapsack --resume --machine "
                                       "zcu104"),
                     5);
    ck_assert_int_eq(test_program(BASE "-o base --search greedy --resume"), 5);
    test_program_ok(BASE "-o base --search greedy --force --set search.finalists=0");
}
END_TEST

START_TEST(limits_that_cannot_be_met_give_the_nearest_and_3)
{
    ck_assert_int_eq(test_program(BASE "-o never --search knapsack --set "
                                       "search.max_bytes=500"),
                     3);
    test_said("bytes = ");
    test_said("limit 500");
    ck_assert(dscq_path_exists(test_path("never/recipe.cfg")));
    ck_assert(!dscq_path_exists(test_path("never/packed.bin")));
    /* fine-tuning cannot gain what is asked for: packed all the same */
    ck_assert_int_eq(test_program(BASE
                                  "-o worse --search knapsack --set "
                                  "search.max_loss=0 --set compress.epochs=0 --set "
                                  "search.trial_loss=0.5"),
                     3);
    test_said("loss_frac = ");
    ck_assert(dscq_path_exists(test_path("worse/packed.bin")));
}
END_TEST

START_TEST(smaller_loss_within_bytes)
{
    if (!test_has_json())
        return;
    test_program_ok(BASE "-o fit --search bayes --set search.objective=loss --set "
                         "search.max_bytes=1800 --set search.trial_loss=1 --set "
                         "search.finalists=0");
    dscq_json *j = journal("fit/search.json");
    const int64_t best = dscq_json_int(dscq_json_get(j, "best"), -1);
    ck_assert_int_ge(best, 0);
    ck_assert_double_le(trial_real(j, best, "bytes"), 1800);
    for (size_t i = 0; i < dscq_json_count(dscq_json_get(j, "trials")); i++)
        if (trial_real(j, (int64_t)i, "bytes") <= 1800)
            ck_assert_double_le(trial_real(j, best, "loss_frac"),
                                trial_real(j, (int64_t)i, "loss_frac"));
    dscq_json_free(j);
}
END_TEST

START_TEST(explain_says_what_decided)
{
    if (!test_has_json())
        return;
    test_program_ok(BASE "-o why --search knapsack");
    test_program_ok("explain why wide --json=why.json");
    char *said = test_read(test_path("stdout.txt"));
    ck_assert(strstr(said, "wide has p = ") != NULL);
    ck_assert(strstr(said, "trials met the limits") != NULL);
    ck_assert(strstr(said, "In packed.bin its weights take") != NULL);
    dscq_free(said);
    dscq_json *j = journal("why.json");
    ck_assert_uint_eq(dscq_json_count(dscq_json_get(j, "sensitivity")), 5);
    const dscq_json *settings = dscq_json_get(j, "settings");
    int64_t trials = 0;
    for (size_t i = 0; i < dscq_json_count(settings); i++)
        trials += dscq_json_int(dscq_json_get(dscq_json_at(settings, i), "trials"), 0);
    dscq_json *s = journal("why/search.json");
    ck_assert_int_eq(trials, (int64_t)dscq_json_count(dscq_json_get(s, "trials")));
    dscq_json_free(s);
    dscq_json_free(j);
    test_program_ok("explain why --recipe 2");
    said = test_read(test_path("stdout.txt"));
    test_file("other.cfg", said);
    dscq_free(said);
    test_program_ok("compress net.cfg -w float/float.ckpt --recipe other.cfg --set "
                    "compress.epochs=0 -o other --quiet");
    ck_assert_int_eq(test_program("explain why --recipe 99"), 2);
    ck_assert_int_eq(test_program("explain why"), 2);
    ck_assert_int_eq(test_program("explain why wyde"), 2);
    test_said("did you mean 'wide'");
    ck_assert_int_eq(test_program("explain float wide"), 7);
    test_said("no run to explain");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("search", &tc);

    tcase_add_checked_fixture(tc, world, NULL);
    tcase_set_timeout(tc, 400);
    tcase_add_loop_test(tc, every_solver_beats_the_recipe_it_was_given, 0, 4);
    tcase_add_test(tc, the_joint_search_begins_mildly);
    tcase_add_test(tc, the_pareto_set_is_complete);
    tcase_add_test(tc, threads_and_kills_change_no_byte);
    tcase_add_test(tc, more_trials_go_on_from_the_journal);
    tcase_add_test(tc, interrupted_it_has_a_recipe_and_says_130);
    tcase_add_test(tc, a_budget_ends_the_trials);
    tcase_add_test(tc, other_inputs_are_refused);
    tcase_add_test(tc, limits_that_cannot_be_met_give_the_nearest_and_3);
    tcase_add_test(tc, smaller_loss_within_bytes);
    tcase_add_test(tc, explain_says_what_decided);
    return s;
}

int main(void)
{
    return test_run(make);
}
