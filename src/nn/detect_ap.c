/* Average precision by the rules of VOC and COCO. */
#include "dscq/base/alloc.h"
#include "dscq/nn/detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COCO_IOUS = 10, COCO_RECALLS = 101, COCO_PER_IMAGE = 100 };

typedef struct scored {
    const dscq_detection *d;
    size_t order;
    int is_hit, is_ignored;
} scored;

typedef struct ap_input {
    const dscq_truth *truth;
    const int32_t *truth_count;
    int32_t max_truths, images;
    unsigned char *taken; /* [images * max_truths] */
    scored *list;
    size_t count;
} ap_input;

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;

    if (x->d->score != y->d->score)
        return x->d->score > y->d->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static double overlap(const dscq_detection *d, const dscq_truth *t)
{
    return dscq_box_overlap(d->x, d->y, d->w, d->h, t->x, t->y, t->w, t->h);
}

/* VOC: the truth that overlaps most, taken or not. */
static void match_voc(const ap_input *in, scored *s, double iou)
{
    const size_t at = (size_t)s->d->image * (size_t)in->max_truths;
    double best = -1;
    int32_t which = -1;

    for (int32_t j = 0; j < in->truth_count[s->d->image]; j++) {
        const dscq_truth *t = &in->truth[at + (size_t)j];
        const double v = overlap(s->d, t);
        if (t->cls == s->d->cls && v > best) {
            best = v;
            which = j;
        }
    }
    if (which < 0 || best < iou)
        return;
    if (in->truth[at + (size_t)which].ignore) {
        s->is_ignored = 1;
    } else if (!in->taken[at + (size_t)which]) {
        in->taken[at + (size_t)which] = 1;
        s->is_hit = 1;
    }
}

/* COCO: the best truth that is still free; those to be ignored only when no other
 * fits (and they can be matched again and again). */
static void match_coco(const ap_input *in, scored *s, double iou)
{
    const size_t at = (size_t)s->d->image * (size_t)in->max_truths;

    for (int ignored = 0; ignored < 2; ignored++) {
        double best = iou - 1e-10;
        int32_t which = -1;
        for (int32_t j = 0; j < in->truth_count[s->d->image]; j++) {
            const dscq_truth *t = &in->truth[at + (size_t)j];
            const double v = overlap(s->d, t);
            if (t->cls != s->d->cls || (t->ignore != 0) != ignored || v < best ||
                (!ignored && in->taken[at + (size_t)j]))
                continue;
            best = v;
            which = j;
        }
        if (which < 0)
            continue;
        s->is_hit = !ignored;
        s->is_ignored = ignored;
        in->taken[at + (size_t)which] = 1;
        return;
    }
}

/* Precision after each detection made falling from the right; recalls beside it. */
static size_t curve(const ap_input *in, size_t positives, double *recall,
                    double *precision)
{
    size_t hits = 0, all = 0;

    for (size_t i = 0; i < in->count; i++) {
        if (in->list[i].is_ignored)
            continue;
        hits += in->list[i].is_hit != 0;
        recall[all] = (double)hits / (double)positives;
        precision[all] = (double)hits / (double)(all + 1);
        all++;
    }
    for (size_t i = all; i-- > 1;)
        precision[i - 1] = fmax(precision[i - 1], precision[i]);
    return all;
}

static double mean_at_recalls(const double *recall, const double *precision, size_t n,
                              int points)
{
    double sum = 0;
    size_t i = 0;

    for (int k = 0; k < points; k++) {
        while (i < n && recall[i] < (double)k / (points - 1) - 1e-12)
            i++;
        sum += i < n ? precision[i] : 0;
    }
    return sum / points;
}

static double area(const double *recall, const double *precision, size_t n)
{
    double sum = 0, last = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (recall[i] - last) * precision[i];
        last = recall[i];
    }
    return sum;
}

