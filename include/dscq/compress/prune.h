/*
 * compress/prune.h - pruning masks: which weights of a layer stay.
 *
 * A mask has one byte a weight, 1 = kept. Where two weights are equally small the one
 * with the lower index goes first. `held` (may be NULL) is an earlier mask: what it
 * pruned stays pruned and counts towards the rate.
 */
#ifndef DSCQ_COMPRESS_PRUNE_H
#define DSCQ_COMPRESS_PRUNE_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exactly floor(p*n) weights pruned (or what held prunes already, if more). Scratch:
 * dscq_clipq_scratch_bytes(n). Returns the number kept. */
size_t dscq_mask_magnitude(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                           double p, void *scratch);
/* The `keep` largest are kept (fewer when held leaves fewer). */
size_t dscq_mask_keep(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                      size_t keep, void *scratch);
/* |w| >= threshold is kept. */
size_t dscq_mask_threshold(uint8_t *mask, const float *w, const uint8_t *held, size_t n,
                           double threshold);

/* One magnitude threshold over several arrays such that floor(p * total) weights lie
 * below it or are the first of those equal to it; kept_at[i]: how many of array i are
 * kept. p < 1. Allocates: DSCQ_NOMEM. */
typedef struct dscq_prune_span {
    const float *w;
    size_t n;
} dscq_prune_span;
dscq_status dscq_prune_global(size_t *kept_at, const dscq_prune_span *span,
                              size_t spans, double p, dscq_error *err);

/* Lane-balanced: k rows (output channels) of `per` weights. Groups of `lanes` rows run
 * side by side over tiles of `tile` consecutive weights and wait for the slowest; in
 * every tile each lane of a group keeps the same number of weights, so none waits. The
 * numbers follow what a layer-wide magnitude cut at rate p would keep there; the total
 * differs from it by less than one weight a lane. scratch as above. */
size_t dscq_mask_balanced(uint8_t *mask, const float *w, const uint8_t *held, int32_t k,
                          size_t per, double p, int32_t lanes, int32_t tile,
                          void *scratch);
/* Cycles of such a machine at one kept weight a lane and cycle: the sum over groups and
 * tiles of the fullest lane. */
uint64_t dscq_mask_lane_cycles(const uint8_t *mask, int32_t k, size_t per,
                               int32_t lanes, int32_t tile);

/* The position of the histogram peak of |w| over the weights with mask 1: 128 bins,
 * smoothed over three, the bin next to zero left out; 0 when there are none. */
double dscq_peak_magnitude(const float *w, const uint8_t *mask, size_t n);

#ifdef __cplusplus
}
#endif
#endif
