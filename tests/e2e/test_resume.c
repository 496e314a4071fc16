/* --resume with other settings: what was begun with one and ended with another was made
 * by neither, so it is refused by name, whatever the key; and what may change may. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/keys.h"
#include "dscq/compress/settings.h"
#include "dscq/data/dataset.h"
#include "dscq/nn/train.h"
#include "dscq/search/search.h"
#include "dscq/sense/sense.h"
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NET                                                                            \
    "[net]\nwidth=16\nheight=16\nchannels=3\n[convolutional]\nfilters=8\nsize=3\n"     \
    "stride=2\npad=1\nbatch_normalize=1\nactivation=relu\n[convolutional]\n"           \
    "filters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n[avgpool]\n"        \
    "[connected]\noutput=4\nactivation=linear\n[softmax]\n[data]\ntype=signs\n"        \
    "classes=4\ncount=120\ntest_count=40\nvalid_frac=0.2\n"                            \
    "[train]\nepochs=2\nbatch=16\n"                                                    \
    "[compress]\nmethod=magnitude\nepochs=1\np=0.5\nb=4\n"                             \
    "[sensitivity]\nimages=20\nnorm_images=20\nprune=0.5\nbits=4\nchannels=0.5\n"      \
    "[search]\nimages=20\nnorm_images=20\ntrials=3\nfinalists=1\n"

static void make_net(void)
{
    test_file("net.cfg", NET);
}

/* ---- every key --------------------------------------------------------------------
 */

/* Another value that the row allows. */
static void other_value(char *out, size_t cap, const dscq_key *k, const char *now)
{
    const double v = strtod(now, NULL);

    switch (k->type) {
    case DSCQ_KEY_INT:
    case DSCQ_KEY_I64:
        (void)snprintf(out, cap, "%.0f", v + 1 <= k->max ? v + 1 : v - 1);
        break;
    case DSCQ_KEY_REAL:
        (void)snprintf(out, cap, "%.17g",
                       v > (k->min + k->max) / 2 ? (k->min + v) / 2
                                                 : v + (k->max - v) / 1024);
        break;
    case DSCQ_KEY_BOOL:
        (void)snprintf(out, cap, "%d", v == 0);
        break;
    case DSCQ_KEY_ENUM:
        dscq_choice_name(out, cap, k->choices, 0);
        if (strcmp(out, now) == 0)
            dscq_choice_name(out, cap, k->choices, 1);
        break;
    case DSCQ_KEY_LIST:
        (void)snprintf(out, cap, "%.17g", k->min);
        break;
    case DSCQ_KEY_STR:
    case DSCQ_KEY_OVER:
        (void)snprintf(out, cap, "other");
        break;
    }
}

/* What the run was made with, from its settings.txt. */
static void value_in(char *out, size_t cap, const char *text, const char *key)
{
    char line[400];
    const char *at;

    (void)snprintf(line, sizeof line, "\n%.190s=", key);
    at = strstr(text, line);
    (void)snprintf(out, cap, "%.*s",
                   at != NULL ? (int)strcspn(at + strlen(line), "\n") : 0,
                   at != NULL ? at + strlen(line) : "");
}

typedef struct key_table {
    const char *section;
    const dscq_key *keys;
} key_table;

/* Every row of the tables: refused, or its help says that it may change. Others may
 * stop the change before (a data set that is not there): 0 is what must not happen. */
