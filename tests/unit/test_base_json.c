#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/base/table.h"
#include "support.h"

#include <math.h>
#include <signal.h>
#include <string.h>

static dscq_status parse(dscq_json **j, const char *text, dscq_error *err)
{
    return dscq_json_parse(j, text, strlen(text), "r.json", err);
}

static dscq_json *build(void)
{
    dscq_json *j = dscq_json_object(), *list = dscq_json_array();

    dscq_json_put_text(j, "schema", "dscq.report/1");
    dscq_json_put_int(j, "big", 9007199254740993);
    dscq_json_put_real(j, "rate", 0.1);
    dscq_json_put_real(j, "whole", 3);
    dscq_json_put_bool(j, "ok", 1);
    dscq_json_push_int(list, -1);
    dscq_json_push_real(list, 1e300);
    dscq_json_push_text(list, "a\"b\\\n\x01\xc3\xa9\xff");
    dscq_json_push(list, dscq_json_object());
    dscq_json_put(j, "list", list);
    dscq_json_put(j, "empty", dscq_json_array());
    return j;
}

static const char k_text[] = "{\n"
                             "  \"schema\": \"dscq.report/1\",\n"
                             "  \"big\": 9007199254740993,\n"
                             "  \"rate\": 0.1,\n"
                             "  \"whole\": 3.0,\n"
                             "  \"ok\": true,\n"
                             "  \"list\": [\n"
                             "    -1,\n"
                             "    1e+300,\n"
                             "    \"a\\\"b\\\\\\n\\u0001\xc3\xa9\\ufffd\",\n"
                             "    {}\n"
                             "  ],\n"
                             "  \"empty\": []\n"
                             "}\n";

START_TEST(what_is_built_is_written_in_order)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = build();
    char *text = NULL;

    test_ok(dscq_json_dump(&text, j, &err));
    ck_assert_str_eq(text, k_text);
    dscq_free(text);
    dscq_json_free(j);
    dscq_json_free(NULL);
}
END_TEST

START_TEST(what_is_written_reads_back)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;
    char *text = NULL;

    test_ok(parse(&j, k_text, &err));
    test_ok(dscq_json_dump(&text, j, &err));
    /* the byte that was no UTF-8 comes back as what was written for it */
    ck_assert_uint_gt(strlen(text), strlen(k_text) - 8);
    ck_assert_int_eq(dscq_json_int(dscq_json_get(j, "big"), 0), 9007199254740993);
    ck_assert_double_eq(dscq_json_real(dscq_json_get(j, "rate"), 0), 0.1);
    ck_assert_double_eq(dscq_json_real(dscq_json_get(j, "list[0]"), 0), -1);
    ck_assert_str_eq(dscq_json_text(dscq_json_get(j, "schema"), ""), "dscq.report/1");
    ck_assert_uint_eq(dscq_json_count(j), 7);
    ck_assert_uint_eq(dscq_json_count(dscq_json_get(j, "list")), 4);
    ck_assert_str_eq(dscq_json_key(j, 1), "big");
    ck_assert_ptr_eq(dscq_json_member(j, 1), dscq_json_get(j, "big"));
    ck_assert_ptr_eq(dscq_json_at(dscq_json_get(j, "list"), 1),
                     dscq_json_get(j, "list[1]"));
    ck_assert(dscq_json_is_int(dscq_json_get(j, "big")));
    ck_assert(dscq_json_is_number(dscq_json_get(j, "rate")));
    ck_assert(!dscq_json_is_int(dscq_json_get(j, "whole")));
    dscq_free(text);
    dscq_json_free(j);
}
END_TEST

START_TEST(what_is_not_there_is_null)
{
    static const char *const k_absent[] = {"x",     "list[4]", "list[-1]",  "list[x]",
                                           "big.a", "list.a",  "schema[0]", "list[1"};
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;

    test_ok(parse(&j, k_text, &err));
    for (size_t i = 0; i < sizeof k_absent / sizeof k_absent[0]; i++)
        ck_assert_msg(dscq_json_get(j, k_absent[i]) == NULL, "%s", k_absent[i]);
    ck_assert_ptr_null(dscq_json_at(j, 0));
    ck_assert_ptr_null(dscq_json_key(j, 7));
    ck_assert_ptr_null(dscq_json_member(NULL, 0));
    ck_assert_double_eq(dscq_json_real(NULL, 7), 7);
    ck_assert_int_eq(dscq_json_int(dscq_json_get(j, "rate"), 7), 7);
    ck_assert_str_eq(dscq_json_text(dscq_json_get(j, "big"), "d"), "d");
    ck_assert_uint_eq(dscq_json_count(NULL), 0);
    dscq_json_free(j);
}
END_TEST

