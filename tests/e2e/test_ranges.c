/* The grids of a quantised network that was imported are those of the packed network
 * made from it, when compress.ranges names them. */
#include "dscq/onnx/onnx.h"
#include "dscq/pack/pack.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA                                                                           \
    "type = signs\ncount = 64\ntest_count = 8\nclasses = 4\nvalid_frac = 0.25\n"       \
    "split = random\n"
#define COMPRESS                                                                       \
    "[compress]\nmethod = uniform\np = 0\nb = 8\nepochs = 0\ncalibration = minmax\n"

static const char k_net[] =
    "[net]\nname = small\nwidth = 16\nheight = 16\nchannels = 3\n"
    "[convolutional]\nname = a\nfilters = 8\nsize = 3\nstride = 2\npad = 1\n"
    "batch_normalize = 1\nactivation = relu\n"
    "[depthwise]\nname = b\nsize = 3\npad = 1\nbatch_normalize = 1\n"
    "activation = relu\n"
    "[convolutional]\nname = c\nfilters = 12\nsize = 1\nbatch_normalize = 1\n"
    "activation = relu\n"
    "[avgpool]\nname = d\n[connected]\nname = e\noutput = 4\nactivation = linear\n"
    "[softmax]\nname = f\n[data]\n" DATA "[train]\nepochs = 1\nbatch = 8\n" COMPRESS
    "calibration_images = 48\n";

/* The program with these words (NULL ends them) in this test's folder; 0 is wanted. */
static void dscq(const char *const argv[])
{
    static test_output o;
    const int code = test_command(&o, test_path(""), argv);

    ck_assert_msg(code == 0, "%s: exit %d: %s", argv[0], code, o.err);
}

/* A network, trained, compressed, exported, and imported again with its grids. */
static void go_round(void)
{
    (void)test_file("net.cfg", k_net);
    dscq((const char *const[]){"compress", "net.cfg", "-o", "one", "-q", NULL});
    dscq((const char *const[]){"export", "one/packed.bin", "-o", "one.onnx", NULL});
    dscq((const char *const[]){"import", "one.onnx", "-o", "back", "--data",
                               "type=signs", "--data", "count=64", "--data",
                               "test_count=8", "--data", "classes=4", "--data",
                               "valid_frac=0.25", "--data", "split=random", NULL});
}

static void compress_again(const char *to, const char *ranges)
{
    dscq((const char *const[]){"compress",
                               "back/net.cfg",
                               "-w",
                               "back/float.ckpt",
                               "-o",
                               to,
                               "-q",
                               "--set",
                               "compress.method=uniform",
                               "--set",
                               "compress.p=0",
                               "--set",
                               "compress.b=8",
                               "--set",
                               "compress.epochs=0",
                               "--set",
                               "compress.calibration=minmax",
                               "--set",
                               "compress.calibration_images=2",
                               "--set",
                               ranges,
                               NULL});
}

