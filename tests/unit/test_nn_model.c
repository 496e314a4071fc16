/* Graphs from cfg files: sizes, widths, names, outputs; folding, quantised
 * activations, observers, freezing. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static dscq_model *from_file(const char *path, const char *set, dscq_error *err)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    const dscq_rng r = dscq_rng_seeded(1);

    if (dscq_config_load(&cfg, path, err) == DSCQ_OK &&
        (set == NULL || dscq_config_set(cfg, set, "--set", err) == DSCQ_OK))
        dscq_model_from_config(&m, cfg, "data|train|compress|machine", &r, err);
    dscq_config_destroy(cfg);
    return m;
}

static dscq_model *from_text(const char *text)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(1);

    ck_assert_int_eq(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err),
                     DSCQ_OK);
    ck_assert_msg(dscq_model_from_config(&m, cfg, "", &r, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_config_destroy(cfg);
    return m;
}

/* Figures of the papers, or counted by hand. */
static const struct {
    const char *file, *set;
    double params, macs, tolerance;
} k_sizes[] = {
    {"mobilenet_v1_224.cfg", NULL, 4.23e6, 569e6, 0.01},
    {"mobilenet_v2_224.cfg", NULL, 3.50e6, 300e6, 0.01},
    {"mobilenet_v1_32.cfg", NULL, 3.22e6, 46.4e6, 0.01},
    {"mobilenet_v1_32.cfg", "net.width_multiplier=0.25", 0.216e6, 3.33e6, 0.01},
    {"mobilenet_v1_32.cfg", "net.width_multiplier=0.5", 0.824e6, 12.2e6, 0.01},
    {"mobilenet_v2_32.cfg", NULL, 2.24e6, 88.0e6, 0.01},
    {"tiny_dsc.cfg", NULL, 0.078e6, 16.2e6, 0.01},
    {"resnet20.cfg", NULL, 0.272e6, 40.8e6, 0.01},
    {"alexnet_227.cfg", NULL, 60.97e6, 724e6, 0.01},
    {"squeezenet.cfg", NULL, 1.235e6, 352e6, 0.01},
    {"alexnet_cifar_wide.cfg", NULL, 7.51e6, 172e6, 0.01},
    {"lenet_dsc.cfg", NULL, 10474, 0.843e6, 0.001},
    {"mobilenet_v3_small_224.cfg", NULL, 2.54e6, 56.5e6, 0.01},
};

