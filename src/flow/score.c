#include "dscq/base/alloc.h"
#include "flow_internal.h"

#include <math.h>
#include <string.h>

dscq_status flow__check_outputs(const float *y, size_t count, size_t image,
                                dscq_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(y[i]))
            return dscq_fail(err, DSCQ_FORMAT,
                             "the float network's output for image %zu is %g: its "
                             "weights are too large for float32",
                             image, (double)y[i]);
    return DSCQ_OK;
}

dscq_status flow__score_init(flow_score *s, dscq_project *p, dscq_split split,
                             dscq_pool *pool, const dscq_kernels *kernels,
                             const dscq_log *log, dscq_error *err)
{
    dscq_dataset *d;
    dscq_status status;

    memset(s, 0, sizeof *s);
    DSCQ_TRY(dscq_project_dataset(&d, p, log, err));
    if (!flow__has_truth(p, d))
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: scoring needs %s, which data of type %s do not have; "
                         "`dscq compress` with [compress] epochs = 0 measures the "
                         "agreement with the float network instead",
                         dscq_project_path(p),
                         dscq_project_is_detector(p) ? "boxes" : "classes",
                         dscq_data_type_name((size_t)dscq_dataset_params(d)->type));
    if (split == DSCQ_SPLIT_TEST)
        DSCQ_TRY(dscq_dataset_open_test(d, err));
    const size_t images = dscq_dataset_count(d, split);
    if (images == 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: the %s part of the data is empty%s",
                         dscq_project_path(p), dscq_split_name(split),
                         split == DSCQ_SPLIT_VALID ? "; raise data.valid_frac" : "");
    s->images = (int32_t)images;
    s->is_detector = dscq_project_is_detector(p);
    s->classes = dscq_dataset_classes(d);
    s->log = log;
    const int32_t batch = s->images < FLOW_SCORE_BATCH ? s->images : FLOW_SCORE_BATCH;
    DSCQ_TRY(flow__feed_init(&s->feed, d, split, batch, 0, 0, 1, err));
    const dscq_exec_options eo = {
        .batch = batch, .raw_outputs = 1, .pool = pool, .kernels = kernels};
    DSCQ_TRY(dscq_exec_create(&s->exec, dscq_project_model(p), &eo, err));
    return DSCQ_OK;
done:
    flow__score_clear(s);
    return status;
}

dscq_status flow__score_valid(flow_score *s, dscq_project *p, dscq_pool *pool,
                              const dscq_kernels *kernels, const dscq_log *log,
                              dscq_error *err)
{
    dscq_dataset *d;
    dscq_status status;

    memset(s, 0, sizeof *s);
    DSCQ_TRY(dscq_project_dataset(&d, p, log, err));
    if (dscq_dataset_count(d, DSCQ_SPLIT_VALID) > 0 || !flow__has_truth(p, d))
        return flow__score_init(s, p, DSCQ_SPLIT_VALID, pool, kernels, NULL, err);
    s->is_detector = dscq_project_is_detector(p);
    s->classes = dscq_dataset_classes(d);
    dscq_log_printf(
        log, DSCQ_LOG_INFO,
        "no validation part (data.valid_frac = %g): the weights of the last "
        "epoch are kept",
        dscq_dataset_params(d)->valid_frac);
done:
    return status;
}

void flow__score_clear(flow_score *s)
{
    dscq_exec_destroy(s->exec);
    flow__feed_clear(&s->feed);
    memset(s, 0, sizeof *s);
}

/* Detections and truths of a whole split, kept for the ranking. */
typedef struct box_store {
    dscq_detections found;
    dscq_truth *truth;
    int32_t *count;
} box_store;

static dscq_status decode_batch(box_store *store, flow_score *s, int32_t first,
                                const dscq_train_batch *b, dscq_error *err)
{
    const dscq_model *m = dscq_exec_model(s->exec);
    const int32_t outputs = dscq_model_outputs(m);
    dscq_status status = DSCQ_OK;

    for (int32_t o = 0; o < outputs; o++) {
        dscq_head head;
        dscq_shape shape;
        DSCQ_TRY(dscq_head_from_node(&head, m, dscq_model_output(m, o), err));
        const float *raw = dscq_exec_output(s->exec, o, &shape);
        const size_t each = (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
        for (int32_t i = 0; s->strict && i < b->n; i++)
            DSCQ_TRY(flow__check_outputs(raw + (size_t)i * each, each,
                                         (size_t)(first + i), err));
        for (int32_t i = 0; i < b->n; i++)
            DSCQ_TRY(dscq_head_decode(&store->found, &head, raw + (size_t)i * each,
                                      first + i, FLOW_SCORE_FLOOR, err));
    }
    for (int32_t i = 0; i < b->n; i++) {
        store->count[first + i] = b->truth_count[i];
        memcpy(store->truth + (size_t)(first + i) * (size_t)b->max_truths,
               b->truth + (size_t)i * (size_t)b->max_truths,
               (size_t)b->max_truths * sizeof *b->truth);
    }
done:
    return status;
}

dscq_status flow__score_boxes(double *map_out, double *per_class, flow_score *s,
                              dscq_ap_rule rule, dscq_error *err)
{
    box_store store = {{0}, NULL, NULL};
    dscq_train_batch b;
    int32_t done_images = 0;
    dscq_status status;

    store.truth = dscq_calloc((size_t)s->images * (size_t)s->feed.max_truths,
                              sizeof *store.truth);
    store.count = dscq_calloc((size_t)s->images, sizeof *store.count);
    if (store.truth == NULL || store.count == NULL) {
        status = dscq_fail_nomem(err, "the boxes of a split",
                                 (unsigned long long)s->images * sizeof *store.truth);
        goto done;
    }
    dscq_exec_refresh(s->exec);
    for (size_t number = 0;; number++) {
        DSCQ_TRY(flow__feed_batch(&s->feed, &b, 0, number, err));
        if (b.n == 0)
            break;
        dscq_exec_forward(s->exec, DSCQ_PASS_EVAL, b.x, b.n, NULL);
        DSCQ_TRY(decode_batch(&store, s, done_images, &b, err));
        done_images += b.n;
        dscq_log_progress(s->log, "evaluate", done_images, s->images, "");
    }
    dscq_detections_suppress(&store.found, FLOW_SUPPRESS_IOU, FLOW_KEEP_PER_IMAGE);
    DSCQ_TRY(dscq_average_precision(map_out, per_class, &store.found, store.truth,
                                    store.count, s->feed.max_truths, s->images,
                                    s->classes, rule, FLOW_MATCH_IOU, err));
done:
    dscq_detections_clear(&store.found);
    dscq_free(store.truth);
    dscq_free(store.count);
    return status;
}

dscq_status flow__score_run(double *out, flow_score *s, dscq_error *err)
{
    dscq_eval *eval = NULL;
    dscq_status status;

    *out = (double)NAN;
    if (s->exec == NULL)
        return DSCQ_OK;
    if (s->is_detector)
        return flow__score_boxes(out, NULL, s, DSCQ_AP_AREA, err);
    DSCQ_TRY(dscq_eval_create(&eval, s->classes, err));
    dscq_exec_refresh(s->exec);
    DSCQ_TRY(dscq_evaluate(eval, s->exec, flow__feed_batch, &s->feed, NULL, err));
    *out = dscq_eval_top1_frac(eval);
done:
    dscq_eval_destroy(eval);
    return status;
}
