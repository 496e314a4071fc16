/* Whatever a network holds in memory, its net.cfg gives back: every layer and key at
 * the ends of its range, values near what a default could be mistaken for, names. */
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/export/float_onnx.h"
#include "dscq/export/net_cfg.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "dscq/onnx/build.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 12, CHANNELS = 25 }; /* what a head of one anchor and 20 classes reads */

static dscq_model *read_back(const dscq_model *m)
{
    const dscq_rng r = dscq_rng_seeded(1);
    dscq_config *cfg = NULL;
    dscq_model *back = NULL;
    dscq_str text = {0};
    dscq_error err = {0};

    test_ok(dscq_export_net_cfg(&text, m, DSCQ_CFG_OURS, &err));
    test_ok(dscq_config_parse(&cfg, text.text, text.len, "net.cfg", &err));
    ck_assert_msg(dscq_model_from_config(&back, cfg, "", &r, &err) == DSCQ_OK, "%s\n%s",
                  err.msg, text.text);
    dscq_config_destroy(cfg);
    dscq_str_free(&text);
    return back;
}

static int slides(const dscq_node *n)
{
    return n->window.kernel_h > 0 && strcmp(n->type, "connected") != 0;
}

/* Params that say the same: the window of what slides, else every key. */
static void same_params(const dscq_node *a, const dscq_node *b)
{
    char x[4096], y[4096];

    ck_assert_mem_eq(&a->window, &b->window, sizeof a->window);
    for (const dscq_key *k = a->ops->keys; k->name != NULL && !slides(a); k++) {
        if (strcmp(k->name, "from") == 0 || strcmp(k->name, "layers") == 0)
            continue;
        dscq_keys_print(x, sizeof x, a->params, k);
        dscq_keys_print(y, sizeof y, b->params, k);
        ck_assert_msg(strcmp(x, y) == 0, "[%s] %s: %s became %s", a->type, k->name, x,
                      y);
    }
}

static void same_node(const dscq_node *a, const dscq_node *b)
{
    ck_assert_str_eq(a->type, b->type);
    ck_assert_int_eq(a->normalised, b->normalised);
    ck_assert_int_eq(a->weights->bias != NULL, b->weights->bias != NULL);
    ck_assert_int_eq(a->act, b->act);
    ck_assert_int_eq(a->frozen, b->frozen);
    ck_assert_double_eq(a->rate, b->rate);
    if (dscq_act_at(a->act)->is_sloped)
        ck_assert_msg(a->act_slope == b->act_slope, "[%s] slope: %.17g became %.17g",
                      a->type, a->act_slope, b->act_slope);
    if (a->normalised)
        ck_assert_msg(a->weights->bn_eps == b->weights->bn_eps,
                      "[%s] bn_eps: %.17g became %.17g", a->type, a->weights->bn_eps,
                      b->weights->bn_eps);
    ck_assert(dscq_shape_same_map(&a->in, &b->in));
    ck_assert(dscq_shape_same_map(&a->out, &b->out));
    same_params(a, b);
}

/* Every node of m by its name; sections that only pass something on may come beside. */
static void comes_back(const dscq_model *m)
{
    dscq_model *back = read_back(m);

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const int32_t j = dscq_model_find(back, dscq_model_node(m, i)->name);
        ck_assert_int_ge(j, 0);
        same_node(dscq_model_node(m, i), dscq_model_node(back, j));
    }
    dscq_model_destroy(back);
}

