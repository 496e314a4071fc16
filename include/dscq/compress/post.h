/*
 * compress/post.h - compression without retraining: second-order pruning and rounding,
 * bias correction, batch norm re-estimation. All need a few hundred images and no
 * labels.
 *
 * `origin` is the float network before compression: the same graph, its own weights.
 */
#ifndef DSCQ_COMPRESS_POST_H
#define DSCQ_COMPRESS_POST_H

#include "dscq/base/log.h"
#include "dscq/base/par.h"
#include "dscq/base/status.h"
#include "dscq/compress/method.h"
#include "dscq/nn/train.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where images come from: batches of "epoch" 0 of next(); labels are not read. */
struct dscq_post_data {
    dscq_batch_fn *next;
    void *ctx;
    int32_t batch;  /* largest n of a batch                     */
    int32_t images; /* stop after so many; 0: all                 */
    dscq_pool *pool;
    const dscq_kernels *kernels; /* NULL: the best              */
    const dscq_log *log;         /* may be NULL                 */
};

/* Optimal Brain Quantiser: replace the integers of every layer with a linear form of at
 * most 8 bits by ones that lose less of the layer's output. Weights are pruned (rate p
 * of the rule, counts per output channel from the sorted losses of all of them) and
 * then rounded one at a time, each time the one that costs least, the others making up
 * for it (Frantar, Singh, Alistarh, NeurIPS 2022). c must be frozen. H is damped by 1 %
 * of its mean diagonal; at most 128 positions of an image are used. What an earlier
 * stage pruned is pruned first. Time: inputs per output channel cubed, times channels;
 * beyond 320 inputs in blocks of 128 columns, linear in the inputs. */
dscq_status dscq_post_obq(dscq_compressor *c, dscq_model *origin,
                          const dscq_post_data *data, dscq_error *err);

/* One layer of it, for tests and sensitivity: w[rows][cols] floats in, integers out;
 * hessian [cols][cols] = 2/n sum x x^T (both triangles), steps [rows]. p: rate over the
 * whole matrix. error: sum over rows of (w - q) H (w - q)^T / 2, may be NULL. */
dscq_status dscq_obq_layer(int16_t *value, const float *w, size_t rows, size_t cols,
                           const double *hessian, const double *step, double p,
                           int32_t bits, dscq_pool *pool, double *error,
                           dscq_error *err);

/* The same; keep[rows][cols] (NULL: all 1): weights with 0 are pruned before all
 * others and count towards p. */
dscq_status dscq_obq_masked(int16_t *value, const float *w, const uint8_t *keep,
                            size_t rows, size_t cols, const double *hessian,
                            const double *step, double p, int32_t bits, dscq_pool *pool,
                            double *error, dscq_error *err);

/* Shift biases (or batch norm means) of m, whose copies are quantised, by the mean that
 * the change of weights moves each output channel: (Wq - W) E[x] (Nagel et al., ICCV
 * 2019, section 4.2). */
dscq_status dscq_post_bias(dscq_model *m, dscq_model *origin,
                           const dscq_post_data *data, dscq_error *err);

/* Running statistics of every batch norm measured again with the weights that m uses:
 * the mean over the batches (each of at least 32 images to be of use). */
dscq_status dscq_post_norm(dscq_model *m, const dscq_post_data *data, dscq_error *err);
/* From few images the statistics themselves are noisy, what quantisation does to them
 * is not: m gets the running statistics of origin, moved by the difference of means and
 * the ratio of variances that the two show on the same images. For networks that were
 * not trained after quantisation. */
dscq_status dscq_post_norm_shift(dscq_model *m, const dscq_model *origin,
                                 const dscq_post_data *data, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
