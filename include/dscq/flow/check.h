/*
 * flow/check.h - everything about a net.cfg that would go wrong later, at once.
 */
#ifndef DSCQ_FLOW_CHECK_H
#define DSCQ_FLOW_CHECK_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/data/dataset.h"
#include "dscq/data/problems.h"
#include "dscq/flow/project.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Every wrong line, key and value of the file, what is wrong with its graph, files and
 * patterns that its settings name, every picture, label and box of its data
 * (dscq_dataset_check()), and whether these fit the network. With `weights` (a
 * checkpoint or Darknet .weights) the settings and data are left alone and the question
 * is whether those weights are this network's.
 *
 * Each problem becomes a row of `to` (dscq_problems_create()). DSCQ_OK whether or not
 * there are any; *errors counts the severe ones. *seen says what pictures there were.
 * `o` may be NULL; its listener is not asked.
 */
dscq_status dscq_flow_check(dscq_table *to, size_t *errors, dscq_data_seen *seen,
                            const char *path, const char *weights,
                            const dscq_project_options *o, const dscq_log *log,
                            dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
