/* DSCQ_TRACE: every module of the list tells, and only when it is asked. */
#include "dscq/base/log.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static const char k_net[] = "[net]\nwidth=16\nheight=16\nchannels=3\n"
                            "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\n"
                            "batch_normalize=1\nactivation=relu\n"
                            "[avgpool]\n"
                            "[connected]\noutput=4\nactivation=linear\n"
                            "[softmax]\n"
                            "[data]\ntype=signs\nclasses=4\ncount=60\n"
                            "[train]\nbatch=8\nepochs=1\n";

/* After training nothing is tuned; a search that asks twice. */
#define K_QUICK "--set", "compress.epochs=0", "--threads=1", "--quiet", "--force"
#define K_SEARCH                                                                       \
    "compress", "net.cfg", K_QUICK, "--search=bayes", "--set", "search.trials=8",      \
        "-o", "found"

static const struct {
    dscq_traced module;
    const char *says;
    const char *argv[20];
} k_rows[] = {
    {DSCQ_TRACE_DATA, "data: train '': reader signs", {"check", "net.cfg"}},
    {DSCQ_TRACE_COMPRESS,
     "compress: layer 0_convolutional, ",
     {"compress", "net.cfg", K_QUICK, "-o", "again"}},
    {DSCQ_TRACE_PACK,
     "pack: 0_convolutional: ",
     {"compress", "net.cfg", K_QUICK, "-o", "again"}},
    {DSCQ_TRACE_LOWER,
     "lower: layer 0_convolutional, ",
     {"simulate", "run/packed.bin", "--machine", "zcu104"}},
    {DSCQ_TRACE_DRAM,
     "dram: simple: ",
     {"simulate", "run/packed.bin", "--machine", "zcu104", "--set", "dram=simple"}},
    {DSCQ_TRACE_DRAM, " standard ddr4 ", {"dram", "requests.trc"}},
    {DSCQ_TRACE_ONNX,
     " (Conv): Conv, layers 0 to 0",
     {"import", "net.onnx", "-o", "in", "--force"}},
    {DSCQ_TRACE_SEARCH, "search: trial 0 from ", {K_SEARCH}},
    {DSCQ_TRACE_BO, "bo: ask 0: ", {K_SEARCH}},
};

static test_output o;

static int traced(const char *modules, const char *const *argv)
{
    if (modules == NULL)
        ck_assert_int_eq(unsetenv("DSCQ_TRACE"), 0);
    else
        ck_assert_int_eq(setenv("DSCQ_TRACE", modules, 1), 0);
    return test_command(&o, NULL, argv);
}

static void make_inputs(void)
{
    static const char *const argv[] = {"compress", "net.cfg", K_QUICK,
                                       "-o",       "run",     NULL};
    static const char *const write[] = {"export", "run/packed.bin", "-o", "net.onnx",
                                        NULL};

    (void)test_file("net.cfg", k_net);
    (void)test_file("requests.trc", "0 R 0\n4 R 40\n9 W 1000\n");
    ck_assert_int_eq(traced(NULL, argv), 0);
    ck_assert_int_ne(traced(NULL, write), 1);
}

/* Whether a line of stderr begins with "word:". */
static int tells(const char *word)
{
    const size_t n = strlen(word);

    for (const char *p = o.err; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, word, n) == 0 && p[n] == ':')
            return 1;
    }
    return 0;
}

START_TEST(a_module_tells_when_it_is_asked)
{
    const char *word = dscq_traced_word(k_rows[_i].module);

    make_inputs();
    const int code = traced(word, k_rows[_i].argv);
    if (code == 7 && k_rows[_i].module == DSCQ_TRACE_ONNX)
        return; /* a build without ONNX made none */
    ck_assert_msg(code == 0, "%s", o.err);
    ck_assert_msg(strstr(o.err, k_rows[_i].says) != NULL, "'%s' in '%s'",
                  k_rows[_i].says, o.err);
    for (int i = 0; i < DSCQ_TRACES; i++)
        ck_assert_int_eq(tells(dscq_traced_word((dscq_traced)i)),
                         i == (int)k_rows[_i].module);
    ck_assert_int_eq(traced(NULL, k_rows[_i].argv), 0);
    ck_assert(!tells(word));
}
END_TEST

START_TEST(an_unknown_module_is_refused)
{
    static const char *const argv[] = {"version", NULL};

    ck_assert_int_eq(traced("lower,nobody", argv), 2);
    ck_assert_str_eq(o.out, "");
    ck_assert_str_eq(o.err,
                     "dscq: DSCQ_TRACE: no module 'nobody'; there are bo, compress, "
                     "data, dram, lower, onnx, pack, search, all\n");
}
END_TEST

START_TEST(help_lists_them)
{
    static const char *const argv[] = {"help", "environment", NULL};

    ck_assert_int_eq(traced(NULL, argv), 0);
    ck_assert_ptr_nonnull(strstr(o.out, "DSCQ_TRACE"));
    for (int i = 0; i < DSCQ_TRACES; i++)
        ck_assert_ptr_nonnull(strstr(o.out, dscq_traced_word((dscq_traced)i)));
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("cli/trace", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_module_tells_when_it_is_asked, 0,
                        sizeof k_rows / sizeof k_rows[0]);
    tcase_add_test(tc, an_unknown_module_is_refused);
    tcase_add_test(tc, help_lists_them);
    return s;
}

int main(void)
{
    return test_run(make);
}
