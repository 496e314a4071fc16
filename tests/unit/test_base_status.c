#include "dscq/base/log.h"
#include "support.h"

#include <string.h>

START_TEST(codes_have_the_documented_exit_code)
{
    static const struct {
        dscq_status status;
        int exit_code;
        const char *name;
    } k_want[] = {{DSCQ_OK, 0, "OK"},
                  {DSCQ_INTERNAL, 1, "INTERNAL"},
                  {DSCQ_ARG, 2, "ARG"},
                  {DSCQ_GATE, 3, "GATE"},
                  {DSCQ_UNSUPPORTED, 4, "UNSUPPORTED"},
                  {DSCQ_FORMAT, 5, "FORMAT"},
                  {DSCQ_MISMATCH, 6, "MISMATCH"},
                  {DSCQ_IO, 7, "IO"},
                  {DSCQ_NOMEM, 7, "NOMEM"},
                  {DSCQ_INTERRUPTED, 130, "INTERRUPTED"},
                  {(dscq_status)99, 1, "INTERNAL"}};

    for (size_t i = 0; i < sizeof k_want / sizeof k_want[0]; i++) {
        ck_assert_int_eq(dscq_status_exit_code(k_want[i].status), k_want[i].exit_code);
        ck_assert_str_eq(dscq_status_name(k_want[i].status), k_want[i].name);
        ck_assert_uint_gt(strlen(dscq_status_text(k_want[i].status)), 0);
    }
}
END_TEST

START_TEST(a_message_is_one_printable_line)
{
    dscq_error err = {DSCQ_OK, ""};

    test_fails(dscq_fail(&err, DSCQ_IO, "%s", "a\nb\033[31mc\td\x7f"), DSCQ_IO,
               "a?b?[31mc?d?");
    ck_assert_int_eq(dscq_fail(NULL, DSCQ_ARG, "nobody listens"), DSCQ_ARG);
    test_fails(dscq_fail_nomem(&err, "a tensor", 12), DSCQ_NOMEM,
               "out of memory: a tensor (12 bytes)");
}
END_TEST

START_TEST(the_place_is_put_in_front)
{
    dscq_error err = {DSCQ_OK, ""};

    (void)dscq_fail(&err, DSCQ_FORMAT, "want a number");
    ck_assert_int_eq(dscq_fail_at(&err, "net.cfg:%d", 3), DSCQ_FORMAT);
    ck_assert_str_eq(err.msg, "net.cfg:3: want a number");
    ck_assert_int_eq(dscq_fail_at(NULL, "x"), DSCQ_INTERNAL);
    (void)dscq_fail(&err, DSCQ_FORMAT, "again: %s", err.msg); /* reads what it writes */
    ck_assert_str_eq(err.msg, "again: net.cfg:3: want a number");
}
END_TEST

START_TEST(a_long_message_is_cut)
{
    dscq_error err = {DSCQ_OK, ""};
    char text[2000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)dscq_fail(&err, DSCQ_IO, "%s", text);
    ck_assert_uint_eq(strlen(err.msg), sizeof err.msg - 1);
    (void)dscq_fail_at(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.msg), sizeof err.msg - 1);
}
END_TEST

typedef struct heard {
    char text[200];
    dscq_log_level level;
    double done;
    int stop;
} heard;

static void on_message(void *ctx, dscq_log_level level, const char *text)
{
    heard *h = ctx;

    h->level = level;
    strncpy(h->text, text, sizeof h->text - 1);
}

static void on_progress(void *ctx, const char *what, double done, double total,
                        const char *note)
{
    heard *h = ctx;

    h->done = done / total;
    strncpy(h->text, what, sizeof h->text - 1);
    strncat(h->text, note, 20);
}

static int on_stop(void *ctx)
{
    return ((heard *)ctx)->stop;
}

START_TEST(a_log_is_silent_by_default)
{
    const dscq_log none = {0};

    dscq_log_printf(NULL, DSCQ_LOG_WARN, "x");
    dscq_log_printf(&none, DSCQ_LOG_WARN, "x");
    dscq_log_progress(NULL, "x", 1, 2, "");
    dscq_log_progress(&none, "x", 1, 2, "");
    ck_assert_int_eq(dscq_log_stop(NULL), 0);
    ck_assert_int_eq(dscq_log_stop(&none), 0);
}
END_TEST

START_TEST(a_log_calls_back)
{
    heard h = {.text = ""};
    const dscq_log log = {&h, on_message, on_progress, on_stop, 1U << DSCQ_TRACE_PACK};

    dscq_log_printf(&log, DSCQ_LOG_INFO, "epoch %d", 7);
    ck_assert_str_eq(h.text, "epoch 7");
    ck_assert_int_eq(h.level, DSCQ_LOG_INFO);
    dscq_log_progress(&log, "epoch", 1, 4, " ok");
    ck_assert_str_eq(h.text, "epoch ok");
    ck_assert_double_eq(h.done, 0.25);
    ck_assert_int_eq(dscq_log_stop(&log), 0);
    h.stop = 1;
    ck_assert_int_ne(dscq_log_stop(&log), 0);
    DSCQ_TRACE(&log, PACK, "layer %d", 3);
    ck_assert_str_eq(h.text, "pack: layer 3");
    ck_assert_int_eq(h.level, DSCQ_LOG_TRACE);
    DSCQ_TRACE(&log, LOWER, "%d", (h.stop = 0));
    ck_assert_str_eq(h.text, "pack: layer 3");
    ck_assert_int_eq(h.stop, 1); /* not even evaluated */
}
END_TEST

START_TEST(modules_that_tell_are_read_from_a_list)
{
    dscq_error err = {DSCQ_OK, ""};
    unsigned traces = 1;

    test_ok(dscq_traced_parse(&traces, NULL, &err));
    ck_assert_uint_eq(traces, 0);
    test_ok(dscq_traced_parse(&traces, "lower,pack", &err));
    ck_assert_uint_eq(traces, 1U << DSCQ_TRACE_LOWER | 1U << DSCQ_TRACE_PACK);
    test_ok(dscq_traced_parse(&traces, "all", &err));
    for (int i = 0; i < DSCQ_TRACES; i++)
        ck_assert_uint_eq(traces >> i & 1U, 1);
    test_fails(
        dscq_traced_parse(&traces, "pack,low", &err), DSCQ_ARG,
        "DSCQ_TRACE: no module 'low'; there are bo, compress, data, dram, lower, "
        "onnx, pack, search, all");
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/status", &tc);

    tcase_add_test(tc, codes_have_the_documented_exit_code);
    tcase_add_test(tc, a_message_is_one_printable_line);
    tcase_add_test(tc, the_place_is_put_in_front);
    tcase_add_test(tc, a_long_message_is_cut);
    tcase_add_test(tc, a_log_is_silent_by_default);
    tcase_add_test(tc, modules_that_tell_are_read_from_a_list);
    tcase_add_test(tc, a_log_calls_back);
    return s;
}

int main(void)
{
    return test_run(make);
}
