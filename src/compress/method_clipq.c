/* CLIP-Q inside every training step, and its variant for depthwise separable
 * networks. */
#include "compress_internal.h"
#include "dscq/compress/prune.h"

#include <math.h>
#include <string.h>

/* Scale of each output channel: the root mean square of its weights (1 if none). */
static void channel_rms(const dscq_clayer *l, double *scale)
{
    const size_t per = l->w->count / (size_t)l->w->k;

    for (int32_t o = 0; o < l->w->k; o++) {
        const float *w = l->w->w + (size_t)o * per;
        double sum = 0.0;
        size_t n = 0;

        for (size_t j = 0; j < per; j++)
            if (l->held == NULL || l->held[(size_t)o * per + j]) {
                sum += (double)w[j] * (double)w[j];
                n++;
            }
        scale[o] = n > 0 && sum > 0.0 ? sqrt(sum / (double)n) : 1.0;
    }
}

/* What is clipped: the weights, those an earlier stage pruned as zeros, over the
 * channel's scale. */
static const float *view_of(dscq_clayer *l, float *v)
{
    const size_t n = l->w->count, per = n / (size_t)l->w->k;

    if (!l->rule.per_channel && l->held == NULL)
        return l->w->w;
    if (l->rule.per_channel)
        channel_rms(l, l->scale);
    for (int32_t o = 0; o < l->w->k; o++) {
        const float inv = l->rule.per_channel ? (float)(1.0 / l->scale[o]) : 1.0F;

        for (size_t i = (size_t)o * per; i < ((size_t)o + 1) * per; i++)
            v[i] = l->held == NULL || l->held[i] ? l->w->w[i] * inv : 0.0F;
    }
    return v;
}

static void clip(dscq_compressor *c, dscq_clayer *l, int worker, dscq_clip *out,
                 float *used)
{
    const compress_work *work = &c->work[worker];
    const int entropy =
        c->settings->all.partition == DSCQ_PART_ENTROPY || l->mark != 0.0;

    dscq_clipq(out, used, l->mask, view_of(l, work->v), l->w->count,
               compress__rate_left(l, l->rule.p), l->rule.b,
               entropy ? DSCQ_PART_ENTROPY : DSCQ_PART_WIDTH, work->clip);
    l->kept = out->kept;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    const size_t per = l->w->count / (size_t)l->w->k;
    dscq_clip found;

    if (compress__is_plain(l)) {
        compress__mask_rate(c, l, l->rule.p, worker);
        compress__copy_form(c, l, worker);
        return;
    }
    clip(c, l, worker, &found, l->used);
    if (l->rule.per_channel)
        for (int32_t o = 0; o < l->w->k; o++)
            for (size_t i = (size_t)o * per; i < ((size_t)o + 1) * per; i++)
                l->used[i] *= (float)l->scale[o];
}

static dscq_status freeze(dscq_compressor *c, dscq_clayer *l, int worker,
                          dscq_error *err)
{
    dscq_clip found;

    if (compress__is_plain(l)) {
        compress__mask_rate(c, l, l->rule.p, worker);
        return compress__freeze_form(c, l, worker, err);
    }
    clip(c, l, worker, &found, NULL);
    return compress__freeze_levels(l, found.level, found.level_count, found.edge,
                                   l->rule.per_channel ? l->scale : NULL, err);
}

const dscq_method dscq_method_clipq = {
    .name = "clipq",
    .summary = "clip, partition and quantise in every step; pruned weights may return",
    .source = "Tung and Mori, CVPR 2018",
    .keys = "partition, scale, form, depthwise",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_QUANTISES | DSCQ_METHOD_RECOVERS,
    .layer = layer,
    .freeze = freeze,
};

/* ---- the variant ------------------------------------------------------------ */

static void depthwise_rule(dscq_rule *r, const dscq_compress_params *p, int variant)
{
    if (variant == DSCQ_VAR_A) {
        r->p = p->p;
        r->b = p->b;
        r->form = DSCQ_FORM_CODEBOOK;
        r->per_channel = 0;
        return;
    }
    r->p = variant == DSCQ_VAR_B ? 0.0 : p->dw_p;
    r->b = variant == DSCQ_VAR_B ? 16 : variant == DSCQ_VAR_D ? 4 : p->dw_b;
    r->form = DSCQ_FORM_LINEAR;
    r->per_channel = 1;
}

static dscq_status begin_dsc(dscq_compressor *c, dscq_error *err)
{
    const dscq_compress_params *p = &c->settings->all;
    const int shared = p->variant == DSCQ_VAR_E || p->variant == DSCQ_VAR_F;
    const int entropy = p->variant == DSCQ_VAR_DEFAULT || p->variant >= DSCQ_VAR_F;

    (void)err;
    for (size_t i = 0; i < c->layers; i++) {
        dscq_rule *r = &c->layer[i].rule;
        /* what a [compress_layer] said about a layer is not overruled */
        const int own =
            r->b == p->dw_b && r->p == p->dw_p && r->form == DSCQ_FORM_LINEAR;

        c->layer[i].mark = entropy;
        if (p->variant == DSCQ_VAR_DEFAULT)
            continue;
        if (r->kind == DSCQ_KIND_DEPTHWISE && own)
            depthwise_rule(r, p, p->variant);
        else if (r->form == DSCQ_FORM_CODEBOOK)
            r->per_channel = shared;
    }
    return DSCQ_OK;
}

const dscq_method dscq_method_dsc_clipq = {
    .name = "dsc_clipq",
    .summary = "CLIP-Q with its own rule for depthwise layers and intervals by entropy",
    .source = "after Yang et al., IEEE SPL 31 (2024); a reconstruction",
    .keys = "variant, scale, depthwise, dw_b, dw_p",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_QUANTISES | DSCQ_METHOD_RECOVERS,
    .begin = begin_dsc,
    .layer = layer,
    .freeze = freeze,
};
