/* Every allocation of a command, its libraries' too, may fail: the command ends with
 * exit code 7 and one line that says so, prints no result, leaves no temporary file and
 * no block more than it does otherwise; or does without, and its result is the same.
 * Spread samples of each command; DSCQ_LONG=1 tries every allocation. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { SAMPLES = 24, MOST_LEFT = 12 };

static const char *const k_net =
    "[net]\nwidth=12\nheight=12\nchannels=3\n"
    "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[depthwise]\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[convolutional]\nfilters=4\nsize=1\nbatch_normalize=1\nactivation=linear\n"
    "[shortcut]\nfrom=-3\nactivation=relu\n"
    "[avgpool]\n[connected]\noutput=2\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=2\ncount=24\ntest_count=8\nvalid_frac=0.25\n"
    "[train]\nepochs=1\nbatch=8\n"
    "[compress]\nmethod=clipq\nepochs=1\np=0.5\nb=4\nfreeze_frac=0.4\n"
    "calibration_images=8\n[sensitivity]\nimages=6\n";

static const char *const k_command[] = {
    "version --json",
    "help data",
    "train net.cfg --dry-run --threads 1",
    "train net.cfg -o out --threads 1 --quiet",
    "check net.cfg",
    "eval net.cfg -w run/float.ckpt -p run/packed.bin --threads 1",
    "export net.cfg -w run/float.ckpt -o out.onnx",
    "import in.onnx -o out",
    "sensitivity net.cfg -w run/float.ckpt -o out --threads 1",
    "compress net.cfg -w run/float.ckpt -o out --threads 1",
    "inspect run/packed.bin --json",
    "diff run/packed.bin archive.bin",
    "unpack run/packed.bin -o out.npz",
    "unpack run/packed.bin --as archive -o out.bin",
    "verify run/packed.bin",
    "run run/packed.bin run/curve.png --threads 1",
    "simulate run/packed.bin --machine zcu104 --verify",
    "report run/packed.bin --machine zcu104 --energy --html out.html",
    "dram trace.trc",
};

enum { COMMANDS = sizeof k_command / sizeof *k_command };

typedef struct outcome {
    int code;
    long made, left;
    char *out, *err;
} outcome;

/* The k-th allocation fails; 0: none. */
static outcome run(const char *command, long k)
{
    char text[4096], *report = NULL;
    outcome o = {0};

    (void)snprintf(text, sizeof text,
                   "cd '%s' && rm -rf out* report && DSCQ_DATA='%s' LD_PRELOAD='%s' "
                   "DSCQ_FAIL_AT=%ld DSCQ_FAIL_REPORT=report '%s' %s >stdout.txt "
                   "2>stderr.txt",
                   test_path(""), test_source("data"), DSCQ_ALLOC_SHIM, k, DSCQ_BINARY,
                   command);
    const int status = system(text); /* NOLINT(cert-env33-c): a fixed command */
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    o.out = test_read(test_path("stdout.txt"));
    o.err = test_read(test_path("stderr.txt"));
    if (o.code < 128 && dscq_path_exists(test_path("report"))) {
        report = test_read(test_path("report"));
        o.made = strtol(report, &report, 10);
        o.left = strtol(report, NULL, 10);
    }
    return o;
}

static void forget(outcome *o)
{
    dscq_free(o->out);
    dscq_free(o->err);
}

/* The last line, which there must be one of that begins with "dscq: ". */
static int says_no_memory(const char *text)
{
    const char *own = strncmp(text, "dscq: ", 6) == 0 ? text : strstr(text, "\ndscq: ");

    while (own != NULL && strncmp(own + (*own == '\n'), "dscq: warning", 13) == 0)
        own = strstr(own + 1, "\ndscq: ");
    return own != NULL && strstr(own, "out of memory") != NULL &&
           strchr(own + 1, '\n') == text + strlen(text) - 1;
}

static void try(const char *command, const outcome *whole, long k)
{
    outcome o = run(command, k);
    const int same = o.code == whole->code && strcmp(o.out, whole->out) == 0;

    if (o.code == 7)
        ck_assert_msg(says_no_memory(o.err) && o.out[0] == '\0',
                      "dscq %s, allocation %ld: says '%s', prints '%.80s'", command, k,
                      o.err, o.out);
    else
        ck_assert_msg(same, "dscq %s, allocation %ld: exit code %d: %s", command, k,
                      o.code, o.err);
    ck_assert_msg(o.left <= whole->left, "dscq %s, allocation %ld: %ld blocks left",
                  command, k, o.left);
    char find[2048];
    (void)snprintf(find, sizeof find, "test -z \"$(find '%s' -name '*.tmp')\"",
                   test_path(""));
    ck_assert_msg(system(find) == 0,
                  "dscq %s, allocation %ld: a temporary file is left", command,
                  k); /* NOLINT(cert-env33-c) */
    forget(&o);
}

static void make_inputs(void)
{
    test_file("net.cfg", k_net);
    test_file("trace.trc", "0 R 0\n4 R 40\n9 W 1000\n30 R 80000\n");
    test_program_ok("compress net.cfg -o run --threads 1 --quiet");
    outcome onnx = run("export net.cfg -w run/float.ckpt -o in.onnx --quiet", 0);
    ck_assert(onnx.code == 0 || strstr(onnx.err, "this build") != NULL);
    forget(&onnx);
    test_program_ok("unpack run/packed.bin --as archive -o archive.bin");
}

START_TEST(want_of_memory_is_told)
{
    const char *command = k_command[_i];

    make_inputs();
    outcome whole = run(command, 0);
    if (whole.code == 4 && strstr(whole.err, "this build") != NULL) {
        forget(&whole); /* an optional library is switched off */
        return;
    }
    ck_assert_msg(whole.code == 0, "dscq %s: %d: %s", command, whole.code, whole.err);
    ck_assert_int_gt(whole.made, 0);
    ck_assert_int_le(whole.left, MOST_LEFT);
    const long step = getenv("DSCQ_LONG") != NULL ? 1 : 1 + whole.made / SAMPLES;
    for (long k = 1 + _i % step; k <= whole.made; k += step)
        try(command, &whole, k);
    forget(&whole);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("cli_memory", &tc);

    tcase_set_timeout(tc, getenv("DSCQ_LONG") != NULL ? 1800 : 300);
    tcase_add_loop_test(tc, want_of_memory_is_told, 0, COMMANDS);
    return s;
}

int main(void)
{
    return test_run(make);
}