static void try_every_key(const char *command, const char *part, const key_table *table,
                          size_t tables, size_t at_least)
{
    char *text = test_read(test_path("run/settings.txt"));
    char *section = strstr(text, part);
    size_t named = 0;

    ck_assert_ptr_nonnull(section);
    for (size_t t = 0; t < tables; t++)
        for (const dscq_key *k = table[t].keys; k->name != NULL; k++) {
            char now[3000], value[200], key[200], args[3000], want[3400];

            if (dscq_key_may_change(k))
                continue;
            (void)snprintf(key, sizeof key, "%s.%s", table[t].section, k->name);
            value_in(now, sizeof now, section, key);
            other_value(value, sizeof value, k, now);
            (void)snprintf(args, sizeof args, "%s --set %s=%s", command, key, value);
            const int code = test_program(args);
            char *said = test_read(test_path("stderr.txt"));
            (void)snprintf(want, sizeof want, "begun with %s = %s", key, now);
            ck_assert_msg(code == 5 || code == 2 || code == 7, "%s: exit code %d: %s",
                          args, code, said);
            if (strstr(said, "begun with ") != NULL) {
                ck_assert_msg(strstr(said, want) != NULL, "%s: %s", args, said);
                ck_assert_int_eq(code, 5);
                named++;
            }
            dscq_free(said);
        }
    ck_assert_msg(named >= at_least, "%zu keys were named", named);
    dscq_free(text);
}

static void digest_of(char out[65], const char *name)
{
    ck_assert_int_eq(dscq_sha256_file(out, test_path(name), NULL), DSCQ_OK);
}

START_TEST(no_key_of_a_finished_compression_changes)
{
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    const key_table tables[] = {
        {"data", dscq_data_keys}, {"train", dscq_train_keys}, {"compress", keys}};
    char run[65], packed[65], again[65];

    dscq_compress_keys(keys);
    test_program_ok("train net.cfg -o f -q");
    test_program_ok("compress net.cfg -w f/float.ckpt -o run -q");
    digest_of(run, "run/run.json");
    digest_of(packed, "run/packed.bin");
    try_every_key("compress net.cfg -w f/float.ckpt -o run -q --resume", "[compress]",
                  tables, 3, 80);
    test_program_fails("compress net.cfg -o run -q --resume", 5, "begun with");
    test_program_fails("compress net.cfg -o run -w f/float.ckpt -q --resume --seed 9",
                       5, "train.seed = 1, now it is 9");
    test_program_fails("compress net.cfg -w f/float.ckpt -o run --resume --profile "
                       "archive",
                       5, "--profile = machine, now it is archive");
    digest_of(again, "run/run.json");
    ck_assert_str_eq(again, run);
    digest_of(again, "run/packed.bin");
    ck_assert_str_eq(again, packed);
    /* as it was: nothing to say, and the same bytes */
    test_program_ok("compress net.cfg -w f/float.ckpt -o run -q --resume --threads 1");
    digest_of(again, "run/packed.bin");
    ck_assert_str_eq(again, packed);
}
END_TEST

START_TEST(no_key_of_a_compression_without_training_changes)
{
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    const key_table tables[] = {{"compress", keys}};

    dscq_compress_keys(keys);
    test_program_ok("train net.cfg -o f -q");
    test_program_ok(
        "compress net.cfg -w f/float.ckpt -o run -q --set compress.epochs=0");
    try_every_key("compress net.cfg -w f/float.ckpt -o run -q --resume --set "
                  "compress.epochs=0",
                  "[compress]", tables, 1, 35);
}
END_TEST

START_TEST(no_key_of_training_changes)
{
    static const key_table k_tables[] = {{"train", dscq_train_keys}};

    test_program_ok("train net.cfg -o run -q");
    try_every_key("train net.cfg -o run -q --resume", "[train]", k_tables, 1, 30);
    test_program_fails("train net.cfg -o run -q --resume --set data.shift=2", 5,
                       "data.shift = 0, now it is 2");
    test_program_fails("train net.cfg -o run -q --resume --set data.seed=2", 5,
                       "data.seed = 1, now it is 2");
    test_program_fails("train net.cfg -o run -q --resume -w run/float.ckpt", 5,
                       "--weights (contents) = none");
    /* compress takes over what was trained, or says why it cannot */
    test_program_fails("compress net.cfg -o run -q --resume --set "
                       "train.learning_rate=0.01",
                       5, "train.learning_rate = 0.05");
    test_program_ok("compress net.cfg -o run --resume");
    test_said("float network taken over");
}
END_TEST

