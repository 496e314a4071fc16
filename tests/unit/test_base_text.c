#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_text_grows)
{
    dscq_str s = {0};
    char want[5012];

    for (int i = 0; i < 1000; i++) {
        dscq_str_addf(&s, "%05d", i);
        (void)snprintf(want + (size_t)5 * (unsigned)i, 12, "%05d", i);
    }
    ck_assert_str_eq(s.text, want);
    ck_assert_uint_eq(s.len, 5000);
    dscq_str_add(&s, "");
    dscq_str_add_bytes(&s, "xyz", 2);
    ck_assert_str_eq(s.text + 5000, "xy");
    ck_assert_int_eq(s.bad, 0);
    dscq_str_free(&s);
    ck_assert_ptr_null(s.text);
}
END_TEST

START_TEST(a_text_without_memory_stays_as_it_was)
{
    dscq_str s = {0};

    dscq_str_add(&s, "kept");
    (void)dscq_alloc_fail_at(1);
    for (int i = 0; i < 100; i++)
        dscq_str_addf(&s, "%d", i);
    (void)dscq_alloc_fail_at(0);
    ck_assert_int_eq(s.bad, 1);
    ck_assert_mem_eq(s.text, "kept", 4);
    const size_t len = s.len;
    dscq_str_add(&s, "more");
    ck_assert_uint_eq(s.len, len);
    dscq_str_free(&s);
}
END_TEST

START_TEST(a_copy_is_cut_and_terminated)
{
    char t[4];

    ck_assert_int_eq(dscq_str_copy(t, sizeof t, "abc"), 1);
    ck_assert_str_eq(t, "abc");
    ck_assert_int_eq(dscq_str_copy(t, sizeof t, "abcd"), 0);
    ck_assert_str_eq(t, "abc");
    ck_assert_int_eq(dscq_str_copy(t, 0, "a"), 0);
}
END_TEST

START_TEST(reals_are_short_and_exact)
{
    static const struct {
        double v;
        const char *text;
    } k_cases[] = {{0, "0"},
                   {-0.0, "-0"},
                   {0.1, "0.1"},
                   {1e6, "1000000"},
                   {1e22, "1e+22"},
                   {0.1 + 0.2, "0.30000000000000004"},
                   {1.0 / 3, "0.3333333333333333"},
                   {5e-324, "5e-324"},
                   {1.7976931348623157e308, "1.7976931348623157e+308"},
                   {(double)INFINITY, "inf"},
                   {(double)-INFINITY, "-inf"},
                   {(double)NAN, "nan"}};
    dscq_rng r = dscq_rng_seeded(1);
    char text[40];

    for (size_t i = 0; i < sizeof k_cases / sizeof k_cases[0]; i++) {
        dscq_str_real(text, sizeof text, k_cases[i].v);
        ck_assert_str_eq(text, k_cases[i].text);
    }
    for (int i = 0; i < 20000; i++) {
        const uint64_t bits = dscq_rng_next(&r);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        dscq_str_real(text, sizeof text, v);
        ck_assert_double_eq(strtod(text, NULL), v);
    }
}
END_TEST

START_TEST(patterns_match)
{
    static const struct {
        const char *pattern, *text;
        int match;
    } k_cases[] = {{"conv*_dw", "conv3_dw", 1},
                   {"conv*_dw", "conv3_pw", 0},
                   {"*", "", 1},
                   {"", "", 1},
                   {"", "a", 0},
                   {"?", "", 0},
                   {"a?c", "abc", 1},
                   {"*a*b*", "xxaxxbxx", 1},
                   {"*a*b*", "xxbxxaxx", 0},
                   {"a**b", "ab", 1},
                   {"*.weight", "fc.weights", 0}};
    char text[2001], pattern[201];

    for (size_t i = 0; i < sizeof k_cases / sizeof k_cases[0]; i++)
        ck_assert_msg(dscq_glob_match(k_cases[i].pattern, k_cases[i].text) ==
                          k_cases[i].match,
                      "%s on %s", k_cases[i].pattern, k_cases[i].text);
    memset(text, 'a', 2000);
    text[2000] = '\0';
    for (int i = 0; i < 100; i++)
        memcpy(pattern + (size_t)2 * (unsigned)i, "*a", 3);
    pattern[199] = 'b'; /* exponential for a careless matcher */
    ck_assert_int_eq(dscq_glob_match(pattern, text), 0);
    ck_assert_int_eq(dscq_glob_match_any("fc*, conv?", "conv2"), 1);
    ck_assert_int_eq(dscq_glob_match_any("fc*, conv?", "conv22"), 0);
    ck_assert_int_eq(dscq_glob_match_any("", "x"), 0);
}
END_TEST

