/* The program where there is little: of address space, of file size, and networks that
 * no machine has room for. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
enum { IS_SANITIZED = 1 }; /* its shadow takes all addresses there are */
#else
enum { IS_SANITIZED = 0 };
#endif

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A command of the shell in the test's folder, $DSCQ being the program; its exit code.
 * stdout.txt and stderr.txt get what it says. */
static int shell(const char *command)
{
    char text[4096];

    (void)snprintf(text, sizeof text, "cd '%s' && { %s; } >stdout.txt 2>stderr.txt",
                   test_path(""), command);
    ck_assert_int_eq(setenv("DSCQ", DSCQ_BINARY, 1), 0);
    ck_assert_int_eq(setenv("DSCQ_DATA", test_source("data"), 1), 0);
    const int status = system(text); /* NOLINT(cert-env33-c): a fixed command */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int said(const char *text)
{
    char *all = test_read(test_path("stderr.txt"));
    const int has = strstr(all, text) != NULL;

    dscq_free(all);
    return has;
}

/* ---- address space -------------------------------------------------------- */

START_TEST(help_maps_no_linear_algebra)
{
    ck_assert_int_eq(shell("LD_TRACE_LOADED_OBJECTS=1 $DSCQ --help"), 0);
    char *mapped = test_read(test_path("stdout.txt"));
    ck_assert_ptr_nonnull(strstr(mapped, "libc"));
    ck_assert_ptr_null(strstr(mapped, "blas"));
    ck_assert_ptr_null(strstr(mapped, "fortran"));
    dscq_free(mapped);
}
END_TEST

START_TEST(little_address_space_is_enough_to_look)
{
    char command[2048];

    if (IS_SANITIZED)
        return;
    (void)snprintf(command, sizeof command,
                   "ulimit -v 60000 && $DSCQ --help && $DSCQ inspect '%s' && "
                   "$DSCQ verify '%s'",
                   test_source("tests/golden/pack/good_archive.bin"),
                   test_source("tests/golden/pack/good_archive.bin"));
    ck_assert_int_eq(shell(command), 0);
}
END_TEST

/* ---- OpenBLAS that is not there ------------------------------------------- */

static const char *const k_small =
    "[net]\nwidth=12\nheight=12\nchannels=3\n"
    "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=relu\n"
    "[avgpool]\n[connected]\noutput=2\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=2\ncount=24\ntest_count=8\nvalid_frac=0.25\n"
    "[train]\nepochs=1\nbatch=8\n"
    "[compress]\nmethod=obq\nepochs=0\np=0.5\nb=4\ncalibration_images=8\n";

START_TEST(without_openblas_our_own_code_does_it_and_says_so)
{
    test_file("net.cfg", k_small);
    test_file("libopenblas.so.0", "no library");
    test_file("libopenblas.so", "no library");
    ck_assert_int_eq(shell("LD_LIBRARY_PATH=. $DSCQ compress net.cfg -o run"), 0);
    ck_assert(said("OpenBLAS is not installed"));
    char *run = test_read(test_path("run/run.json"));
    ck_assert_ptr_nonnull(strstr(run, "\"linear_algebra\": \"own\""));
    dscq_free(run);
}
END_TEST

START_TEST(without_room_for_openblas_it_is_said)
{
    if (IS_SANITIZED)
        return;
    test_file("net.cfg", k_small);
    ck_assert_int_eq(
        shell("ulimit -v 200000 && $DSCQ compress net.cfg -o run --threads 1"), 7);
    ck_assert(said("out of memory: OpenBLAS") || said("out of memory or of threads"));
    ck_assert(!dscq_path_exists(test_path("run/packed.bin")));
}
END_TEST

/* ---- networks that no machine has room for -------------------------------- */

static const char *const k_layer =
    "[convolutional]\nfilters=%d\nsize=%d\npad=1\nactivation=relu\n";
static const char *const k_tail = "[data]\ntype=signs\nclasses=10\n[train]\nepochs=1\n";

static void write_layers(int count, int filters, int size, int outputs)
{
    dscq_str s = {0};

    dscq_str_add(&s, "[net]\nwidth=32\nheight=32\nchannels=3\n");
    for (int i = 0; i < count; i++)
        dscq_str_addf(&s, k_layer, filters, size);
    dscq_str_addf(&s, "[connected]\nname=wide\noutput=%d\nactivation=relu\n", outputs);
    dscq_str_add(&s, "[connected]\noutput=10\nactivation=linear\n[softmax]\n");
    dscq_str_add(&s, k_tail);
    ck_assert(!s.bad);
    test_file("net.cfg", s.text);
    dscq_str_free(&s);
}

/* Within seconds, and within 200 MB, whatever the network would take. */
static int planned(const char *command)
{
    char text[1024];
    const double before = now_s();

    (void)snprintf(text, sizeof text, "%s%s", IS_SANITIZED ? "" : "ulimit -v 200000; ",
                   command);
    const int code = shell(text);
    ck_assert_double_lt(now_s() - before, IS_SANITIZED ? 60 : 10);
    return code;
}

START_TEST(a_plan_costs_nothing_that_grows_with_the_network)
{
    write_layers(20, 1024, 3, 500000); /* 2 TB of weights */
    ck_assert_int_eq(planned("$DSCQ train net.cfg --dry-run --threads 1"), 0);
    ck_assert(said("'wide'"));
    char *table = test_read(test_path("stdout.txt"));
    ck_assert_ptr_nonnull(strstr(table, "training step"));
    dscq_free(table);
    ck_assert_int_eq(planned("$DSCQ train net.cfg --print-config"), 0);
    ck_assert_int_eq(planned("$DSCQ check net.cfg --set data.count=10 --set "
                             "data.test_count=2"),
                     0);
    test_printed("warning   memory");
}
END_TEST

START_TEST(pictures_of_a_letter_box_keep_their_shape)
{
    static const char cfg[] = "[net]\nwidth=8\nheight=8\nchannels=3\nletter_box=1\n"
                              "[convolutional]\nfilters=2\nsize=1\nactivation=linear\n"
                              "[data]\ntype=signs\n";

    (void)test_file("net.cfg", cfg);
    ck_assert_int_eq(shell("$DSCQ train net.cfg --print-config"), 0);
    test_printed("# net.letter_box data.resize\nresize=letterbox");
    ck_assert_int_eq(shell("$DSCQ train net.cfg --print-config --set data.resize=crop"),
                     0);
    test_printed("resize=crop");
}
END_TEST

START_TEST(a_run_without_room_ends_before_it_begins)
{
    write_layers(2, 1024, 3, 500000);
    ck_assert_int_eq(planned("$DSCQ train net.cfg -o run --threads 1"), 7);
    ck_assert(said("'wide'") && said(" bytes"));
    ck_assert_int_eq(planned("$DSCQ compress net.cfg -o run --threads 1"), 7);
    ck_assert(said("'wide'"));
    ck_assert_int_eq(planned("$DSCQ eval net.cfg -w none.ckpt --threads 1"), 7);
    ck_assert(said("'wide'"));
    ck_assert(!dscq_path_exists(test_path("run")));
}
END_TEST

START_TEST(many_layers_are_planned_at_once)
{
    write_layers(3000, 8, 3, 10);
    ck_assert_int_eq(planned("$DSCQ train net.cfg --dry-run --threads 1"), 0);
    write_layers(50000, 8, 3, 10);
    ck_assert_int_ne(planned("$DSCQ train net.cfg --dry-run --threads 1"), 0);
    ck_assert(said("layers"));
}
END_TEST

/* ---- files that may not grow ---------------------------------------------- */

/* What each writer leaves when a file may have no byte more than `ulimit -f 0` says. */
START_TEST(a_file_that_may_not_grow_is_told_and_leaves_nothing)
{
    static const char *const k_write[] = {
        "unpack in.bin -o out.npz",
        "unpack in.bin -o out.onnx",
        "unpack in.bin --as archive -o out.bin",
        "verify in.bin --write-dump out",
        "inspect in.bin --json=out.json",
        "train net.cfg -o out --threads 1 --quiet",
        "compress net.cfg -o out --threads 1 --quiet",
        "simulate in.bin --machine zcu104 --trace out.json",
        "report in.bin --machine zcu104 --html out.html",
        "report in.bin --machine zcu104 --json=out.json",
    };
    char command[1024];

    test_file("net.cfg", k_small);
    ck_assert_int_eq(
        shell("$DSCQ compress net.cfg -o in --quiet && mv in/packed.bin in.bin"), 0);
    /* the shell's own files would be cut as well: they go through cat */
    (void)snprintf(command, sizeof command,
                   "{ (ulimit -f 0; trap '' PIPE; $DSCQ %s; echo \"code $?\" >&2) 2>&1 "
                   ">&3 | cat >&2; } 3>&1 | cat",
                   k_write[_i]);
    (void)shell(command);
    if (said("this build does not write ONNX"))
        return;
    ck_assert_msg(said("File too large"), "%s: %s", k_write[_i],
                  test_read(test_path("stderr.txt")));
    ck_assert_msg(said("code 7"), "%s: %s", k_write[_i],
                  test_read(test_path("stderr.txt")));
    (void)shell("find . -name '*.tmp' -o -path './out*' -type f -size +0");
    char *left = test_read(test_path("stdout.txt"));
    ck_assert_str_eq(left, "");
    dscq_free(left);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("cli_limits", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, help_maps_no_linear_algebra);
    tcase_add_test(tc, little_address_space_is_enough_to_look);
    tcase_add_test(tc, without_openblas_our_own_code_does_it_and_says_so);
    tcase_add_test(tc, without_room_for_openblas_it_is_said);
    tcase_add_test(tc, a_plan_costs_nothing_that_grows_with_the_network);
    tcase_add_test(tc, pictures_of_a_letter_box_keep_their_shape);
    tcase_add_test(tc, a_run_without_room_ends_before_it_begins);
    tcase_add_test(tc, many_layers_are_planned_at_once);
    tcase_add_loop_test(tc, a_file_that_may_not_grow_is_told_and_leaves_nothing, 0, 10);
    return s;
}

int main(void)
{
    return test_run(make);
}