START_TEST(no_key_of_sensitivity_and_search_changes)
{
    static const key_table k_sense[] = {{"sensitivity", dscq_sense_keys}};
    static const key_table k_search[] = {{"search", dscq_search_keys},
                                         {"sensitivity", dscq_sense_keys},
                                         {"train", dscq_train_keys}};

    if (!test_has_json())
        return;
    test_program_ok("train net.cfg -o f -q");
    test_program_ok("sensitivity net.cfg -w f/float.ckpt -o run -q");
    try_every_key("sensitivity net.cfg -w f/float.ckpt -o run -q --resume",
                  "[sensitivity]", k_sense, 1, 2);
    test_program_ok("sensitivity net.cfg -w f/float.ckpt -o run -q --resume --set "
                    "sensitivity.max_loss=0.2 --set sensitivity.bits=3,4");
    test_program_ok("compress net.cfg -w f/float.ckpt -o run -q --set "
                    "search.search=knapsack --set sensitivity.bits=3,4");
    try_every_key("compress net.cfg -w f/float.ckpt -o run -q --set "
                  "search.search=knapsack --set sensitivity.bits=3,4 --resume",
                  "[search]", k_search, 3, 35);
    test_program_fails("compress net.cfg -w f/float.ckpt -o run -q --search knapsack "
                       "--set sensitivity.bits=3,4 --resume --machine zcu104",
                       5, "--machine = none, now it is zcu104");
    test_program_ok("compress net.cfg -w f/float.ckpt -o run -q --search knapsack "
                    "--set sensitivity.bits=3,4 --resume --set search.trials=4");
}
END_TEST

START_TEST(the_network_the_data_and_the_files_are_settings_too)
{
    test_program_ok("train net.cfg -o run -q");
    test_file("net.cfg", NET "# a remark changes nothing\n");
    test_program_ok("train net.cfg -o run -q --resume");
    char *text = test_read(test_path("net.cfg"));
    char *at = strstr(text, "relu\n[avgpool]");
    memcpy(at, "tanh", 4);
    test_file("net.cfg", text);
    dscq_free(text);
    test_program_fails("train net.cfg -o run -q --resume", 5,
                       "layer 1.activation = relu, now it is tanh");
    make_net();
    test_program_ok("compress net.cfg -w run/float.ckpt -o c -q");
    test_program_ok("train net.cfg -o second -q --seed 5");
    test_program_fails("compress net.cfg -w second/float.ckpt -o c -q --resume", 5,
                       "--weights (contents)");
    test_file("r.cfg", "[compress_layer]\nmatch=0_convolutional\nb=6\n");
    test_program_fails(
        "compress net.cfg -w run/float.ckpt -o c -q --resume --recipe r.cfg", 5,
        "compress_layer#1.match = not given, now it is 0_convolutional");
}
END_TEST

/* ---- runs that were stopped ------------------------------------------------------ */

/* Killed when the file `name` is there, or is no longer. */
static void kill_at(const char *args, const char *name, int there)
{
    const struct timespec nap = {0, 1000000}, settled = {0, 300000000};
    const pid_t pid = test_start(args);

    for (int i = 0; i < 30000 && dscq_path_exists(test_path(name)) != there; i++)
        (void)nanosleep(&nap, NULL);
    ck_assert_int_eq(dscq_path_exists(test_path(name)), there);
    if (!there) /* what begins afresh removes first and writes then */
        (void)nanosleep(&settled, NULL);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(test_finish(pid), 128 + SIGKILL);
}

#define LONG " --set compress.epochs=3000 --threads 1"

START_TEST(a_killed_fine_tuning_does_not_go_on_with_another_p)
{
    test_program_ok("train net.cfg -o f -q");
    kill_at("compress net.cfg -w f/float.ckpt -o c -q --set compress.p=0.6" LONG,
            "c/tune.ckpt", 1);
    test_program_fails(
        "compress net.cfg -w f/float.ckpt -o c -q --resume --set compress.p=0.8" LONG,
        5, "c: begun with compress.p = 0.6, now it is 0.8");
    test_said("--force");
    ck_assert(!dscq_path_exists(test_path("c/packed.bin")));
    ck_assert(!dscq_path_exists(test_path("c/run.json")));
    /* without a word the state of a stopped run is not thrown away either */
    test_program_fails("compress net.cfg -w f/float.ckpt -o c -q --set compress.p=0.8",
                       2, "--resume");
    test_program_ok("compress net.cfg -w f/float.ckpt -o c -q --force --set "
                    "compress.p=0.8");
    char *run = test_read(test_path("c/run.json"));
    ck_assert_ptr_nonnull(strstr(run, "\"p=0.8\""));
    dscq_free(run);
}
END_TEST

