/* Constants a channel, norms and what passes values on behind a layer with weights are
 * that layer, in any order; where somebody else reads the map between, they are not.
 * The network gives what the graph does. */
#include "dscq/base/rng.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/build.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 4, IN = 3, OUT = 3, VALUES = SIDE * SIDE * IN, OUTS = SIDE * SIDE * OUT };

typedef enum base { CONV, DEPTHWISE, GEMM, MATMUL, NORM, POOL } base;

typedef struct maker {
    dscq_onnx_graph g;
    dscq_rng rng;
    int rank; /* of what the layer makes */
    int count;
    char last[16];
} maker;

/* The letters of a chain:
 *   + - * /   with a constant a channel (- and / take it second), r: constant minus x
 *   1         times one number, written as a scalar
 *   n i R     BatchNormalization, Identity, Relu
 *   H         clip(x + 3, 0, 6) / 6
 *   !         the value before it is an output of the graph as well */
static const struct fold {
    base on;
    const char *chain;
    int32_t layers;
    dscq_act act;
} k_folds[] = {
    {CONV, "+", 1, DSCQ_ACT_LINEAR},
    {CONV, "-R", 1, DSCQ_ACT_RELU},
    {CONV, "*R", 1, DSCQ_ACT_RELU},
    {CONV, "/", 1, DSCQ_ACT_LINEAR},
    {CONV, "r", 1, DSCQ_ACT_LINEAR},
    {CONV, "1", 1, DSCQ_ACT_LINEAR},
    {CONV, "*+/-r1R", 1, DSCQ_ACT_RELU},
    {CONV, "n*+R", 1, DSCQ_ACT_RELU},
    {CONV, "+n", 1, DSCQ_ACT_LINEAR},
    {CONV, "*-nr/R", 1, DSCQ_ACT_RELU},
    {CONV, "nn", 1, DSCQ_ACT_LINEAR},
    {CONV, "i+iR", 1, DSCQ_ACT_RELU},
    {CONV, "H", 1, DSCQ_ACT_HARD_SIGMOID},
    {CONV, "*H", 1, DSCQ_ACT_HARD_SIGMOID},
    {CONV, "!+", 2, DSCQ_ACT_LINEAR},
    {CONV, "+!*", 2, DSCQ_ACT_LINEAR},
    {CONV, "R*", 2, DSCQ_ACT_RELU},
    {DEPTHWISE, "+", 1, DSCQ_ACT_LINEAR},
    {DEPTHWISE, "*-nR", 1, DSCQ_ACT_RELU},
    {DEPTHWISE, "!*", 2, DSCQ_ACT_LINEAR},
    {GEMM, "*", 1, DSCQ_ACT_LINEAR},
    {GEMM, "+/R", 1, DSCQ_ACT_RELU},
    {MATMUL, "+", 1, DSCQ_ACT_LINEAR},
    {MATMUL, "*1+R", 1, DSCQ_ACT_RELU},
    {MATMUL, "!+", 2, DSCQ_ACT_LINEAR},
    {NORM, "*+R", 1, DSCQ_ACT_RELU},
    {NORM, "n", 1, DSCQ_ACT_LINEAR},
    {POOL, "*+n/R", 2, DSCQ_ACT_LINEAR}, /* all of them are one norm */
};

