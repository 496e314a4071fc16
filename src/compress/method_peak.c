/* Peak-pruning, three readings: the peak of the histogram of surviving weights, the
 * peak of the accuracy curve, the peak of the storage. */
#include "compress_internal.h"
#include "dscq/compress/prune.h"

static const double k_index_bits = 4.0; /* size reading: position of one weight */
enum { MAX_UNDONE = 2 };

static void everything(dscq_compressor *c, double part)
{
    for (size_t i = 0; i < c->layers; i++)
        compress__mask_rate(c, &c->layer[i], c->layer[i].rule.p * part, 0);
}

/* Everything under alpha times the position of its layer's peak goes. */
static void cut_valley(dscq_compressor *c)
{
    for (size_t i = 0; i < c->layers; i++) {
        dscq_clayer *l = &c->layer[i];
        double peak;

        if (!(l->rule.p > 0.0))
            continue;
        peak = dscq_peak_magnitude(l->w->w, l->mask, l->w->count);
        if (dscq_mask_threshold(l->mask, l->w->w, l->held, l->w->count,
                                c->alpha * peak) == 0)
            compress__mask_rate(c, l, l->rule.p, 0); /* an odd histogram: as before */
        compress__zero_pruned(l);
    }
}

static size_t kept_of(const dscq_clayer *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->w->count; i++)
        kept += l->mask[i];
    return kept;
}

/* The layer that takes most bytes and was not given up; -1: none. */
static int32_t largest(const dscq_compressor *c)
{
    double top = 0.0;
    int32_t at = -1;

    for (size_t i = 0; i < c->layers; i++) {
        const dscq_clayer *l = &c->layer[i];
        const double bits = (double)kept_of(l) * (l->rule.b + k_index_bits);

        if (l->rule.p > 0.0 && l->mark == 0.0 && bits > top) {
            top = bits;
            at = (int32_t)i;
        }
    }
    return at;
}

static void cut_largest(dscq_compressor *c)
{
    c->position = largest(c);
    c->done = c->position < 0;
    if (c->done)
        return;
    dscq_clayer *l = &c->layer[c->position];
    const double kept = (double)kept_of(l) / (double)l->w->count;
    compress__mask_rate(c, l, 1.0 - kept * c->settings->all.density_step, 0);
    compress__zero_pruned(l);
}

/* The next, stronger cut. */
static void cut(dscq_compressor *c)
{
    const int reading = c->settings->all.peak;

    if (reading == DSCQ_PEAK_VALLEY)
        cut_valley(c);
    else if (reading == DSCQ_PEAK_SIZE)
        cut_largest(c);
    else
        everything(c, c->alpha);
    c->round_left = c->settings->all.round_epochs;
    c->peak.valid = 0;
}

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    dscq_status status;

    c->alpha = c->settings->all.alpha_first;
    c->alpha_step = c->settings->all.alpha_step;
    c->undone = 0;
    for (size_t i = 0; i < c->layers; i++)
        c->layer[i].mark = 0.0;
    everything(c, c->steps == 0 ? 1.0 : 0.0);
    if (c->steps == 0)
        return DSCQ_OK;
    status = compress__snapshot_take(&c->good, c, c->score0, err);
    if (status != DSCQ_OK)
        return status;
    if (c->settings->all.peak != DSCQ_PEAK_ACCURACY)
        everything(c, 1.0); /* prune first; peaks appear in what is left */
    else
        everything(c, c->alpha);
    c->round_left = c->settings->all.round_epochs;
    return DSCQ_OK;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    (void)c;
    (void)worker;
    compress__zero_pruned(l);
    compress__copy_masked(l);
}

/* A round that lost too much: back, and be gentler, or give the layer up. */
static void undo(dscq_compressor *c)
{
    compress__snapshot_restore(c, &c->good);
    if (c->settings->all.peak == DSCQ_PEAK_SIZE && c->position >= 0) {
        c->layer[c->position].mark = 1.0;
        return;
    }
    c->done = ++c->undone >= MAX_UNDONE;
    c->alpha -= c->alpha_step; /* halfway to the cut that failed */
    c->alpha_step *= 0.5;
}

static dscq_status epoch(dscq_compressor *c, double score, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (c->done)
        return DSCQ_OK;
    if (!c->peak.valid || score > c->peak.score)
        status = compress__snapshot_take(&c->peak, c, score, err);
    if (status != DSCQ_OK || --c->round_left > 0)
        return status;
    if (c->peak.score >= c->score0 - c->settings->all.acc_loss) {
        compress__snapshot_restore(c, &c->peak); /* the best of the round goes on */
        status = compress__snapshot_take(&c->good, c, c->peak.score, err);
    } else {
        undo(c);
    }
    c->alpha += c->alpha_step;
    if (c->alpha > 1.0 + 1e-9 && c->settings->all.peak != DSCQ_PEAK_SIZE)
        c->done = 1;
    if (status == DSCQ_OK && !c->done)
        cut(c);
    return status;
}

const dscq_method dscq_method_peak = {
    .name = "peak",
    .summary = "cut the valley below the weight peak again and again, keep the best",
    .source = "Electronics 2019, 8(3):295; three readings, reconstructed",
    .keys = "peak, alpha_first, alpha_step, acc_loss, round_epochs, density_step",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_SCORED,
    .begin = begin,
    .layer = layer,
    .gradient = compress__mask_gradient,
    .epoch = epoch,
};
