/* Small TensorFlow Lite files of every operator that becomes a layer: the network gives
 * what the file itself gives, operator by operator; what cannot be expressed is named.
 */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/nn/exec.h"
#include "dscq/tflite/tflite.h"
#include "support.h"
#include "tflite_make.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ADD = 0,
    AVERAGE_POOL_2D = 1,
    CONCATENATION = 2,
    CONV_2D = 3,
    DEPTHWISE_CONV_2D = 4,
    DEQUANTIZE = 6,
    FULLY_CONNECTED = 9,
    L2_NORMALIZATION = 11,
    LOGISTIC = 14,
    LSTM = 16,
    MAX_POOL_2D = 17,
    MUL = 18,
    RELU = 19,
    RELU_N1_TO_1 = 20,
    RELU6 = 21,
    RESHAPE = 22,
    SOFTMAX = 25,
    TANH = 28,
    CUSTOM = 32,
    PAD = 34,
    MEAN = 40,
    SUB = 41,
    SPLIT = 49,
    PRELU = 54,
    EXPAND_DIMS = 70,
    RESIZE_NEAREST = 97,
    LEAKY_RELU = 98,
    QUANTIZE = 114,
    HARD_SWISH = 117,
    RELU_0_TO_1 = 152,
    H = 6,
    W = 5,
    C = 4,
    NUMBERS = 4096,
    OUTPUTS = 4
};

/* A file under way, and what its constants point to. */
typedef struct maker {
    make_file f;
    dscq_rng rng;
    float real[NUMBERS];
    int32_t whole[NUMBERS];
    int8_t code[NUMBERS];
    int64_t zero[NUMBERS];
    size_t reals, wholes, codes, zeros;
} maker;

#define DIM(...)                                                                       \
    (const int32_t[])                                                                  \
    {                                                                                  \
        __VA_ARGS__                                                                    \
    }
#define LIST(...)                                                                      \
    (const int32_t[])                                                                  \
    {                                                                                  \
        __VA_ARGS__, -2                                                                \
    }

static int32_t map(maker *k, const char *name, int32_t h, int32_t w, int32_t c)
{
    return make_add(&k->f, name, MAKE_F32, DIM(1, h, w, c), 4);
}

static int32_t reals(maker *k, const char *name, const int32_t *dim, int rank,
                     double reach)
{
    float *v = &k->real[k->reals];
    size_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    ck_assert_uint_le(k->reals + n, NUMBERS);
    k->reals += n;
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(reach * (2 * dscq_rng_unit64(&k->rng) - 1));
    return make_const(&k->f, name, MAKE_F32, dim, rank, v, n * sizeof *v);
}

static int32_t wholes(maker *k, const char *name, const int32_t *v, int32_t n)
{
    int32_t *to = &k->whole[k->wholes];

    ck_assert_uint_le(k->wholes + (size_t)n, NUMBERS);
    k->wholes += (size_t)n;
    memcpy(to, v, (size_t)n * sizeof *v);
    return make_const(&k->f, name, MAKE_I32, DIM(n), 1, to, (size_t)n * sizeof *v);
}

static void ends(maker *k, int32_t in, int32_t out)
{
    k->f.in[k->f.inputs++] = in;
    k->f.out[k->f.outputs++] = out;
}

static int32_t start(maker *k)
{
    const int32_t x = map(k, "x", H, W, C);

    k->f.in[k->f.inputs++] = x;
    return x;
}

static void finish(maker *k, int32_t out)
{
    k->f.out[k->f.outputs++] = out;
}

/* padding, stride, fused activation of a convolution */
static make_op *conv(maker *k, int32_t x, int32_t w, int32_t b, int32_t y, int same,
                     int stride, int fused)
{
    make_op *o = make_call(&k->f, CONV_2D, LIST(x, w, b), LIST(y));

    make_set(o, 0, 1, !same);
    make_set(o, 1, 4, stride);
    make_set(o, 2, 4, stride);
    make_set(o, 3, 1, fused);
    return o;
}

static void a_convolution(maker *k)
{
    const int32_t x = start(k), w = reals(k, "w", DIM(7, 3, 2, C), 4, 1),
                  b = reals(k, "b", DIM(7), 1, 1), y = map(k, "y", 3, 3, 7);

    (void)conv(k, x, w, b, y, 1, 2, 3);
    finish(k, y);
}

