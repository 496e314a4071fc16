/* A few hundred pictures without their labels: what calibration and the methods that
 * do not train look at. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "flow_internal.h"

#include <string.h>

static int32_t type_named(const char *name)
{
    for (size_t i = 0; i < dscq_data_type_count(); i++)
        if (strcmp(dscq_data_type_name(i), name) == 0)
            return (int32_t)i;
    return -1;
}

/* [data] as it stands, but the pictures are those of the folder. */
dscq_data_params flow__calibration_params(const dscq_data_params *p)
{
    dscq_data_params own = *p;

    own.type = type_named("images");
    memcpy(own.train, p->calibrate, sizeof own.train);
    own.train_labels[0] = own.test[0] = own.test_labels[0] = own.names[0] = '\0';
    own.valid_frac = own.test_frac = 0;
    own.limit = 0;
    (void)dscq_str_copy(own.mean, sizeof own.mean, "0"); /* those of [data] follow */
    (void)dscq_str_copy(own.std, sizeof own.std, "1");
    return own;
}

dscq_status flow__calibration_data(dscq_dataset **out, dscq_project *p,
                                   const dscq_log *log, dscq_error *err)
{
    dscq_dataset *d;
    dscq_status status;

    DSCQ_TRY(dscq_project_dataset(&d, p, log, err));
    if (p->data.calibrate[0] != '\0' && p->calibration == NULL) {
        const dscq_data_params own = flow__calibration_params(dscq_dataset_params(d));
        status = dscq_dataset_open(&p->calibration, &own, p->dir, log, err);
        if (status != DSCQ_OK)
            return dscq_fail_at(err, "data.calibrate");
        DSCQ_TRY(
            dscq_dataset_set_preproc(p->calibration, dscq_dataset_preproc(d), err));
    }
    *out = p->calibration != NULL ? p->calibration : d;
done:
    return status;
}

dscq_status flow__images_init(flow_images *f, dscq_project *p, int32_t batch,
                              const dscq_log *log, dscq_error *err)
{
    const size_t asked = (size_t)p->settings->all.calibration_images;
    dscq_status status;

    memset(f, 0, sizeof *f);
    DSCQ_TRY(flow__calibration_data(&f->data, p, log, err));
    const size_t there = dscq_dataset_count(f->data, DSCQ_SPLIT_TRAIN);
    f->count = asked < there ? asked : there;
    f->batch = batch;
    if (f->count == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: calibration needs at least one training image",
                         dscq_project_path(p));
    const size_t floats = dscq_preproc_floats(dscq_dataset_preproc(f->data));
    f->x = dscq_malloc((size_t)batch * floats, sizeof *f->x);
    f->index = flow__spread(f->count, there);
    if (f->x == NULL || f->index == NULL) {
        flow__images_clear(f);
        return dscq_fail_nomem(err, "calibration images", (size_t)batch * floats * 4);
    }
done:
    return status;
}

void flow__images_clear(flow_images *f)
{
    dscq_free(f->x);
    dscq_free(f->index);
    memset(f, 0, sizeof *f);
}

dscq_status flow__images_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                               size_t number, dscq_error *err)
{
    flow_images *f = ctx;
    const size_t batch = (size_t)f->batch, at = number * batch;
    dscq_status status = DSCQ_OK;

    (void)epoch;
    memset(out, 0, sizeof *out);
    if (at >= f->count)
        return DSCQ_OK;
    const size_t n = f->count - at < batch ? f->count - at : batch;
    DSCQ_TRY(
        dscq_batch_fill(f->x, NULL, f->data, DSCQ_SPLIT_TRAIN, f->index + at, n, err));
    out->n = (int32_t)n;
    out->x = f->x;
done:
    return status;
}
