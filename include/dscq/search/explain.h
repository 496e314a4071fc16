/*
 * search/explain.h - what was tried for one layer of a run, and what decided.
 *
 * Reads what sensitivity, search and compression left in a run's folder; each part may
 * be absent.
 */
#ifndef DSCQ_SEARCH_EXPLAIN_H
#define DSCQ_SEARCH_EXPLAIN_H

#include "dscq/base/keys.h"
#include "dscq/base/str.h"
#include "dscq/base/table.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_explanation {
    char layer[DSCQ_NAME_MAX]; /* its full name */
    dscq_table *cells;    /* "sensitivity": the layer's cells                         */
    dscq_table *settings; /* "settings": every (p, b) that trials gave it, with the best
                             trial of each                                            */
    dscq_table *packed; /* "packed": its row of the packed file                      */
    dscq_str decision;  /* sentences, a line each                                    */
} dscq_explanation;

/* *out: dscq_explanation_clear(), also after a failure. DSCQ_IO: the folder holds none
 * of sensitivity.json, search.json, packed.bin. `layer` is a name, or the number that a
 * name begins with ("12" for "12_convolutional"). DSCQ_ARG: no such layer, naming the
 * nearest. DSCQ_FORMAT: a damaged file. */
dscq_status dscq_flow_explain(dscq_explanation *out, const char *dir, const char *layer,
                              dscq_error *err);
/* The recipe of one trial of dir/search.json, for `compress --recipe`; appended.
 * DSCQ_ARG: there is no such trial. */
dscq_status dscq_flow_trial_recipe(dscq_str *out, const char *dir, int64_t trial,
                                   dscq_error *err);
void dscq_explanation_clear(dscq_explanation *e);

#ifdef __cplusplus
}
#endif
#endif
