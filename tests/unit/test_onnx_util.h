/* Graphs of one or two nodes, made with the builder and read back. */
#ifndef TEST_ONNX_UTIL_H
#define TEST_ONNX_UTIL_H

#include "dscq/onnx/build.h"
#include "dscq/onnx/onnx.h"
#include "support.h"

#include <string.h>

enum { TEST_VALUES = 64 };

/* A graph under way: input "x", 1 x C x H x W. */
typedef struct test_graph {
    dscq_onnx_graph g;
    dscq_onnx_node n; /* the next node */
} test_graph;

static inline void test_begin(test_graph *t, int32_t c, int32_t h, int32_t w)
{
    *t = (test_graph){0};
    dscq_onnx_graph_input(&t->g, "x", (dscq_shape){1, h, w, c});
}

static inline void test_floats(test_graph *t, const char *name, const float *v,
                               int64_t count)
{
    dscq_onnx_graph_floats(&t->g, name, v, 1, &count);
}

static inline void test_ints(test_graph *t, const char *name, const int64_t *v,
                             int64_t count)
{
    dscq_onnx_graph_ints(&t->g, name, DSCQ_ONNX_INT64, v, 1, &count);
}

/* `inputs`: names divided by blanks. */
static inline void test_node(test_graph *t, const char *op, const char *inputs,
                             const char *output)
{
    char name[64];

    while (*inputs != '\0') {
        const size_t len = strcspn(inputs, " ");
        ck_assert_uint_lt(len, sizeof name);
        memcpy(name, inputs, len);
        name[len] = '\0';
        dscq_onnx_node_input(&t->n, name);
        inputs += len + (inputs[len] == ' ');
    }
    dscq_onnx_node_end(&t->g, &t->n, op, output);
}

/* "y" is the output; its declared shape is not looked at. */
static inline dscq_onnx *test_load(test_graph *t)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_onnx *f = NULL;
    const char *path = test_path("t.onnx");

    dscq_onnx_graph_output(&t->g, "y", (dscq_shape){1, 1, 1, 1});
    test_ok(dscq_onnx_graph_write(&t->g, "t", path, &err));
    test_ok(dscq_onnx_load(&f, path, &err));
    return f;
}

/* Run on the values 0, 1, 2, ...; `want` as many as the output must have. */
static inline void test_run_graph(test_graph *t, size_t count, const int64_t dim[4],
                                  const double *want, size_t wanted)
{
    double v[TEST_VALUES];
    const dscq_onnx_tensor x = {
        DSCQ_ONNX_FLOAT, 4, {dim[0], dim[1], dim[2], dim[3]}, count, v};
    const dscq_onnx_tensor *in[] = {&x}, *y[1];
    dscq_error err = {DSCQ_OK, ""};
    dscq_onnx *f = test_load(t);

    ck_assert_uint_le(count, TEST_VALUES);
    for (size_t i = 0; i < count; i++)
        v[i] = (double)i;
    test_ok(dscq_onnx_run(y, NULL, f, in, 1, &err));
    ck_assert_uint_eq(y[0]->count, wanted);
    for (size_t i = 0; i < wanted; i++)
        ck_assert_msg(y[0]->v[i] == want[i], "value %zu is %g, want %g", i, y[0]->v[i],
                      want[i]);
    dscq_onnx_close(f);
}

#endif
