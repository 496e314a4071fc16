/*
 * flow_internal.h - shared inside src/flow only.
 */
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include "dscq/base/config.h"
#include "dscq/base/hash.h"
#include "dscq/base/str.h"
#include "dscq/compress/ranges.h"
#include "dscq/data/batch.h"
#include "dscq/flow/compress.h"
#include "dscq/flow/import.h"
#include "dscq/flow/project.h"
#include "dscq/flow/steps.h"
#include "dscq/flow/train.h"
#include "dscq/hw/machine.h"
#include "dscq/nn/graph.h"
#include "dscq/report/plot.h"
#include "dscq/sense/sense.h"

/* Sections of a net.cfg that are not layers. */
#define FLOW_SECTIONS                                                                  \
    "data|train|compress|compress_layer|sensitivity|search|machine|schedule"

struct dscq_project {
    char path[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX];
    dscq_config *cfg;
    dscq_model *model;
    dscq_model *origin; /* as trained, while reshape.c's network takes its place */
    dscq_train_params train;
    dscq_data_params data;
    int has_data;
    char
        unsaid[16]; /* of an imported network: "mean and std" not given; "": all said */
    int is_data_sure;        /* [data] has a type that there is */
    dscq_settings *settings; /* [compress], [compress_layer], those of the recipe */
    dscq_config *recipe;     /* NULL: none                                        */
    dscq_config *searched;   /* recipe that a search found; NULL: none            */
    dscq_sense_params sense; /* [sensitivity] */
    const dscq_project_section *section[DSCQ_PROJECT_SECTIONS]; /* of others ... */
    void *section_params[DSCQ_PROJECT_SECTIONS];                /* and what they say */
    size_t section_count;
    dscq_dataset *dataset, *calibration; /* the latter: data.calibrate, or NULL */
    char sha256[65];
    char *record[DSCQ_FLOW_STAGES]; /* settings that a stage began with; NULL: none */
};

/* DSCQ_TRY for what a listener of p->cfg may take: then it is as if all were well. */
#define FLOW_HEAR(call)                                                                \
    do {                                                                               \
        status = (call);                                                               \
        if (status != DSCQ_OK && !dscq_config_complain(p->cfg, err))                   \
            goto done;                                                                 \
        status = DSCQ_OK;                                                              \
    } while (0)

/* Key of [machine] in a net.cfg that no machine file has. */
typedef struct flow_machine_file {
    char file[DSCQ_PATH_MAX];
} flow_machine_file;
/* Bind (and so check) [machine] and [schedule] of a net.cfg. */
dscq_status flow__machine_section(flow_machine_file *file, dscq_config *cfg,
                                  dscq_error *err);

/* A warning for every key of a bound [machine] and [schedule] that moves nothing. */
void flow__warn_dead_keys(const dscq_machine *m, const dscq_config *c,
                          const dscq_log *log);

/* The file of [compress_layer] sections of dscq_project_options; before
 * flow__bind_more(), which adds them to the settings. */
dscq_status flow__load_recipe(dscq_project *p, const char *path, dscq_error *err);

/* Sections bound by the later stages, and those of other modules. */
dscq_status flow__bind_more(dscq_project *p, const dscq_project_options *o,
                            dscq_error *err);
/* The sections of other modules as options, for another project of the same run. */
dscq_project_options flow__same_sections(const dscq_project *p);
void flow__print_more(const dscq_project *p, void (*put)(void *ctx, const char *line),
                      void *ctx);

/* Weights that fine-tuning starts from: as dscq_project_load_weights(), but a layer
 * that does not fit keeps its fresh weights, with a warning. */
dscq_status flow__tuned_weights(dscq_project *p, const char *path, const dscq_log *log,
                                dscq_error *err);

/* The network as it was trained, before reshape.c changed it. */
const dscq_model *flow__trained(const dscq_project *p);
/* Number of classes the network decides between; 0 unless it is a classifier. */
int32_t flow__classes(const dscq_project *p);
/* Does the data set say what the network should answer? */
int flow__has_truth(const dscq_project *p, const dscq_dataset *d);

/* ---- feed.c: batches of a data set for a trainer ------------------------ */

typedef struct flow_feed {
    dscq_loader *loader;
    uint32_t epoch; /* what the loader will hand out next */
    size_t number;
    int started;
    dscq_truth *truth; /* [batch][max_boxes], detectors */
    int32_t *truth_count;
    int32_t max_truths;
} flow_feed;

