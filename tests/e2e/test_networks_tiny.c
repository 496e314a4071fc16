/* The two other networks of MLPerf Tiny in ../shared/models: persons in 96 x 96
 * pictures, and spoken words. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/data/image.h"
#include "foreign.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const foreign_norm k_unit = {1 / 255.0, {0, 0, 0}, {1, 1, 1}, 0};

static void put_resized(foreign *n, const char *name)
{
    char relative[FOREIGN_PATH];
    static uint8_t small[3 * 96 * 96];
    dscq_image im = {0};
    const dscq_decode_opts rgb = {.channels = 3};
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "datasets/coco128-val/images/%s", name);
    test_ok(dscq_image_load(&im, test_shared(relative), &rgb, &err));
    foreign_shrink(small, im.px, (const int32_t[]){im.width, im.height},
                   (const int32_t[]){96, 96});
    foreign_pixels(n, 0, small, &k_unit);
    dscq_image_clear(&im);
}

static void check_pictures(foreign *n)
{
    char *csv = test_read(test_shared("models/golden/vww_coco128val.csv"));
    size_t images = 0, right = 0;
    double far = 0;
    float y[2];

    for (char *line = strchr(csv, '\n'); line != NULL && line[1] != '\0';) {
        char name[64];
        line++;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ","), line);
        put_resized(n, name);
        foreign_run(n, 1);
        ck_assert_uint_eq(foreign_output(n, 0, 0, y, 2), 2);
        double want[2];
        ck_assert_int_eq(sscanf(line, "%*[^,],%*d,%lf,%lf", &want[0], &want[1]), 2);
        ck_assert_msg((y[1] > y[0]) == (want[1] > want[0]), "%s: logits %.5f %.5f",
                      name, (double)y[0], (double)y[1]);
        for (int k = 0; k < 2; k++)
            far = fmax(far, fabs((double)y[k] - want[k]));
        right += (y[1] > y[0]) == (foreign_column(line, 1) == 1);
        images++;
        line = strchr(line, '\n');
    }
    dscq_free(csv);
    printf("vww_96: %zu of %zu right, logits at most %.6f away\n", right, images, far);
    ck_assert_uint_eq(images, 125);
    ck_assert_uint_eq(right, 108); /* 86.4 % */
    ck_assert_double_lt(far, 1e-3);
}

START_TEST(visual_wake_words_answers_as_listed)
{
    dscq_json *j = foreign_golden("vww_logits.json");
    float y[2];
    foreign n;

    if (j != NULL && foreign_onnx(&n, "models/mlperf_tiny/vww_96.onnx", 1)) {
        foreign_png(&n, "vww_000000000785_96.png", &k_unit);
        foreign_run(&n, 1);
        foreign_compare(y, foreign_output(&n, 0, 0, y, 2), dscq_json_get(j, "float"),
                        "vww");
        if (test_shared("datasets/coco128-val/images") != NULL)
            check_pictures(&n);
        foreign_close(&n);
    }
    dscq_json_free(j);
}
END_TEST

START_TEST(keyword_spotting_answers_as_listed)
{
    dscq_json *j = foreign_golden("kws_logits.json");
    const char *path = test_shared("models/golden/inputs/kws_49x10.f32");
    uint8_t *data = NULL;
    size_t bytes = 0;
    float y[12];
    dscq_error err = {0};
    foreign n;

    if (j != NULL && path != NULL &&
        foreign_onnx(&n, "models/mlperf_tiny/kws_dscnn.onnx", 1)) {
        test_ok(dscq_file_read(&data, &bytes, path, 4096, &err));
        ck_assert_uint_eq(bytes, 490 * sizeof(float));
        memcpy(n.x, data, bytes);
        foreign_run(&n, 1);
        foreign_compare(y, foreign_output(&n, 0, 0, y, 12), dscq_json_get(j, "float"),
                        "kws");
        foreign_close(&n);
    }
    dscq_free(data);
    dscq_json_free(j);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("networks_tiny", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, visual_wake_words_answers_as_listed);
    tcase_add_test(tc, keyword_spotting_answers_as_listed);
    return s;
}

int main(void)
{
    return test_run(make);
}