static const struct {
    const char *text, *starts;
} k_bad[] = {
    {"", "r.json:1: "},
    {"{", "r.json:1: "},
    {"{\n\"a\": 1,\n\"a\": 2}", "r.json:3: duplicate object key"},
    {"[1,]", "r.json:1: "},
    {"[1] x", "r.json:1: end of file expected"},
    {"[\n\n99999999999999999999]", "r.json:3: too big integer"},
    {"[1e999]", "r.json:1: real number overflow"},
    {"[\"\xff\"]", "r.json:1: "},
    {"[NaN]", "r.json:1: "},
    {"[\"\\u0000\"]", "r.json:1: "},
};

START_TEST(bad_text_is_refused_with_its_line)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;

    ck_assert_int_eq(parse(&j, k_bad[_i].text, &err), DSCQ_FORMAT);
    ck_assert_ptr_null(j);
    ck_assert_msg(strncmp(err.msg, k_bad[_i].starts, strlen(k_bad[_i].starts)) == 0,
                  "%s", err.msg);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;
    char text[600];

    memset(text, '[', 256);
    memset(text + 256, ']', 256);
    test_ok(dscq_json_parse(&j, text, 512, "r.json", &err));
    dscq_json_free(j);
    memset(text, '[', 257);
    test_fails(dscq_json_parse(&j, text, 257, "r.json", &err), DSCQ_FORMAT,
               "r.json:1: nested deeper than 256");
    memset(text, '[', 400);
    text[0] = text[399] = '"'; /* brackets in a text do not nest */
    test_ok(dscq_json_parse(&j, text, 400, "r.json", &err));
    dscq_json_free(j);
}
END_TEST

START_TEST(what_is_not_finite_cannot_be_written)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = dscq_json_object();
    char *text = NULL;

    dscq_json_put_real(j, "loss", (double)NAN);
    test_fails(dscq_json_dump(&text, j, &err), DSCQ_ARG,
               "'loss' is not a number, which JSON cannot hold");
    ck_assert_ptr_null(text);
    dscq_json_free(j);
    j = dscq_json_array();
    dscq_json_push_real(j, (double)-INFINITY);
    test_fails(dscq_json_dump(&text, j, &err), DSCQ_ARG,
               "'value' is infinite, which JSON cannot hold");
    dscq_json_free(j);
}
END_TEST

START_TEST(a_key_put_twice_is_a_bug)
{
    dscq_json *j = dscq_json_object();

    dscq_json_put_int(j, "a", 1);
    dscq_json_put_int(j, "a", 1);
}
END_TEST

static dscq_status build_and_dump(void *ctx, dscq_error *err)
{
    dscq_json *j = build();
    char *text = NULL;
    const dscq_status status = dscq_json_dump(&text, j, err);

    (void)ctx;
    dscq_free(text);
    dscq_json_free(j);
    return status;
}

START_TEST(no_memory_while_writing_is_reported)
{
    ck_assert_uint_gt(test_each_alloc_fails(build_and_dump, NULL), 20);
}
END_TEST

static dscq_status parse_and_free(void *ctx, dscq_error *err)
{
    dscq_json *j = NULL;
    const dscq_status status = parse(&j, ctx, err);

    dscq_json_free(j);
    return status;
}

START_TEST(no_memory_while_reading_is_reported)
{
    char text[sizeof k_text];

    memcpy(text, k_text, sizeof text);
    ck_assert_uint_gt(test_each_alloc_fails(parse_and_free, text), 20);
}
END_TEST

START_TEST(a_file_is_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;

    test_ok(dscq_json_load(&j, test_file("r.json", k_text), &err));
    ck_assert_uint_eq(dscq_json_count(j), 7);
    dscq_json_free(j);
    test_fails(dscq_json_load(&j, "/nonexistent.json", &err), DSCQ_IO,
               "/nonexistent.json: cannot open: No such file or directory");
}
END_TEST

/* ---- tables ----------------------------------------------------------- */

static const dscq_column k_layers[] = {
    DSCQ_TEXT_COLUMN("layer", ""), DSCQ_INT_COLUMN("macs", "MACs"),
    DSCQ_REAL_COLUMN("energy_pj", "energy", 2), DSCQ_COLUMN_END};

static dscq_status fill(void *ctx, dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status = dscq_table_create(&t, "layers", k_layers, err);

    (void)ctx;
    if (status != DSCQ_OK)
        return status;
    for (int i = 0; i < 40; i++)
        DSCQ_TABLE_ROW(t, dscq_text("conv1"), dscq_int(i), dscq_real(0.5 * i));
    status = dscq_table_finish(&t, err);
    if (status == DSCQ_OK) {
        ck_assert_uint_eq(dscq_table_rows(t), 40);
        ck_assert_str_eq(dscq_table_text(t, 39, 0), "conv1");
        ck_assert_int_eq(dscq_table_int(t, 39, 1), 39);
        ck_assert_double_eq(dscq_table_real(t, 39, 1), 39);
        ck_assert_double_eq(dscq_table_real(t, 39, 2), 19.5);
    } else {
        ck_assert_ptr_null(t);
    }
    dscq_table_destroy(t);
    return status;
}

