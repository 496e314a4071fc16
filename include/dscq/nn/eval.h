/*
 * nn/eval.h - how good is a classifier, with honest statistics.
 *
 * Wilson 1927 score interval; McNemar 1947 (exact binomial below 25 discordant
 * pairs, else chi-square with continuity correction, Edwards 1948).
 */
#ifndef DSCQ_NN_EVAL_H
#define DSCQ_NN_EVAL_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_eval dscq_eval;

dscq_status dscq_eval_create(dscq_eval **out, int32_t classes, dscq_error *err);
void dscq_eval_destroy(dscq_eval *e); /* NULL is fine */

/* n rows of scores (logits or probabilities of the same order; logits for the
 * loss). The class is the largest score, the lower index on a tie. label -1 is
 * counted as unlabelled and otherwise left out. */
dscq_status dscq_eval_add(dscq_eval *e, const float *logits, const int32_t *label,
                          int32_t n, dscq_error *err);

uint64_t dscq_eval_count(const dscq_eval *e); /* labelled images */
uint64_t dscq_eval_top1(const dscq_eval *e);  /* correct ones    */
uint64_t dscq_eval_top5(const dscq_eval *e);  /* among the best min(5, classes) */
/* Labelled images of which a logit is NaN or infinite: neither right nor in the loss.
 */
uint64_t dscq_eval_unsound(const dscq_eval *e);
double dscq_eval_top1_frac(const dscq_eval *e); /* 0 when empty   */
double dscq_eval_top5_frac(const dscq_eval *e);
double dscq_eval_loss(const dscq_eval *e); /* mean cross-entropy */
/* confusion[truth * classes + predicted], borrowed. */
const uint64_t *dscq_eval_confusion(const dscq_eval *e, int32_t *classes);
/* Predicted class of every image added, in order; *count_out of them, borrowed. */
const int32_t *dscq_eval_predictions(const dscq_eval *e, size_t *count_out);
const int32_t *dscq_eval_labels(const dscq_eval *e, size_t *count_out);

/* One row a class: class, name, images, correct, recall_frac, precision_frac,
 * f1_frac. names may be NULL. */
dscq_status dscq_eval_per_class(dscq_table **out, const dscq_eval *e,
                                const char *const *names, dscq_error *err);
/* One row a true class, one column a predicted one. */
dscq_status dscq_eval_confusion_table(dscq_table **out, const dscq_eval *e,
                                      const char *const *names, dscq_error *err);

/* z = 1.96 for 95 %. 0, 1 when total = 0. */
void dscq_wilson(uint64_t good, uint64_t total, double z, double *lo, double *hi);

typedef struct dscq_mcnemar {
    uint64_t both, only_a, only_b, neither; /* right answers */
    int exact;                              /* binomial test */
    double statistic;                       /* chi-square; 0 when exact */
    double p;                               /* two-sided */
} dscq_mcnemar;
/* Two predictions of the same images. Images with label -1 are left out. */
dscq_mcnemar dscq_mcnemar_test(const int32_t *a, const int32_t *b, const int32_t *label,
                               size_t n);

/* By how much more of the same n images a second network is right than a first one:
 * (gained - lost) / n, where the first alone was right on `lost`, the second alone on
 * `gained`; with its 95 % interval (Agresti, Categorical Data Analysis, 2013, section
 * 11.1, with one image more in the variance, so that an unchanged answer has a width).
 * Fractions in -1..1; n >= 1. Example: lost 30, gained 10, n 1000: -0.02,
 * -0.0325..-0.0075. */
typedef struct dscq_paired {
    double change, low, high;
} dscq_paired;
dscq_paired dscq_paired_change(uint64_t lost, uint64_t gained, uint64_t n);

#ifdef __cplusplus
}
#endif
#endif
