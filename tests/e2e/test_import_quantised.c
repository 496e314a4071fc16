/* Quantised ONNX graphs in every way of writing them become float networks with the
 * grids beside them; with those put on, a network gives what the graph itself does. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/import/onnx_build.h"
#include "dscq/nn/exec.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 6, IN = 3, OUT = 4, VALUES = SIDE * SIDE * IN };

typedef struct maker {
    dscq_onnx_graph g;
    dscq_rng rng;
} maker;

static void real(maker *k, const char *name, double v)
{
    const float f = (float)v;

    dscq_onnx_graph_floats(&k->g, name, &f, 0, NULL);
}

static void whole(maker *k, const char *name, dscq_onnx_type type, int64_t v)
{
    dscq_onnx_graph_ints(&k->g, name, type, &v, 0, NULL);
}

/* Codes of -100..100 and a scale for each of `first` filters (or columns). */
static void weights(maker *k, const char *name, int rank, const int64_t *dim,
                    int64_t scales)
{
    int64_t v[OUT * VALUES];
    float s[OUT];
    char text[64];
    size_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    ck_assert_uint_le(n, OUT * VALUES);
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)dscq_rng_below(&k->rng, 201) - 100;
    for (int64_t i = 0; i < scales; i++)
        s[i] = 0.012f + 0.003f * (float)i;
    dscq_onnx_graph_ints(&k->g, name, DSCQ_ONNX_INT8, v, rank, dim);
    snprintf(text, sizeof text, "%s_scale", name);
    dscq_onnx_graph_floats(&k->g, text, s, 1, &scales);
}

/* op(inputs..., separated by blanks) -> out; attributes may stand in *node already. */
static void node(maker *k, dscq_str *given, const char *op, const char *inputs,
                 const char *out)
{
    dscq_str n = given != NULL ? *given : (dscq_str){0};
    char name[64];

    if (given != NULL)
        *given = (dscq_str){0}; /* the copy is ended below */
    for (const char *p = inputs; *p != '\0';) {
        const size_t length = strcspn(p, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, p);
        dscq_onnx_node_input(&n, name);
        p += length + (p[length] == ' ');
    }
    dscq_onnx_node_end(&k->g, &n, op, out);
}

static void grid(maker *k, const char *name, double scale, dscq_onnx_type type,
                 int64_t zero)
{
    char text[64];

    snprintf(text, sizeof text, "%s_s", name);
    real(k, text, scale);
    snprintf(text, sizeof text, "%s_z", name);
    whole(k, text, type, zero);
}

static dscq_str padded(void)
{
    const int32_t pads[] = {0, 1, 1, 0};
    dscq_str n = {0};

    dscq_onnx_node_ints(&n, "pads", pads, 4);
    return n;
}

static dscq_str along_first(void)
{
    dscq_str n = {0};

    dscq_onnx_node_int(&n, "axis", 0);
    return n;
}

static const int64_t k_kernels[] = {OUT, IN, 2, 2};

/* Pairs around a float convolution; six ends the range by a Clip of the codes. */
static dscq_shape make_pairs(maker *k)
{
    const int64_t bias[OUT] = {300, -200, 100, 0}, four = OUT;
    float bias_scale[OUT];
    dscq_str n = along_first();

    for (int i = 0; i < OUT; i++)
        bias_scale[i] = 0.02f * (0.012f + 0.003f * (float)i);
    grid(k, "x", 0.02, DSCQ_ONNX_INT8, -3);
    weights(k, "w", 4, k_kernels, OUT);
    dscq_onnx_graph_ints(&k->g, "b", DSCQ_ONNX_INT32, bias, 1, &four);
    dscq_onnx_graph_floats(&k->g, "b_scale", bias_scale, 1, &four);
    grid(k, "y", 0.1, DSCQ_ONNX_INT8, -128);
    whole(k, "lo", DSCQ_ONNX_INT8, -128);
    whole(k, "hi", DSCQ_ONNX_INT8, -68); /* 6 / 0.1 - 128 */
    node(k, NULL, "QuantizeLinear", "input x_s x_z", "xq");
    node(k, NULL, "DequantizeLinear", "xq x_s x_z", "xr");
    node(k, &n, "DequantizeLinear", "w w_scale", "wr");
    n = along_first();
    node(k, &n, "DequantizeLinear", "b b_scale", "br");
    n = padded();
    node(k, &n, "Conv", "xr wr br", "c");
    node(k, NULL, "QuantizeLinear", "c y_s y_z", "cq");
    node(k, NULL, "Clip", "cq lo hi", "cc");
    node(k, NULL, "DequantizeLinear", "cc y_s y_z", "out");
    return (dscq_shape){1, SIDE, SIDE, OUT};
}