/* flags: DSCQ_LOADER_*. Release with flow__feed_clear(), also after a failure. */
dscq_status flow__feed_init(flow_feed *f, dscq_dataset *d, dscq_split split,
                            int32_t batch, unsigned flags, uint64_t seed,
                            int32_t threads, dscq_error *err);
void flow__feed_clear(flow_feed *f);
dscq_truth flow__truth_from_box(const dscq_box *box);
/* A dscq_batch_fn; ctx is the feed. */
dscq_status flow__feed_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                             size_t number, dscq_error *err);

/* ---- teacher.c: distillation ---------------------------------------------- */

typedef struct flow_teacher {
    dscq_project *project; /* another network, or ... */
    dscq_model *own;       /* ... a copy of this one  */
    dscq_model *model;     /* whichever it is; NULL: nobody teaches */
    dscq_exec *exec;
    const float **map; /* [outputs] */
    int32_t outputs;
} flow_teacher;

/* As [train] teacher, teacher_net and distil_weight say; self_taught: without a
 * `teacher` the project's weights as they are now. Release with flow__teacher_clear().
 */
dscq_status flow__teacher_init(flow_teacher *t, dscq_project *p, int32_t batch,
                               dscq_pool *pool, const dscq_kernels *kernels,
                               int self_taught, const dscq_log *log, dscq_error *err);
void flow__teacher_clear(flow_teacher *t);
/* The teacher's answer to a batch, put beside it. */
void flow__teach(flow_teacher *t, dscq_train_batch *b);

/* Float and packed detectors are scored alike. */
#define FLOW_SCORE_FLOOR  0.005
#define FLOW_SUPPRESS_IOU 0.45
#define FLOW_MATCH_IOU    0.5
enum { FLOW_KEEP_PER_IMAGE = 100 };

/* ---- images.c: pictures without labels ----------------------------------- */

/* What calibration looks at: data.calibrate, opened once, with the preprocessing of
 * [data]; else the project's data set. Its training part. Borrowed. */
dscq_status flow__calibration_data(dscq_dataset **out, dscq_project *p,
                                   const dscq_log *log, dscq_error *err);

/* [data] with the pictures of data.calibrate as its source. */
dscq_data_params flow__calibration_params(const dscq_data_params *p);

typedef struct flow_images {
    dscq_dataset *data;
    uint32_t *index; /* [count] of the training part */
    size_t count;
    int32_t batch;
    float *x; /* [batch] */
} flow_images;

/* judge.c: `count` of `there` pictures, evenly spread; the caller's. NULL: no memory.
 */
uint32_t *flow__spread(size_t count, size_t there);
/* The calibration_images of [compress], evenly spread. Release with
 * flow__images_clear(), also after a failure. */
dscq_status flow__images_init(flow_images *f, dscq_project *p, int32_t batch,
                              const dscq_log *log, dscq_error *err);
void flow__images_clear(flow_images *f);
/* A dscq_batch_fn without labels; ctx is the flow_images. */
dscq_status flow__images_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                               size_t number, dscq_error *err);

/* ---- score.c: the number that validation maximises ---------------------- */

enum { FLOW_SCORE_BATCH = 100 }; /* images scored at a time, at most */
#define FLOW_Z95 1.96            /* of a 95 % interval */

typedef struct flow_score {
    flow_feed feed;
    dscq_exec *exec; /* evaluation engine of the model */
    int is_detector;
    int32_t images, classes;
    int strict; /* a float output that is no finite number is an error, not a miss */
    const dscq_log *log;
} flow_score;

/* DSCQ_FORMAT unless all outputs for this image are finite: sums of weights that are
 * too large for float32 would be compared with, and every comparison would fail unseen.
 */
dscq_status flow__check_outputs(const float *y, size_t count, size_t image,
                                dscq_error *err);

dscq_status flow__score_init(flow_score *s, dscq_project *p, dscq_split split,
                             dscq_pool *pool, const dscq_kernels *kernels,
                             const dscq_log *log, dscq_error *err);
/* Of the validation part, where there is one; without (data.valid_frac = 0) it says so
 * in the log, and every score is NaN. */
dscq_status flow__score_valid(flow_score *s, dscq_project *p, dscq_pool *pool,
                              const dscq_kernels *kernels, const dscq_log *log,
                              dscq_error *err);
