/*
 * nn/graph.h - what a network file of another program says beside the network: how its
 * outputs come out of ours, and the grids that its activations were put on.
 */
#ifndef DSCQ_NN_GRAPH_H
#define DSCQ_NN_GRAPH_H

#include "dscq/nn/model.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_GRAPH_RANK = 8, DSCQ_GRAPH_PARTS = 16 };

/* Where a graph output is found in the network: output `first` .. `first + count - 1`
 * of the parts array are model outputs (dscq_model_output) that stand one after the
 * other. `rows`: elements are in row, column, channel order as the network stores
 * them; otherwise the graph wants channel, row, column. softmax > 0: groups of so
 * many neighbouring values are turned into a softmax after that. */
typedef struct dscq_graph_output {
    const char *name; /* borrowed from the file */
    int32_t rank;
    int64_t dim[DSCQ_GRAPH_RANK]; /* as the graph says, batch first */
    int32_t count;
    int32_t part[DSCQ_GRAPH_PARTS]; /* indices for dscq_model_output() */
    int32_t rows, softmax;
} dscq_graph_output;

/* Values of an output for one image from the outputs of the network (y[j]: the
 * activated values of model output j), to[] as many as its dimensions say without
 * the batch. */
void dscq_graph_collect(float *to, const dscq_graph_output *o, const dscq_model *m,
                        const float *const *y);

/* The grid that a node's output was put on: real = scale * (code - zero), codes
 * lo..hi. */
typedef struct dscq_graph_range {
    int32_t node; /* or DSCQ_INPUT */
    double scale;
    int32_t zero, lo, hi;
} dscq_graph_range;

#ifdef __cplusplus
}
#endif
#endif
