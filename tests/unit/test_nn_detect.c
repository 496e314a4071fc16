/* Detector heads: decoding, suppression, loss and average precision, against cases
 * worked by hand and slopes. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/nn/detect.h"
#include "dscq/nn/train.h"
#include "support.h"

#include <math.h>
#include <string.h>

static dscq_model *from_text(const char *text)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(1);

    ck_assert_int_eq(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err),
                     DSCQ_OK);
    ck_assert_msg(dscq_model_from_config(&m, cfg, "", &r, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_config_destroy(cfg);
    return m;
}

static const char k_yolo[] =
    "[net]\nwidth=64\nheight=32\nchannels=3\n"
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=8\nstride=8\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nmask=1,2\nnum=3\nclasses=2\nanchors=4,4, 16,8, 32,16\nscale_x_y=1.2\n"
    "ignore_thresh=.5\n";

static const char k_region[] =
    "[net]\nwidth=64\nheight=32\nchannels=3\n"
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=8\nstride=8\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[region]\nnum=2\nclasses=2\nanchors=1,0.5, 2,1\n";

/* 0: yolo, 1: region, 2: yolo of new_coords. */
static dscq_head make_head(int kind)
{
    const int is_region = kind == 1;
    dscq_head h = {0};
    dscq_error err = {0};
    dscq_model *m = is_region
                        ? from_text("[net]\nwidth=4\nheight=2\nchannels=14\n"
                                    "[region]\nnum=2\nclasses=2\nanchors=1,0.5,2,1\n")
                        : from_text(k_yolo);
    const int32_t last = dscq_model_nodes(m) - 1;

    ck_assert_int_eq(dscq_head_from_node(&h, m, last, &err), DSCQ_OK);
    if (!is_region)
        ck_assert_int_eq(dscq_head_from_node(&h, m, 0, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_head_from_node(&h, m, last, &err), DSCQ_OK);
    dscq_model_destroy(m);
    h.new_coords = kind == 2;
    return h;
}

/* Numbers that such a head may meet: chances behind a logistic activation. */
static float any_number(dscq_rng *r, int kind)
{
    return kind == 2 ? (float)(0.25 + 0.5 * dscq_rng_unit64(r)) : dscq_rng_normal(r);
}

START_TEST(decoding_follows_the_formulas)
{
    const dscq_head h = make_head(_i);
    float raw[2 * 4 * 14];
    dscq_detections d = {0};
    dscq_error err = {0};

    ck_assert_int_eq(h.h, 2);
    ck_assert_int_eq(h.w, 4);
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++)
        raw[i] = -9.0f;
    /* row 1, column 2, second anchor: tx ty tw th to c0 c1 */
    const float box[] = {0.4f, -0.2f, 0.1f, -0.3f, 2.0f, -1.0f, 1.5f};
    memcpy(raw + (1 * 4 + 2) * 14 + 7, box, sizeof box);
    ck_assert_int_eq(dscq_head_decode(&d, &h, raw, 5, 0.3, &err), DSCQ_OK);
    ck_assert_uint_eq(d.count, 1);
    const double s = _i ? 1.0 : 1.2;
    const double sx = 1 / (1 + exp(-0.4)), sy = 1 / (1 + exp(0.2));
    const double so = 1 / (1 + exp(-2.0));
    const double cls = _i ? exp(1.5) / (exp(1.5) + exp(-1)) : 1 / (1 + exp(-1.5));
    ck_assert_double_eq_tol((double)d.item[0].x, (2 + s * sx - (s - 1) / 2) / 4, 1e-6);
    ck_assert_double_eq_tol((double)d.item[0].y, (1 + s * sy - (s - 1) / 2) / 2, 1e-6);
    ck_assert_double_eq_tol((double)d.item[0].w, exp(0.1) * 0.5, 1e-6);
    ck_assert_double_eq_tol((double)d.item[0].h, exp(-0.3) * 0.5, 1e-6);
    ck_assert_double_eq_tol((double)d.item[0].score, so * cls, 1e-6);
    ck_assert_int_eq(d.item[0].cls, 1);
    ck_assert_int_eq(d.item[0].image, 5);
    dscq_detections_clear(&d);
}
END_TEST

