/*
 * onnx/onnx.h - ONNX files: read, turned into a network, or evaluated as they are.
 *
 * dscq_onnx_to_model() canonicalises the graph (constant sub-graphs folded; Pad,
 * BatchNormalization, Clip, composed activations merged; NCHW to NHWC and OHWI) into a
 * dscq_model. dscq_onnx_run() evaluates the graph operator by operator in double
 * precision, rounded to each tensor's own type: slow, obvious, and independent of the
 * network, so that either is a check of the other.
 *
 * Source of the format: onnx.proto (IR version 8) and the operator definitions of
 * opsets 1 to 17, github.com/onnx/onnx, docs/Operators.md and Changelog.md.
 *
 * The bytes are hostile: file size, nesting, number of nodes, every dimension product
 * and every index are bounded; DSCQ_FORMAT says what is wrong.
 */
#ifndef DSCQ_ONNX_ONNX_H
#define DSCQ_ONNX_ONNX_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/nn/graph.h"
#include "dscq/nn/model.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_ONNX_RANK = DSCQ_GRAPH_RANK };

/* TensorProto.DataType, those that are understood. */
typedef enum dscq_onnx_type {
    DSCQ_ONNX_NONE = 0,
    DSCQ_ONNX_FLOAT = 1,
    DSCQ_ONNX_UINT8 = 2,
    DSCQ_ONNX_INT8 = 3,
    DSCQ_ONNX_UINT16 = 4,
    DSCQ_ONNX_INT16 = 5,
    DSCQ_ONNX_INT32 = 6,
    DSCQ_ONNX_INT64 = 7,
    DSCQ_ONNX_BOOL = 9,
    DSCQ_ONNX_FLOAT16 = 10,
    DSCQ_ONNX_DOUBLE = 11,
    DSCQ_ONNX_UINT32 = 12,
    DSCQ_ONNX_UINT64 = 13
} dscq_onnx_type;

/* A dense tensor, last dimension fastest; values of every type are held as double
 * (64-bit integers beyond 2^53 lose their last digits). */
typedef struct dscq_onnx_tensor {
    int32_t type; /* dscq_onnx_type */
    int32_t rank; /* 0: a scalar    */
    int64_t dim[DSCQ_ONNX_RANK];
    size_t count;
    double *v; /* [count] */
} dscq_onnx_tensor;

/* A parsed file. */
typedef struct dscq_onnx dscq_onnx;

/* 1: this build reads ONNX; 0: it was built without (everything below then is
 * DSCQ_UNSUPPORTED and says how to get it). */
int dscq_onnx_available(void);

/* Parse. `name` stands in messages. External data files are not followed:
 * DSCQ_UNSUPPORTED. Owned by the caller: dscq_onnx_close(). */
dscq_status dscq_onnx_parse(dscq_onnx **out, const uint8_t *data, size_t bytes,
                            const char *name, dscq_error *err);
dscq_status dscq_onnx_load(dscq_onnx **out, const char *path, dscq_error *err);
void dscq_onnx_close(dscq_onnx *f); /* NULL is fine */

int64_t dscq_onnx_opset(const dscq_onnx *f);
int32_t dscq_onnx_inputs(const dscq_onnx *f); /* without initialisers */
int32_t dscq_onnx_outputs(const dscq_onnx *f);
const char *dscq_onnx_input_name(const dscq_onnx *f, int32_t i);
const char *dscq_onnx_output_name(const dscq_onnx *f, int32_t i);

/* ---- as a network -------------------------------------------------------------- */

/* How an output of the graph is found in the network. */
enum { DSCQ_ONNX_PARTS = DSCQ_GRAPH_PARTS };
typedef dscq_graph_output dscq_onnx_output;

/* The network, for one image at a time (a fixed batch size in the file does not
 * matter). Input: the only graph input that is not an initialiser, 1 x C x H x W, or
 * N x F. When nodes cannot be expressed: DSCQ_UNSUPPORTED, and *refused (may be NULL)
 * holds all of them, one row each: name, op, opset, reason; the caller destroys it. */
dscq_status dscq_onnx_to_model(dscq_model **out, dscq_table **refused, dscq_onnx *f,
                               dscq_error *err);
/* Whom dscq_onnx_to_model() tells what becomes of each node (DSCQ_TRACE_ONNX);
 * borrowed, NULL: nobody. */
void dscq_onnx_listen(dscq_onnx *f, const dscq_log *log);

/* After dscq_onnx_to_model of a quantised graph: the grids that activations were put
 * on, one a network node at most. The network itself is float, with the weights that
 * the codes stand for. */
typedef dscq_graph_range dscq_onnx_range;
const dscq_onnx_range *dscq_onnx_ranges(const dscq_onnx *f, int32_t *count);

/* After dscq_onnx_to_model: how output i of the graph comes out of the network. */
const dscq_onnx_output *dscq_onnx_model_output(const dscq_onnx *f, int32_t i);
/* Values of output i for one image from the outputs of the network (y[j]: the
 * activated values of model output j), to[] as many as its dimensions say without
 * the batch. */
void dscq_onnx_collect(float *to, const dscq_onnx *f, const dscq_model *m, int32_t i,
                       const float *const *y);

/* ---- operator by operator ------------------------------------------------------- */

/* Evaluate with the given inputs (in the order of dscq_onnx_input_name; NULL: take
 * the default when it is an initialiser too). Outputs are borrowed from the file
 * until the next run or close. Operators that are not there: DSCQ_UNSUPPORTED with
 * *refused as above. */
dscq_status dscq_onnx_run(const dscq_onnx_tensor **outputs, dscq_table **refused,
                          dscq_onnx *f, const dscq_onnx_tensor *const *inputs,
                          int32_t input_count, dscq_error *err);

/* A TensorProto file (test data). Free with dscq_onnx_tensor_free(). */
dscq_status dscq_onnx_tensor_load(dscq_onnx_tensor **out, const char *path,
                                  dscq_error *err);
void dscq_onnx_tensor_free(dscq_onnx_tensor *t); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