static void a_convolution_that_dilates(maker *k)
{
    const int32_t x = start(k), w = reals(k, "w", DIM(3, 2, 2, C), 4, 1),
                  b = reals(k, "b", DIM(3), 1, 1), y = map(k, "y", 4, 3, 3);
    make_op *o = conv(k, x, w, b, y, 0, 1, 1);

    make_set(o, 4, 4, 2);
    make_set(o, 5, 4, 2);
    finish(k, y);
}

static void convolutions_in_groups(maker *k)
{
    const int32_t x = start(k), w = reals(k, "w", DIM(6, 3, 3, C / 2), 4, 1),
                  b = reals(k, "b", DIM(6), 1, 1), y = map(k, "y", H, W, 6);

    (void)conv(k, x, w, b, y, 1, 1, 0);
    finish(k, y);
}

static void a_depthwise_one(maker *k)
{
    const int32_t x = start(k), w = reals(k, "w", DIM(1, 3, 3, 2 * C), 4, 1),
                  b = reals(k, "b", DIM(2 * C), 1, 1), y = map(k, "y", 3, 3, 2 * C);
    make_op *o = make_call(&k->f, DEPTHWISE_CONV_2D, LIST(x, w, b), LIST(y));

    make_set(o, 1, 4, 2);
    make_set(o, 2, 4, 2);
    make_set(o, 3, 4, 2); /* multiplier */
    make_set(o, 4, 1, 1);
    finish(k, y);
}

static void padding_in_front(maker *k)
{
    const int32_t x = start(k), p = wholes(k, "p", DIM(0, 0, 1, 0, 0, 2, 0, 0), 8),
                  padded = map(k, "padded", H + 1, W + 2, C),
                  w = reals(k, "w", DIM(3, 3, 3, C), 4, 1),
                  b = reals(k, "b", DIM(3), 1, 1), y = map(k, "y", 5, 5, 3);

    (void)make_call(&k->f, PAD, LIST(x, p), LIST(padded));
    (void)conv(k, padded, w, b, y, 0, 1, 0);
    finish(k, y);
}

/* Zeros win a maximum among negative values. */
static void padding_before_a_maximum(maker *k)
{
    const int32_t x = start(k), p = wholes(k, "p", DIM(0, 0, 1, 1, 1, 0, 0, 0), 8),
                  padded = map(k, "padded", H + 2, W + 1, C),
                  y = map(k, "y", H / 2 + 1, W / 2 + 1, C);
    make_op *o;

    (void)make_call(&k->f, PAD, LIST(x, p), LIST(padded));
    o = make_call(&k->f, MAX_POOL_2D, LIST(padded), LIST(y));
    make_set(o, 0, 1, 1);
    for (int i = 1; i < 5; i++)
        make_set(o, i, 4, 2);
    finish(k, y);
}

/* ... and none among what is not: then they are the maximum's own padding. */
static void padding_of_what_is_positive(maker *k)
{
    const int32_t x = start(k), p = wholes(k, "p", DIM(0, 0, 1, 1, 1, 0, 0, 0), 8),
                  a = map(k, "a", H, W, C), padded = map(k, "padded", H + 2, W + 1, C),
                  y = map(k, "y", H / 2 + 1, W / 2 + 1, C);
    make_op *o;

    (void)make_call(&k->f, RELU, LIST(x), LIST(a));
    (void)make_call(&k->f, PAD, LIST(a, p), LIST(padded));
    o = make_call(&k->f, MAX_POOL_2D, LIST(padded), LIST(y));
    make_set(o, 0, 1, 1);
    for (int i = 1; i < 5; i++)
        make_set(o, i, 4, 2);
    finish(k, y);
}

static void channels_of_zeros(maker *k)
{
    const int32_t x = start(k), p = wholes(k, "p", DIM(0, 0, 0, 0, 0, 0, 1, 2), 8),
                  y = map(k, "y", H, W, C + 3);

    (void)make_call(&k->f, PAD, LIST(x, p), LIST(y));
    finish(k, y);
}

