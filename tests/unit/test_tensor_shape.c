#include "dscq/tensor/shape.h"
#include "support.h"

#include <math.h>

START_TEST(count_is_the_product_or_zero)
{
    const dscq_shape good = {2, 3, 5, 7}, none = {2, 0, 5, 7}, minus = {2, -3, -5, 7};
    const dscq_shape limit = {1, 1 << 20, 1 << 20, 1}, over = {2, 1 << 20, 1 << 20, 1};
    const dscq_shape wrap = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};

    ck_assert_uint_eq(dscq_shape_count(&good), 210);
    ck_assert_uint_eq(dscq_shape_count(&none), 0);
    ck_assert_uint_eq(dscq_shape_count(&minus), 0);
    ck_assert_uint_eq(dscq_shape_count(&limit), (size_t)1 << 40);
    ck_assert_uint_eq(dscq_shape_count(&over), 0);
    ck_assert_uint_eq(dscq_shape_count(&wrap), 0);
}
END_TEST

START_TEST(shapes_compare_with_and_without_batch)
{
    const dscq_shape a = {2, 3, 5, 7}, b = {1, 3, 5, 7}, c = {2, 3, 5, 8};

    ck_assert(dscq_shape_equal(&a, &a));
    ck_assert(!dscq_shape_equal(&a, &b));
    ck_assert(dscq_shape_same_map(&a, &b));
    ck_assert(!dscq_shape_same_map(&a, &c));
}
END_TEST

START_TEST(text_is_rows_columns_channels_and_fits)
{
    const dscq_shape s = {9, 32, 16, 3};
    char text[32], small[5];

    dscq_shape_text(text, sizeof text, &s);
    ck_assert_str_eq(text, "32x16x3");
    dscq_shape_text(small, sizeof small, &s);
    ck_assert_str_eq(small, "32x1");
}
END_TEST

START_TEST(window_output_sizes_match_hand_worked_cases)
{
    ck_assert_int_eq(dscq_window_out(32, 3, 1, 1, 1, 1), 32);
    ck_assert_int_eq(dscq_window_out(32, 3, 2, 0, 1, 1), 16);
    ck_assert_int_eq(dscq_window_out(224, 11, 4, 2, 2, 1), 55);
    ck_assert_int_eq(dscq_window_out(7, 3, 1, 0, 0, 2), 3);
    ck_assert_int_eq(dscq_window_out(2, 3, 1, 0, 0, 1), 0);
    ck_assert_int_eq(dscq_window_out(5, 3, 0, 0, 0, 1), 0);
    ck_assert_int_eq(dscq_window_out(5, 3, 1, -1, 0, 1), 0);
    ck_assert_int_eq(dscq_window_out(INT32_MAX, 1, 1, INT32_MAX, INT32_MAX, 1), 0);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_shape", &tc);

    tcase_add_test(tc, count_is_the_product_or_zero);
    tcase_add_test(tc, shapes_compare_with_and_without_batch);
    tcase_add_test(tc, text_is_rows_columns_channels_and_fits);
    tcase_add_test(tc, window_output_sizes_match_hand_worked_cases);
    return s;
}

int main(void)
{
    return test_run(make);
}
