/* Graphs that a reader must not take: each refused in words that name the place. */
#include "dscq/base/alloc.h"
#include "test_onnx_util.h"

static void refused(test_graph *t, dscq_status want, const char *words)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_onnx *f = NULL;
    const char *path = test_path("bad.onnx");

    dscq_onnx_graph_output(&t->g, "y", (dscq_shape){1, 1, 1, 1});
    test_ok(dscq_onnx_graph_write(&t->g, "t", path, &err));
    ck_assert_int_eq(dscq_onnx_load(&f, path, &err), want);
    ck_assert_ptr_null(f);
    ck_assert_msg(strstr(err.msg, words) != NULL, "'%s' in '%s'", words, err.msg);
}

START_TEST(a_value_has_one_maker)
{
    test_graph t;

    test_begin(&t, 1, 1, 1);
    test_node(&t, "Relu", "x", "y");
    test_node(&t, "Exp", "x", "y");
    refused(&t, DSCQ_FORMAT, "value 'y' is made by two nodes");
}
END_TEST

START_TEST(nodes_are_in_order)
{
    test_graph t;

    test_begin(&t, 1, 1, 1);
    test_node(&t, "Relu", "late", "y");
    test_node(&t, "Exp", "x", "late");
    refused(&t, DSCQ_FORMAT, "reads 'late', which a later node makes");
}
END_TEST

START_TEST(a_constant_has_as_many_values_as_its_shape)
{
    const int64_t huge[] = {1 << 20, 1 << 20, 0};
    test_graph t;

    test_begin(&t, 1, 1, 1);
    dscq_onnx_graph_floats(&t.g, "c", NULL, 3, huge); /* none at all: a 0 among them */
    test_node(&t, "Relu", "x", "y");
    refused(&t, DSCQ_FORMAT, "tensor 'c': size out of range");
}
END_TEST

START_TEST(a_file_that_is_cut_is_no_file)
{
    dscq_error err = {DSCQ_OK, ""};
    test_graph t;
    dscq_onnx *f = NULL;

    test_begin(&t, 1, 1, 1);
    test_node(&t, "Relu", "x", "y");
    dscq_onnx_close(test_load(&t));
    char *text = test_read(test_path("t.onnx"));
    /* every tag, length and byte before the end is one that must not be the last */
    for (size_t n = 5; n < 60; n += 7) {
        ck_assert_int_ne(dscq_onnx_parse(&f, (const uint8_t *)text, n, "cut", &err),
                         DSCQ_OK);
        ck_assert_ptr_null(f);
    }
    dscq_free(text);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("onnx/read", &tc);

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return s;
    tcase_add_test(tc, a_value_has_one_maker);
    tcase_add_test(tc, nodes_are_in_order);
    tcase_add_test(tc, a_constant_has_as_many_values_as_its_shape);
    tcase_add_test(tc, a_file_that_is_cut_is_no_file);
    return s;
}

int main(void)
{
    return test_run(make);
}
