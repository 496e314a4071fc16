/*
 * flow/import.h - networks of other people in, ours out.
 */
#ifndef DSCQ_FLOW_IMPORT_H
#define DSCQ_FLOW_IMPORT_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/import/darknet.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_import_options {
    const char *network; /* MODEL.onnx, MODEL.tflite, or a Darknet cfg          */
    const char *weights; /* the cfg's weights; else NULL                         */
    const char *dir;     /* output folder: net.cfg, float.ckpt                   */
    int force;           /* replace what the folder holds                        */
    const dscq_log *log; /* what is read over or left out; NULL: nobody hears it */
    const char *data;    /* text of a [data] section (without its heading), or NULL */
} dscq_import_options;

/* Read the network alone: network, and weights with a cfg. *ranges (may be NULL): of
 * a quantised ONNX graph or TensorFlow Lite file, the grids of its activations: layer,
 * scale, zero, lo, hi; else NULL. Others as below. */
dscq_status dscq_flow_read_network(dscq_model **out, dscq_table **refused,
                                   dscq_table **ranges, const dscq_import_options *o,
                                   dscq_error *err);

/* Read the network, write dir/net.cfg and dir/float.ckpt, on which train, compress and
 * eval work, and of a quantised one dir/ranges.csv; of a quantised TensorFlow Lite file
 * net.cfg has a [compress] section that keeps its codes. *out: the network (owned by
 * the caller; may be NULL); *refused (may be NULL): the table of nodes, or of places in
 * a cfg, that cannot be imported, all of them; or NULL. DSCQ_ARG when the folder holds
 * a net.cfg and force is not set. */
dscq_status dscq_flow_import(dscq_model **out, dscq_table **refused,
                             const dscq_import_options *o, dscq_error *err);

/* "mean and std", or the one that is not given, or "" when both are; and what is to be
 * said of it. */
const char *dscq_flow_unsaid_keys(int has_mean, int has_std);
void dscq_flow_unsaid_text(char *out, size_t cap, const char *keys);

/* Write the network for Darknet: <stem>.cfg and <stem>.weights. */
dscq_status dscq_flow_export_darknet(const dscq_model *m, const char *stem,
                                     dscq_darknet_dialect dialect, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