START_TEST(shipped_networks_have_the_published_sizes)
{
    char path[256];
    dscq_error err = {0};

    snprintf(path, sizeof path, "data/nets/%s", k_sizes[_i].file);
    dscq_model *m = from_file(test_source(path), k_sizes[_i].set, &err);
    ck_assert_msg(m != NULL, "%s", err.msg);
    ck_assert_double_eq_tol((double)dscq_model_param_count(m) / k_sizes[_i].params, 1,
                            k_sizes[_i].tolerance);
    ck_assert_double_eq_tol((double)dscq_model_macs(m) / k_sizes[_i].macs, 1,
                            k_sizes[_i].tolerance);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(every_shipped_network_loads)
{
    dscq_dir dir = {0};
    dscq_error err = {0};
    int seen = 0;

    ck_assert_int_eq(dscq_dir_list(&dir, test_source("data/nets"), &err), DSCQ_OK);
    for (size_t i = 0; i < dir.count; i++) {
        char path[1024];
        dscq_table *t = NULL;
        if (!dscq_glob_match("*.cfg", dir.name[i]))
            continue;
        snprintf(path, sizeof path, "data/nets/%s", dir.name[i]);
        dscq_model *m = from_file(test_source(path), NULL, &err);
        ck_assert_msg(m != NULL, "%s", err.msg);
        ck_assert_int_eq(dscq_model_table(&t, m, &err), DSCQ_OK);
        ck_assert_uint_eq(dscq_table_rows(t), (size_t)dscq_model_nodes(m));
        dscq_table_destroy(t);
        dscq_model_destroy(m);
        seen++;
    }
    ck_assert_int_ge(seen, 10);
    dscq_dir_free(&dir);
}
END_TEST

START_TEST(width_scales_all_but_the_last_weights)
{
    dscq_model *m = from_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\nwidth_multiplier=0.3\n"
        "[convolutional]\nfilters=32\nsize=3\npad=1\nactivation=relu\n"
        "[convolutional]\nfilters=32\ngroups=32\nsize=3\npad=1\nactivation=relu\n"
        "[convolutional]\nfilters=64\nsize=1\nactivation=relu\n"
        "[avgpool]\n[connected]\noutput=10\nactivation=linear\n[softmax]\n");

    /* 9.6 -> 8 would lose more than a tenth -> 16; 19.2 -> 16 likewise -> 24 */
    ck_assert_int_eq(dscq_model_node(m, 0)->out.c, 16);
    ck_assert_int_eq(dscq_model_node(m, 1)->window.groups, 16);
    ck_assert_int_eq(dscq_model_node(m, 2)->out.c, 24);
    ck_assert_int_eq(dscq_model_node(m, 4)->out.c, 10);
    dscq_model_destroy(m);
    /* 100.8 is nearer to 104 than to 96, which would do as well */
    m = from_text("[net]\nwidth=8\nheight=8\nchannels=3\nwidth_multiplier=0.3\n"
                  "[convolutional]\nfilters=336\nsize=1\nactivation=relu\n"
                  "[connected]\noutput=10\nactivation=linear\n");
    ck_assert_int_eq(dscq_model_node(m, 0)->out.c, 104);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(names_outputs_and_defaults)
{
    dscq_model *m = from_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\nname=small\nbn_eps=1e-3\n"
        "[convolutional]\nname=first\nfilters=14\nsize=3\npad=1\nbatch_normalize=1\n"
        "activation=leaky\n"
        "[convolutional]\nfilters=14\nsize=1\nactivation=linear\nlearning_rate=0.5\n"
        "[yolo]\nmask=0,1\nnum=2\nclasses=2\nanchors=1,1,2,2\n"
        "[route]\nlayers=0\n"
        "[convolutional]\nfilters=7\nsize=1\nactivation=linear\nstopbackward=1\n"
        "[yolo]\nmask=1\nnum=2\nclasses=2\nanchors=1,1,2,2\n");

    ck_assert_str_eq(dscq_model_name(m), "small");
    ck_assert_int_eq(dscq_model_find(m, "first"), 0);
    ck_assert_str_eq(dscq_model_node(m, 1)->name, "1_convolutional");
    ck_assert_double_eq_tol(dscq_model_node(m, 0)->act_slope, 0.1, 1e-12);
    ck_assert_double_eq_tol(dscq_model_node(m, 0)->weights->bn_eps, 1e-3, 1e-15);
    ck_assert_double_eq_tol(dscq_model_node(m, 1)->rate, 0.5, 1e-12);
    ck_assert_int_eq(dscq_model_outputs(m), 2);
    ck_assert_int_eq(dscq_model_output(m, 0), 2);
    ck_assert_int_eq(dscq_model_output(m, 1), 5);
    ck_assert_int_eq(dscq_model_node(m, 4)->frozen, 1); /* and all before it */
    ck_assert_int_eq(dscq_model_node(m, 0)->frozen, 1);
    ck_assert_int_eq(dscq_model_freeze(m, "first,*conv*", 0), 3);
    ck_assert_int_eq(dscq_model_node(m, 0)->frozen, 0);
    ck_assert_uint_eq(dscq_model_float_bytes(m),
                      4 * ((27 * 14 + 14) + (14 * 14 + 14) + (14 * 7 + 7)));
    dscq_model_destroy(m);
}
END_TEST

START_TEST(weights_are_drawn_by_fan_in_and_seed)
{
    static const char text[] =
        "[net]\nwidth=8\nheight=8\nchannels=64\n"
        "[convolutional]\nfilters=128\nsize=3\nactivation=relu\n";
    dscq_model *a = from_text(text), *b = from_text(text);
    const dscq_weights *w = dscq_model_node(a, 0)->weights;
    double squares = 0;

    for (size_t i = 0; i < w->count; i++)
        squares += (double)w->w[i] * (double)w->w[i];
    ck_assert_double_eq_tol(squares / (double)w->count * 576 / 2, 1, 0.02); /* He */
    ck_assert_mem_eq(w->w, dscq_model_node(b, 0)->weights->w, w->count * sizeof(float));
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

static const char k_small[] = "[net]\nwidth=4\nheight=4\nchannels=2\n"
                              "[convolutional]\nfilters=8\nsize=3\npad=1\n"
                              "batch_normalize=1\nactivation=relu\n"
                              "[route]\nlayers=-1\n"
                              "[depthwise]\nsize=3\npad=1\nactivation=relu\n"
                              "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n";

static void fill(float *x, size_t n)
{
    dscq_rng r = dscq_rng_seeded(8);

    for (size_t i = 0; i < n; i++)
        x[i] = dscq_rng_normal(&r);
}

START_TEST(quantised_activations_are_codes_times_scale)
{
    dscq_model *m = from_text(k_small);
    float x[2 * 32];
    dscq_error err = {0};
    dscq_exec *e = NULL;
    const dscq_exec_options o = {.batch = 2, .keep_nodes = 1};
    const dscq_act_quant q = {0.05f, -100, 8, 0};
    dscq_shape s;

    fill(x, 64);
    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        ck_assert_int_eq(dscq_exec_quantise(e, i, &q, &err), DSCQ_OK);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 2, NULL);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const float *y = dscq_exec_node_output(e, i, &s);
        for (size_t k = 0; k < dscq_shape_count(&s); k++) {
            const double code = (double)y[k] / 0.05 - 100;
            ck_assert_double_eq_tol(code, round(code), 1e-3);
            ck_assert(code >= -128 - 1e-3 && code <= 127 + 1e-3);
        }
    }
    const dscq_act_quant bad = {0.1f, 0, 40, 0};
    ck_assert_int_eq(dscq_exec_quantise(e, 0, &bad, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_exec_quantise(e, 9, &q, &err), DSCQ_ARG);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
}
END_TEST

