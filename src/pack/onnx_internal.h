/* Shared by the parts of the ONNX export: one value of the graph a tensor. */
#ifndef PACK_ONNX_INTERNAL_H
#define PACK_ONNX_INTERNAL_H

#include "dscq/import/onnx_build.h"
#include "dscq/pack/qmodel.h"

enum { PACK_ONNX_NAME = 96 };

typedef struct pack_onnx {
    const dscq_qmodel *m;
    dscq_onnx_graph g;
    char (*name)[PACK_ONNX_NAME]; /* [tensor_count]: its real values, off the grid or on
                                   */
    int is_relu6;                 /* clamps of the network end at 6 */
    dscq_error *err;
} pack_onnx;

/* Operator(s) that make value `out`, real and not yet on the output's grid. */
typedef dscq_status pack_onnx_rule(pack_onnx *w, const dscq_qnode *n, const char *out);

pack_onnx_rule pack__onnx_conv, pack__onnx_add, pack__onnx_mul, pack__onnx_concat,
    pack__onnx_maxpool, pack__onnx_avgpool, pack__onnx_upsample, pack__onnx_reorg,
    pack__onnx_slice, pack__onnx_pad, pack__onnx_lut, pack__onnx_lrn,
    pack__onnx_rescale;

/* "<node>.<what>" */
void pack__onnx_part(char *out, const char *base, const char *what);
/* A scalar constant. */
void pack__onnx_scalar(pack_onnx *w, const char *name, double v);

#endif
