/* Activations: known points of each, and what their rows say against their functions.
 * That the kernels compute the same: test_tensor_rows; the integer form: test_tables.
 */
#include "dscq/tensor/act.h"
#include "support.h"

#include <math.h>

/* Worked by hand, or with a calculator's functions; every activation has a point. */
typedef struct point {
    const char *act;
    double slope, x, value, derivative;
} point;

static const point k_points[] = {
    {"linear", 0, -1.5, -1.5, 1},
    {"relu", 0, 2, 2, 1},
    {"relu", 0, -2, 0, 0},
    {"relu6", 0, 7, 6, 0},
    {"relu6", 0, 5, 5, 1},
    {"leaky", 0.1, -2, -0.2, 0.1},
    {"logistic", 0, 1, 0.731058578630, 0.196611933241},
    {"tanh", 0, 1, 0.761594155956, 0.419974341614},
    {"swish", 0, 1, 0.731058578630, 0.927670511871},
    {"hard_swish", 0, -3.5, 0, 0},
    {"hard_swish", 0, 1, 0.666666666667, 0.833333333333},
    {"hard_swish", 0, 4, 4, 1},
    {"hard_sigmoid", 0, 0, 0.5, 0.166666666667},
    {"hard_sigmoid", 0, 3.5, 1, 0},
    {"elu", 2, -1, -1.264241117657, 0.735758882343},
    {"mish", 0, 1, 0.865098388267, 1.049036220100},
};

enum { POINTS = sizeof k_points / sizeof *k_points };

START_TEST(names_round_trip)
{
    for (int i = 0; i < DSCQ_ACT_COUNT; i++)
        ck_assert_int_eq(dscq_act_find(dscq_act_name((dscq_act)i)), i);
    ck_assert_int_eq(dscq_act_find("reloo"), -1);
    ck_assert_str_eq(dscq_act_name(DSCQ_ACT_COUNT), "?");
}
END_TEST

START_TEST(every_activation_has_a_known_point)
{
    int points = 0;

    for (int i = 0; i < POINTS; i++)
        points += dscq_act_find(k_points[i].act) == _i;
    ck_assert_msg(points > 0, "%s: no point", dscq_act_name((dscq_act)_i));
}
END_TEST

START_TEST(values_and_derivatives_match_known_points)
{
    const point *p = &k_points[_i];
    const int act = dscq_act_find(p->act);

    ck_assert_msg(act >= 0, "%s: no such activation", p->act);
    ck_assert_double_eq_tol(dscq_act_value((dscq_act)act, p->slope, p->x), p->value,
                            1e-11);
    ck_assert_double_eq_tol(dscq_act_slope((dscq_act)act, p->slope, p->x),
                            p->derivative, 1e-11);
}
END_TEST

/* The kinks (-3, 0, 3, 6) are avoided; _i is the activation. */
START_TEST(slope_is_the_difference_quotient)
{
    const double h = 1e-6;

    for (double x = -8.05; x < 8; x += 0.1) {
        double up = dscq_act_value((dscq_act)_i, 0.3, x + h);
        double down = dscq_act_value((dscq_act)_i, 0.3, x - h);

        ck_assert_double_eq_tol(dscq_act_slope((dscq_act)_i, 0.3, x),
                                (up - down) / (2 * h), 1e-8);
    }
}
END_TEST

START_TEST(values_stay_in_the_declared_range_and_reach_its_ends)
{
    const dscq_act_row *row = dscq_act_at((dscq_act)_i);
    double least = HUGE_VAL, most = -HUGE_VAL;

    for (double x = -40; x < 40; x += 0.001) {
        double y = dscq_act_value((dscq_act)_i, 0.3, x);

        least = fmin(least, y);
        most = fmax(most, y);
        ck_assert(y >= row->lo && y <= row->hi);
    }
    ck_assert(isinf(row->lo) || least < row->lo + 1e-6);
    ck_assert(isinf(row->hi) || most > row->hi - 1e-6);
}
END_TEST

START_TEST(the_kind_says_what_the_function_is)
{
    const dscq_act act = (dscq_act)_i;
    const dscq_act_row *row = dscq_act_at(act);
    int is_clamp = 1, is_leak = 1, is_sloped = 0;

    for (double x = -40; x < 40; x += 0.1) {
        const double y = dscq_act_value(act, 0.3, x);

        is_clamp &= y == fmin(fmax(x, row->lo), row->hi);
        is_leak &= y == (x < 0 ? 0.3 * x : x);
        is_sloped |= y != dscq_act_value(act, 0.7, x);
    }
    ck_assert_int_eq(is_clamp, row->kind == DSCQ_ACT_CLAMP);
    ck_assert_int_eq(is_leak, row->kind == DSCQ_ACT_LEAK);
    ck_assert_int_eq(is_sloped, row->is_sloped);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_act", &tc);

    tcase_add_test(tc, names_round_trip);
    tcase_add_loop_test(tc, every_activation_has_a_known_point, 0, DSCQ_ACT_COUNT);
    tcase_add_loop_test(tc, values_and_derivatives_match_known_points, 0, POINTS);
    tcase_add_loop_test(tc, slope_is_the_difference_quotient, 0, DSCQ_ACT_COUNT);
    tcase_add_loop_test(tc, values_stay_in_the_declared_range_and_reach_its_ends, 0,
                        DSCQ_ACT_COUNT);
    tcase_add_loop_test(tc, the_kind_says_what_the_function_is, 0, DSCQ_ACT_COUNT);
    return s;
}

int main(void)
{
    return test_run(make);
}