/* Operators on codes: convolution, maximum, product with a matrix. */
static dscq_shape make_operators(maker *k)
{
    const int64_t bias[OUT] = {500, -900, 0, 70}, four = OUT;
    const int64_t matrix[] = {OUT * 9, OUT};
    const int32_t two[] = {2, 2};
    dscq_str n = padded();

    grid(k, "x", 0.02, DSCQ_ONNX_UINT8, 120);
    weights(k, "w", 4, k_kernels, OUT);
    whole(k, "w_z", DSCQ_ONNX_INT8, 0);
    dscq_onnx_graph_ints(&k->g, "b", DSCQ_ONNX_INT32, bias, 1, &four);
    grid(k, "y", 0.03, DSCQ_ONNX_UINT8, 0);
    weights(k, "m", 2, matrix, 1);
    real(k, "m_s", 0.002);
    whole(k, "m_z", DSCQ_ONNX_INT8, 2);
    grid(k, "o", 0.15, DSCQ_ONNX_UINT8, 128);
    node(k, NULL, "QuantizeLinear", "input x_s x_z", "xq");
    node(k, &n, "QLinearConv", "xq x_s x_z w w_scale w_z y_s y_z b", "c");
    dscq_onnx_node_ints(&n, "kernel_shape", two, 2);
    dscq_onnx_node_ints(&n, "strides", two, 2);
    node(k, &n, "MaxPool", "c", "p");
    node(k, NULL, "Flatten", "p", "f");
    node(k, NULL, "QLinearMatMul", "f y_s y_z m m_s m_z o_s o_z", "q");
    node(k, NULL, "DequantizeLinear", "q o_s o_z", "out");
    return (dscq_shape){1, 1, 1, OUT};
}

/* A grid chosen for every image, products in whole numbers, scales multiplied in. */
static dscq_shape make_dynamic(maker *k)
{
    dscq_str n = {0};

    weights(k, "w", 4, k_kernels, 1);
    whole(k, "w_z", DSCQ_ONNX_INT8, 1);
    real(k, "w_s", 0.002);
    dscq_onnx_node_input(&n, "input");
    dscq_onnx_node_output(&n, "q");
    dscq_onnx_node_output(&n, "s");
    dscq_onnx_node_end(&k->g, &n, "DynamicQuantizeLinear", "z");
    n = padded();
    node(k, &n, "ConvInteger", "q w z w_z", "c");
    dscq_onnx_node_int(&n, "to", DSCQ_ONNX_FLOAT);
    node(k, &n, "Cast", "c", "cf");
    node(k, NULL, "Mul", "s w_s", "both");
    node(k, NULL, "Mul", "cf both", "out");
    return (dscq_shape){1, SIDE, SIDE, OUT};
}

typedef struct style {
    const char *name;
    dscq_shape (*make)(maker *k);
    int32_t ranges;
    double near; /* most that the network may be off */
} style;

static const style k_styles[] = {
    {"pairs", make_pairs, 2, 0.101},
    {"operators", make_operators, 3, 0.151},
    {"dynamic", make_dynamic, 0, 0.05},
};

static void put_grids(dscq_exec *e, const dscq_onnx *f, int32_t want)
{
    int32_t count = 0;
    const dscq_onnx_range *r = dscq_onnx_ranges(f, &count);
    dscq_error err = {0};

    ck_assert_int_eq(count, want);
    for (int32_t i = 0; i < count; i++) {
        const dscq_act_quant q = {(float)r[i].scale, r[i].zero, 8, r[i].lo >= 0};
        ck_assert_double_gt(r[i].scale, 0);
        test_ok(dscq_exec_quantise(e, r[i].node, &q, &err));
    }
}

START_TEST(a_network_on_its_grids_gives_what_the_graph_does)
{
    const style *s = &k_styles[_i];
    maker k = {{{0}}, dscq_rng_seeded(7)};
    const dscq_exec_options o = {.batch = 1};
    const char *path = test_path("quantised.onnx");
    float x[VALUES];
    double channels_first[VALUES], far = 0;
    dscq_onnx *f = NULL;
    dscq_model *m = NULL;
    dscq_exec *e = NULL;
    dscq_error err = {0};

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    dscq_onnx_graph_input(&k.g, "input", (dscq_shape){1, SIDE, SIDE, IN});
    const dscq_shape out = s->make(&k);
    dscq_onnx_graph_output(&k.g, "out", out);
    test_ok(dscq_onnx_graph_write(&k.g, s->name, path, &err));
    test_ok(dscq_onnx_load(&f, path, &err));
    test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
    test_ok(dscq_exec_create(&e, m, &o, &err));
    put_grids(e, f, s->ranges);
    for (size_t i = 0; i < VALUES; i++) {
        x[i] = dscq_rng_between(&k.rng, -2, 2);
        channels_first[i % IN * SIDE * SIDE + i / IN] = (double)x[i];
    }
    dscq_onnx_tensor t = {
        DSCQ_ONNX_FLOAT, 4, {1, IN, SIDE, SIDE}, VALUES, channels_first};
    const dscq_onnx_tensor *in = &t, *want = NULL;
    test_ok(dscq_onnx_run(&want, NULL, f, &in, 1, &err));
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
    const float *y[1] = {dscq_exec_output(e, 0, NULL)};
    float got[SIDE * SIDE * OUT];
    ck_assert_uint_le(want->count, SIDE * SIDE * OUT);
    dscq_onnx_collect(got, f, m, 0, y);
    double least = (double)INFINITY, most = -(double)INFINITY;
    for (size_t i = 0; i < want->count; i++) {
        far = fmax(far, fabs((double)got[i] - want->v[i]));
        least = fmin(least, want->v[i]);
        most = fmax(most, want->v[i]);
    }
    printf("%s: outputs %.2f to %.2f, at most %.4f away\n", s->name, least, most, far);
    ck_assert_double_le(far, s->near);
    ck_assert_double_gt(most - least, 10 * s->near);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
    dscq_onnx_close(f);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("import_quantised", &tc);

    tcase_add_loop_test(tc, a_network_on_its_grids_gives_what_the_graph_does, 0,
                        sizeof k_styles / sizeof k_styles[0]);
    return s;
}

int main(void)
{
    return test_run(make);
}
