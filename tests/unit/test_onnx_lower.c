/* From a graph to a network: what goes into one layer, what is folded, what is refused.
 */
#include "test_onnx_util.h"

static dscq_model *lowered(test_graph *t)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_onnx *f = test_load(t);
    dscq_model *m = NULL;

    test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
    dscq_onnx_close(f);
    return m;
}

static void conv(test_graph *t, const char *output)
{
    const int64_t dim[] = {2, 1, 1, 1};
    const float w[] = {1, 2};

    dscq_onnx_graph_floats(&t->g, "w", w, 4, dim);
    test_node(t, "Conv", "x w", output);
}

START_TEST(what_follows_a_layer_goes_into_it)
{
    const int64_t dim[] = {1, 2, 1, 1};
    const float scale[] = {3, 4}, shift[] = {5, 6};
    test_graph t;

    test_begin(&t, 1, 2, 2);
    dscq_onnx_graph_floats(&t.g, "scale", scale, 4, dim);
    dscq_onnx_graph_floats(&t.g, "shift", shift, 4, dim);
    conv(&t, "c");
    test_node(&t, "Mul", "c scale", "m");
    test_node(&t, "Add", "m shift", "a");
    test_node(&t, "Relu", "a", "y");
    dscq_model *m = lowered(&t);
    ck_assert_int_eq(dscq_model_nodes(m), 1);
    const dscq_node *n = dscq_model_node(m, 0);
    ck_assert_int_eq(n->act, DSCQ_ACT_RELU);
    ck_assert_double_eq((double)n->weights->w[0], 3);
    ck_assert_double_eq((double)n->weights->w[1], 8);
    ck_assert_double_eq((double)n->weights->bias[0], 5);
    ck_assert_double_eq((double)n->weights->bias[1], 6);
    dscq_model_destroy(m);
}
END_TEST

/* clip(x + 3, 0, 6) / 6 * x, in five nodes. */
START_TEST(an_activation_may_be_several_nodes)
{
    const float three = 3, zero = 0, six = 6;
    test_graph t;

    test_begin(&t, 1, 2, 2);
    dscq_onnx_graph_floats(&t.g, "three", &three, 0, NULL);
    dscq_onnx_graph_floats(&t.g, "zero", &zero, 0, NULL);
    dscq_onnx_graph_floats(&t.g, "six", &six, 0, NULL);
    conv(&t, "c");
    test_node(&t, "Add", "c three", "s");
    test_node(&t, "Clip", "s zero six", "l");
    test_node(&t, "Div", "l six", "g");
    test_node(&t, "Mul", "c g", "y");
    dscq_model *m = lowered(&t);
    ck_assert_int_eq(dscq_model_nodes(m), 1);
    ck_assert_int_eq(dscq_model_node(m, 0)->act, DSCQ_ACT_HARD_SWISH);
    dscq_model_destroy(m);
}
END_TEST

/* A second reader keeps what is in front of it: the layer ends there. */
START_TEST(a_value_that_is_read_twice_stays)
{
    test_graph t;

    test_begin(&t, 1, 2, 2);
    conv(&t, "c");
    test_node(&t, "Relu", "c", "r");
    test_node(&t, "Add", "c r", "y");
    dscq_model *m = lowered(&t);
    ck_assert_int_eq(dscq_model_nodes(m), 3);
    ck_assert_int_eq(dscq_model_node(m, 0)->act, DSCQ_ACT_LINEAR);
    dscq_model_destroy(m);
}
END_TEST

