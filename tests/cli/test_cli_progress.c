/* Bars on a terminal and nowhere else; Ctrl-C saves and ends with 130. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* posix_openpt */
#endif

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/base/str.h"
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TALK_BYTES = 1 << 17 };

typedef struct talk {
    char text[TALK_BYTES]; /* what came out of stderr */
    size_t len;
    int status;
} talk;

static talk t;

/* A short training on generated pictures; `epochs` as text. */
static void exec_training(const char *progress, const char *epochs, const char *dir)
{
    char set_epochs[64];

    (void)dscq_str_copy(set_epochs, sizeof set_epochs, "train.epochs=");
    strncat(set_epochs, epochs, 16);
    (void)execl(DSCQ_BINARY, "dscq", "train", "net.cfg", "--set", set_epochs, "-o", dir,
                "--threads=1", progress, (char *)NULL);
    _exit(127);
}

static const char k_net[] = "[net]\nwidth=16\nheight=16\nchannels=3\n"
                            "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\n"
                            "batch_normalize=1\nactivation=relu\n"
                            "[avgpool]\n"
                            "[connected]\noutput=4\nactivation=linear\n"
                            "[softmax]\n"
                            "[data]\ntype=signs\nclasses=4\ncount=400\n"
                            "[train]\nbatch=8\n";

/* Run it with stderr on `fd`; read what it says from `from` until it ends; send
 * `number` after the first words when it is not 0. */
static void watch(int fd, int from, const char *progress, const char *epochs,
                  int number)
{
    const char *dir = test_path("");

    (void)test_file("net.cfg", k_net);
    t.len = 0;
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        const int null = open("/dev/null", O_WRONLY);
        if (chdir(dir) != 0 || dup2(null, 1) < 0 || dup2(fd, 2) < 0)
            _exit(127);
        (void)close(from);
        exec_training(progress, epochs, "out");
    }
    (void)close(fd);
    for (;;) {
        const ssize_t n = read(from, t.text + t.len, TALK_BYTES - 1 - t.len);
        if (n <= 0)
            break; /* a terminal whose other end is closed gives EIO */
        t.len += (size_t)n;
        if (number != 0 && t.len > 200) {
            ck_assert_int_eq(kill(pid, number), 0);
            number = 0;
        }
        if (t.len == TALK_BYTES - 1)
            t.len /= 2;
    }
    t.text[t.len] = '\0';
    (void)close(from);
    ck_assert_int_eq(waitpid(pid, &t.status, 0), pid);
}

static void watch_on_terminal(const char *progress)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);

    ck_assert_int_ge(master, 0);
    ck_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    watch(slave, master, progress, "2", 0);
    ck_assert_msg(WIFEXITED(t.status) && WEXITSTATUS(t.status) == 0, "%s", t.text);
}

static void watch_in_pipe(const char *progress, const char *epochs, int number)
{
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    watch(fd[1], fd[0], progress, epochs, number);
}

START_TEST(a_terminal_gets_bars)
{
    (void)setenv("TERM", "xterm", 1);
    watch_on_terminal("--progress=auto");
    ck_assert_msg(strstr(t.text, "\r") != NULL && strstr(t.text, "[=") != NULL, "%s",
                  t.text);
    const char *tail = strrchr(t.text, '\r'); /* no half-drawn bar is left */
    ck_assert_ptr_null(strstr(tail, "[="));
}
END_TEST

START_TEST(a_dumb_terminal_gets_none)
{
    (void)setenv("TERM", "dumb", 1);
    watch_on_terminal("--progress=auto");
    ck_assert_ptr_null(strstr(t.text, "[="));
    ck_assert_ptr_null(strstr(t.text, "\033"));
}
END_TEST

START_TEST(nobody_gets_bars_who_does_not_want_them)
{
    (void)setenv("TERM", "xterm", 1);
    watch_on_terminal("--progress=none");
    ck_assert_ptr_null(strstr(t.text, "[="));
}
END_TEST

START_TEST(a_pipe_gets_lines)
{
    (void)setenv("TERM", "xterm", 1);
    watch_in_pipe("--progress=auto", "2", 0);
    ck_assert(WIFEXITED(t.status) && WEXITSTATUS(t.status) == 0);
    ck_assert_ptr_null(strpbrk(t.text, "\r\033"));
}
END_TEST

static int has_event(const dscq_json *j, const char *kind)
{
    return strcmp(dscq_json_text(dscq_json_get(j, "event"), ""), kind) == 0;
}

