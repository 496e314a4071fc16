#define _XOPEN_SOURCE 700
#include "program.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGS_MAX = 40, STEP_SECONDS = 300, KILLS_MAX = 50 };

pid_t test_start(const char *args)
{
    static char text[2048];
    const char *argv[ARGS_MAX + 2] = {DSCQ_BINARY};
    char dir[1024]; /* of this process: the child's would be another one */
    int argc = 1;

    (void)snprintf(text, sizeof text, "%s", args);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        ck_assert_int_lt(argc, ARGS_MAX);
        argv[argc++] = word;
    }
    (void)snprintf(dir, sizeof dir, "%s", test_path(""));
    const pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(STEP_SECONDS);
        if (chdir(dir) != 0)
            _exit(98);
        const int out = open("stdout.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int err = open("stderr.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(out, 1);
        (void)dup2(err, 2);
        (void)setenv("DSCQ_DATA", test_source("data"), 1);
        (void)execv(DSCQ_BINARY, (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    return pid;
}

int test_finish(pid_t pid)
{
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int test_program(const char *args)
{
    return test_finish(test_start(args));
}

void test_program_ok(const char *args)
{
    const int code = test_program(args);

    if (code != 0) {
        char *said = test_read(test_path("stderr.txt"));
        ck_abort_msg("dscq %s: exit code %d: %s", args, code, said);
    }
}

void test_program_fails(const char *args, int want, const char *said)
{
    const int code = test_program(args);

    if (code != want)
        ck_abort_msg("dscq %s: exit code %d, want %d: %s", args, code, want,
                     test_read(test_path("stderr.txt")));
    test_said(said);
}

/* The waits grow by a quarter, from a few milliseconds on: whatever the machine's
 * speed, some kills hit the middle of the work. */
int test_kill_until_done(const char *args, const char *more, int code)
{
    char again[2048];
    double wait_s = 0.01;

    (void)snprintf(again, sizeof again, "%s %s", args, more);
    for (int kills = 0;; kills++) {
        const pid_t pid = test_start(kills == 0 ? args : again);
        const struct timespec wait = {(time_t)wait_s,
                                      (long)((wait_s - floor(wait_s)) * 1e9)};
        int status;

        (void)nanosleep(&wait, NULL);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
                ck_abort_msg("dscq %s after %d kills: status %d: %s", again, kills,
                             status, test_read(test_path("stderr.txt")));
            return kills;
        }
        (void)kill(pid, SIGKILL);
        (void)test_finish(pid);
        ck_assert_int_lt(kills, KILLS_MAX);
        wait_s *= 1.25;
    }
}

void test_same(const char *a, const char *b)
{
    uint8_t *x = NULL, *y = NULL;
    size_t n = 0, m = 0;

    ck_assert_int_eq(dscq_file_read(&x, &n, test_path(a), (size_t)1 << 26, NULL),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_file_read(&y, &m, test_path(b), (size_t)1 << 26, NULL),
                     DSCQ_OK);
    ck_assert_msg(n == m && memcmp(x, y, n) == 0, "%s and %s differ", a, b);
    dscq_free(x);
    dscq_free(y);
}

void test_same_files(const char *a, const char *b, const char *const *file,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char of_a[256], of_b[256];
        (void)snprintf(of_a, sizeof of_a, "%s/%s", a, file[i]);
        (void)snprintf(of_b, sizeof of_b, "%s/%s", b, file[i]);
        test_same(of_a, of_b);
    }
}

static void must_have(const char *file, const char *text)
{
    char *said = test_read(test_path(file));

    ck_assert_msg(strstr(said, text) != NULL, "%s has '%s', not '%s'", file, said,
                  text);
    dscq_free(said);
}

void test_said(const char *text)
{
    must_have("stderr.txt", text);
}

void test_printed(const char *text)
{
    must_have("stdout.txt", text);
}

double test_run_number(const char *dir, const char *key)
{
    char path[64];
    dscq_json *j = NULL;

    (void)snprintf(path, sizeof path, "%s/run.json", dir);
    ck_assert_int_eq(dscq_json_load(&j, test_path(path), NULL), DSCQ_OK);
    const double v = dscq_json_real(dscq_json_get(j, key), -1);
    dscq_json_free(j);
    return v;
}
