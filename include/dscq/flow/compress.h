/*
 * flow/compress.h - the whole pipeline of `dscq compress`: train (or load), fine-tune
 * under a compression method, calibrate, pack, and measure what was packed.
 *
 * Files in the output folder, beside those of flow/train.h:
 *   tune.ckpt, tune.N.state   to continue the fine-tuning after kill -9
 *   tune_curve.csv .svg .png  of the fine-tuning
 *   settings.txt              what made the files, for --resume to compare
 *   net.cfg                   the network and its settings, usable from anywhere
 *   float.ckpt                the float network, given ones too
 *   packed.bin                the product
 *   layers.csv                a row a layer: rule, density, bits, SQNR
 *   run.json                  the run manifest, docs/run-manifest.md
 */
#ifndef DSCQ_FLOW_COMPRESS_H
#define DSCQ_FLOW_COMPRESS_H

#include "dscq/base/table.h"
#include "dscq/compress/method.h"
#include "dscq/flow/train.h"
#include "dscq/nn/eval.h"
#include "dscq/qnet/qmodel.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_compress_options {
    dscq_run_options run;
    const char *packed;  /* output file; NULL = out_dir/packed.bin             */
    const char *profile; /* "machine" or "archive"; NULL = machine             */
    uint8_t **data;      /* gets the file's bytes, for dscq_free(); NULL: not wanted */
    size_t *data_bytes;
    int no_test; /* leave the test part alone (search does)            */
    int is_part; /* of a search: the folder gets neither net.cfg nor float.ckpt */
} dscq_compress_options;

typedef struct dscq_compress_result {
    dscq_train_result train; /* zero when weights were given                     */
    double valid_float, valid_tuned; /* score on the validation part; NaN: no labels */
    double tuned_seconds;
    /* On the test part (the validation part without one): */
    uint64_t images;
    const char *split;
    double float_score, packed_score; /* top-1 fraction, or AP50                 */
    double packed_low, packed_high;   /* Wilson 95 %; classifiers                 */
    double mcnemar_p;                 /* float against packed; NAN: a detector    */
    dscq_paired change;               /* packed less float, same images           */
    int has_truth;    /* the data have labels; else the scores above are not set   */
    double agreement; /* images with equal top class; NaN: no classifier           */
    double sqnr_db;   /* of the packed outputs against the float ones; without
                         labels only, else NaN; packed_low, packed_high then belong
                         to the agreement                                          */
    uint64_t float_bytes, file_bytes;
    double values_bytes, entropy_bytes; /* of all weights: definitions A and C of
                                         * docs/methods.md section 11 */
    double sparsity;
    char packed_path[DSCQ_PATH_MAX];
    char sha256[65];
    int is_detector;
} dscq_compress_result;

/* *layers (may be NULL) gets the table of layers.csv, owned by the caller. */
dscq_status dscq_flow_compress(dscq_compress_result *out, dscq_table **layers,
                               dscq_project *p, const dscq_compress_options *o,
                               dscq_error *err);

/* How good is a packed network on one split of the project's data, executed by the
 * integer runtime. *out as dscq_flow_eval(). */
dscq_status dscq_flow_eval_packed(dscq_eval **out, dscq_project *p,
                                  const dscq_qmodel *q, dscq_split split,
                                  const dscq_run_options *o, dscq_error *err);
dscq_status dscq_flow_eval_packed_boxes(double *map_out, double *per_class,
                                        dscq_project *p, const dscq_qmodel *q,
                                        dscq_split split, dscq_ap_rule rule,
                                        const dscq_run_options *o, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
