#include "dscq/data/boxes.h"

#include "dscq/base/alloc.h"

#include <math.h>

void dscq_boxes_clear(dscq_boxes *b)
{
    dscq_free(b->box);
    *b = (dscq_boxes){0};
}

dscq_status dscq_boxes_add(dscq_boxes *b, const dscq_box *box, dscq_error *err)
{
    if (b->count == b->cap) {
        const size_t cap = b->cap == 0 ? 8 : 2 * b->cap;
        dscq_box *grown =
            dscq_realloc(b->box, b->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL)
            return dscq_fail_nomem(err, "boxes", cap * sizeof *grown);
        b->box = grown;
        b->cap = cap;
    }
    b->box[b->count++] = *box;
    return DSCQ_OK;
}

static double area(double x0, double y0, double x1, double y1)
{
    return x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0.0;
}

double dscq_box_iou(const dscq_box *a, const dscq_box *b)
{
    const double one = area((double)a->x0, (double)a->y0, (double)a->x1, (double)a->y1);
    const double two = area((double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1);
    const double both =
        area(fmax((double)a->x0, (double)b->x0), fmax((double)a->y0, (double)b->y0),
             fmin((double)a->x1, (double)b->x1), fmin((double)a->y1, (double)b->y1));

    return one > 0.0 && two > 0.0 ? both / (one + two - both) : 0.0;
}

void dscq_annotation_clear(dscq_annotation *a)
{
    dscq_boxes_clear(&a->boxes);
    *a = (dscq_annotation){0};
}

static float cut(double v)
{
    return (float)(v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v);
}

void dscq_annotation_normalise(dscq_annotation *a, int32_t width, int32_t height)
{
    const double w = a->in_pixels ? width : 1, h = a->in_pixels ? height : 1;
    size_t kept = 0;

    for (size_t i = 0; i < a->boxes.count; i++) {
        dscq_box b = a->boxes.box[i];

        b.x0 = cut((double)b.x0 / w);
        b.x1 = cut((double)b.x1 / w);
        b.y0 = cut((double)b.y0 / h);
        b.y1 = cut((double)b.y1 / h);
        if (b.x1 > b.x0 && b.y1 > b.y0)
            a->boxes.box[kept++] = b;
        else
            a->skipped++;
    }
    a->boxes.count = kept;
    a->in_pixels = 0;
}
