/* Operators that move elements about, on values that can be followed by hand. */
#include "test_onnx_util.h"

static const int64_t k_dim[] = {1, 1, 2, 3}; /* 0 1 2 / 3 4 5 */

START_TEST(a_transposition_turns_the_map)
{
    const int32_t perm[] = {0, 1, 3, 2};
    test_graph t;

    test_begin(&t, 1, 2, 3);
    dscq_onnx_node_ints(&t.n, "perm", perm, 4);
    test_node(&t, "Transpose", "x", "y");
    test_run_graph(&t, 6, k_dim, (double[]){0, 3, 1, 4, 2, 5}, 6);
}
END_TEST

static const struct {
    int64_t from, to, axis, step;
    size_t count;
    double want[6];
} k_slices[] = {
    {1, 3, 3, 1, 4, {1, 2, 4, 5}},
    {-1, -9, 3, -1, 6, {2, 1, 0, 5, 4, 3}},
    {2, -9, 3, -2, 4, {2, 0, 5, 3}},
    {1, 9, 2, 1, 3, {3, 4, 5}},
    {2, 1, 3, 1, 0, {0}},
};

START_TEST(a_slice_goes_either_way)
{
    test_graph t;

    test_begin(&t, 1, 2, 3);
    test_ints(&t, "from", &k_slices[_i].from, 1);
    test_ints(&t, "to", &k_slices[_i].to, 1);
    test_ints(&t, "axis", &k_slices[_i].axis, 1);
    test_ints(&t, "step", &k_slices[_i].step, 1);
    test_node(&t, "Slice", "x from to axis step", "y");
    test_run_graph(&t, 6, k_dim, k_slices[_i].want, k_slices[_i].count);
}
END_TEST

/* The same axis twice: the last counts, and nothing beyond the tensor is read. */
START_TEST(an_axis_may_stand_twice)
{
    const int64_t from[] = {2, 2}, to[] = {3, 3}, axis[] = {3, 3};
    test_graph t;

    test_begin(&t, 1, 2, 3);
    test_ints(&t, "from", from, 2);
    test_ints(&t, "to", to, 2);
    test_ints(&t, "axis", axis, 2);
    test_node(&t, "Slice", "x from to axis", "y");
    test_run_graph(&t, 6, k_dim, (double[]){2, 5}, 2);
}
END_TEST

START_TEST(parts_are_joined_in_order)
{
    test_graph t;

    test_begin(&t, 1, 2, 3);
    dscq_onnx_node_int(&t.n, "axis", 3);
    dscq_onnx_node_output(&t.n, "a");
    dscq_onnx_node_output(&t.n, "b");
    test_node(&t, "Split", "x", "c");
    dscq_onnx_node_int(&t.n, "axis", 3);
    test_node(&t, "Concat", "c a", "y");
    test_run_graph(&t, 6, k_dim, (double[]){2, 0, 5, 3}, 4);
}
END_TEST

START_TEST(rows_are_gathered_by_index)
{
    const int64_t index[] = {1, -2};
    test_graph t;

    test_begin(&t, 1, 2, 3);
    test_ints(&t, "index", index, 2);
    dscq_onnx_node_int(&t.n, "axis", 2);
    test_node(&t, "Gather", "x index", "y");
    test_run_graph(&t, 6, k_dim, (double[]){3, 4, 5, 0, 1, 2}, 6);
}
END_TEST

START_TEST(tiles_repeat_and_expansion_broadcasts)
{
    const int64_t times[] = {1, 1, 1, 2}, shape[] = {2, 2, 3};
    test_graph t;

    test_begin(&t, 1, 2, 3);
    test_ints(&t, "times", times, 4);
    test_node(&t, "Tile", "x times", "y");
    test_run_graph(&t, 6, k_dim, (double[]){0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}, 12);
    test_begin(&t, 1, 2, 3);
    test_ints(&t, "shape", shape, 3);
    test_node(&t, "Expand", "x shape", "y");
    test_run_graph(&t, 6, k_dim, (double[]){0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}, 12);
}
END_TEST

START_TEST(sums_run_over_the_axes_named)
{
    const int64_t axes[] = {2};
    test_graph t;

    test_begin(&t, 1, 2, 3);
    test_ints(&t, "axes", axes, 1);
    test_node(&t, "ReduceSum", "x axes", "y");
    test_run_graph(&t, 6, k_dim, (double[]){3, 5, 7}, 3);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("onnx/ops", &tc);

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return s;
    tcase_add_test(tc, a_transposition_turns_the_map);
    tcase_add_loop_test(tc, a_slice_goes_either_way, 0,
                        sizeof k_slices / sizeof k_slices[0]);
    tcase_add_test(tc, an_axis_may_stand_twice);
    tcase_add_test(tc, parts_are_joined_in_order);
    tcase_add_test(tc, rows_are_gathered_by_index);
    tcase_add_test(tc, tiles_repeat_and_expansion_broadcasts);
    tcase_add_test(tc, sums_run_over_the_axes_named);
    return s;
}

int main(void)
{
    return test_run(make);
}
