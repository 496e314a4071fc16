/* Long work on a float network: training, compression. */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/flow/compress.h"
#include "dscq/flow/folder.h"
#include "dscq/flow/manifest.h"

#include <math.h>

dscq_status api__run_options(dscq_run_options *out, const dscq_net *n,
                             const dscq_work_options *work, dscq_error *err)
{
    dscq_work_options o;
    dscq_status status;

    DSCQ_TRY(api__take(&o, sizeof o, work, "dscq_work_options", err));
    if (o.threads < 0)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "threads %d: 0 or more", (int)o.threads));
    *out = (dscq_run_options){.out_dir = o.folder != NULL ? o.folder : "",
                              .as_is = !n->is_fresh,
                              .threads = o.threads,
                              .resume = o.resume,
                              .force = o.force,
                              .log = &n->listener.log};
done:
    return status;
}

dscq_status dscq_net_train(dscq_training *out, dscq_net *n,
                           const dscq_work_options *options, dscq_error *err)
{
    dscq_folder *folder = NULL;
    dscq_train_result r;
    dscq_run_options run;
    dscq_status status;

    API_ERROR(err);
    if (out != NULL)
        DSCQ_TRY(api__check_room(out, "dscq_training", err));
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(api__run_options(&run, n, options, err));
    DSCQ_TRY(dscq_folder_open(&folder, run.out_dir, "dscq_net_train()", run.force,
                              run.log, err));
    n->is_fresh = 0;
    DSCQ_TRY(dscq_flow_train(&r, n->project, &run, err));
    const dscq_training training = {.valid_score = r.valid_score,
                                    .images = r.trained_images,
                                    .peak_bytes = r.peak_bytes,
                                    .epochs = r.epochs,
                                    .best_epoch = r.best_epoch,
                                    .stopped_early = r.stopped_early};
    api__give(out, &training, sizeof training);
done:
    dscq_folder_close(folder);
    return status;
}

/* ---- compression ----------------------------------------------------------------- */

static dscq_compression compression_of(const dscq_compress_result *r)
{
    const double none = (double)NAN;
    const int is_scored = r->has_truth;
    const int has_interval = is_scored && !r->is_detector;

    return (dscq_compression){.images = r->images,
                              .float_score = is_scored ? r->float_score : none,
                              .packed_score = is_scored ? r->packed_score : none,
                              .packed_low = has_interval ? r->packed_low : none,
                              .packed_high = has_interval ? r->packed_high : none,
                              .agreement = r->agreement,
                              .sparsity = r->sparsity,
                              .float_bytes = r->float_bytes,
                              .file_bytes = r->file_bytes};
}

/* The network as it is now stays the caller's; what is tuned is a copy. */
static dscq_status compress_copy(dscq_compress_result *r, dscq_table **layers,
                                 dscq_net *n, const dscq_compress_options *o,
                                 dscq_error *err)
{
    dscq_model *copy = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_model_clone(&copy, dscq_project_model(n->project), err));
    dscq_model *const kept = dscq_project_swap_model(n->project, copy);
    status = dscq_flow_compress(r, layers, n->project, o, err);
    if (status == DSCQ_OK)
        status = dscq_manifest_write(n->project, o, r, err);
    dscq_model_destroy(dscq_project_swap_model(n->project, kept));
done:
    return status;
}

dscq_status dscq_net_compress(dscq_qnet **out, dscq_compression *result,
                              dscq_table **layers, dscq_net *n,
                              const dscq_compress_request *request, dscq_error *err)
{
    dscq_compress_request q;
    dscq_compress_options o = {0};
    dscq_compress_result r;
    dscq_folder *folder = NULL;
    dscq_table *table = NULL;
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    API_ERROR(err);
    if (layers != NULL)
        *layers = NULL;
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(n, "net", err));
    if (result != NULL)
        DSCQ_TRY(api__check_room(result, "dscq_compression", err));
    DSCQ_TRY(api__take(&q, sizeof q, request, "dscq_compress_request", err));
    DSCQ_TRY(api__run_options(&o.run, n, q.work, err));
    if (n->is_fresh)
        dscq_log_printf(o.run.log, DSCQ_LOG_WARN,
                        "the network was never trained: fresh weights are compressed");
    o.run.as_is = 1;
    o.profile = q.profile;
    o.no_test = q.spare_test;
    o.data = &data;
    o.data_bytes = &bytes;
    DSCQ_TRY(dscq_folder_open(&folder, o.run.out_dir, "dscq_net_compress()",
                              o.run.force, o.run.log, err));
    DSCQ_TRY(compress_copy(&r, &table, n, &o, err));
    DSCQ_TRY(api__qnet_of(out, data, bytes, err));
    const dscq_compression c = compression_of(&r);
    api__give(result, &c, sizeof c);
    if (layers != NULL) {
        *layers = table;
        table = NULL;
    }
done:
    dscq_table_destroy(table);
    dscq_free(data);
    dscq_folder_close(folder);
    return status;
}
