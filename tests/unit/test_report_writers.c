#include "dscq/base/table.h"
#include "dscq/report/writers.h"
#include "support.h"

#include <math.h>
#include <string.h>

static dscq_table *make_table(void)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("layer", ""), DSCQ_INT_COLUMN("total_macs", "work"),
        DSCQ_REAL_COLUMN("energy_pj", "energy", 1), DSCQ_TEXT_COLUMN("note", ""),
        DSCQ_COLUMN_END};
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t = NULL;

    test_ok(dscq_table_create(&t, "layers", columns, &err));
    DSCQ_TABLE_ROW(t, dscq_text("conv1"), dscq_int(9007199254740993),
                   dscq_real(1.0 / 3), dscq_text("a|b, \"q\""));
    DSCQ_TABLE_ROW(t, dscq_text("pr\xc3\xa9"), dscq_none(), dscq_real(0.001),
                   dscq_text("x"));
    test_ok(dscq_table_finish(&t, &err));
    return t;
}

static const struct {
    const char *writer, *want;
} k_want[] = {
    {"text", "layer              work     energy  note\n"
             "                   MACs         pJ\n"
             "-----  ----------------  ---------  --------\n"
             "conv1  9007199254740993        0.3  a|b, \"q\"\n"
             "pr\xc3\xa9                   -  1.000e-03  x\n"},
    {"csv", "layer,total_macs,energy_pj,note\r\n"
            "conv1,9007199254740993,0.3333333333333333,\"a|b, \"\"q\"\"\"\r\n"
            "pr\xc3\xa9,,0.001,x\r\n"},
    {"json", "[\n"
             "  {\n"
             "    \"layer\": \"conv1\",\n"
             "    \"total_macs\": 9007199254740993,\n"
             "    \"energy_pj\": 0.3333333333333333,\n"
             "    \"note\": \"a|b, \\\"q\\\"\"\n"
             "  },\n"
             "  {\n"
             "    \"layer\": \"pr\xc3\xa9\",\n"
             "    \"energy_pj\": 0.001,\n"
             "    \"note\": \"x\"\n"
             "  }\n"
             "]\n"},
    {"markdown", "| layer | work (MACs) | energy (pJ) | note |\n"
                 "|---|---:|---:|---|\n"
                 "| conv1 | 9007199254740993 | 0.3 | a\\|b, \"q\" |\n"
                 "| pr\xc3\xa9 | - | 1.000e-03 | x |\n"},
};

START_TEST(each_form_is_exact)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_writer_ops *w = dscq_writer_find(k_want[_i].writer);
    dscq_table *t = make_table();
    dscq_str s = {0};

    ck_assert_ptr_nonnull(w);
    test_ok(w->write(&s, t, &err));
    ck_assert_str_eq(s.text, k_want[_i].want);
    dscq_str_free(&s);
    dscq_table_destroy(t);
}
END_TEST

START_TEST(every_writer_is_tested_and_explained)
{
    ck_assert_uint_eq(dscq_writer_count(), sizeof k_want / sizeof k_want[0]);
    for (size_t i = 0; i < dscq_writer_count(); i++) {
        ck_assert_ptr_eq(dscq_writer_find(dscq_writer_at(i)->name), dscq_writer_at(i));
        ck_assert_uint_gt(strlen(dscq_writer_at(i)->summary), 0);
    }
    ck_assert_ptr_null(dscq_writer_at(dscq_writer_count()));
    ck_assert_ptr_null(dscq_writer_find("xml"));
}
END_TEST

static dscq_status write_all(void *ctx, dscq_error *err)
{
    dscq_str s = {0};
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; status == DSCQ_OK && i < dscq_writer_count(); i++)
        status = dscq_writer_at(i)->write(&s, ctx, err);
    dscq_str_free(&s);
    return status;
}

START_TEST(no_memory_is_reported)
{
    dscq_table *t = make_table();

    ck_assert_uint_gt(test_each_alloc_fails(write_all, t), 10);
    dscq_table_destroy(t);
}
END_TEST

