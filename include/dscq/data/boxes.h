/*
 * data/boxes.h - box annotations: Pascal VOC XML, YOLO text, COCO JSON.
 *
 * In memory a box is two corners, right and lower edge exclusive, in fractions of
 * the picture (0 = left or upper edge of the first pixel, 1 = right or lower edge
 * of the last).
 *
 *   VOC   xmin ymin xmax ymax are pixels counted from 1, inclusive: x0 = xmin - 1,
 *         x1 = xmax. `difficult` is kept as a flag (ignored by the AP).
 *   YOLO  "class cx cy w h", centre and size already fractions, one box a line;
 *         an empty file is a picture of background.
 *   COCO  bbox = [x, y, w, h] in pixels counted from 0; category ids may have gaps:
 *         class = rank of the id; `iscrowd` is kept as a flag.
 *
 * Boxes without area are counted in `skipped` and left out; what sticks out of the
 * picture is cut off. Everything else that is wrong is DSCQ_FORMAT with
 * "name:line: ...". All text is treated as hostile.
 */
#ifndef DSCQ_DATA_BOXES_H
#define DSCQ_DATA_BOXES_H

#include "dscq/base/status.h"
#include "dscq/data/names.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_BOXES_PER_IMAGE_MAX = 65536 };

typedef struct dscq_box {
    float x0, y0, x1, y1;
    int32_t cls;
    uint8_t is_difficult, is_crowd;
} dscq_box;

typedef struct dscq_boxes {
    dscq_box *box; /* owned */
    size_t count, cap;
} dscq_boxes; /* zero-initialise */

void dscq_boxes_clear(dscq_boxes *b);
dscq_status dscq_boxes_add(dscq_boxes *b, const dscq_box *box, dscq_error *err);

/* Intersection over union of two boxes; 0 when either has no area. */
double dscq_box_iou(const dscq_box *a, const dscq_box *b);

/* What one picture's annotation says. Zero-initialise. */
typedef struct dscq_annotation {
    int32_t width, height; /* as the annotation says; 0 = it does not        */
    char file[256];        /* picture named by the annotation; "" = none     */
    dscq_boxes boxes;      /* pixels when in_pixels, else fractions          */
    int32_t in_pixels;
    size_t skipped;       /* boxes without area                             */
    int32_t skipped_line; /* of the first of them                           */
} dscq_annotation;

void dscq_annotation_clear(dscq_annotation *a);
/* Pixels to fractions of width x height, cut at the edges; boxes that are left
 * without area go to `skipped`. No effect on fractions except the cutting. */
void dscq_annotation_normalise(dscq_annotation *a, int32_t width, int32_t height);

/* `classes` maps object names to indices. With `grow`, new names are appended;
 * without, an unknown name is DSCQ_FORMAT with the nearest known one. */
dscq_status dscq_voc_parse(dscq_annotation *out, const char *text, size_t bytes,
                           const char *name, dscq_names *classes, int grow,
                           dscq_error *err);

/* classes > 0 bounds the class number; 0 accepts up to DSCQ_CLASSES_MAX. */
dscq_status dscq_yolo_parse(dscq_annotation *out, const char *text, size_t bytes,
                            const char *name, int32_t classes, dscq_error *err);

typedef struct dscq_coco_image {
    int64_t id;
    dscq_annotation ann; /* fractions; in_pixels when the document gives no size */
} dscq_coco_image;

typedef struct dscq_coco {
    dscq_coco_image *image; /* in the order of ascending file name; owned */
    size_t count;
    dscq_names names;     /* categories in the order of ascending id */
    int64_t *category_id; /* [names.count], for result files; owned  */
} dscq_coco;              /* zero-initialise */

dscq_status dscq_coco_parse(dscq_coco *out, const char *text, size_t bytes,
                            const char *name, dscq_error *err);
void dscq_coco_clear(dscq_coco *c);

#ifdef __cplusplus
}
#endif
#endif
