/* The generator: fixed pixels, independence of order, classes that differ, boxes. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "test_data_util.h"

static dscq_dataset *open_set(const char *text)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    test_ok(data_open_set(&d, text, &err));
    return d;
}

static uint32_t picture_crc(dscq_dataset *d, dscq_split s, size_t i)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_ok(dscq_dataset_image(&im, d, s, i, &err));
    const uint32_t crc = dscq_crc32(0, im.px, (size_t)im.width * (size_t)im.height * 3);
    dscq_image_clear(&im);
    return crc;
}

/* Recorded once; another compiler, optimiser or machine must give the same. */
START_TEST(pixels_are_fixed)
{
    static const struct {
        const char *settings;
        uint32_t first, last;
    } k_case[] = {
        {"type=signs width=32 height=32 count=40 valid_frac=0", 0x31e959f3, 0x034a456c},
        {"type=signs width=96 height=64 count=40 classes=600 difficulty=1 valid_frac=0",
         0x3a4041a5, 0x13616d9e},
        {"type=signs_detect width=160 height=120 count=40 classes=43 valid_frac=0",
         0x48c86d6b, 0x22c79086},
    };
    dscq_dataset *d = open_set(k_case[_i].settings);
    const uint32_t last = picture_crc(d, DSCQ_SPLIT_TRAIN, 39);
    const uint32_t first = picture_crc(d, DSCQ_SPLIT_TRAIN, 0);

    ck_assert_msg(first == k_case[_i].first && last == k_case[_i].last,
                  "case %d: got {0x%08x, 0x%08x}", _i, first, last);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(an_item_depends_on_seed_and_number_only)
{
    dscq_dataset *a = open_set("type=signs width=24 height=24 count=30 valid_frac=0");
    dscq_dataset *b = open_set("type=signs width=24 height=24 count=90 valid_frac=0");
    dscq_dataset *c =
        open_set("type=signs width=24 height=24 count=30 valid_frac=0 seed=2");

    for (size_t i = 0; i < 30; i++) {
        ck_assert_uint_eq(picture_crc(a, DSCQ_SPLIT_TRAIN, 29 - i),
                          picture_crc(b, DSCQ_SPLIT_TRAIN, 29 - i));
        ck_assert_uint_ne(picture_crc(a, DSCQ_SPLIT_TRAIN, i),
                          picture_crc(c, DSCQ_SPLIT_TRAIN, i));
    }
    dscq_error err = {DSCQ_OK, ""};
    test_ok(dscq_dataset_open_test(a, &err));
    for (size_t i = 0; i < 30; i++) /* the test part shares nothing */
        ck_assert_uint_ne(picture_crc(a, DSCQ_SPLIT_TRAIN, i),
                          picture_crc(a, DSCQ_SPLIT_TEST, i));
    dscq_dataset_destroy(a);
    dscq_dataset_destroy(b);
    dscq_dataset_destroy(c);
}
END_TEST

START_TEST(all_classes_have_names_of_their_own)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d = open_set("type=signs width=12 height=12 count=1 classes=1024 "
                               "valid_frac=0 mean=0 std=1");
    dscq_names n = {0};

    ck_assert_int_eq(dscq_dataset_classes(d), 1024);
    for (int32_t c = 0; c < 1024; c++) {
        int32_t at = -1;
        test_ok(dscq_names_intern(&at, &n, dscq_dataset_class_name(d, c), &err));
        ck_assert_int_eq(at, c);
    }
    ck_assert_str_eq(n.name[0], "red_circle_3");
    dscq_names_clear(&n);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(labels_are_balanced_and_difficulty_shows)
{
    dscq_dataset *easy =
        open_set("type=signs width=32 height=32 count=50 difficulty=0 valid_frac=0");
    dscq_dataset *hard =
        open_set("type=signs width=32 height=32 count=50 difficulty=1 valid_frac=0");
    uint64_t n[10];

    dscq_dataset_histogram(easy, DSCQ_SPLIT_TRAIN, n);
    for (int c = 0; c < 10; c++)
        ck_assert_uint_eq(n[c], 5);
    for (size_t i = 0; i < 50; i++)
        ck_assert_uint_ne(picture_crc(easy, DSCQ_SPLIT_TRAIN, i),
                          picture_crc(hard, DSCQ_SPLIT_TRAIN, i));
    dscq_dataset_destroy(easy);
    dscq_dataset_destroy(hard);
}
END_TEST

START_TEST(scenes_have_boxes_inside_and_apart)
{
    dscq_dataset *d =
        open_set("type=signs_detect width=128 height=96 count=200 objects=6 "
                 "classes=12 valid_frac=0 mean=0 std=1");
    size_t total = 0, most = 0;

    for (size_t i = 0; i < 200; i++) {
        size_t n = 0;
        const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, i, &n);

        for (size_t k = 0; k < n; k++) {
            ck_assert(b[k].x0 >= 0.0f && b[k].x1 <= 1.0f && b[k].y0 >= 0.0f &&
                      b[k].y1 <= 1.0f);
            ck_assert((b[k].x1 - b[k].x0) * 128.0f >= 4.0f);
            ck_assert((b[k].y1 - b[k].y0) * 96.0f >= 4.0f);
            ck_assert(b[k].cls >= 0 && b[k].cls < 12);
            for (size_t j = 0; j < k; j++)
                ck_assert_double_lt(dscq_box_iou(&b[j], &b[k]), 0.25);
        }
        total += n;
        most = n > most ? n : most;
    }
    ck_assert_uint_eq(most, 6);
    ck_assert_uint_gt(total, 500);
    dscq_dataset_destroy(d);
}
END_TEST

/* Easy scenes are clean: a sign's box must differ from the background around it. */
START_TEST(a_box_is_where_the_sign_is)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d =
        open_set("type=signs_detect width=128 height=128 count=60 objects=1 "
                 "classes=4 difficulty=0 valid_frac=0 mean=0 std=1");
    int centred = 0;

    for (size_t i = 0; i < 60; i++) {
        size_t n = 0;
        const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, i, &n);
        dscq_image im;

        ck_assert_uint_eq(n, 1);
        test_ok(dscq_dataset_image(&im, d, DSCQ_SPLIT_TRAIN, i, &err));
        /* classes 0-3 are red rings: the middle of the left edge is red */
        const int x = (int)(b->x0 * 128.0f), y = (int)((b->y0 + b->y1) * 64.0f);
        const int in = (int)((b->x1 - b->x0) * 128.0f / 28.0f);
        const uint8_t *p = im.px + 3 * (y * 128 + x + in);
        centred += p[0] > p[1] + 15 && p[0] > p[2] + 15;
        dscq_image_clear(&im);
    }
    ck_assert_int_ge(centred, 45); /* clutter and tint take a few */
    dscq_dataset_destroy(d);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/signs", &tc);

    tcase_add_loop_test(tc, pixels_are_fixed, 0, 3);
    tcase_add_test(tc, an_item_depends_on_seed_and_number_only);
    tcase_add_test(tc, all_classes_have_names_of_their_own);
    tcase_add_test(tc, labels_are_balanced_and_difficulty_shows);
    tcase_add_test(tc, scenes_have_boxes_inside_and_apart);
    tcase_add_test(tc, a_box_is_where_the_sign_is);
    return s;
}

int main(void)
{
    return test_run(make);
}
