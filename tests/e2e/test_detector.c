/* Detectors end to end: trained, taught, compressed, packed, scored in integers, drawn,
 * simulated with equal bytes. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/data/image.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two heads, upsampling and a route, standard and depthwise layers; 4 classes. */
#define BACKBONE                                                                       \
    "[net]\nwidth=48\nheight=32\nchannels=3\n"                                         \
    "[convolutional]\nname=stem\nfilters=8\nsize=3\nstride=2\npad=1\n"                 \
    "batch_normalize=1\nactivation=relu\n"                                             \
    "[depthwise]\nsize=3\nstride=2\npad=1\nbatch_normalize=1\nactivation=relu\n"       \
    "[convolutional]\nname=wide\nfilters=32\nsize=3\npad=1\nbatch_normalize=1\n"       \
    "activation=leaky\n"                                                               \
    "[convolutional]\nname=deep\nfilters=32\nsize=3\nstride=2\npad=1\n"                \
    "batch_normalize=1\nactivation=leaky\n"
#define HEADS                                                                          \
    "[convolutional]\nname=head_a\nfilters=18\nsize=1\nactivation=linear\n"            \
    "[yolo]\nmask=2,3\nnum=4\nclasses=4\nanchors=5,5, 8,8, 11,11, 16,16\n"             \
    "[route]\nlayers=3\n"                                                              \
    "[upsample]\nstride=2\n"                                                           \
    "[route]\nlayers=-1,2\n"                                                           \
    "[convolutional]\nname=head_b\nfilters=18\nsize=1\nactivation=linear\n"            \
    "[yolo]\nmask=0,1\nnum=4\nclasses=4\nanchors=5,5, 8,8, 11,11, 16,16\n"
#define REST                                                                           \
    "[data]\ntype=signs_detect\nclasses=4\nobjects=2\ncount=200\ntest_count=40\n"      \
    "valid_frac=0.2\nmosaic=0.2\nzoom=0.1\ndifficulty=0.2\n"                           \
    "[train]\nepochs=3\nbatch=16\noptimiser=adamw\nlearning_rate=0.01\n"               \
    "[compress]\nmethod=binary\nhigh_frac=0.05\nepochs=2\nlearning_rate=0.002\n"       \
    "freeze_frac=0.5\ncalibration_images=32\n"

static const char k_net[] = BACKBONE HEADS REST;
static const char k_region[] =
    BACKBONE "[convolutional]\nname=head\nfilters=18\nsize=1\nactivation=linear\n"
             "[region]\nnum=2\nclasses=4\nanchors=1.1,1.1, 2,2\n" REST;

static void make_reference(void)
{
    test_file("net.cfg", k_net);
    test_file("region.cfg", k_region);
    test_program_ok("compress net.cfg -o one --quiet");
    test_program_ok("compress region.cfg -o two --quiet");
}

static dscq_json *json_of(const char *path)
{
    dscq_json *j = NULL;

    ck_assert_int_eq(dscq_json_load(&j, test_path(path), NULL), DSCQ_OK);
    return j;
}

/* A grey picture with one bright square, of another size than the input. */
static void make_picture(void)
{
    dscq_image im = {0};

    ck_assert_int_eq(dscq_image_init(&im, 120, 90, 3, NULL), DSCQ_OK);
    memset(im.px, 100, (size_t)3 * 120 * 90);
    for (int y = 30; y < 60; y++)
        memset(im.px + 3 * (y * 120 + 40), 230, 3 * 30);
    ck_assert_int_eq(dscq_image_write_png(test_path("photo.png"), &im, NULL), DSCQ_OK);
    dscq_image_clear(&im);
}

START_TEST(every_rule_scores_float_and_integers)
{
    static const char *const k_rules[] = {"voc11", "area", "coco"};
    char args[256];

    if (!test_has_json())
        return;
    snprintf(args, sizeof args,
             "eval net.cfg -w one/float.ckpt -p one/packed.bin --per-class --ap %s "
             "--json=%s.json",
             k_rules[_i], k_rules[_i]);
    test_program_ok(args);
    snprintf(args, sizeof args, "%s.json", k_rules[_i]);
    dscq_json *j = json_of(args);
    const double real = dscq_json_real(dscq_json_get(j, "float_map_frac"), -1);
    const double packed = dscq_json_real(dscq_json_get(j, "packed_map_frac"), -1);
    ck_assert_msg(real > 0.005 && real <= 1, "float mAP %g", real);
    ck_assert_msg(packed >= 0 && packed <= 1, "packed mAP %g", packed);
    char *text = test_read(test_path(args));
    ck_assert_ptr_nonnull(strstr(text, "packed_ap_frac"));
    dscq_free(text);
    dscq_json_free(j);
    /* boxes are not right or wrong image by image: no test of pairs */
    j = json_of("one/run.json");
    ck_assert_double_ge(dscq_json_real(dscq_json_get(j, "packed_score_frac"), -1), 0);
    ck_assert_ptr_null(dscq_json_get(j, "mcnemar_p"));
    dscq_json_free(j);
}
END_TEST