static double ap_at(ap_input *in, size_t positives, dscq_ap_rule rule, double iou,
                    double *room)
{
    double *recall = room, *precision = room + in->count;

    memset(in->taken, 0, (size_t)in->images * (size_t)in->max_truths);
    for (size_t i = 0; i < in->count; i++) {
        in->list[i].is_hit = in->list[i].is_ignored = 0;
        if (rule == DSCQ_AP_COCO)
            match_coco(in, &in->list[i], iou);
        else
            match_voc(in, &in->list[i], iou);
    }
    const size_t n = curve(in, positives, recall, precision);
    if (rule == DSCQ_AP_VOC11)
        return mean_at_recalls(recall, precision, n, 11);
    if (rule == DSCQ_AP_COCO)
        return mean_at_recalls(recall, precision, n, COCO_RECALLS);
    return area(recall, precision, n);
}

/* COCO looks at the best 100 detections of a picture and class. */
static void keep_best(ap_input *in, int32_t *per_image)
{
    size_t kept = 0;

    memset(per_image, 0, (size_t)in->images * sizeof *per_image);
    for (size_t i = 0; i < in->count; i++)
        if (per_image[in->list[i].d->image]++ < COCO_PER_IMAGE)
            in->list[kept++] = in->list[i];
    in->count = kept;
}

static size_t select_class(ap_input *in, const dscq_detections *d, int32_t cls)
{
    size_t positives = 0;

    in->count = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->item[i].cls == cls && d->item[i].image >= 0 &&
            d->item[i].image < in->images)
            in->list[in->count++] = (scored){&d->item[i], i, 0, 0};
    qsort(in->list, in->count, sizeof *in->list, by_score);
    for (int32_t i = 0; i < in->images; i++)
        for (int32_t j = 0; j < in->truth_count[i]; j++) {
            const dscq_truth *t =
                &in->truth[(size_t)i * (size_t)in->max_truths + (size_t)j];
            positives += t->cls == cls && !t->ignore;
        }
    return positives;
}

dscq_status dscq_average_precision(double *map_out, double *per_class,
                                   const dscq_detections *d, const dscq_truth *truth,
                                   const int32_t *truth_count, int32_t max_truths,
                                   int32_t images, int32_t classes, dscq_ap_rule rule,
                                   double iou, dscq_error *err)
{
    const size_t slots = (size_t)images * (size_t)max_truths;
    ap_input in = {truth, truth_count, max_truths, images, NULL, NULL, 0};
    double *room = dscq_calloc(2 * d->count + 1, sizeof *room);
    int32_t *per_image = dscq_calloc((size_t)images + 1, sizeof *per_image);
    double sum = 0;
    int32_t counted = 0;
    dscq_status status = DSCQ_OK;

    in.taken = dscq_calloc(slots + 1, 1);
    in.list = dscq_calloc(d->count + 1, sizeof *in.list);
    if (room == NULL || per_image == NULL || in.taken == NULL || in.list == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "average precision", d->count * sizeof *in.list));
    for (int32_t c = 0; c < classes; c++) {
        const size_t positives = select_class(&in, d, c);
        double ap = 0;
        if (rule == DSCQ_AP_COCO)
            keep_best(&in, per_image);
        for (int k = 0; k < COCO_IOUS && positives > 0; k++) {
            if (rule != DSCQ_AP_COCO) {
                ap = ap_at(&in, positives, rule, iou, room);
                break;
            }
            ap += ap_at(&in, positives, rule, 0.5 + 0.05 * k, room) / COCO_IOUS;
        }
        if (per_class != NULL)
            per_class[c] = positives > 0 ? ap : -1;
        if (positives > 0) {
            sum += ap;
            counted++;
        }
    }
    *map_out = counted > 0 ? sum / counted : 0;
done:
    dscq_free(room);
    dscq_free(per_image);
    dscq_free(in.taken);
    dscq_free(in.list);
    return status;
}