START_TEST(a_state_carries_its_settings_to_another_folder)
{
    dscq_error err = {0};
    uint8_t *data;
    size_t bytes;

    kill_at("train net.cfg -o a -q --threads 1 --set train.epochs=5000", "a/train.ckpt",
            1);
    test_ok(dscq_path_make_dirs(test_path("b"), &err));
    test_ok(dscq_file_read(&data, &bytes, test_path("a/train.ckpt"), 1 << 24, &err));
    test_file_bytes("b/train.ckpt", data, bytes);
    dscq_free(data);
    test_program_fails("train net.cfg -o b -q --resume --set train.epochs=5000 --set "
                       "train.decay=0",
                       5, "train.decay = 0.0001, now it is 0");
}
END_TEST

#define SIXTY "compress net.cfg -q --threads 1 --set train.epochs=60 --seed 2 "

START_TEST(a_forced_run_does_not_find_what_it_replaced)
{
    char first[65], second[65];

    test_program_ok("compress net.cfg -o a -q");
    test_program_ok(SIXTY "-o b");
    /* begun afresh with other settings, killed at once: its --resume trains again */
    kill_at(SIXTY "-o a --force", "a/tune.ckpt", 0);
    ck_assert(dscq_path_exists(test_path("a/packed.bin"))); /* until there is better */
    ck_assert(dscq_path_exists(test_path("a/float.ckpt")));
    test_program_ok(SIXTY "-o a --resume");
    digest_of(first, "a/packed.bin");
    digest_of(second, "b/packed.bin");
    ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(more_epochs_go_on_where_the_rate_does_not_look_at_the_end)
{
    char first[65], second[65];

    test_program_ok("train net.cfg -o a -q --set train.schedule=constant");
    test_program_ok(
        "train net.cfg -o a -q --set train.schedule=constant --resume --set "
        "train.epochs=4");
    test_program_ok(
        "train net.cfg -o b -q --set train.schedule=constant --set train.epochs=4");
    digest_of(first, "a/float.ckpt");
    digest_of(second, "b/float.ckpt");
    ck_assert_str_eq(first, second);
    test_program_fails("train net.cfg -o a -q --set train.schedule=constant --resume "
                       "--set train.epochs=3",
                       5, "train.epochs = 4, now it is 3");
    test_program_ok("train net.cfg -o c -q");
    test_program_fails("train net.cfg -o c -q --resume --set train.epochs=4", 5,
                       "train.epochs = 2, now it is 4");
    test_program_ok("train net.cfg -o c -q --resume --set train.save_every=3 --set "
                    "data.cache_mb=1");
}
END_TEST

START_TEST(somebody_elses_float_network_is_not_trained_over)
{
    char before[65], after[65];

    test_program_ok("train net.cfg -o f -q");
    test_program_ok("export net.cfg -w f/float.ckpt -o x");
    test_program_ok("import x.cfg x.weights -o imported");
    digest_of(before, "imported/float.ckpt");
    test_program_fails("compress net.cfg -o imported -q", 2, "-w");
    test_program_fails("compress net.cfg -o imported -q --resume", 2, "-w");
    test_program_fails("train net.cfg -o imported -q", 2, "-w");
    test_program_ok("train net.cfg -o other -q --seed 3");
    test_program_fails("compress net.cfg -o imported -q -w other/float.ckpt", 2,
                       "imported/float.ckpt exists");
    digest_of(after, "imported/float.ckpt");
    ck_assert_str_eq(after, before);
}
END_TEST

/* ---- net.cfg of the folder ------------------------------------------------------- */

START_TEST(the_folder_holds_what_is_needed_to_use_it_from_anywhere)
{
    (void)dscq_path_make_dirs(test_path("nets"), NULL);
    test_file("nets/names.txt", "one\ntwo\nthree\nfour\n");
    test_file("nets/net.cfg", NET "[machine]\nfile=zynq7020\n");
    test_program_ok("compress nets/net.cfg -o run -q --set compress.p=0.25 --set "
                    "data.names=names.txt");
    (void)dscq_path_make_dirs(test_path("far/away"), NULL);
    const char *const export_from[] = {
        "export", "../../run/net.cfg", "-w", "../../run/float.ckpt", "-o", "x", NULL};
    const char *const eval_from[] = {
        "eval", "../../run/net.cfg",    "-w", "../../run/float.ckpt",
        "-p",   "../../run/packed.bin", NULL};
    const char *const again[] = {"compress", "../../run/net.cfg",
                                 "-w",       "../../run/float.ckpt",
                                 "-o",       "same",
                                 "-q",       NULL};
    static test_output o;
    char dir[1024];

    (void)snprintf(dir, sizeof dir, "%s", test_path("far/away"));
    ck_assert_msg(test_command(&o, dir, export_from) == 0, "%s", o.err);
    ck_assert_msg(test_command(&o, dir, eval_from) == 0, "%s", o.err);
    ck_assert_msg(test_command(&o, dir, again) == 0, "%s", o.err);
    char *text = test_read(test_path("run/net.cfg"));
    ck_assert_ptr_nonnull(strstr(text, "\np = 0.25\n"));
    ck_assert_ptr_nonnull(strstr(text, "/nets/names.txt\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nfile = zynq7020\n"));
    dscq_free(text);
    /* train, and compress from given weights, leave them too */
    test_program_ok("train nets/net.cfg -o t -q");
    test_program_ok("export t/net.cfg -w t/float.ckpt -o t/x");
    test_program_ok("compress nets/net.cfg -w t/float.ckpt -o c -q");
    test_program_ok("export c/net.cfg -w c/float.ckpt -o c/x");
    test_same("t/x.weights", "c/x.weights");
}
END_TEST

START_TEST(a_net_cfg_that_is_not_ours_stays)
{
    test_program_ok("train net.cfg -o f -q");
    (void)dscq_path_make_dirs(test_path("mine"), NULL);
    test_file("mine/net.cfg", NET "# mine\n");
    test_program_ok("compress mine/net.cfg -w f/float.ckpt -o mine -q");
    test_file("wider.cfg", NET);
    test_program_ok("compress wider.cfg -w f/float.ckpt -o mine -q --force");
    test_said("mine/net.cfg: is there and not of a run");
    char *text = test_read(test_path("mine/net.cfg"));
    ck_assert_ptr_nonnull(strstr(text, "# mine"));
    dscq_free(text);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("resume", &tc);

    tcase_add_checked_fixture(tc, make_net, NULL);
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, no_key_of_a_finished_compression_changes);
    tcase_add_test(tc, no_key_of_a_compression_without_training_changes);
    tcase_add_test(tc, no_key_of_training_changes);
    tcase_add_test(tc, no_key_of_sensitivity_and_search_changes);
    tcase_add_test(tc, the_network_the_data_and_the_files_are_settings_too);
    tcase_add_test(tc, a_killed_fine_tuning_does_not_go_on_with_another_p);
    tcase_add_test(tc, a_state_carries_its_settings_to_another_folder);
    tcase_add_test(tc, a_forced_run_does_not_find_what_it_replaced);
    tcase_add_test(tc, more_epochs_go_on_where_the_rate_does_not_look_at_the_end);
    tcase_add_test(tc, somebody_elses_float_network_is_not_trained_over);
    tcase_add_test(tc, the_folder_holds_what_is_needed_to_use_it_from_anywhere);
    tcase_add_test(tc, a_net_cfg_that_is_not_ours_stays);
    return s;
}

int main(void)
{
    return test_run(make);
}
