/*
 * flow/sensitivity.h - how much each layer of a project's network hurts.
 *
 * Files in the output folder, beside float.ckpt of flow/train.h when it had to train:
 *   sensitivity.json            finished cells, to go on from (sense/sense.h)
 *   sensitivity.csv, verdicts.csv  a row a cell; a row a layer with a verdict
 *   sensitivity.svg, .png       the drops as a map: layers down, what was tried across
 *   recipe.cfg                  [compress_layer] sections to start from
 *
 * Classifiers only, on images of the validation part; the test part is not opened.
 */
#ifndef DSCQ_FLOW_SENSITIVITY_H
#define DSCQ_FLOW_SENSITIVITY_H

#include "dscq/base/table.h"
#include "dscq/flow/train.h"
#include "dscq/sense/sense.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_sensitivity_result {
    dscq_table *cells;          /* "sensitivity" */
    dscq_table *layers;         /* "layers"      */
    size_t images;              /* of the validation part, that were used */
    double score;               /* of the unchanged network on them */
    int has_truth;              /* else right is what the unchanged network answers */
    int over;                   /* even the mildest options lose more than max_loss */
    char recipe[DSCQ_PATH_MAX]; /* written there; "" = nowhere */
} dscq_sensitivity_result;

/* [sensitivity] of the project says what to try. recipe: file, NULL = in the output
 * folder. *out: dscq_sensitivity_clear(), also after a failure. DSCQ_INTERRUPTED: what
 * was done is in the journal; resume goes on. DSCQ_UNSUPPORTED: a detector.
 * DSCQ_FORMAT: a journal of other weights or images. */
dscq_status dscq_flow_sensitivity(dscq_sensitivity_result *out, dscq_project *p,
                                  const dscq_run_options *o, const char *recipe,
                                  dscq_error *err);
void dscq_sensitivity_clear(dscq_sensitivity_result *r);

#ifdef __cplusplus
}
#endif
#endif