static void pools(maker *k)
{
    const int32_t x = start(k), a = map(k, "a", 3, 3, C), m = map(k, "m", 3, 3, C),
                  y = map(k, "y", 3, 3, C);

    for (int max = 0; max < 2; max++) {
        make_op *o = make_call(&k->f, max ? MAX_POOL_2D : AVERAGE_POOL_2D, LIST(x),
                               LIST(max ? m : a));
        make_set(o, 1, 4, 2);
        make_set(o, 2, 4, 2);
        make_set(o, 3, 4, 3);
        make_set(o, 4, 4, 3);
    }
    (void)make_call(&k->f, SUB, LIST(a, m), LIST(y));
    finish(k, y);
}

static void means_and_a_product(maker *k)
{
    const int32_t x = start(k), axes = wholes(k, "axes", DIM(1, 2), 2),
                  mean = map(k, "mean", 1, 1, C), gate = map(k, "gate", 1, 1, C),
                  y = map(k, "y", H, W, C);

    make_set(make_call(&k->f, MEAN, LIST(x, axes), LIST(mean)), 0, 1, 1);
    (void)make_call(&k->f, LOGISTIC, LIST(mean), LIST(gate));
    make_set(make_call(&k->f, MUL, LIST(gate, x), LIST(y)), 0, 1, 1);
    finish(k, y);
}

static void constants(maker *k)
{
    const int32_t x = start(k), c = reals(k, "c", DIM(C), 1, 2),
                  s = reals(k, "s", DIM(1, 1, 1, C), 4, 2), a = map(k, "a", H, W, C),
                  m = map(k, "m", H, W, C), y = map(k, "y", H, W, C);

    make_set(make_call(&k->f, ADD, LIST(x, c), LIST(a)), 0, 1, 3);
    (void)make_call(&k->f, MUL, LIST(a, s), LIST(m));
    (void)make_call(&k->f, SUB, LIST(c, m), LIST(y));
    finish(k, y);
}

static void parts_and_joins(maker *k)
{
    const int32_t x = start(k), axis = wholes(k, "axis", DIM(3), 1),
                  a = map(k, "a", H, W, C / 2), b = map(k, "b", H, W, C / 2),
                  y = map(k, "y", H, W, C);

    (void)make_call(&k->f, SPLIT, LIST(axis, x), LIST(a, b));
    make_set(make_call(&k->f, CONCATENATION, LIST(b, a), LIST(y)), 0, 4, -1);
    finish(k, y);
}

static void a_larger_map(maker *k)
{
    const int32_t x = start(k), size = wholes(k, "size", DIM(2 * H, 2 * W), 2),
                  y = map(k, "y", 2 * H, 2 * W, C);

    make_set(make_call(&k->f, RESIZE_NEAREST, LIST(x, size), LIST(y)), 1, 1, 1);
    finish(k, y);
}

static const int k_acts[] = {RELU,       RELU6, RELU_N1_TO_1, RELU_0_TO_1,
                             LEAKY_RELU, TANH,  LOGISTIC,     HARD_SWISH};

static void activations(maker *k)
{
    int32_t x = start(k), y = x;
    char name[16];

    for (size_t i = 0; i < sizeof k_acts / sizeof *k_acts; i++) {
        snprintf(name, sizeof name, "a%zu", i);
        const int32_t a = map(k, name, H, W, C);
        make_op *o = make_call(&k->f, k_acts[i], LIST(x), LIST(a));
        if (k_acts[i] == LEAKY_RELU)
            make_real(o, 0, 0.25);
        snprintf(name, sizeof name, "s%zu", i);
        const int32_t sum = map(k, name, H, W, C);
        (void)make_call(&k->f, ADD, LIST(y, a), LIST(sum));
        y = sum;
    }
    finish(k, y);
}

static void a_slope_a_channel(maker *k)
{
    const int32_t x = start(k), s = reals(k, "s", DIM(1, 1, C), 3, 1),
                  y = map(k, "y", H, W, C);

    (void)make_call(&k->f, PRELU, LIST(x, s), LIST(y));
    finish(k, y);
}

