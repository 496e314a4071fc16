/*
 * compress/method.h - compression methods, and the driver that runs them inside
 * training or without it.
 *
 * A compressor holds, for every node with weights, its rule, a pruning mask and a
 * quantised copy that `weights->w_used` points to; the full-precision master values
 * keep learning (straight-through). The life of one:
 *
 *     dscq_compressor_create(&c, model, settings, pool)
 *     dscq_compressor_start(c, epochs, steps_per_epoch, score_before)
 *     in training: the three functions below as hooks of nn/train.h;
 *                  dscq_compressor_epoch() after each validation
 *     dscq_compressor_freeze(c)      when training has not done so: fixes masks and
 *                                    codebooks (without training: all there is)
 *     dscq_compressor_wquant(c, i)   integers of node i, for the packer
 *
 * In the last part of the steps (freeze_frac) masks, codebooks and scales are fixed,
 * levels lie on the file's 8-bit grid, and weights may only change codes; up to 60
 * steps (a third of what is left) later batch norm statistics stop moving as well, and
 * the compressor is frozen: what training then evaluates is what the file computes.
 *
 * The work of a step is cut by layers, so results do not depend on threads.
 */
#ifndef DSCQ_COMPRESS_METHOD_H
#define DSCQ_COMPRESS_METHOD_H

#include "dscq/base/log.h"
#include "dscq/base/par.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/compress/quantize.h"
#include "dscq/compress/settings.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/model.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_compressor dscq_compressor;
typedef struct dscq_clayer dscq_clayer; /* a layer as methods see it; private */

enum {
    DSCQ_METHOD_PRUNES = 1,
    DSCQ_METHOD_QUANTISES = 2, /* quantises inside every step, not only at the end */
    DSCQ_METHOD_RECOVERS = 4,  /* pruned weights may return until the freeze       */
    DSCQ_METHOD_SCORED = 8     /* needs a validation score after each epoch        */
};

/* Keys of [compress] that are a method's own: rows over a struct of its own, which lies
 * in dscq_compress_params.own. Several methods may name the same keys. */
typedef struct dscq_method_keys {
    const dscq_key *rows;
    size_t bytes;      /* of the struct                                           */
    const char *after; /* key of [compress] behind which they are listed; NULL: all */
} dscq_method_keys;

typedef struct dscq_method_state dscq_method_state; /* private */
typedef struct dscq_post_data dscq_post_data;       /* compress/post.h */

enum { DSCQ_METHOD_KEYS = 2 };

/* A row of compress/methods.def. */
typedef struct dscq_method {
    const char *name;    /* as written in `method =`                              */
    const char *summary; /* one line for `dscq help methods`                      */
    const char *source;  /* paper, section; deliberate differences: docs/methods.md */
    const char *reads;   /* other keys of [compress] it reads beside p, b: "a, b" */
    unsigned flags;
    const dscq_method_keys *keys[DSCQ_METHOD_KEYS]; /* its own; NULL: no (more)    */
    /* What it remembers from step to step; NULL: nothing. Made when its stage begins,
     * zeroed; saved and loaded with the compressor's. */
    const dscq_method_state *state;

    /* Any may be NULL. Called when the stage begins. */
    dscq_status (*begin)(dscq_compressor *c, dscq_error *err);
    /* Before each step, once: decisions across layers. t: progress of the stage
     * without its frozen part, 0..1. */
    dscq_status (*step)(dscq_compressor *c, double t, dscq_error *err);
    /* Before each step, for each layer, in parallel: mask and copy. Never NULL. */
    void (*layer)(dscq_compressor *c, dscq_clayer *l, int worker);
    /* After backward, for each layer: may change its weight gradient. */
    void (*gradient)(dscq_compressor *c, dscq_clayer *l, float *dw);
    /* After validation. The method may restore an earlier state of the model. */
    dscq_status (*epoch)(dscq_compressor *c, double score, dscq_error *err);
    /* Fix mask and integers of a layer, in parallel; NULL: by the rule's form from
     * the masked weights (k-means codebook, linear or binary). */
    dscq_status (*freeze)(dscq_compressor *c, dscq_clayer *l, int worker,
                          dscq_error *err);
    /* From images, after the freeze: for the last stage alone. */
    dscq_status (*post)(dscq_compressor *c, dscq_model *origin,
                        const dscq_post_data *data, dscq_error *err);
} dscq_method;

size_t dscq_method_count(void);
const dscq_method *dscq_method_at(size_t i);
const dscq_method *dscq_method_find(const char *name); /* NULL: none such */

/* The struct of a method's own keys, inside p. */
const void *dscq_method_own(const dscq_compress_params *p,
                            const dscq_method_keys *keys);

