/*
 * compress/levels.h - from a list of weights to the values they share: the cores of
 * CLIP-Q, k-means, uniform and binary quantisation, without any model around them.
 *
 * All are deterministic, never allocate unless said, and treat a NaN as pruned.
 */
#ifndef DSCQ_COMPRESS_LEVELS_H
#define DSCQ_COMPRESS_LEVELS_H

#include "dscq/base/status.h"
#include "dscq/compress/quantize.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- CLIP-Q (Tung and Mori, CVPR 2018; docs/methods.md) ------------------ */

/* How the axis is cut into intervals: by length, or by weighted entropy. */
typedef enum dscq_partition { DSCQ_PART_WIDTH, DSCQ_PART_ENTROPY } dscq_partition;

typedef struct dscq_clip {
    float c_pos, c_neg; /* kept: w >= c_pos or w <= c_neg; a side without      */
                        /* weights: +inf, -inf                                 */
    size_t positive, negative, kept; /* weights above 0, below 0, kept             */
    int32_t kp, kn;      /* intervals of each side; 0: a side without weights   */
    int32_t level_count; /* levels of intervals that are not empty, ascending   */
    double level[DSCQ_CODEBOOK_MAX]; /* mean of the full-precision weights         */
    double edge[DSCQ_CODEBOOK_MAX];  /* between level[i] and level[i + 1]          */
} dscq_clip;

/* Of every function here and in prune.h that asks for scratch, 64-byte aligned. */
size_t dscq_clipq_scratch_bytes(size_t n);

/* Clip the fraction p of each side, cut the rest into 2^b - 1 intervals shared between
 * the sides by length, give every interval the mean of its weights. used[n] (may be
 * NULL): the mean where a weight is kept, 0 where it is clipped. mask[n] (may be NULL):
 * 1 = kept. 0 <= p < 1, 2 <= b <= 8. scratch: 64-byte aligned. Exact quantiles: one
 * histogram pass over the float bits, then selection inside the boundary bin. */
void dscq_clipq(dscq_clip *out, float *used, uint8_t *mask, const float *w, size_t n,
                double p, int32_t b, dscq_partition rule, void *scratch);

/* The smallest |w| of rank `rank` (from 0) among the weights of one sign (+1, -1) or
 * both (0), zeros left out; its magnitude. rank below their number. Scratch as above.
 */
float dscq_rank_magnitude(const float *w, size_t n, int sign, size_t rank,
                          void *scratch);

/* ---- k-means (Han et al., ICLR 2016, section 3) -------------------------- */

/* Lloyd's algorithm on the weights with mask 1 (NULL: all), k centroids, first spread
 * evenly from the smallest to the largest; a centroid that loses all weights stays.
 * level[0..return) ascending, only those with weights; at most `rounds` rounds.
 * Allocates 20 bytes a weight: -1 when there is no memory. */
int32_t dscq_kmeans(double *level, int32_t k, const float *w, const uint8_t *mask,
                    size_t n, int32_t rounds);

/* ---- uniform ------------------------------------------------------------- */

/* Step of a symmetric b-bit grid (|value| <= 2^(b-1) - 1) for weights with mask 1: b =
 * 8 or more: the largest magnitude reaches the end, unless (8 bits) the weights are
 * whole multiples of a larger step already; below: the step with the smallest squared
 * error among 48 fractions of that. 1e-8 when all are zero. */
double dscq_linear_step(const float *w, const uint8_t *mask, size_t n, int32_t b);

/* The step of which all weights with mask 1 are whole multiples, as float32 has them,
 * the largest being lo..hi of them; 0: there is none. Of a network that was quantised
 * before, its codes. */
double dscq_lattice_step(const float *w, const uint8_t *mask, size_t n, int32_t lo,
                         int32_t hi);

/* ---- binary with 8-bit blocks (after Nguyen et al., TCSVT 2021; docs/methods.md) - */

/* Fill level, block_high and scale of a binary q for w: the high_frac of all blocks
 * with the largest squared error of w ~ mean|w| * sign(w) get 8 bits, level is mean |w|
 * over what stays binary. Values are left to dscq_wquant_assign(). order: scratch for
 * q->block_count entries of double and uint32_t. */
void dscq_binary_fit(dscq_wquant *q, const float *w, double high_frac, double *score,
                     uint32_t *order);
/* Weights per block when 0 is asked: the kernel window, or 16 for 1 x 1. */
int32_t dscq_binary_block(const dscq_weights *w, int32_t asked);

#ifdef __cplusplus
}
#endif
#endif
