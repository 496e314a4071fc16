/* Networks written as a cfg are read back as the same network. ONNX files are refused
 * with all reasons at once. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/import/cfg.h"
#include "dscq/import/darknet.h"
#include "dscq/import/onnx.h"
#include "dscq/import/onnx_write.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/nn/exec.h"
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

    ck_assert_msg(dscq_model_write_cfg(&text, a, DSCQ_CFG_OURS, &err) == DSCQ_OK, "%s",
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

START_TEST(darknet_cfg_and_weights_come_back)
{
    dscq_model *a = example();
    dscq_str text = {0};
    dscq_error err = {0};
    dscq_darknet_info info;

    ck_assert_msg(dscq_model_write_cfg(&text, a, DSCQ_CFG_DARKNET, &err) == DSCQ_OK,
                  "%s", err.msg);
    ck_assert_ptr_null(strstr(text.text, "name="));
    dscq_model *b = parse(text.text);
    ck_assert_int_eq(dscq_darknet_save(a, test_path("a.weights"), 7, &err), DSCQ_OK);
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

START_TEST(darknet_weights_of_another_size_are_refused)
{
    dscq_model *a = example();
    dscq_error err = {0};
    char *data;

    ck_assert_int_eq(dscq_darknet_save(a, test_path("a.weights"), 0, &err), DSCQ_OK);
    data = test_read(test_path("a.weights"));
    const char *cut = test_file_bytes("cut.weights", data, 400);
    ck_assert_int_eq(dscq_darknet_load(a, cut, 0, NULL, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "they end inside"));
    dscq_free(data);
    dscq_model_destroy(a);
}
END_TEST

START_TEST(several_outputs_come_back)
{
    dscq_model *a = example();
    dscq_str text = {0};
    dscq_error err = {0};

    ck_assert_int_eq(dscq_model_add_output(a, 3, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_add_output(a, 7, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_write_cfg(&text, a, DSCQ_CFG_OURS, &err), DSCQ_OK);
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
    dscq_model *a = example(), *b = NULL;
    dscq_onnx *f = NULL;
    dscq_error err = {0};

    if (!dscq_onnx_available()) {
        printf("SKIP: built without ONNX\n");
        return;
    }
    const dscq_weights *w = dscq_model_node(a, 0)->weights;
    w->mean[1] = 0.25f;
    w->var[2] = 1.5f;
    w->beta[3] = -0.125f;
    ck_assert_msg(dscq_onnx_write(a, test_path("a.onnx"), &err) == DSCQ_OK, "%s",
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

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("import_cfg", &tc);

    tcase_add_test(tc, our_cfg_and_checkpoint_come_back);
    tcase_add_test(tc, darknet_cfg_and_weights_come_back);
    tcase_add_test(tc, darknet_weights_of_another_size_are_refused);
    tcase_add_test(tc, several_outputs_come_back);
    tcase_add_test(tc, an_exported_network_comes_back);
    tcase_add_test(tc, bytes_that_are_no_onnx_file_are_refused);
    return s;
}

int main(void)
{
    return test_run(make);
}
