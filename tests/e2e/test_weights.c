/* Weights that no network computes with, and weights of another network: every command
 * that reads weights refuses them by layer, in every format. */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/export/float_onnx.h"
#include "dscq/import/darknet.h"
#include "dscq/nn/checkpoint.h"
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NET(filters, more)                                                             \
    "[net]\nwidth=16\nheight=16\nchannels=3\n" more "[convolutional]\nfilters=8\n"     \
    "size=3\nstride=2\npad=1\nbatch_normalize=1\nactivation=leaky\n"                   \
    "[convolutional]\nfilters=" filters "\nsize=3\nstride=2\npad=1\n"                  \
    "activation=leaky\n[avgpool]\n[connected]\noutput=4\nactivation=linear\n"          \
    "[softmax]\n[data]\ntype=signs\nclasses=4\ncount=120\ntest_count=40\n"             \
    "valid_frac=0.2\n[train]\nepochs=1\nbatch=16\n"                                    \
    "[sensitivity]\nimages=20\nnorm_images=20\nprune=0.5\nbits=4\nchannels=0.5\n"

static dscq_model *make_model(const char *cfg_name)
{
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_error err = {0};
    dscq_config *c = NULL;
    dscq_model *m = NULL;

    test_ok(dscq_config_load(&c, test_path(cfg_name), &err));
    test_ok(
        dscq_model_from_config(&m, c, "data|train|compress|sensitivity", &rng, &err));
    dscq_config_destroy(c);
    return m;
}

static void make_nets(void)
{
    test_file("net.cfg", NET("12", ""));
    test_file("old.cfg", NET("12", "dialect=pjreddie\n"));
    test_file("wider.cfg", NET("16", ""));
}

/* ---- numbers that are none ------------------------------------------------------- */

typedef struct bad_number {
    int node;
    char array; /* w, b, g, m, v */
    float value;
    const char *says;
} bad_number;

static const bad_number k_bad[] = {
    {0, 'w', NAN, "layer '0_convolutional': weight 5 of 216 is nan"},
    {0, 'w', -INFINITY, "layer '0_convolutional': weight 5 of 216 is -inf"},
    {0, 'g', NAN, "layer '0_convolutional': gamma 5 of 8 is nan"},
    {0, 'm', INFINITY, "layer '0_convolutional': mean 5 of 8 is inf"},
    {0, 'v', -0.25F, "layer '0_convolutional': var 5 of 8 is -0.25"},
    {0, 'v', NAN, "layer '0_convolutional': var 5 of 8 is nan"},
    {1, 'b', NAN, "layer '1_convolutional': bias 5 of 12 is nan"},
};
enum { BAD = sizeof k_bad / sizeof *k_bad };

static void spoil(dscq_model *m, const bad_number *b)
{
    dscq_weights *w = dscq_model_node(m, b->node)->weights;
    float *const array = b->array == 'w'   ? w->w
                         : b->array == 'b' ? w->bias
                         : b->array == 'g' ? w->gamma
                         : b->array == 'm' ? w->mean
                                           : w->var;

    array[5] = b->value;
}

static void save_bad(const char *name, const bad_number *b)
{
    dscq_model *m = make_model("net.cfg");
    dscq_error err = {0};

    spoil(m, b);
    test_ok(dscq_model_save(m, test_path(name), &err));
    dscq_model_destroy(m);
}

START_TEST(every_command_refuses_a_checkpoint_by_layer)
{
    static const char *const k_command[] = {
        "eval net.cfg -w bad.ckpt",
        "export net.cfg -w bad.ckpt -o x.onnx",
        "export net.cfg -w bad.ckpt -o x",
        "train net.cfg -w bad.ckpt -o t -q",
        "sensitivity net.cfg -w bad.ckpt -o s -q",
        "compress net.cfg -w bad.ckpt -o c -q --set compress.epochs=0",
        "compress net.cfg -w bad.ckpt -o c -q --set compress.epochs=0 --set "
        "compress.method=obq",
        "compress net.cfg -w bad.ckpt -o c -q --set compress.epochs=1",
        "compress net.cfg -w bad.ckpt -o c -q --search knapsack",
        "train net.cfg -o d -q --set train.distil_weight=0.5 --set "
        "train.teacher=bad.ckpt",
    };

    for (size_t i = 0; i < BAD; i++) {
        save_bad("bad.ckpt", &k_bad[i]);
        test_program_fails("eval net.cfg -w bad.ckpt", 5, k_bad[i].says);
        test_program_ok("check net.cfg"); /* the network itself is fine */
        ck_assert_int_eq(test_program("check bad.ckpt"), 5);
        test_printed(k_bad[i].says);
    }
    for (size_t i = 0; i < sizeof k_command / sizeof *k_command; i++)
        test_program_fails(k_command[i], 5, k_bad[BAD - 1].says);
    ck_assert(!dscq_path_exists(test_path("c/packed.bin")));
    ck_assert(!dscq_path_exists(test_path("x.onnx")));
}
END_TEST

