/*
 * nn/train.h - training: optimiser, schedule, the loop, what is kept.
 *
 * A trainer owns an engine (nn/exec.h) and the optimiser's state for one model. It
 * asks a callback for batches, so it knows nothing of data sets. Everything that
 * decides the next step is in its state: a run that is killed and resumed from its
 * checkpoint (nn/checkpoint.h) continues to the same bytes.
 *
 * A loss or gradient that is not finite ends the run with DSCQ_FORMAT; the model then
 * holds the last good snapshot (end of the last epoch, or the start).
 */
#ifndef DSCQ_NN_TRAIN_H
#define DSCQ_NN_TRAIN_H

#include "dscq/base/keys.h"
#include "dscq/base/log.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/nn/detect.h"
#include "dscq/nn/eval.h"
#include "dscq/nn/exec.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_optimiser {
    DSCQ_OPT_SGD,
    DSCQ_OPT_ADAM, /* decay is added to the gradient          */
    DSCQ_OPT_ADAMW /* decay is decoupled                      */
} dscq_optimiser;

typedef enum dscq_rate_schedule {
    DSCQ_SCHED_COSINE,
    DSCQ_SCHED_STEP,
    DSCQ_SCHED_POLY,
    DSCQ_SCHED_CONSTANT
} dscq_rate_schedule;

/* The [train] section. */
typedef struct dscq_train_params {
    int32_t epochs, batch;
    int32_t optimiser; /* dscq_optimiser */
    double learning_rate, momentum, decay, beta1, beta2, adam_eps;
    int32_t nesterov;
    int32_t schedule;                  /* dscq_rate_schedule */
    double warmup_epochs, hold_epochs; /* rise; then stay, before it falls          */
    double final_rate;                 /* fraction of learning_rate                 */
    int32_t cycles;                    /* cosine, poly: falls from the top so often */
    dscq_list steps;                   /* epochs at which the rate is multiplied ... */
    double step_scale, poly_power;     /* ... by step_scale, under any schedule      */
    double label_smoothing, clip_norm; /* clip_norm 0: off                          */
    double ema;           /* decay of the averaged weights, 0: off                   */
    double norm_momentum; /* of running statistics                                  */
    int64_t seed;
    int32_t patience;  /* early stop: epochs without a better validation; 0: off    */
    int32_t keep_best; /* end with the weights of the best validation              */
    char freeze[DSCQ_PATH_MAX]; /* glob list of layer names                      */
    char head_rate_layers[DSCQ_PATH_MAX]; /* glob list: these layers ...             */
    double head_rate;                /* ... learn at this multiple of the rate        */
    char layer_rates[DSCQ_PATH_MAX]; /* pattern:factor, ...; later ones win        */
    int32_t load;                    /* start weights: 0 by name, 1 by order       */
    char reinit_layers[DSCQ_PATH_MAX]; /* glob list: these start afresh              */
    char teacher[DSCQ_PATH_MAX];       /* weights of the teacher; "": none           */
    char teacher_net[DSCQ_PATH_MAX];   /* its cfg; "": the same network              */
    double distil_temperature, distil_weight; /* weight 0: off                     */
    double box_weight, object_weight, noobject_weight, class_weight; /* detectors  */
    char save[DSCQ_PATH_MAX]; /* checkpoint file; "": none is written               */
    int32_t save_every;       /* epochs between checkpoints                         */
    /* Not a key: the caller neither quantises outputs nor wants to see gradients
     * (no hook after_backward), so memory that these need is shared. */
    int32_t lean;
} dscq_train_params;

/* Rows for [train]; dscq_keys_defaults() gives the defaults. */
extern const dscq_key dscq_train_keys[];

/* What the data side hands in. n = 0: the epoch is over. Borrowed until the next
 * call. */
typedef struct dscq_train_batch {
    int32_t n;
    const float *x;       /* [n][h][w][c]                                     */
    const int32_t *label; /* [n]; -1: ignored by the loss                     */
    const float *teacher; /* [n][classes] logits for distillation, or NULL    */
    const float *const *teacher_map; /* detectors: its raw outputs, or NULL         */
    const dscq_truth *truth;    /* [n][max_truths]; detectors                      */
    const int32_t *truth_count; /* [n]                                          */
    int32_t max_truths;
} dscq_train_batch;

/* Batch `number` (from 0) of `epoch` (from 0): the same answer whenever asked. */
typedef dscq_status dscq_batch_fn(void *ctx, dscq_train_batch *out, uint32_t epoch,
                                  size_t number, dscq_error *err);

/* All may be NULL. */
typedef struct dscq_train_hooks {
    void *ctx;
    /* Before the forward pass: may set weights->w_used (quantise, prune). */
    dscq_status (*before_step)(void *ctx, dscq_model *m, uint64_t step,
                               dscq_error *err);
    /* After backward, before the update: may change the gradients (masks). */
    dscq_status (*after_backward)(void *ctx, dscq_model *m, dscq_exec *e, uint64_t step,
                                  dscq_error *err);
    /* After the update of the master weights. */
    dscq_status (*after_step)(void *ctx, dscq_model *m, uint64_t step, dscq_error *err);
    /* Validation after an epoch: a score to maximise into *score; DSCQ_OK. The
     * weights are the averaged ones when `ema` is on. */
    dscq_status (*validate)(void *ctx, dscq_model *m, uint32_t epoch, double *score,
                            dscq_error *err);
    /* What the hooks themselves must remember, into and out of a checkpoint. */
    dscq_status (*save)(void *ctx, dscq_checkpoint *c, dscq_error *err);
    dscq_status (*resume)(void *ctx, const dscq_checkpoint *c, dscq_error *err);
} dscq_train_hooks;