START_TEST(json_refuses_what_it_cannot_hold)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t = make_table();
    dscq_str s = {0};

    DSCQ_TABLE_ROW(t, dscq_text("bad"), dscq_none(), dscq_real((double)NAN),
                   dscq_none());
    test_fails(dscq_write_json(&s, t, &err), DSCQ_ARG,
               "'energy_pj' is not a number, which JSON cannot hold");
    test_ok(dscq_write_csv(&s, t, &err));
    dscq_str_free(&s);
    dscq_table_destroy(t);
}
END_TEST

START_TEST(a_table_without_rows_shows_its_headings)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("a", "A"),
                                          DSCQ_INT_COLUMN("b", "B"), DSCQ_COLUMN_END};
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t = NULL;
    dscq_str s = {0};

    test_ok(dscq_table_create(&t, "t", columns, &err));
    test_ok(dscq_write_text(&s, t, &err));
    ck_assert_str_eq(s.text, "A  B\n-  -\n");
    dscq_str_free(&s);
    dscq_table_destroy(t);
}
END_TEST

START_TEST(units_come_from_names)
{
    ck_assert_str_eq(dscq_column_unit("energy_pj"), "pJ");
    ck_assert_str_eq(dscq_column_unit("dram_read_bytes"), "bytes");
    ck_assert_str_eq(dscq_column_unit("read_bytes_per_cycle"), "bytes/cycle");
    ck_assert_str_eq(dscq_column_unit("top1_frac"), "fraction");
    ck_assert_str_eq(dscq_column_unit("latency_ms"), "ms");
    ck_assert_str_eq(dscq_column_unit("cycles"), "");
    ck_assert_str_eq(dscq_column_unit("layer"), "");
}
END_TEST

START_TEST(numbers_for_people)
{
    static const struct {
        double v;
        const char *unit, *want;
    } k_si[] = {
        {0.00123, "J", "1.23 mJ"}, {0, "J", "0 J"},         {1500, "Hz", "1.50 kHz"},
        {999.6, "", "1.00 k"},     {12.34, "s", "12.3 s"},  {999.4, "s", "999 s"},
        {-2e-9, "s", "-2.00 ns"},  {1e-15, "J", "0.00 pJ"}, {5e15, "B", "5000 TB"}};
    static const struct {
        double v;
        const char *want;
    } k_bytes[] = {{812, "812 B"},
                   {1023, "1023 B"},
                   {1024, "1.00 KiB"},
                   {123456, "121 KiB"},
                   {3565158, "3.40 MiB"}};
    char text[40];

    for (size_t i = 0; i < sizeof k_si / sizeof k_si[0]; i++) {
        dscq_format_si(text, sizeof text, k_si[i].v, k_si[i].unit);
        ck_assert_str_eq(text, k_si[i].want);
    }
    for (size_t i = 0; i < sizeof k_bytes / sizeof k_bytes[0]; i++) {
        dscq_format_bytes(text, sizeof text, k_bytes[i].v);
        ck_assert_str_eq(text, k_bytes[i].want);
    }
    dscq_format_real(text, sizeof text, 1234567.891, 2);
    ck_assert_str_eq(text, "1234567.89");
    dscq_format_real(text, sizeof text, (double)NAN, 2);
    ck_assert_str_eq(text, "-");
    dscq_format_real(text, sizeof text, 2e15, 2);
    ck_assert_str_eq(text, "2.000e+15");
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("report/writers", &tc);

    tcase_add_loop_test(tc, each_form_is_exact, 0, sizeof k_want / sizeof k_want[0]);
    tcase_add_test(tc, every_writer_is_tested_and_explained);
    tcase_add_test(tc, no_memory_is_reported);
    tcase_add_test(tc, json_refuses_what_it_cannot_hold);
    tcase_add_test(tc, a_table_without_rows_shows_its_headings);
    tcase_add_test(tc, units_come_from_names);
    tcase_add_test(tc, numbers_for_people);
    return s;
}

int main(void)
{
    return test_run(make);
}
