/* Heads: settings, decoding, suppression. */
#include "detect_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/keys.h"
#include "dscq/base/str.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 32, ALL_MAX = 48 };

/* ---- lists -------------------------------------------------------------- */

void dscq_detections_clear(dscq_detections *d)
{
    dscq_free(d->item);
    *d = (dscq_detections){0};
}

dscq_status dscq_detections_add(dscq_detections *d, const dscq_detection *x,
                                dscq_error *err)
{
    if (d->count == d->cap) {
        const size_t cap = d->cap == 0 ? 64 : 2 * d->cap;
        dscq_detection *grown =
            dscq_realloc(d->item, d->cap * sizeof *x, cap * sizeof *x);
        if (grown == NULL)
            return dscq_fail_nomem(err, "detections", cap * sizeof *x);
        d->item = grown;
        d->cap = cap;
    }
    d->item[d->count++] = *x;
    return DSCQ_OK;
}

/* ---- settings ----------------------------------------------------------- */

dscq_status dscq_head_from_node(dscq_head *out, const dscq_model *m, int32_t i,
                                dscq_error *err)
{
    const dscq_node *n = dscq_model_node(m, i);
    const dscq_shape in = dscq_model_input(m);
    dscq_head h = {.h = n->out.h, .w = n->out.w};

    if ((n->ops->flags & DSCQ_LAYER_HEAD) == 0)
        return dscq_fail(err, DSCQ_ARG, "%s: [%s] is no detector head", n->name,
                         n->type);
    const dscq_yolo_params *p = n->params;
    h.is_region = (n->ops->flags & DSCQ_LAYER_REGION) != 0;
    h.classes = p->classes;
    h.new_coords = !h.is_region && p->new_coords;
    h.scale_xy = h.is_region ? 1 : p->scale_x_y;
    h.ignore_thresh = h.is_region ? p->thresh : p->ignore_thresh;
    h.truth_thresh = h.is_region ? 1 : p->truth_thresh;
    h.iou_thresh = h.is_region ? 1 : p->iou_thresh;
    h.all_anchors = p->num;
    h.anchors = h.is_region ? p->num : p->mask.count;
    for (int32_t a = 0; a < p->num; a++) {
        h.all_w[a] = (float)(p->anchors.v[2 * a] / (h.is_region ? h.w : in.w));
        h.all_h[a] = (float)(p->anchors.v[2 * a + 1] / (h.is_region ? h.h : in.h));
    }
    for (int32_t a = 0; a < h.anchors; a++) {
        h.mask[a] = h.is_region ? a : (int32_t)p->mask.v[a];
        h.anchor_w[a] = h.all_w[h.mask[a]];
        h.anchor_h[a] = h.all_h[h.mask[a]];
    }
    *out = h;
    return DSCQ_OK;
}

/* The settings as they stand in a packed file. */
typedef struct head_text {
    int32_t region, classes, h, w, new_coords;
    double scale_xy, ignore_thresh, truth_thresh, iou_thresh;
    dscq_list mask, anchors; /* anchors: fractions of the input */
} head_text;

/* clang-format off */
static const dscq_key k_text_keys[] = {
    DSCQ_KEY_BOOL_ROW(head_text, region, "0", "exclusive classes"),
    DSCQ_KEY_INT_ROW(head_text, classes, 1, 1e5, NULL, "classes"),
    DSCQ_KEY_INT_ROW(head_text, h, 1, 65536, NULL, "rows of the map"),
    DSCQ_KEY_INT_ROW(head_text, w, 1, 65536, NULL, "columns of the map"),
    DSCQ_KEY_REAL_ROW(head_text, scale_xy, 0.1, 10, "1", "range of a centre"),
    DSCQ_KEY_REAL_ROW(head_text, ignore_thresh, 0, 1, "0.5", "overlap"),
    DSCQ_KEY_REAL_ROW(head_text, truth_thresh, 0, 1, "1", "overlap"),
    DSCQ_KEY_REAL_ROW(head_text, iou_thresh, 0, 1, "1", "overlap"),
    DSCQ_KEY_BOOL_ROW(head_text, new_coords, "0", "chances, and sides (2 v)^2"),
    DSCQ_KEY_LIST_ROW(head_text, mask, 0, ALL_MAX - 1, NULL, "anchors of this head"),
    DSCQ_KEY_LIST_ROW(head_text, anchors, 1e-6, 1e5, NULL, "width, height; fractions"),
    DSCQ_KEY_END
};
/* clang-format on */

