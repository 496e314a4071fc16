#include "dscq/base/keys.h"
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct params {
    int32_t pe_rows, is_fast, mode;
    int64_t bytes;
    double rate, free_real;
    char name[8];
    dscq_list anchors;
} params;

/* clang-format off */
static const dscq_key k_keys[] = {
    DSCQ_KEY_INT_ROW(params, pe_rows, 1, 64, "8", "rows of the array"),
    DSCQ_KEY_I64_ROW(params, bytes, 0, 1e15, "4294967296", "memory"),
    DSCQ_KEY_REAL_ROW(params, rate, 0, 1, "0.1", "learning rate"),
    DSCQ_KEY_REAL_ROW(params, free_real, -DBL_MAX, DBL_MAX, "-1e300", "anything"),
    DSCQ_KEY_BOOL_ROW(params, is_fast, "no", "be fast"),
    DSCQ_KEY_ENUM_ROW(params, mode, "dense|bitmap|gap", "gap", "coding"),
    DSCQ_KEY_STR_ROW(params, name, "net", "a name"),
    DSCQ_KEY_LIST_ROW(params, anchors, 0, 100, "10,13, 16.5", "box sizes"),
    DSCQ_KEY_END};
/* clang-format on */
static const dscq_key k_none[] = {DSCQ_KEY_END};

static params defaults(void)
{
    dscq_error err = {DSCQ_OK, ""};
    params p;

    memset(&p, 0xee, sizeof p);
    test_ok(dscq_keys_defaults(&p, k_keys, &err));
    return p;
}

START_TEST(defaults_are_parsed_like_input)
{
    const params p = defaults();

    ck_assert_int_eq(p.pe_rows, 8);
    ck_assert_int_eq(p.bytes, 4294967296);
    ck_assert_double_eq(p.rate, 0.1);
    ck_assert_double_eq(p.free_real, -1e300);
    ck_assert_int_eq(p.is_fast, 0);
    ck_assert_int_eq(p.mode, 2);
    ck_assert_str_eq(p.name, "net");
    ck_assert_int_eq(p.anchors.count, 3);
    ck_assert_double_eq(p.anchors.v[2], 16.5);
}
END_TEST

static const struct {
    const char *key, *text, *message;
} k_bad[] = {
    {"pe_row", "12", "pe_row = '12': unknown key; did you mean 'pe_rows'?"},
    {"pe_rows", "0", "pe_rows = '0': want a whole number in [1, 64]"},
    {"pe_rows", "65", "pe_rows = '65': want a whole number in [1, 64]"},
    {"pe_rows", "1.5", "pe_rows = '1.5': want a whole number in [1, 64]"},
    {"pe_rows", "8x", "pe_rows = '8x': want a whole number in [1, 64]"},
    {"pe_rows", "0x8", "pe_rows = '0x8': want a whole number in [1, 64]"},
    {"pe_rows", "", "pe_rows = '': want a whole number in [1, 64]"},
    {"rate", "nan", "rate = 'nan': want a number in [0, 1]"},
    {"rate", "inf", "rate = 'inf': want a number in [0, 1]"},
    {"rate", "1,5", "rate = '1,5': want a number in [0, 1]"},
    {"free_real", "1e999", "free_real = '1e999': want a number"},
    {"bytes", "-1", "bytes = '-1': want a whole number in [0, 1e+15]"},
    {"is_fast", "maybe", "is_fast = 'maybe': want 0 or 1 (no, yes)"},
    {"mode", "Gap", "mode = 'Gap': want one of dense|bitmap|gap"},
    {"mode", "", "mode = '': want one of dense|bitmap|gap"},
    {"name", "12345678", "name: 8 characters, at most 7 fit"},
    {"anchors", "1,,2",
     "anchors = '1,,2': want a comma-separated list of numbers in [0, 100]"},
    {"anchors", "1,2,",
     "anchors = '1,2,': want a comma-separated list of numbers in [0, 100]"},
    {"anchors", "1 2",
     "anchors = '1 2': want a comma-separated list of numbers in [0, 100]"},
    {"anchors", "101",
     "anchors = '101': want a comma-separated list of numbers in [0, 100]"},
};

START_TEST(a_bad_value_is_named_and_changes_nothing)
{
    dscq_error err = {DSCQ_OK, ""};
    const params before = defaults();
    params p = before;

    test_fails(dscq_keys_set(&p, k_keys, k_bad[_i].key, k_bad[_i].text, &err),
               DSCQ_FORMAT, k_bad[_i].message);
    ck_assert_mem_eq(&p, &before, sizeof p);
}
END_TEST

