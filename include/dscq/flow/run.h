/*
 * flow/run.h - hand pictures to a packed network and get answers for people.
 */
#ifndef DSCQ_FLOW_RUN_H
#define DSCQ_FLOW_RUN_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/data/image.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The preprocessing that the file carries, as data/image.h knows it. DSCQ_UNSUPPORTED
 * when the network has several inputs, or its one is no image of 1 or 3 channels. */
dscq_status dscq_flow_preproc(dscq_preproc *out, const dscq_qmodel *q, dscq_error *err);

/* Codes of input 0 from height x width x channels bytes at the network's size, in RGB
 * order; pixels are changed when the network wants BGR. */
void dscq_flow_codes(void *codes, const dscq_qmodel *q, uint8_t *pixels);

/* The classes of a classifier by their logits, likeliest first, the lower index on a
 * tie, with their probabilities (softmax). logit is used up; next() is asked `count`
 * times at most. */
typedef struct dscq_ranking {
    double *logit;
    int32_t count;
    double top, sum;
} dscq_ranking;
dscq_ranking dscq_ranking_begin(double *logit, int32_t count);
int32_t dscq_ranking_next(dscq_ranking *r, double *probability);

typedef struct dscq_answer_options {
    int top;          /* classes to list per picture, >= 1       */
    double threshold; /* smallest score of a box                 */
    const char *draw; /* detectors: folder for DRAW/NAME.png, the pictures with their
                       * boxes; NULL or "": none */
    int threads;      /* 0 = one per CPU                         */
    const dscq_log *log;
} dscq_answer_options;

/*
 * Run every picture; a folder stands for the pictures in it and in its sub-folders
 * (data/pictures.h), in the order of their names. *out, owned by the caller, has for a
 * classifier one row a listed class: image, rank, class, name, probability_frac; for a
 * detector one row a box: image, class, name, score_frac, left, top, right, bottom
 * (pixels of the picture); for a network that ends in other maps one row an output:
 * image, output, rows, columns, channels, least, mean, most. A picture that cannot be
 * read costs its own answer only: *out holds those of the others, and the status
 * (DSCQ_IO, DSCQ_FORMAT, DSCQ_UNSUPPORTED) and the message are of the first that could
 * not; the log names the rest. After any other failure *out is NULL.
 */
dscq_status dscq_flow_answer(dscq_table **out, const dscq_qmodel *q,
                             const char *const *path, size_t count,
                             const dscq_answer_options *o, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