START_TEST(import_and_check_refuse_darknet_weights_by_layer)
{
    for (size_t i = 0; i < BAD; i++)
        for (int old = 0; old < 2; old++) {
            const char *cfg = old ? "old.cfg" : "net.cfg";
            dscq_model *m = make_model(cfg);
            dscq_error err = {0};
            char line[200];

            spoil(m, &k_bad[i]);
            /* pjreddie's variances are made from ours: written as they are instead */
            test_ok(dscq_darknet_save(m, test_path("bad.weights"), 0,
                                      DSCQ_DARKNET_ALEXEYAB, &err));
            (void)snprintf(line, sizeof line, "import %s bad.weights -o i", cfg);
            test_program_fails(line, 5, k_bad[i].says);
            (void)snprintf(line, sizeof line, "check %s bad.weights", cfg);
            ck_assert_int_eq(test_program(line), 5);
            test_printed(k_bad[i].says);
            (void)snprintf(line, sizeof line, "eval %s -w bad.weights", cfg);
            test_program_fails(line, 5, k_bad[i].says);
            dscq_model_destroy(m);
        }
    ck_assert(!dscq_path_exists(test_path("i/float.ckpt")));
}
END_TEST

/* The one place where these four bytes stand in the file becomes `value`. */
static void patch(const char *name, float found, float value)
{
    dscq_error err = {0};
    uint8_t *data = NULL;
    size_t bytes = 0, hits = 0;

    test_ok(dscq_file_read(&data, &bytes, test_path(name), 1 << 24, &err));
    for (size_t i = 0; i + 4 <= bytes; i++)
        if (memcmp(data + i, &found, 4) == 0) {
            memcpy(data + i, &value, 4);
            hits++;
        }
    ck_assert_uint_eq(hits, 1);
    test_file_bytes(name, data, bytes);
    dscq_free(data);
}

START_TEST(import_and_check_refuse_onnx_by_layer)
{
    static const float k_mark = 12345.678F;

    for (size_t i = 0; i < BAD; i++) {
        const bad_number marked = {k_bad[i].node, k_bad[i].array, k_mark, NULL};
        dscq_model *m = make_model("net.cfg");
        dscq_error err = {0};

        spoil(m, &marked);
        const dscq_status written =
            dscq_export_float_onnx(m, test_path("bad.onnx"), &err);
        if (written == DSCQ_UNSUPPORTED) { /* a build without ONNX */
            dscq_model_destroy(m);
            return;
        }
        ck_assert_msg(written == DSCQ_OK, "%s", err.msg);
        patch("bad.onnx", k_mark, k_bad[i].value);
        test_program_fails("import bad.onnx -o i", 5, "layer '");
        ck_assert_int_eq(test_program("check bad.onnx"), 5);
        dscq_model_destroy(m);
    }
    ck_assert(!dscq_path_exists(test_path("i/float.ckpt")));
}
END_TEST

START_TEST(finite_weights_that_overflow_are_no_result)
{
    dscq_model *m = make_model("net.cfg");
    dscq_error err = {0};

    for (int n = 0; n < 2; n++) {
        dscq_weights *w = dscq_model_node(m, n)->weights;
        for (size_t i = 0; i < w->count; i++)
            w->w[i] = (i % 2 == 0 ? 1.0F : -1.0F) * 3e37F;
    }
    test_ok(dscq_model_save(m, test_path("huge.ckpt"), &err));
    test_program_fails("eval net.cfg -w huge.ckpt", 5, "too large for float32");
    test_program_fails("eval net.cfg -w huge.ckpt --json", 5, "too large for float32");
    dscq_model_destroy(m);
}
END_TEST

/* ---- another network ------------------------------------------------------------- */

