/* Grids in front of tables in whole runs: accuracy of trained networks with swish, what
 * ranges.csv may say of them, and that fine-tuning learns and keeps them. */
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/pack/pack.h"
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEST_SECONDS = 600 };

#define LAYERS(ACT)                                                                    \
    "[net]\nwidth=24\nheight=24\nchannels=3\n"                                         \
    "[convolutional]\nname=stem\nfilters=12\nsize=3\nstride=2\npad=1\n"                \
    "batch_normalize=1\nactivation=" ACT "\n"                                          \
    "[depthwise]\nname=dw1\nsize=3\npad=1\nbatch_normalize=1\nactivation=" ACT "\n"    \
    "[convolutional]\nname=pw1\nfilters=16\nsize=1\nbatch_normalize=1\n"               \
    "activation=" ACT "\n"                                                             \
    "[depthwise]\nname=dw2\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"              \
    "activation=" ACT "\n"                                                             \
    "[avgpool]\nname=squeeze\n"                                                        \
    "[convolutional]\nname=gate\nfilters=16\nsize=1\nactivation=logistic\n"            \
    "[scale_channels]\nname=excite\nfrom=3\n"                                          \
    "[convolutional]\nname=pw2\nfilters=16\nsize=1\nbatch_normalize=1\n"               \
    "activation=linear\n"                                                              \
    "[avgpool]\n[connected]\nname=fc\noutput=6\nactivation=linear\n[softmax]\n"
#define REST                                                                           \
    "[data]\ntype=signs\ncount=1000\ntest_count=500\nclasses=6\ndifficulty=0.2\n"      \
    "valid_frac=0.1\n[train]\nepochs=8\nbatch=32\n"                                    \
    "[compress]\nmethod=uniform\np=0\nb=8\nepochs=0\ncalibration_images=100\n"

/* NAME.cfg, trained in NAME. */
static void train(const char *name, const char *cfg)
{
    char args[128], file[32];

    (void)snprintf(file, sizeof file, "%s.cfg", name);
    (void)test_file(file, cfg);
    (void)snprintf(args, sizeof args, "train %s -o %s --quiet", file, name);
    test_program_ok(args);
}

/* Without retraining the packed network answers as the float one. */
static void answers_as_float(const char *net, const char *cfg)
{
    static const char *const k_rules[] = {"mse", "percentile", "minmax"};
    char args[256], dir[64];

    train(net, cfg);
    for (size_t i = 0; i < sizeof k_rules / sizeof *k_rules; i++) {
        (void)snprintf(dir, sizeof dir, "%s_%s", net, k_rules[i]);
        (void)snprintf(args, sizeof args,
                       "compress %s.cfg -w %s/float.ckpt -o %s --quiet --set "
                       "compress.calibration=%s",
                       net, net, dir, k_rules[i]);
        test_program_ok(args);
        ck_assert_msg(test_run_number(dir, "agreement_frac") >= 0.96, "%s: %.3f", dir,
                      test_run_number(dir, "agreement_frac"));
        (void)snprintf(args, sizeof args, "verify %s/packed.bin", dir);
        test_program_ok(args);
    }
}

START_TEST(eight_bits_answer_as_float)
{
    answers_as_float("swish", LAYERS("swish") REST);
    answers_as_float("hard", LAYERS("hard_swish") REST);
    answers_as_float("tanh", LAYERS("tanh") REST);
}
END_TEST

/* Scale and zero point of a map. */
static dscq_qtensor map_of(const char *path, const char *name)
{
    dscq_qmodel *m;
    dscq_qtensor t = {0};
    dscq_error err;

    ck_assert_msg(dscq_pack_read(&m, test_path(path), &err) == DSCQ_OK, "%s", err.msg);
    for (int32_t i = 0; i < m->tensor_count; i++)
        if (strcmp(m->tensor[i].name, name) == 0)
            t = m->tensor[i];
    dscq_qmodel_destroy(m);
    ck_assert_msg(t.bits > 0, "%s: no map '%s'", path, name);
    return t;
}

#define COMPRESS "compress swish.cfg -w swish/float.ckpt --quiet -o "

START_TEST(ranges_name_what_is_in_front_of_a_table)
{
    train("swish", LAYERS("swish") REST);
    test_file("pre.csv", "layer,scale,zero,lo,hi,bits\n"
                         "pw1.pre,0.0625,-40,-128,127,8\n"
                         "gate.pre,0.5,0,-8,7,4\n");
    test_program_ok(COMPRESS "given --set compress.ranges=pre.csv");
    const dscq_qtensor pw = map_of("given/packed.bin", "pw1.pre"),
                       gate = map_of("given/packed.bin", "gate.pre");
    ck_assert_double_eq(pw.scale, 0.0625);
    ck_assert_int_eq(pw.zero_point, -40);
    ck_assert_int_eq(pw.bits, 8);
    ck_assert_double_eq(gate.scale, 0.5);
    ck_assert_int_eq(gate.bits, 4);
    /* and the others are calibrated */
    ck_assert_int_eq(map_of("given/packed.bin", "stem.pre").bits, 8);
    test_program_ok("verify given/packed.bin");
    test_file("wide.csv",
              "layer,scale,zero,lo,hi,bits\npw1.pre,0.0625,0,-32768,32767,16\n");
    test_program_fails(COMPRESS "wide --set compress.ranges=wide.csv", 5, "wide.csv:2");
    test_file("none.csv", "layer,scale,zero,lo,hi,bits\npw2.pre,0.0625,0,-8,7,4\n");
    test_program_fails(COMPRESS "none --set compress.ranges=none.csv", 5,
                       "no layer 'pw2.pre'"); /* linear: there is no table */
}
END_TEST

#define TUNE                                                                           \
    " --set compress.epochs=3 --set compress.freeze_frac=0.7 --set "                   \
    "train.learning_rate=0.02 --set compress.learn_ranges=1"

/* Grids in front of tables learn with the others, and a run that is killed goes on with
 * those it had. */
START_TEST(fine_tuning_learns_and_keeps_them)
{
    train("swish", LAYERS("swish") REST);
    test_program_ok(COMPRESS "learnt --threads 1" TUNE);
    test_program_ok(COMPRESS "fixed --threads 1" TUNE " --set compress.range_rate=0");
    const dscq_qtensor learnt = map_of("learnt/packed.bin", "pw1.pre"),
                       fixed = map_of("fixed/packed.bin", "pw1.pre");
    ck_assert_int_eq(learnt.zero_point, fixed.zero_point);
    ck_assert_double_gt(fabs(learnt.scale / fixed.scale - 1.0), 1e-4);
    ck_assert_double_ge(test_run_number("learnt", "packed_score_frac"),
                        test_run_number("learnt", "float_score_frac") - 0.02);
    ck_assert_int_gt(
        test_kill_until_done(COMPRESS "killed --threads 1" TUNE, "--resume", 0), 0);
    test_same("learnt/packed.bin", "killed/packed.bin");
}
END_TEST

static Suite *grids_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("grids in front of tables", &tc);

    tcase_set_timeout(tc, TEST_SECONDS);
    tcase_add_test(tc, eight_bits_answer_as_float);
    tcase_add_test(tc, ranges_name_what_is_in_front_of_a_table);
    tcase_add_test(tc, fine_tuning_learns_and_keeps_them);
    return s;
}

int main(void)
{
    return test_run(grids_suite);
}