int dscq_head_text(char *out, size_t cap, const dscq_head *h)
{
    head_text t = {.region = h->is_region,
                   .classes = h->classes,
                   .h = h->h,
                   .w = h->w,
                   .new_coords = h->new_coords,
                   .scale_xy = h->scale_xy,
                   .ignore_thresh = h->ignore_thresh,
                   .truth_thresh = h->truth_thresh,
                   .iou_thresh = h->iou_thresh};
    size_t at = 0;

    t.mask.count = h->anchors;
    for (int32_t i = 0; i < h->anchors; i++)
        t.mask.v[i] = h->mask[i];
    t.anchors.count = 2 * h->all_anchors;
    for (int32_t i = 0; i < h->all_anchors; i++) {
        /* 7 digits hold a float and keep the text short */
        t.anchors.v[2 * i] = round((double)h->all_w[i] * 1e7) / 1e7;
        t.anchors.v[2 * i + 1] = round((double)h->all_h[i] * 1e7) / 1e7;
    }
    for (const dscq_key *k = k_text_keys; k->name != NULL; k++) {
        char value[2048];
        if (strcmp(k->name, "new_coords") == 0 && !t.new_coords)
            continue; /* as files were before there was such a thing */
        if (dscq_keys_print(value, sizeof value, &t, k) >= sizeof value)
            return 0;
        const int n = snprintf(out + at, cap - at, "%s=%s\n", k->name, value);
        if (n < 0 || (size_t)n >= cap - at)
            return 0;
        at += (size_t)n;
    }
    return 1;
}

static dscq_status from_text(dscq_head *out, const head_text *t, dscq_error *err)
{
    dscq_head h = {.is_region = t->region,
                   .classes = t->classes,
                   .h = t->h,
                   .w = t->w,
                   .new_coords = t->new_coords,
                   .scale_xy = t->scale_xy,
                   .ignore_thresh = t->ignore_thresh,
                   .truth_thresh = t->truth_thresh,
                   .iou_thresh = t->iou_thresh,
                   .anchors = t->mask.count,
                   .all_anchors = t->anchors.count / 2};

    if (h.anchors < 1 || h.anchors > HEAD_MAX || h.all_anchors < 1 ||
        h.all_anchors > ALL_MAX || t->anchors.count % 2 != 0)
        return dscq_fail(err, DSCQ_FORMAT, "detector head: %d anchors here, %d in all",
                         (int)h.anchors, (int)h.all_anchors);
    for (int32_t i = 0; i < h.all_anchors; i++) {
        h.all_w[i] = (float)t->anchors.v[2 * i];
        h.all_h[i] = (float)t->anchors.v[2 * i + 1];
    }
    for (int32_t i = 0; i < h.anchors; i++) {
        if (t->mask.v[i] >= h.all_anchors || t->mask.v[i] != floor(t->mask.v[i]))
            return dscq_fail(err, DSCQ_FORMAT, "detector head: mask = %g of %d anchors",
                             t->mask.v[i], (int)h.all_anchors);
        h.mask[i] = (int32_t)t->mask.v[i];
        h.anchor_w[i] = h.all_w[h.mask[i]];
        h.anchor_h[i] = h.all_h[h.mask[i]];
    }
    *out = h;
    return DSCQ_OK;
}

dscq_status dscq_head_parse(dscq_head *out, const char *text, dscq_error *err)
{
    head_text t = {0};
    char line[2300];
    dscq_status status = dscq_keys_defaults(&t, k_text_keys, err);

    while (status == DSCQ_OK && *text != '\0') {
        const size_t length = strcspn(text, "\n");
        if (length >= sizeof line)
            return dscq_fail(err, DSCQ_FORMAT, "detector head: a line of %zu bytes",
                             length);
        memcpy(line, text, length);
        line[length] = '\0';
        char *equals = strchr(line, '=');
        if (equals == NULL)
            return dscq_fail(err, DSCQ_FORMAT, "detector head: '%.60s' is no key=value",
                             line);
        *equals = '\0';
        status = dscq_keys_set(&t, k_text_keys, line, equals + 1, err);
        text += length + (text[length] == '\n');
    }
    if (status != DSCQ_OK)
        return status;
    if (t.classes < 1 || t.h < 1 || t.w < 1)
        return dscq_fail(err, DSCQ_FORMAT,
                         "detector head: classes, h and w are required");
    return from_text(out, &t, err);
}

/* ---- decoding ----------------------------------------------------------- */

/* Class probabilities of one anchor, to be multiplied by its objectness. */
static double class_scale(const dscq_head *h, const float *cls, double *top)
{
    double sum = 0;

    *top = (double)cls[0];
    for (int32_t k = 1; k < h->classes; k++)
        *top = fmax(*top, (double)cls[k]);
    for (int32_t k = 0; k < h->classes; k++)
        sum += exp((double)cls[k] - *top);
    return sum;
}

