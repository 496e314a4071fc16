/* Compression without training and without labels, as a user does it: a folder of
 * pictures, a float network, `dscq compress`. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/base/png.h"
#include "dscq/data/dataset.h"
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 16, PICTURES = 80 };

static const char k_net[] =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nname=stem\nfilters=8\nsize=3\nstride=2\npad=1\nbatch_normalize="
    "1\n"
    "activation=relu\n"
    "[depthwise]\nname=dw\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[convolutional]\nname=pw\nfilters=16\nsize=1\nbatch_normalize=1\nactivation="
    "relu6\n"
    "[avgpool]\n[connected]\nname=fc\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=400\ntest_count=100\nmean=0.5\nstd=0.25\n"
    "[train]\nepochs=4\nbatch=16\nlearning_rate=0.05\n"
    "[compress]\nepochs=0\nmethod=obq\nb=4\np=0.2\ncalibration_images=64\n";

static void make_pictures(void)
{
    dscq_data_params p;
    dscq_dataset *d = NULL;
    dscq_error err = {DSCQ_OK, ""};
    uint8_t px[SIDE * SIDE * 3];
    char name[64];

    test_ok(dscq_keys_defaults(&p, dscq_data_keys, &err));
    for (size_t i = 0; i < dscq_data_type_count(); i++)
        if (strcmp(dscq_data_type_name(i), "signs") == 0)
            p.type = (int32_t)i;
    p.count = PICTURES + 10;
    p.seed = 5;
    p.classes = 4;
    p.width = p.height = SIDE;
    p.channels = 3;
    test_ok(dscq_dataset_open(&d, &p, NULL, NULL, &err));
    ck_assert_int_eq(mkdir(test_path("plain"), 0700), 0);
    for (size_t i = 0; i < PICTURES; i++) {
        (void)snprintf(name, sizeof name, "plain/%03zu.png", i);
        test_ok(dscq_dataset_pixels(px, NULL, d, DSCQ_SPLIT_TRAIN, i, &err));
        test_ok(dscq_png_write(test_path(name), px, SIDE, SIDE, 3, &err));
    }
    dscq_dataset_destroy(d);
}

static void setup(void)
{
    test_file("net.cfg", k_net);
    make_pictures();
    test_program_ok("train net.cfg -o float --quiet");
}

#define UNLABELLED                                                                     \
    " --quiet -w float/float.ckpt --set data.type=images --set data.train=plain"

/* The network file is in one folder, the pictures are where the user is. */
START_TEST(set_names_pictures_from_the_current_folder)
{
    ck_assert_int_eq(mkdir(test_path("elsewhere"), 0700), 0);
    test_file("elsewhere/net.cfg", k_net);
    test_program_ok("compress elsewhere/net.cfg -o away" UNLABELLED);
    test_program_ok("compress net.cfg -o here" UNLABELLED);
    test_same("away/packed.bin", "here/packed.bin");
    test_program_fails("compress elsewhere/net.cfg -o bad" UNLABELLED
                       " --set data.train=absent",
                       7, "elsewhere/absent");
}
END_TEST

/* Right is what the unchanged network answers: it agrees with itself, harder pruning
 * agrees less, and a search knows what a recipe loses. */
START_TEST(without_labels_the_float_network_is_the_truth)
{
    dscq_json *j = NULL;
    double mild = -1, hard = -1;

    if (!test_has_json())
        return;
    test_program_ok("sensitivity net.cfg -o sense --json=sense.json --set "
                    "sensitivity.prune=0.1,0.95 --set "
                    "sensitivity.bits=8 --set sensitivity.channels= --set "
                    "sensitivity.norm_images=0" UNLABELLED);
    ck_assert_int_eq(dscq_json_load(&j, test_path("sense.json"), NULL), DSCQ_OK);
    ck_assert_str_eq(dscq_json_text(dscq_json_get(j, "truth"), ""),
                     "unchanged network");
    ck_assert_double_eq(dscq_json_real(dscq_json_get(j, "score_frac"), 0), 1);
    const dscq_json *rows = dscq_json_get(j, "sensitivity");
    for (size_t i = 0; i < dscq_json_count(rows); i++) {
        const dscq_json *r = dscq_json_at(rows, i);
        const double value = dscq_json_real(dscq_json_get(r, "value"), -1);
        const double drop = dscq_json_real(dscq_json_get(r, "drop_frac"), -1);
        mild = value < 0.5 && drop > mild ? drop : mild;
        hard = value > 0.9 && value < 1 && drop > hard ? drop : hard;
    }
    dscq_json_free(j);
    ck_assert_double_ge(mild, 0);
    ck_assert_double_gt(hard, mild);
    test_program_ok(
        "compress net.cfg -o found --search knapsack --set search.trials=3 --set "
        "search.finalists=1 --set search.max_loss=0.9 --set search.trial_loss=0.9 "
        "--set "
        "sensitivity.channels= --set search.norm_images=0" UNLABELLED);
    test_printed("loss");
    test_program_ok("verify found/packed.bin");
}
END_TEST

