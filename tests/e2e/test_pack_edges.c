/* Networks whose edges ask for factors that no multiplier holds: 16-bit outputs behind
 * 8 bits, layers that are dead on every picture, outputs that feed a layer as well. All
 * of them are packed, verified, simulated, and answer as the float network does. */
#include "dscq/base/json.h"
#include "dscq/base/png.h"
#include "dscq/base/rng.h"
#include "dscq/nn/checkpoint.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 16, PICTURES = 24 };

#define HEAD "[net]\nname=t\nwidth=16\nheight=16\nchannels=3\n"
#define TAIL                                                                           \
    "[data]\ntype=images\ntrain=plain\nmean=0.5\nstd=0.25\n"                           \
    "[compress]\nmethod=uniform\np=0\nb=8\nscale=channel\nepochs=0\n"
#define CONV(name, act)                                                                \
    "[convolutional]\nname=" name "\nfilters=6\nsize=3\npad=1\nactivation=" act "\n"

/* Layers called dead... get a bias that no input reaches up to; far... a large one that
 * all channels share. least: decibels of the packed outputs against the float ones. */
static const struct net {
    const char *what, *body;
    double least;
} k_nets[] = {
    {"last batch norm", CONV("a", "relu") "[batchnorm]\nname=b\n", 35},
    {"last sum", CONV("a", "relu") CONV("b", "linear") "[shortcut]\nfrom=0\n", 35},
    {"last weighted sum",
     CONV("a", "relu") CONV("b", "linear") "[shortcut]\nfrom=0\nalpha=3\nbeta=-0.25\n",
     35},
    {"last product",
     CONV("a", "relu") CONV("b", "logistic") "[scale_channels]\nfrom=0\n", 24},
    {"last join", CONV("a", "relu") CONV("b", "linear") "[route]\nlayers=0,1\n", 35},
    {"last mean", CONV("a", "relu") "[avgpool]\n", 35},
    {"last local norm", CONV("a", "relu") "[lrn]\n", 35},
    {"last maximum", CONV("a", "linear") "[maxpool]\nsize=2\nstride=2\npadding=0\n",
     35},
    {"last of a large shift", CONV("a", "relu") CONV("far", "linear"), 35},
    {"dead relu",
     CONV("dead", "relu") "[avgpool]\n[connected]\noutput=3\n"
                          "activation=linear\n",
     60},
    {"dead relu6 behind another",
     CONV("dead", "relu6") CONV("b", "relu") CONV("dead2", "relu") CONV("c", "linear"),
     60},
    {"dead in a sum",
     CONV("a", "relu") CONV(
         "dead", "relu") "[shortcut]\nfrom=0\nactivation=relu\n" CONV("b", "linear"),
     35},
    {"dead in a last sum",
     CONV("a", "relu") CONV("dead", "relu") "[shortcut]\nfrom=0\n", 35},
    {"dead in a join",
     CONV("a", "relu") CONV("dead", "relu") "[route]\nlayers=0,1\n" CONV("b", "linear"),
     35},
    {"dead in a product",
     CONV("a", "relu")
         CONV("dead", "relu") "[scale_channels]\nfrom=0\n" CONV("b", "linear"),
     60},
    {"dead behind a maximum",
     CONV("dead", "relu") "[maxpool]\nsize=2\nstride=2\npadding=0\n[upsample]\nstride="
                          "2\n" CONV("b", "linear"),
     60},
    {"dead before a batch norm",
     CONV("dead", "relu") "[batchnorm]\nname=b\n"
                          "activation=relu\n" CONV("c", "linear"),
     60},
    {"dead to the end", CONV("a", "relu") CONV("dead", "relu"), 60},
    {"an output that feeds",
     CONV("a", "relu") "net_output=1\n" CONV("b", "relu")
         CONV("c", "linear") "net_output=1\n",
     35},
    {"an output behind a maximum that feeds",
     CONV("a", "linear") "[maxpool]\nname=m\nsize=2\nstride=2\npadding=0\nnet_output="
                         "1\n" CONV("b", "linear") "net_output=1\n",
     35},
    {"an output in a sum",
     CONV("a", "linear") "net_output=1\n" CONV(
         "b", "linear") "net_output=1\n[shortcut]\nname=s\nfrom=0\nnet_output=1\n",
     35},
    {"an output in a join",
     CONV("a", "linear") "net_output=1\n" CONV(
         "b", "linear") "[route]\nname=r\nlayers=0,1\nnet_output=1\n",
     35},
};

static void setup(void)
{
    dscq_rng g = dscq_rng_seeded(11);
    static uint8_t px[SIDE * SIDE * 3];
    char name[64];
    dscq_error err = {0};

    ck_assert_int_eq(mkdir(test_path("plain"), 0700), 0);
    for (int i = 0; i < PICTURES; i++) {
        for (size_t j = 0; j < sizeof px; j++)
            px[j] = (uint8_t)dscq_rng_below(&g, 256);
        (void)snprintf(name, sizeof name, "plain/%02d.png", i);
        test_ok(dscq_png_write(test_path(name), px, SIDE, SIDE, 3, &err));
    }
}

/* Biases as the names say, statistics that are not those of nothing. */
static void give_weights(dscq_model *m)
{
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        const dscq_weights *w = n->weights;
        for (int32_t k = 0; k < w->channels; k++) {
            if (w->bias != NULL)
                w->bias[k] = strncmp(n->name, "dead", 4) == 0 ? -1000.0f
                             : strncmp(n->name, "far", 3) == 0
                                 ? 70.0f
                                 : 0.05f * (float)k - 0.1f;
            if (w->var != NULL) {
                w->mean[k] = 0.1f * (float)k;
                w->var[k] = 0.02f + 0.01f * (float)k;
            }
        }
    }
}

static void write_net(const struct net *n)
{
    const dscq_rng r = dscq_rng_seeded(3);
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    char text[2048];

    snprintf(text, sizeof text, "%s%s%s", HEAD, n->body, TAIL);
    test_ok(dscq_config_load(&cfg, test_file("net.cfg", text), &err));
    test_ok(dscq_model_from_config(&m, cfg, "data|compress", &r, &err));
    give_weights(m);
    test_ok(dscq_model_save(m, test_path("w.ckpt"), &err));
    dscq_model_destroy(m);
    dscq_config_destroy(cfg);
}

START_TEST(it_packs_and_answers_as_the_float_network)
{
    const struct net *n = &k_nets[_i];
    dscq_json *j = NULL;

    write_net(n);
    test_program_ok("compress net.cfg -w w.ckpt -o out --force");
    test_program_ok("verify out/packed.bin");
    test_program_ok("simulate out/packed.bin --machine zynq7020 --verify");
    ck_assert_int_eq(dscq_json_load(&j, test_path("out/run.json"), NULL), DSCQ_OK);
    const dscq_json *sqnr = dscq_json_get(j, "sqnr_db");
    const double db = dscq_json_real(sqnr, 1000);
    printf("%s: %.1f dB\n", n->what, db);
    ck_assert_msg(db >= n->least, "%s: %.1f dB", n->what, db);
    dscq_json_free(j);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("pack_edges", &tc);

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, it_packs_and_answers_as_the_float_network, 0,
                        sizeof k_nets / sizeof k_nets[0]);
    return s;
}

int main(void)
{
    setenv("DSCQ_DATA", test_source("data"), 1);
    return test_run(make);
}
