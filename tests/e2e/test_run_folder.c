/* A run's folder: one run at a time, a lock that ends with its holder, nothing left of
 * killed runs. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/lock.h"
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NET(epochs)                                                                    \
    "[net]\nwidth=16\nheight=16\nchannels=3\n[convolutional]\nfilters=8\nsize=3\n"     \
    "stride=2\npad=1\nbatch_normalize=1\nactivation=relu\n[avgpool]\n[connected]\n"    \
    "output=4\nactivation=linear\n[softmax]\n[data]\ntype=signs\nclasses=4\n"          \
    "count=400\ntest_count=40\nvalid_frac=0.2\n[train]\nepochs=" epochs "\nbatch=16\n" \
    "[sensitivity]\nimages=40\nnorm_images=40\nprune=0.5\nbits=4\nchannels=0.5\n"

static void make_nets(void)
{
    test_file("net.cfg", NET("1"));
    test_file("long.cfg", NET("10000"));
}

static void wait_until(const char *name, int there)
{
    const struct timespec nap = {0, 5000000};

    for (int i = 0; i < 6000; i++) {
        if (dscq_path_exists(test_path(name)) == there)
            return;
        (void)nanosleep(&nap, NULL);
    }
    ck_abort_msg("%s never %s", name, there ? "came" : "went");
}

/* ---- the lock itself ------------------------------------------------------------- */

START_TEST(a_lock_is_one_process_and_goes_away)
{
    const char *path = test_path("x.lock");
    dscq_lock *a = NULL, *b = NULL;
    dscq_error err = {0};
    char pid[32];

    test_ok(dscq_lock_take(&a, path, "the first", 0, NULL, &err));
    ck_assert_int_eq(dscq_lock_take(&b, path, "the second", 1, NULL, &err), DSCQ_IO);
    ck_assert_ptr_null(b);
    (void)snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    ck_assert_ptr_nonnull(strstr(err.msg, pid));
    ck_assert_ptr_nonnull(strstr(err.msg, "(the first)"));
    dscq_lock_release(a);
    ck_assert(!dscq_path_exists(path));
    test_ok(dscq_lock_take(&b, path, "the second", 0, NULL, &err));
    dscq_lock_release(b);
    dscq_lock_release(NULL);
    ck_assert_int_eq(dscq_lock_take(&a, test_path("none/x.lock"), "x", 0, NULL, &err),
                     DSCQ_IO);
}
END_TEST

START_TEST(many_at_once_get_it_one_after_the_other)
{
    enum { PROCESSES = 8, ROUNDS = 200 };
    const char *path = test_path("y.lock"), *count = test_path("count");
    pid_t child[PROCESSES];

    test_file("count", "0");
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        if (child[i] != 0)
            continue;
        for (int done = 0; done < ROUNDS;) {
            dscq_lock *l = NULL;
            int n = -1;
            if (dscq_lock_take(&l, path, "counting", 0, NULL, NULL) != DSCQ_OK)
                continue;
            FILE *f = fopen(count, "r+"); /* read, add, write: alone, or it is wrong */
            if (f == NULL || fscanf(f, "%d", &n) != 1)
                _exit(1);
            rewind(f);
            (void)fprintf(f, "%d", n + 1);
            (void)fclose(f);
            dscq_lock_release(l);
            done++;
        }
        _exit(0);
    }
    for (int i = 0; i < PROCESSES; i++)
        ck_assert_int_eq(test_finish(child[i]), 0);
    char *text = test_read(count), want[32];
    (void)snprintf(want, sizeof want, "%d", PROCESSES * ROUNDS);
    ck_assert_str_eq(text, want);
    dscq_free(text);
    ck_assert(!dscq_path_exists(path));
}
END_TEST

START_TEST(a_file_that_nobody_holds_is_taken_over_unless_another_host_wrote_it)
{
    dscq_lock *l = NULL;
    dscq_error err = {0};
    char host[128] = "", text[400];

    ck_assert_int_eq(gethostname(host, sizeof host - 1), 0);
    (void)snprintf(
        text, sizeof text, "pid %ld\nhost %s\nsince then\ncommand dscq train a.cfg\n",
        (long)getpid(), host); /* a number used again: alive, not its holder */
    test_ok(dscq_lock_take(&l, test_file("z.lock", text), "x", 0, NULL, &err));
    dscq_lock_release(l);
    test_ok(dscq_lock_take(&l, test_file("z.lock", ""), "x", 0, NULL, &err));
    dscq_lock_release(l);
    const char *path = test_file(
        "z.lock", "pid 1\nhost far.away\nsince then\ncommand dscq train a.cfg\n");
    ck_assert_int_eq(dscq_lock_take(&l, path, "x", 0, NULL, &err), DSCQ_IO);
    ck_assert_ptr_nonnull(
        strstr(err.msg, "process 1 on far.away since then (dscq train a.cfg)"));
    ck_assert_ptr_nonnull(strstr(err.msg, "--force"));
    test_ok(dscq_lock_take(&l, path, "x", 1, NULL, &err));
    dscq_lock_release(l);
}
END_TEST

/* ---- by the program -------------------------------------------------------------- */

