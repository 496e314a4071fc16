#include "dscq/base/alloc.h"
#include "flow_internal.h"

#include <string.h>

dscq_status flow__feed_init(flow_feed *f, dscq_dataset *d, dscq_split split,
                            int32_t batch, unsigned flags, uint64_t seed,
                            int32_t threads, dscq_error *err)
{
    dscq_status status;

    memset(f, 0, sizeof *f);
    DSCQ_TRY(
        dscq_loader_create(&f->loader, d, split, batch, flags, seed, threads, err));
    if (dscq_dataset_has_boxes(d)) {
        f->max_truths = dscq_dataset_params(d)->max_boxes;
        f->truth = dscq_calloc((size_t)batch * (size_t)f->max_truths, sizeof *f->truth);
        f->truth_count = dscq_calloc((size_t)batch, sizeof *f->truth_count);
        if (f->truth == NULL || f->truth_count == NULL)
            status = dscq_fail_nomem(err, "the boxes of a batch",
                                     (unsigned long long)batch *
                                         (unsigned long long)f->max_truths *
                                         sizeof *f->truth);
    }
done:
    return status;
}

void flow__feed_clear(flow_feed *f)
{
    dscq_loader_destroy(f->loader);
    dscq_free(f->truth);
    dscq_free(f->truth_count);
    memset(f, 0, sizeof *f);
}

dscq_truth flow__truth_from_box(const dscq_box *box)
{
    return (dscq_truth){.x = (box->x0 + box->x1) / 2,
                        .y = (box->y0 + box->y1) / 2,
                        .w = box->x1 - box->x0,
                        .h = box->y1 - box->y0,
                        .cls = box->cls,
                        .ignore = box->is_difficult || box->is_crowd};
}

static void copy_boxes(flow_feed *f, const dscq_batch *b)
{
    for (int32_t i = 0; i < b->n; i++) {
        const int32_t count =
            b->box_count[i] < f->max_truths ? b->box_count[i] : f->max_truths;
        f->truth_count[i] = count;
        for (int32_t j = 0; j < count; j++) {
            const dscq_box *box = &b->box[(size_t)i * (size_t)b->max_boxes + (size_t)j];
            f->truth[(size_t)i * (size_t)f->max_truths + (size_t)j] =
                flow__truth_from_box(box);
        }
    }
}

dscq_status flow__feed_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                             size_t number, dscq_error *err)
{
    flow_feed *f = ctx;
    dscq_batch b;
    dscq_status status;

    memset(out, 0, sizeof *out);
    if (!f->started || f->epoch != epoch || f->number != number)
        dscq_loader_start(f->loader, epoch, number);
    f->started = 0; /* a failed call leaves the loader anywhere */
    DSCQ_TRY(dscq_loader_next(&b, f->loader, err));
    f->started = 1;
    f->epoch = epoch;
    f->number = number + 1;
    out->n = b.n;
    out->x = b.x;
    out->label = b.label;
    if (f->truth != NULL) {
        copy_boxes(f, &b);
        out->truth = f->truth;
        out->truth_count = f->truth_count;
        out->max_truths = f->max_truths;
    }
done:
    return status;
}
