/*
 * eval.h - the parts of `dscq eval`.
 */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "cmd.h"
#include "dscq/flow/compress.h"
#include "dscq/qnet/qmodel.h"

typedef struct eval_options {
    char weights[DSCQ_PATH_MAX], packed[DSCQ_PATH_MAX];
    char baseline[DSCQ_PATH_MAX], predictions[DSCQ_PATH_MAX], against[DSCQ_PATH_MAX];
    int32_t split, per_class, confusion, rule;
} eval_options;

/* A detector: mean average precision, float and packed (q may be NULL). */
dscq_status cli__eval_boxes(cli_call *call, const eval_options *o, dscq_project *p,
                            const dscq_qmodel *q, const dscq_run_options *ro,
                            dscq_error *err);

/* label,predicted,image of every image of the split, as CSV. */
dscq_status cli__eval_write_predictions(cli_call *call, const char *path,
                                        const dscq_eval *e, const dscq_dataset *d,
                                        dscq_split split, dscq_error *err);
/* Who is compared with whom, in words; the key of the JSON object, and one beside it
 * that gets p as well (NULL: none). */
typedef struct eval_pair {
    const char *what, *what_short, *base, *base_short, *key, *p_key;
} eval_pair;

/* Two predictions of each image of `e`: change, 95 % paired, and McNemar's p. Nothing
 * is written when no image has a label. */
void cli__eval_show_pair(cli_call *call, const eval_pair *p, const dscq_eval *e,
                         const int32_t *before, const int32_t *now);
/* McNemar's test against such a file. DSCQ_FORMAT when it is of other images. */
dscq_status cli__eval_against(cli_call *call, const char *path, const dscq_eval *e,
                              const dscq_dataset *d, dscq_split split, dscq_error *err);

#endif
