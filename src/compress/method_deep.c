/* Deep Compression: prune and retrain, then let clusters of weights share one value.
 * Huffman coding is an encoding of the packed file. */
#include "compress_internal.h"
#include "dscq/compress/prune.h"

#include <string.h>

static const double k_prune_part = 0.5; /* of the stage; the rest trains centroids */
enum { KMEANS_ROUNDS = 100 };

typedef struct deep_state {
    int32_t phase; /* 0 pruned, 1 clustered, -1 at first */
} deep_state;

static const compress_field k_fields[] = {COMPRESS_FIELD(deep_state, INT, phase, 11),
                                          COMPRESS_FIELDS_END};
static const dscq_method_state k_state = {.bytes = sizeof(deep_state),
                                          .fields = k_fields};

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    deep_state *s = c->state;

    (void)err;
    s->phase = -1;
    return DSCQ_OK;
}

/* Weights of a layer to their centroids; q->code remembers the cluster. */
static dscq_status cluster(dscq_clayer *l, dscq_error *err)
{
    double level[DSCQ_CODEBOOK_MAX], sum[DSCQ_CODEBOOK_MAX] = {0.0};
    size_t number[DSCQ_CODEBOOK_MAX] = {0};
    const size_t n = l->w->count;
    const int32_t k =
        dscq_kmeans(level, (1 << l->rule.b) - 1, l->w->w, l->mask, n, KMEANS_ROUNDS);
    dscq_status status;

    if (k < 0)
        return dscq_fail_nomem(err, "k-means", 20ULL * n);
    status = compress__freeze_levels(l, level, k, NULL, NULL, err);
    if (status != DSCQ_OK)
        return status;
    dscq_wquant_assign(l->q, l->w->w);
    for (size_t i = 0; i < n; i++) {
        sum[l->q->code[i]] += (double)l->w->w[i];
        number[l->q->code[i]]++;
    }
    for (size_t i = 0; i < n; i++)
        l->w->w[i] = l->mask[i] && l->q->code[i] != 0
                         ? (float)(sum[l->q->code[i]] / (double)number[l->q->code[i]])
                         : 0.0F;
    return DSCQ_OK;
}

static dscq_status step(dscq_compressor *c, double t, dscq_error *err)
{
    deep_state *s = c->state;

    if (s->phase < 0) { /* one cut, as in the paper */
        for (size_t i = 0; i < c->layers; i++)
            compress__mask_rate(c, &c->layer[i], c->layer[i].rule.p, 0);
        s->phase = 0;
    }
    if (s->phase == 0 && t >= k_prune_part) {
        for (size_t i = 0; i < c->layers; i++)
            if (!compress__is_plain(&c->layer[i])) {
                const dscq_status status = cluster(&c->layer[i], err);
                if (status != DSCQ_OK)
                    return status;
            }
        s->phase = 1;
    }
    return DSCQ_OK;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    compress__zero_pruned(l);
    compress__copy_form(c, l, worker);
}

/* Every weight of a cluster moves by the cluster's mean gradient, so a cluster stays
 * together. (The paper sums; the mean keeps the learning rate of the weights.) */
static void gradient(dscq_compressor *c, dscq_clayer *l, float *dw)
{
    const deep_state *s = c->state;
    double sum[DSCQ_CODEBOOK_MAX] = {0.0};
    size_t number[DSCQ_CODEBOOK_MAX] = {0};

    compress__mask_gradient(c, l, dw);
    if (s->phase < 1 || compress__is_plain(l))
        return;
    for (size_t i = 0; i < l->w->count; i++) {
        sum[l->q->code[i]] += (double)dw[i];
        number[l->q->code[i]]++;
    }
    for (size_t i = 0; i < l->w->count; i++)
        if (l->q->code[i] != 0)
            dw[i] = (float)(sum[l->q->code[i]] / (double)number[l->q->code[i]]);
        else
            dw[i] = 0.0F;
}

/* The trained centroids become the codebook. */
static dscq_status freeze(dscq_compressor *c, dscq_clayer *l, int worker,
                          dscq_error *err)
{
    const deep_state *s = c->state;
    double level[DSCQ_CODEBOOK_MAX], sum[DSCQ_CODEBOOK_MAX] = {0.0};
    size_t number[DSCQ_CODEBOOK_MAX] = {0};
    int32_t n = 0;

    if (compress__is_plain(l) || s->phase < 1)
        return compress__freeze_form(c, l, worker, err);
    for (size_t i = 0; i < l->w->count; i++) {
        sum[l->q->code[i]] += (double)l->w->w[i];
        number[l->q->code[i]]++;
    }
    for (int32_t e = 1; e < l->q->w.codebook_count; e++)
        if (number[e] > 0)
            level[n++] = sum[e] / (double)number[e];
    return compress__freeze_levels(l, level, n, NULL, NULL, err);
}

const dscq_method dscq_method_deep_compression = {
    .name = "deep_compression",
    .summary = "prune by magnitude, retrain, share weights by k-means, train centroids",
    .source = "Han, Mao and Dally, ICLR 2016",
    .flags = DSCQ_METHOD_PRUNES,
    .state = &k_state,
    .begin = begin,
    .step = step,
    .layer = layer,
    .gradient = gradient,
    .freeze = freeze,
};
