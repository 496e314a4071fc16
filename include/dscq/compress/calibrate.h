/*
 * compress/calibrate.h - ranges of activations, from what a network puts out for a few
 * hundred images.
 *
 * An observer hangs on an engine (dscq_observer_watch) and keeps one histogram per edge
 * (the network input, every node's activated output, and what is in front of every
 * activation that is a table in the integer form). 2048 bins cover what was
 * seen; a value beyond them doubles the covered range and pairs of bins merge, so one
 * pass is enough and the result does not depend on how images were batched. Evaluate
 * with the weights that will be used (the quantised copies).
 */
#ifndef DSCQ_COMPRESS_CALIBRATE_H
#define DSCQ_COMPRESS_CALIBRATE_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/compress/quantize.h"
#include "dscq/compress/settings.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/model.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_HIST_BINS = 2048 };

/* Magnitudes of one edge: side 0 values >= 0, side 1 below 0; bin i of a side covers
 * [i, i+1) * top / BINS. top is a power of two. Also per channel extremes, for range
 * ratios. */
typedef struct dscq_hist {
    double top;    /* 0: only zeros so far                             */
    double lo, hi; /* extremes, 0 included                             */
    uint64_t total, zeros;
    uint64_t count[2][DSCQ_HIST_BINS];
    double sum, sum_sq; /* of the values                                    */
} dscq_hist;

/* Add n values; NaNs are left out, infinities count as the largest float. */
void dscq_hist_add(dscq_hist *h, const float *x, size_t n);

/* [lo, hi] by a rule, 0 inside. percent: dscq_compress_params.percentile. bits: of the
 * codes (KL and MSE depend on it).
 *   minmax      everything seen
 *   percentile  the smallest range with `percent` of the values that are not 0 inside,
 *               an equal part cut from each side that has values
 *   kl          clipping that keeps the quantised distribution nearest to the measured
 *               one (Migacz, GTC 2017: smallest Kullback-Leibler divergence)
 *   mse         clipping with the smallest squared error, each end on its own */
void dscq_hist_range(double *lo, double *hi, const dscq_hist *h, dscq_calibration rule,
                     double percent, int32_t bits);
/* Mean squared error of the histogram's values on a grid. */
double dscq_hist_error(const dscq_hist *h, const dscq_aquant *a);

/* The grid in front of an activation whose table ends on the grid `out`, for values of
 * h: the ends with the smallest squared error of the output's codes. The rule gives the
 * widest range (mse: all that was seen); an end comes in from there only over values
 * that the output follows at less than half speed (the flat ends of a tanh, the
 * negative side of a swish) or that lie beyond its grid, and by mse over a fifth of the
 * rest. bits: 4 to 8. */
dscq_aquant dscq_hist_before(const dscq_hist *h, dscq_act act, double slope,
                             const dscq_aquant *out, dscq_calibration rule,
                             double percent, int32_t bits);
/* The same without values: as far as the output's codes change, but not beyond the
 * larger end of its range and 8. */
dscq_aquant dscq_aquant_before(dscq_act act, double slope, const dscq_aquant *out,
                               int32_t bits);

typedef struct dscq_observer dscq_observer;

/* One histogram for the input and each node, and one in front of each table. */
dscq_status dscq_observer_create(dscq_observer **out, const dscq_model *m,
                                 dscq_error *err);
void dscq_observer_destroy(dscq_observer *o); /* NULL is fine */
/* From now on o sees every EVAL pass of e; o NULL: nobody does. */
void dscq_observer_watch(dscq_observer *o, dscq_exec *e);
const dscq_model *dscq_observer_model(const dscq_observer *o);
/* For dscq_exec_observe(e, dscq_observer_see, o): outputs alone. */
void dscq_observer_see(void *ctx, int32_t node, const float *y, dscq_shape shape);
/* Histogram of a node (DSCQ_INPUT: of the input); borrowed. */
const dscq_hist *dscq_observer_hist(const dscq_observer *o, int32_t node);
/* Of what is in front of its activation; NULL: that is no table. */
const dscq_hist *dscq_observer_hist_before(const dscq_observer *o, int32_t node);
/* Largest ratio between the ranges of two channels of a node's output (1: all equal;
 * dead channels left out). A large one says that one scale for all will hurt. */
double dscq_observer_range_ratio(const dscq_observer *o, int32_t node);

/* The node whose codes node i has: itself, or the one whose values it only moves (or
 * DSCQ_INPUT). */
int32_t dscq_calibrate_source(const dscq_model *m, int32_t node);

/* Whether the codes of `node` (a source, or DSCQ_INPUT) are those of an output of the
 * network that no layer computes with: these may have the bits of logit_b. A map that
 * is an output and feeds a layer as well has an activation's, which the lanes take. */
int dscq_calibrate_is_logits(const dscq_model *m, int32_t node);

/* The quantised edges of a whole network. */
typedef struct dscq_calibrated {
    int32_t nodes;
    dscq_aquant input;
    dscq_aquant *edge;   /* [nodes] */
    dscq_aquant *before; /* [nodes] in front of an activation that is a table; bits 0:
                            there is none, or the input's codes are the table's     */
} dscq_calibrated;

/* By the settings: bits and rule per edge. Signed codes; an edge that is never negative
 * gets the lowest code as zero point and so uses all of them. Outputs of the network
 * are never clipped (min-max; twice that where no layer reads them). A node that only
 * moves values, or takes the maximum, has its input's grid. In front of a table there
 * are 8 bits (dscq_hist_before), and a node that an [activation] section alone reads
 * has the grid that this one wants. An edge on which only zeros were seen gets a scale
 * that suits its neighbours. given: dscq_grid_count() grids that stand (bits 0: none),
 * or NULL. *out owned by the caller. */
dscq_status dscq_calibrate(dscq_calibrated **out, const dscq_observer *o,
                           const dscq_settings *s, const dscq_aquant *given,
                           dscq_error *err);
void dscq_calibrated_destroy(dscq_calibrated *c); /* NULL is fine */

/* All grids of a network in one array: the input's, then [1 + i] those of the nodes'
 * outputs, then [dscq_grid_before()] those in front of their tables. */
static inline size_t dscq_grid_count(int32_t nodes)
{
    return 1 + 2 * (size_t)nodes;
}
static inline size_t dscq_grid_before(int32_t nodes, int32_t node)
{
    return 1 + (size_t)nodes + (size_t)node;
}
void dscq_calibrated_copy(dscq_aquant *to, const dscq_calibrated *c);
/* Fake quantisation of every edge in an engine, or (NULL) of none. */
dscq_status dscq_calibrated_use(const dscq_calibrated *c, dscq_exec *e,
                                dscq_error *err);
/* One row an edge: layer ("NAME.pre": in front of its activation), bits, lo, hi, scale,
 * zero point, clipped part, SQNR, range ratio (of outputs). */
dscq_status dscq_calibrated_table(dscq_table **out, const dscq_calibrated *c,
                                  const dscq_observer *o, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
