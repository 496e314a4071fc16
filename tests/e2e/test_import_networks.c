/* Networks of other people, brought in and run: logits within 1e-3 of what two or
 * three other programs got, and their classes. The files are in ../shared/models. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/data/image.h"
#include "dscq/import/darknet.h"
#include "dscq/import/onnx.h"
#include "dscq/nn/exec.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 512, OUTPUTS = 16 };

typedef struct net {
    dscq_onnx *f;
    dscq_model *m;
    dscq_exec *e;
    float *x;
} net;

static void start(net *n)
{
    const dscq_exec_options o = {.batch = 1, .raw_outputs = 1};
    const dscq_shape in = dscq_model_input(n->m);
    dscq_error err = {0};

    ck_assert_msg(dscq_exec_create(&n->e, n->m, &o, &err) == DSCQ_OK, "%s", err.msg);
    n->x = dscq_calloc(dscq_shape_count(&in), sizeof *n->x);
    ck_assert_ptr_nonnull(n->x);
}

static void stop(net *n)
{
    dscq_exec_destroy(n->e);
    dscq_model_destroy(n->m);
    dscq_onnx_close(n->f);
    dscq_free(n->x);
    memset(n, 0, sizeof *n);
}

/* 0: not there. A file.xz is unpacked by xz into the test's folder. */
static int open_onnx(net *n, const char *file)
{
    const char *path = test_shared(file);
    const char *unpacked = test_path("net.onnx");
    char command[3 * PATH];
    dscq_error err = {0};
    dscq_table *refused = NULL;

    memset(n, 0, sizeof *n);
    if (path == NULL)
        return 0;
    if (!dscq_onnx_available()) {
        printf("SKIP: built without ONNX\n");
        return 0;
    }
    if (strstr(path, ".xz") != NULL) {
        snprintf(command, sizeof command, "xz -dc '%s' > '%s' 2>/dev/null", path,
                 unpacked);
        if (system(command) != 0) {
            printf("SKIP: no xz to unpack %s\n", file);
            return 0;
        }
        path = unpacked;
    }
    ck_assert_msg(dscq_onnx_load(&n->f, path, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_msg(dscq_onnx_to_model(&n->m, &refused, n->f, &err) == DSCQ_OK, "%s",
                  err.msg);
    start(n);
    return 1;
}

static int open_darknet(net *n, const char *stem)
{
    char file[PATH];
    dscq_config *cfg = NULL;
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_error err = {0};

    memset(n, 0, sizeof *n);
    snprintf(file, sizeof file, "%s.cfg", stem);
    const char *path = test_shared(file);
    if (path == NULL)
        return 0;
    ck_assert_msg(dscq_config_load(&cfg, path, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_msg(dscq_model_from_config(&n->m, cfg, "", &rng, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_config_destroy(cfg);
    snprintf(file, sizeof file, "%s.weights", stem);
    ck_assert_msg(dscq_darknet_load(n->m, test_shared(file), 0, NULL, &err) == DSCQ_OK,
                  "%s", err.msg);
    start(n);
    return 1;
}

typedef struct norm {
    double scale, mean[3], std[3];
    int bgr;
} norm;

static void put_pixels(net *n, const uint8_t *rgb, const norm *p)
{
    const dscq_shape in = dscq_model_input(n->m);
    const size_t pixels = (size_t)in.h * (size_t)in.w;

    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            n->x[3 * i + c] =
                (float)((rgb[3 * i + (p->bgr ? 2 - c : c)] * p->scale - p->mean[c]) /
                        p->std[c]);
}

static void put_png(net *n, const char *file, const norm *p)
{
    char relative[PATH];
    dscq_image im = {0};
    dscq_error err = {0};
    const dscq_shape in = dscq_model_input(n->m);

    snprintf(relative, sizeof relative, "models/golden/inputs/%s", file);
    const char *path = test_shared(relative);
    ck_assert_ptr_nonnull(path);
    ck_assert_msg(dscq_image_load(&im, path, NULL, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(im.width, in.w);
    ck_assert_int_eq(im.height, in.h);
    ck_assert_int_eq(im.channels, 3);
    put_pixels(n, im.px, p);
    dscq_image_clear(&im);
}

/* Output i of the graph (or, of a Darknet net, of the network) in the file's order. */
static size_t output(net *n, int32_t i, float *to, size_t cap)
{
    const float *y[OUTPUTS];
    dscq_shape s = {0, 0, 0, 0};
    size_t count = 0;

    for (int32_t j = 0; j < dscq_model_outputs(n->m); j++)
        y[j] = dscq_exec_output(n->e, j, j == i ? &s : NULL);
    if (n->f == NULL) {
        const size_t map = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
        ck_assert_uint_le(map * c, cap);
        for (size_t p = 0; p < map * c; p++)
            to[p % c * map + p / c] = y[i][p];
        return map * c;
    }
    const dscq_onnx_output *o = dscq_onnx_model_output(n->f, i);
    for (int32_t p = 0; p < o->count; p++)
        count += dscq_shape_count(
            &dscq_model_node(n->m, dscq_model_output(n->m, o->part[p]))->out);
    ck_assert_uint_le(count, cap);
    dscq_onnx_collect(to, n->f, n->m, i, y);
    return count;
}

static size_t forward(net *n, float *to, size_t cap)
{
    dscq_exec_forward(n->e, DSCQ_PASS_EVAL, n->x, 1, NULL);
    return output(n, 0, to, cap);
}

static size_t best(const float *y, size_t n)
{
    size_t k = 0;

    for (size_t i = 1; i < n; i++)
        k = y[i] > y[k] ? i : k;
    return k;
}

/* 1e-3, and for large logits that many parts of the largest that golden files of six
 * digits can hold. */
static void compare(const float *y, size_t count, const dscq_json *want,
                    const char *what)
{
    size_t most = 0;

    ck_assert_ptr_nonnull(want);
    ck_assert_uint_eq(count, dscq_json_count(want));
    for (size_t i = 0; i < count; i++) {
        const double w = dscq_json_real(dscq_json_at(want, i), (double)NAN);
        ck_assert_msg(fabs((double)y[i] - w) <= 1e-3, "%s: value %zu is %.6f, not %.6f",
                      what, i, (double)y[i], w);
        if (w > dscq_json_real(dscq_json_at(want, most), 0))
            most = i;
    }
    ck_assert_uint_eq(best(y, count), most);
}

static dscq_json *golden(const char *file)
{
    char relative[PATH];
    dscq_json *j = NULL;
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "models/golden/%s", file);
    const char *path = test_shared(relative);
    if (path == NULL || !test_has_json())
        return NULL;
    ck_assert_msg(dscq_json_load(&j, path, &err) == DSCQ_OK, "%s", err.msg);
    return j;
}

/* ---- ImageNet -----------------------------------------------------------------------
 */

/* Names with dots in them are not paths. */
static const dscq_json *member(const dscq_json *j, const char *name)
{
    for (size_t i = 0; i < dscq_json_count(j); i++)
        if (strcmp(dscq_json_key(j, i), name) == 0)
            return dscq_json_member(j, i);
    return NULL;
}

static void imagenet(const char *file, const char *name, int size, const norm *p)
{
    static float y[1000];
    char key[PATH];
    dscq_json *j = golden("imagenet_logits.json");
    net n;

    if (j == NULL || !open_onnx(&n, file)) {
        dscq_json_free(j);
        return;
    }
    for (int image = 0; image < 800; image += 100) {
        snprintf(key, sizeof key, "%04d_%d.png", image, size);
        put_png(&n, key, p);
        const size_t count = forward(&n, y, 1000);
        snprintf(key, sizeof key, "%04d", image);
        compare(y, count, dscq_json_get(member(dscq_json_get(j, "logits"), name), key),
                key);
    }
    stop(&n);
    dscq_json_free(j);
}

static const norm k_by_128 = {1, {128, 128, 128}, {128, 128, 128}, 0};
static const norm k_by_127 = {1, {127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}, 0};

START_TEST(mobilenet_v1)
{
    imagenet("models/mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.onnx.xz",
             "mobilenet_v1_1.0_224", 224, &k_by_128);
}
END_TEST

START_TEST(mobilenet_v2)
{
    imagenet("models/mobilenet_v2_1.0_224/mobilenet_v2_1.0_224.onnx.xz",
             "mobilenet_v2_1.0_224", 224, &k_by_128);
}
END_TEST

START_TEST(mobilenet_v1_quarter)
{
    imagenet("models/mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.onnx",
             "mobilenet_v1_0.25_224", 224, &k_by_127);
}
END_TEST

START_TEST(mobilenet_v1_quarter_128)
{
    imagenet("models/mobilenet_v1_0.25_128/mobilenet_v1_0.25_128.onnx",
             "mobilenet_v1_0.25_128", 128, &k_by_128);
}
END_TEST

/* ---- CIFAR-10
 * ------------------------------------------------------------------------- */

/* RGB records of the test file, as many as djxl unpacks; NULL without it. */
static uint8_t *cifar(size_t *count)
{
    const char *strip = test_shared("datasets/cifar10/test_1.jxl");
    const char *ppm = test_path("test_1.ppm");
    char command[3 * PATH];
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_error err = {0};

    *count = 5000;
    if (strip == NULL)
        return NULL;
    snprintf(command, sizeof command, "djxl --quiet '%s' '%s' >/dev/null 2>&1", strip,
             ppm);
    if (!dscq_path_exists(ppm) && system(command) != 0) {
        printf("SKIP: no djxl to unpack CIFAR-10\n");
        return NULL;
    }
    ck_assert_msg(dscq_file_read(&data, &bytes, ppm, (size_t)1 << 28, &err) == DSCQ_OK,
                  "%s", err.msg);
    ck_assert_uint_gt(bytes, *count * 3072);
    memmove(data, data + bytes - *count * 3072, *count * 3072);
    return data;
}

/* Column of cifar10_test_top1.csv. */
static long column(const char *line, int index)
{
    for (; index > 0 && line != NULL; index--) {
        line = strchr(line, ',');
        line = line != NULL ? line + 1 : NULL;
    }
    return line != NULL ? strtol(line, NULL, 10) : -1;
}

static void cifar_check(net *n, const char *key, int col, const norm *p)
{
    const size_t classes = getenv("DSCQ_LONG") != NULL ? 5000 : 300;
    dscq_json *j = golden("cifar10_logits.json");
    size_t count = 0, right = 0;
    uint8_t *rgb = cifar(&count);
    float y[10];
    char path[PATH];

    if (j != NULL && rgb != NULL) {
        char *csv = test_read(test_shared("models/golden/cifar10_test_top1.csv"));
        const char *line = strchr(csv, '\n');
        for (size_t i = 0; i < classes && line != NULL; i++) {
            line++;
            put_pixels(n, rgb + 3072 * i, p);
            ck_assert_uint_eq(forward(n, y, 10), 10);
            if (i < 16) {
                snprintf(path, sizeof path, "logits.%s[%zu]", key, i);
                compare(y, 10, dscq_json_get(j, path), path);
            }
            ck_assert_msg((long)best(y, 10) == column(line, col), "record %zu: %zu", i,
                          best(y, 10));
            right += (long)best(y, 10) == column(line, 1);
            line = strchr(line, '\n');
        }
        printf("%s: %zu of %zu right, every class as listed\n", key, right, classes);
        dscq_free(csv);
    }
    dscq_free(rgb);
    dscq_json_free(j);
}

static const norm k_resnet20 = {
    1 / 255.0, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}, 0};
static const norm k_dsc = {
    1 / 255.0, {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}, 0};
static const norm k_raw = {1, {0, 0, 0}, {1, 1, 1}, 0};
static const norm k_unit = {1 / 255.0, {0, 0, 0}, {1, 1, 1}, 0};

START_TEST(resnet20)
{
    net n;

    if (open_onnx(&n, "models/cifar10_resnet/resnet20_cifar10.onnx")) {
        cifar_check(&n, "resnet20", 2, &k_resnet20);
        stop(&n);
    }
}
END_TEST

START_TEST(resnet20_of_darknet)
{
    net n;

    if (open_darknet(&n, "models/cifar10_resnet/resnet20_cifar10")) {
        cifar_check(&n, "resnet20", 2, &k_resnet20);
        stop(&n);
    }
}
END_TEST

START_TEST(dsc_cifar10)
{
    net n;

    if (open_onnx(&n, "models/cifar10_dsc/dsc_cifar10.onnx")) {
        cifar_check(&n, "dsc_cifar10", 6, &k_dsc);
        stop(&n);
    }
}
END_TEST

START_TEST(dsc_cifar10_of_darknet)
{
    net n;

    if (open_darknet(&n, "models/cifar10_dsc/dsc_cifar10")) {
        cifar_check(&n, "dsc_cifar10", 6, &k_dsc);
        stop(&n);
    }
}
END_TEST

START_TEST(resnet8)
{
    net n;

    if (open_onnx(&n, "models/mlperf_tiny/resnet8_cifar10.onnx")) {
        cifar_check(&n, "resnet8_float", 4, &k_raw);
        stop(&n);
    }
}
END_TEST

/* ---- MLPerf Tiny
 * ------------------------------------------------------------------------ */

START_TEST(visual_wake_words)
{
    dscq_json *j = golden("vww_logits.json");
    float y[2];
    net n;

    if (j != NULL && open_onnx(&n, "models/mlperf_tiny/vww_96.onnx")) {
        put_png(&n, "vww_000000000785_96.png", &k_unit);
        compare(y, forward(&n, y, 2), dscq_json_get(j, "float"), "vww");
        stop(&n);
    }
    dscq_json_free(j);
}
END_TEST

START_TEST(keyword_spotting)
{
    dscq_json *j = golden("kws_logits.json");
    const char *path = test_shared("models/golden/inputs/kws_49x10.f32");
    uint8_t *data = NULL;
    size_t bytes = 0;
    float y[12];
    dscq_error err;
    net n;

    if (j != NULL && path != NULL &&
        open_onnx(&n, "models/mlperf_tiny/kws_dscnn.onnx")) {
        ck_assert_int_eq(dscq_file_read(&data, &bytes, path, 4096, &err), DSCQ_OK);
        ck_assert_uint_eq(bytes, 490 * sizeof(float));
        memcpy(n.x, data, bytes);
        compare(y, forward(&n, y, 12), dscq_json_get(j, "float"), "kws");
        stop(&n);
    }
    dscq_free(data);
    dscq_json_free(j);
}
END_TEST

/* ---- detectors: raw outputs
 * ---------------------------------------------------------------- */

static void compare_raw(net *n, int32_t i, const char *file)
{
    char relative[PATH];
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "models/golden/%s", file);
    const char *path = test_shared(relative);
    ck_assert_ptr_nonnull(path);
    ck_assert_msg(dscq_file_read(&data, &bytes, path, (size_t)1 << 26, &err) == DSCQ_OK,
                  "%s", err.msg);
    const size_t count = bytes / sizeof(float);
    float *y = dscq_calloc(count, sizeof *y);
    float *want = dscq_calloc(count, sizeof *want);
    memcpy(want, data, count * sizeof *want);
    ck_assert_uint_eq(output(n, i, y, count), count);
    for (size_t k = 0; k < count; k++)
        ck_assert_msg(
            fabs((double)y[k] - (double)want[k]) <= 1e-3 + 1e-4 * fabs((double)want[k]),
            "%s: value %zu is %.6f, not %.6f", file, k, (double)y[k], (double)want[k]);
    dscq_free(y);
    dscq_free(want);
    dscq_free(data);
}

static void yolo(const char *stem, const char *const head[2])
{
    net n;

    if (!open_darknet(&n, stem))
        return;
    put_png(&n, "coco_000000000139_320.png", &k_unit);
    dscq_exec_forward(n.e, DSCQ_PASS_EVAL, n.x, 1, NULL);
    ck_assert_int_eq(dscq_model_outputs(n.m), 2);
    compare_raw(&n, 0, head[0]);
    compare_raw(&n, 1, head[1]);
    stop(&n);
}

START_TEST(yolo_fastest)
{
    const char *const head[] = {"yolo-fastest-1.1_head0_255x10x10.f32",
                                "yolo-fastest-1.1_head1_255x20x20.f32"};
    yolo("models/yolo-fastest-1.1-coco/yolo-fastest-1.1", head);
}
END_TEST

START_TEST(mobilenet_v2_yolo)
{
    const char *const head[] = {"mobilenetv2-yolov3-nano-voc_head0_75x10x10.f32",
                                "mobilenetv2-yolov3-nano-voc_head1_75x20x20.f32"};
    yolo("models/mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc", head);
}
END_TEST

static void faces(const char *file, const char *png, const char *prefix, const norm *p)
{
    char name[PATH];
    net n;

    if (!open_onnx(&n, file))
        return;
    put_png(&n, png, p);
    dscq_exec_forward(n.e, DSCQ_PASS_EVAL, n.x, 1, NULL);
    for (int32_t i = 0; i < dscq_onnx_outputs(n.f); i++) {
        snprintf(name, sizeof name, "%s_%s.f32", prefix, dscq_onnx_output_name(n.f, i));
        compare_raw(&n, i, name);
    }
    stop(&n);
}

START_TEST(slim_320)
{
    const norm p = {1, {127, 127, 127}, {128, 128, 128}, 0};

    faces("models/face/slim-320.onnx", "faces_320x240.png", "slim-320", &p);
}
END_TEST

START_TEST(yunet)
{
    const norm p = {1, {0, 0, 0}, {1, 1, 1}, 1};

    faces("models/face/yunet_n_320.onnx", "faces_320x320.png", "yunet_n_320", &p);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("import_networks", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, mobilenet_v1);
    tcase_add_test(tc, mobilenet_v2);
    tcase_add_test(tc, mobilenet_v1_quarter);
    tcase_add_test(tc, mobilenet_v1_quarter_128);
    tcase_add_test(tc, resnet20);
    tcase_add_test(tc, resnet20_of_darknet);
    tcase_add_test(tc, dsc_cifar10);
    tcase_add_test(tc, dsc_cifar10_of_darknet);
    tcase_add_test(tc, resnet8);
    tcase_add_test(tc, visual_wake_words);
    tcase_add_test(tc, keyword_spotting);
    tcase_add_test(tc, yolo_fastest);
    tcase_add_test(tc, mobilenet_v2_yolo);
    tcase_add_test(tc, slim_320);
    tcase_add_test(tc, yunet);
    return s;
}

int main(void)
{
    return test_run(make);
}