static void a_classifier(maker *k)
{
    const int32_t x = start(k), w = reals(k, "w", DIM(9, H * W * C), 2, 0.2),
                  b = reals(k, "b", DIM(9), 1, 1),
                  dense = make_add(&k->f, "dense", MAKE_F32, DIM(1, 9), 2),
                  y = make_add(&k->f, "y", MAKE_F32, DIM(1, 9), 2);

    make_set(make_call(&k->f, FULLY_CONNECTED, LIST(x, w, b), LIST(dense)), 0, 1, 3);
    make_real(make_call(&k->f, SOFTMAX, LIST(dense), LIST(y)), 0, 1);
    finish(k, y);
}

/* Boxes of two maps as rows, with a softmax over each pair. */
static void rows_of_boxes(maker *k)
{
    const int32_t x = start(k), w = reals(k, "w", DIM(6, 1, 1, C), 4, 1),
                  v = reals(k, "v", DIM(2, 2, 2, C), 4, 1), a = map(k, "a", H, W, 6),
                  b = map(k, "b", 3, 3, 2),
                  p = make_add(&k->f, "p", MAKE_F32, DIM(1, H * W * 3, 2), 3),
                  q = make_add(&k->f, "q", MAKE_F32, DIM(1, 9, 2), 3),
                  all = make_add(&k->f, "all", MAKE_F32, DIM(1, H * W * 3 + 9, 2), 3),
                  y = make_add(&k->f, "y", MAKE_F32, DIM(1, H * W * 3 + 9, 2), 3);

    (void)conv(k, x, w, -1, a, 1, 1, 0);
    (void)conv(k, x, v, -1, b, 1, 2, 0);
    (void)make_call(&k->f, RESHAPE, LIST(a), LIST(p));
    (void)make_call(&k->f, RESHAPE, LIST(b), LIST(q));
    make_set(make_call(&k->f, CONCATENATION, LIST(p, q), LIST(all)), 0, 4, 1);
    make_real(make_call(&k->f, SOFTMAX, LIST(all), LIST(y)), 0, 1);
    finish(k, y);
    finish(k, all);
}

/* One dimension, as Keras writes it: rows and columns change places on the way. */
static void along_one_dimension(maker *k)
{
    const int32_t x = make_add(&k->f, "x", MAKE_F32, DIM(1, 12, C), 3),
                  at1 = wholes(k, "at1", DIM(1), 1), at2 = wholes(k, "at2", DIM(2), 1),
                  wide = map(k, "wide", 1, 12, C),
                  w = reals(k, "w", DIM(5, 1, 3, C), 4, 1),
                  b = reals(k, "b", DIM(5), 1, 1), c = map(k, "c", 1, 6, 5),
                  rows = make_add(&k->f, "rows", MAKE_F32, DIM(1, 6, 5), 3),
                  tall = map(k, "tall", 6, 1, 5), half = map(k, "half", 3, 1, 5),
                  v = reals(k, "v", DIM(4, 3, 1, 5), 4, 1),
                  d = reals(k, "d", DIM(4), 1, 1), y = map(k, "y", 2, 1, 4);
    make_op *o;

    (void)make_call(&k->f, EXPAND_DIMS, LIST(x, at1), LIST(wide));
    o = conv(k, wide, w, b, c, 1, 2, 1);
    o->option[2].value = 1; /* the stride of rows */
    (void)make_call(&k->f, RESHAPE, LIST(c), LIST(rows));
    (void)make_call(&k->f, EXPAND_DIMS, LIST(rows, at2), LIST(tall));
    o = make_call(&k->f, MAX_POOL_2D, LIST(tall), LIST(half));
    make_set(o, 0, 1, 1);
    make_set(o, 1, 4, 1);
    make_set(o, 2, 4, 2);
    make_set(o, 3, 4, 1);
    make_set(o, 4, 4, 2);
    o = conv(k, half, v, d, y, 1, 2, 0);
    o->option[1].value = 1; /* the stride of columns */
    ends(k, x, y);
}

static void two_inputs(maker *k)
{
    const int32_t a = map(k, "a", H, W, 3),
                  b = make_add(&k->f, "b", MAKE_F32, DIM(3), 1),
                  y = map(k, "y", H, W, 3);

    (void)make_call(&k->f, SUB, LIST(a, b), LIST(y));
    k->f.in[k->f.inputs++] = a;
    k->f.in[k->f.inputs++] = b;
    finish(k, y);
}