static const char *const k_writers[] = {
    "train net.cfg -o busy",
    "train net.cfg -o busy --force",
    "train net.cfg -o busy --resume",
    "compress net.cfg -o busy --set compress.epochs=0",
    "compress net.cfg -o busy --search knapsack",
    "sensitivity net.cfg -o busy",
};

START_TEST(a_second_run_is_refused_by_name)
{
    char who[64];

    const pid_t first = test_start("train long.cfg -o busy -q --threads 1");
    wait_until("busy/run.lock", 1);
    wait_until("busy/curve.csv", 1);
    (void)snprintf(who, sizeof who,
                   "busy: another run works in this folder: process %ld", (long)first);
    for (size_t i = 0; i < sizeof k_writers / sizeof *k_writers; i++) {
        test_program_fails(k_writers[i], 7, who);
        test_said("(dscq train long.cfg)");
    }
    ck_assert_int_eq(kill(first, SIGINT), 0);
    ck_assert_int_eq(test_finish(first), 130);
    ck_assert(!dscq_path_exists(test_path("busy/run.lock")));
}
END_TEST

START_TEST(two_started_together_make_one_run)
{
    const pid_t first =
        test_start("compress net.cfg -o both -q --set compress.epochs=4 --seed 1");
    const pid_t second =
        test_start("compress net.cfg -o both -q --set compress.epochs=4 --seed 2");
    const int a = test_finish(first), b = test_finish(second);
    ck_assert_msg((a == 0) != (b == 0), "exit codes %d and %d", a, b);
    const int refused = a != 0 ? a : b; /* busy, or finished before it began */
    ck_assert_msg(refused == 7 || refused == 2, "exit code %d", refused);
    char *run = test_read(test_path("both/run.json"));
    ck_assert_ptr_nonnull(strstr(run, a == 0 ? "\"seed\": 1" : "\"seed\": 2"));
    dscq_free(run);
}
END_TEST

START_TEST(a_killed_run_leaves_a_lock_that_the_next_takes_over)
{
    const pid_t first = test_start("train long.cfg -o dead -q --threads 1");

    wait_until("dead/train.ckpt", 1);
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    ck_assert_int_eq(test_finish(first), 128 + SIGKILL);
    ck_assert(dscq_path_exists(test_path("dead/run.lock")));
    const pid_t next = test_start("train long.cfg -o dead --resume --threads 1");
    wait_until("dead/run.lock", 1);
    const struct timespec nap = {1, 0};
    (void)nanosleep(&nap, NULL);
    ck_assert_int_eq(kill(next, SIGINT), 0);
    ck_assert_int_eq(test_finish(next), 130);
    test_said("which is gone: taken over");
    test_said("continuing at epoch");
    ck_assert(!dscq_path_exists(test_path("dead/run.lock")));
}
END_TEST

START_TEST(what_killed_runs_left_is_removed_and_nothing_else)
{
    static const char *const k_stay[] = {".hidden.tmp", "x.tmp", ".net.cfg.12-.tmp",
                                         ".a.b.tmp", ".-1.tmp"};
    const pid_t gone = fork();
    char dead[64], dead_finalist[64], alive[64];

    if (gone == 0)
        _exit(0);
    ck_assert_int_eq(test_finish(gone), 0);
    (void)snprintf(dead, sizeof dead, "swept/.packed.bin.%ld-0.tmp", (long)gone);
    (void)snprintf(dead_finalist, sizeof dead_finalist,
                   "swept/finalist-3/.tune.ckpt.%ld-12.tmp", (long)gone);
    (void)snprintf(alive, sizeof alive, "swept/.report.html.%ld-0.tmp", (long)getpid());
    ck_assert_int_eq(dscq_path_make_dirs(test_path("swept/finalist-3"), NULL), DSCQ_OK);
    test_file(dead, "half");
    test_file(dead_finalist, "half");
    test_file(alive, "half");
    for (size_t i = 0; i < sizeof k_stay / sizeof *k_stay; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "swept/%s", k_stay[i]);
        test_file(name, "mine");
    }
    test_program_ok("train net.cfg -o swept");
    test_said("2 files that killed runs left half written are removed");
    ck_assert(!dscq_path_exists(test_path(dead)));
    ck_assert(!dscq_path_exists(test_path(dead_finalist)));
    ck_assert(dscq_path_exists(test_path(alive)));
    for (size_t i = 0; i < sizeof k_stay / sizeof *k_stay; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "swept/%s", k_stay[i]);
        ck_assert_msg(dscq_path_exists(test_path(name)), "%s", name);
    }
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("run_folder", &tc);

    tcase_add_checked_fixture(tc, make_nets, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_lock_is_one_process_and_goes_away);
    tcase_add_test(tc, many_at_once_get_it_one_after_the_other);
    tcase_add_test(tc,
                   a_file_that_nobody_holds_is_taken_over_unless_another_host_wrote_it);
    tcase_add_test(tc, a_second_run_is_refused_by_name);
    tcase_add_test(tc, two_started_together_make_one_run);
    tcase_add_test(tc, a_killed_run_leaves_a_lock_that_the_next_takes_over);
    tcase_add_test(tc, what_killed_runs_left_is_removed_and_nothing_else);
    return s;
}

int main(void)
{
    return test_run(make);
}
