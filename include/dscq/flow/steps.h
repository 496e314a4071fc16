/*
 * flow/steps.h - the steps that compression is made of, for modules that run them many
 * times over (search/): a run's folder and its record, the float network, pictures that
 * judge, sensitivity, calibration, assembly. Commands call flow/compress.h and
 * flow/train.h, which are made of the same steps.
 */
#ifndef DSCQ_FLOW_STEPS_H
#define DSCQ_FLOW_STEPS_H

#include "dscq/base/hash.h"
#include "dscq/base/par.h"
#include "dscq/base/str.h"
#include "dscq/base/table.h"
#include "dscq/compress/calibrate.h"
#include "dscq/compress/method.h"
#include "dscq/compress/settings.h"
#include "dscq/data/dataset.h"
#include "dscq/flow/project.h"
#include "dscq/flow/run.h"
#include "dscq/flow/train.h"
#include "dscq/nn/exec.h"
#include "dscq/qnet/qmodel.h"
#include "dscq/report/plot.h"
#include "dscq/sense/sense.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a run's folder ---- */

/* What a run's folder gets, one after the other: record.c. */
typedef enum dscq_flow_stage {
    DSCQ_FLOW_TRAINED,    /* the float network                     */
    DSCQ_FLOW_SENSED,     /* the table of sensitivity              */
    DSCQ_FLOW_SEARCHED,   /* trials and finalists                  */
    DSCQ_FLOW_COMPRESSED, /* the smaller network, fine-tuning, packed.bin */
    DSCQ_FLOW_STAGES
} dscq_flow_stage;

/* A stage begins in o->out_dir: refuses the folder of a finished run (DSCQ_ARG) unless
 * resume or force is set; with resume, DSCQ_FORMAT when a setting that decides the
 * result is another than the one it was begun with, naming both; else states of an
 * earlier run are removed and the settings written down. `more`: further lines
 * "key=value\n", or NULL. Nothing when out_dir is "". */
dscq_status dscq_flow_begin(dscq_project *p, const dscq_run_options *o,
                            dscq_flow_stage stage, const char *more, dscq_error *err);
/* The stage of training, when this run has one: before anything else begins. */
dscq_status dscq_flow_begin_float(dscq_project *p, const dscq_run_options *o,
                                  dscq_error *err);
/* o->out_dir/float.ckpt holds the weights that the run starts from, wherever they came
 * from. DSCQ_ARG: there are others, and force is not set. */
dscq_status dscq_flow_keep_float(const dscq_project *p, const dscq_run_options *o,
                                 dscq_flow_stage stage, dscq_error *err);
/* The lines of a stage: every setting that decides what it makes, and digests of data,
 * weights and files. */
dscq_status dscq_flow_record_text(dscq_str *to, dscq_project *p,
                                  const dscq_run_options *o, dscq_flow_stage stage,
                                  dscq_error *err);
/* "section.key=value" for every row that may not change; all: for every one. */
void dscq_flow_record_keys(dscq_str *to, const char *section, const void *params,
                           const dscq_key *keys, int all);

/* net_cfg.c: o->out_dir/net.cfg, unless one of somebody else is there. */
dscq_status dscq_flow_write_net_cfg(const dscq_project *p, const dscq_run_options *o,
                                    dscq_error *err);
dscq_status dscq_flow_write_csv(const dscq_table *t, const char *dir, const char *name,
                                dscq_error *err);
/* dir/stem.svg and dir/stem.png. */
dscq_status dscq_flow_write_picture(const dscq_picture *picture, const char *dir,
                                    const char *stem, dscq_error *err);

/* Folders of a search's finalists: finalist-N. */
#define DSCQ_FLOW_FINALIST "finalist-"

/* ---- the float network ---- */

/* The float network of a project: from given weights, an earlier run's float.ckpt
 * (resume), or training (then *out says how it went). is_tuned: it is trained further
 * before anybody measures it, so given weights need not fit every layer. */
dscq_status dscq_flow_float_network(dscq_train_result *out, dscq_project *p,
                                    const dscq_run_options *o, int is_tuned,
                                    dscq_error *err);
/* Names and values of all arrays. */
void dscq_flow_digest_network(dscq_sha256 *h, const dscq_model *m);

/* The pool and kernel family that a run was asked to use. */
dscq_status dscq_flow_pool(dscq_pool **pool, const dscq_kernels **kernels,
                           const dscq_run_options *o, dscq_error *err);

/* ---- some pictures of a part, and which of them a network gets right ---- */

