/* Accuracy, intervals and tests against published or hand-worked figures. */
#include "dscq/nn/eval.h"
#include "support.h"

#include <math.h>
#include <string.h>

START_TEST(counts_are_those_of_a_hand_worked_example)
{
    dscq_eval *e = NULL;
    dscq_table *t = NULL;
    dscq_error err = {0};
    const float logits[] = {
        3, 1, 0, 0, 0, 0, 0, /* 0: right                            */
        1, 1, 0, 0, 0, 0, 0, /* tie of 0 and 1: says 0; truth 1      */
        7, 6, 5, 4, 3, 2, 1, /* truth 5 is sixth                     */
        7, 6, 5, 4, 3, 2, 1, /* truth 4 is fifth                     */
        0, 0, 9, 0, 0, 0, 0, /* unlabelled                           */
    };
    const int32_t label[] = {0, 1, 5, 4, -1};
    int32_t classes;
    size_t n;

    ck_assert_int_eq(dscq_eval_create(&e, 7, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_eval_add(e, logits, label, 3, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_eval_add(e, logits + 21, label + 3, 2, &err), DSCQ_OK);
    ck_assert_uint_eq(dscq_eval_count(e), 4);
    ck_assert_uint_eq(dscq_eval_top1(e), 1);
    ck_assert_uint_eq(dscq_eval_top5(e), 3);
    ck_assert_double_eq_tol(dscq_eval_top1_frac(e), 0.25, 1e-12);
    const uint64_t *c = dscq_eval_confusion(e, &classes);
    ck_assert_uint_eq(c[1 * 7 + 0], 1);
    ck_assert_uint_eq(c[5 * 7 + 0], 1);
    ck_assert_uint_eq(c[2 * 7 + 2], 0);
    const int32_t *p = dscq_eval_predictions(e, &n);
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(p[4], 2);
    double loss = log(exp(3) + exp(1) + 5) - 3 + log(2 * exp(1) + 5) - 1;
    double all = 0;
    for (int i = 1; i <= 7; i++)
        all += exp(i);
    loss += log(all) - 2 + log(all) - 3;
    ck_assert_double_eq_tol(dscq_eval_loss(e), loss / 4, 1e-6);
    ck_assert_int_eq(dscq_eval_per_class(&t, e, NULL, &err), DSCQ_OK);
    ck_assert_uint_eq(dscq_table_rows(t), 7);
    const size_t precision = (size_t)dscq_table_find(t, "precision_frac");
    ck_assert_double_eq_tol(dscq_table_real(t, 0, precision), 0.25, 1e-12);
    dscq_table_destroy(t);
    ck_assert_int_eq(dscq_eval_confusion_table(&t, e, NULL, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_table_int(t, 5, (size_t)dscq_table_find(t, "predicted_0")),
                     1);
    dscq_table_destroy(t);
    const int32_t bad = 7;
    ck_assert_int_eq(dscq_eval_add(e, logits, &bad, 1, &err), DSCQ_FORMAT);
    dscq_eval_destroy(e);
    ck_assert_int_eq(dscq_eval_create(&e, 0, &err), DSCQ_ARG);
}
END_TEST

/* 81 of 263: Newcombe 1998, table I, method 3: 0.2553 to 0.3662. */
START_TEST(wilson_interval_is_newcombes)
{
    double lo, hi;

    dscq_wilson(81, 263, 1.959964, &lo, &hi);
    ck_assert_double_eq_tol(lo, 0.2553, 5e-5);
    ck_assert_double_eq_tol(hi, 0.3662, 5e-5);
    dscq_wilson(0, 20, 1.959964, &lo, &hi);
    ck_assert_double_eq_tol(lo, 0, 1e-12);
    ck_assert_double_eq_tol(hi, 0.1611, 5e-5);
    dscq_wilson(0, 0, 1.96, &lo, &hi);
    ck_assert(lo == 0 && hi == 1);
}
END_TEST

/* a is right on the first n_a, b on all but the first n_b, both on the rest. */
static dscq_mcnemar compare(int only_a, int only_b, int both)
{
    int32_t a[512], b[512], label[512];
    const int n = only_a + only_b + both;

    for (int i = 0; i < n; i++) {
        label[i] = 3;
        a[i] = i < only_a || i >= only_a + only_b ? 3 : 1;
        b[i] = i >= only_a ? 3 : 2;
    }
    label[n] = -1;
    a[n] = 0;
    b[n] = 1;
    return dscq_mcnemar_test(a, b, label, (size_t)n + 1);
}

START_TEST(mcnemar_exact_and_chi_square)
{
    dscq_mcnemar m = compare(1, 9, 30);

    /* 2 * (C(10,0) + C(10,1)) / 1024 */
    ck_assert_int_eq(m.exact, 1);
    ck_assert_double_eq_tol(m.p, 22.0 / 1024, 1e-12);
    ck_assert_uint_eq(m.both, 30);
    m = compare(5, 5, 0);
    ck_assert_double_eq_tol(m.p, 1, 1e-12);
    m = compare(0, 0, 4);
    ck_assert_double_eq_tol(m.p, 1, 1e-12);
    m = compare(20, 40, 10); /* (|20-40| - 1)^2 / 60 = 6.0167 -> p = 0.01417 */
    ck_assert_int_eq(m.exact, 0);
    ck_assert_double_eq_tol(m.statistic, 361.0 / 60, 1e-12);
    ck_assert_double_eq_tol(m.p, 0.014171, 2e-5);
}
END_TEST

START_TEST(paired_change_has_a_width_even_when_nothing_changed)
{
    dscq_paired c = dscq_paired_change(30, 10, 1000);

    ck_assert_double_eq_tol(c.change, -0.02, 1e-12);
    ck_assert_double_eq_tol(c.high - c.change, 1.96 * sqrt(40.6) / 1000, 1e-12);
    ck_assert_double_eq_tol(c.change - c.low, 1.96 * sqrt(40.6) / 1000, 1e-12);
    c = dscq_paired_change(0, 0, 100);
    ck_assert_double_eq_tol(c.low, -0.0196, 1e-12);
    ck_assert_double_eq_tol(c.high, 0.0196, 1e-12);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("nn_eval", &tc);

    tcase_add_test(tc, counts_are_those_of_a_hand_worked_example);
    tcase_add_test(tc, wilson_interval_is_newcombes);
    tcase_add_test(tc, mcnemar_exact_and_chi_square);
    tcase_add_test(tc, paired_change_has_a_width_even_when_nothing_changed);
    return s;
}

int main(void)
{
    return test_run(make);
}