/* The gradient passes where a code is inside its range and nowhere else. */
START_TEST(quantised_gradient_is_straight_through)
{
    dscq_model *m = from_text("[net]\nwidth=4\nheight=4\nchannels=1\n"
                              "[convolutional]\nfilters=1\nsize=1\nactivation=linear\n"
                              "[activation]\nactivation=linear\n");
    float x[16];
    dscq_error err = {0};
    dscq_exec *e = NULL;
    const dscq_exec_options o = {.batch = 1, .training = 1};
    const dscq_act_quant q = {0.5f, 0, 2, 0}; /* codes -2..1: -1 .. 0.5 */
    double want = 0, want_bias = 0;

    fill(x, 16);
    dscq_weights *w = dscq_model_node(m, 0)->weights;
    w->w[0] = 1.0f;
    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_exec_quantise(e, 0, &q, &err), DSCQ_OK);
    dscq_exec_forward(e, DSCQ_PASS_TRAIN, x, 1, NULL);
    const float *y = dscq_exec_output(e, 0, NULL);
    for (int i = 0; i < 16; i++) {
        const double code = round((double)x[i] / 0.5);
        const double clamped = fmin(1, fmax(-2, code));
        ck_assert_double_eq_tol((double)y[i], 0.5 * clamped, 1e-6);
        dscq_exec_output_grad(e, 0)[i] = (float)(i + 1);
        want += code == clamped ? (i + 1) * (double)x[i] : 0;
        want_bias += code == clamped ? i + 1 : 0;
    }
    dscq_exec_backward(e);
    ck_assert_double_eq_tol((double)dscq_exec_grads(e, 0).w[0], want, 1e-3);
    ck_assert_double_eq_tol((double)dscq_exec_grads(e, 0).bias[0], want_bias, 1e-3);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
}
END_TEST

typedef struct seen {
    int32_t nodes[8];
    double sum[8];
    int count;
} seen;

static void watch(void *ctx, int32_t node, const float *y, dscq_shape shape)
{
    seen *s = ctx;

    s->nodes[s->count] = node;
    for (size_t i = 0; i < dscq_shape_count(&shape); i++)
        s->sum[s->count] += (double)y[i];
    s->count++;
}