START_TEST(durations_are_seconds)
{
    dscq_error err = {DSCQ_OK, ""};
    double v = 0;

    test_ok(dscq_parse_duration(&v, "90", &err));
    ck_assert_double_eq(v, 90);
    test_ok(dscq_parse_duration(&v, "1.5s", &err));
    ck_assert_double_eq(v, 1.5);
    test_ok(dscq_parse_duration(&v, "30m", &err));
    ck_assert_double_eq(v, 1800);
    test_ok(dscq_parse_duration(&v, "2h", &err));
    ck_assert_double_eq(v, 7200);
    test_ok(dscq_parse_duration(&v, "30min", &err));
    ck_assert_double_eq(v, 1800);
    test_ok(dscq_parse_duration(&v, "1.5 hours", &err));
    ck_assert_double_eq(v, 5400);
    test_ok(dscq_parse_duration(&v, "1h 30m5s", &err));
    ck_assert_double_eq(v, 5405);
    test_fails(dscq_parse_duration(&v, "-1", &err), DSCQ_ARG,
               "'-1': want a time such as 90, 90s, 30m, 30min, 2h or 1h30m");
    static const char *const k_bad[] = {
        "3 weeks", "",     "h",    "1h30", "30 m in", "5mins3", "secondsecondsecond",
        "1e999s",  "0x10", "1h-5m"};
    for (size_t i = 0; i < sizeof k_bad / sizeof *k_bad; i++)
        ck_assert_msg(dscq_parse_duration(&v, k_bad[i], &err) == DSCQ_ARG,
                      "'%s' was taken", k_bad[i]);
}
END_TEST

