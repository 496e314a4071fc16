/* Shared by the parts of the ONNX export: one value of the graph a tensor. */
#ifndef EXPORT_INTERNAL_H
#define EXPORT_INTERNAL_H

#include "dscq/onnx/build.h"
#include "dscq/qnet/qmodel.h"
#include "dscq/tensor/act.h"

enum { EXPORT_ONNX_NAME = 96 };

typedef struct export_onnx {
    const dscq_qmodel *m;
    dscq_onnx_graph g;
    char (
        *name)[EXPORT_ONNX_NAME]; /* [tensor_count]: its real values, off the grid or on
                                   */
    int is_relu6;                 /* clamps of the network end at 6 */
    dscq_error *err;
} export_onnx;

/* Operator(s) that make value `out`, real and not yet on the output's grid. */
typedef dscq_status export_onnx_rule(export_onnx *w, const dscq_qnode *n,
                                     const char *out);

#define DSCQ_QOP(name, id, meaning, traits) export_onnx_rule export__onnx_##name;
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP

/* "<node>.<what>" */
void export__onnx_part(char *out, const char *base, const char *what);
/* A scalar constant. */
void export__onnx_scalar(dscq_onnx_graph *g, const char *name, double v);
/* out = act(in), for an activation that ONNX can spell (its row has an operator). */
void export__onnx_act(dscq_onnx_graph *g, dscq_act act, double slope, const char *in,
                      const char *out);

#endif
