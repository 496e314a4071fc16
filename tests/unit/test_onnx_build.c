/* What is put together is read back as it was meant; want of memory and of room on disk
 * are told. */
#include "test_onnx_util.h"

/* Every kind of attribute and initialiser is in the graph that is run: an LRN (whole
 * and real numbers), a nearest Resize (text, an input left out), a pool (lists). */
static void fill(test_graph *t)
{
    const float scales[] = {1, 1, 2, 2};
    const int32_t two[] = {2, 2};
    const float one = 1;

    test_begin(t, 1, 2, 2);
    test_floats(t, "scales", scales, 4);
    dscq_onnx_graph_floats(&t->g, "one", &one, 0, NULL);
    dscq_onnx_node_int(&t->n, "size", 1);
    dscq_onnx_node_real(&t->n, "alpha", 0);
    dscq_onnx_node_real(&t->n, "bias", 4);
    dscq_onnx_node_real(&t->n, "beta", 0.5);
    test_node(t, "LRN", "x", "half");
    dscq_onnx_node_input(&t->n, "half");
    dscq_onnx_node_input(&t->n, "");
    dscq_onnx_node_text(&t->n, "mode", "nearest");
    dscq_onnx_node_text(&t->n, "coordinate_transformation_mode", "asymmetric");
    dscq_onnx_node_text(&t->n, "nearest_mode", "floor");
    test_node(t, "Resize", "scales", "large");
    dscq_onnx_node_ints(&t->n, "kernel_shape", two, 2);
    dscq_onnx_node_ints(&t->n, "strides", two, 2);
    test_node(t, "MaxPool", "large", "pooled");
    test_node(t, "Add", "pooled one", "y");
}

START_TEST(attributes_and_constants_come_back)
{
    const int64_t dim[] = {1, 1, 2, 2};
    test_graph t;

    fill(&t);
    test_run_graph(&t, 4, dim, (double[]){1, 1.5, 2, 2.5}, 4);
}
END_TEST

START_TEST(whole_numbers_of_every_width_come_back)
{
    static const dscq_onnx_type k_type[] = {DSCQ_ONNX_INT8, DSCQ_ONNX_UINT8,
                                            DSCQ_ONNX_INT32, DSCQ_ONNX_INT64};
    static const int64_t k_v[][2] = {
        {-128, 127}, {0, 255}, {INT32_MIN, INT32_MAX}, {-5000000000, 5000000000}};
    const int64_t dim[] = {1, 1, 1, 1}, n = 2;
    const double want[] = {(double)(float)k_v[_i][0], (double)(float)k_v[_i][1]};
    test_graph t;

    test_begin(&t, 1, 1, 1);
    dscq_onnx_graph_ints(&t.g, "c", k_type[_i], k_v[_i], 1, &n);
    dscq_onnx_node_int(&t.n, "to", DSCQ_ONNX_FLOAT);
    test_node(&t, "Cast", "c", "real");
    test_node(&t, "Add", "x real", "y");
    test_run_graph(&t, 1, dim, want, 2);
}
END_TEST

static dscq_status write_it(void *ctx, dscq_error *err)
{
    test_graph t;

    (void)ctx;
    fill(&t);
    dscq_onnx_graph_output(&t.g, "y", (dscq_shape){1, 2, 2, 1});
    return dscq_onnx_graph_write(&t.g, "t", test_path("full.onnx"), err);
}

START_TEST(want_of_memory_and_of_room_are_told)
{
    ck_assert_uint_gt(test_each_alloc_fails(write_it, NULL), 60);
    ck_assert_uint_gt(test_each_write_fails(write_it, NULL), 0);
}
END_TEST

START_TEST(what_is_not_written_is_freed)
{
    test_graph t;

    fill(&t);
    dscq_onnx_node_input(&t.n, "begun");
    dscq_onnx_node_free(&t.n);
    dscq_onnx_graph_free(&t.g);
    dscq_onnx_graph_free(&t.g);
}
END_TEST

/* In a build with DSCQ_WITH_ONNX=OFF. */
START_TEST(writing_is_refused_by_name)
{
    dscq_error err = {DSCQ_OK, ""};

    ck_assert_int_eq(write_it(NULL, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.msg, "does not write ONNX"));
    ck_assert_ptr_nonnull(strstr(err.msg, "DSCQ_WITH_ONNX=ON"));
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("onnx/build", &tc);

    if (!dscq_onnx_available()) {
        tcase_add_test(tc, writing_is_refused_by_name);
        return s;
    }
    tcase_add_test(tc, attributes_and_constants_come_back);
    tcase_add_loop_test(tc, whole_numbers_of_every_width_come_back, 0, 4);
    tcase_add_test(tc, want_of_memory_and_of_room_are_told);
    tcase_add_test(tc, what_is_not_written_is_freed);
    return s;
}

int main(void)
{
    return test_run(make);
}