START_TEST(hashes_agree_with_their_standards)
{
    char hex[65], *million = malloc(1000000);
    dscq_sha256 s;

    ck_assert_uint_eq(dscq_crc32(0, "123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(dscq_crc32(dscq_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
    ck_assert_uint_eq(dscq_crc32(0, "", 0), 0);
    ck_assert_uint_eq(dscq_fnv64(0, "", 0), 0xcbf29ce484222325);
    ck_assert_uint_eq(dscq_fnv64(0, "foobar", 6), 0x85944171f73967e8);
    dscq_sha256_hex(hex, "", 0);
    ck_assert_str_eq(
        hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    dscq_sha256_hex(hex, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                    56);
    ck_assert_str_eq(
        hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    ck_assert_ptr_nonnull(million);
    memset(million, 'a', 1000000);
    dscq_sha256_init(&s);
    for (size_t i = 0; i < 1000000; i += 1 + i % 997) {
        const size_t n = 1 + i % 997;
        dscq_sha256_add(&s, million, i + n <= 1000000 ? n : 1000000 - i);
    }
    dscq_sha256_end(hex, &s);
    ck_assert_str_eq(
        hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}
END_TEST

START_TEST(a_file_has_a_digest)
{
    dscq_error err = {DSCQ_OK, ""};
    char hex[65];

    test_ok(dscq_sha256_file(hex, test_file("abc", "abc"), &err));
    ck_assert_str_eq(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    test_fails(dscq_sha256_file(hex, "/nonexistent", &err), DSCQ_IO,
               "/nonexistent: cannot open: No such file or directory");
    ck_assert_int_eq(dscq_sha256_file(hex, test_path(""), &err), DSCQ_IO);
}
END_TEST

START_TEST(the_generator_is_splitmix64)
{
    dscq_rng r = dscq_rng_seeded(1234567);

    /* First outputs of the reference implementation for this seed. */
    ck_assert_uint_eq(dscq_rng_next(&r), 6457827717110365317U);
    ck_assert_uint_eq(dscq_rng_next(&r), 3203168211198807973U);
    ck_assert_uint_eq(dscq_rng_next(&r), 9817491932198370423U);
}
END_TEST

START_TEST(forks_do_not_touch_their_parent)
{
    dscq_rng parent = dscq_rng_seeded(7), a, b;
    const uint64_t before = parent.state;

    a = dscq_rng_fork(&parent, "dropout", 0);
    b = dscq_rng_fork(&parent, "dropout", 1);
    ck_assert_uint_ne(a.state, b.state);
    b = dscq_rng_fork(&parent, "dropouts", 0);
    ck_assert_uint_ne(a.state, b.state);
    b = dscq_rng_fork(&parent, "dropout", 0);
    ck_assert_uint_eq(a.state, b.state);
    ck_assert_uint_eq(parent.state, before);
}
END_TEST

START_TEST(draws_have_the_right_moments)
{
    enum { N = 200000 };
    dscq_rng r = dscq_rng_seeded(42);
    double sum = 0, square = 0, unit = 0;
    int face[6] = {0};

    for (int i = 0; i < N; i++) {
        const double x = (double)dscq_rng_normal(&r);
        sum += x;
        square += x * x;
        const float u = dscq_rng_unit(&r);
        const double v = dscq_rng_unit64(&r);
        ck_assert(u >= 0 && u < 1 && v >= 0 && v < 1);
        unit += (double)u + v;
        face[dscq_rng_below(&r, 6)]++;
        const float w = dscq_rng_between(&r, -2, 3);
        ck_assert(w >= -2 && w < 3);
    }
    ck_assert_double_eq_tol(sum / N, 0, 0.01);
    ck_assert_double_eq_tol(square / N, 1, 0.015);
    ck_assert_double_eq_tol(unit / (2 * N), 0.5, 0.005);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol(face[i] / (double)N, 1.0 / 6, 0.005);
    ck_assert_uint_eq(dscq_rng_below(&r, 1), 0);
}
END_TEST

START_TEST(a_shuffle_keeps_every_index)
{
    dscq_rng r = dscq_rng_seeded(3);
    uint32_t index[100], seen[100] = {0};
    int moved = 0;

    for (uint32_t i = 0; i < 100; i++)
        index[i] = i;
    dscq_rng_shuffle(&r, index, 100);
    for (uint32_t i = 0; i < 100; i++) {
        seen[index[i]]++;
        moved += index[i] != i;
    }
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(seen[i], 1);
    ck_assert_int_gt(moved, 80);
    dscq_rng_shuffle(&r, NULL, 0);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/str, base/hash, base/rng", &tc);

    tcase_add_test(tc, a_text_grows);
    tcase_add_test(tc, a_text_without_memory_stays_as_it_was);
    tcase_add_test(tc, a_copy_is_cut_and_terminated);
    tcase_add_test(tc, reals_are_short_and_exact);
    tcase_add_test(tc, patterns_match);
    tcase_add_test(tc, durations_are_seconds);
    tcase_add_test(tc, hashes_agree_with_their_standards);
    tcase_add_test(tc, a_file_has_a_digest);
    tcase_add_test(tc, the_generator_is_splitmix64);
    tcase_add_test(tc, forks_do_not_touch_their_parent);
    tcase_add_test(tc, draws_have_the_right_moments);
    tcase_add_test(tc, a_shuffle_keeps_every_index);
    return s;
}

int main(void)
{
    return test_run(make);
}