START_TEST(a_folder_of_pictures_is_enough)
{
    if (!test_has_json())
        return;
    test_program_ok("compress net.cfg -o a" UNLABELLED);
    test_printed("same top class");
    ck_assert_double_gt(test_run_number("a", "agreement_frac"), 0.6);
    ck_assert_double_gt(test_run_number("a", "sqnr_db"), 3.0);
    ck_assert_double_eq(test_run_number("a", "float_score_frac"), -1);
    ck_assert_double_eq(test_run_number("a", "images"), PICTURES / 10);
    test_program_ok("verify a/packed.bin");
    /* every step alone and together; the bytes do not depend on threads */
    test_program_ok("compress net.cfg -o b --set compress.bias_correction=1 --threads "
                    "2" UNLABELLED);
    test_program_ok(
        "compress net.cfg -o c --set compress.reestimate_norm=1" UNLABELLED);
    test_program_ok(
        "compress net.cfg -o d --set compress.method=uniform --set compress.b=8 "
        "--set compress.p=0 --set compress.bias_correction=1 "
        "--set compress.reestimate_norm=1" UNLABELLED);
    ck_assert_double_gt(test_run_number("d", "agreement_frac"), 0.8);
    test_program_ok("compress net.cfg -o e --set compress.bias_correction=1 --threads "
                    "1" UNLABELLED);
    char *b = test_read(test_path("b/run.json")),
         *e = test_read(test_path("e/run.json"));
    ck_assert_str_eq(b, e);
    dscq_free(b);
    dscq_free(e);
}
END_TEST

START_TEST(labels_are_only_scored)
{
    char digest[2][80];

    if (!test_has_json())
        return;
    /* calibrated on the folder, scored on labelled pictures */
    test_program_ok(
        "compress net.cfg -o l --quiet -w float/float.ckpt --set data.calibrate=plain "
        "--set compress.reestimate_norm=1");
    test_printed("McNemar");
    ck_assert_double_gt(test_run_number("l", "agreement_frac"), 0.6);
    ck_assert_double_lt(fabs(test_run_number("l", "change_frac")), 0.2);
    for (int k = 0; k < 2; k++) {
        char words[256];
        uint8_t *data = NULL;
        size_t bytes;
        (void)snprintf(
            words, sizeof words,
            "compress net.cfg -o m --force --quiet -w float/float.ckpt --set "
            "data.calibrate=plain --set data.count=%d",
            k == 0 ? 400 : 300);
        test_program_ok(words); /* the labelled part has no influence on the weights */
        test_program_ok("unpack m/packed.bin -o m/w.npz --force");
        ck_assert_int_eq(
            dscq_file_read(&data, &bytes, test_path("m/w.npz"), 1 << 24, NULL),
            DSCQ_OK);
        dscq_sha256_hex(digest[k], data, bytes);
        dscq_free(data);
    }
    ck_assert_str_eq(digest[0], digest[1]);
}
END_TEST

START_TEST(what_cannot_be_done_is_said)
{
    test_program_fails("compress net.cfg -o x --set compress.epochs=2" UNLABELLED, 5,
                       "epochs = 2 trains on labels");
    test_program_fails(
        "compress net.cfg -o x --quiet --set data.type=images --set data.train=plain",
        5, "scoring needs classes, which data of type images do not have");
    test_program_fails("eval net.cfg" UNLABELLED, 5, "scoring needs classes");
    test_program_fails("compress net.cfg -o x --set data.calibrate=nowhere" UNLABELLED,
                       7, "data.calibrate: ");
    test_program_fails("compress net.cfg -o x --set compress.epochs=2 --set "
                       "compress.bias_correction=1",
                       5,
                       "bias_correction compares with the network before compression");
    test_program_fails("compress net.cfg -o x --set compress.method=obq,clipq", 5,
                       "obq rounds the finished network and must be the last stage");
}
END_TEST