/* YOLOv4-CSP: the numbers are chances, a side is (2 v)^2 times the anchor's. */
START_TEST(new_coords_decode_without_a_logistic)
{
    dscq_model *m =
        from_text("[net]\nwidth=64\nheight=32\nchannels=14\n[yolo]\nmask=1,2\nnum=3\n"
                  "classes=2\nanchors=4,4, 16,8, 32,16\nscale_x_y=2\nnew_coords=1\n");
    const float box[] = {0.6f, 0.3f, 0.5f, 0.25f, 0.8f, 0.1f, 0.9f};
    float raw[32 * 64 * 14] = {0};
    dscq_detections d = {0};
    dscq_error err = {0};
    dscq_head h, back;
    char text[512];

    test_ok(dscq_head_from_node(&h, m, 0, &err));
    memcpy(raw + (1 * 64 + 2) * 14 + 7, box, sizeof box); /* row 1, column 2, 32 x 16 */
    for (int i = 0; i < 2; i++) {
        test_ok(dscq_head_decode(&d, i == 0 ? &h : &back, raw, 0, 0.3, &err));
        ck_assert_uint_eq(d.count, 1);
        ck_assert_double_eq_tol((double)d.item[0].x, (2 + 2 * 0.6 - 0.5) / 64, 1e-6);
        ck_assert_double_eq_tol((double)d.item[0].y, (1 + 2 * 0.3 - 0.5) / 32, 1e-6);
        ck_assert_double_eq_tol((double)d.item[0].w, 1.0 * 0.5, 1e-6);
        ck_assert_double_eq_tol((double)d.item[0].h, 0.25 * 0.5, 1e-6);
        ck_assert_double_eq_tol((double)d.item[0].score, 0.8 * 0.9, 1e-6);
        ck_assert_int_eq(d.item[0].cls, 1);
        dscq_detections_clear(&d);
        ck_assert(dscq_head_text(text, sizeof text, &h));
        test_ok(dscq_head_parse(&back, text, &err)); /* and as the file says it */
    }
    dscq_model_destroy(m);
}
END_TEST