/* The methods that `method = a, b` names, in their order. DSCQ_FORMAT: one that there
 * is not, too many, or one with a post() that is not the last. */
enum { DSCQ_STAGES = 8 };
dscq_status dscq_method_stages(const dscq_method *stage[DSCQ_STAGES], int32_t *count,
                               const char *names, dscq_error *err);

/* The model is borrowed and must outlive the compressor; settings are copied. pool
 * may be NULL. DSCQ_FORMAT: an unknown method, a pattern without a match. */
dscq_status dscq_compressor_create(dscq_compressor **out, dscq_model *m,
                                   const dscq_settings *s, dscq_pool *pool,
                                   dscq_error *err);
/* Makes the model use its master weights again. NULL is fine. */
void dscq_compressor_destroy(dscq_compressor *c);

/* Before the first step. score0: the validation score before compression. */
dscq_status dscq_compressor_start(dscq_compressor *c, uint32_t epochs,
                                  uint64_t steps_per_epoch, double score0,
                                  dscq_error *err);
/* Optional: the engine whose norm statistics stop when the freeze comes. */
void dscq_compressor_attach(dscq_compressor *c, dscq_exec *e);

/* Hooks of nn/train.h; ctx is the compressor. */
dscq_status dscq_compressor_before_step(void *ctx, dscq_model *m, uint64_t step,
                                        dscq_error *err);
dscq_status dscq_compressor_after_backward(void *ctx, dscq_model *m, dscq_exec *e,
                                           uint64_t step, dscq_error *err);
/* With the score of the epoch that ended. Call dscq_compressor_apply() before the
 * validation, so that it sees the copy of the current (or averaged) weights. */
dscq_status dscq_compressor_epoch(dscq_compressor *c, uint32_t epoch, double score,
                                  dscq_error *err);

/* Copies made again from the master weights as they are now (no step counted). */
dscq_status dscq_compressor_apply(dscq_compressor *c, dscq_error *err);
/* w_used back to the master weights, or again to the copies. */
void dscq_compressor_use(dscq_compressor *c, int copies);

/* Fix masks and codebooks now, from the master weights; no effect when frozen. */
dscq_status dscq_compressor_freeze(dscq_compressor *c, dscq_error *err);
/* Everything stands still: codebooks, masks, batch norm statistics. */
int dscq_compressor_frozen(const dscq_compressor *c);

/* Integers of node i, made from the current master weights with the frozen codebooks
 * by the last freeze, apply or finish; NULL when the node has no weights or nothing
 * is frozen. Borrowed. */
const dscq_wquant *dscq_compressor_wquant(const dscq_compressor *c, int32_t node);
/* Replace a node's integers (post-training methods); q is taken over. The compressor
 * must be frozen; the master weights become scale * value. */
dscq_status dscq_compressor_set_wquant(dscq_compressor *c, int32_t node, dscq_wquant *q,
                                       dscq_error *err);

const dscq_rule *dscq_compressor_rule(const dscq_compressor *c, int32_t node);
/* The method of the last stage. */
const dscq_method *dscq_compressor_last(const dscq_compressor *c);
const dscq_settings *dscq_compressor_settings(const dscq_compressor *c);
/* Fraction of all weights that are zero in the copies. */
double dscq_compressor_sparsity(const dscq_compressor *c);
/* Bytes of all weights by definition A (non-zero codes alone) and C (entropy of
 * positions and codes), docs/methods.md section 11. 0 before the freeze. */
dscq_status dscq_compressor_sizes(double *values_bytes_out, double *entropy_bytes_out,
                                  const dscq_compressor *c, dscq_error *err);

/* One row a layer with weights: name, kind, form, bits, weights, nonzero, density,
 * levels, scale count, values bits (A), entropy bits (C), SQNR; what was asked. */
dscq_status dscq_compressor_table(dscq_table **out, const dscq_compressor *c,
                                  dscq_error *err);
/* That table as traces (DSCQ_TRACE_COMPRESS), where they are asked for. */
dscq_status dscq_compressor_trace(const dscq_compressor *c, const dscq_log *log,
                                  dscq_error *err);

/* State for a checkpoint ("compress." entries) and back: a resumed run continues to
 * the same bytes. The compressor must have been created with the same settings and
 * started with the same numbers; starting may prune, so the model's own weights are
 * restored after that. */
dscq_status dscq_compressor_save(const dscq_compressor *c, dscq_checkpoint *to,
                                 dscq_error *err);
dscq_status dscq_compressor_load(dscq_compressor *c, const dscq_checkpoint *from,
                                 dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
