/*
 * build/build.h - from a trained float network and its quantisation to the integer
 * network (qmodel.h).
 *
 * The builder folds batch norm, bias, weight and activation scales into the
 * (m, r, bias) of docs/arithmetic.md, maps every layer type to one or more integer
 * operations through a table (one row and one function a layer type, as the layers
 * themselves), puts a table node behind a convolution whose activation is not a
 * clamp, and refuses by name what it cannot express. It does no calibration and no
 * rounding of weights: what it is given is what the file computes.
 */
#ifndef DSCQ_BUILD_BUILD_H
#define DSCQ_BUILD_BUILD_H

#include "dscq/base/status.h"
#include "dscq/compress/quantize.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All pointers are borrowed. An activation (network input or a node's output) of bits 0
 * has no edge of its own: the node takes over its input's (max pooling, route of one,
 * reorg, upsample, dropout, heads); a value given there anyway is ignored unless the
 * node can rescale. */
typedef struct dscq_build_spec {
    dscq_aquant input;
    int32_t node_count;      /* = dscq_model_nodes()                      */
    const dscq_aquant *edge; /* [node_count] node outputs                 */
    /* [node_count] values before an activation that becomes a table (logistic,
     * swish, ...); at most 8 bits. NULL, or bits 0: as far as the output's codes tell
     * them apart (dscq_aquant_before), which knows nothing of the values there are. */
    const dscq_aquant *before_act;
    /* [node_count]; NULL: the node has none. Repeats and unused entries of a codebook
     * are dropped, the rest is sorted. */
    const dscq_wquant *const *weights;

    /* Optional. Preprocessing: is_image, resize, order, scale, mean, std are read;
     * tensor, mult and offset are filled by the builder. */
    const dscq_qinput *preprocess;
    const char *const *class_name;
    int32_t class_count;
    const char *meta; /* "key=value" lines, copied                          */
    /* Bits of the tensors that feed the outputs; 0: 16. When the edge given there has
     * fewer, half of the additional bits make its steps finer, half its range wider. */
    int32_t logit_bits;
    /* Written: how many times as wide the steps of an output became, because finer
     * ones than its inputs can move (16 bits behind 8) have factors that do not fit; 1:
     * as given. */
    double *wider; /* [node_count] */
} dscq_build_spec;

/* *out is owned by the caller: dscq_qmodel_destroy(); it has passed
 * dscq_qmodel_check(). DSCQ_UNSUPPORTED: a layer, activation or setting that the
 * integer form does not have, by name. DSCQ_ARG: a contradiction in the spec.
 * DSCQ_FORMAT: an accumulator that could overflow. Node and tensor names are the
 * model's; added ones "<node>.act" (a table) and, of input j of a route or a sum,
 * "<node>.<j>" (a slice; "<node>" of a route of one) and "<node>.<j>.pad". */
dscq_status dscq_build_qmodel(dscq_qmodel **out, const dscq_model *model,
                              const dscq_build_spec *spec, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