START_TEST(settings_survive_as_text)
{
    const dscq_head h = make_head(_i);
    dscq_head back = {0};
    char text[512];
    dscq_error err = {0};

    ck_assert(dscq_head_text(text, sizeof text, &h));
    ck_assert_msg(dscq_head_parse(&back, text, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(back.anchors, h.anchors);
    ck_assert_int_eq(back.classes, h.classes);
    ck_assert_int_eq(back.is_region, h.is_region);
    ck_assert_double_eq_tol(back.scale_xy, h.scale_xy, 1e-12);
    for (int i = 0; i < h.anchors; i++) {
        ck_assert_int_eq(back.mask[i], h.mask[i]);
        ck_assert_double_eq_tol((double)back.anchor_w[i], (double)h.anchor_w[i], 1e-6);
    }
    ck_assert(!dscq_head_text(text, 20, &h));
    ck_assert_int_eq(dscq_head_parse(&back, "classes=2\nh=1\n", &err), DSCQ_FORMAT);
    ck_assert_int_eq(dscq_head_parse(&back, "clases=2\n", &err), DSCQ_FORMAT);
    ck_assert_int_eq(
        dscq_head_parse(&back, "classes=2\nh=1\nw=1\nmask=4\nanchors=1,1\n", &err),
        DSCQ_FORMAT);
}
END_TEST

static dscq_detection box(float x, float y, float w, float h, float score, int32_t cls,
                          int32_t image)
{
    return (dscq_detection){x, y, w, h, score, cls, image};
}

START_TEST(overlap_is_intersection_over_union)
{
    ck_assert_double_eq_tol(dscq_box_overlap(0, 0, 2, 2, 1, 0, 2, 2), 1.0 / 3, 1e-12);
    ck_assert_double_eq_tol(dscq_box_overlap(0, 0, 2, 2, 0, 0, 2, 2), 1, 1e-12);
    ck_assert_double_eq_tol(dscq_box_overlap(0, 0, 2, 2, 2, 0, 2, 2), 0, 1e-12);
    ck_assert_double_eq_tol(dscq_box_overlap(0, 0, 0, 0, 0, 0, 0, 0), 0, 1e-12);
}
END_TEST

START_TEST(suppression_keeps_the_best_of_each_class_and_image)
{
    const dscq_detection in[] = {
        box(.50f, .5f, .2f, .2f, .6f, 0, 0), box(.51f, .5f, .2f, .2f, .9f, 0, 0),
        box(.51f, .5f, .2f, .2f, .8f, 1, 0), box(.50f, .5f, .2f, .2f, .7f, 0, 1),
        box(.90f, .5f, .2f, .2f, .5f, 0, 0), box(.10f, .1f, .1f, .1f, .4f, 0, 0),
    };
    dscq_detections d = {0};

    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(dscq_detections_add(&d, &in[i], NULL), DSCQ_OK);
    dscq_detections_suppress(&d, 0.5, 0);
    ck_assert_uint_eq(d.count, 5);
    ck_assert_double_eq_tol((double)d.item[0].score, 0.9, 1e-6);
    ck_assert_double_eq_tol((double)d.item[1].score, 0.8, 1e-6);
    ck_assert_int_eq(d.item[4].image, 1);
    dscq_detections_suppress(&d, 0.5, 2);
    ck_assert_uint_eq(d.count, 3);
    dscq_detections_clear(&d);
    dscq_detections_suppress(&d, 0.5, 2);
}
END_TEST

START_TEST(loss_gradient_is_the_slope_of_the_loss)
{
    const dscq_head h = make_head(_i);
    float raw[2 * 2 * 4 * 14], grad[2 * 2 * 4 * 14] = {0}, none[2 * 2 * 4 * 14];
    const dscq_truth truth[] = {
        {.x = 0.6f, .y = 0.7f, .w = 0.5f, .h = 0.6f, .cls = 1},
        {.x = 0.1f, .y = 0.2f, .w = 0.2f, .h = 0.3f, .cls = 0},
        {.x = 0.3f, .y = 0.3f, .w = 0.4f, .h = 0.4f, .cls = 0},
        {.x = 0.9f, .y = 0.9f, .w = 0.1f, .h = 0.1f, .cls = 0, .ignore = 1},
    };
    const int32_t count[] = {2, 2};
    const dscq_detect_loss p = {1.5, 1.0, 0.5, 0.7};
    dscq_rng r = dscq_rng_seeded(2);

    for (int i = 0; i < 224; i++)
        raw[i] = any_number(&r, _i);
    const double loss = dscq_head_loss(grad, &h, raw, 2, truth, count, 2, &p);
    ck_assert(loss > 0);
    for (int i = 0; i < 224; i++) {
        const float old = raw[i];
        raw[i] = old + 1e-2f;
        const double hi = (double)raw[i];
        const double up = dscq_head_loss(none, &h, raw, 2, truth, count, 2, &p);
        raw[i] = old - 1e-2f;
        const double down = dscq_head_loss(none, &h, raw, 2, truth, count, 2, &p);
        const double slope = (up - down) / (hi - (double)raw[i]);
        raw[i] = old;
        ck_assert_msg(fabs(slope - (double)grad[i]) < (_i == 2 ? 1e-2 : 2e-3),
                      "%d: %g, slope %g", i, (double)grad[i], slope);
    }
}
END_TEST

START_TEST(a_teachers_gradient_is_the_slope_too)
{
    const dscq_head h = make_head(_i);
    float raw[224], teacher[224], grad[224] = {0}, none[224];
    const dscq_detect_loss p = {1.5, 1.0, 0.5, 0.7};
    dscq_rng r = dscq_rng_seeded(3);

    for (int i = 0; i < 224; i++) {
        raw[i] = any_number(&r, _i);
        teacher[i] = any_number(&r, _i);
    }
    ck_assert(dscq_head_distil(grad, &h, raw, teacher, 2, &p) > 0);
    for (int i = 0; i < 224; i++) {
        const float old = raw[i];
        raw[i] = old + 1e-2f;
        const double hi = (double)raw[i];
        const double up = dscq_head_distil(none, &h, raw, teacher, 2, &p);
        raw[i] = old - 1e-2f;
        const double down = dscq_head_distil(none, &h, raw, teacher, 2, &p);
        const double slope = (up - down) / (hi - (double)raw[i]);
        raw[i] = old;
        ck_assert_msg(fabs(slope - (double)grad[i]) < (_i == 2 ? 1e-2 : 1e-4),
                      "%d: %g, slope %g", i, (double)grad[i], slope);
    }
    /* who says the same as the teacher pays nothing */
    memset(grad, 0, sizeof grad);
    ck_assert_double_eq_tol(dscq_head_distil(grad, &h, raw, raw, 2, &p), 0, 1e-9);
    for (int i = 0; i < 224; i++)
        ck_assert_double_eq_tol((double)grad[i], 0, 1e-7);
}
END_TEST

START_TEST(objectness_starts_low)
{
    dscq_model *m = from_text(k_yolo);
    const dscq_weights *w = dscq_model_node(m, 2)->weights;

    for (int32_t c = 0; c < w->channels; c++)
        ck_assert_double_eq_tol((double)w->bias[c], c % 7 == 4 ? log(1.0 / 99) : 0,
                                1e-6);
    dscq_model_destroy(m);
}
END_TEST

/* A perfect answer decodes to the truth and costs next to nothing. */
START_TEST(the_right_answer_is_the_minimum)
{
    const dscq_head h = make_head(0);
    float raw[2 * 4 * 14], grad[2 * 4 * 14] = {0};
    const dscq_truth t = {.x = 0.6f, .y = 0.7f, .w = 0.5f, .h = 0.6f, .cls = 1};
    const int32_t one = 1;
    const dscq_detect_loss p = {1, 1, 1, 1};
    dscq_detections d = {0};

    for (int i = 0; i < 112; i++)
        raw[i] = i % 7 == 4 ? -20.0f : 0.0f;
    /* centre in column 2 (of 4), row 1 (of 2); the 32 x 16 anchor fits best */
    const double px = (0.6 * 4 - 2 + 0.1) / 1.2, py = (0.7 * 2 - 1 + 0.1) / 1.2;
    float *v = raw + (1 * 4 + 2) * 14 + 7;
    v[0] = (float)log(px / (1 - px));
    v[1] = (float)log(py / (1 - py));
    v[2] = (float)log(0.5 / 0.5);
    v[3] = (float)log(0.6 / 0.5);
    v[4] = 20;
    v[5] = -20;
    v[6] = 20;
    const double loss = dscq_head_loss(grad, &h, raw, 1, &t, &one, 1, &p);
    for (int i = 0; i < 112; i++)
        ck_assert_double_eq_tol((double)grad[i], 0, 1e-5);
    ck_assert(loss < 2.5); /* what remains is the entropy of the centre's target */
    ck_assert_int_eq(dscq_head_decode(&d, &h, raw, 0, 0.5, NULL), DSCQ_OK);
    ck_assert_uint_eq(d.count, 1);
    ck_assert_double_eq_tol(dscq_box_overlap(d.item[0].x, d.item[0].y, d.item[0].w,
                                             d.item[0].h, t.x, t.y, t.w, t.h),
                            1, 1e-5);
    dscq_detections_clear(&d);
}
END_TEST

/* ---- average precision
 * --------------------------------------------------------------- One class, three
 * truths in two images; detections by falling score: hit, miss, hit, miss (a second one
 * on a truth already found). Recalls 1/3 1/3 2/3 2/3, precisions 1 1/2 2/3 1/2. 11
 * points: recalls 0 .1 .2 .3 -> 1; .4 .5 .6 -> 2/3; the rest 0: (4 + 2)/11 area: 1/3 *
 * 1 + 1/3 * 2/3 = 5/9 101 points: 0..33 -> 1 (34 of them); 34..66 -> 2/3 (33): (34 +
 * 22)/101 */
static void worked_example(dscq_detections *d, dscq_truth truth[4], int32_t count[2])
{
    const dscq_detection det[] = {
        box(.20f, .2f, .2f, .2f, .9f, 0, 0), box(.80f, .2f, .2f, .2f, .8f, 0, 0),
        box(.50f, .5f, .4f, .4f, .7f, 0, 1), box(.20f, .2f, .2f, .2f, .6f, 0, 0),
        box(.50f, .5f, .4f, .4f, .9f, 1, 1), /* of a class without truths */
    };

    truth[0] = (dscq_truth){.x = .2f, .y = .2f, .w = .2f, .h = .2f};
    truth[1] = (dscq_truth){.x = .5f, .y = .8f, .w = .1f, .h = .1f};
    truth[2] = (dscq_truth){.x = .5f, .y = .5f, .w = .4f, .h = .4f};
    truth[3] = (dscq_truth){0};
    count[0] = 2;
    count[1] = 1;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(dscq_detections_add(d, &det[i], NULL), DSCQ_OK);
}

START_TEST(average_precision_of_a_hand_worked_case)
{
    static const double want[] = {6.0 / 11, 5.0 / 9, 56.0 / 101};
    dscq_detections d = {0};
    dscq_truth truth[4];
    int32_t count[2];
    double map, per[2];

    worked_example(&d, truth, count);
    ck_assert_int_eq(dscq_average_precision(&map, per, &d, truth, count, 2, 2, 2,
                                            (dscq_ap_rule)_i, 0.5, NULL),
                     DSCQ_OK);
    ck_assert_double_eq_tol(per[0], want[_i], 1e-9);
    ck_assert_double_eq_tol(per[1], -1, 0.1);
    ck_assert_double_eq_tol(map, want[_i], 1e-9);
    dscq_detections_clear(&d);
}
END_TEST

/* Miss, hit, hit: precisions 0, 1/2, 2/3 are made falling from the right, so both
 * recalls have 2/3. */
START_TEST(precision_never_rises_with_recall)
{
    static const double want[] = {2.0 / 3, 2.0 / 3, 2.0 / 3};
    const dscq_truth truth[] = {{.x = .2f, .y = .2f, .w = .1f, .h = .1f},
                                {.x = .7f, .y = .7f, .w = .1f, .h = .1f}};
    const dscq_detection found[] = {box(.45f, .45f, .1f, .1f, .9f, 0, 0),
                                    box(.2f, .2f, .1f, .1f, .8f, 0, 0),
                                    box(.7f, .7f, .1f, .1f, .7f, 0, 0)};
    const int32_t two = 2;
    dscq_detections d = {0};
    double map;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(dscq_detections_add(&d, &found[i], NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_average_precision(&map, NULL, &d, truth, &two, 2, 1, 1,
                                            (dscq_ap_rule)_i, 0.5, NULL),
                     DSCQ_OK);
    ck_assert_double_eq_tol(map, want[_i], 1e-9);
    dscq_detections_clear(&d);
}
END_TEST

/* The missed truth is difficult: it no longer counts, nor does a detection on it. */
START_TEST(ignored_truths_are_neither_found_nor_missed)
{
    dscq_detections d = {0};
    dscq_truth truth[4];
    int32_t count[2];
    double map;
    const dscq_detection extra = box(.5f, .8f, .1f, .1f, .95f, 0, 0);

    worked_example(&d, truth, count);
    truth[1].ignore = 1;
    ck_assert_int_eq(dscq_detections_add(&d, &extra, NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_average_precision(&map, NULL, &d, truth, count, 2, 2, 1,
                                            DSCQ_AP_AREA, 0.5, NULL),
                     DSCQ_OK);
    /* recalls 1/2, 1; precisions 1, 2/3 */
    ck_assert_double_eq_tol(map, 0.5 + 0.5 * 2 / 3, 1e-9);
    dscq_detections_clear(&d);
}
END_TEST

/* Shifted so that the overlap is 0.6: a hit at .50 and .55, and .60 not quite. */
START_TEST(coco_averages_over_overlaps)
{
    dscq_detections d = {0};
    const dscq_truth t = {.x = .5f, .y = .5f, .w = .4f, .h = .4f};
    const dscq_detection x = box(.601f, .5f, .4f, .4f, .9f, 0, 0);
    const int32_t one = 1;
    double map;

    ck_assert_double_eq_tol(dscq_box_overlap(x.x, x.y, x.w, x.h, t.x, t.y, t.w, t.h),
                            .299 / .501, 1e-5);
    ck_assert_int_eq(dscq_detections_add(&d, &x, NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_average_precision(&map, NULL, &d, &t, &one, 1, 1, 1,
                                            DSCQ_AP_COCO, 0, NULL),
                     DSCQ_OK);
    ck_assert_double_eq_tol(map, 0.2, 1e-9);
    dscq_detections_clear(&d);
}
END_TEST

/* ---- end to end: a bright square on a dark ground is found -------------- */

enum { SCENES = 32 };

typedef struct scenes {
    float x[SCENES * 32 * 64 * 3];
    dscq_truth truth[SCENES];
    int32_t count[SCENES];
} scenes;

static dscq_status scene_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                               size_t number, dscq_error *err)
{
    scenes *s = ctx;

    (void)epoch;
    (void)err;
    if (number > 1)
        return DSCQ_OK;
    *out = (dscq_train_batch){.n = 16,
                              .x = s->x + number * 16 * 32 * 64 * 3,
                              .truth = s->truth + number * 16,
                              .truth_count = s->count + number * 16,
                              .max_truths = 1};
    return DSCQ_OK;
}

static scenes *make_scenes(void)
{
    scenes *s = dscq_calloc(1, sizeof *s);
    dscq_rng r = dscq_rng_seeded(6);

    for (int i = 0; i < SCENES; i++) {
        const int cls = i % 2, w = 16, h = 8;
        const int x0 = (int)dscq_rng_below(&r, 3) * 16,
                  y0 = (int)dscq_rng_below(&r, 3) * 8;
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                s->x[((i * 32 + y0 + y) * 64 + x0 + x) * 3 + cls] = 1.0f;
        s->truth[i] = (dscq_truth){.x = (float)(x0 + w / 2) / 64,
                                   .y = (float)(y0 + h / 2) / 32,
                                   .w = (float)w / 64,
                                   .h = (float)h / 32,
                                   .cls = cls};
        s->count[i] = 1;
    }
    return s;
}

START_TEST(a_detector_learns_to_find_squares)
{
    scenes *s = make_scenes();
    dscq_model *m = from_text(_i ? k_region : k_yolo);
    dscq_train_params p = {0};
    dscq_error err = {0};
    dscq_trainer *t = NULL;
    dscq_exec *e = NULL;
    dscq_head h = {0};
    dscq_detections d = {0};
    double map = 0;

    ck_assert_int_eq(dscq_keys_defaults(&p, dscq_train_keys, &err), DSCQ_OK);
    p.batch = 16;
    p.epochs = 150;
    p.optimiser = DSCQ_OPT_ADAMW;
    p.learning_rate = 0.02;
    ck_assert_msg(dscq_trainer_create(&t, m, &p, 2, NULL, NULL, &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_msg(dscq_trainer_run(t, scene_batch, s, NULL, NULL, NULL, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    const dscq_exec_options o = {.batch = SCENES};
    ck_assert_int_eq(dscq_exec_create(&e, m, &o, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_head_from_node(&h, m, dscq_model_output(m, 0), &err),
                     DSCQ_OK);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, s->x, SCENES, NULL);
    for (int i = 0; i < SCENES; i++)
        ck_assert_int_eq(dscq_head_decode(&d, &h,
                                          dscq_exec_output(e, 0, NULL) + i * 2 * 4 * 14,
                                          i, 0.1, &err),
                         DSCQ_OK);
    dscq_detections_suppress(&d, 0.45, 0);
    ck_assert_int_eq(dscq_average_precision(&map, NULL, &d, s->truth, s->count, 1,
                                            SCENES, 2, DSCQ_AP_AREA, 0.5, &err),
                     DSCQ_OK);
    ck_assert_msg(map > 0.8, "AP50 %g", map);
    dscq_detections_clear(&d);
    dscq_exec_destroy(e);
    dscq_trainer_destroy(t);
    dscq_model_destroy(m);
    dscq_free(s);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("nn_detect", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, decoding_follows_the_formulas, 0, 2);
    tcase_add_test(tc, new_coords_decode_without_a_logistic);
    tcase_add_loop_test(tc, settings_survive_as_text, 0, 2);
    tcase_add_test(tc, overlap_is_intersection_over_union);
    tcase_add_test(tc, suppression_keeps_the_best_of_each_class_and_image);
    tcase_add_loop_test(tc, loss_gradient_is_the_slope_of_the_loss, 0, 3);
    tcase_add_loop_test(tc, a_teachers_gradient_is_the_slope_too, 0, 3);
    tcase_add_test(tc, objectness_starts_low);
    tcase_add_test(tc, the_right_answer_is_the_minimum);
    tcase_add_loop_test(tc, average_precision_of_a_hand_worked_case, 0, 3);
    tcase_add_loop_test(tc, precision_never_rises_with_recall, 0, 3);
    tcase_add_test(tc, ignored_truths_are_neither_found_nor_missed);
    tcase_add_test(tc, coco_averages_over_overlaps);
    tcase_add_loop_test(tc, a_detector_learns_to_find_squares, 0, 2);
    return s;
}

int main(void)
{
    return test_run(make);
}
