/* What needs pictures but neither labels nor training: second-order rounding, bias
 * correction, batch norm measured again. */
#include "dscq/compress/post.h"

#include "flow_internal.h"

enum { POST_BATCH = 32 };

dscq_status flow__post(flow_tune *t, dscq_error *err)
{
    const dscq_compress_params *c = &t->project->settings->all;
    const dscq_method *method = dscq_compressor_last(t->compressor);
    dscq_model *m = dscq_project_model(t->project);
    flow_images images = {0};
    dscq_status status;

    if (method->post == NULL && !c->bias_correction && !c->reestimate_norm)
        return DSCQ_OK;
    DSCQ_TRY(flow__images_init(&images, t->project, POST_BATCH, t->log, err));
    const dscq_post_data data = {.next = flow__images_batch,
                                 .ctx = &images,
                                 .batch = POST_BATCH,
                                 .pool = t->pool,
                                 .kernels = t->kernels,
                                 .log = t->log};
    if (method->post != NULL)
        DSCQ_TRY(method->post(t->compressor, t->origin, &data, err));
    if (c->bias_correction)
        DSCQ_TRY(dscq_post_bias(m, t->origin, &data, err));
    if (c->reestimate_norm && !dscq_model_has_norm(m))
        dscq_log_printf(t->log, DSCQ_LOG_INFO,
                        "reestimate_norm: the network has no batch norm (folded); "
                        "nothing to measure");
    else if (c->reestimate_norm) /* last: it takes up what the others left */
        DSCQ_TRY(t->trainer != NULL ? dscq_post_norm(m, &data, err)
                                    : dscq_post_norm_shift(m, t->origin, &data, err));
    t->has_edges = 0; /* ranges belong to the new weights */
done:
    flow__images_clear(&images);
    return status;
}