enum { DSCQ_FLOW_JUDGE_BATCH = 100 };

/* A fixed, evenly spread choice of images; several threads may read it. */
typedef struct dscq_flow_pick {
    dscq_dataset *dataset;
    dscq_split split;
    uint32_t *index; /* [count] */
    int32_t *answer; /* [count], what is right; NULL: the data's labels */
    size_t count;
} dscq_flow_pick;
/* want 0: all. DSCQ_FORMAT when the part is empty. */
dscq_status dscq_flow_pick_init(dscq_flow_pick *pick, dscq_project *p, dscq_split split,
                                size_t want, const dscq_log *log, dscq_error *err);
void dscq_flow_pick_clear(dscq_flow_pick *pick);
/* Where the data have no labels, right is what the unchanged network m answers: scores
 * become agreement with it. DSCQ_UNSUPPORTED when it is no classifier. Does nothing
 * when there are labels. */
dscq_status dscq_flow_pick_answers(dscq_flow_pick *pick, dscq_project *p, dscq_model *m,
                                   dscq_pool *pool, const dscq_kernels *kernels,
                                   dscq_error *err);

/* Batches of a choice, in its order, for one thread; zero-initialise. */
typedef struct dscq_flow_pick_feed {
    const dscq_flow_pick *pick;
    int32_t batch;
    float *x;       /* [batch][h][w][c] */
    int32_t *label; /* [batch] */
} dscq_flow_pick_feed;
dscq_status dscq_flow_pick_feed_init(dscq_flow_pick_feed *f, const dscq_flow_pick *pick,
                                     int32_t batch, dscq_error *err);
void dscq_flow_pick_feed_clear(dscq_flow_pick_feed *f);
/* A dscq_batch_fn; ctx is the feed; the epoch makes no difference. */
dscq_status dscq_flow_pick_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                                 size_t number, dscq_error *err);
/* right[pick->count]: 1 where the largest logit of a classifier is the answer's. The
 * engine's batch is at least the feed's. */
dscq_status dscq_flow_judge(uint8_t *right, dscq_exec *e, dscq_flow_pick_feed *f,
                            dscq_error *err);

/* ---- sensitivity and recipes ---- */

#define DSCQ_FLOW_SENSE_JOURNAL "sensitivity.json"
/* Every cell of [sensitivity] for the project's model as it is; the journal is in
 * o->out_dir. *out is owned by the caller. */
dscq_status dscq_flow_sense(dscq_sense **out, dscq_project *p, dscq_pool *pool,
                            const dscq_kernels *kernels, const dscq_run_options *o,
                            dscq_error *err);
/* "match, p, b" of the rows from `first` on, as a file that --recipe reads. */
dscq_status dscq_flow_recipe_write(const dscq_settings *s, size_t first,
                                   const char *about, const char *path,
                                   dscq_error *err);

/* ---- from weights in use to the integer network ---- */

/* Grids of the input, of every node's output and in front of its table with the weights
 * in use, from images of the training part, by the rule of [compress] and its ranges.
 * grid: [dscq_grid_count()]. */
dscq_status dscq_flow_calibrate(dscq_aquant *grid, dscq_project *p,
                                const dscq_compressor *c, dscq_pool *pool,
                                const dscq_kernels *kernels, const dscq_log *log,
                                dscq_error *err);

/* Set every grid with bits != 0 as fake quantisation. grid: [dscq_grid_count()]. */
dscq_status dscq_flow_quantise_edges(dscq_exec *e, const dscq_aquant *grid,
                                     int32_t nodes, dscq_error *err);

typedef struct dscq_flow_parts {
    const dscq_model *model;
    const dscq_compressor *compressor; /* frozen */
    const dscq_aquant *edge;           /* [dscq_grid_count] */
    const dscq_preproc *preproc;       /* NULL: the input is not an image */
    dscq_dataset *dataset;             /* class names; NULL: none */
    int32_t class_count, logit_bits;
    const char *meta;
    const dscq_log *log; /* NULL: says nothing */
} dscq_flow_parts;
dscq_status dscq_flow_assemble(dscq_qmodel **out, const dscq_flow_parts *parts,
                               dscq_error *err);
/* How many seconds fine-tuning and its evaluations take: a few steps are measured on a
 * copy of the network, nothing is kept. 0 without fine-tuning. */
dscq_status dscq_flow_tune_seconds(double *out, dscq_project *p, dscq_pool *pool,
                                   const dscq_kernels *kernels, double (*now)(void),
                                   dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
