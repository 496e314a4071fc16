/*
 * export/float_onnx.h - a network as an ONNX file: opset 13, float32, plain operators
 * (Conv, BatchNormalization, Gemm, Add, Concat, ...), input "input" 1 x C x H x W.
 *
 * Weights are those the network uses (w_used): a compression method's snapped values
 * when it has set them, so that any runtime can confirm the compressed accuracy.
 */
#ifndef DSCQ_EXPORT_FLOAT_ONNX_H
#define DSCQ_EXPORT_FLOAT_ONNX_H

#include "dscq/base/status.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Atomically. DSCQ_UNSUPPORTED for a layer that has no operator, by name. */
dscq_status dscq_export_float_onnx(const dscq_model *m, const char *path,
                                   dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