void flow__score_clear(flow_score *s);
/* Top-1 fraction, or AP50 (area rule), of the model with the weights it uses now; NaN
 * without pictures to score. */
dscq_status flow__score_run(double *out, flow_score *s, dscq_error *err);
dscq_status flow__score_boxes(double *map_out, double *per_class, flow_score *s,
                              dscq_ap_rule rule, dscq_error *err);

/* ---- curve.c: one row an epoch, kept across --resume --------------------- */

typedef struct flow_curve {
    dscq_train_row *row;
    size_t count, cap;
    int no_memory; /* a row is lost: flow__curve_write() says so */
} flow_curve;      /* zero-initialise */

void flow__curve_clear(flow_curve *c);
/* A row for dscq_trainer_run(). */
void flow__curve_add(void *ctx, const dscq_train_row *row);
/* The rows of epochs below `epochs` of an earlier run's STEM.csv, if it is there. */
void flow__curve_load(flow_curve *c, const char *dir, const char *stem,
                      uint32_t epochs);
/* dir/stem.ending; stem: "curve" of training, "tune_curve" of fine-tuning. */
dscq_status flow__curve_path(char out[DSCQ_PATH_MAX], const char *dir, const char *stem,
                             const char *ending, dscq_error *err);
/* One line of talk; a detector has no top-1 on its training batches. */
void flow__tell_row(const dscq_log *log, const char *what, const dscq_train_row *row,
                    int32_t epochs, int is_detector, const char *more);
dscq_status flow__curve_write(const flow_curve *c, const char *dir, const char *stem,
                              const char *title, dscq_error *err);

/* STEM.svg and STEM.png. */
dscq_status flow__curve_draw(const flow_curve *c, const char *dir, const char *stem,
                             const char *title, dscq_error *err);

/* ---- reshape.c: another network than the trained one ---------------------- */

/* fold_norm and keep_channels of [compress]: the project's model is replaced, the
 * smaller one trained again (channels.ckpt to go on, small.ckpt when done, small.cfg,
 * channels.csv). */
dscq_status flow__reshape(dscq_project *p, const dscq_run_options *o, dscq_error *err);
int flow__removes_channels(const dscq_settings *s);
void flow__reshape_undo(dscq_project *p); /* the trained network again */
/* train.c: for reshape.c; learns from the larger network when [train] distils. */
dscq_status flow__train_small(dscq_project *p, const dscq_train_params *params,
                              const dscq_run_options *o, dscq_error *err);

/* ---- tune.c: fine-tuning under a compression method ----------------------- */

typedef struct flow_tune {
    dscq_project *project;
    dscq_pool *pool;
    const dscq_kernels *kernels;
    const dscq_log *log;
    const char *dir; /* "" = nothing is written */
    char save[DSCQ_PATH_MAX];
    dscq_train_params params;
    int32_t nodes;
    dscq_aquant *edge; /* [dscq_grid_count]; bits 0: not quantised */
    int has_edges;
    flow_feed feed;
    flow_score score;
    flow_curve curve;
    dscq_compressor *compressor;
    dscq_trainer *trainer;
    flow_teacher teacher;
    dscq_ranges *ranges;    /* when they learn */
    dscq_aquant *best_edge; /* of the best frozen epoch */
    dscq_model *origin; /* unquantised: what rounding and biases are compared with */
    dscq_model *best;   /* weights of the best frozen epoch */
    int has_best;
    uint32_t best_epoch;
    double best_score, final_score, epoch_loss, epoch_top1;
    uint64_t saved_step;
} flow_tune;

/* The project's model is fine-tuned in place, or, with [compress] epochs = 0,
 * compressed without training and without labels; release with flow__tune_clear(), also
 * after a failure. */
dscq_status flow__tune_init(flow_tune *t, dscq_project *p, dscq_pool *pool,
                            const dscq_kernels *kernels, const char *dir,
                            const dscq_log *log, dscq_error *err);
/* tune_state.c: written beside t->save; read back, with the trainer's. */
dscq_status flow__tune_save(flow_tune *t, dscq_error *err);
dscq_status flow__tune_load(flow_tune *t, dscq_error *err);
dscq_status flow__tune_run(flow_tune *t, int resume, double score_before,
                           dscq_error *err);
void flow__tune_clear(flow_tune *t);
/* post.c: what [compress] asks for after the freeze, from pictures alone. */
dscq_status flow__post(flow_tune *t, dscq_error *err);

/* ---- ranges.c: grids that an import wrote down ---- */