START_TEST(weights_of_another_shape_are_refused_where_nothing_is_trained)
{
    static const char *const k_command[] = {
        "eval wider.cfg -w f.ckpt",
        "export wider.cfg -w f.ckpt -o x.onnx",
        "export wider.cfg -w f.ckpt -o x",
        "sensitivity wider.cfg -w f.ckpt -o s -q",
        "compress wider.cfg -w f.ckpt -o c -q --set compress.epochs=0",
        "compress wider.cfg -w f.ckpt -o c -q --search knapsack",
        ("train wider.cfg -o d -q --set train.distil_weight=0.5 --set "
         "train.teacher=f.ckpt --set train.teacher_net=wider.cfg"),
    };
    dscq_model *m = make_model("net.cfg");
    dscq_error err = {0};

    test_ok(dscq_model_save(m, test_path("f.ckpt"), &err));
    for (size_t i = 0; i < sizeof k_command / sizeof *k_command; i++) {
        test_program_fails(k_command[i], 5, "'1_convolutional'");
        test_said("16 x 3 x 3 x 8, bias here, 12 x 3 x 3 x 8, bias in the file");
    }
    ck_assert(!dscq_path_exists(test_path("c/packed.bin")));
    dscq_model_destroy(m);
}
END_TEST

START_TEST(a_missing_layer_is_refused_too)
{
    dscq_model *m = make_model("net.cfg");
    dscq_checkpoint *c = NULL;
    dscq_error err = {0};
    const dscq_weights *w = dscq_model_node(m, 0)->weights;

    test_ok(dscq_checkpoint_create(&c, &err));
    test_ok(dscq_checkpoint_add(c, "0_convolutional.weight", DSCQ_ENTRY_F32, w->w,
                                w->count, &err));
    test_ok(dscq_checkpoint_add(c, "0_convolutional.bias", DSCQ_ENTRY_F32, w->beta, 8,
                                &err));
    test_ok(dscq_checkpoint_write(c, test_path("f.ckpt"), &err));
    test_program_fails(
        "eval net.cfg -w f.ckpt", 5,
        "8 x 3 x 3 x 3, batch norm here, 8 x 3 x 3 x 3, bias in the file "
        "(and 2 layers more)");
    dscq_checkpoint_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(training_goes_on_with_a_warning_that_quiet_shows)
{
    dscq_model *m = make_model("net.cfg");
    dscq_error err = {0};

    test_ok(dscq_model_save(m, test_path("f.ckpt"), &err));
    test_program_ok("train wider.cfg -w f.ckpt -o t -q");
    test_said("warning: f.ckpt: weights of 1 layers; 2 start with fresh ones: "
              "'1_convolutional' and others: 16 x 3 x 3 x 8, bias here");
    test_program_ok("compress wider.cfg -w f.ckpt -o c -q --set compress.epochs=1");
    test_said("warning: f.ckpt: weights of 1 layers");
    test_program_ok("train net.cfg -w f.ckpt -o u -q");
    char *said = test_read(test_path("stderr.txt"));
    ck_assert_str_eq(said, "");
    dscq_free(said);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(layers_that_the_network_lacks_are_said)
{
    dscq_model *m = make_model("net.cfg");
    dscq_checkpoint *c = NULL;
    dscq_error err = {0};
    const float more[2] = {1, 2};

    test_ok(dscq_checkpoint_create(&c, &err));
    test_ok(dscq_checkpoint_add_model(c, m, &err));
    test_ok(dscq_checkpoint_add(c, "9_connected.bias", DSCQ_ENTRY_F32, more, 2, &err));
    test_ok(dscq_checkpoint_write(c, test_path("f.ckpt"), &err));
    test_program_ok("eval net.cfg -w f.ckpt -q");
    test_said("holds layers that the network lacks ('9_connected')");
    dscq_checkpoint_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("weights", &tc);

    tcase_add_checked_fixture(tc, make_nets, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, every_command_refuses_a_checkpoint_by_layer);
    tcase_add_test(tc, import_and_check_refuse_darknet_weights_by_layer);
    tcase_add_test(tc, import_and_check_refuse_onnx_by_layer);
    tcase_add_test(tc, finite_weights_that_overflow_are_no_result);
    tcase_add_test(tc, weights_of_another_shape_are_refused_where_nothing_is_trained);
    tcase_add_test(tc, a_missing_layer_is_refused_too);
    tcase_add_test(tc, training_goes_on_with_a_warning_that_quiet_shows);
    tcase_add_test(tc, layers_that_the_network_lacks_are_said);
    return s;
}

int main(void)
{
    return test_run(make);
}