typedef void make_fn(maker *k);
static const struct {
    const char *name;
    make_fn *make;
} k_cases[] = {
#define CASE(name)                                                                     \
    {                                                                                  \
#name, name                                                                    \
    }
    CASE(a_convolution),
    CASE(a_convolution_that_dilates),
    CASE(convolutions_in_groups),
    CASE(a_depthwise_one),
    CASE(padding_in_front),
    CASE(padding_before_a_maximum),
    CASE(padding_of_what_is_positive),
    CASE(channels_of_zeros),
    CASE(pools),
    CASE(means_and_a_product),
    CASE(constants),
    CASE(parts_and_joins),
    CASE(a_larger_map),
    CASE(activations),
    CASE(a_slope_a_channel),
    CASE(a_classifier),
    CASE(rows_of_boxes),
    CASE(along_one_dimension),
    CASE(two_inputs),
#undef CASE
};

/* ---- the file and the network ------------------------------------------- */

static dscq_status open(dscq_tflite **f, dscq_model **m, dscq_table **refused,
                        const maker *k, dscq_error *err)
{
    size_t bytes;
    uint8_t *data = make_bytes(&bytes, &k->f);
    dscq_status status = dscq_tflite_parse(f, data, bytes, "made.tflite", err);

    *m = NULL;
    if (status == DSCQ_OK)
        status = dscq_tflite_to_model(m, refused, *f, err);
    dscq_free(data);
    return status;
}

typedef struct seen {
    const dscq_tflite *f;
    double *v[OUTPUTS];
} seen;

static dscq_status see(void *ctx, int32_t op, int32_t tensor, const double *v,
                       dscq_error *err)
{
    seen *s = ctx;
    const size_t n = dscq_tflite_tensor(s->f, tensor).count;

    (void)op;
    (void)err;
    for (int32_t i = 0; i < dscq_tflite_outputs(s->f); i++)
        if (dscq_tflite_output_tensor(s->f, i) == tensor) {
            s->v[i] = dscq_calloc(n, sizeof *v);
            memcpy(s->v[i], v, n * sizeof *v);
        }
    return DSCQ_OK;
}

/* Every input of the file, and the network's made of them. */
static void make_input(float *x, double **in, dscq_rng *rng, const dscq_tflite *f,
                       dscq_shape s)
{
    const size_t pixels = (size_t)s.h * (size_t)s.w, all = (size_t)s.c;
    size_t first = 0;

    for (int32_t i = 0; i < dscq_tflite_inputs(f); i++) {
        const dscq_tflite_info t =
            dscq_tflite_tensor(f, dscq_tflite_input_tensor(f, i));
        const size_t c = dscq_tflite_inputs(f) > 1 ? (size_t)t.dim[t.rank - 1] : all;
        in[i] = dscq_calloc(t.count, sizeof **in);
        for (size_t j = 0; j < t.count; j++)
            in[i][j] = t.bits > 0 ? (double)dscq_rng_below(rng, 256) - 128
                                  : (double)(float)(8 * dscq_rng_unit64(rng) - 4);
        for (size_t p = 0; p < pixels; p++)
            for (size_t j = 0; j < c; j++)
                x[p * all + first + j] =
                    (float)((in[i][(p * c + j) % t.count] - t.zero) * t.scale);
        first += c;
    }
}

/* Outputs of the network, collected; codes where the file has codes. */
static double compare(const dscq_tflite *f, const dscq_model *m, dscq_exec *e,
                      const seen *s)
{
    const float *y[16];
    double worst = 0;
    dscq_shape shape;

    for (int32_t j = 0; j < dscq_model_outputs(m); j++)
        y[j] = dscq_exec_output(e, j, &shape);
    for (int32_t i = 0; i < dscq_tflite_outputs(f); i++) {
        const dscq_tflite_info t =
            dscq_tflite_tensor(f, dscq_tflite_output_tensor(f, i));
        float *v = dscq_calloc(t.count, sizeof *v);
        dscq_graph_collect(v, dscq_tflite_output(f, i), m, y);
        for (size_t k = 0; k < t.count; k++) {
            const double code = round((double)v[k] / t.scale) + t.zero;
            const double mine = t.bits > 0 ? fmin(fmax(code, -128), 127) : (double)v[k];
            worst = fmax(worst, fabs(mine - s->v[i][k]));
        }
        dscq_free(v);
    }
    return worst;
}

