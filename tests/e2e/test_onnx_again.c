/* What was exported to ONNX and imported again is the network that it was: the float
 * one gives the same answers, for every layer and activation; of a packed one the float
 * network that comes back is as near to the first as its 8-bit weights allow, and
 * packed on the file's own grids it is the packed one. */
#include "dscq/base/png.h"
#include "dscq/base/rng.h"
#include "dscq/export/float_onnx.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/onnx.h"
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 12, IN = 3, VALUES = SIDE * SIDE * IN, OUTS = 1 << 14, IMAGES = 4 };

#define HEAD "[net]\nname=t\nwidth=12\nheight=12\nchannels=3\n"
#define CONV(name, act)                                                                \
    "[convolutional]\nname=" name "\nfilters=8\nsize=3\npad=1\n" act "\n"
#define ACT(name) "activation=" name
#define TAIL                                                                           \
    "[data]\ntype=images\ntrain=plain\nmean=0.5\nstd=0.25\n"                           \
    "[compress]\nmethod=uniform\np=0\nb=8\nscale=channel\nepochs=0\n"                  \
    "calibration=minmax\n"

/* packs: has an integer form */
static const struct net {
    const char *body;
    int packs;
} k_nets[] = {
    {CONV("a", ACT("relu")), 1},
    {CONV("a", ACT("relu6")) CONV("b", ACT("relu6")) CONV("c", ACT("linear")), 1},
    {CONV("a", ACT("leaky")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("leaky\nslope=-0.3")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("leaky\nslope=1.7")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("logistic")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("tanh")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("swish")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("hard_swish")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("hard_sigmoid")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("elu")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("elu\nslope=0.4")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("mish")) CONV("b", ACT("linear")), 1},
    {CONV("a", ACT("linear")) "[activation]\nname=x\nactivation=relu6\n" CONV(
         "b", ACT("linear")),
     1},
    {CONV("a", ACT("linear")) "[activation]\nname=x\nactivation=leaky\nslope=-2\n" CONV(
         "b", ACT("linear")),
     1},
    {CONV("a", "batch_normalize=1\nactivation=relu") "[batchnorm]\nname=n\n"
                                                     "activation=relu\n" CONV(
                                                         "b", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) CONV("b", ACT("linear")) "[shortcut]\nname=s\nfrom=0\n"
                                                     "activation=relu\n",
     1},
    {CONV("a", ACT("relu"))
         CONV("b", ACT("linear")) "[shortcut]\nname=s\nfrom=0\nbeta=-1\n" CONV(
             "c", ACT("linear")),
     1},
    {CONV("a", ACT("relu"))
         CONV("b", ACT("relu")) "[shortcut]\nname=s\nfrom=0\nalpha=2.5\nbeta=-0."
                                "25\n" CONV("c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) CONV("b", ACT("relu"))
         CONV("c", ACT("tanh")) "[shortcut]\nname=s\nfrom=0,1\nalpha=0.5\nbeta="
                                "2\n" CONV("d", ACT("linear")),
     1},
    /* of maps with other numbers of channels */
    {CONV("a", ACT("relu")) "[convolutional]\nname=b\nfilters=5\nsize=1\nactivation="
                            "linear\n[shortcut]\nname=s\nfrom=0\nactivation=relu\n",
     1},
    {CONV("a", ACT("relu")) "[convolutional]\nname=b\nfilters=11\nsize=1\n"
                            "activation=relu\n[convolutional]\nname=c\nfilters=9\n"
                            "size=1\nactivation=linear\n[shortcut]\nname=s\n"
                            "from=0,1\nbeta=0.5\nactivation=leaky\n",
     1},
    {CONV("a",
          ACT("relu")) "[avgpool]\nname=g\n[connected]\nname=f\noutput=8\n"
                       "activation=logistic\n[scale_channels]\nname=s\nfrom=0\n" CONV(
                           "c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) CONV("b", ACT("relu")) "[route]\nname=r\nlayers=0,1\n" CONV(
         "c", ACT("linear")),
     1},
    {CONV("a", ACT("relu"))
         CONV("b", ACT("relu")) "[route]\nname=r\nlayers=0,1\ngroups=2\ngroup_id="
                                "1\n" CONV("c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) "[route]\nname=r\nlayers=0\ngroups=4\ngroup_id=2\n" CONV(
         "c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) "[maxpool]\nname=p\nsize=3\nstride=2\npadding=1\n"
                            "[upsample]\nname=u\n[reorg]\nname=o\n" CONV("c",
                                                                         ACT("linear")),
     1},
    {CONV("a", ACT("relu")) "[avgpool]\nname=p\nsize=3\nstride=2\npadding=2\n" CONV(
         "c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) "[avgpool]\nname=p\nsize_h=3\nsize_w=2\nstride=1\n"
                            "padding=2\ncount_pad=1\n" CONV("c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) "[lrn]\nname=l\nalpha=0.3\nbeta=0.6\nkappa=1.5\n" CONV(
         "c", ACT("linear")),
     1},
    {"[depthwise]\nname=d\nsize=3\npad=1\nstride=2\nactivation=relu6\n" CONV(
         "c", ACT("linear")),
     1},
    {CONV("a", ACT("relu")) "[dropout]\nname=d\n[connected]\nname=f\noutput=5\n"
                            "activation=linear\n[softmax]\nname=s\ntemperature=2\n",
     0},
    {CONV("a", ACT("relu")) "[softmax]\nname=s\n", 0}, /* pixel by pixel */
};

/* Weights that make values of a few units on both sides. */
static dscq_model *parse(const char *body)
{
    const dscq_rng r = dscq_rng_seeded(5);
    dscq_rng g = dscq_rng_seeded(6);
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    char text[4096];

    snprintf(text, sizeof text, "%s%s%s", HEAD, body, TAIL);
    test_ok(dscq_config_load(&cfg, test_file("net.cfg", text), &err));
    test_ok(dscq_model_from_config(&m, cfg, "data|compress", &r, &err));
    dscq_config_destroy(cfg);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        for (int32_t k = 0; k < w->channels; k++) {
            if (w->bias != NULL)
                w->bias[k] = dscq_rng_between(&g, -0.5f, 0.5f);
            if (w->var != NULL) {
                w->mean[k] = dscq_rng_between(&g, -0.5f, 0.5f);
                w->var[k] = dscq_rng_between(&g, 0.2f, 2);
                w->beta[k] = dscq_rng_between(&g, -0.5f, 0.5f);
            }
        }
    }
    return m;
}

static dscq_model *imported(const char *path)
{
    dscq_onnx *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    test_ok(dscq_onnx_load(&f, path, &err));
    test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
    dscq_onnx_close(f);
    return m;
}

/* The first output of both for the same images: noise against signal, in decibels, and
 * the largest difference. */
static double agreement(dscq_model *a, dscq_model *b, double *far)
{
    const dscq_exec_options o = {.batch = IMAGES};
    static float x[IMAGES * VALUES];
    dscq_rng g = dscq_rng_seeded(9);
    dscq_exec *ea = NULL, *eb = NULL;
    dscq_shape sa, sb;
    dscq_error err = {0};
    double signal = 0, noise = 1e-30, mean = 0;

    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = dscq_rng_between(&g, -2, 2);
    test_ok(dscq_exec_create(&ea, a, &o, &err));
    test_ok(dscq_exec_create(&eb, b, &o, &err));
    dscq_exec_forward(ea, DSCQ_PASS_EVAL, x, IMAGES, NULL);
    dscq_exec_forward(eb, DSCQ_PASS_EVAL, x, IMAGES, NULL);
    const float *ya = dscq_exec_output(ea, 0, &sa), *yb = dscq_exec_output(eb, 0, &sb);
    ck_assert(dscq_shape_same_map(&sa, &sb));
    const size_t n = IMAGES * (size_t)sa.h * (size_t)sa.w * (size_t)sa.c;
    *far = 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)ya[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)ya[i] - (double)yb[i], v = (double)ya[i] - mean;
        *far = fmax(*far, fabs(d));
        signal += v * v;
        noise += d * d;
    }
    dscq_exec_destroy(ea);
    dscq_exec_destroy(eb);
    return 10 * log10(signal / noise);
}

