/*
 * The loss of a detector head. A truth is learned by the anchor whose shape overlaps it
 * most (and by those that overlap more than iou_thresh) in the cell of its centre;
 * every other box learns to be no object, unless it already overlaps a truth by more
 * than ignore_thresh. Cross-entropy for centre, objectness and classes, half the
 * squared error for log sizes; box terms weigh 2 - w*h (small boxes more).
 */
#include "detect_internal.h"

#include <stddef.h>

enum { TRUTHS_MAX = 512 }; /* of one image; more are not learned */

/* A truth as this head sees it. */
typedef struct target {
    const dscq_truth *t;
    int32_t x, y; /* cell */
    int32_t best; /* anchor of all */
} target;

typedef struct context {
    const dscq_head *h;
    const dscq_detect_loss *p;
    target item[TRUTHS_MAX];
    int32_t count;
    double scale; /* 1 / images */
} context;

static double half_square(float *grad, double v, double want, double weight)
{
    *grad += (float)(weight * (v - want));
    return weight * 0.5 * (v - want) * (v - want);
}

static double shape_overlap(const dscq_head *h, int32_t anchor, const dscq_truth *t)
{
    return dscq_box_overlap(0, 0, h->all_w[anchor], h->all_h[anchor], 0, 0, t->w, t->h);
}

static int32_t cell_of(float v, int32_t cells)
{
    const int32_t c = (int32_t)floorf(v * (float)cells);

    return c < 0 ? 0 : c >= cells ? cells - 1 : c;
}

static void find_targets(context *c, const dscq_truth *truth, int32_t count)
{
    c->count = 0;
    for (int32_t i = 0; i < count && c->count < TRUTHS_MAX; i++) {
        target *t = &c->item[c->count];
        if (!(truth[i].w > 0 && truth[i].h > 0))
            continue;
        *t = (target){&truth[i], cell_of(truth[i].x, c->h->w),
                      cell_of(truth[i].y, c->h->h), 0};
        for (int32_t a = 1; a < c->h->all_anchors; a++)
            if (shape_overlap(c->h, a, &truth[i]) >
                shape_overlap(c->h, t->best, &truth[i]))
                t->best = a;
        c->count++;
    }
}

/* The truth that anchor a of this cell learns: the last one that claims it. */
static const target *owner(const context *c, int32_t y, int32_t x, int32_t a)
{
    const int32_t anchor = c->h->mask[a];

    for (int32_t i = c->count - 1; i >= 0; i--) {
        const target *t = &c->item[i];
        if (t->x != x || t->y != y || t->t->ignore)
            continue;
        if (t->best == anchor || shape_overlap(c->h, anchor, t->t) > c->h->iou_thresh)
            return t;
    }
    return NULL;
}

/* How much the box drawn here overlaps a truth at best; *which: that truth. */
static double best_overlap(const context *c, const float *v, int32_t y, int32_t x,
                           int32_t a, const target **which)
{
    const dscq_head *h = c->h;
    const double slack = (h->scale_xy - 1) / 2;
    const float bx =
        (float)((x + h->scale_xy * nn__head_chance(h, (double)v[0]) - slack) / h->w);
    const float by =
        (float)((y + h->scale_xy * nn__head_chance(h, (double)v[1]) - slack) / h->h);
    const float bw = (float)(nn__head_side(h, (double)v[2]) * (double)h->anchor_w[a]);
    const float bh = (float)(nn__head_side(h, (double)v[3]) * (double)h->anchor_h[a]);
    double best = 0;

    for (int32_t i = 0; i < c->count; i++) {
        const dscq_truth *t = c->item[i].t;
        const double v_iou = dscq_box_overlap(bx, by, bw, bh, t->x, t->y, t->w, t->h);
        if (v_iou > best) {
            best = v_iou;
            *which = &c->item[i];
        }
    }
    return best;
}

static double centre_target(const dscq_head *h, double offset)
{
    const double v = (offset + (h->scale_xy - 1) / 2) / h->scale_xy;

    return fmin(1, fmax(0, v));
}

static double class_loss(float *grad, const dscq_head *h, const float *v, int32_t cls,
                         double weight)
{
    double loss = 0, top = (double)v[0], sum = 0;

    if (!h->is_region) {
        for (int32_t k = 0; k < h->classes; k++)
            loss += nn__head_cross_entropy(&grad[k], h, (double)v[k], k == cls, weight);
        return loss;
    }
    for (int32_t k = 1; k < h->classes; k++)
        top = fmax(top, (double)v[k]);
    for (int32_t k = 0; k < h->classes; k++)
        sum += exp((double)v[k] - top);
    for (int32_t k = 0; k < h->classes; k++)
        grad[k] += (float)(weight * (exp((double)v[k] - top) / sum - (k == cls)));
    return weight * (log(sum) + top - (double)v[cls]);
}

static double learn(float *grad, const context *c, const float *v, const target *t,
                    int32_t y, int32_t x, int32_t a)
{
    const dscq_head *h = c->h;
    const dscq_truth *b = t->t;
    const double w = c->p->box * (2 - (double)b->w * (double)b->h) * c->scale;
    double loss = 0;

    loss += nn__head_cross_entropy(&grad[0], h, (double)v[0],
                                   centre_target(h, (double)b->x * h->w - x), w);
    loss += nn__head_cross_entropy(&grad[1], h, (double)v[1],
                                   centre_target(h, (double)b->y * h->h - y), w);
    loss +=
        half_square(&grad[2], (double)v[2],
                    nn__head_side_number(h, (double)b->w / (double)h->anchor_w[a]), w);
    loss +=
        half_square(&grad[3], (double)v[3],
                    nn__head_side_number(h, (double)b->h / (double)h->anchor_h[a]), w);
    loss +=
        nn__head_cross_entropy(&grad[4], h, (double)v[4], 1, c->p->object * c->scale);
    if (b->cls >= 0 && b->cls < h->classes)
        loss += class_loss(grad + 5, h, v + 5, b->cls, c->p->cls * c->scale);
    return loss;
}

static double anchor_loss(float *grad, const context *c, const float *v, int32_t y,
                          int32_t x, int32_t a)
{
    const target *t = owner(c, y, x, a), *near = NULL;

    if (t == NULL) {
        const double overlap = best_overlap(c, v, y, x, a, &near);
        if (near != NULL && overlap > c->h->truth_thresh && !near->t->ignore)
            t = near;
        else if (overlap > c->h->ignore_thresh)
            return 0;
    }
    if (t != NULL)
        return learn(grad, c, v, t, y, x, a);
    return nn__head_cross_entropy(&grad[4], c->h, (double)v[4], 0,
                                  c->p->noobject * c->scale);
}

double dscq_head_loss(float *grad, const dscq_head *h, const float *raw, int32_t n,
                      const dscq_truth *truth, const int32_t *truth_count,
                      int32_t max_truths, const dscq_detect_loss *p)
{
    const size_t step = (size_t)(5 + h->classes);
    context c = {.h = h, .p = p, .scale = 1.0 / n};
    double loss = 0;

    for (int32_t i = 0; i < n; i++) {
        find_targets(&c, truth + (ptrdiff_t)i * max_truths, truth_count[i]);
        for (int32_t y = 0; y < h->h; y++)
            for (int32_t x = 0; x < h->w; x++)
                for (int32_t a = 0; a < h->anchors; a++, raw += step, grad += step)
                    loss += anchor_loss(grad, &c, raw, y, x, a);
    }
    return loss;
}
