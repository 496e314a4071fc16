/* Quantised ONNX graphs in every way of writing them become float networks with the
 * grids beside them; with those put on, a network gives what the graph itself does. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/build.h"
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
static void node(maker *k, dscq_onnx_node *given, const char *op, const char *inputs,
                 const char *out)
{
    dscq_onnx_node n = given != NULL ? *given : (dscq_onnx_node){0};
    char name[64];

    if (given != NULL)
        *given = (dscq_onnx_node){0}; /* the copy is ended below */
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

static dscq_onnx_node padded(void)
{
    const int32_t pads[] = {0, 1, 1, 0};
    dscq_onnx_node n = {0};

    dscq_onnx_node_ints(&n, "pads", pads, 4);
    return n;
}

static dscq_onnx_node along_first(void)
{
    dscq_onnx_node n = {0};

    dscq_onnx_node_int(&n, "axis", 0);
    return n;
}

static const int64_t k_kernels[] = {OUT, IN, 2, 2};

/* Pairs around a float convolution; six ends the range by a Clip of the codes. */
static dscq_shape make_pairs(maker *k)
{
    const int64_t bias[OUT] = {300, -200, 100, 0}, four = OUT;
    float bias_scale[OUT];
    dscq_onnx_node n = along_first();

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
    dscq_onnx_node n = padded();

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
    dscq_onnx_node n = {0};

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
    maker k = {{0}, dscq_rng_seeded(7)};
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

/* An activation, then a grid: op with its limits or slope, the codes 0..top. */
static const struct fused {
    const char *op; /* "": none */
    double value;   /* alpha; of Clip: its upper end */
    double scale;
    int32_t zero, top;
    int pooled; /* MaxPool between the two */
    dscq_act want;
    int32_t layers;
} k_fused[] = {
    {"Relu", 0, 0.4, 0, 15, 0, DSCQ_ACT_RELU6, 1},        /* 15 * 0.4 = 6        */
    {"Relu", 0, 0.3, 0, 15, 0, DSCQ_ACT_RELU, 1},         /* 4.5                 */
    {"Relu", 0, 6.0 / 255, 0, 255, 0, DSCQ_ACT_RELU6, 1}, /* every code of 8 bits */
    {"Relu", 0, 0.1, 0, 60, 0, DSCQ_ACT_RELU6, 1},        /* codes end early     */
    {"Relu", 0, 0.1, 0, 255, 0, DSCQ_ACT_RELU, 1},        /* 25.5                */
    {"Relu", 0, 0.05, 128, 255, 0, DSCQ_ACT_RELU, 1},     /* two sides           */
    {"Clip", 6, 0.4, 0, 15, 0, DSCQ_ACT_RELU6, 1},
    {"Clip", 6, 0.3, 0, 15, 0, DSCQ_ACT_RELU6, 1},
    {"Clip", 6, 0.1, 0, 255, 0, DSCQ_ACT_RELU6, 1},
    {"", 0, 0.4, 0, 15, 0, DSCQ_ACT_RELU6, 1},
    {"", 0, 6.0 / 255, 0, 255, 0, DSCQ_ACT_RELU6, 1},
    {"", 0, 0.01, 0, 255, 0, DSCQ_ACT_RELU6, 1}, /* 2.55: relu6 is nearer */
    {"", 0, 0.1, 0, 255, 0, DSCQ_ACT_RELU, 1},
    {"", 0, 0.05, 128, 255, 0, DSCQ_ACT_LINEAR, 1},
    {"LeakyRelu", 0.1, 0.4, 0, 15, 0, DSCQ_ACT_RELU6, 1},
    {"LeakyRelu", 0.1, 0.1, 0, 255, 0, DSCQ_ACT_RELU, 1},
    {"LeakyRelu", 0.1, 0.05, 128, 255, 0, DSCQ_ACT_LEAKY, 1},
    {"Elu", 1, 0.1, 0, 255, 0, DSCQ_ACT_RELU, 1},
    {"HardSwish", 0, 0.05, 20, 255, 0, DSCQ_ACT_HARD_SWISH, 1},
    {"Sigmoid", 0, 1.0 / 255, 0, 255, 0, DSCQ_ACT_LOGISTIC, 1},
    {"Relu", 0, 0.4, 0, 15, 1, DSCQ_ACT_RELU, 2},
    {"Clip", 6, 0.4, 0, 15, 1, DSCQ_ACT_RELU6, 2},
};

static void make_fused(maker *k, const struct fused *c)
{
    const char *last = "c";
    const int32_t two[] = {2, 2};
    dscq_onnx_node n = {0};
    float w[OUT * IN];
    const int64_t dim[] = {OUT, IN, 1, 1};

    for (int i = 0; i < OUT * IN; i++)
        w[i] = dscq_rng_between(&k->rng, -3, 3);
    dscq_onnx_graph_floats(&k->g, "w", w, 4, dim);
    grid(k, "y", c->scale, DSCQ_ONNX_UINT8, c->zero);
    whole(k, "lo", DSCQ_ONNX_UINT8, 0);
    whole(k, "hi", DSCQ_ONNX_UINT8, c->top);
    real(k, "least", 0);
    real(k, "most", c->value);
    node(k, NULL, "Conv", "input w", "c");
    if (c->op[0] != '\0') {
        if (strcmp(c->op, "LeakyRelu") == 0 || strcmp(c->op, "Elu") == 0)
            dscq_onnx_node_real(&n, "alpha", c->value);
        node(k, &n, c->op, strcmp(c->op, "Clip") == 0 ? "c least most" : "c", "a");
        last = "a";
    }
    if (c->pooled) {
        dscq_onnx_node_ints(&n, "kernel_shape", two, 2);
        dscq_onnx_node_ints(&n, "strides", two, 2);
        node(k, &n, "MaxPool", last, "p");
        last = "p";
    }
    char inputs[32];
    snprintf(inputs, sizeof inputs, "%s y_s y_z", last);
    node(k, NULL, "QuantizeLinear", inputs, "q");
    node(k, NULL, "Clip", "q lo hi", "r");
    node(k, NULL, "DequantizeLinear", "r y_s y_z", "out");
}

START_TEST(an_activation_and_its_grid_are_one_layer)
{
    const struct fused *c = &k_fused[_i];
    maker k = {{0}, dscq_rng_seeded(7)};
    const int32_t side = c->pooled ? SIDE / 2 : SIDE;
    const char *path = test_path("fused.onnx");
    dscq_onnx *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    int32_t count = 0;

    if (!dscq_onnx_available())
        return;
    dscq_onnx_graph_input(&k.g, "input", (dscq_shape){1, SIDE, SIDE, IN});
    make_fused(&k, c);
    dscq_onnx_graph_output(&k.g, "out", (dscq_shape){1, side, side, OUT});
    test_ok(dscq_onnx_graph_write(&k.g, "fused", path, &err));
    test_ok(dscq_onnx_load(&f, path, &err));
    test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
    ck_assert_int_eq(dscq_model_nodes(m), c->layers);
    ck_assert_str_eq(dscq_act_name(dscq_model_node(m, 0)->act), dscq_act_name(c->want));
    const dscq_onnx_range *r = dscq_onnx_ranges(f, &count);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(r[0].node, c->layers - 1);
    ck_assert_double_eq_tol(r[0].scale, c->scale, 1e-7);
    ck_assert_int_eq(r[0].hi, c->top);
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
    tcase_add_loop_test(tc, an_activation_and_its_grid_are_one_layer, 0,
                        sizeof k_fused / sizeof k_fused[0]);
    return s;
}

int main(void)
{
    return test_run(make);
}
