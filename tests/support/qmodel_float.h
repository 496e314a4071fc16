/* An integer network from a float one, the short way: ranges from two images of noise,
 * weights of 8 bits with a scale a channel. What the commands import and compress do
 * with data, for tests and benches that need the shapes and real arithmetic only. */
#ifndef DSCQ_TEST_QMODEL_FLOAT_H
#define DSCQ_TEST_QMODEL_FLOAT_H

#include "dscq/nn/model.h"
#include "dscq/qnet/qmodel.h"

/* *out is owned by the caller. Fails as dscq_build_qmodel() does. */
dscq_status test_qmodel_from_float(dscq_qmodel **out, dscq_model *m, dscq_error *err);
/* The same, calibrated on so many images. */
dscq_status test_qmodel_calibrated(dscq_qmodel **out, dscq_model *m, int32_t images,
                                   dscq_error *err);

/* A network file: X.onnx, X.onnx.xz (unpacked by xz to `unpacked`), X.weights with
 * X.cfg beside it, or X.cfg with fresh weights. *out is owned by the caller. */
dscq_status test_load_network(dscq_model **out, const char *path, const char *unpacked,
                              dscq_error *err);

#endif
