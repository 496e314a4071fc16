/* One layer changed, the rest as it is. */
#include "dscq/base/alloc.h"
#include "dscq/compress/levels.h"
#include "dscq/compress/prune.h"
#include "dscq/nn/eval.h"
#include "sense_internal.h"

#include <math.h>
#include <string.h>

const char *sense__probe_name(dscq_probe p)
{
    static const char *const k_names[] = {"prune", "bits", "channels"};

    return k_names[p];
}

static void linear_copy(float *out, const dscq_weights *w, int32_t bits, int32_t scales)
{
    const size_t per = w->count / (size_t)scales;
    const double top = (double)((1 << (bits - 1)) - 1);

    for (int32_t o = 0; o < scales; o++) {
        const float *x = w->w + (size_t)o * per;
        const double step = dscq_linear_step(x, NULL, per, bits);

        for (size_t j = 0; j < per; j++) {
            double q = floor(fabs((double)x[j]) / step + 0.5);

            q = (q > top ? top : q) * step;
            out[(size_t)o * per + j] = (float)(x[j] < 0.0F ? -q : q);
        }
    }
}

static void probe_bits(sense_bench *b, const dscq_weights *w, int32_t bits,
                       dscq_layer_kind kind)
{
    dscq_clip clip;

    if (kind == DSCQ_KIND_DEPTHWISE || bits < 2 || bits > 8)
        linear_copy(b->used, w, bits < 2 ? 2 : bits, w->k);
    else
        dscq_clipq(&clip, b->used, NULL, w->w, w->count, 0.0, bits, DSCQ_PART_WIDTH,
                   b->scratch);
}

static double l1_norm(const dscq_weights *w, int32_t o)
{
    const size_t per = w->count / (size_t)w->k;
    double s = 0.0;

    for (size_t j = 0; j < per; j++)
        s += fabs((double)w->w[(size_t)o * per + j]);
    return s;
}

/* Filters of small norm put out nothing: no weights, no scale, no shift. */
static void probe_channels(sense_bench *b, dscq_weights *w, double keep)
{
    const size_t per = w->count / (size_t)w->k;
    const int32_t gone = w->k - (int32_t)ceil(keep * (double)w->k - 1e-9);

    memcpy(b->used, w->w, w->count * sizeof *b->used);
    for (int32_t o = 0; o < w->k; o++) {
        const double mine = l1_norm(w, o);
        int32_t smaller = 0;

        for (int32_t k = 0; k < w->k; k++) {
            const double other = l1_norm(w, k);
            smaller += other < mine || (other == mine && k < o);
        }
        if (smaller >= gone)
            continue;
        memset(b->used + (size_t)o * per, 0, per * sizeof *b->used);
        if (w->gamma != NULL)
            w->gamma[o] = w->beta[o] = 0.0F;
        else if (w->bias != NULL)
            w->bias[o] = 0.0F;
    }
}

void sense__apply(sense_bench *b, const dscq_sense_cell *c, dscq_layer_kind kind)
{
    dscq_weights *w = dscq_model_node(b->model, c->node)->weights;
    const size_t bytes = (size_t)w->channels * sizeof(float);
    float *first = w->gamma != NULL ? w->gamma : w->bias;

    if (first != NULL)
        memcpy(b->kept[0], first, bytes);
    if (w->beta != NULL)
        memcpy(b->kept[1], w->beta, bytes);
    if (c->probe == DSCQ_PROBE_BITS) {
        probe_bits(b, w, (int32_t)c->value, kind);
    } else if (c->probe == DSCQ_PROBE_CHANNELS) {
        probe_channels(b, w, c->value);
    } else {
        dscq_mask_magnitude(b->mask, w->w, NULL, w->count, c->value, b->scratch);
        for (size_t i = 0; i < w->count; i++)
            b->used[i] = b->mask[i] ? w->w[i] : 0.0F;
    }
    w->w_used = b->used;
}

void sense__restore(sense_bench *b, const dscq_sense_cell *c)
{
    dscq_weights *w = dscq_model_node(b->model, c->node)->weights;
    const size_t bytes = (size_t)w->channels * sizeof(float);
    float *first = w->gamma != NULL ? w->gamma : w->bias;

    if (first != NULL)
        memcpy(first, b->kept[0], bytes);
    if (w->beta != NULL)
        memcpy(w->beta, b->kept[1], bytes);
    w->w_used = w->w;
}

/* ---- without images ----------------------------------------------------- */

static double sqnr8(const dscq_weights *w, int32_t scales)
{
    const size_t per = w->count / (size_t)scales;
    double signal = 0.0, noise = 0.0;

    for (int32_t o = 0; o < scales; o++) {
        const float *x = w->w + (size_t)o * per;
        const double step = dscq_linear_step(x, NULL, per, 8);

        for (size_t j = 0; j < per; j++) {
            const double a = fabs((double)x[j]);
            const double d = a - step * floor(a / step + 0.5);

            signal += a * a;
            noise += d * d;
        }
    }
    return noise > 0.0 && signal > 0.0 ? 10.0 * log10(signal / noise) : 200.0;
}

dscq_sense_layer sense__look(const dscq_model *m, int32_t node, dscq_layer_kind kind)
{
    const dscq_weights *w = dscq_model_node(m, node)->weights;
    const size_t per = w->count / (size_t)w->k;
    double least = (double)INFINITY, most = 0.0;
    dscq_sense_layer l = {.node = node, .kind = kind, .weights = w->count};

    for (int32_t o = 0; o < w->k; o++) {
        double top = 0.0;

        for (size_t j = 0; j < per; j++)
            top = fmax(top, fabs((double)w->w[(size_t)o * per + j]));
        if (top > 0.0) {
            least = fmin(least, top);
            most = fmax(most, top);
        }
    }
    l.range_ratio = most > 0.0 ? most / least : 1.0;
    l.sqnr8_layer_db = sqnr8(w, 1);
    l.sqnr8_channel_db = sqnr8(w, w->k);
    return l;
}

void dscq_sense_interval(double *lo, double *hi, uint64_t lost, uint64_t gained,
                         size_t images)
{
    const double n = (double)images, b = (double)lost, g = (double)gained;
    /* paired difference of two proportions (Agresti 2013, section 11.1), with one
     * image more on each side so that a drop of 0 has a width */
    const double var = (b + g + 1.0 - (b - g) * (b - g) / n) / (n * n);
    const double half = 1.96 * sqrt(var > 0.0 ? var : 0.0);

    *lo = (b - g) / n - half;
    *hi = (b - g) / n + half;
}

void sense__finish(dscq_sense_cell *c, size_t images)
{
    c->drop = ((double)c->lost - (double)c->gained) / (double)images;
    dscq_sense_interval(&c->lo, &c->hi, c->lost, c->gained, images);
    c->done = 1;
}