/* Two maps of the same size to build on. */
static dscq_model *ground(void)
{
    const dscq_window w = {.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    const dscq_conv_params p = dscq_conv_params_make(CHANNELS, &w);
    const int32_t input = DSCQ_INPUT;
    dscq_model *m = NULL;
    dscq_error err = {0};

    test_ok(dscq_model_create(&m, "m", (dscq_shape){1, SIDE, SIDE, 3}, &err));
    for (int i = 0; i < 2; i++)
        test_ok(dscq_model_add(NULL, m, "convolutional", &p,
                               &(dscq_node_spec){.name = NULL}, &input, 1, &err));
    return m;
}

static dscq_status add(dscq_model *m, const dscq_layer_ops *ops, const void *params,
                       const dscq_node_spec *spec)
{
    const int32_t inputs[] = {1, 0};
    dscq_error err = {0};

    return dscq_model_add(NULL, m, ops->name, params, spec, inputs,
                          ops->inputs_min > 1 ? ops->inputs_min : 1, &err);
}

typedef union params_room {
    double align;
    char bytes[8192];
} params_room;

static void plain_params(void *params, const dscq_layer_ops *ops)
{
    dscq_error err = {0};

    test_ok(dscq_keys_defaults(params, ops->keys, &err));
    const dscq_key *anchors = dscq_keys_find(ops->keys, "anchors");
    if (anchors != NULL)
        test_ok(dscq_keys_set(params, ops->keys, "anchors", "1.1,1e5", &err));
}

/* The network with one layer whose key k is v; 0: no such layer can be. */
static int with_value(const dscq_layer_ops *ops, const dscq_key *k, double v)
{
    params_room params = {0};
    const dscq_node_spec spec = {
        .name = "x", .normalised = (ops->flags & DSCQ_LAYER_ALWAYS_NORM) != 0};
    dscq_model *m = ground();

    ck_assert_uint_le(ops->param_bytes, sizeof params);
    plain_params(&params, ops);
    if (k->type == DSCQ_KEY_REAL)
        memcpy(params.bytes + k->offset, &v, sizeof v);
    else
        memcpy(params.bytes + k->offset, &(int32_t){(int32_t)v}, sizeof(int32_t));
    const int made = add(m, ops, &params, &spec) == DSCQ_OK;
    if (made)
        comes_back(m);
    dscq_model_destroy(m);
    return made;
}

START_TEST(every_key_of_every_layer_comes_back)
{
    const dscq_layer_ops *ops = dscq_layer_at((size_t)_i);
    size_t tried = 0, made = 0;

    for (const dscq_key *k = ops->keys; k->name != NULL; k++) {
        const int is_width = /* weights are made for as many */
            strcmp(k->name, "filters") == 0 || strcmp(k->name, "output") == 0;
        const int is_enum = k->type == DSCQ_KEY_ENUM,
                  is_number = k->type == DSCQ_KEY_REAL || k->type == DSCQ_KEY_INT ||
                              k->type == DSCQ_KEY_BOOL;
        const double v[] = {is_enum ? 0 : k->min,
                            is_enum    ? 1
                            : is_width ? 1000
                                       : k->max,
                            1,
                            2,
                            3,
                            k->type == DSCQ_KEY_REAL ? k->min + (k->max - k->min) / 3
                                                     : 1};
        for (size_t i = 0; (is_number || is_enum) && i < sizeof v / sizeof *v; i++)
            if (is_enum ? v[i] < 2 : v[i] >= k->min && v[i] <= k->max) {
                tried++;
                made += (size_t)with_value(ops, k, v[i]);
            }
    }
    ck_assert_msg(tried == 0 || made > 0, "[%s]: none of %zu layers could be made",
                  ops->name, tried);
}
END_TEST

static const double k_slopes[] = {-1e6, -1, -0.5, -0.1309586614370346, -1e-30, 0, 1e-9,
                                  0.01, 1,  1e6};

START_TEST(every_slope_comes_back)
{
    for (size_t i = 0; i < sizeof k_slopes / sizeof *k_slopes; i++) {
        dscq_model *m = ground();
        const dscq_node_spec leaky = {.name = "leaky",
                                      .act = DSCQ_ACT_LEAKY,
                                      .act_slope = k_slopes[i]},
                             elu = {.name = "elu",
                                    .act = DSCQ_ACT_ELU,
                                    .act_slope = k_slopes[i]};
        ck_assert_int_eq(add(m, dscq_layer_find("activation"), NULL, &leaky), DSCQ_OK);
        ck_assert_int_eq(add(m, dscq_layer_find("activation"), NULL, &elu), DSCQ_OK);
        comes_back(m);
        dscq_model_destroy(m);
    }
}
END_TEST

static dscq_model *parse(const char *text)
{
    const dscq_rng r = dscq_rng_seeded(1);
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    test_ok(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err));
    test_ok(dscq_model_from_config(&m, cfg, "", &r, &err));
    dscq_config_destroy(cfg);
    return m;
}

static dscq_model *load_onnx(const char *path)
{
    dscq_onnx *file = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    test_ok(dscq_onnx_load(&file, path, &err));
    test_ok(dscq_onnx_to_model(&m, NULL, file, &err));
    dscq_onnx_close(file);
    return m;
}