START_TEST(boxes_are_printed_and_drawn)
{
    dscq_image im = {0}, plain = {0};

    make_picture();
    test_program_ok("run one/packed.bin photo.png --threshold 0 --draw found --csv");
    ck_assert_int_eq(dscq_image_load(&im, test_path("found/photo.png"), NULL, NULL),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_image_load(&plain, test_path("photo.png"), NULL, NULL),
                     DSCQ_OK);
    ck_assert_int_eq(im.width, 120);
    ck_assert_int_eq(im.height, 90);
    ck_assert_int_ne(memcmp(im.px, plain.px, (size_t)3 * 120 * 90), 0);
    test_program_ok("run one/packed.bin photo.png --threshold 1 --draw none");
    dscq_image_clear(&im);
    ck_assert_int_eq(dscq_image_load(&im, test_path("none/photo.png"), NULL, NULL),
                     DSCQ_OK);
    ck_assert_mem_eq(im.px, plain.px, (size_t)3 * 120 * 90);
    dscq_image_clear(&im);
    dscq_image_clear(&plain);
}
END_TEST

START_TEST(every_execution_of_the_file_agrees)
{
    static const char *const k_dirs[] = {"one", "two"};
    char args[256];

    snprintf(args, sizeof args, "verify %s/packed.bin", k_dirs[_i]);
    test_program_ok(args);
    snprintf(args, sizeof args, "simulate %s/packed.bin --machine zcu104 --verify",
             k_dirs[_i]);
    test_program_ok(args);
    snprintf(args, sizeof args, "simulate %s/packed.bin --machine zynq7020 --verify",
             k_dirs[_i]);
    test_program_ok(args);
}
END_TEST

START_TEST(a_teacher_with_the_same_heads_steers_training)
{
    uint8_t *a = NULL, *b = NULL;
    size_t n = 0, m = 0;

    test_program_ok("train net.cfg -o alone --set train.epochs=1 -q");
    test_program_ok("train net.cfg -o taught --set train.epochs=1 -q --set "
                    "train.teacher=one/float.ckpt --set train.distil_weight=0.6");
    ck_assert_int_eq(
        dscq_file_read(&a, &n, test_path("alone/float.ckpt"), (size_t)1 << 24, NULL),
        DSCQ_OK);
    ck_assert_int_eq(
        dscq_file_read(&b, &m, test_path("taught/float.ckpt"), (size_t)1 << 24, NULL),
        DSCQ_OK);
    ck_assert(n == m && memcmp(a, b, n) != 0);
    dscq_free(a);
    dscq_free(b);
    test_program_ok("compress net.cfg -w one/float.ckpt -o tuned -q --set "
                    "train.distil_weight=0.5");
    test_program_fails(
        "train net.cfg -o bad -q --set train.teacher=two/float.ckpt --set "
        "train.teacher_net=region.cfg --set train.distil_weight=0.6",
        5, "outputs");
}
END_TEST

START_TEST(anchors_come_from_the_training_boxes)
{
    test_program_ok("check net.cfg --anchors 4");
    char *said = test_read(test_path("stdout.txt"));
    const char *line = strstr(said, "anchors = ");
    ck_assert_ptr_nonnull(line);
    double before = 0;
    for (int i = 0; i < 4; i++) { /* by rising area, none larger than the input */
        char *end;
        const double w = strtod(line + (i == 0 ? 10 : 2), &end);
        const double h = strtod(end + 1, &end);
        ck_assert(w > 0 && w <= 48 && h > 0 && h <= 32 && w * h >= before);
        before = w * h;
        line = end;
    }
    dscq_free(said);
    test_program_fails("check net.cfg --anchors 4 two/packed.bin", 2, "one NET.cfg");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("detector", &tc);

    tcase_add_checked_fixture(tc, make_reference, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, every_rule_scores_float_and_integers, 0, 3);
    tcase_add_test(tc, boxes_are_printed_and_drawn);
    tcase_add_loop_test(tc, every_execution_of_the_file_agrees, 0, 2);
    tcase_add_test(tc, a_teacher_with_the_same_heads_steers_training);
    tcase_add_test(tc, anchors_come_from_the_training_boxes);
    return s;
}

int main(void)
{
    setenv("DSCQ_DATA", test_source("data"), 1);
    return test_run(make);
}
