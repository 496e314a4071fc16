/* The detectors of ../shared/models: raw outputs of the stored inputs, and for the two
 * YOLO networks the boxes of 128 pictures and the AP50 of every class. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/data/boxes.h"
#include "dscq/data/image.h"
#include "dscq/nn/detect.h"
#include "foreign.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 128, TRUTHS = 64, COCO_CLASSES = 80 };
static const double k_floor = 0.005, k_listed = 0.1, k_suppress = 0.45;
static const double k_score_near = 2e-3, k_pixels_near = 1;
static const foreign_norm k_unit = {1 / 255.0, {0, 0, 0}, {1, 1, 1}, 0};

typedef struct scene {
    char name[64]; /* without .jpg */
    int32_t width, height;
} scene;

typedef struct evaluation {
    foreign net;
    scene image[IMAGES];
    int32_t images;
    int32_t map[COCO_CLASSES]; /* class of the labels to class of the network; -1 */
    dscq_detections found;
    dscq_truth truth[IMAGES * TRUTHS];
    int32_t truths[IMAGES];
    int32_t classes;
} evaluation;

static void list_images(evaluation *v)
{
    dscq_dir list;
    dscq_error err = {0};

    test_ok(dscq_dir_list(&list, test_shared("datasets/coco128-val/images"), &err));
    for (size_t i = 0; i < list.count && v->images < IMAGES; i++)
        snprintf(v->image[v->images++].name, sizeof v->image[0].name, "%.*s",
                 (int)strcspn(list.name[i], "."), list.name[i]);
    ck_assert_uint_eq(list.count, IMAGES);
    dscq_dir_free(&list);
}

static void read_truths(evaluation *v, int32_t image)
{
    char relative[FOREIGN_PATH];
    dscq_annotation a = {0};
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "datasets/coco128-val/labels/%s.txt",
             v->image[image].name);
    char *text = test_read(test_shared(relative));
    test_ok(dscq_yolo_parse(&a, text, strlen(text), relative, COCO_CLASSES, &err));
    for (size_t i = 0; i < a.boxes.count; i++) {
        const dscq_box *b = &a.boxes.box[i];
        if (v->map[b->cls] < 0)
            continue;
        ck_assert_int_lt(v->truths[image], TRUTHS);
        v->truth[image * TRUTHS + v->truths[image]++] =
            (dscq_truth){.x = (b->x0 + b->x1) / 2,
                         .y = (b->y0 + b->y1) / 2,
                         .w = b->x1 - b->x0,
                         .h = b->y1 - b->y0,
                         .cls = v->map[b->cls]};
    }
    dscq_annotation_clear(&a);
    dscq_free(text);
}

static void detect(evaluation *v, int32_t image)
{
    char relative[FOREIGN_PATH];
    static uint8_t small[3 * 320 * 320];
    dscq_image im = {0};
    const dscq_decode_opts rgb = {.channels = 3};
    const dscq_shape in = dscq_model_input(v->net.m);
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "datasets/coco128-val/images/%s.jpg",
             v->image[image].name);
    test_ok(dscq_image_load(&im, test_shared(relative), &rgb, &err));
    v->image[image].width = im.width;
    v->image[image].height = im.height;
    ck_assert_int_le(in.w * in.h, 320 * 320);
    foreign_stretch(small, im.px, (const int32_t[]){im.width, im.height},
                    (const int32_t[]){in.w, in.h});
    foreign_pixels(&v->net, 0, small, &k_unit);
    foreign_run(&v->net, 1);
    for (int32_t o = 0; o < dscq_model_outputs(v->net.m); o++) {
        dscq_head head;
        test_ok(
            dscq_head_from_node(&head, v->net.m, dscq_model_output(v->net.m, o), &err));
        test_ok(dscq_head_decode(&v->found, &head, dscq_exec_output(v->net.e, o, NULL),
                                 image, k_floor, &err));
        v->classes = head.classes;
    }
    dscq_image_clear(&im);
}

/* Whether d is the listed box: corners are listed with five digits. */
static int is_listed(const evaluation *v, const dscq_detection *d, const dscq_json *b)
{
    const scene *s = &v->image[d->image];
    const double corner[4] = {
        ((double)d->x - (double)d->w / 2) * s->width,
        ((double)d->y - (double)d->h / 2) * s->height,
        ((double)d->x + (double)d->w / 2) * s->width,
        ((double)d->y + (double)d->h / 2) * s->height,
    };

    if (dscq_json_int(dscq_json_at(b, 0), -1) != d->cls ||
        fabs(dscq_json_real(dscq_json_at(b, 1), -1) - (double)d->score) > k_score_near)
        return 0;
    for (size_t k = 0; k < 4; k++)
        if (fabs(dscq_json_real(dscq_json_at(b, 2 + k), -1e9) - corner[k]) >
            k_pixels_near)
            return 0;
    return 1;
}

static void check_listed(const evaluation *v, const dscq_json *want)
{
    size_t listed = 0, same = 0, extra = 0;

    for (size_t i = 0; i < (size_t)v->images; i++) {
        char key[80];
        snprintf(key, sizeof key, "%s.jpg", v->image[i].name);
        const dscq_json *boxes = foreign_member(want, key);
        listed += dscq_json_count(boxes);
        for (size_t k = 0; k < v->found.count; k++) {
            const dscq_detection *d = &v->found.item[k];
            if (d->image != (int32_t)i || (double)d->score < k_listed)
                continue;
            int hit = 0;
            for (size_t b = 0; b < dscq_json_count(boxes) && !hit; b++)
                hit = is_listed(v, d, dscq_json_at(boxes, b));
            same += (size_t)hit;
            extra += !hit;
        }
    }
    printf("%zu boxes listed, %zu of ours among them, %zu not\n", listed, same, extra);
    ck_assert_uint_eq(same, listed);
    ck_assert_uint_eq(extra, 0);
}

