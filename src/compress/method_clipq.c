/* CLIP-Q inside every training step, and its variant for depthwise separable
 * networks. */
#include "compress_internal.h"
#include "dscq/compress/prune.h"

#include <math.h>
#include <string.h>

typedef struct clip_params {
    int32_t partition; /* dscq_partition */
} clip_params;

static const dscq_key k_clip_rows[] = {
    DSCQ_KEY_ENUM_ROW(clip_params, partition, "width|entropy", "width",
                      "how CLIP-Q cuts the axis into intervals"),
    DSCQ_KEY_END};
static const dscq_method_keys k_clip_keys = {k_clip_rows, sizeof(clip_params), "scale"};

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
 * channel's scale; both in the worker's scratch. */
static const float *view_of(const dscq_clayer *l, const compress_work *work)
{
    const size_t n = l->w->count, per = n / (size_t)l->w->k;

    if (!l->rule.per_channel && l->held == NULL)
        return l->w->w;
    if (l->rule.per_channel)
        channel_rms(l, work->score);
    for (int32_t o = 0; o < l->w->k; o++) {
        const float inv = l->rule.per_channel ? (float)(1.0 / work->score[o]) : 1.0F;

        for (size_t i = (size_t)o * per; i < ((size_t)o + 1) * per; i++)
            work->v[i] = l->held == NULL || l->held[i] ? l->w->w[i] * inv : 0.0F;
    }
    return work->v;
}

static void clip(dscq_clayer *l, const compress_work *work, dscq_partition partition,
                 dscq_clip *out, float *used)
{
    dscq_clipq(out, used, l->mask, view_of(l, work), l->w->count,
               compress__rate_left(l, l->rule.p), l->rule.b, partition, work->clip);
    l->kept = out->kept;
}

static void clip_layer(dscq_compressor *c, dscq_clayer *l, int worker,
                       dscq_partition partition)
{
    const compress_work *work = &c->work[worker];
    const size_t per = l->w->count / (size_t)l->w->k;
    dscq_clip found;

    if (compress__is_plain(l)) {
        compress__mask_rate(c, l, l->rule.p, worker);
        compress__copy_form(c, l, worker);
        return;
    }
    clip(l, work, partition, &found, l->used);
    if (l->rule.per_channel)
        for (int32_t o = 0; o < l->w->k; o++)
            for (size_t i = (size_t)o * per; i < ((size_t)o + 1) * per; i++)
                l->used[i] *= (float)work->score[o];
}

static dscq_status clip_freeze(dscq_compressor *c, dscq_clayer *l, int worker,
                               dscq_partition partition, dscq_error *err)
{
    const compress_work *work = &c->work[worker];
    dscq_clip found;

    if (compress__is_plain(l)) {
        compress__mask_rate(c, l, l->rule.p, worker);
        return compress__freeze_form(c, l, worker, err);
    }
    clip(l, work, partition, &found, NULL);
    return compress__freeze_levels(l, found.level, found.level_count, found.edge,
                                   l->rule.per_channel ? work->score : NULL, err);
}

static dscq_partition partition_of(const dscq_compressor *c)
{
    const clip_params *p = c->params[0];

    return (dscq_partition)p->partition;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    clip_layer(c, l, worker, partition_of(c));
}

static dscq_status freeze(dscq_compressor *c, dscq_clayer *l, int worker,
                          dscq_error *err)
{
    return clip_freeze(c, l, worker, partition_of(c), err);
}

const dscq_method dscq_method_clipq = {
    .name = "clipq",
    .summary = "clip, partition and quantise in every step; pruned weights may return",
    .source = "Tung and Mori, CVPR 2018",
    .reads = "scale, form, depthwise",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_QUANTISES | DSCQ_METHOD_RECOVERS,
    .keys = {&k_clip_keys},
    .layer = layer,
    .freeze = freeze,
};

/* ---- the variant ------------------------------------------------------------ */

