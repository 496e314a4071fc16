/* The four ImageNet networks of ../shared/models: logits of eight stored inputs within
 * 1e-3, the class of every one of 500 pictures as listed, and the accuracies. */
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/data/image.h"
#include "foreign.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { CLASSES = 1000, SIDE = 224 };

typedef struct network {
    const char *file, *name;
    int32_t size;
    int column; /* of imagenet_top1.csv */
    foreign_norm norm;
} network;

#define BY_128                                                                         \
    {                                                                                  \
        1, {128, 128, 128}, {128, 128, 128}, 0                                         \
    }
#define BY_127                                                                         \
    {                                                                                  \
        1, {127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}, 0                             \
    }

/* The centre 224 x 224; for smaller networks resized with antialiasing. */
static void put_picture(foreign *n, const char *name, const network *k)
{
    char relative[FOREIGN_PATH];
    static uint8_t small[3 * SIDE * SIDE];
    dscq_image im = {0}, part = {0};
    const int32_t whole[2] = {SIDE, SIDE}, size[2] = {k->size, k->size};
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "datasets/imagenet256/images/%s", name);
    test_ok(dscq_image_load(&im, test_shared(relative), NULL, &err));
    const int32_t region[4] = {(im.width - SIDE) / 2, (im.height - SIDE) / 2, SIDE,
                               SIDE};
    test_ok(
        dscq_image_resize(&part, &im, region, SIDE, SIDE, DSCQ_FILTER_BILINEAR, &err));
    if (k->size < SIDE)
        foreign_shrink(small, part.px, whole, size);
    foreign_pixels(n, 0, k->size < SIDE ? small : part.px, &k->norm);
    dscq_image_clear(&im);
    dscq_image_clear(&part);
}

static void check_logits(foreign *n, const network *k)
{
    static float y[CLASSES];
    dscq_json *j = foreign_golden("imagenet_logits.json");
    char key[64];

    ck_assert_ptr_nonnull(j);
    const dscq_json *want = foreign_member(dscq_json_get(j, "logits"), k->name);
    for (int image = 0; image < 800; image += 100) {
        snprintf(key, sizeof key, "%04d_%d.png", image, (int)k->size);
        foreign_png(n, key, &k->norm);
        foreign_run(n, 1);
        const size_t count = foreign_output(n, 0, 0, y, CLASSES);
        snprintf(key, sizeof key, "%04d", image);
        foreign_compare(y, count, dscq_json_get(want, key), key);
    }
    dscq_json_free(j);
}

static double listed(const char *name, const char *what)
{
    dscq_json *j = foreign_golden("summary.json");
    const dscq_json *net = foreign_member(dscq_json_get(j, "imagenet256_dev500"), name);
    const double v = dscq_json_real(dscq_json_get(net, what), -1);

    dscq_json_free(j);
    return v;
}

static void check_classes(foreign *n, const network *k)
{
    static float y[CLASSES];
    char *csv = test_read(test_shared("models/golden/imagenet_top1.csv"));
    size_t images = 0, right = 0, among_five = 0;

    for (char *line = strchr(csv, '\n'); line != NULL && line[1] != '\0';) {
        char name[64];
        line++;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ","), line);
        put_picture(n, name, k);
        foreign_run(n, 1);
        ck_assert_uint_eq(foreign_output(n, 0, 0, y, CLASSES), CLASSES);
        const size_t got = foreign_best(y, CLASSES);
        const long label = foreign_column(line, 1);
        ck_assert_msg((long)got == foreign_column(line, k->column),
                      "%s: class %zu, listed is %ld", name, got,
                      foreign_column(line, k->column));
        right += (long)got == label;
        among_five += (size_t)foreign_among(y, CLASSES, (size_t)label, 5);
        images++;
        line = strchr(line, '\n');
    }
    dscq_free(csv);
    printf("%s: top-1 %zu, top-5 %zu of %zu, every class as listed\n", k->name, right,
           among_five, images);
    ck_assert_uint_eq(images, 500);
    ck_assert_double_eq_tol((double)right / 500, listed(k->name, "top1"), 1e-9);
    ck_assert_double_eq_tol((double)among_five / 500, listed(k->name, "top5"), 1e-9);
}

static void check(const network *k)
{
    foreign n;

    if (!test_has_json() || test_shared("datasets/imagenet256/labels.csv") == NULL ||
        !foreign_onnx(&n, k->file, 1))
        return;
    check_logits(&n, k);
    check_classes(&n, k);
    foreign_close(&n);
}

START_TEST(mobilenet_v1_answers_as_listed)
{
    const network k = {"models/mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.onnx.xz",
                       "mobilenet_v1_1.0_224", 224, 2, BY_128};
    check(&k);
}
END_TEST

START_TEST(mobilenet_v2_answers_as_listed)
{
    const network k = {"models/mobilenet_v2_1.0_224/mobilenet_v2_1.0_224.onnx.xz",
                       "mobilenet_v2_1.0_224", 224, 3, BY_128};
    check(&k);
}
END_TEST

START_TEST(mobilenet_v1_quarter_answers_as_listed)
{
    const network k = {"models/mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.onnx",
                       "mobilenet_v1_0.25_224", 224, 4, BY_127};
    check(&k);
}
END_TEST

START_TEST(mobilenet_v1_quarter_of_128_answers_as_listed)
{
    const network k = {"models/mobilenet_v1_0.25_128/mobilenet_v1_0.25_128.onnx",
                       "mobilenet_v1_0.25_128", 128, 5, BY_128};
    check(&k);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("networks_imagenet", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, mobilenet_v1_answers_as_listed);
    tcase_add_test(tc, mobilenet_v2_answers_as_listed);
    tcase_add_test(tc, mobilenet_v1_quarter_answers_as_listed);
    tcase_add_test(tc, mobilenet_v1_quarter_of_128_answers_as_listed);
    return s;
}

int main(void)
{
    return test_run(make);
}