/* How many of the 8-bit maps of a have no map of the same scale and zero in b. */
static int32_t strange(const char *a, const char *b, int32_t *maps)
{
    dscq_qmodel *x, *y;
    dscq_error err;
    int32_t n = 0;

    *maps = 0;
    ck_assert_msg(dscq_pack_read(&x, test_path(a), &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_msg(dscq_pack_read(&y, test_path(b), &err) == DSCQ_OK, "%s", err.msg);
    for (int32_t i = 0; i < x->tensor_count; i++) {
        const dscq_qtensor *t = &x->tensor[i];
        int same = 0;
        if (t->bits != 8)
            continue;
        ++*maps;
        for (int32_t j = 0; j < y->tensor_count; j++)
            same |= y->tensor[j].bits == 8 &&
                    y->tensor[j].zero_point == t->zero_point &&
                    fabs(y->tensor[j].scale / t->scale - 1) < 1e-5;
        n += !same;
    }
    dscq_qmodel_destroy(x);
    dscq_qmodel_destroy(y);
    return n;
}

START_TEST(grids_that_were_imported_are_used)
{
    int32_t maps;

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    go_round();
    compress_again("with", "compress.ranges=ranges.csv");
    compress_again("without", "compress.ranges=");
    ck_assert_int_eq(strange("one/packed.bin", "with/packed.bin", &maps), 0);
    ck_assert_int_ge(maps, 4);
    /* two pictures alone say something else */
    ck_assert_int_ge(strange("one/packed.bin", "without/packed.bin", &maps), 2);
    dscq((const char *const[]){"verify", "with/packed.bin", NULL});
}
END_TEST

#define UNSAID "not given in [data]"

/* The program with these words; whether it warned of what the file does not say. */
static int warned(const char *const argv[], const char *says)
{
    static test_output o;
    const int code = test_command(&o, test_path(""), argv);

    ck_assert_msg(code == 0, "%s: exit %d: %s", argv[0], code, o.err);
    const int found = strstr(o.err, UNSAID) != NULL || strstr(o.out, UNSAID) != NULL;
    ck_assert_msg(!found || strstr(o.err, says) != NULL || strstr(o.out, says) != NULL,
                  "%s%s", o.out, o.err);
    return found;
}

static int import_with(const char *const *more, const char *says)
{
    const char *argv[24] = {"import",      "one.onnx", "-o",         "said",
                            "--force",     "--data",   "type=signs", "--data",
                            "classes=4",   "--data",   "count=64",   "--data",
                            "test_count=8"};
    int n = 13;

    for (; *more != NULL; more++)
        argv[n++] = *more;
    return warned(argv, says);
}

static int compress_with(const char *set, const char *says)
{
    return warned((const char *const[]){"compress", "said/net.cfg", "-w",
                                        "said/float.ckpt", "-o", "said/out", "--force",
                                        "--quiet", "--set", "compress.epochs=0",
                                        "--set", set, NULL},
                  says);
}

/* How pictures become the input is in no network file: what is taken is said, and is
 * not the pictures' own statistics. */
START_TEST(what_a_file_does_not_say_is_said)
{
    const char *const check[] = {"check", "said/net.cfg", NULL};
    dscq_qmodel *q;
    dscq_error err;

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    go_round();
    ck_assert(import_with((const char *const[]){NULL}, "mean and std are not given"));
    ck_assert(warned(check, "mean 0 and std 1 are taken"));
    ck_assert(compress_with("compress.p=0", "mean 0 and std 1 are taken"));
    test_ok(dscq_pack_read(&q, test_path("said/out/packed.bin"), &err));
    for (int c = 0; c < 3; c++) {
        ck_assert_double_eq(q->input[0].mean[c], 0);
        ck_assert_double_eq(q->input[0].std[c], 1);
    }
    dscq_qmodel_destroy(q);
    ck_assert(compress_with("data.mean=0.5", "std is not given"));
    ck_assert(import_with((const char *const[]){"--data", "std = 0.25", NULL},
                          "mean is not given"));
    ck_assert(warned(check, "mean 0 is taken"));
    ck_assert(!compress_with("data.mean=auto", ""));
    ck_assert(!import_with(
        (const char *const[]){"--data", "mean=0.5", "--data", "std=0.25", NULL}, ""));
    ck_assert(!warned(check, ""));
    ck_assert(!compress_with("compress.p=0", ""));
    /* one that was trained here measures its pictures */
    ck_assert(!warned((const char *const[]){"check", "net.cfg", NULL}, ""));
}
END_TEST

static const struct bad {
    const char *text, *says;
} k_bad[] = {
    {"layer,scale,zero,lo,hi\nnobody,0.1,0,-128,127\n",
     "bad.csv:2: no layer 'nobody' in the network; was the file written by its "
     "import?"},
    {"layer,scale,zero,lo,hi\na,0.1,0,-128,127\nb,-1,0,0,255\n",
     "bad.csv:3: want a layer, a scale above 0, a zero point"},
    {"name,scale\n", "bad.csv:1: want the columns layer,scale,zero,lo,hi,bits"},
    {"layer,scale,zero,lo,hi,bits\na,0.1,0,-8,7,4\nb,0.1,0,0,15\n",
     "bad.csv:3: want a layer, a scale above 0, a zero point, the smallest and the "
     "largest code, and bits"},
    {"layer,scale,zero,lo,hi,bits\na,0.1,0,-8,7,3\n",
     "bad.csv:2: layer 'a': 3 bits do not hold the codes -8 to 7"},
    {"layer,scale,zero,lo,hi,bits\na,0.1,0,-8,7,40\n",
     "bad.csv:2: layer 'a': 40 bits do not hold"},
    {"layer,scale,zero,lo,hi,bits\nc,0.1,0,0,255,8\n",
     "bad.csv:2: layer 'c': 8 bits here, 5 by [compress_layer] activation_b; leave one "
     "of the two out, or change the row"},
    {"layer,scale,zero,lo,hi,bits\ninput,0.1,0,0,15,4\n",
     "bad.csv:2: layer 'input': 4 bits here, 6 by compress.input_b"},
    {"layer,scale,zero,lo,hi\na,0.1,0,7\n", "bad.csv:2: want a layer"},
};

START_TEST(a_file_that_is_no_table_of_grids_is_refused)
{
    static test_output o;

    (void)test_file("net.cfg", k_net);
    (void)test_file("bad.csv", k_bad[_i].text);
    const int code = test_command(
        &o, test_path(""),
        (const char *const[]){"compress", "net.cfg", "-o", "out", "-q", "--set",
                              "compress.ranges=bad.csv", "--set", "compress.input_b=6",
                              "--set", "compress_layer.match=c", "--set",
                              "compress_layer.activation_b=5", NULL});
    ck_assert_int_eq(code, 5);
    ck_assert_msg(strstr(o.err, k_bad[_i].says) != NULL, "%s", o.err);
}
END_TEST

/* Rows and what the packed network's map of that name is then. */
static const struct kept {
    const char *layer, *row;
    int32_t bits, zero;
    double scale;
} k_kept[] = {
    {"input", "0.015625,128,0,255,8", 8, 0, 0.015625}, /* codes of no sign move down */
    {"a", "0.25,0,0,15,4", 4, -8, 0.25},
    {"b", "0.1,0,0,31,5", 5, -16, 0.1},
    {"c", "0.5,0,0,3,2", 4, -8, 1.5 / 15}, /* as few as a file can have: its range */
    {"d", "0.03,0,-127,127,8", 8, 0, 0.03},
    {"e", "0.5,-28,-128,127,8", 16, -28 * 256, 0.5 / 256}, /* an output: logit_b */
};

START_TEST(a_map_has_the_bits_and_steps_of_its_row)
{
    char text[1024] = "layer,scale,zero,lo,hi,bits\n";
    dscq_qmodel *q;
    dscq_error err;

    for (size_t i = 0; i < sizeof k_kept / sizeof *k_kept; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s,%s\n",
                 k_kept[i].layer, k_kept[i].row);
    (void)test_file("net.cfg", k_net);
    (void)test_file("r.csv", text);
    dscq((const char *const[]){"compress", "net.cfg", "-o", "kept", "-q", "--set",
                               "compress.ranges=r.csv", NULL});
    ck_assert_msg(dscq_pack_read(&q, test_path("kept/packed.bin"), &err) == DSCQ_OK,
                  "%s", err.msg);
    for (size_t i = 0; i < sizeof k_kept / sizeof *k_kept; i++) {
        int found = 0;
        for (int32_t j = 0; j < q->tensor_count; j++) {
            const dscq_qtensor *t = &q->tensor[j];
            if (strcmp(t->name, k_kept[i].layer) != 0)
                continue;
            found = 1;
            ck_assert_int_eq(t->bits, k_kept[i].bits);
            ck_assert_int_eq(t->zero_point, k_kept[i].zero);
            ck_assert_double_eq_tol(t->scale, k_kept[i].scale, 1e-12);
        }
        ck_assert_msg(found, "no map '%s'", k_kept[i].layer);
    }
    dscq_qmodel_destroy(q);
    dscq((const char *const[]){"verify", "kept/packed.bin", NULL});
}
END_TEST

/* Without the last column the codes say how many bits they take. */
START_TEST(a_file_of_five_columns_is_read)
{
    dscq_qmodel *q;
    dscq_error err;

    (void)test_file("net.cfg", k_net);
    (void)test_file("old.csv", "layer,scale,zero,lo,hi\na,0.25,0,0,15\n");
    dscq((const char *const[]){"compress", "net.cfg", "-o", "old", "-q", "--set",
                               "compress.ranges=old.csv", NULL});
    ck_assert_msg(dscq_pack_read(&q, test_path("old/packed.bin"), &err) == DSCQ_OK,
                  "%s", err.msg);
    for (int32_t j = 0; j < q->tensor_count; j++)
        if (strcmp(q->tensor[j].name, "a") == 0)
            ck_assert_int_eq(q->tensor[j].bits, 4);
    dscq_qmodel_destroy(q);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("ranges", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, grids_that_were_imported_are_used);
    tcase_add_test(tc, a_map_has_the_bits_and_steps_of_its_row);
    tcase_add_test(tc, a_file_of_five_columns_is_read);
    tcase_add_test(tc, what_a_file_does_not_say_is_said);
    tcase_add_loop_test(tc, a_file_that_is_no_table_of_grids_is_refused, 0,
                        sizeof k_bad / sizeof k_bad[0]);
    return s;
}

int main(void)
{
    setenv("DSCQ_DATA", test_source("data"), 1);
    return test_run(make);
}