START_TEST(observers_see_the_input_and_every_node_in_order)
{
    dscq_model *m = from_text(k_small);
    float x[64];
    dscq_error err = {0};
    dscq_exec *e = NULL, *keep = NULL;
    seen s = {.count = 0};
    const dscq_exec_options o = {.batch = 2}, all = {.batch = 2, .keep_nodes = 1};

    fill(x, 64);
    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_exec_create(&keep, m, &all, &err), DSCQ_OK);
    dscq_exec_observe(e, watch, &s);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 2, NULL);
    dscq_exec_forward(keep, DSCQ_PASS_EVAL, x, 2, NULL);
    ck_assert_int_eq(s.count, 5);
    for (int i = 0; i < 5; i++) {
        dscq_shape shape;
        const float *y = dscq_exec_node_output(keep, i - 1, &shape);
        double sum = 0;
        for (size_t k = 0; k < dscq_shape_count(&shape); k++)
            sum += (double)y[k];
        ck_assert_int_eq(s.nodes[i], i - 1);
        ck_assert_double_eq_tol(s.sum[i], sum, 1e-9);
    }
    ck_assert_double_eq_tol(s.sum[1], s.sum[2], 1e-9); /* the route is a view */
    dscq_exec_destroy(e);
    dscq_exec_destroy(keep);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(folding_gives_what_inference_computes)
{
    dscq_model *m = from_text("[net]\nwidth=3\nheight=3\nchannels=1\n[batchnorm]\n");
    dscq_weights *w = dscq_model_node(m, 0)->weights;
    float x[9], scale, shift;
    dscq_error err = {0};
    dscq_exec *e = NULL;
    const dscq_exec_options o = {.batch = 1};

    fill(x, 9);
    w->gamma[0] = -2.0f;
    w->beta[0] = 0.5f;
    w->mean[0] = 0.25f;
    w->var[0] = 4.0f;
    dscq_node_fold(dscq_model_node(m, 0), &scale, &shift);
    ck_assert_double_eq_tol((double)scale, -2 / sqrt(4 + 1e-5), 1e-6);
    ck_assert_double_eq_tol((double)shift, 0.5 + 0.25 * 2 / sqrt(4 + 1e-5), 1e-6);
    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
    for (int i = 0; i < 9; i++)
        ck_assert_double_eq_tol((double)dscq_exec_output(e, 0, NULL)[i],
                                (double)(scale * x[i] + shift), 1e-5);
    w->beta[0] = 1.5f; /* seen after a refresh */
    dscq_exec_refresh(e);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
    ck_assert_double_eq_tol((double)dscq_exec_output(e, 0, NULL)[0],
                            (double)(scale * x[0] + shift + 1.0f), 1e-5);
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(importers_build_the_same_graph)
{
    const dscq_window win = {3, 3, 2, 2, 0, 0, 1, 1, 1, 1, 1};
    const dscq_conv_params conv = dscq_conv_params_make(4, &win);
    const dscq_pool_params pool = dscq_pool_params_global();
    const dscq_node_spec spec = {.name = "c", .has_bias = 1, .act = DSCQ_ACT_RELU};
    const int32_t input = DSCQ_INPUT;
    dscq_model *m = NULL;
    dscq_error err = {0};
    int32_t at = -1;

    ck_assert_int_eq(dscq_model_create(&m, "x", (dscq_shape){1, 8, 8, 3}, &err),
                     DSCQ_OK);
    ck_assert_int_eq(
        dscq_model_add(&at, m, "convolutional", &conv, &spec, &input, 1, &err),
        DSCQ_OK);
    ck_assert_int_eq(at, 0);
    ck_assert_int_eq(dscq_model_node(m, 0)->out.h, 4); /* SAME: pads 0 and 1 */
    ck_assert_int_eq(dscq_model_add(&at, m, "avgpool", &pool, NULL, &at, 1, &err),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_model_add(&at, m, "avgpool", &pool, &spec, &at, 1, &err),
                     DSCQ_FORMAT); /* a second "c" */
    ck_assert_int_eq(dscq_model_add(&at, m, "nonsense", NULL, NULL, &at, 1, &err),
                     DSCQ_UNSUPPORTED);
    const int32_t late = 7;
    ck_assert_int_eq(dscq_model_add(&at, m, "avgpool", &pool, NULL, &late, 1, &err),
                     DSCQ_FORMAT);
    ck_assert_int_eq(dscq_model_nodes(m), 2);
    ck_assert_int_eq(dscq_model_output(m, 0), 1);
    dscq_model_destroy(m);
    ck_assert_int_eq(dscq_model_create(&m, "x", (dscq_shape){1, 8, 0, 3}, &err),
                     DSCQ_FORMAT);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("nn_model", &tc);

    tcase_add_loop_test(tc, shipped_networks_have_the_published_sizes, 0,
                        (int)(sizeof k_sizes / sizeof k_sizes[0]));
    tcase_add_test(tc, every_shipped_network_loads);
    tcase_add_test(tc, width_scales_all_but_the_last_weights);
    tcase_add_test(tc, names_outputs_and_defaults);
    tcase_add_test(tc, weights_are_drawn_by_fan_in_and_seed);
    tcase_add_test(tc, quantised_activations_are_codes_times_scale);
    tcase_add_test(tc, quantised_gradient_is_straight_through);
    tcase_add_test(tc, observers_see_the_input_and_every_node_in_order);
    tcase_add_test(tc, folding_gives_what_inference_computes);
    tcase_add_test(tc, importers_build_the_same_graph);
    tcase_set_timeout(tc, 60);
    return s;
}

int main(void)
{
    return test_run(make);
}
