/*
 * flow/anchors.h - shapes for a detector's heads from the boxes of its training part.
 */
#ifndef DSCQ_FLOW_ANCHORS_H
#define DSCQ_FLOW_ANCHORS_H

#include "dscq/base/table.h"
#include "dscq/flow/project.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_ANCHORS_MAX = 48 };

/*
 * k-means over width and height with 1 - overlap (of boxes with one centre) as distance
 * (Redmon and Farhadi 2017, section 2), started from boxes spread evenly over the
 * sorted areas, so that nothing is drawn. *out, owned by the caller: one row an anchor
 * by rising area: index, width, height (pixels of the input), boxes, overlap_frac (mean
 * over its boxes). *mean_out: mean overlap over all boxes. DSCQ_ARG for a count outside
 * 1 to 48, DSCQ_FORMAT when the training part has fewer boxes than that.
 */
dscq_status dscq_flow_anchors(dscq_table **out, double *mean_out, dscq_project *p,
                              int32_t count, const dscq_log *log, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
