#include "dscq/flow/anchors.h"

#include "dscq/base/alloc.h"
#include "flow_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEED_BATCH = 32, ROUNDS_MAX = 300 };

/* Width and height in pixels of the input; of whom: the nearest anchor. */
typedef struct shape2 {
    double w, h;
    int32_t of;
} shape2;

typedef struct anchors {
    shape2 *box;
    size_t boxes, cap;
    shape2 anchor[DSCQ_ANCHORS_MAX];
    int32_t count;
} anchors;

static int by_area(const void *a, const void *b)
{
    const shape2 *x = a, *y = b;
    const double p = x->w * x->h, q = y->w * y->h;

    if (p != q)
        return p < q ? -1 : 1;
    return (x->w > y->w) - (x->w < y->w);
}

static double overlap(const shape2 *a, const shape2 *b)
{
    const double both = fmin(a->w, b->w) * fmin(a->h, b->h);

    return both / (a->w * a->h + b->w * b->h - both);
}

static dscq_status add(anchors *a, double w, double h, dscq_error *err)
{
    if (!(w > 0 && h > 0))
        return DSCQ_OK;
    if (a->boxes == a->cap) {
        const size_t cap = a->cap == 0 ? 1024 : 2 * a->cap;
        shape2 *grown =
            dscq_realloc(a->box, a->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL)
            return dscq_fail_nomem(err, "boxes", cap * sizeof *grown);
        a->box = grown;
        a->cap = cap;
    }
    a->box[a->boxes++] = (shape2){w, h, -1};
    return DSCQ_OK;
}

/* Through the loader, so that boxes are where training sees them. */
static dscq_status collect(anchors *a, dscq_project *p, dscq_dataset *d,
                           const dscq_log *log, dscq_error *err)
{
    const dscq_shape in = dscq_model_input(dscq_project_model(p));
    flow_feed feed = {0};
    dscq_train_batch b;
    dscq_status status;

    DSCQ_TRY(flow__feed_init(&feed, d, DSCQ_SPLIT_TRAIN, FEED_BATCH, 0, 0, 1, err));
    for (size_t number = 0;; number++) {
        DSCQ_TRY(flow__feed_batch(&feed, &b, 0, number, err));
        if (b.n == 0)
            break;
        for (int32_t i = 0; i < b.n; i++)
            for (int32_t j = 0; j < b.truth_count[i]; j++) {
                const dscq_truth *t = &b.truth[i * b.max_truths + j];
                DSCQ_TRY(add(a, (double)t->w * in.w, (double)t->h * in.h, err));
            }
        dscq_log_progress(log, "boxes", (double)number, 0, "");
    }
    qsort(a->box, a->boxes, sizeof *a->box, by_area);
done:
    flow__feed_clear(&feed);
    return status;
}

/* Returns how many boxes changed sides. */
static size_t assign(anchors *a)
{
    size_t moved = 0;

    for (size_t i = 0; i < a->boxes; i++) {
        int32_t best = 0;
        for (int32_t k = 1; k < a->count; k++)
            if (overlap(&a->box[i], &a->anchor[k]) >
                overlap(&a->box[i], &a->anchor[best]))
                best = k;
        moved += a->box[i].of != best;
        a->box[i].of = best;
    }
    return moved;
}

/* An anchor that nobody wants stays where it is. */
static void centre(anchors *a)
{
    for (int32_t k = 0; k < a->count; k++) {
        double w = 0, h = 0;
        size_t n = 0;
        for (size_t i = 0; i < a->boxes; i++)
            if (a->box[i].of == k) {
                w += a->box[i].w;
                h += a->box[i].h;
                n++;
            }
        if (n > 0)
            a->anchor[k] = (shape2){w / (double)n, h / (double)n, 0};
    }
}

static dscq_status table_of(dscq_table **out, double *mean, const anchors *a,
                            dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_INT_COLUMN("index", ""),
        DSCQ_REAL_COLUMN("width", "", 1),
        DSCQ_REAL_COLUMN("height", "", 1),
        DSCQ_INT_COLUMN("boxes", ""),
        DSCQ_REAL_COLUMN("overlap_frac", "overlap", 3),
        DSCQ_COLUMN_END};
    double all = 0;
    const dscq_status status = dscq_table_create(out, "anchors", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t k = 0; k < a->count; k++) {
        double sum = 0;
        int64_t n = 0;
        for (size_t i = 0; i < a->boxes; i++)
            if (a->box[i].of == k) {
                sum += overlap(&a->box[i], &a->anchor[k]);
                n++;
            }
        all += sum;
        DSCQ_TABLE_ROW(*out, dscq_int(k), dscq_real(a->anchor[k].w),
                       dscq_real(a->anchor[k].h), dscq_int(n),
                       dscq_real(n > 0 ? sum / (double)n : 0));
    }
    *mean = all / (double)a->boxes;
    return dscq_table_finish(out, err);
}

dscq_status dscq_flow_anchors(dscq_table **out, double *mean_out, dscq_project *p,
                              int32_t count, const dscq_log *log, dscq_error *err)
{
    anchors a = {.count = count};
    dscq_dataset *d;
    dscq_status status;

    *out = NULL;
    if (count < 1 || count > DSCQ_ANCHORS_MAX)
        return dscq_fail(err, DSCQ_ARG, "%d anchors: want 1 to %d", (int)count,
                         (int)DSCQ_ANCHORS_MAX);
    DSCQ_TRY(dscq_project_dataset(&d, p, log, err));
    if (!dscq_dataset_has_boxes(d))
        return dscq_fail(err, DSCQ_ARG, "%s: the data have classes, not boxes",
                         dscq_project_path(p));
    DSCQ_TRY(collect(&a, p, d, log, err));
    if (a.boxes < (size_t)count)
        DSCQ_TRY(dscq_fail(err, DSCQ_FORMAT,
                           "%s: %zu boxes in the training part, too few for %d anchors",
                           dscq_project_path(p), a.boxes, (int)count));
    for (int32_t k = 0; k < count; k++)
        a.anchor[k] = a.box[(2 * (size_t)k + 1) * a.boxes / (2 * (size_t)count)];
    for (int round = 0; round < ROUNDS_MAX && assign(&a) > 0; round++)
        centre(&a);
    qsort(a.anchor, (size_t)count, sizeof *a.anchor, by_area);
    (void)assign(&a);
    DSCQ_TRY(table_of(out, mean_out, &a, err));
done:
    dscq_free(a.box);
    return status;
}
