/* The CIFAR-10 networks of ../shared/models: logits of 16 records within 1e-3, the
 * class of every one of the 10,000 test records as listed, and the accuracy. The
 * Darknet twins answer a part of them. */
#include "dscq/base/alloc.h"
#include "foreign.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { RECORDS = 10000, PART = 1000, BATCH = 20 };

static const foreign_norm k_resnet20 = {
    1 / 255.0, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 0};
static const foreign_norm k_dsc = {
    1 / 255.0, {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}, 0};
static const foreign_norm k_raw = {1, {0, 0, 0}, {1, 1, 1}, 0};

static void check_logits(const foreign *n, const char *key)
{
    dscq_json *j = foreign_golden("cifar10_logits.json");
    char path[FOREIGN_PATH];
    float y[10];

    for (int32_t i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "logits.%s[%d]", key, (int)i);
        const size_t count = foreign_output(n, 0, i, y, 10);
        foreign_compare(y, count, dscq_json_get(j, path), path);
    }
    dscq_json_free(j);
}

/* How many of the first `records` are right; every class as listed in `col`. */
static size_t answer(foreign *n, const char *key, int col, const foreign_norm *p,
                     const uint8_t *rgb, size_t records)
{
    char *csv = test_read(test_shared("models/golden/cifar10_test_top1.csv"));
    const char *line = strchr(csv, '\n');
    size_t right = 0;
    float y[10];

    for (size_t i = 0; i < records; i += BATCH) {
        for (int32_t k = 0; k < BATCH; k++)
            foreign_pixels(n, k, rgb + 3072 * (i + (size_t)k), p);
        foreign_run(n, BATCH);
        if (i == 0)
            check_logits(n, key);
        for (int32_t k = 0; k < BATCH; k++) {
            ck_assert_ptr_nonnull(line);
            line++;
            ck_assert_uint_eq(foreign_output(n, 0, k, y, 10), 10);
            const long got = (long)foreign_best(y, 10);
            ck_assert_int_eq(foreign_column(line, 0), (long)i + k);
            ck_assert_msg(got == foreign_column(line, col),
                          "%s: record %zu is class %ld, not %ld", key, i + (size_t)k,
                          got, foreign_column(line, col));
            right += got == foreign_column(line, 1);
            line = strchr(line, '\n');
        }
    }
    printf("%s: %zu of %zu right, every class as listed\n", key, right, records);
    dscq_free(csv);
    return right;
}

static void check(foreign *n, const char *key, int col, const foreign_norm *p,
                  size_t records, size_t right)
{
    uint8_t *rgb = test_has_json() ? foreign_cifar() : NULL;

    if (rgb != NULL)
        ck_assert_uint_eq(answer(n, key, col, p, rgb, records), right);
    dscq_free(rgb);
    foreign_close(n);
}

START_TEST(resnet20_answers_as_listed)
{
    foreign n;

    if (foreign_onnx(&n, "models/cifar10_resnet/resnet20_cifar10.onnx", BATCH))
        check(&n, "resnet20", 2, &k_resnet20, RECORDS, 9173);
}
END_TEST

START_TEST(resnet20_of_darknet_answers_as_listed)
{
    foreign n;

    if (foreign_darknet(&n, "models/cifar10_resnet/resnet20_cifar10", BATCH))
        check(&n, "resnet20", 2, &k_resnet20, PART, 922);
}
END_TEST

START_TEST(dsc_cifar10_answers_as_listed)
{
    foreign n;

    if (foreign_onnx(&n, "models/cifar10_dsc/dsc_cifar10.onnx", BATCH))
        check(&n, "dsc_cifar10", 6, &k_dsc, RECORDS, 8741);
}
END_TEST

START_TEST(dsc_cifar10_of_darknet_answers_as_listed)
{
    foreign n;

    if (foreign_darknet(&n, "models/cifar10_dsc/dsc_cifar10", BATCH))
        check(&n, "dsc_cifar10", 6, &k_dsc, PART, 901);
}
END_TEST

START_TEST(resnet8_answers_as_listed)
{
    foreign n;

    if (foreign_onnx(&n, "models/mlperf_tiny/resnet8_cifar10.onnx", BATCH))
        check(&n, "resnet8_float", 4, &k_raw, RECORDS, 8719);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("networks_cifar", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, resnet20_answers_as_listed);
    tcase_add_test(tc, resnet20_of_darknet_answers_as_listed);
    tcase_add_test(tc, dsc_cifar10_answers_as_listed);
    tcase_add_test(tc, dsc_cifar10_of_darknet_answers_as_listed);
    tcase_add_test(tc, resnet8_answers_as_listed);
    return s;
}

int main(void)
{
    return test_run(make);
}
