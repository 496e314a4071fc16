#include "dscq/compress/prune.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Keep the `keep` largest of what is allowed; ties: the lower index is pruned. v: w
 * with the held positions zeroed (or w). nonzero: how many of v are not 0. */
static size_t keep_largest(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                           size_t keep, void *scratch)
{
    size_t candidates = 0, nonzero = 0, kept = 0, ties;
    float edge = 0.0F;

    for (size_t i = 0; i < n; i++) {
        const int in = held == NULL || held[i];
        candidates += (size_t)in;
        nonzero += in && (w[i] > 0.0F || w[i] < 0.0F);
    }
    keep = keep < candidates ? keep : candidates;
    if (keep == 0) {
        memset(mask, 0, n);
        return 0;
    }
    if (keep <= nonzero) { /* the edge is the rank among nonzero magnitudes */
        float *v = (float *)scratch;
        void *inner = v + (n + 15) / 16 * 16;

        for (size_t i = 0; i < n; i++)
            v[i] = held == NULL || held[i] ? w[i] : 0.0F;
        edge = dscq_rank_magnitude(v, n, 0, nonzero - keep, inner);
    }
    for (size_t i = 0; i < n; i++) {
        mask[i] = (held == NULL || held[i]) && fabsf(w[i]) >= edge;
        kept += mask[i];
    }
    ties = kept - keep; /* weights equal to the edge that are too many */
    for (size_t i = 0; i < n && ties > 0; i++)
        if (mask[i] && fabsf(w[i]) == edge) {
            mask[i] = 0;
            ties--;
        }
    return keep;
}

size_t dscq_mask_magnitude(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                           double p, void *scratch)
{
    const size_t cut = (size_t)floor(p * (double)n * (1.0 + 1e-12));

    return keep_largest(mask, w, held, n, n - (cut < n ? cut : n), scratch);
}

size_t dscq_mask_keep(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                      size_t keep, void *scratch)
{
    return keep_largest(mask, w, held, n, keep, scratch);
}

size_t dscq_mask_threshold(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                           double threshold)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        mask[i] = (held == NULL || held[i]) && fabs((double)w[i]) >= threshold;
        kept += mask[i];
    }
    return kept;
}

dscq_status dscq_prune_global(size_t *kept_at, const dscq_prune_span *span,
                              size_t spans, double p, dscq_error *err)
{
    size_t total = 0, at = 0;
    float *all = NULL;
    uint8_t *mask = NULL;
    void *scratch = NULL;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < spans; i++)
        total += span[i].n;
    all = dscq_malloc(total, sizeof *all);
    mask = dscq_malloc(total, 1);
    scratch = dscq_malloc(1, dscq_clipq_scratch_bytes(total));
    if (all == NULL || mask == NULL || scratch == NULL) {
        status = dscq_fail_nomem(err, "global pruning", 14ULL * total);
        goto done;
    }
    for (size_t i = 0; i < spans; at += span[i++].n)
        memcpy(all + at, span[i].w, span[i].n * sizeof *all);
    dscq_mask_magnitude(mask, all, NULL, total, p, scratch);
    at = 0;
    for (size_t i = 0; i < spans; at += span[i++].n) {
        kept_at[i] = 0;
        for (size_t j = 0; j < span[i].n; j++)
            kept_at[i] += mask[at + j];
    }
done:
    dscq_free(all);
    dscq_free(mask);
    dscq_free(scratch);
    return status;
}

/* ---- lanes ---------------------------------------------------------------- */

static size_t count_ones(const uint8_t *m, size_t n)
{
    size_t c = 0;

    for (size_t i = 0; i < n; i++)
        c += m[i];
    return c;
}

size_t dscq_mask_balanced(uint8_t *mask, const float *w, const uint8_t *held, int32_t k,
                          size_t per, double p, int32_t lanes, int32_t tile,
                          void *scratch)
{
    const size_t n = (size_t)k * per;
    size_t kept = 0;

    assert(lanes >= 1 && tile >= 1);
    dscq_mask_magnitude(mask, w, held, n, p, scratch);
    for (int32_t o = 0; o < k; o += lanes) {
        const int32_t rows = k - o < lanes ? k - o : lanes;
        size_t owed = 0; /* weights the magnitude cut kept that no tile gave yet */

        for (size_t at = 0; at < per; at += (size_t)tile) {
            const size_t len = per - at < (size_t)tile ? per - at : (size_t)tile;
            size_t each;

            for (int32_t r = o; r < o + rows; r++)
                owed += count_ones(mask + (size_t)r * per + at, len);
            each = owed / (size_t)rows;
            each = each < len ? each : len;
            for (int32_t r = o; r < o + rows; r++) {
                const size_t i = (size_t)r * per + at;
                const uint8_t *allowed = held != NULL ? held + i : NULL;
                const size_t got =
                    keep_largest(mask + i, w + i, allowed, len, each, scratch);

                owed -= got < owed ? got : owed;
                kept += got;
            }
        }
    }
    return kept;
}

uint64_t dscq_mask_lane_cycles(const uint8_t *mask, int32_t k, size_t per,
                               int32_t lanes, int32_t tile)
{
    uint64_t cycles = 0;

    for (int32_t o = 0; o < k; o += lanes)
        for (size_t at = 0; at < per; at += (size_t)tile) {
            const size_t len = per - at < (size_t)tile ? per - at : (size_t)tile;
            size_t slowest = 0;

            for (int32_t r = o; r < k && r < o + lanes; r++) {
                const size_t c = count_ones(mask + (size_t)r * per + at, len);
                slowest = c > slowest ? c : slowest;
            }
            cycles += slowest;
        }
    return cycles;
}

/* ---- the histogram peak ---------------------------------------------------- */

double dscq_peak_magnitude(const float *w, const uint8_t *mask, size_t n)
{
    enum { PEAK_BINS = 128 };
    double count[PEAK_BINS] = {0.0}, top = 0.0, best = 0.0;
    int at = 0;

    for (size_t i = 0; i < n; i++)
        if (mask[i] && isfinite(w[i]))
            top = fmax(top, fabs((double)w[i]));
    if (!(top > 0.0))
        return 0.0;
    for (size_t i = 0; i < n; i++)
        if (mask[i] && isfinite(w[i]) && (w[i] > 0.0F || w[i] < 0.0F)) {
            const int b = (int)(fabs((double)w[i]) / top * PEAK_BINS);
            count[b < PEAK_BINS ? b : PEAK_BINS - 1] += 1.0;
        }
    for (int b = 1; b < PEAK_BINS; b++) {
        /* at the first bin beside zero the neighbour below is not part of the peak */
        const double smooth = count[b] + (b > 1 ? count[b - 1] : count[b]) +
                              (b + 1 < PEAK_BINS ? count[b + 1] : 0.0);
        if (smooth > best) {
            best = smooth;
            at = b;
        }
    }
    return at > 0 ? (at + 0.5) / PEAK_BINS * top : 0.0;
}
