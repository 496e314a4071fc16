/* What the files of this module share. */
#ifndef COMPRESS_INTERNAL_H
#define COMPRESS_INTERNAL_H

#include "dscq/base/ints.h"
#include "dscq/compress/levels.h"
#include "dscq/compress/method.h"

/* One node with weights. */
struct dscq_clayer {
    dscq_rule asked; /* by the settings                        */
    dscq_rule rule;  /* as the present stage understands them */
    dscq_weights *w; /* of the model */
    float *used;     /* [count] what w_used points to */
    uint8_t *mask;   /* [count] 1 = kept, as of the last step that decided it */
    uint8_t *held;   /* [count] pruned by an earlier stage: stays pruned      */
    size_t kept;     /* weights kept in the last step                         */
    dscq_wquant *q;  /* when frozen, or while a method keeps fixed levels     */
    double *scale;   /* [k] steps of the linear form between refreshes        */
    double rate;     /* pruning rate in force now (schedules)                 */
    double mark;     /* a number of the method (threshold, ...)               */
    int no_memory;   /* the last copy could not be made                        */
};

/* Scratch of one worker. */
typedef struct compress_work {
    void *clip;    /* dscq_clipq_scratch_bytes(largest) */
    float *v;      /* [largest] */
    double *score; /* [largest]: blocks */
    uint32_t *order;
} compress_work;

typedef struct compress_snapshot {
    float *data;   /* learned values of every node in turn */
    uint8_t *mask; /* masks of every layer in turn         */
    double *rate;  /* [layers]                             */
    size_t count, mask_count;
    double score;
    int valid;
} compress_snapshot;

enum { COMPRESS_STAGES = 8 };

struct dscq_compressor {
    dscq_model *model;
    dscq_settings *settings;
    dscq_pool *pool;
    dscq_exec *exec;
    dscq_clayer *layer;
    size_t layers;
    int32_t *layer_of; /* [nodes] index into layer, -1 */
    compress_work *work;
    int workers;
    size_t largest;

    const dscq_method *stage[COMPRESS_STAGES];
    double share[COMPRESS_STAGES];
    uint64_t stage_end[COMPRESS_STAGES]; /* step at which a stage is over */
    int32_t stages, at;                  /* at == -1: not started */
    uint64_t steps, steps_per_epoch, freeze_step, step, stage_begin;
    uint32_t epochs;
    int frozen, copies;
    int settled; /* frozen, and batch norm statistics stand still       */
    uint64_t settle_step;
    double t; /* progress of the stage */

    /* of scored methods (schedule.c) */
    double score0;
    compress_snapshot good, peak; /* last accepted state; best of this round */
    int32_t round, rounds_max, round_left, position, group, undone;
    double alpha, alpha_step;
    int done;  /* nothing left to try: keep the masks */
    int phase; /* of acdc (1 sparse), of deep_compression (1 clustered); -1 at first */
};

/* ---- what most methods do with a layer (layer.c) -------------------------- */

/* used = mask ? w : 0; kept is counted. */
void compress__copy_masked(dscq_clayer *l);
/* The copy in the rule's form from mask and w: linear grid (steps below 8 bits are
 * chosen again every 64 steps) or binary blocks; a codebook rule gives the masked
 * weights themselves. */
void compress__copy_form(dscq_compressor *c, dscq_clayer *l, int worker);
/* Master weights of pruned positions to zero: fixed masks stay fixed. */
void compress__zero_pruned(dscq_clayer *l);
/* Gradient of pruned weights to zero. */
void compress__mask_gradient(dscq_compressor *c, dscq_clayer *l, float *dw);
/* mask: the rate's smallest magnitudes pruned, held respected. */
void compress__mask_rate(dscq_compressor *c, dscq_clayer *l, double rate, int worker);
/* Pruning rate among the weights that an earlier stage left. */
double compress__rate_left(const dscq_clayer *l, double p);
/* Integers by the rule's form from mask and w: k-means codebook, linear, binary. */
dscq_status compress__freeze_form(dscq_compressor *c, dscq_clayer *l, int worker,
                                  dscq_error *err);
/* A codebook from real levels (in units of scale[k] when per channel, else NULL) with
 * the edges between them (NULL: midpoints). */
dscq_status compress__freeze_levels(dscq_clayer *l, const double *level, int32_t n,
                                    const double *edge, const double *scale,
                                    dscq_error *err);
/* The rule is not CLIP-Q's own business: linear or binary. */
int compress__is_plain(const dscq_clayer *l);
/* For methods of uniform codes: codebook rules become linear ones. */
void compress__all_linear(dscq_compressor *c);

/* ---- all learned values and masks, to go back to (snapshot.c) -------------- */

dscq_status compress__snapshot_take(compress_snapshot *s, const dscq_compressor *c,
                                    double score, dscq_error *err);
void compress__snapshot_restore(dscq_compressor *c, const compress_snapshot *s);
void compress__snapshot_free(compress_snapshot *s);

#endif
