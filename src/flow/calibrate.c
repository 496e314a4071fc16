#include "dscq/compress/calibrate.h"

#include "dscq/base/alloc.h"
#include "flow_internal.h"

enum { CALIBRATE_BATCH = 50 };

static dscq_status observe(dscq_observer *seen, dscq_exec *e, flow_images *images,
                           const dscq_log *log, dscq_error *err)
{
    dscq_train_batch b;
    dscq_status status;

    dscq_observer_watch(seen, e);
    for (size_t number = 0, done_images = 0;; number++) {
        DSCQ_TRY(flow__images_batch(images, &b, 0, number, err));
        if (b.n == 0)
            break;
        dscq_exec_forward(e, DSCQ_PASS_EVAL, b.x, b.n, NULL);
        done_images += (size_t)b.n;
        dscq_log_progress(log, "calibrate", (double)done_images, (double)images->count,
                          "");
    }
done:
    return status;
}

dscq_status dscq_flow_calibrate(dscq_aquant *grid, dscq_project *p,
                                const dscq_compressor *c, dscq_pool *pool,
                                const dscq_kernels *kernels, const dscq_log *log,
                                dscq_error *err)
{
    const dscq_settings *s = dscq_compressor_settings(c);
    dscq_model *m = dscq_project_model(p);
    dscq_observer *seen = NULL;
    dscq_calibrated *result = NULL;
    dscq_aquant *given = NULL;
    dscq_exec *e = NULL;
    flow_images images = {0};
    dscq_status status;

    DSCQ_TRY(flow__images_init(&images, p, CALIBRATE_BATCH, log, err));
    const dscq_exec_options eo = {
        .batch = CALIBRATE_BATCH, .raw_outputs = 1, .pool = pool, .kernels = kernels};
    DSCQ_TRY(dscq_exec_create(&e, m, &eo, err));
    DSCQ_TRY(dscq_observer_create(&seen, m, err));
    DSCQ_TRY(observe(seen, e, &images, log, err));
    given = dscq_calloc(dscq_grid_count(dscq_model_nodes(m)), sizeof *given);
    if (given == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "activation scales", sizeof *given));
    DSCQ_TRY(flow__use_ranges(given, p, s, err));
    DSCQ_TRY(dscq_calibrate(&result, seen, s, given, err));
    dscq_calibrated_copy(grid, result);
done:
    dscq_free(given);
    dscq_calibrated_destroy(result);
    dscq_observer_destroy(seen);
    dscq_exec_destroy(e);
    flow__images_clear(&images);
    return status;
}
