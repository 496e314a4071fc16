/*
 * nn/detect.h - detector heads: decode, suppress, loss, average precision.
 *
 * Boxes are centre and size in fractions of the network's input. A head's input is
 * n x h x w x (anchors * (5 + classes)), per anchor tx ty tw th to c0 c1 ...
 * Sources: Redmon and Farhadi 2016 (region), 2018 (yolo); Everingham et al. 2010 and
 * 2015 (VOC average precision); Lin et al. 2014 (COCO).
 */
#ifndef DSCQ_NN_DETECT_H
#define DSCQ_NN_DETECT_H

#include "dscq/base/status.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A labelled box. */
typedef struct dscq_truth {
    float x, y, w, h; /* centre, size */
    int32_t cls;
    int32_t ignore; /* difficult or crowd: neither found nor missed */
} dscq_truth;

typedef struct dscq_detection {
    float x, y, w, h;
    float score; /* objectness * class probability */
    int32_t cls;
    int32_t image;
} dscq_detection;

typedef struct dscq_detections {
    dscq_detection *item; /* owned: dscq_detections_clear() */
    size_t count, cap;
} dscq_detections; /* zero-initialise */
void dscq_detections_clear(dscq_detections *d);
dscq_status dscq_detections_add(dscq_detections *d, const dscq_detection *x,
                                dscq_error *err);

/* What a [yolo] or [region] head is: from a node of that type. */
typedef struct dscq_head {
    int32_t is_region;  /* anchors in cells, softmax classes */
    int32_t new_coords; /* raw numbers are chances, sides (2 v)^2 of the anchor's */
    int32_t anchors, classes, h, w;
    float anchor_w[32], anchor_h[32]; /* fractions of the input */
    double scale_xy;
    double ignore_thresh, truth_thresh, iou_thresh;
    /* all anchors of the detector, for choosing the best: yolo's `mask` */
    int32_t all_anchors, mask[32];
    float all_w[64], all_h[64];
} dscq_head;

/* Node `i` of a model must be a head; DSCQ_ARG otherwise. */
dscq_status dscq_head_from_node(dscq_head *out, const dscq_model *m, int32_t i,
                                dscq_error *err);
/* The same from the key=value lines in a packed file (dscq_head_text). */
dscq_status dscq_head_parse(dscq_head *out, const char *text, dscq_error *err);
int dscq_head_text(char *out, size_t cap, const dscq_head *h); /* 0: does not fit */

/* Raw map of one image -> boxes whose score is above `threshold`, appended. */
dscq_status dscq_head_decode(dscq_detections *out, const dscq_head *h, const float *raw,
                             int32_t image, double threshold, dscq_error *err);

/* Greedy suppression per class within each image; order: score falling, then as
 * decoded. Keeps at most `keep` of an image (0: all). */
void dscq_detections_suppress(dscq_detections *d, double iou_threshold, size_t keep);

double dscq_box_overlap(float ax, float ay, float aw, float ah, float bx, float by,
                        float bw, float bh); /* intersection over union */

/* Loss of one head over n images; adds dL/draw to grad (same shape as raw), returns
 * the loss (sum over images / n). */
typedef struct dscq_detect_loss {
    double box, object, noobject, cls; /* weights */
} dscq_detect_loss;
double dscq_head_loss(float *grad, const dscq_head *h, const float *raw, int32_t n,
                      const dscq_truth *truth, const int32_t *truth_count,
                      int32_t max_truths, const dscq_detect_loss *p);

/* Distance to a teacher's raw map of the same head (knowledge distillation): adds to
 * grad, returns the divergence (sum over images / n). noobject is not used. */
double dscq_head_distil(float *grad, const dscq_head *h, const float *raw,
                        const float *teacher, int32_t n, const dscq_detect_loss *p);

typedef enum dscq_ap_rule {
    DSCQ_AP_VOC11, /* mean of the best precision at 11 recalls   */
    DSCQ_AP_AREA,  /* area under the falling precision (VOC 2010) */
    DSCQ_AP_COCO   /* 101 recalls, mean over IoU .50:.05:.95      */
} dscq_ap_rule;

/* Mean average precision over the classes that occur. Detections of all images
 * together; truth[i * max_truths ..] of image i. per_class (NULL or [classes])
 * gets each AP, -1 when the class does not occur. iou: ignored by COCO. */
dscq_status dscq_average_precision(double *map_out, double *per_class,
                                   const dscq_detections *d, const dscq_truth *truth,
                                   const int32_t *truth_count, int32_t max_truths,
                                   int32_t images, int32_t classes, dscq_ap_rule rule,
                                   double iou, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