/* Largest difference between the file and its network, put on the file's grids. */
static double difference(dscq_tflite *f, dscq_model *m, uint64_t seed)
{
    const dscq_exec_options o = {.batch = 1};
    const dscq_shape shape = dscq_model_input(m);
    dscq_rng rng = dscq_rng_seeded(seed);
    float *x = dscq_calloc(dscq_shape_count(&shape), sizeof *x);
    double *in[4] = {NULL};
    seen s = {.f = f};
    dscq_exec *e = NULL;
    int32_t count;
    dscq_error err = {0};

    make_input(x, in, &rng, f, shape);
    test_ok(dscq_tflite_run(f, (const double *const *)in, see, &s, &err));
    test_ok(dscq_exec_create(&e, m, &o, &err));
    const dscq_graph_range *r = dscq_tflite_ranges(f, &count);
    for (int32_t i = 0; i < count; i++) {
        const dscq_act_quant q = {(float)r[i].scale, r[i].zero, 8, 0};
        test_ok(dscq_exec_quantise(e, r[i].node, &q, &err));
    }
    dscq_exec_refresh(e);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
    const double worst = compare(f, m, e, &s);
    dscq_exec_destroy(e);
    for (int i = 0; i < 4; i++)
        dscq_free(in[i]);
    for (int i = 0; i < OUTPUTS; i++)
        dscq_free(s.v[i]);
    dscq_free(x);
    return worst;
}

START_TEST(a_network_gives_what_the_file_gives)
{
    static maker k;
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    k = (maker){.rng = dscq_rng_seeded((uint64_t)_i + 1)};
    k_cases[_i].make(&k);
    ck_assert_msg(open(&f, &m, NULL, &k, &err) == DSCQ_OK, "%s: %s", k_cases[_i].name,
                  err.msg);
    for (uint64_t seed = 1; seed < 4; seed++) {
        const double worst = difference(f, m, seed);
        ck_assert_msg(worst < 2e-4, "%s: %g", k_cases[_i].name, worst);
    }
    dscq_model_destroy(m);
    dscq_tflite_close(f);
}
END_TEST

/* ---- codes -------------------------------------------------------------- */

static const float k_x_scale = 0.05F, k_y_scale = 0.047F, k_z_scale = 0.11F;
static const int64_t k_x_zero = -3, k_y_zero = -128, k_z_zero = 12;

