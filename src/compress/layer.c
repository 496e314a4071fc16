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

enum { WIDE = 255 };

/* The steps of which the weights are whole numbers of at most WIDE, some above what 8
 * bits hold: one for all, or one a channel. How many, 0: there are none. */
static int32_t wide_steps(double *step, const dscq_clayer *l)
{
    const size_t per = l->w->count / (size_t)l->w->k;
    int beyond = 0;

    if (dscq_lattice_step(l->w->w, l->mask, l->w->count, 1, 127) > 0.0)
        return 0;
    step[0] = dscq_lattice_step(l->w->w, l->mask, l->w->count, 128, WIDE);
    if (step[0] > 0.0)
        return 1;
    for (int32_t o = 0; o < l->w->k; o++) {
        const float *w = l->w->w + (size_t)o * per;
        const uint8_t *mask = l->mask + (size_t)o * per;
        step[o] = dscq_lattice_step(w, mask, per, 1, 127);
        if (!(step[o] > 0.0)) {
            step[o] = dscq_lattice_step(w, mask, per, 128, WIDE);
            beyond = 1;
        }
        if (!(step[o] > 0.0))
            return 0;
    }
    return beyond ? l->w->k : 0;
}

/* Which whole numbers the weights are; how many, 0 aside. mask: those that are not 0.
 */
static int32_t wide_codes(int16_t *entry, uint8_t *mask, const dscq_clayer *l,
                          const double *step, int32_t steps)
{
    const size_t per = l->w->count / (size_t)steps;
    uint8_t seen[2 * WIDE + 1] = {0};
    int32_t n = 0;

    for (size_t i = 0; i < l->w->count; i++) {
        const double v = dscq_round_away((double)l->w->w[i] / step[i / per]);
        mask[i] = l->mask[i] && v != 0.0;
        seen[WIDE + (int32_t)(mask[i] ? v : 0.0)] = 1;
    }
    for (int32_t v = -WIDE; v <= WIDE; v++)
        if (v != 0 && seen[WIDE + v] && n++ < DSCQ_CODEBOOK_MAX - 1)
            entry[n - 1] = (int16_t)v;
    return n;
}

/* Weights of a network that was quantised before may lie further than 127 steps from 0
 * (around a zero point, or at -128), on 256 levels: a codebook of those keeps them.
 * l->q stays NULL: they are no such. */
static dscq_status freeze_wide(dscq_clayer *l, dscq_error *err)
{
    double *step = dscq_malloc((size_t)l->w->k, sizeof *step);
    int16_t entry[DSCQ_CODEBOOK_MAX];
    dscq_wquant *q = NULL;
    dscq_status status = DSCQ_OK;

    if (step == NULL)
        return dscq_fail_nomem(err, "quantised weights", (size_t)l->w->k * 8);
    const int32_t steps = wide_steps(step, l);
    if (steps == 0)
        goto done;
    DSCQ_TRY(dscq_wquant_create(&q, l->w, DSCQ_FORM_CODEBOOK, l->rule.b, steps,
                                l->rule.block, err));
    const int32_t count = wide_codes(entry, q->mask, l, step, steps);
    if (count >= DSCQ_CODEBOOK_MAX)
        goto done;
    memcpy(q->scale, step, (size_t)steps * sizeof *step);
    dscq_wquant_set_codes(q, entry, count, 1.0);
    l->rule.form = DSCQ_FORM_CODEBOOK;
    l->q = q;
    q = NULL;
done:
    dscq_wquant_destroy(q);
    dscq_free(step);
    return status;
}

dscq_status compress__freeze_form(dscq_compressor *c, dscq_clayer *l, int worker,
                                  dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (l->rule.form == DSCQ_FORM_CODEBOOK)
        return freeze_kmeans(l, err);
    dscq_wquant_destroy(l->q); /* a new one is fitted to the weights as they are */
    l->q = NULL;
    if (l->rule.form == DSCQ_FORM_LINEAR && l->rule.b == 8 &&
        c->settings->all.keep_codes)
        DSCQ_TRY(freeze_wide(l, err));
    if (l->q == NULL && form_of(c, l, worker) == NULL)
        return dscq_fail_nomem(err, "quantised weights", 5ULL * l->w->count);
done:
    return status;
}