/* Shape -> Gather -> Concat -> Reshape: constants, since the input's shape is known. */
START_TEST(shapes_are_folded)
{
    const int64_t zero = 0, rest = -1;
    test_graph t;

    test_begin(&t, 1, 2, 2);
    test_ints(&t, "zero", &zero, 1);
    test_ints(&t, "rest", &rest, 1);
    conv(&t, "c");
    test_node(&t, "Shape", "c", "shape");
    test_node(&t, "Gather", "shape zero", "batch");
    dscq_onnx_node_int(&t.n, "axis", 0);
    test_node(&t, "Concat", "batch rest", "to");
    test_node(&t, "Reshape", "c to", "y");
    dscq_model *m = lowered(&t);
    ck_assert_int_eq(dscq_model_nodes(m), 1);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(all_that_cannot_be_is_said_at_once)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *refused = NULL;
    dscq_model *m = NULL;
    test_graph t;

    test_begin(&t, 1, 2, 2);
    conv(&t, "c");
    test_node(&t, "Erf", "c", "e");
    test_node(&t, "NoSuchThing", "x", "n");
    test_node(&t, "Add", "e n", "y");
    dscq_onnx *f = test_load(&t);
    ck_assert_int_eq(dscq_onnx_to_model(&m, &refused, f, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_null(m);
    ck_assert_ptr_nonnull(refused);
    ck_assert_uint_eq(dscq_table_rows(refused), 2); /* not what depends on them */
    ck_assert_str_eq(dscq_table_text(refused, 0, 0), "e");
    ck_assert_str_eq(dscq_table_text(refused, 1, 1), "NoSuchThing");
    dscq_table_destroy(refused);
    dscq_onnx_close(f);
}
END_TEST

/* Codes -3 .. 4 with scale 0.5: the grid is kept beside a float network. */
START_TEST(grids_are_kept_beside_the_network)
{
    const int64_t none = 0, lo = -3, hi = 4;
    const float half = 0.5F;
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = NULL;
    int32_t count = 0;
    test_graph t;

    test_begin(&t, 1, 2, 2);
    dscq_onnx_graph_floats(&t.g, "half", &half, 0, NULL);
    dscq_onnx_graph_ints(&t.g, "none", DSCQ_ONNX_INT8, &none, 0, NULL);
    dscq_onnx_graph_ints(&t.g, "lo", DSCQ_ONNX_INT8, &lo, 0, NULL);
    dscq_onnx_graph_ints(&t.g, "hi", DSCQ_ONNX_INT8, &hi, 0, NULL);
    conv(&t, "c");
    test_node(&t, "QuantizeLinear", "c half none", "q");
    test_node(&t, "Clip", "q lo hi", "k");
    test_node(&t, "DequantizeLinear", "k half none", "y");
    dscq_onnx *f = test_load(&t);
    test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
    const dscq_onnx_range *r = dscq_onnx_ranges(f, &count);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(r->node, 0);
    ck_assert_double_eq(r->scale, 0.5);
    ck_assert_int_eq(r->lo, -3);
    ck_assert_int_eq(r->hi, 4);
    dscq_model_destroy(m);
    dscq_onnx_close(f);
}
END_TEST

static dscq_status load(void *ctx, dscq_error *err)
{
    const char *path = ctx;
    dscq_onnx *f = NULL;
    dscq_model *m = NULL;
    dscq_status status = dscq_onnx_load(&f, path, err);

    if (status == DSCQ_OK)
        status = dscq_onnx_to_model(&m, NULL, f, err);
    dscq_model_destroy(m);
    dscq_onnx_close(f);
    return status;
}

START_TEST(want_of_memory_is_told)
{
    test_graph t;

    test_begin(&t, 1, 2, 2);
    conv(&t, "c");
    test_node(&t, "Relu", "c", "y");
    dscq_onnx_close(test_load(&t));
    ck_assert_uint_gt(
        test_each_alloc_fails(load, (void *)(uintptr_t)test_path("t.onnx")), 60);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("onnx/lower", &tc);

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return s;
    tcase_add_test(tc, what_follows_a_layer_goes_into_it);
    tcase_add_test(tc, an_activation_may_be_several_nodes);
    tcase_add_test(tc, a_value_that_is_read_twice_stays);
    tcase_add_test(tc, shapes_are_folded);
    tcase_add_test(tc, all_that_cannot_be_is_said_at_once);
    tcase_add_test(tc, grids_are_kept_beside_the_network);
    tcase_add_test(tc, want_of_memory_is_told);
    return s;
}

int main(void)
{
    return test_run(make);
}
