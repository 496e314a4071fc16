/* Networks written as a cfg are read back as the same network. ONNX files are refused
 * with all reasons at once. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/export/float_onnx.h"
#include "dscq/export/net_cfg.h"
#include "dscq/import/darknet.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/build.h"
#include "dscq/onnx/onnx.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NET "[net]\nname=t\nwidth=9\nheight=7\nchannels=3\n"
#define BODY                                                                           \
    "[convolutional]\nname=a\nfilters=8\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n" \
    "activation=leaky\n"                                                               \
    "[convolutional]\nname=b\nfilters=8\ngroups=8\nsize=3\npad=1\nactivation=relu\n"   \
    "[convolutional]\nname=c\nfilters=8\nsize=1\nactivation=linear\n"                  \
    "[shortcut]\nname=d\nfrom=a_\nactivation=relu\n"                                   \
    "[route]\nname=e\nlayers=3,1\n"                                                    \
    "[maxpool]\nname=f\nsize=2\nstride=2\n"                                            \
    "[avgpool]\nname=g\n"                                                              \
    "[connected]\nname=h\noutput=5\nactivation=linear\n"                               \
    "[softmax]\nname=i\n"

static dscq_model *parse(const char *text)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(5);

    ck_assert_msg(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err) == DSCQ_OK,
                  "%s", err.msg);
    ck_assert_msg(dscq_model_from_config(&m, cfg, "", &r, &err) == DSCQ_OK, "%s\n%s",
                  err.msg, text);
    dscq_config_destroy(cfg);
    return m;
}

static dscq_model *example(void)
{
    char text[2048];

    snprintf(text, sizeof text, "%s%s", NET, BODY);
    char *from = strstr(text, "a_"); /* the shortcut reaches back to layer 0 */
    from[0] = '0';
    from[1] = ' ';
    return parse(text);
}