START_TEST(a_long_list_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    params p = defaults();
    char text[4 * DSCQ_LIST_MAX + 8] = "1";

    for (int i = 1; i < DSCQ_LIST_MAX; i++)
        strncat(text, ",2", 3);
    test_ok(dscq_keys_set(&p, k_keys, "anchors", text, &err));
    ck_assert_int_eq(p.anchors.count, DSCQ_LIST_MAX);
    strncat(text, ",3", 3);
    test_fails(dscq_keys_set(&p, k_keys, "anchors", text, &err), DSCQ_FORMAT,
               "anchors: more than 96 values");
    test_ok(dscq_keys_set(&p, k_keys, "anchors", " ", &err));
    ck_assert_int_eq(p.anchors.count, 0);
}
END_TEST

START_TEST(one_sided_ranges_are_told)
{
    /* clang-format off */
    static const dscq_key k[] = {
        DSCQ_KEY_REAL_ROW(params, rate, 2, DBL_MAX, NULL, ""),
        DSCQ_KEY_REAL_ROW(params, free_real, -DBL_MAX, 3, NULL, ""), DSCQ_KEY_END};
    /* clang-format on */
    dscq_error err = {DSCQ_OK, ""};
    params p = defaults();

    test_fails(dscq_keys_set(&p, k, "rate", "1", &err), DSCQ_FORMAT,
               "rate = '1': want a number >= 2");
    test_fails(dscq_keys_set(&p, k, "free_real", "4", &err), DSCQ_FORMAT,
               "free_real = '4': want a number <= 3");
    test_fails(dscq_keys_set(&p, k_none, "rate", "1", &err), DSCQ_FORMAT,
               "rate = '1': unknown key (this takes no keys)");
}
END_TEST

START_TEST(what_is_printed_reads_back)
{
    static const struct {
        const char *key, *text, *printed;
    } k_cases[] = {{"pe_rows", " 64", "64"},
                   {"bytes", "1e15", "1000000000000000"},
                   {"rate", "0.30000000000000004", "0.30000000000000004"},
                   {"rate", "5e-324", "5e-324"},
                   {"is_fast", "yes", "1"},
                   {"is_fast", "false", "0"},
                   {"mode", "dense", "dense"},
                   {"name", "a b", "a b"},
                   {"anchors", "1, 2 ,3.25", "1,2,3.25"}};
    dscq_error err = {DSCQ_OK, ""};
    char text[200];

    for (size_t i = 0; i < sizeof k_cases / sizeof k_cases[0]; i++) {
        params p = defaults(), q = defaults();
        const dscq_key *k = dscq_keys_find(k_keys, k_cases[i].key);
        test_ok(dscq_keys_set(&p, k_keys, k->name, k_cases[i].text, &err));
        ck_assert_uint_eq(dscq_keys_print(text, sizeof text, &p, k),
                          strlen(k_cases[i].printed));
        ck_assert_str_eq(text, k_cases[i].printed);
        test_ok(dscq_keys_set(&q, k_keys, k->name, text, &err));
        ck_assert_mem_eq(&p, &q, sizeof p);
        ck_assert_uint_eq(dscq_keys_print(text, 2, &p, k), strlen(k_cases[i].printed));
        ck_assert_uint_le(strlen(text), 1); /* cut, not overrun */
    }
}
END_TEST

START_TEST(choices_are_words_between_bars)
{
    char word[8];

    ck_assert_int_eq(dscq_choice_find("a|bc|d", "bc"), 1);
    ck_assert_int_eq(dscq_choice_find("a|bc|d", "b"), -1);
    ck_assert_int_eq(dscq_choice_find("a|bc|d", "a|bc"), -1);
    dscq_choice_name(word, sizeof word, "a|bc|d", 2);
    ck_assert_str_eq(word, "d");
    dscq_choice_name(word, sizeof word, "a|bc|d", 3);
    ck_assert_str_eq(word, "");
    dscq_choice_name(word, 2, "a|bc|d", 1);
    ck_assert_str_eq(word, "b");
    dscq_choice_name(word, sizeof word, "a|bc|d", -1);
    ck_assert_str_eq(word, "");
}
END_TEST