START_TEST(a_float_network_comes_back)
{
    double far;
    dscq_error err = {0};

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    dscq_model *m = parse(k_nets[_i].body);
    test_ok(dscq_export_float_onnx(m, test_path("a.onnx"), &err));
    dscq_model *back = imported(test_path("a.onnx"));
    const double db = agreement(m, back, &far);
    ck_assert_msg(far <= 1e-5, "%s: %g away, %.1f dB", k_nets[_i].body, far, db);
    dscq_model_destroy(back);
    dscq_model_destroy(m);
}
END_TEST

static void make_pictures(void)
{
    dscq_rng g = dscq_rng_seeded(11);
    uint8_t px[VALUES];
    char name[64];
    dscq_error err = {0};

    ck_assert_int_eq(mkdir(test_path("plain"), 0700), 0);
    for (int i = 0; i < 16; i++) {
        for (size_t j = 0; j < sizeof px; j++)
            px[j] = (uint8_t)dscq_rng_below(&g, 256);
        (void)snprintf(name, sizeof name, "plain/%02d.png", i);
        test_ok(dscq_png_write(test_path(name), px, SIDE, SIDE, 3, &err));
    }
}

START_TEST(a_packed_network_comes_back)
{
    double far, db;
    dscq_error err = {0};

    if (!k_nets[_i].packs || !test_has(dscq_onnx_available(), "ONNX"))
        return;
    make_pictures();
    dscq_model *m = parse(k_nets[_i].body);
    test_ok(dscq_model_save(m, test_path("w.ckpt"), &err));
    test_program_ok("compress net.cfg -w w.ckpt -o out -q");
    test_program_ok("export out/packed.bin -o p.onnx");
    dscq_model *back = imported(test_path("p.onnx"));
    db = agreement(m, back, &far);
    ck_assert_msg(db > 34, "%s: float networks, %.1f dB", k_nets[_i].body, db);
    test_program_ok("import p.onnx -o back --data type=images --data train=../plain "
                    "--data mean=0.5 --data std=0.25");
    test_program_ok("compress back/net.cfg -w back/float.ckpt -o again -q "
                    "--set compress.method=uniform --set compress.p=0 "
                    "--set compress.b=8 --set compress.scale=channel "
                    "--set compress.epochs=0 --set compress.calibration=minmax "
                    "--set compress.ranges=ranges.csv");
    test_program_ok("export again/packed.bin -o q.onnx");
    dscq_model *last = imported(test_path("q.onnx"));
    db = agreement(back, last, &far);
    ck_assert_msg(db > 40, "%s: packed again, %.1f dB", k_nets[_i].body, db);
    dscq_model_destroy(last);
    dscq_model_destroy(back);
    dscq_model_destroy(m);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("onnx_again", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, a_float_network_comes_back, 0,
                        sizeof k_nets / sizeof k_nets[0]);
    tcase_add_loop_test(tc, a_packed_network_comes_back, 0,
                        sizeof k_nets / sizeof k_nets[0]);
    return s;
}

int main(void)
{
    return test_run(make);
}