static void same_answer(dscq_model *a, dscq_model *b)
{
    const dscq_exec_options o = {.batch = 1};
    const dscq_shape in = dscq_model_input(a);
    float x[9 * 7 * 3];
    dscq_exec *ea = NULL, *eb = NULL;
    dscq_shape sa, sb;
    dscq_error err;

    ck_assert_uint_eq(dscq_shape_count(&in), sizeof x / sizeof x[0]);
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = (float)((double)(i * 37 % 101) / 50 - 1);
    ck_assert_int_eq(dscq_exec_create(&ea, a, &o, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_exec_create(&eb, b, &o, &err), DSCQ_OK);
    dscq_exec_forward(ea, DSCQ_PASS_EVAL, x, 1, NULL);
    dscq_exec_forward(eb, DSCQ_PASS_EVAL, x, 1, NULL);
    const float *ya = dscq_exec_output(ea, 0, &sa), *yb = dscq_exec_output(eb, 0, &sb);
    ck_assert(dscq_shape_same_map(&sa, &sb));
    for (size_t i = 0; i < dscq_shape_count(&sa); i++)
        ck_assert_msg(fabsf(ya[i] - yb[i]) < 1e-6f, "value %zu: %g and %g", i,
                      (double)ya[i], (double)yb[i]);
    dscq_exec_destroy(ea);
    dscq_exec_destroy(eb);
}

START_TEST(our_cfg_and_checkpoint_come_back)
{
    dscq_model *a = example();
    dscq_str text = {0};
    dscq_error err = {0};

    ck_assert_msg(dscq_export_net_cfg(&text, a, DSCQ_CFG_OURS, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_model *b = parse(text.text);
    ck_assert_int_eq(dscq_model_save(a, test_path("a.ckpt"), &err), DSCQ_OK);
    ck_assert_msg(dscq_model_load(b, test_path("a.ckpt"), DSCQ_MATCH_EXACT, NULL,
                                  &err) == DSCQ_OK,
                  "%s", err.msg);
    same_answer(a, b);
    dscq_str_free(&text);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

/* Statistics as training leaves them: some variances far below the epsilon. */
static void give_statistics(dscq_model *m)
{
    dscq_rng g = dscq_rng_seeded(9);

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        for (int32_t k = 0; w->var != NULL && k < w->channels; k++) {
            w->mean[k] = (float)(dscq_rng_unit64(&g) - 0.5);
            w->var[k] = (float)(k % 4 == 0 ? 1e-7 * dscq_rng_unit64(&g)
                                           : 4 * dscq_rng_unit64(&g));
            w->gamma[k] = (float)(0.1 + dscq_rng_unit64(&g)) * (k % 4 == 0 ? 0.01f : 1);
            if (strcmp(dscq_model_node(m, i)->type, "batchnorm") != 0)
                w->beta[k] = (float)(dscq_rng_unit64(&g) - 0.5);
        }
    }
}

START_TEST(darknet_cfg_and_weights_come_back)
{
    static const dscq_cfg_dialect cfg[] = {DSCQ_CFG_DARKNET, DSCQ_CFG_PJREDDIE};
    dscq_model *a = example();
    dscq_str text = {0};
    dscq_error err = {0};
    dscq_darknet_info info;

    give_statistics(a);
    ck_assert_msg(dscq_export_net_cfg(&text, a, cfg[_i], &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_ptr_null(strstr(text.text, "name="));
    ck_assert_int_eq(strstr(text.text, "dialect=pjreddie") != NULL, _i == 1);
    dscq_model *b = parse(text.text);
    ck_assert_int_eq(
        dscq_darknet_save(a, test_path("a.weights"), 7, (dscq_darknet_dialect)_i, &err),
        DSCQ_OK);
    ck_assert_msg(dscq_darknet_load(b, test_path("a.weights"), 0, &info, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    ck_assert_uint_eq(info.seen, 7);
    same_answer(a, b);
    dscq_str_free(&text);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

#define OLD_NORM                                                                       \
    "[convolutional]\nname=a\nfilters=4\nsize=1\nbatch_normalize=1\nbn_eps=0.001\n"    \
    "activation=relu\n[batchnorm]\nname=b\n"

/* What the original program divides by is what this one does, with any epsilon. */
START_TEST(pjreddies_variances_have_their_epsilon_outside_the_root)
{
    dscq_model *m = parse(NET OLD_NORM);
    const dscq_weights *w = dscq_model_node(m, 0)->weights,
                       *alone = dscq_model_node(m, 1)->weights;
    dscq_str text = {0};
    dscq_error err = {0};
    float v[3 * 4 + 4 + 12 + 3 * 4];

    give_statistics(m);
    ck_assert_int_eq(
        dscq_darknet_save(m, test_path("p.weights"), 0, DSCQ_DARKNET_PJREDDIE, &err),
        DSCQ_OK);
    char *data = test_read(test_path("p.weights"));
    memcpy(v, data + 20, sizeof v);
    for (int32_t k = 0; k < 4; k++) {
        ck_assert_double_eq_tol((sqrt((double)v[12 + k]) + 1e-6) /
                                    sqrt((double)w->var[k] + 0.001),
                                1, 1e-6);
        ck_assert_double_eq((double)v[28 + k],
                            (double)alone->gamma[k]); /* no beta before it */
        ck_assert_double_eq_tol((sqrt((double)v[36 + k]) + 1e-6) /
                                    sqrt((double)alone->var[k] + alone->bn_eps),
                                1, 1e-6);
    }
    dscq_free(data);
    /* AlexeyAB's has one epsilon only */
    ck_assert_int_eq(dscq_export_net_cfg(&text, m, DSCQ_CFG_DARKNET, &err),
                     DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.msg, "another epsilon than 1e-5"));
    dscq_str_free(&text);
    ck_assert_int_eq(dscq_export_net_cfg(&text, m, DSCQ_CFG_PJREDDIE, &err), DSCQ_OK);
    dscq_model *back = parse(text.text);
    ck_assert_msg(dscq_darknet_load(back, test_path("p.weights"), 0, NULL, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    same_answer(m, back);
    alone->beta[2] = 1;
    ck_assert_int_eq(
        dscq_darknet_save(m, test_path("p.weights"), 0, DSCQ_DARKNET_PJREDDIE, &err),
        DSCQ_UNSUPPORTED);
    ck_assert_str_eq(err.msg, "layer 'b': pjreddie's weights hold no beta of a "
                              "[batchnorm]; export the alexeyab dialect instead");
    dscq_str_free(&text);
    dscq_model_destroy(back);
    dscq_model_destroy(m);
}
END_TEST

static const struct younger {
    const char *body, *what;
} k_younger[] = {
    {"[convolutional]\nname=a\nfilters=4\nsize=3\npad=1\nactivation=relu6\n", "relu6"},
    {"[convolutional]\nname=a\nfilters=4\nsize=3\npad=1\nactivation=swish\n", "swish"},
    {"[convolutional]\nname=a\nfilters=4\nsize=3\npad=1\nactivation=mish\n", "mish"},
    {"[convolutional]\nname=a\nfilters=4\nsize=3\ndilation=2\npadding=2\n"
     "activation=relu\n",
     "dilation"},
    {"[convolutional]\nname=b\nfilters=4\nsize=1\nactivation=relu\n"
     "[route]\nname=a\nlayers=-1\ngroups=2\ngroup_id=1\n",
     "a part of the channels"},
    {"[convolutional]\nname=b\nfilters=4\nsize=1\nactivation=relu\n"
     "[convolutional]\nname=c\nfilters=4\nsize=1\nactivation=relu\n"
     "[convolutional]\nname=d\nfilters=4\nsize=1\nactivation=relu\n"
     "[shortcut]\nname=a\nfrom=-3,-2\nactivation=linear\n",
     "a sum of more than two"},
};

START_TEST(what_only_the_younger_dialect_has_is_named)
{
    char net[1024], want[256];
    dscq_str text = {0};
    dscq_error err = {0};

    snprintf(net, sizeof net, "%s%s", NET, k_younger[_i].body);
    dscq_model *m = parse(net);
    ck_assert_msg(dscq_export_net_cfg(&text, m, DSCQ_CFG_DARKNET, &err) == DSCQ_OK,
                  "%s", err.msg);
    dscq_str_free(&text);
    ck_assert_int_eq(dscq_export_net_cfg(&text, m, DSCQ_CFG_PJREDDIE, &err),
                     DSCQ_UNSUPPORTED);
    snprintf(want, sizeof want,
             "layer 'a': a Darknet cfg of pjreddie's dialect cannot say %s; export the "
             "alexeyab dialect or ONNX instead",
             k_younger[_i].what);
    ck_assert_str_eq(err.msg, want);
    dscq_str_free(&text);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(darknet_weights_of_another_size_are_refused)
{
    dscq_model *a = example();
    dscq_error err = {0};
    char *data;

    ck_assert_int_eq(
        dscq_darknet_save(a, test_path("a.weights"), 0, DSCQ_DARKNET_ALEXEYAB, &err),
        DSCQ_OK);
    data = test_read(test_path("a.weights"));
    const char *cut = test_file_bytes("cut.weights", data, 400);
    ck_assert_int_eq(dscq_darknet_load(a, cut, 0, NULL, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "they end inside"));
    dscq_free(data);
    dscq_model_destroy(a);
}
END_TEST

/* Words that only Darknet's training reads. */
static const struct {
    const char *net, *end, *noted;
} k_words[] = {
    {"ema_alpha=0.9998\nmixup=3\nloss_scale=128\n", "",
     "[net] ema_alpha (line 6), [net] mixup (line 7), [net] loss_scale (line 8)"},
    {"steps=-1,100,200\nscales=.1,10,.1\n", "", NULL},
    {"", "[cost]\ntype=sse\n", "[cost] (line 45)"},
    {"", "stopbackward=800\n", "[softmax] stopbackward (line 45)"},
    {"sgdr_cycle=1000\nsgdr_mult=2\npolicy=sgdr\n", "onlyforward=1\n",
     "[net] sgdr_cycle (line 6), [net] sgdr_mult (line 7), [softmax] onlyforward (line "
     "48)"},
};

START_TEST(training_words_are_read_over)
{
    char text[4096];
    dscq_str noted = {0};
    dscq_config *cfg = NULL;
    dscq_error err = {0};
    dscq_model *a = example(), *b = NULL;
    const dscq_rng r = dscq_rng_seeded(5);

    snprintf(text, sizeof text, "%s%s%s%s", NET, k_words[_i].net, BODY,
             k_words[_i].end);
    memcpy(strstr(text, "from=a_") + 5, "0 ", 2);
    test_ok(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err));
    test_ok(dscq_model_from_config(&b, cfg, "", &r, &err));
    same_answer(a, b);
    dscq_config_over_list(&noted, cfg, DSCQ_CONFIG_FOREIGN);
    if (k_words[_i].noted != NULL)
        ck_assert_str_eq(noted.text, k_words[_i].noted);
    else
        ck_assert_uint_eq(noted.len, 0);
    dscq_str_free(&noted);
    dscq_config_destroy(cfg);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

START_TEST(of_a_key_given_twice_the_first_counts)
{
    dscq_model *a = parse(NET "[convolutional]\nfilters=4\nsize=1\nactivation=relu\n");
    dscq_model *b = parse(NET "width=5\n[convolutional]\nfilters=4\nsize=1\n"
                              "activation=relu\nfilters=9\n");

    same_answer(a, b);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

/* "darknet53.conv.74": the layers that a file begins with, to train on from there. */
START_TEST(weights_of_the_first_layers_are_taken_whole)
{
    dscq_model *a = example(), *b = example();
    const size_t first = 4 * 8 + 8 * 3 * 9, second = 8 + 8 * 9; /* values */
    dscq_darknet_info info;
    dscq_error err = {0};

    give_statistics(a);
    dscq_model_node(a, 1)->weights->w[3] = 42;
    test_ok(
        dscq_darknet_save(a, test_path("a.weights"), 0, DSCQ_DARKNET_ALEXEYAB, &err));
    char *data = test_read(test_path("a.weights"));
    const char *cut = test_file_bytes("cut.weights", data, 20 + 4 * (first + second));
    test_ok(dscq_darknet_load(b, cut, DSCQ_DARKNET_LEADING, &info, &err));
    ck_assert_int_eq(info.layers_loaded, 2);
    ck_assert_int_eq(info.first_left, 2);
    ck_assert_int_eq(info.layers_left, 2);
    ck_assert(dscq_model_node(b, 1)->weights->w[3] == 42.0f);
    ck_assert(dscq_model_node(b, 0)->weights->mean[5] ==
              dscq_model_node(a, 0)->weights->mean[5]);
    ck_assert_int_eq(dscq_darknet_load(b, cut, 0, &info, &err), DSCQ_FORMAT);
    cut = test_file_bytes("inside.weights", data, 20 + 4 * (first + second - 1));
    ck_assert_int_eq(dscq_darknet_load(b, cut, DSCQ_DARKNET_LEADING, &info, &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "they end inside layer 'b'"));
    dscq_free(data);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

START_TEST(several_outputs_come_back)
{
    dscq_model *a = example();
    dscq_str text = {0};
    dscq_error err = {0};

    ck_assert_int_eq(dscq_model_add_output(a, 3, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_add_output(a, 7, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_export_net_cfg(&text, a, DSCQ_CFG_OURS, &err), DSCQ_OK);
    dscq_model *b = parse(text.text);
    ck_assert_int_eq(dscq_model_outputs(b), 2);
    ck_assert_str_eq(dscq_model_node(b, dscq_model_output(b, 0))->name, "d");
    ck_assert_str_eq(dscq_model_node(b, dscq_model_output(b, 1))->name, "h");
    dscq_str_free(&text);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

START_TEST(bytes_that_are_no_onnx_file_are_refused)
{
    static const uint8_t deep[] = {0x3a, 0x7f, 0x0a, 0x7f};
    uint8_t nested[4096] = {0};
    dscq_onnx *f = NULL;
    dscq_error err = {0};

    ck_assert_int_eq(dscq_onnx_parse(&f, deep, sizeof deep, "x.onnx", &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_null(f);
    /* graph { node { attribute { g { node { ... , each as long as what is left */
    static const uint8_t tag[] = {0x3a, 0x0a, 0x2a, 0x32};
    size_t n = 0;
    for (int level = 0; n + 3 < sizeof nested; level++) {
        const size_t rest = sizeof nested - n - 3;
        nested[n++] = level == 0 ? tag[0] : tag[1 + (level - 1) % 3];
        nested[n++] = (uint8_t)(0x80 | (rest & 0x7f));
        nested[n++] = (uint8_t)(rest >> 7);
    }
    ck_assert_int_eq(dscq_onnx_parse(&f, nested, sizeof nested, "x.onnx", &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "nested"));
}
END_TEST

START_TEST(an_exported_network_comes_back)
{
    dscq_model *a = NULL, *b = NULL;
    dscq_onnx *f = NULL;
    dscq_error err = {0};

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    a = example();
    const dscq_weights *w = dscq_model_node(a, 0)->weights;
    w->mean[1] = 0.25f;
    w->var[2] = 1.5f;
    w->beta[3] = -0.125f;
    ck_assert_msg(dscq_export_float_onnx(a, test_path("a.onnx"), &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_msg(dscq_onnx_load(&f, test_path("a.onnx"), &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_msg(dscq_onnx_to_model(&b, NULL, f, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_str_eq(dscq_model_node(b, 0)->type, "convolutional");
    ck_assert_int_eq(dscq_model_node(b, 0)->act, DSCQ_ACT_LEAKY);
    ck_assert_int_ne(dscq_model_node(b, 0)->normalised, 0); /* one layer, not three */
    same_answer(a, b);
    dscq_onnx_close(f);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

/* MaxPool of 2 x 2 by steps of 3 over 5 x 5 and one row and column of padding behind:
 * rounding up, a third window would begin at 6, in the padding; it is not counted. */
START_TEST(a_window_that_begins_in_the_padding_is_no_window)
{
    const int64_t dim[] = {1, 1, 1, 1};
    const int32_t two[] = {2, 2}, three[] = {3, 3}, pads[] = {0, 0, 1, 1};
    const float one = 1;
    double v[25];
    const dscq_onnx_tensor x = {DSCQ_ONNX_FLOAT, 4, {1, 1, 5, 5}, 25, v};
    const dscq_onnx_tensor *in[] = {&x}, *y[1];
    dscq_onnx_graph g = {0};
    dscq_onnx_node conv = {0}, pool = {0};
    dscq_onnx *f = NULL;
    dscq_model *net = NULL;
    dscq_error err = {0};

    if (!dscq_onnx_available())
        return;
    for (int i = 0; i < 25; i++)
        v[i] = i;
    dscq_onnx_graph_input(&g, "x", (dscq_shape){1, 5, 5, 1});
    dscq_onnx_graph_floats(&g, "w", &one, 4, dim);
    dscq_onnx_node_input(&conv, "x");
    dscq_onnx_node_input(&conv, "w");
    dscq_onnx_node_end(&g, &conv, "Conv", "c");
    dscq_onnx_node_input(&pool, "c");
    dscq_onnx_node_ints(&pool, "kernel_shape", two, 2);
    dscq_onnx_node_ints(&pool, "strides", three, 2);
    dscq_onnx_node_ints(&pool, "pads", pads, 4);
    dscq_onnx_node_int(&pool, "ceil_mode", 1);
    dscq_onnx_node_end(&g, &pool, "MaxPool", "y");
    dscq_onnx_graph_output(&g, "y", (dscq_shape){1, 2, 2, 1});
    test_ok(dscq_onnx_graph_write(&g, "ceil", test_path("ceil.onnx"), &err));
    test_ok(dscq_onnx_load(&f, test_path("ceil.onnx"), &err));
    test_ok(dscq_onnx_run(y, NULL, f, in, 1, &err));
    ck_assert_uint_eq(y[0]->count, 4);
    ck_assert_double_eq(y[0]->v[0], 6);
    ck_assert_double_eq(y[0]->v[3], 24);
    test_ok(dscq_onnx_to_model(&net, NULL, f, &err));
    const dscq_shape out = dscq_model_node(net, 1)->out;
    ck_assert_int_eq(out.h, 2);
    ck_assert_int_eq(out.w, 2);
    dscq_model_destroy(net);
    dscq_onnx_close(f);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("import_cfg", &tc);

    tcase_add_test(tc, our_cfg_and_checkpoint_come_back);
    tcase_add_loop_test(tc, darknet_cfg_and_weights_come_back, 0, 2);
    tcase_add_test(tc, pjreddies_variances_have_their_epsilon_outside_the_root);
    tcase_add_loop_test(tc, what_only_the_younger_dialect_has_is_named, 0,
                        sizeof k_younger / sizeof k_younger[0]);
    tcase_add_test(tc, darknet_weights_of_another_size_are_refused);
    tcase_add_loop_test(tc, training_words_are_read_over, 0,
                        sizeof k_words / sizeof *k_words);
    tcase_add_test(tc, of_a_key_given_twice_the_first_counts);
    tcase_add_test(tc, weights_of_the_first_layers_are_taken_whole);
    tcase_add_test(tc, several_outputs_come_back);
    tcase_add_test(tc, an_exported_network_comes_back);
    tcase_add_test(tc, bytes_that_are_no_onnx_file_are_refused);
    tcase_add_test(tc, a_window_that_begins_in_the_padding_is_no_window);
    return s;
}

int main(void)
{
    return test_run(make);
}