static dscq_status decode_anchor(dscq_detections *out, const dscq_head *h,
                                 const float *t, int32_t y, int32_t x, int32_t a,
                                 int32_t image, double threshold, dscq_error *err)
{
    const double object = nn__head_chance(h, (double)t[4]);
    const double slack = (h->scale_xy - 1) / 2;
    dscq_detection d = {.image = image};
    double top = 0, sum = 1;

    if (!(object > threshold))
        return DSCQ_OK;
    d.x = (float)((x + h->scale_xy * nn__head_chance(h, (double)t[0]) - slack) / h->w);
    d.y = (float)((y + h->scale_xy * nn__head_chance(h, (double)t[1]) - slack) / h->h);
    d.w = (float)(nn__head_side(h, (double)t[2]) * (double)h->anchor_w[a]);
    d.h = (float)(nn__head_side(h, (double)t[3]) * (double)h->anchor_h[a]);
    if (!isfinite(d.x) || !isfinite(d.y) || !isfinite(d.w) || !isfinite(d.h))
        return DSCQ_OK;
    if (h->is_region)
        sum = class_scale(h, t + 5, &top);
    for (int32_t k = 0; k < h->classes; k++) {
        const double v = (double)t[5 + k];
        const double score =
            object * (h->is_region ? exp(v - top) / sum : nn__head_chance(h, v));
        if (!(score > threshold))
            continue;
        d.cls = k;
        d.score = (float)score;
        const dscq_status status = dscq_detections_add(out, &d, err);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

dscq_status dscq_head_decode(dscq_detections *out, const dscq_head *h, const float *raw,
                             int32_t image, double threshold, dscq_error *err)
{
    const size_t step = (size_t)(5 + h->classes);

    for (int32_t y = 0; y < h->h; y++)
        for (int32_t x = 0; x < h->w; x++)
            for (int32_t a = 0; a < h->anchors; a++, raw += step) {
                const dscq_status status =
                    decode_anchor(out, h, raw, y, x, a, image, threshold, err);
                if (status != DSCQ_OK)
                    return status;
            }
    return DSCQ_OK;
}

/* ---- suppression -------------------------------------------------------- */

static double overlap_1d(double a, double a_size, double b, double b_size)
{
    const double lo = fmax(a - a_size / 2, b - b_size / 2);
    const double hi = fmin(a + a_size / 2, b + b_size / 2);

    return hi > lo ? hi - lo : 0;
}

double dscq_box_overlap(float ax, float ay, float aw, float ah, float bx, float by,
                        float bw, float bh)
{
    const double both = overlap_1d((double)ax, (double)aw, (double)bx, (double)bw) *
                        overlap_1d((double)ay, (double)ah, (double)by, (double)bh);
    const double all = (double)aw * (double)ah + (double)bw * (double)bh - both;

    return all > 0 ? both / all : 0;
}

/* Insertion into ranges sorted by image, then score falling; stable. */
static int before(const dscq_detection *a, const dscq_detection *b)
{
    return a->image != b->image ? a->image < b->image : a->score > b->score;
}

static void merge_sort(dscq_detection *v, dscq_detection *spare, size_t n)
{
    if (n < 2)
        return;
    const size_t half = n / 2;
    merge_sort(v, spare, half);
    merge_sort(v + half, spare, n - half);
    memcpy(spare, v, half * sizeof *v);
    size_t i = 0, j = half, k = 0;
    while (i < half && j < n)
        v[k++] = before(&v[j], &spare[i]) ? v[j++] : spare[i++];
    while (i < half)
        v[k++] = spare[i++];
}

static int is_suppressed(const dscq_detection *kept, size_t count,
                         const dscq_detection *d, double threshold)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i].cls == d->cls &&
            dscq_box_overlap(kept[i].x, kept[i].y, kept[i].w, kept[i].h, d->x, d->y,
                             d->w, d->h) > threshold)
            return 1;
    return 0;
}

/* Without room for a copy the sort is done in place, slower. */
static void sort_detections(dscq_detections *d)
{
    dscq_detection *spare = dscq_malloc(d->count / 2 + 1, sizeof *spare);

    if (spare != NULL) {
        merge_sort(d->item, spare, d->count);
    } else {
        for (size_t i = 1; i < d->count; i++) {
            const dscq_detection x = d->item[i];
            size_t j = i;
            for (; j > 0 && before(&x, &d->item[j - 1]); j--)
                d->item[j] = d->item[j - 1];
            d->item[j] = x;
        }
    }
    dscq_free(spare);
}

void dscq_detections_suppress(dscq_detections *d, double iou_threshold, size_t keep)
{
    size_t kept = 0, start = 0;

    if (d->count == 0)
        return;
    sort_detections(d);
    for (size_t i = 0; i < d->count; i++) {
        if (kept > start && d->item[kept - 1].image != d->item[i].image)
            start = kept;
        if (keep > 0 && kept - start >= keep &&
            d->item[start].image == d->item[i].image)
            continue;
        if (!is_suppressed(d->item + start, kept - start, &d->item[i], iou_threshold))
            d->item[kept++] = d->item[i];
    }
    d->count = kept;
}