/* The first layer's; `back` is destroyed. */
static void same_act(const dscq_model *m, dscq_model *back)
{
    const dscq_node *a = dscq_model_node(m, 0), *b = dscq_model_node(back, 0);

    ck_assert_str_eq(dscq_act_name(b->act), dscq_act_name(a->act));
    ck_assert(!dscq_act_at(a->act)->is_sloped ||
              fabs(a->act_slope - b->act_slope) < 1e-7);
    dscq_model_destroy(back);
}

/* What either dialect of Darknet or ONNX cannot say is refused by the activation's
 * name; what they take comes back. */
START_TEST(every_activation_comes_back_or_is_refused)
{
    static const dscq_cfg_dialect dialects[] = {DSCQ_CFG_OURS, DSCQ_CFG_DARKNET,
                                                DSCQ_CFG_PJREDDIE};
    const dscq_act_row *row = dscq_act_at((dscq_act)_i);
    char text[200];
    dscq_error err = {0};

    snprintf(text, sizeof text,
             "[net]\nwidth=4\nheight=4\nchannels=2\n"
             "[convolutional]\nname=a\nactivation=%s\n"
             "[convolutional]\nname=b\nactivation=linear\n",
             row->name);
    dscq_model *m = parse(text), *back = NULL;
    for (int i = 0; i < 3; i++) {
        const int knows = i == 0 || row->darknet >= (i == 1 ? DSCQ_DARKNET_YOUNGER
                                                            : DSCQ_DARKNET_BOTH);
        dscq_str cfg = {0};
        ck_assert_int_eq(dscq_export_net_cfg(&cfg, m, dialects[i], &err),
                         knows ? DSCQ_OK : DSCQ_UNSUPPORTED);
        if (knows) {
            back = parse(cfg.text);
            same_act(m, back);
        } else {
            ck_assert_msg(strstr(err.msg, row->name) != NULL, "%s", err.msg);
        }
        dscq_str_free(&cfg);
    }
    const char *path = test_path("act.onnx");
    ck_assert_int_eq(dscq_export_float_onnx(m, path, &err),
                     row->onnx.op != NULL ? DSCQ_OK : DSCQ_UNSUPPORTED);
    if (row->onnx.op != NULL) {
        back = load_onnx(path);
        same_act(m, back);
    } else {
        ck_assert_msg(strstr(err.msg, row->name) != NULL, "%s", err.msg);
    }
    dscq_model_destroy(m);
}
END_TEST

/* A dialect that knows a layer gives it back, one that does not refuses it by name; no
 * layer is left out of an ONNX file in silence. */
