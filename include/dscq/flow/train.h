/*
 * flow/train.h - train the network of a project on its data, evaluate it.
 *
 * Files in the output folder: train.ckpt (everything to continue after kill -9),
 * float.ckpt (the weights kept: best on the validation part unless keep_best = no),
 * curve.csv, curve.svg and curve.png, net.cfg and settings.txt (what made them). The
 * test part is not touched by training.
 */
#ifndef DSCQ_FLOW_TRAIN_H
#define DSCQ_FLOW_TRAIN_H

#include "dscq/base/table.h"
#include "dscq/flow/project.h"
#include "dscq/nn/eval.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_run_options {
    const char *out_dir; /* made when absent; "" = nothing is written       */
    const char *weights; /* start from these (dscq_project_load_weights)    */
    int as_is; /* without `weights`: start from those the project has, and compress
                  them without training first                              */
    const char *kernels; /* family, NULL = best of this CPU                 */
    int threads;         /* 0 = one per CPU                                 */
    int resume;          /* continue from out_dir, same settings            */
    int force;           /* replace what an earlier run left in out_dir     */
    const dscq_log *log; /* NULL is fine                                    */
} dscq_run_options;

typedef struct dscq_train_result {
    uint32_t epochs, best_epoch;
    double valid_score; /* top-1 fraction, or AP50 of a detector, of the kept weights */
    int stopped_early;
    size_t trained_images; /* in one epoch */
    size_t peak_bytes;     /* engine and optimiser, as planned */
    const char *kernels;
} dscq_train_result;

/* Train; the project's model then holds the kept weights. DSCQ_ARG when out_dir
 * holds another run, or a float.ckpt that no run made, and neither resume nor force is
 * set; DSCQ_FORMAT when the run there was begun with other settings, naming one;
 * DSCQ_INTERRUPTED after saving. */
dscq_status dscq_flow_train(dscq_train_result *out, dscq_project *p,
                            const dscq_run_options *o, dscq_error *err);

/* Float evaluation of a classifier on one split (the test split is opened here).
 * *out is owned by the caller: dscq_eval_destroy(). */
dscq_status dscq_flow_eval(dscq_eval **out, dscq_project *p, dscq_split split,
                           const dscq_run_options *o, dscq_error *err);

/* Float evaluation of a detector: mean average precision by rule (nn/detect.h);
 * per_class: NULL or one number a class. */
dscq_status dscq_flow_eval_boxes(double *map_out, double *per_class, dscq_project *p,
                                 dscq_split split, dscq_ap_rule rule,
                                 const dscq_run_options *o, dscq_error *err);

/* The plan before anything runs (--dry-run): the layers, and the memory of a
 * training step (equal to peak_bytes of the run), of the validation engine beside it
 * and of inference. Both tables are owned by the caller. */
dscq_status dscq_flow_plan(dscq_table **layers, dscq_table **memory, dscq_project *p,
                           const dscq_run_options *o, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
