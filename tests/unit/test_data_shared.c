/* The real data sets of the shared folder: facts that their makers state. */
#include "dscq/base/alloc.h"
#include "test_data_util.h"

#include <math.h>

/* Settings with @ standing for the shared folder; NULL d when it is absent. */
static dscq_dataset *open_shared(const char *folder, const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    const char *root = test_shared(folder);
    char text[4096] = "";
    dscq_dataset *d = NULL;

    if (root == NULL)
        return NULL;
    for (const char *s = settings; *s != '\0'; s++) {
        if (*s == '@')
            (void)strncat(text, root, sizeof text - strlen(text) - 2);
        else
            (void)strncat(text, s, 1);
    }
    test_ok(data_open_set(&d, text, &err));
    return d;
}

START_TEST(mnist)
{
    static const int k_train[] = {5, 0, 4, 1, 9, 2, 1, 3, 1, 4};
    static const int k_test[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d =
        open_shared("datasets/mnist", "type=idx train=@/train-images-idx3-ubyte.gz "
                                      "test=@/t10k-images-idx3-ubyte.gz valid_frac=0");

    if (d == NULL)
        return;
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 60000);
    test_ok(dscq_dataset_open_test(d, &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 10000);
    for (size_t i = 0; i < 10; i++) {
        ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, i), k_train[i]);
        ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TEST, i), k_test[i]);
    }
    const dscq_preproc *p = dscq_dataset_preproc(d); /* of 1017 of them */
    ck_assert_double_eq_tol((double)p->mean[0], 0.13066, 0.002);
    ck_assert_double_eq_tol((double)p->std[0], 0.30811, 0.002);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(neu_det_as_classes_and_as_boxes)
{
    static const uint64_t k_boxes[6] = {206, 358, 251, 129, 210, 166};
    uint64_t n[6];
    dscq_dataset *d = open_shared("datasets/neu-det",
                                  "type=flat train=@/JPEGImages width=64 height=64 "
                                  "channels=1 valid_frac=0 mean=0 std=1");

    if (d == NULL)
        return;
    ck_assert_int_eq(dscq_dataset_classes(d), 6);
    ck_assert_str_eq(dscq_dataset_class_name(d, 4), "rolled-in_scale");
    dscq_dataset_histogram(d, DSCQ_SPLIT_TRAIN, n);
    for (int c = 0; c < 6; c++)
        ck_assert_uint_eq(n[c], 100);
    dscq_dataset_destroy(d);
    d = open_shared("datasets/neu-det",
                    "type=voc train=@ width=64 height=64 valid_frac=0 mean=0 std=1");
    dscq_dataset_histogram(d, DSCQ_SPLIT_TRAIN, n);
    for (int c = 0; c < 6; c++)
        ck_assert_uint_eq(n[c], k_boxes[c]);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(bccd)
{
    dscq_error err = {DSCQ_OK, ""};
    uint64_t n[3];
    dscq_dataset *d =
        open_shared("datasets/bccd",
                    "type=voc train=@ width=64 height=64 valid_frac=0 mean=0 std=1");

    if (d == NULL)
        return;
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 364);
    dscq_dataset_histogram(d, DSCQ_SPLIT_TRAIN, n);
    ck_assert_uint_eq(n[0], 361);                   /* Platelets */
    ck_assert_uint_eq(n[1] + n[2], 4155 + 372 - 2); /* two have no area */
    dscq_dataset_destroy(d);
    d = open_shared("datasets/bccd",
                    "type=voc train=@/ImageSets/Main/trainval.txt "
                    "test=@/ImageSets/Main/test.txt width=64 height=64 "
                    "valid_frac=0 mean=0 std=1");
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 292);
    test_ok(dscq_dataset_open_test(d, &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 72);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(coco128)
{
    dscq_error err = {DSCQ_OK, ""};
    static uint64_t n[80];
    static uint8_t px[320 * 320 * 3];
    uint64_t boxes = 0;
    int occur = 0;
    dscq_dataset *d = open_shared("datasets/coco128-val",
                                  "type=yolo train=@/images names=@/coco.names "
                                  "width=320 height=320 resize=letterbox "
                                  "valid_frac=0 mean=0 std=1");

    if (d == NULL)
        return;
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 128);
    dscq_dataset_histogram(d, DSCQ_SPLIT_TRAIN, n);
    for (int c = 0; c < 80; c++) {
        boxes += n[c];
        occur += n[c] > 0;
    }
    ck_assert_uint_eq(boxes, 898);
    ck_assert_int_eq(occur, 73);
    for (size_t i = 0; i < 128; i += 16)
        test_ok(dscq_dataset_pixels(px, NULL, d, DSCQ_SPLIT_TRAIN, i, &err));
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(imagenet256_needs_no_resampling_at_224)
{
    dscq_error err = {DSCQ_OK, ""};
    static uint8_t px[224 * 224 * 3];
    dscq_image im;
    dscq_dataset *d =
        open_shared("datasets/imagenet256",
                    "type=list train=@/labels.csv train_labels=@/images "
                    "names=@/synset_words.txt width=224 height=224 "
                    "resize=crop crop_frac=0.875 valid_frac=0 mean=0 std=1");

    if (d == NULL)
        return;
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 500);
    ck_assert_int_eq(dscq_dataset_classes(d), 1000);
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 3), 6);
    test_ok(dscq_dataset_pixels(px, NULL, d, DSCQ_SPLIT_TRAIN, 3, &err));
    test_ok(dscq_dataset_image(&im, d, DSCQ_SPLIT_TRAIN, 3, &err));
    ck_assert_int_eq(im.width, 256);
    for (int y = 0; y < 224; y++)
        ck_assert_mem_eq(px + 3 * 224 * y, im.px + 3 * (256 * (y + 16) + 16), 3 * 224);
    dscq_image_clear(&im);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(originals_of_any_size_and_one_component)
{
    dscq_error err = {DSCQ_OK, ""};
    static uint8_t px[128 * 128 * 3];
    int grey = 0;
    dscq_dataset *d = open_shared("datasets/imagenet256",
                                  "type=images train=@/originals width=128 height=128 "
                                  "resize=crop valid_frac=0");

    if (d == NULL)
        return;
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 8);
    for (size_t i = 0; i < 8; i++) {
        int same = 1;

        test_ok(dscq_dataset_pixels(px, NULL, d, DSCQ_SPLIT_TRAIN, i, &err));
        for (size_t k = 0; k < sizeof px; k += 3)
            same &= px[k] == px[k + 1] && px[k] == px[k + 2];
        grey += same;
    }
    ck_assert_int_eq(grey, 2);
    dscq_dataset_destroy(d);
}
END_TEST