static void check_precision(const evaluation *v, const dscq_json *golden)
{
    double map = 0, per_class[COCO_CLASSES];
    dscq_error err = {0};
    const dscq_json *want = dscq_json_get(golden, "ap50_per_class");
    char key[16];

    test_ok(dscq_average_precision(&map, per_class, &v->found, v->truth, v->truths,
                                   TRUTHS, v->images, v->classes, DSCQ_AP_AREA, 0.5,
                                   &err));
    for (int32_t c = 0; c < v->classes; c++) {
        snprintf(key, sizeof key, "%d", (int)c);
        const double ap = dscq_json_real(dscq_json_get(want, key), -1);
        ck_assert_msg(fabs(per_class[c] - ap) <= 5.1e-5,
                      "class %d: AP50 %.4f, listed %.4f", (int)c, per_class[c], ap);
    }
    printf("AP50 %.2f %%, listed %.2f %%\n", 100 * map,
           100 * dscq_json_real(dscq_json_get(golden, "map50"), -1));
    ck_assert_double_eq_tol(map, dscq_json_real(dscq_json_get(golden, "map50"), -1),
                            5.1e-5);
}

static void map_classes(evaluation *v, int to_voc)
{
    dscq_json *j = to_voc ? foreign_golden("coco_to_voc_class.json") : NULL;
    char key[16];

    for (int32_t c = 0; c < COCO_CLASSES; c++) {
        snprintf(key, sizeof key, "%d", (int)c);
        v->map[c] = to_voc ? (int32_t)dscq_json_int(dscq_json_get(j, key), -1) : c;
    }
    dscq_json_free(j);
}

static void check_pictures(foreign *net, const char *file, int to_voc)
{
    static evaluation v;
    dscq_json *golden = foreign_golden(file);

    memset(&v, 0, sizeof v);
    v.net = *net;
    map_classes(&v, to_voc);
    list_images(&v);
    for (int32_t i = 0; i < v.images; i++) {
        detect(&v, i);
        read_truths(&v, i);
    }
    dscq_detections_suppress(&v.found, k_suppress, 0);
    check_listed(&v, dscq_json_get(golden, "detections"));
    check_precision(&v, golden);
    dscq_detections_clear(&v.found);
    dscq_json_free(golden);
}

static void yolo(const char *stem, const char *const head[2], const char *file,
                 int to_voc)
{
    foreign n;

    if (!foreign_darknet(&n, stem, 1))
        return;
    foreign_png(&n, "coco_000000000139_320.png", &k_unit);
    foreign_run(&n, 1);
    ck_assert_int_eq(dscq_model_outputs(n.m), 2);
    foreign_compare_raw(&n, 0, head[0]);
    foreign_compare_raw(&n, 1, head[1]);
    if (test_has_json() && test_shared("datasets/coco128-val/images") != NULL)
        check_pictures(&n, file, to_voc);
    foreign_close(&n);
}

START_TEST(yolo_fastest_finds_what_is_listed)
{
    const char *const head[] = {"yolo-fastest-1.1_head0_255x10x10.f32",
                                "yolo-fastest-1.1_head1_255x20x20.f32"};
    yolo("models/yolo-fastest-1.1-coco/yolo-fastest-1.1", head,
         "yolo-fastest-1.1_detections.json", 0);
}
END_TEST

START_TEST(mobilenet_v2_yolo_finds_what_is_listed)
{
    const char *const head[] = {"mobilenetv2-yolov3-nano-voc_head0_75x10x10.f32",
                                "mobilenetv2-yolov3-nano-voc_head1_75x20x20.f32"};
    yolo("models/mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc", head,
         "mobilenetv2-yolov3-nano-voc_detections.json", 1);
}
END_TEST

static void faces(const char *file, const char *png, const char *prefix,
                  const foreign_norm *p)
{
    char name[FOREIGN_PATH];
    foreign n;

    if (!foreign_onnx(&n, file, 1))
        return;
    foreign_png(&n, png, p);
    foreign_run(&n, 1);
    for (int32_t i = 0; i < dscq_onnx_outputs(n.f); i++) {
        snprintf(name, sizeof name, "%s_%s.f32", prefix, dscq_onnx_output_name(n.f, i));
        foreign_compare_raw(&n, i, name);
    }
    foreign_close(&n);
}

START_TEST(slim_320_gives_the_listed_outputs)
{
    const foreign_norm p = {1, {127, 127, 127}, {128, 128, 128}, 0};

    faces("models/face/slim-320.onnx", "faces_320x240.png", "slim-320", &p);
}
END_TEST

START_TEST(yunet_gives_the_listed_outputs)
{
    const foreign_norm p = {1, {0, 0, 0}, {1, 1, 1}, 1};

    faces("models/face/yunet_n_320.onnx", "faces_320x320.png", "yunet_n_320", &p);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("networks_detect", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, yolo_fastest_finds_what_is_listed);
    tcase_add_test(tc, mobilenet_v2_yolo_finds_what_is_listed);
    tcase_add_test(tc, slim_320_gives_the_listed_outputs);
    tcase_add_test(tc, yunet_gives_the_listed_outputs);
    return s;
}

int main(void)
{
    return test_run(make);
}