/* The fewest bits (2 to 16) that hold the codes lo..hi. */
int32_t flow__codes_bits(int64_t lo, int64_t hi);

/* ---- networks of others -------------------------------------------------- */

/* What comes with a network that is read; each may be NULL: not wanted. */
typedef struct flow_brought {
    dscq_table **refused, **ranges; /* flow/import.h                                  */
    dscq_str *settings; /* sections of a cfg that keep a quantised network as it is   */
} flow_brought;
dscq_status flow__read_tflite(dscq_model **out, flow_brought *with,
                              const dscq_import_options *o, dscq_error *err);
/* NULL when there are none. */
dscq_status flow__range_table(dscq_table **out, const dscq_graph_range *r,
                              int32_t count, const dscq_model *m, dscq_error *err);
/* dir/ranges.csv */
dscq_status flow__write_ranges(const dscq_table *t, const char *dir, dscq_error *err);
/* Put those of compress.ranges (relative to the cfg's folder; empty: none) into grid
 * [dscq_grid_count()], whose others are left, with the file's bits (at least 4).
 * DSCQ_FORMAT "file:line: ...", also where the settings say other bits of a layer. */
dscq_status flow__use_ranges(dscq_aquant *grid, const dscq_project *p,
                             const dscq_settings *s, dscq_error *err);

/* ---- agree.c: against the float network, where nobody knows the truth ----- */

typedef struct flow_agreement {
    uint64_t images, same; /* same: equal top class                         */
    int has_top1;          /* the network is a classifier                   */
    double sqnr_db;        /* of all outputs; +inf when they are equal      */
} flow_agreement;

dscq_status flow__agree(flow_agreement *out, dscq_project *p, dscq_model *origin,
                        const dscq_qmodel *q, dscq_split split,
                        const dscq_run_options *o, dscq_error *err);

/* ---- classes.c ------------------------------------------------------------ */

/* to[classes of d]: the number that each has in the packed network, by name. Where one
 * side has no names, by number, with a warning. DSCQ_FORMAT, with both lists, when the
 * names are not the same. */
dscq_status flow__match_classes(int32_t *to, const dscq_qmodel *q,
                                const dscq_dataset *d, const dscq_log *log,
                                dscq_error *err);

/* ---- packed.c ---------------------------------------------------------------- */

/* All dequantised outputs of image i of a split, one after another. */
typedef dscq_status flow_packed_sink(void *ctx, size_t i, const double *real,
                                     dscq_error *err);
/* The detector head of output o as its settings say it; DSCQ_FORMAT when the map that
 * it reads has another shape. */
dscq_status flow__head(dscq_head *out, const dscq_qmodel *q, int32_t o,
                       dscq_error *err);
/* DSCQ_UNSUPPORTED, naming the inputs, for a network that takes more than a picture. */
dscq_status flow__one_input(const dscq_qmodel *q, dscq_error *err);
/* Every image of a split through the integer runtime, in order. */
dscq_status flow__packed_each(dscq_project *p, const dscq_qmodel *q, dscq_split split,
                              const dscq_run_options *o, flow_packed_sink *sink,
                              void *ctx, dscq_error *err);

/* ---- draw.c -------------------------------------------------------------- */

typedef struct flow_drawn_box {
    double x0, y0, x1, y1, score; /* pixels of the picture */
    int32_t cls;
    const char *name;
} flow_drawn_box;
/* dir/NAME.png: the picture with its boxes; NAME as `picture`, sub-folders included. */
dscq_status flow__draw(const char *dir, const char *picture, const dscq_image *im,
                       const flow_drawn_box *box, size_t count, dscq_error *err);

/* ---- record.c: which settings made what lies in a run's folder ------------ */

/* float.ckpt is what this stage put there; is it what training ended with? */
dscq_status flow__float_done(const char *dir, dscq_flow_stage stage, dscq_error *err);
int flow__float_is_done(const char *dir);

/* ---- over.c: what a cfg says that moves nothing here ----------------------- */

void flow__over_each(const dscq_config *c, void (*say)(void *ctx, const char *text),
                     void *ctx);
void flow__over_tell(const dscq_config *c, const dscq_log *log);

/* ---- small things --------------------------------------------------------- */

/* Make out_dir; refuse when `marker` is there and neither resume nor force is set. */
dscq_status flow__prepare_dir(const dscq_run_options *o, const char *marker,
                              dscq_error *err);

#endif
