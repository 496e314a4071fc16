/*
 * onnx/build.h - an ONNX file put together part by part: nodes with attributes,
 * initialisers, inputs and outputs of a graph.
 *
 * Messages of the generated packer (protobuf-c); in a build without it
 * (dscq_onnx_available() is 0) dscq_onnx_graph_write() is DSCQ_UNSUPPORTED. Want of
 * memory is remembered and said there. Every value is a map N x C x H x W.
 */
#ifndef DSCQ_ONNX_BUILD_H
#define DSCQ_ONNX_BUILD_H

#include "dscq/base/status.h"
#include "dscq/onnx/onnx.h"
#include "dscq/tensor/shape.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; freed by the last two functions below. */
typedef struct dscq_onnx_graph {
    void *message;
    int bad; /* an allocation failed */
} dscq_onnx_graph;

/* A node under way: zero-initialise, add inputs in order and attributes, then end it:
 * the graph has it, and this is the beginning of another. `output` names its last
 * output and itself. One that is not ended is freed. */
typedef struct dscq_onnx_node {
    void *message;
    int bad;
} dscq_onnx_node;
void dscq_onnx_node_input(dscq_onnx_node *node, const char *value); /* "": left out */
void dscq_onnx_node_output(dscq_onnx_node *node,
                           const char *value); /* before the last */
void dscq_onnx_node_int(dscq_onnx_node *node, const char *name, int64_t v);
void dscq_onnx_node_ints(dscq_onnx_node *node, const char *name, const int32_t *v,
                         int n);
void dscq_onnx_node_real(dscq_onnx_node *node, const char *name, double v);
void dscq_onnx_node_text(dscq_onnx_node *node, const char *name, const char *v);
void dscq_onnx_node_end(dscq_onnx_graph *g, dscq_onnx_node *node, const char *op,
                        const char *output);
void dscq_onnx_node_free(dscq_onnx_node *node);

/* Initialisers; rank 0 is a scalar (dim NULL). */
void dscq_onnx_graph_floats(dscq_onnx_graph *g, const char *name, const float *v,
                            int rank, const int64_t *dim);
/* Whole numbers of a type of 8, 32 or 64 bits. */
void dscq_onnx_graph_ints(dscq_onnx_graph *g, const char *name, dscq_onnx_type type,
                          const int64_t *v, int rank, const int64_t *dim);

/* A float input or output 1 x C x H x W of the graph. */
void dscq_onnx_graph_input(dscq_onnx_graph *g, const char *name, dscq_shape s);
void dscq_onnx_graph_output(dscq_onnx_graph *g, const char *name, dscq_shape s);

/* Opset 13, atomically, at most 2 GiB; frees the graph either way. */
dscq_status dscq_onnx_graph_write(dscq_onnx_graph *g, const char *name,
                                  const char *path, dscq_error *err);
void dscq_onnx_graph_free(dscq_onnx_graph *g);

#ifdef __cplusplus
}
#endif
#endif