static int32_t codes(maker *k, const char *name, const int32_t *dim, int rank)
{
    int8_t *v = &k->code[k->codes];
    size_t n = 1;

    for (int i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    ck_assert_uint_le(k->codes + n, NUMBERS);
    k->codes += n;
    for (size_t i = 0; i < n; i++)
        v[i] = (int8_t)((int)dscq_rng_below(&k->rng, 255) - 127);
    return make_const(&k->f, name, MAKE_I8, dim, rank, v, n);
}

static int32_t code_map(maker *k, const char *name, int32_t h, int32_t w, int32_t c,
                        const float *scale, const int64_t *zero)
{
    const int32_t t = make_add(&k->f, name, MAKE_I8, DIM(1, h, w, c), 4);

    make_grid(&k->f, t, scale, zero, 1, 0);
    return t;
}

/* Convolution with a scale a filter, depthwise, sum, mean, and the real values back. */
static void a_quantised_file(maker *k)
{
    const int32_t x = code_map(k, "x", H, W, C, &k_x_scale, &k_x_zero),
                  w = codes(k, "w", DIM(C, 3, 3, C), 4),
                  v = codes(k, "v", DIM(1, 3, 3, C), 4),
                  b = wholes(k, "b", DIM(900, -700, 0, 30), C),
                  a = code_map(k, "a", H, W, C, &k_y_scale, &k_y_zero),
                  d = code_map(k, "d", H, W, C, &k_y_scale, &k_y_zero),
                  s = code_map(k, "s", H, W, C, &k_z_scale, &k_z_zero);
    float *scale = &k->real[k->reals];
    make_op *o;

    for (int i = 0; i < C; i++)
        scale[i] = 0.004F + 0.001F * (float)i;
    k->reals += C;
    make_grid(&k->f, w, scale, NULL, C, 0);
    make_grid(&k->f, v, scale, NULL, C, 3);
    (void)conv(k, x, w, b, a, 1, 1, 1);
    o = make_call(&k->f, DEPTHWISE_CONV_2D, LIST(a, v, b), LIST(d));
    make_set(o, 1, 4, 1);
    make_set(o, 2, 4, 1);
    make_set(o, 3, 4, 1);
    make_set(o, 4, 1, 3);
    (void)make_call(&k->f, ADD, LIST(x, d), LIST(s));
    ends(k, x, s);
}

START_TEST(codes_stay_within_a_step)
{
    static maker k;
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    int32_t count;
    dscq_error err = {0};

    k = (maker){.rng = dscq_rng_seeded(5)};
    a_quantised_file(&k);
    test_ok(open(&f, &m, NULL, &k, &err));
    const dscq_graph_range *r = dscq_tflite_ranges(f, &count);
    ck_assert_int_eq(count, 4); /* the input and three layers */
    ck_assert_int_eq(r[0].node, DSCQ_INPUT);
    ck_assert_int_eq(r[0].zero, k_x_zero);
    ck_assert_double_eq(r[0].scale, (double)k_x_scale);
    ck_assert_int_eq(r[0].lo, -128);
    ck_assert_int_eq(r[0].hi, 127);
    /* the weights are what their codes stand for, to the last bit */
    const dscq_weights *w = dscq_model_node(m, 0)->weights;
    for (size_t i = 0; i < w->count; i++)
        ck_assert(w->w[i] == (float)(k.code[i] * (double)k.real[i / (w->count / C)]));
    for (uint64_t seed = 1; seed < 20; seed++)
        ck_assert_double_le(difference(f, m, seed), 1);
    dscq_model_destroy(m);
    dscq_tflite_close(f);
}
END_TEST

/* Weights of codes beside float activations: multiplied out, and it says so. */
START_TEST(a_dynamic_range_file_is_multiplied_out)
{
    static const float scale = 0.01F;
    static maker k;
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    k = (maker){.rng = dscq_rng_seeded(6)};
    const int32_t x = start(&k), w = codes(&k, "w", DIM(3, 1, 1, C), 4),
                  y = map(&k, "y", H, W, 3);
    make_grid(&k.f, w, &scale, NULL, 1, 0);
    (void)conv(&k, x, w, -1, y, 1, 1, 0);
    finish(&k, y);
    test_ok(open(&f, &m, NULL, &k, &err));
    ck_assert_ptr_nonnull(dscq_tflite_note(f, 0));
    ck_assert_ptr_nonnull(strstr(dscq_tflite_note(f, 0), "dynamic-range"));
    ck_assert_ptr_null(dscq_tflite_note(f, 1));
    ck_assert_double_lt(difference(f, m, 3), 2e-4);
    dscq_model_destroy(m);
    dscq_tflite_close(f);
}
END_TEST

START_TEST(what_ends_a_file_is_cut_off)
{
    static maker k;
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    k = (maker){.rng = dscq_rng_seeded(6)};
    const int32_t x = start(&k), a = map(&k, "a", H, W, C), y = map(&k, "y", H, W, C);
    (void)make_call(&k.f, RELU, LIST(x), LIST(a));
    (void)make_call(&k.f, L2_NORMALIZATION, LIST(a), LIST(y));
    finish(&k, y);
    test_ok(open(&f, &m, NULL, &k, &err));
    ck_assert_str_eq(dscq_tflite_note(f, 0),
                     "L2_NORMALIZATION at output 'y' is left out: the network gives "
                     "what it reads");
    ck_assert_int_eq(dscq_model_nodes(m), 1);
    dscq_model_destroy(m);
    dscq_tflite_close(f);
}
END_TEST

/* ---- refusals ----------------------------------------------------------- */

START_TEST(all_that_cannot_be_expressed_is_named)
{
    static maker k;
    static const char *const k_rows[][2] = {
        {"CUSTOM:fft", "this operator is not supported"},
        {"LSTM", "this operator is not supported"},
        {"MEAN", "only over rows and columns of a map"},
    };
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_table *t = NULL;
    dscq_error err = {0};

    k = (maker){.rng = dscq_rng_seeded(6)};
    const int32_t x = start(&k), a = map(&k, "a", H, W, C), b = map(&k, "b", H, W, C),
                  c = map(&k, "c", H, W, C), d = map(&k, "d", H, W, 1),
                  axis = wholes(&k, "axis", DIM(3), 1);
    make_call(&k.f, CUSTOM, LIST(x), LIST(a))->custom = "fft";
    (void)make_call(&k.f, RELU, LIST(a), LIST(b)); /* behind a refused one: silent */
    (void)make_call(&k.f, LSTM, LIST(b), LIST(c)); /* refused for itself          */
    make_set(make_call(&k.f, MEAN, LIST(x, axis), LIST(d)), 0, 1, 1);
    finish(&k, c);
    finish(&k, d);
    test_fails(open(&f, &m, &t, &k, &err), DSCQ_UNSUPPORTED,
               "made.tflite: 3 operators cannot be imported; the first is CUSTOM:fft "
               "'a': this operator is not supported");
    ck_assert_ptr_null(m);
    ck_assert_ptr_nonnull(t);
    ck_assert_uint_eq(dscq_table_rows(t), 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(dscq_table_text(t, i, 1), k_rows[i][0]);
        ck_assert_str_eq(dscq_table_text(t, i, 3), k_rows[i][1]);
    }
    dscq_table_destroy(t);
    dscq_tflite_close(f);
}
END_TEST

START_TEST(an_input_of_no_fixed_size_is_one_more_reason)
{
    static maker k;
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_table *t = NULL;
    dscq_error err = {0};

    k = (maker){.rng = dscq_rng_seeded(6)};
    const int32_t x = make_add(&k.f, "x", MAKE_F32, DIM(1, -1, 4, 4), 4),
                  y = map(&k, "y", H, W, C);
    (void)make_call(&k.f, LSTM, LIST(x), LIST(y));
    ends(&k, x, y);
    ck_assert_int_eq(open(&f, &m, &t, &k, &err), DSCQ_UNSUPPORTED);
    ck_assert_uint_eq(dscq_table_rows(t), 2);
    ck_assert_str_eq(dscq_table_text(t, 0, 1), "input");
    ck_assert_str_eq(dscq_table_text(t, 1, 1), "LSTM");
    dscq_table_destroy(t);
    dscq_tflite_close(f);
}
END_TEST

/* ---- memory ------------------------------------------------------------- */

typedef struct made {
    uint8_t *data;
    size_t bytes;
} made;

static dscq_status read_and_lower(void *ctx, dscq_error *err)
{
    const made *k = ctx;
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_table *t = NULL;
    dscq_status status = dscq_tflite_parse(&f, k->data, k->bytes, "made.tflite", err);

    if (status == DSCQ_OK)
        status = dscq_tflite_to_model(&m, &t, f, err);
    dscq_table_destroy(t);
    dscq_model_destroy(m);
    dscq_tflite_close(f);
    return status;
}

START_TEST(want_of_memory_is_said)
{
    static maker k;

    k = (maker){.rng = dscq_rng_seeded(6)};
    constants(&k);
    made of = {NULL, 0};
    of.data = make_bytes(&of.bytes, &k.f);
    ck_assert_uint_gt(test_each_alloc_fails(read_and_lower, &of), 10);
    dscq_free(of.data);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tflite_network", &tc);

    tcase_add_loop_test(tc, a_network_gives_what_the_file_gives, 0,
                        sizeof k_cases / sizeof k_cases[0]);
    tcase_add_test(tc, codes_stay_within_a_step);
    tcase_add_test(tc, a_dynamic_range_file_is_multiplied_out);
    tcase_add_test(tc, what_ends_a_file_is_cut_off);
    tcase_add_test(tc, all_that_cannot_be_expressed_is_named);
    tcase_add_test(tc, an_input_of_no_fixed_size_is_one_more_reason);
    tcase_add_test(tc, want_of_memory_is_said);
    return s;
}

int main(void)
{
    return test_run(make);
}