START_TEST(every_layer_is_written_or_refused)
{
    static const struct {
        dscq_cfg_dialect dialect;
        dscq_darknet least;
    } k_dialects[] = {{DSCQ_CFG_OURS, DSCQ_DARKNET_NONE},
                      {DSCQ_CFG_DARKNET, DSCQ_DARKNET_YOUNGER},
                      {DSCQ_CFG_PJREDDIE, DSCQ_DARKNET_BOTH}};
    const dscq_layer_ops *ops = dscq_layer_at((size_t)_i);
    const dscq_node_spec spec = {.name = "it",
                                 .normalised =
                                     (ops->flags & DSCQ_LAYER_ALWAYS_NORM) != 0,
                                 .bn_eps = 1e-5};
    params_room params = {0};
    dscq_error err = {0};
    dscq_model *m = ground();

    plain_params(&params, ops);
    ck_assert_int_eq(add(m, ops, &params, &spec), DSCQ_OK);
    const dscq_node *n = dscq_model_node(m, dscq_model_nodes(m) - 1);
    for (size_t i = 0; i < sizeof k_dialects / sizeof *k_dialects; i++) {
        dscq_str text = {0};
        const dscq_status status =
            dscq_export_net_cfg(&text, m, k_dialects[i].dialect, &err);
        ck_assert_msg(
            status ==
                (ops->darknet >= k_dialects[i].least ? DSCQ_OK : DSCQ_UNSUPPORTED),
            "[%s] dialect %zu: %s", ops->name, i, err.msg);
        if (status == DSCQ_OK) {
            dscq_model *back = parse(text.text);
            const dscq_node *b = dscq_model_node(back, dscq_model_nodes(back) - 1);
            ck_assert_int_eq(b->ops->does, ops->does);
            ck_assert(dscq_shape_same_map(&b->out, &n->out));
            dscq_model_destroy(back);
        } else {
            ck_assert_msg(strstr(err.msg, ops->name) != NULL, "%s", err.msg);
        }
        dscq_str_free(&text);
    }
    const char *path = test_path("layer.onnx");
    const dscq_status status = dscq_export_float_onnx(m, path, &err);
    ck_assert_msg(status == DSCQ_OK || (status == DSCQ_UNSUPPORTED &&
                                        strstr(err.msg, "layer 'it'") != NULL),
                  "[%s]: %s", ops->name, err.msg);
    ck_assert(status != DSCQ_OK || ops->does != DSCQ_DOES_OTHER);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(every_epsilon_comes_back)
{
    static const double eps[] = {0, 1e-300, 1e-12, 1e-5, 0.001, 1, 3.5};

    for (size_t i = 0; i < sizeof eps / sizeof *eps; i++) {
        dscq_model *m = ground();
        const dscq_node_spec norm = {.name = "n", .normalised = 1, .bn_eps = eps[i]};
        ck_assert_int_eq(add(m, dscq_layer_find("batchnorm"), NULL, &norm), DSCQ_OK);
        ck_assert_double_eq(dscq_model_node(m, 2)->weights->bn_eps, eps[i]);
        comes_back(m);
        dscq_model_destroy(m);
    }
}
END_TEST

START_TEST(what_is_left_out_is_the_default_and_auto_says_so)
{
    dscq_model *m = parse("[net]\ninputs=3\nbn_eps=0.002\n"
                          "[activation]\nactivation=leaky\n"
                          "[activation]\nactivation=leaky\nslope=auto\n"
                          "[activation]\nactivation=elu\n"
                          "[activation]\nactivation=leaky\nslope=-1\n"
                          "[batchnorm]\n[batchnorm]\nbn_eps=auto\n"
                          "[batchnorm]\nbn_eps=0\n");
    static const double slope[] = {0.1, 0.1, 1, -1}, eps[] = {0.002, 0.002, 0};

    for (int32_t i = 0; i < 4; i++)
        ck_assert_double_eq(dscq_model_node(m, i)->act_slope, slope[i]);
    for (int32_t i = 0; i < 3; i++)
        ck_assert_double_eq(dscq_model_node(m, 4 + i)->weights->bn_eps, eps[i]);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(training_settings_of_a_layer_come_back)
{
    dscq_model *m = parse("[net]\nwidth=4\nheight=4\nchannels=2\n"
                          "[convolutional]\nname=a\nactivation=relu\nfrozen=1\n"
                          "[convolutional]\nname=b\nactivation=relu\nbias=0\n"
                          "learning_rate=0.3333333333333333\n"
                          "[avgpool]\nname=c\nsize_h=2\nsize_w=3\n");
    comes_back(m);
    dscq_model_destroy(m);
}
END_TEST

/* Names of nodes like those made up for sections that only pass something on. */
START_TEST(no_name_is_taken_by_a_passing_section)
{
    static const char *const name[] = {"pass_0", "4_route", "3_route", "5_route"};
    const int32_t input = DSCQ_INPUT;
    dscq_model *m = ground(); /* the second one reads the input too */
    dscq_error err = {0};

    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const dscq_node_spec spec = {.name = name[i]};
        test_ok(dscq_model_add(NULL, m, "activation", NULL, &spec,
                               i == 0 ? &input : &(int32_t){0}, 1, &err));
    }
    comes_back(m);
    dscq_model_destroy(m);
}
END_TEST

/* Outputs in another order than their layers, and in the same. */
START_TEST(the_order_of_outputs_comes_back)
{
    static const int32_t order[][3] = {{2, 0, 1}, {0, 1, 2}, {1, 2, 0}, {2, 1, 0}};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        dscq_model *m = ground();
        dscq_error err = {0};
        test_ok(
            dscq_model_add(NULL, m, "activation", NULL, NULL, &(int32_t){0}, 1, &err));
        for (int j = 0; j < 3; j++)
            test_ok(dscq_model_add_output(m, order[i][j], &err));
        dscq_model *back = read_back(m);
        ck_assert_int_eq(dscq_model_outputs(back), 3);
        for (int32_t j = 0; j < 3; j++)
            ck_assert_str_eq(dscq_model_node(back, dscq_model_output(back, j))->name,
                             dscq_model_node(m, dscq_model_output(m, j))->name);
        dscq_model_destroy(back);
        dscq_model_destroy(m);
    }
}
END_TEST