/* Every line of stderr as JSON; counts the events of a kind. */
static int json_lines(const char *text, const char *kind)
{
    dscq_error err = {DSCQ_OK, ""};
    int found = 0;

    for (const char *p = text; *p != '\0';) {
        const size_t n = strcspn(p, "\n");
        dscq_json *j = NULL;
        test_ok(dscq_json_parse(&j, p, n, "stderr", &err));
        if (has_event(j, "progress")) {
            ck_assert_double_ge(dscq_json_real(dscq_json_get(j, "total"), -1), 0);
            ck_assert_ptr_nonnull(dscq_json_text(dscq_json_get(j, "what"), NULL));
        } else {
            ck_assert_ptr_nonnull(dscq_json_text(dscq_json_get(j, "text"), NULL));
        }
        found += has_event(j, kind);
        dscq_json_free(j);
        p += n + (p[n] == '\n');
    }
    return found;
}

START_TEST(programs_get_json_lines_and_nothing_else)
{
    if (!test_has_json())
        return;
    watch_in_pipe("--progress=json", "2", 0);
    ck_assert(WIFEXITED(t.status) && WEXITSTATUS(t.status) == 0);
    ck_assert_int_ge(json_lines(t.text, "progress"), 2);
    ck_assert_int_ge(json_lines(t.text, "message"), 2);
}
END_TEST

/* Errors too, whether the command line could be read to its end or not. */
START_TEST(programs_get_errors_as_json_lines)
{
    static const char *const k_calls[][6] = {
        {"train", "none.cfg", "--progress", "json", NULL},
        {"train", "--progress=json", "--no-such-option", NULL},
        {"train", "--no-such-option", "--progress=json", NULL},
        {"nothing", "--progress=json", NULL}};
    static test_output o;

    if (!test_has_json())
        return;
    for (size_t i = 0; i < sizeof k_calls / sizeof *k_calls; i++) {
        const int code = test_command(&o, NULL, k_calls[i]);
        ck_assert_int_eq(code, i == 0 ? 7 : 2);
        ck_assert_int_eq(json_lines(o.err, "error"), 1);
    }
}
END_TEST

START_TEST(an_interrupt_saves_and_ends_with_130)
{
    watch_in_pipe("--progress=json", "100000", _i == 0 ? SIGINT : SIGTERM);
    ck_assert_msg(WIFEXITED(t.status) && WEXITSTATUS(t.status) == 130, "%d: %s",
                  t.status, t.text);
    if (test_has_json())
        ck_assert_int_eq(json_lines(t.text, "error"), 1);
    dscq_error err = {DSCQ_OK, ""};
    dscq_dir d;
    test_ok(dscq_dir_list(&d, test_path("out"), &err));
    ck_assert_uint_ge(d.count, 1);
    for (size_t i = 0; i < d.count; i++)
        ck_assert_msg(strstr(d.name[i], ".tmp") == NULL, "left behind: %s", d.name[i]);
    dscq_dir_free(&d);
}
END_TEST

/* The program sleeps in a system call: it is `dscq` and waits. */
static int is_waiting(pid_t pid)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    char *text = test_read(path);
    const int yes = strstr(text, "(dscq) S") != NULL;
    dscq_free(text);
    return yes;
}

/* Nobody reads the other end of its stdout: it waits, and has nothing to save. */
START_TEST(the_first_signal_ends_what_has_nothing_to_save)
{
    char block[4096] = "";
    int fd[2], status;

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
    while (write(fd[1], block, sizeof block) > 0)
        ;
    ck_assert_int_eq(fcntl(fd[1], F_SETFL, 0), 0);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (dup2(fd[1], 1) < 0)
            _exit(127);
        (void)execl(DSCQ_BINARY, "dscq", "help", "keys", (char *)NULL);
        _exit(127);
    }
    while (!is_waiting(pid))
        (void)usleep(1000);
    ck_assert_int_eq(kill(pid, _i == 0 ? SIGINT : SIGTERM), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 130);
    (void)close(fd[0]);
    (void)close(fd[1]);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("the command line's bars and interrupts", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_terminal_gets_bars);
    tcase_add_test(tc, a_dumb_terminal_gets_none);
    tcase_add_test(tc, nobody_gets_bars_who_does_not_want_them);
    tcase_add_test(tc, a_pipe_gets_lines);
    tcase_add_test(tc, programs_get_json_lines_and_nothing_else);
    tcase_add_test(tc, programs_get_errors_as_json_lines);
    tcase_add_loop_test(tc, the_first_signal_ends_what_has_nothing_to_save, 0, 2);
    tcase_add_loop_test(tc, an_interrupt_saves_and_ends_with_130, 0, 2);
    return s;
}

int main(void)
{
    return test_run(make);
}
