/* What most methods do with one layer. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/compress/prune.h"

#include <assert.h>
#include <string.h>

enum { REFRESH = 64, KMEANS_ROUNDS = 100 };

int compress__is_plain(const dscq_clayer *l)
{
    return l->rule.form != DSCQ_FORM_CODEBOOK;
}

void compress__all_linear(dscq_compressor *c)
{
    for (size_t i = 0; i < c->layers; i++)
        if (c->layer[i].rule.form == DSCQ_FORM_CODEBOOK)
            c->layer[i].rule.form = DSCQ_FORM_LINEAR;
}

void compress__copy_masked(dscq_clayer *l)
{
    const size_t n = l->w->count;

    l->kept = 0;
    for (size_t i = 0; i < n; i++) {
        l->used[i] = l->mask[i] ? l->w->w[i] : 0.0F;
        l->kept += l->mask[i];
    }
}

void compress__zero_pruned(dscq_clayer *l)
{
    for (size_t i = 0; i < l->w->count; i++)
        if (!l->mask[i])
            l->w->w[i] = 0.0F;
}

void compress__mask_gradient(dscq_compressor *c, dscq_clayer *l, float *dw)
{
    (void)c;
    for (size_t i = 0; i < l->w->count; i++)
        if (!l->mask[i])
            dw[i] = 0.0F;
}

double compress__rate_left(const dscq_clayer *l, double p)
{
    size_t left = 0;

    if (l->held == NULL)
        return p;
    for (size_t i = 0; i < l->w->count; i++)
        left += l->held[i];
    const double gone = (double)(l->w->count - left);
    const double cut = p * (double)l->w->count - gone;
    return cut > 0.0 && left > 0 ? cut / (double)left : 0.0;
}

void compress__mask_rate(dscq_compressor *c, dscq_clayer *l, double rate, int worker)
{
    if (rate > 0.0 || l->held != NULL)
        dscq_mask_magnitude(l->mask, l->w->w, l->held, l->w->count, rate,
                            c->work[worker].clip);
    else
        memset(l->mask, 1, l->w->count);
    l->rate = rate;
}

static void linear_steps(const dscq_clayer *l, double *step, int32_t count)
{
    const size_t per = l->w->count / (size_t)count;

    for (int32_t o = 0; o < count; o++)
        step[o] = dscq_linear_step(l->w->w + (size_t)o * per, l->mask + (size_t)o * per,
                                   per, l->rule.b);
}

static int refresh_now(const dscq_compressor *c, const dscq_clayer *l)
{
    return l->q == NULL || l->rule.b >= 8 || (c->step - c->stage_begin) % REFRESH == 0;
}

/* A grid or blocks that belong to the present step, in l->q. NULL: no memory. */
static dscq_wquant *form_of(dscq_compressor *c, dscq_clayer *l, int worker)
{
    const int32_t scales = l->rule.per_channel ? l->w->k : 1;
    const int binary = l->rule.form == DSCQ_FORM_BINARY;
    const int refresh = refresh_now(c, l);
    dscq_wquant *q = l->q;

    if (q == NULL &&
        dscq_wquant_create(&q, l->w, l->rule.form, l->rule.b, binary ? l->w->k : scales,
                           l->rule.block, NULL) != DSCQ_OK)
        return NULL;
    l->q = q;
    if (refresh && binary)
        dscq_binary_fit(q, l->w->w, l->rule.high_frac, c->work[worker].score,
                        c->work[worker].order);
    else if (refresh)
        linear_steps(l, q->scale, scales);
    if (!binary)
        memcpy(q->mask, l->mask, l->w->count);
    return q;
}

void compress__copy_form(dscq_compressor *c, dscq_clayer *l, int worker)
{
    const dscq_wquant *q;

    if (l->rule.form == DSCQ_FORM_CODEBOOK) {
        compress__copy_masked(l);
        return;
    }
    q = form_of(c, l, worker);
    l->no_memory = q == NULL; /* the driver turns this into a status */
    if (q == NULL)
        return;
    dscq_wquant_fake(q, l->w->w, l->used);
    l->kept = 0;
    for (size_t i = 0; i < l->w->count; i++)
        l->kept += l->mask[i];
}

dscq_status compress__freeze_levels(dscq_clayer *l, const double *level, int32_t n,
                                    const double *edge, const double *scale,
                                    dscq_error *err)
{
    dscq_wquant *q;
    const dscq_status status =
        dscq_wquant_create(&q, l->w, DSCQ_FORM_CODEBOOK, l->rule.b,
                           scale != NULL ? l->w->k : 1, l->rule.block, err);

    if (status != DSCQ_OK)
        return status;
    if (scale != NULL)
        memcpy(q->scale, scale, (size_t)l->w->k * sizeof *scale);
    dscq_wquant_set_levels(q, level, n);
    if (edge != NULL)
        dscq_wquant_set_edges(q, level, edge, n);
    memcpy(q->mask, l->mask, l->w->count);
    dscq_wquant_destroy(l->q);
    l->q = q;
    return DSCQ_OK;
}

static dscq_status freeze_kmeans(dscq_clayer *l, dscq_error *err)
{
    double level[DSCQ_CODEBOOK_MAX];
    const int32_t n = dscq_kmeans(level, (1 << l->rule.b) - 1, l->w->w, l->mask,
                                  l->w->count, KMEANS_ROUNDS);

    if (n < 0)
        return dscq_fail_nomem(err, "k-means", 20ULL * l->w->count);
    return compress__freeze_levels(l, level, n, NULL, NULL, err);
}

dscq_status compress__freeze_form(dscq_compressor *c, dscq_clayer *l, int worker,
                                  dscq_error *err)
{
    if (l->rule.form == DSCQ_FORM_CODEBOOK)
        return freeze_kmeans(l, err);
    dscq_wquant_destroy(l->q); /* a new one is fitted to the weights as they are */
    l->q = NULL;
    if (form_of(c, l, worker) == NULL)
        return dscq_fail_nomem(err, "quantised weights", 5ULL * l->w->count);
    return DSCQ_OK;
}
