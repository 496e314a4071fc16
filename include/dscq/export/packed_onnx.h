/*
 * export/packed_onnx.h - the integer network as an ONNX file.
 */
#ifndef DSCQ_EXPORT_PACKED_ONNX_H
#define DSCQ_EXPORT_PACKED_ONNX_H

#include "dscq/base/status.h"
#include "dscq/qnet/qmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An ONNX file, opset 13: float operators, weights as whole numbers behind a
 * DequantizeLinear (one scale a channel), activations of up to 8 bits between
 * QuantizeLinear and DequantizeLinear; wider ones stay real. Input and outputs are real
 * maps 1 x C x H x W, as after preprocessing. It computes what the file does but for
 * the last step of a rounding. DSCQ_UNSUPPORTED, by layer: constants of an lrn table
 * that are none of the usual ones. Atomic. */
dscq_status dscq_export_packed_onnx(const char *path, const dscq_qmodel *m,
                                    dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
