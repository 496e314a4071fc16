/* [yolo], [region]: detector heads. The layer passes its input on; decoding, loss and
 * suppression are in detect.c. */
#include "nn_internal.h"

#include <string.h>

#define INT_(f, lo, hi, d, h)  DSCQ_KEY_INT_ROW(dscq_yolo_params, f, lo, hi, d, h)
#define REAL_(f, lo, hi, d, h) DSCQ_KEY_REAL_ROW(dscq_yolo_params, f, lo, hi, d, h)
#define BOOL_(f, d, h)         DSCQ_KEY_BOOL_ROW(dscq_yolo_params, f, d, h)
#define LIST_(f, lo, hi, d, h) DSCQ_KEY_LIST_ROW(dscq_yolo_params, f, lo, hi, d, h)
#define OVER_(name)            DSCQ_KEY_OVER_ROW(name, "Darknet: training only, read over")
#define DARKNET                "Darknet: read, without effect here"

/* clang-format off */
#define SHARED_ROWS \
    INT_(classes, 1, 1e5, "20", "classes of objects"), \
    INT_(num, 1, 1024, "1", "anchors in all"), \
    INT_(max, 1, 1e6, "200", DARKNET), \
    BOOL_(random, "0", DARKNET), \
    REAL_(jitter, 0, 1, "0.2", DARKNET), \
    REAL_(label_smooth_eps, 0, 1, "0", DARKNET), \
    REAL_(max_delta, 0, 1e9, "0", DARKNET), \
    REAL_(iou_normalizer, 0, 1e3, "1", DARKNET), \
    REAL_(cls_normalizer, 0, 1e3, "1", DARKNET), \
    REAL_(obj_normalizer, 0, 1e3, "1", DARKNET), \
    OVER_("show_details"), OVER_("counters_per_class"), OVER_("objectness_smooth"), \
    OVER_("uc_normalizer"), OVER_("delta_normalizer"), OVER_("iou_thresh_kind"), \
    OVER_("track_history_size"), OVER_("sim_thresh"), OVER_("dets_for_track"), \
    OVER_("dets_for_show"), OVER_("track_ciou_norm"), OVER_("embedding_layer")

static const dscq_key k_yolo_keys[] = {
    SHARED_ROWS,
    LIST_(mask, 0, 1023, "", "which anchors this head has; default: all"),
    LIST_(anchors, 0, 1e5, NULL, "width, height of each anchor, pixels of the input"),
    REAL_(ignore_thresh, 0, 1, "0.5", "a box that overlaps a truth more is no false object"),
    REAL_(truth_thresh, 0, 1, "1", "a box that overlaps a truth more is an object as well"),
    REAL_(iou_thresh, 0, 1, "1", "an anchor that overlaps a truth more is an object as well"),
    REAL_(scale_x_y, 0.1, 10, "1", "widens the range of a box's centre in its cell"),
    DSCQ_KEY_ENUM_ROW(dscq_yolo_params, iou_loss, "mse|iou|giou|diou|ciou", "mse", DARKNET),
    DSCQ_KEY_ENUM_ROW(dscq_yolo_params, nms_kind, "default|greedynms|diounms|cornersnms", "default", DARKNET),
    REAL_(beta_nms, 0, 10, "0.6", DARKNET),
    REAL_(resize, 0, 10, "1", DARKNET),
    BOOL_(focal_loss, "0", DARKNET),
    BOOL_(new_coords, "0", "behind a logistic activation: chances, and sides of (2 v)^2 times the anchor's"),
    DSCQ_KEY_END
};
static const dscq_key k_region_keys[] = {
    SHARED_ROWS,
    LIST_(anchors, 0, 1e5, NULL, "width, height of each anchor, cells of the map"),
    INT_(coords, 4, 4, "4", "numbers of a box: 4"),
    BOOL_(softmax, "1", "classes exclude each other"),
    BOOL_(bias_match, "1", DARKNET),
    BOOL_(rescore, "1", DARKNET),
    BOOL_(absolute, "1", DARKNET),
    REAL_(thresh, 0, 1, "0.6", "a box that overlaps a truth more is no false object"),
    REAL_(object_scale, 0, 1e3, "5", DARKNET),
    REAL_(noobject_scale, 0, 1e3, "1", DARKNET),
    REAL_(class_scale, 0, 1e3, "1", DARKNET),
    REAL_(coord_scale, 0, 1e3, "1", DARKNET),
    DSCQ_KEY_END
};
/* clang-format on */

