#include "dscq/compress/calibrate.h"

#include "dscq/base/alloc.h"
#include "dscq/data/batch.h"
#include "flow_internal.h"

enum { CALIBRATE_BATCH = 50 };

/* `count` items spread evenly over a split of `total`. */
static void spread(uint32_t *index, size_t count, size_t total)
{
    for (size_t i = 0; i < count; i++)
        index[i] = (uint32_t)(i * total / count);
}

static dscq_status observe(dscq_observer *seen, dscq_exec *e, dscq_dataset *d,
                           size_t images, const dscq_log *log, dscq_error *err)
{
    const size_t floats = dscq_preproc_floats(dscq_dataset_preproc(d));
    const size_t batch = (size_t)dscq_exec_batch(e);
    float *x = dscq_malloc(batch * floats, sizeof *x);
    uint32_t *index = dscq_malloc(images, sizeof *index);
    dscq_status status = DSCQ_OK;

    if (x == NULL || index == NULL) {
        status = dscq_fail_nomem(err, "calibration images", batch * floats * sizeof *x);
        goto done;
    }
    spread(index, images, dscq_dataset_count(d, DSCQ_SPLIT_TRAIN));
    dscq_exec_observe(e, dscq_observer_see, seen);
    for (size_t at = 0; at < images; at += batch) {
        const size_t n = images - at < batch ? images - at : batch;
        DSCQ_TRY(dscq_batch_fill(x, NULL, d, DSCQ_SPLIT_TRAIN, index + at, n, err));
        dscq_exec_forward(e, DSCQ_PASS_EVAL, x, (int32_t)n, NULL);
        dscq_log_progress(log, "calibrate", (double)(at + n), (double)images, "");
    }
done:
    dscq_free(index);
    dscq_free(x);
    return status;
}

dscq_status flow__calibrate(dscq_aquant *edge, dscq_project *p,
                            const dscq_compressor *c, dscq_pool *pool,
                            const dscq_kernels *kernels, const dscq_log *log,
                            dscq_error *err)
{
    const dscq_settings *s = dscq_compressor_settings(c);
    dscq_model *m = dscq_project_model(p);
    dscq_observer *seen = NULL;
    dscq_calibrated *result = NULL;
    dscq_exec *e = NULL;
    dscq_dataset *d;
    dscq_status status;

    DSCQ_TRY(dscq_project_dataset(&d, p, log, err));
    const size_t there = dscq_dataset_count(d, DSCQ_SPLIT_TRAIN);
    const size_t asked = (size_t)s->all.calibration_images;
    const size_t images = asked < there ? asked : there;
    if (images == 0) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%s: calibration needs at least one training image",
                           dscq_project_path(p));
        goto done;
    }
    const dscq_exec_options eo = {
        .batch = CALIBRATE_BATCH, .raw_outputs = 1, .pool = pool, .kernels = kernels};
    DSCQ_TRY(dscq_exec_create(&e, m, &eo, err));
    DSCQ_TRY(dscq_observer_create(&seen, m, err));
    DSCQ_TRY(observe(seen, e, d, images, log, err));
    DSCQ_TRY(dscq_calibrate(&result, seen, s, err));
    edge[0] = result->input;
    for (int32_t i = 0; i < result->nodes; i++)
        edge[i + 1] = result->edge[i];
done:
    dscq_calibrated_destroy(result);
    dscq_observer_destroy(seen);
    dscq_exec_destroy(e);
    return status;
}
