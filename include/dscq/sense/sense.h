/*
 * sense/sense.h - how much each layer hurts: every layer alone at several pruning
 * rates, bit widths and channel fractions, everything else as it is, no retraining.
 *
 * A cell is (layer, what, value). Its result is the drop of the score against the
 * unchanged network on the same images, with a paired 95 % interval from the images
 * whose answer changed. Finished cells are kept in a journal, so that a stopped run
 * goes on where it was; a journal of another network or other images is refused.
 */
#ifndef DSCQ_SENSE_SENSE_H
#define DSCQ_SENSE_SENSE_H

#include "dscq/base/keys.h"
#include "dscq/base/log.h"
#include "dscq/base/par.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/compress/settings.h"
#include "dscq/nn/model.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_probe {
    DSCQ_PROBE_PRUNE,   /* value: fraction of the weights pruned by magnitude      */
    DSCQ_PROBE_BITS,    /* value: bits; a CLIP-Q codebook, depthwise: per channel  */
    DSCQ_PROBE_CHANNELS /* value: fraction of output channels kept, by L1 norm     */
} dscq_probe;

/* What to try on each layer. Defaults: dscq_keys_defaults(). */
typedef struct dscq_sense_params {
    dscq_list prune, bits, channels; /* values; empty: not tried                   */
    char layers[DSCQ_PATH_MAX];      /* globs; "*" all                             */
    double max_loss;                 /* of the starting recipe, sum over layers    */
    int32_t solver;                  /* 0 knapsack, 1 greedy                       */
    /* What the caller's eval does; this module does not read them. */
    int32_t images;      /* of the validation part, evenly spread; 0: all          */
    int32_t norm_images; /* batch norm measured again on so many of the training   */
                         /* part; 0: left as it is                                 */
} dscq_sense_params;

extern const dscq_key dscq_sense_keys[];

/* right[images]: 1 where the network, with the weights it uses now, answers right. m is
 * the worker's own copy; several workers call at the same time when `workers` > 1.
 * `images` is the same in every call. */
typedef dscq_status dscq_sense_eval(void *ctx, int worker, dscq_model *m,
                                    uint8_t *right, size_t images, dscq_error *err);

typedef struct dscq_sense_cell {
    int32_t node;
    dscq_probe probe;
    double value;
    int done;
    uint64_t right;        /* of all images                                        */
    uint64_t lost, gained; /* images that were right before; that are now          */
    double drop, lo, hi;   /* of the score (fraction), 95 % interval               */
    double expected;       /* drop, smoothed over all cells: sense/expect.c        */
} dscq_sense_cell;

/* What can be said about a layer without images. */
typedef struct dscq_sense_layer {
    int32_t node;
    dscq_layer_kind kind;
    size_t weights;
    double range_ratio; /* largest to smallest channel range; 1: all equal       */
    double sqnr8_layer_db, sqnr8_channel_db; /* 8-bit grid, one scale or many     */
} dscq_sense_layer;

typedef struct dscq_sense {
    size_t images, cells, layers;
    uint64_t base_right;
    dscq_sense_cell *cell; /* by layer, probe, value                            */
    dscq_sense_layer *layer;
} dscq_sense;

typedef struct dscq_sense_run {
    dscq_sense_eval *eval;
    void *ctx;
    size_t images;
    dscq_pool *pool;     /* cells side by side, one copy of the model a worker;   */
                         /* NULL: one after the other                             */
    const char *journal; /* path; NULL: none                                      */
    const char *digest;  /* what the images are, for the journal; may be NULL     */
    const dscq_log *log; /* may be NULL                                           */
} dscq_sense_run;

/* All cells. m is not changed. DSCQ_INTERRUPTED when the log says stop: the journal has
 * what was done. DSCQ_FORMAT: a journal of something else. *out owned by the caller. */
dscq_status dscq_sense_measure(dscq_sense **out, const dscq_model *m,
                               const dscq_sense_params *p, const dscq_sense_run *run,
                               dscq_error *err);
void dscq_sense_destroy(dscq_sense *s); /* NULL is fine */

/* Paired 95 % interval of the drop when `lost` of n answers went wrong and `gained`
 * came right. */
void dscq_sense_interval(double *lo, double *hi, uint64_t lost, uint64_t gained,
                         size_t images);

/* One row a cell: layer, kind, probe, value, score, drop_frac, lo_frac, hi_frac. */
dscq_status dscq_sense_table(dscq_table **out, const dscq_sense *s, const dscq_model *m,
                             dscq_error *err);
/* One row a layer: name, kind, weights, range ratio, SQNRs, the drop at the middle rate
 * and bits, and a verdict in words: leave alone (why), per channel, compress. */
dscq_status dscq_sense_verdicts(dscq_table **out, const dscq_sense *s,
                                const dscq_model *m, dscq_error *err);

/* Bits that a layer of n weights takes at rate p and b bits: the smallest of dense,
 * bitmap and gap codes, codebook included (an estimate; the packer decides). */
double dscq_sense_bits(size_t n, double p, int32_t b);
/* Expected drop of a layer at (p, b): the two probes' drops added, interpolated between
 * the values that were tried; what rises must not fall (isotonic). NaN: not measured.
 */
double dscq_sense_drop(const dscq_sense *s, int32_t node, double p, int32_t b);
/* The same from the cells' expected drops: what a choice among many settings needs, as
 * the smallest of many noisy drops is mostly luck. */
double dscq_sense_expect(const dscq_sense *s, int32_t node, double p, int32_t b);

/* Starting recipe: (p, b) for every layer that minimise the estimated size with a total
 * expected drop of at most max_loss; appended to `into` as [compress_layer] rows. */
dscq_status dscq_sense_recipe(dscq_settings *into, const dscq_sense *s,
                              const dscq_model *m, const dscq_sense_params *p,
                              dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