START_TEST(a_name_cannot_end_its_line)
{
    dscq_model *m = NULL;
    dscq_error err = {0};
    const int32_t input = DSCQ_INPUT;

    test_ok(dscq_model_create(&m, "two\nlines", (dscq_shape){1, 1, 1, 3}, &err));
    test_ok(dscq_model_add(NULL, m, "activation", NULL, NULL, &input, 1, &err));
    dscq_model *back = read_back(m);
    ck_assert_str_eq(dscq_model_name(back), "two_lines");
    dscq_model_destroy(back);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(what_no_key_takes_is_refused_by_layer)
{
    dscq_model *m = ground();
    dscq_str text = {0};
    dscq_error err = {0};
    const dscq_node_spec steep = {
        .name = "steep", .act = DSCQ_ACT_LEAKY, .act_slope = 2e6};

    ck_assert_int_eq(add(m, dscq_layer_find("activation"), NULL, &steep), DSCQ_OK);
    ck_assert_int_eq(dscq_export_net_cfg(&text, m, DSCQ_CFG_OURS, &err),
                     DSCQ_UNSUPPORTED);
    ck_assert_msg(strstr(err.msg, "layer 'steep'") != NULL &&
                      strstr(err.msg, "slope = '2000000'") != NULL,
                  "%s", err.msg);
    dscq_str_free(&text);
    dscq_model_destroy(m);
}
END_TEST

/* x -> op -> y, with the attribute and the slope given, as the file's network. */
static dscq_model *from_onnx(const char *op, const char *attribute, double v)
{
    const dscq_shape s = {1, 4, 4, 1};
    const float f = (float)v;
    dscq_onnx_graph g = {0};
    dscq_onnx_node n = {0};
    dscq_error err = {0};

    dscq_onnx_graph_input(&g, "x", s);
    dscq_onnx_graph_output(&g, "y", s);
    dscq_onnx_node_input(&n, "x");
    if (attribute != NULL)
        dscq_onnx_node_real(&n, attribute, v);
    else
        dscq_onnx_node_input(&n, "slope");
    dscq_onnx_graph_floats(&g, "slope", &f, 0, NULL);
    dscq_onnx_node_end(&g, &n, op, "y");
    test_ok(dscq_onnx_graph_write(&g, "g", test_path("g.onnx"), &err));
    return load_onnx(test_path("g.onnx"));
}

START_TEST(slopes_of_a_file_come_back)
{
    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    for (size_t i = 0; i < sizeof k_slopes / sizeof *k_slopes; i++) {
        dscq_model *const m[] = {from_onnx("LeakyRelu", "alpha", k_slopes[i]),
                                 from_onnx("Elu", "alpha", k_slopes[i]),
                                 from_onnx("PRelu", NULL, k_slopes[i])};
        for (size_t j = 0; j < sizeof m / sizeof *m; j++) {
            ck_assert_double_eq(dscq_model_node(m[j], 0)->act_slope,
                                (double)(float)k_slopes[i]);
            comes_back(m[j]);
            dscq_model_destroy(m[j]);
        }
    }
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("import_roundtrip", &tc);

    tcase_add_loop_test(tc, every_key_of_every_layer_comes_back, 0,
                        (int)dscq_layer_count());
    tcase_add_test(tc, every_slope_comes_back);
    tcase_add_loop_test(tc, every_activation_comes_back_or_is_refused, 0,
                        DSCQ_ACT_COUNT);
    tcase_add_loop_test(tc, every_layer_is_written_or_refused, 0,
                        (int)dscq_layer_count());
    tcase_add_test(tc, every_epsilon_comes_back);
    tcase_add_test(tc, what_is_left_out_is_the_default_and_auto_says_so);
    tcase_add_test(tc, training_settings_of_a_layer_come_back);
    tcase_add_test(tc, no_name_is_taken_by_a_passing_section);
    tcase_add_test(tc, the_order_of_outputs_comes_back);
    tcase_add_test(tc, a_name_cannot_end_its_line);
    tcase_add_test(tc, what_no_key_takes_is_refused_by_layer);
    tcase_add_test(tc, slopes_of_a_file_come_back);
    return s;
}

int main(void)
{
    return test_run(make);
}