START_TEST(edit_distance_counts_changes)
{
    ck_assert_uint_eq(dscq_edit_distance("", ""), 0);
    ck_assert_uint_eq(dscq_edit_distance("kitten", "sitting"), 3);
    ck_assert_uint_eq(dscq_edit_distance("abc", ""), 3);
    ck_assert_uint_eq(dscq_edit_distance("pe_row", "pe_rows"), 1);
    ck_assert_str_eq(dscq_keys_nearest(k_keys, "anchor"), "anchors");
    ck_assert_str_eq(dscq_keys_nearest(k_none, "x"), "(this takes no keys)");
}
END_TEST

typedef struct quantities {
    int32_t epochs, fifo_kbit;
    int64_t act_bytes, bytes;
    double clock_mhz, tck_ns, port_bytes_per_s, energy_uj, bytes_per_cycle, share, gain;
    dscq_list steps;
    char path[64];
} quantities;

/* clang-format off */
static const dscq_key k_units[] = {
    DSCQ_KEY_INT_ROW(quantities, epochs, 0, 1000000, "0", ""),
    DSCQ_KEY_INT_ROW(quantities, fifo_kbit, 0, 1000000, "0", ""),
    DSCQ_KEY_I64_ROW(quantities, act_bytes, 0, 1e15, "0", ""),
    DSCQ_KEY_I64_ROW(quantities, bytes, 0, 1e15, "0", ""),
    DSCQ_KEY_REAL_ROW(quantities, clock_mhz, 1, 2000, "1", ""),
    DSCQ_KEY_REAL_ROW(quantities, tck_ns, 0, 100, "0", ""),
    DSCQ_KEY_REAL_ROW(quantities, port_bytes_per_s, 0, 1e15, "0", ""),
    DSCQ_KEY_REAL_ROW(quantities, energy_uj, 0, 1e15, "0", ""),
    DSCQ_KEY_REAL_ROW(quantities, bytes_per_cycle, 0, 1e15, "0", ""),
    DSCQ_KEY_REAL_ROW(quantities, share, 0, 1, "0", ""),
    DSCQ_KEY_REAL_ROW(quantities, gain, 0, 1e6, "0", ""),
    DSCQ_KEY_LIST_ROW(quantities, steps, 0, 1e9, "", ""),
    DSCQ_KEY_STR_ROW(quantities, path, "", ""),
    DSCQ_KEY_END};
/* clang-format on */

static int near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

START_TEST(a_number_may_have_a_scale_and_its_unit)
{
    static const struct {
        const char *key, *text, *plain;
    } k_good[] = {
        {"epochs", "10k", "10000"},
        {"epochs", "1.1k", "1100"},
        {"epochs", "2Ki", "2048"},
        {"fifo_kbit", "36kbit", "36"},
        {"fifo_kbit", "1Mbit", "1000"},
        {"act_bytes", "256KiB", "262144"},
        {"act_bytes", "256Ki", "262144"},
        {"act_bytes", "64kB", "64000"},
        {"act_bytes", "64 KB", "64000"},
        {"act_bytes", "64kb", "64000"},
        {"act_bytes", "1m", "1000000"},
        {"bytes", "3MB", "3000000"},
        {"bytes", "12B", "12"},
        {"clock_mhz", "200MHz", "200"},
        {"clock_mhz", "200mhz", "200"},
        {"clock_mhz", "200M", "200"},
        {"clock_mhz", "0.2 GHz", "200"},
        {"clock_mhz", "250000kHz", "250"},
        {"tck_ns", "833ps", "0.833"},
        {"tck_ns", "1.5ns", "1.5"},
        {"port_bytes_per_s", "4.2GB/s", "4200000000"},
        {"energy_uj", "1.5mJ", "1500"},
        {"bytes_per_cycle", "2k", "2000"},
        {"share", "90%", "0.9"},
        {"share", "12.5 %", "0.125"},
        {"gain", "3k", "3000"},
        {"steps", "4k, 6k,8e3", "4000,6000,8000"},
    };
    dscq_error err = {DSCQ_OK, ""};

    for (size_t i = 0; i < sizeof k_good / sizeof k_good[0]; i++) {
        quantities p = {0}, q = {0};
        const char *name = k_good[i].key;
        test_ok(dscq_keys_set(&p, k_units, name, k_good[i].text, &err));
        test_ok(dscq_keys_set(&q, k_units, name, k_good[i].plain, &err));
        ck_assert_msg(p.epochs == q.epochs && p.fifo_kbit == q.fifo_kbit &&
                          p.act_bytes == q.act_bytes && p.bytes == q.bytes &&
                          near(p.clock_mhz, q.clock_mhz) && near(p.tck_ns, q.tck_ns) &&
                          near(p.port_bytes_per_s, q.port_bytes_per_s) &&
                          near(p.energy_uj, q.energy_uj) && near(p.share, q.share) &&
                          near(p.bytes_per_cycle, q.bytes_per_cycle) &&
                          near(p.gain, q.gain) &&
                          memcmp(&p.steps, &q.steps, sizeof p.steps) == 0,
                      "%s = %s is not %s", name, k_good[i].text, k_good[i].plain);
    }
}
END_TEST