typedef struct dscq_trainer dscq_trainer;

/* Where a run stands. */
typedef struct dscq_train_state {
    uint32_t epoch; /* being trained, from 0; = epochs when finished      */
    uint64_t batch; /* next batch within it                               */
    uint64_t step;  /* updates made                                       */
    double loss_sum, top1_sum, samples; /* of this epoch so far                */
    double last_loss, rate;             /* of the last step                    */
    double best_score;
    uint32_t best_epoch, epochs_since_best;
    int32_t has_best, stopped_early;
} dscq_train_state;

/* The model is borrowed; p is copied. kernels as in nn/exec.h. */
dscq_status dscq_trainer_create(dscq_trainer **out, dscq_model *m,
                                const dscq_train_params *p, size_t batches_per_epoch,
                                dscq_pool *pool, const dscq_kernels *kernels,
                                dscq_error *err);
void dscq_trainer_destroy(dscq_trainer *t); /* NULL is fine */
void dscq_trainer_set_hooks(dscq_trainer *t, const dscq_train_hooks *h);
/* A text that its checkpoints carry ("train.record"), for the caller to compare before
 * a run goes on; borrowed, NULL: none. */
void dscq_trainer_set_record(dscq_trainer *t, const char *text);
dscq_exec *dscq_trainer_exec(dscq_trainer *t);
const dscq_train_state *dscq_trainer_state(const dscq_trainer *t);

/* What a trainer takes, in bytes, before there is one: the engine's plan, the
 * optimiser's moments and the snapshots (the last sound weights; averaged and best ones
 * as p says). Small lists are left out. Without allocating anything of that size;
 * freezing patterns of p are applied to m, as when it is created. */
typedef struct dscq_train_plan {
    dscq_exec_plan engine;
    size_t optimiser_bytes; /* moments and snapshots */
    size_t total_bytes;
} dscq_train_plan;
dscq_status dscq_trainer_dry_run(dscq_train_plan *out, dscq_model *m,
                                 const dscq_train_params *p, dscq_pool *pool,
                                 const dscq_kernels *kernels, dscq_error *err);
/* The same of a trainer: equal to its plan. */
size_t dscq_trainer_bytes(const dscq_trainer *t);
/* Learning rate at a step (updates made), warm-up included. */
double dscq_train_rate(const dscq_train_params *p, uint64_t step,
                       size_t batches_per_epoch);

/* Forward, loss, backward, update on one batch. *loss_out: mean loss. */
dscq_status dscq_trainer_step(dscq_trainer *t, const dscq_train_batch *b,
                              double *loss_out, dscq_error *err);

/* The rest of the current epoch. Reports progress and asks log->stop between
 * steps (DSCQ_INTERRUPTED after writing the checkpoint, when p.save says so). */
dscq_status dscq_trainer_epoch(dscq_trainer *t, dscq_batch_fn *fn, void *ctx,
                               const dscq_log *log, dscq_error *err);
/* For loops of one's own around dscq_trainer_epoch(): the epoch is over; counters of
 * the state move on. dscq_trainer_run() does it by itself. */
void dscq_trainer_next_epoch(dscq_trainer *t);
/* Epochs until the end or early stop; validation, best and checkpoints as the
 * params say. One call of `row` (may be NULL) after each epoch. */
typedef struct dscq_train_row {
    uint32_t epoch;
    double rate, loss, top1_frac, score; /* score NaN when not validated */
} dscq_train_row;
dscq_status dscq_trainer_run(dscq_trainer *t, dscq_batch_fn *fn, void *ctx,
                             void (*row)(void *ctx, const dscq_train_row *r),
                             void *row_ctx, const dscq_log *log, dscq_error *err);

/* Everything needed to continue, atomically; and back. */
dscq_status dscq_trainer_save(const dscq_trainer *t, const char *path, dscq_error *err);
dscq_status dscq_trainer_resume(dscq_trainer *t, const char *path, dscq_error *err);

/* Evaluation of a classifier with the weights as they are: an own engine of `batch`
 * images over all batches of "epoch" 0 of fn. Adds to *out (dscq_eval_create). */
dscq_status dscq_evaluate(dscq_eval *out, dscq_exec *e, dscq_batch_fn *fn, void *ctx,
                          const dscq_log *log, dscq_error *err);

/* ---- losses (also used alone) ------------------------------------------- */

typedef struct dscq_loss_params {
    double label_smoothing, distil_temperature, distil_weight;
} dscq_loss_params;

/* Softmax cross-entropy of [n][classes] logits, mean over the labelled images; the
 * gradient goes to grad (may be NULL). With teacher logits: (1-w)*CE + w*T^2*KL
 * (Hinton et al. 2015). Returns the sum of the losses; *counted_out images. */
double dscq_loss_softmax(float *grad, const float *logits, const int32_t *label,
                         const float *teacher, int32_t n, int32_t classes,
                         const dscq_loss_params *p, int32_t *counted_out);

#ifdef __cplusplus
}
#endif
#endif