/* The stored network inputs: JPEG decoders and resizers differ by a level or so. */
START_TEST(stored_inputs_are_reproduced)
{
    dscq_error err = {DSCQ_OK, ""};
    const char *picture = test_shared("datasets/coco128-val/images/000000000139.jpg");
    const char *golden = test_shared("models/golden/inputs/coco_000000000139_320.png");
    const int32_t side = 320;
    dscq_preproc p = {.width = side,
                      .height = side,
                      .channels = 3,
                      .crop_frac = 1.0f,
                      .scale = 1.0f,
                      .std = {1, 1, 1}};
    dscq_image in, want, got;

    if (picture == NULL || golden == NULL)
        return;
    test_ok(dscq_image_load(&in, picture, NULL, &err));
    test_ok(dscq_image_load(&want, golden, NULL, &err));
    test_ok(dscq_preproc_geometry(&got, NULL, &p, &in, &err));
    double sum = 0;
    int most = 0;
    for (int i = 0; i < side * side * 3; i++) {
        const int diff =
            got.px[i] > want.px[i] ? got.px[i] - want.px[i] : want.px[i] - got.px[i];
        sum += diff;
        most = diff > most ? diff : most;
    }
    ck_assert_msg(sum / (side * side * 3) < 0.6 && most <= 24, "mean %g, most %d",
                  sum / (side * side * 3), most);
    dscq_image_clear(&in);
    dscq_image_clear(&want);
    dscq_image_clear(&got);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/shared", &tc);

    tcase_add_test(tc, mnist);
    tcase_add_test(tc, neu_det_as_classes_and_as_boxes);
    tcase_add_test(tc, bccd);
    tcase_add_test(tc, coco128);
    tcase_add_test(tc, imagenet256_needs_no_resampling_at_224);
    tcase_add_test(tc, originals_of_any_size_and_one_component);
    tcase_add_test(tc, stored_inputs_are_reproduced);
    return s;
}

int main(void)
{
    return test_run(make);
}