START_TEST(another_unit_is_refused)
{
    static const struct {
        const char *key, *text;
    } k_other[] = {
        {"epochs", "10kB"},         {"epochs", "5m"},      {"epochs", "10%"},
        {"epochs", "1.5Q"},         {"epochs", "0.5k1"},   {"clock_mhz", "200MB"},
        {"clock_mhz", "5ns"},       {"clock_mhz", "3THz"}, {"act_bytes", "64Kbit"},
        {"act_bytes", "0.5B"},      {"tck_ns", "3NS"},     {"tck_ns", "3Hz"},
        {"share", "101%"},          {"gain", "90%"},       {"gain", "1 000"},
        {"bytes_per_cycle", "2kB"}, {"steps", "1k 2k"},    {"act_bytes", "k"},
    };
    dscq_error err = {DSCQ_OK, ""};
    quantities p = {0};

    for (size_t i = 0; i < sizeof k_other / sizeof k_other[0]; i++)
        ck_assert_msg(dscq_keys_set(&p, k_units, k_other[i].key, k_other[i].text,
                                    &err) == DSCQ_FORMAT,
                      "%s = %s was taken", k_other[i].key, k_other[i].text);
    test_fails(dscq_keys_set(&p, k_units, "clock_mhz", "200 MB", &err), DSCQ_FORMAT,
               "clock_mhz = '200 MB': want a number in [1, 2000], or with its unit: "
               "200MHz");
}
END_TEST

START_TEST(a_tilde_is_the_home_folder)
{
    dscq_error err = {DSCQ_OK, ""};
    quantities p = {0};
    char home[80];

    ck_assert_int_eq(setenv("HOME", "/home/somebody", 1), 0);
    test_ok(dscq_keys_set(&p, k_units, "path", "~/pics", &err));
    ck_assert_str_eq(p.path, "/home/somebody/pics");
    test_ok(dscq_keys_set(&p, k_units, "path", "~", &err));
    ck_assert_str_eq(p.path, "/home/somebody");
    test_ok(dscq_keys_set(&p, k_units, "path", "~other/pics", &err));
    ck_assert_str_eq(p.path, "~other/pics");
    test_ok(dscq_keys_set(&p, k_units, "path", "a~/b", &err));
    ck_assert_str_eq(p.path, "a~/b");
    memset(home, 'h', sizeof home - 1);
    home[sizeof home - 1] = '\0';
    ck_assert_int_eq(setenv("HOME", home, 1), 0);
    test_fails(dscq_keys_set(&p, k_units, "path", "~/x", &err), DSCQ_FORMAT,
               "path: 81 characters, at most 63 fit");
    ck_assert_int_eq(unsetenv("HOME"), 0);
    test_ok(dscq_keys_set(&p, k_units, "path", "~/pics", &err));
    ck_assert_str_eq(p.path, "~/pics");
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/keys", &tc);

    tcase_add_test(tc, defaults_are_parsed_like_input);
    tcase_add_loop_test(tc, a_bad_value_is_named_and_changes_nothing, 0,
                        sizeof k_bad / sizeof k_bad[0]);
    tcase_add_test(tc, a_long_list_is_refused);
    tcase_add_test(tc, one_sided_ranges_are_told);
    tcase_add_test(tc, what_is_printed_reads_back);
    tcase_add_test(tc, a_number_may_have_a_scale_and_its_unit);
    tcase_add_test(tc, another_unit_is_refused);
    tcase_add_test(tc, a_tilde_is_the_home_folder);
    tcase_add_test(tc, choices_are_words_between_bars);
    tcase_add_test(tc, edit_distance_counts_changes);
    return s;
}

int main(void)
{
    return test_run(make);
}