static void floats(maker *k, const char *name, int rank, const int64_t *dim, double lo,
                   double hi)
{
    float v[OUT * VALUES];
    size_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    ck_assert_uint_le(n, sizeof v / sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = dscq_rng_between(&k->rng, (float)lo, (float)hi);
    dscq_onnx_graph_floats(&k->g, name, v, rank, dim);
}

/* op(last, the constants named) -> a new last value. */
static void node(maker *k, dscq_onnx_node *n, const char *op, const char *first,
                 const char *second)
{
    dscq_onnx_node_input(n, first);
    if (second != NULL)
        dscq_onnx_node_input(n, second);
    snprintf(k->last, sizeof k->last, "v%d", ++k->count);
    dscq_onnx_node_end(&k->g, n, op, k->last);
}

/* A constant for the next operation: 1 x C x 1 x 1 or so, and one number. */
static const char *constant(maker *k, int is_scalar)
{
    static char name[16];
    const int64_t map[] = {1, OUT, 1, 1}, row[] = {OUT};

    snprintf(name, sizeof name, "k%d", k->count);
    if (is_scalar)
        floats(k, name, 0, NULL, 0.5, 2);
    else
        floats(k, name, k->rank == 4 ? 4 : 1, k->rank == 4 ? map : row, 0.5, 2);
    return name;
}

static void batch_norm(maker *k)
{
    static const char *const part[] = {"gamma", "beta", "mean", "var"};
    const int64_t dim = OUT;
    char name[4][16];
    dscq_onnx_node n = {0};

    dscq_onnx_node_input(&n, k->last);
    for (int i = 0; i < 4; i++) {
        snprintf(name[i], sizeof name[i], "%s%d", part[i], k->count);
        floats(k, name[i], 1, &dim, i == 3 ? 0.1 : -1, 1.5);
        dscq_onnx_node_input(&n, name[i]);
    }
    snprintf(k->last, sizeof k->last, "v%d", ++k->count);
    dscq_onnx_node_end(&k->g, &n, "BatchNormalization", k->last);
}

static void number(maker *k, const char *name, double v)
{
    const float f = (float)v;
    dscq_onnx_graph_floats(&k->g, name, &f, 0, NULL);
}

static void hard_sigmoid(maker *k)
{
    dscq_onnx_node n = {0};

    number(k, "zero", 0);
    number(k, "three", 3);
    number(k, "six", 6);
    node(k, &n, "Add", k->last, "three");
    dscq_onnx_node_input(&n, k->last);
    dscq_onnx_node_input(&n, "zero");
    dscq_onnx_node_input(&n, "six");
    snprintf(k->last, sizeof k->last, "v%d", ++k->count);
    dscq_onnx_node_end(&k->g, &n, "Clip", k->last);
    node(k, &n, "Div", k->last, "six");
}

static void letter(maker *k, char c)
{
    dscq_onnx_node n = {0};
    char before[16];

    snprintf(before, sizeof before, "%s", k->last);
    switch (c) {
    case '+':
        node(k, &n, "Add", constant(k, 0), before);
        break;
    case '-':
        node(k, &n, "Sub", before, constant(k, 0));
        break;
    case 'r':
        node(k, &n, "Sub", constant(k, 0), before);
        break;
    case '*':
        node(k, &n, "Mul", before, constant(k, 0));
        break;
    case '/':
        node(k, &n, "Div", before, constant(k, 0));
        break;
    case '1':
        node(k, &n, "Mul", constant(k, 1), before);
        break;
    case 'i':
        node(k, &n, "Identity", before, NULL);
        break;
    case 'R':
        node(k, &n, "Relu", before, NULL);
        break;
    case 'n':
        batch_norm(k);
        break;
    case 'H':
        hard_sigmoid(k);
        break;
    default:
        ck_abort_msg("no letter '%c'", c);
    }
}

static void layer(maker *k, base on)
{
    const int64_t conv[] = {OUT, IN, 1, 1}, deep[] = {OUT, 1, 1, 1},
                  matrix[] = {VALUES, OUT}, bias[] = {OUT};
    const int32_t two[] = {1, 1};
    dscq_onnx_node n = {0};

    k->rank = on == GEMM || on == MATMUL ? 2 : 4;
    snprintf(k->last, sizeof k->last, "x");
    if (k->rank == 2) {
        node(k, &n, "Flatten", "x", NULL);
        floats(k, "w", 2, matrix, -0.5, 0.5);
        node(k, &n, on == GEMM ? "Gemm" : "MatMul", k->last, "w");
    } else if (on == NORM) {
        batch_norm(k);
    } else if (on == POOL) {
        dscq_onnx_node_ints(&n, "kernel_shape", two, 2);
        node(k, &n, "MaxPool", "x", NULL);
    } else {
        floats(k, "w", 4, on == DEPTHWISE ? deep : conv, -1, 1);
        floats(k, "bias", 1, bias, -1, 1);
        if (on == DEPTHWISE)
            dscq_onnx_node_int(&n, "group", OUT);
        dscq_onnx_node_input(&n, "x");
        dscq_onnx_node_input(&n, "w");
        dscq_onnx_node_input(&n, "bias");
        snprintf(k->last, sizeof k->last, "v%d", ++k->count);
        dscq_onnx_node_end(&k->g, &n, "Conv", k->last);
    }
}

static dscq_onnx *make_graph(const struct fold *c)
{
    maker k = {.rng = dscq_rng_seeded(21)};
    const dscq_shape out = {1, SIDE, SIDE, OUT};
    dscq_onnx *f = NULL;
    dscq_error err = {0};

    dscq_onnx_graph_input(&k.g, "x", (dscq_shape){1, SIDE, SIDE, IN});
    layer(&k, c->on);
    for (const char *p = c->chain; *p != '\0'; p++)
        if (*p == '!')
            dscq_onnx_graph_output(&k.g, k.last, out);
        else
            letter(&k, *p);
    dscq_onnx_graph_output(&k.g, k.last, out);
    test_ok(dscq_onnx_graph_write(&k.g, "g", test_path("g.onnx"), &err));
    test_ok(dscq_onnx_load(&f, test_path("g.onnx"), &err));
    return f;
}

static void same_answers(dscq_onnx *f, dscq_model *m)
{
    const dscq_exec_options o = {.batch = 1};
    float x[VALUES], got[OUTS];
    double channels_first[VALUES];
    dscq_rng g = dscq_rng_seeded(4);
    dscq_exec *e = NULL;
    dscq_error err = {0};
    const float *y[2] = {NULL};

    for (size_t i = 0; i < VALUES; i++) {
        x[i] = dscq_rng_between(&g, -2, 2);
        channels_first[i % IN * SIDE * SIDE + i / IN] = (double)x[i];
    }
    dscq_onnx_tensor t = {
        DSCQ_ONNX_FLOAT, 4, {1, IN, SIDE, SIDE}, VALUES, channels_first};
    const dscq_onnx_tensor *in = &t, *want[2] = {NULL};
    test_ok(dscq_onnx_run(want, NULL, f, &in, 1, &err));
    test_ok(dscq_exec_create(&e, m, &o, &err));
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        y[i] = dscq_exec_output(e, i, NULL);
    for (int32_t i = 0; i < dscq_onnx_outputs(f); i++) {
        ck_assert_uint_le(want[i]->count, OUTS);
        dscq_onnx_collect(got, f, m, i, y);
        for (size_t j = 0; j < want[i]->count; j++)
            ck_assert_msg(fabs((double)got[j] - want[i]->v[j]) <=
                              1e-5 * (1 + fabs(want[i]->v[j])),
                          "output %d, value %zu: %g, the graph %g", (int)i, j,
                          (double)got[j], want[i]->v[j]);
    }
    dscq_exec_destroy(e);
}

START_TEST(a_chain_behind_a_layer_is_that_layer)
{
    const struct fold *c = &k_folds[_i];
    dscq_model *m = NULL;
    dscq_error err = {0};

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    dscq_onnx *f = make_graph(c);
    test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
    ck_assert_msg(dscq_model_nodes(m) == c->layers, "%d on '%s': %d layers, want %d",
                  (int)c->on, c->chain, (int)dscq_model_nodes(m), (int)c->layers);
    ck_assert_int_eq(dscq_model_node(m, 0)->act, c->act);
    same_answers(f, m);
    dscq_model_destroy(m);
    dscq_onnx_close(f);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("import_folding", &tc);

    tcase_add_loop_test(tc, a_chain_behind_a_layer_is_that_layer, 0,
                        sizeof k_folds / sizeof k_folds[0]);
    return s;
}

int main(void)
{
    return test_run(make);
}
