/* Post-training: the driver's part of it; the work is in post.c and obq.c. */
#include "compress_internal.h"
#include "dscq/compress/post.h"

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    (void)err;
    for (size_t i = 0; i < c->layers; i++) /* rows are independent: a step for each */
        c->layer[i].rule.per_channel |= c->layer[i].rule.form == DSCQ_FORM_CODEBOOK;
    compress__all_linear(c);
    for (size_t i = 0; i < c->layers; i++)
        compress__mask_rate(c, &c->layer[i], c->layer[i].rule.p, 0);
    return DSCQ_OK;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    compress__copy_form(c, l, worker);
}

const dscq_method dscq_method_obq = {
    .name = "obq",
    .summary = "second-order pruning and rounding from a few hundred images",
    .source = "Frantar, Singh and Alistarh, NeurIPS 2022",
    .reads = "scale, calibration_images",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_QUANTISES,
    .begin = begin,
    .layer = layer,
    .post = dscq_post_obq,
};