/* Answers to the open questions of its source; docs/methods.md. */
#define VARIANT_LIST(X)                                                                \
    X(default, DEFAULT) /* as g, or what the settings say of scale and depthwise */    \
    X(a, A)             /* plain CLIP-Q everywhere                              */     \
    X(b, B)             /* depthwise left alone (16 bit), plain elsewhere       */     \
    X(c, C)             /* depthwise per channel 8 bit, plain elsewhere         */     \
    X(d, D)             /* depthwise per channel 4 bit, plain elsewhere         */     \
    X(e, E) /* as c, shared codebook with a scale per channel elsewhere         */     \
    X(f, F) /* as e, weighted-entropy partition                                 */     \
    X(g, G) /* as c, weighted-entropy partition                                 */
typedef enum variant {
#define X(word, id) VARIANT_##id,
    VARIANT_LIST(X)
#undef X
} variant;

typedef struct dsc_params {
    int32_t variant; /* VARIANT_... */
} dsc_params;

static const dscq_key k_dsc_rows[] = {
    DSCQ_KEY_ENUM_ROW(dsc_params, variant, DSCQ_CHOICES(VARIANT_LIST(DSCQ_CHOICE)),
                      "default", "dsc_clipq: ablation"),
    DSCQ_KEY_END};
static const dscq_method_keys k_dsc_keys = {k_dsc_rows, sizeof(dsc_params), "scale"};

static void depthwise_rule(dscq_rule *r, const dscq_compress_params *p, variant v)
{
    if (v == VARIANT_A) {
        r->p = p->p;
        r->b = p->b;
        r->form = DSCQ_FORM_CODEBOOK;
        r->per_channel = 0;
        return;
    }
    r->p = v == VARIANT_B ? 0.0 : p->dw_p;
    r->b = v == VARIANT_B ? 16 : v == VARIANT_D ? 4 : p->dw_b;
    r->form = DSCQ_FORM_LINEAR;
    r->per_channel = 1;
}

static variant variant_of(const dscq_compressor *c)
{
    const dsc_params *p = c->params[1];

    return (variant)p->variant;
}

static dscq_status begin_dsc(dscq_compressor *c, dscq_error *err)
{
    const dscq_compress_params *p = &c->settings->all;
    const variant v = variant_of(c);

    (void)err;
    for (size_t i = 0; i < c->layers && v != VARIANT_DEFAULT; i++) {
        dscq_rule *r = &c->layer[i].rule;
        /* what a [compress_layer] said about a layer is not overruled */
        const int own =
            r->b == p->dw_b && r->p == p->dw_p && r->form == DSCQ_FORM_LINEAR;

        if (r->kind == DSCQ_KIND_DEPTHWISE && own)
            depthwise_rule(r, p, v);
        else if (r->form == DSCQ_FORM_CODEBOOK)
            r->per_channel = v == VARIANT_E || v == VARIANT_F;
    }
    return DSCQ_OK;
}

static dscq_partition partition_of_dsc(const dscq_compressor *c)
{
    const variant v = variant_of(c);
    const int entropy = v == VARIANT_DEFAULT || v >= VARIANT_F;

    return entropy ? DSCQ_PART_ENTROPY : partition_of(c);
}

static void layer_dsc(dscq_compressor *c, dscq_clayer *l, int worker)
{
    clip_layer(c, l, worker, partition_of_dsc(c));
}

static dscq_status freeze_dsc(dscq_compressor *c, dscq_clayer *l, int worker,
                              dscq_error *err)
{
    return clip_freeze(c, l, worker, partition_of_dsc(c), err);
}

const dscq_method dscq_method_dsc_clipq = {
    .name = "dsc_clipq",
    .summary = "CLIP-Q with its own rule for depthwise layers and intervals by entropy",
    .source = "after Yang et al., IEEE SPL 31 (2024); a reconstruction",
    .reads = "scale, depthwise, dw_b, dw_p",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_QUANTISES | DSCQ_METHOD_RECOVERS,
    .keys = {&k_clip_keys, &k_dsc_keys},
    .begin = begin_dsc,
    .layer = layer_dsc,
    .freeze = freeze_dsc,
};