START_TEST(a_table_is_filled_without_a_test_per_row)
{
    ck_assert_uint_gt(test_each_alloc_fails(fill, NULL), 40);
}
END_TEST

START_TEST(cells_may_stay_empty)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("a", ""), DSCQ_REAL_COLUMN("b_ms", "b", 1), DSCQ_COLUMN_END};
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t = NULL;

    test_ok(dscq_table_create(&t, "t", columns, &err));
    DSCQ_TABLE_ROW(t, dscq_none(), dscq_int(3));
    DSCQ_TABLE_ROW(t, dscq_text("one"), dscq_finite((double)INFINITY));
    ck_assert_str_eq(dscq_table_name(t), "t");
    ck_assert_uint_eq(dscq_table_columns(t), 2);
    ck_assert_int_eq(dscq_table_find(t, "b_ms"), 1);
    ck_assert_int_eq(dscq_table_find(t, "b"), -1);
    ck_assert_int_eq(dscq_table_column(t, 1)->decimals, 1);
    ck_assert(!dscq_table_is_set(t, 0, 0) && dscq_table_is_set(t, 0, 1));
    ck_assert(dscq_table_is_set(t, 1, 0) && !dscq_table_is_set(t, 1, 1));
    ck_assert_str_eq(dscq_table_text(t, 0, 0), "");
    ck_assert_double_eq(dscq_table_real(t, 0, 1), 3);
    ck_assert_str_eq(dscq_table_text(t, 1, 0), "one");
    dscq_table_destroy(t);
    dscq_table_destroy(NULL);
}
END_TEST

/* As many cells as columns, and of their types. */
START_TEST(a_row_of_another_table_is_a_bug)
{
    static const dscq_column columns[] = {DSCQ_INT_COLUMN("a", ""),
                                          DSCQ_INT_COLUMN("b", ""), DSCQ_COLUMN_END};
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t = NULL;

    test_ok(dscq_table_create(&t, "t", columns, &err));
    if (_i == 0)
        DSCQ_TABLE_ROW(t, dscq_int(1));
    else if (_i == 1)
        DSCQ_TABLE_ROW(t, dscq_int(1), dscq_real(1));
    else
        DSCQ_TABLE_ROW(t, dscq_text("1"), dscq_int(1));
}
END_TEST

START_TEST(a_column_twice_is_a_bug)
{
    static const dscq_column columns[] = {DSCQ_INT_COLUMN("a", ""),
                                          DSCQ_TEXT_COLUMN("a", ""), DSCQ_COLUMN_END};
    dscq_table *t = NULL;

    (void)dscq_table_create(&t, "t", columns, NULL);
}
END_TEST

/* In a build with DSCQ_WITH_JSON=OFF. */
START_TEST(reading_is_refused_by_name)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;

    test_fails(parse(&j, "{}", &err), DSCQ_UNSUPPORTED,
               "r.json: this build reads no JSON; configure with -DDSCQ_WITH_JSON=ON");
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/json and base/table", &tc);

    tcase_add_test(tc, what_is_built_is_written_in_order);
    tcase_add_test(tc, what_is_not_finite_cannot_be_written);
    tcase_add_test_raise_signal(tc, a_key_put_twice_is_a_bug, SIGABRT);
    tcase_add_test(tc, no_memory_while_writing_is_reported);
    tcase_add_test(tc, a_table_is_filled_without_a_test_per_row);
    tcase_add_test(tc, cells_may_stay_empty);
    tcase_add_loop_test_raise_signal(tc, a_row_of_another_table_is_a_bug, SIGABRT, 0,
                                     3);
    tcase_add_test_raise_signal(tc, a_column_twice_is_a_bug, SIGABRT);
    if (!test_has_json()) {
        tcase_add_test(tc, reading_is_refused_by_name);
        return s;
    }
    tcase_add_test(tc, what_is_written_reads_back);
    tcase_add_test(tc, what_is_not_there_is_null);
    tcase_add_loop_test(tc, bad_text_is_refused_with_its_line, 0,
                        sizeof k_bad / sizeof k_bad[0]);
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_test(tc, no_memory_while_reading_is_reported);
    tcase_add_test(tc, a_file_is_read);
    return s;
}

int main(void)
{
    return test_run(make);
}