/* ---- networks of other people ---------------------------------------------------- */

typedef struct foreign {
    const char *file, *weights; /* in ../shared/models */
    const char *settings;
} foreign;

#define EIGHT " --set compress.method=uniform --set compress.p=0 --set compress.b=8"
#define OBQ   " --set compress.method=obq --set compress.p=0.1 --set compress.b=6"

static const foreign k_foreign[] = {
    {"cifar10_resnet/resnet20_cifar10.onnx", NULL, OBQ},
    {"cifar10_resnet/resnet20_cifar10.cfg", "cifar10_resnet/resnet20_cifar10.weights",
     EIGHT},
    {"cifar10_dsc/dsc_cifar10.onnx", NULL, OBQ},
    {"cifar10_dsc/dsc_cifar10.cfg", "cifar10_dsc/dsc_cifar10.weights", EIGHT},
    {"mlperf_tiny/resnet8_cifar10.onnx", NULL, OBQ},
    {"mlperf_tiny/vww_96.onnx", NULL, OBQ},
    {"mlperf_tiny/kws_dscnn.onnx", NULL, OBQ},
    {"mobilenet_v1_0.25_128/mobilenet_v1_0.25_128.onnx", NULL, EIGHT},
    {"mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.onnx", NULL, EIGHT},
    {"mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.onnx.xz", NULL, EIGHT},
    {"mobilenet_v2_1.0_224/mobilenet_v2_1.0_224.onnx.xz", NULL, EIGHT},
    {"yolo-fastest-1.1-coco/yolo-fastest-1.1.cfg",
     "yolo-fastest-1.1-coco/yolo-fastest-1.1.weights", EIGHT},
    {"mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc.cfg",
     "mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc.weights", EIGHT},
    {"face/slim-320.onnx", NULL, EIGHT},
    {"face/yunet_n_320.onnx", NULL, OBQ},
};

static const char *shared_model(char out[600], const char *file)
{
    char relative[256];

    (void)snprintf(relative, sizeof relative, "models/%s", file);
    const char *path = test_shared_unpacked(relative);
    if (path == NULL)
        return NULL;
    (void)snprintf(out, 600, "%s", path);
    return out;
}

START_TEST(networks_of_others_go_through)
{
    const foreign *f = &k_foreign[_i];
    char file[600], weights[600] = "", words[2048];

    if (shared_model(file, f->file) == NULL ||
        (f->weights != NULL && shared_model(weights, f->weights) == NULL))
        return;
    (void)snprintf(words, sizeof words, "import %s %s -o imp --force --quiet", file,
                   weights);
    const int code = test_program(words);
    char *said = test_read(test_path("stderr.txt"));
    if (code == 4 && strstr(said, "ONNX") != NULL) {
        test_skip("%s", said);
        return;
    }
    ck_assert_msg(code == 0, "%s: %s", f->file, said);
    dscq_free(said);
    (void)snprintf(
        words, sizeof words,
        "compress imp/net.cfg -o imp/out --force --quiet -w imp/float.ckpt "
        "--set data.type=images --set data.train=%s --set data.mean=0.5 --set "
        "data.std=0.25 --set data.limit=12 --set data.valid_frac=0.1 --set "
        "compress.epochs=0 --set compress.calibration_images=8 --set "
        "compress.bias_correction=1%s",
        test_path("plain"), f->settings);
    test_program_ok(words);
    test_printed("signal to quantisation noise");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("post-training", &tc);

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, a_folder_of_pictures_is_enough);
    tcase_add_test(tc, set_names_pictures_from_the_current_folder);
    tcase_add_test(tc, without_labels_the_float_network_is_the_truth);
    tcase_add_test(tc, labels_are_only_scored);
    tcase_add_test(tc, what_cannot_be_done_is_said);
    tc = tcase_create("foreign networks");
    tcase_add_checked_fixture(tc, make_pictures, NULL);
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, networks_of_others_go_through, 0,
                        (int)(sizeof k_foreign / sizeof *k_foreign));
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make);
}