static dscq_status check(dscq_layer_shape *out, const dscq_yolo_params *p, int32_t here,
                         const dscq_shape *x, dscq_error *err)
{
    if (p->anchors.count != 2 * p->num)
        return dscq_fail(err, DSCQ_FORMAT, "%d anchor numbers for num = %d; want %d",
                         (int)p->anchors.count, (int)p->num, (int)(2 * p->num));
    if (here < 1 || here > 32 || p->num > 48)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%d anchors here, %d in all; at most 32 and 48", (int)here,
                         (int)p->num);
    for (int32_t i = 0; i < p->anchors.count; i++)
        if (!(p->anchors.v[i] > 0))
            return dscq_fail(err, DSCQ_FORMAT,
                             "anchor number %d is %g; want more than 0", (int)i,
                             p->anchors.v[i]);
    if (x->c != here * (5 + p->classes))
        return dscq_fail(
            err, DSCQ_FORMAT,
            "the layer in front has filters = %d; want %d = %d anchors * (5 "
            "+ %d classes)",
            (int)x->c, (int)(here * (5 + p->classes)), (int)here, (int)p->classes);
    out->out = *x;
    return DSCQ_OK;
}

static dscq_status yolo_infer(dscq_layer_shape *out, void *params, const dscq_shape *x,
                              int32_t x_count, dscq_error *err)
{
    dscq_yolo_params *p = params;

    (void)x_count;
    if (p->mask.count == 0)
        for (; p->mask.count < p->num && p->mask.count < DSCQ_LIST_MAX; p->mask.count++)
            p->mask.v[p->mask.count] = p->mask.count;
    for (int32_t i = 0; i < p->mask.count; i++)
        if (p->mask.v[i] >= p->num)
            return dscq_fail(err, DSCQ_FORMAT, "mask = %g: there are %d anchors (num)",
                             p->mask.v[i], (int)p->num);
    return check(out, p, p->mask.count, x, err);
}

static dscq_status region_infer(dscq_layer_shape *out, void *params,
                                const dscq_shape *x, int32_t x_count, dscq_error *err)
{
    const dscq_yolo_params *p = params;

    (void)x_count;
    return check(out, p, p->num, x, err);
}

static void copy_reference(double *z, const dscq_node *node, const double *const *x,
                           const dscq_shape *x_shape, int32_t n, const double *w)
{
    (void)node;
    (void)w;
    for (size_t i = 0; i < dscq_shape_count(&x_shape[0]) * (size_t)n; i++)
        z[i] = x[0][i];
}

#define HEAD_ROW                                                                       \
    .param_bytes = sizeof(dscq_yolo_params), .does = DSCQ_DOES_HEAD,                   \
    .darknet = DSCQ_DARKNET_BOTH, .onnx = "Identity", .inputs_min = 1,                 \
    .inputs_max = 1, .image_forward = nn__copy_forward,                                \
    .image_backward = nn__copy_backward, .reference = copy_reference

extern const dscq_layer_ops dscq_layer_yolo, dscq_layer_region;

const dscq_layer_ops dscq_layer_yolo = {
    .name = "yolo",
    .summary = "detector head, independent classes (YOLOv3)",
    .keys = k_yolo_keys,
    .flags = DSCQ_LAYER_VIEW | DSCQ_LAYER_HEAD,
    .infer = yolo_infer,
    HEAD_ROW,
};

const dscq_layer_ops dscq_layer_region = {
    .name = "region",
    .summary = "detector head, exclusive classes (YOLOv2)",
    .keys = k_region_keys,
    .flags = DSCQ_LAYER_VIEW | DSCQ_LAYER_HEAD | DSCQ_LAYER_REGION,
    .infer = region_infer,
    HEAD_ROW,
};
