/*
 * nn/model.h - a network: a graph of layers with float32 weights.
 *
 * Nodes are stored in execution order; node 0.. are layers, every input is an
 * earlier node or the network input (DSCQ_INPUT). One section of a net.cfg makes
 * one node. A node is a layer plus, for the kinds that allow it (convolution,
 * depthwise, connected, add, concat, ...), a per-channel normalisation and an
 * activation: y = act(gamma * (z - mean) / sqrt(var + eps) + beta), or with a plain
 * bias y = act(z + bias).
 *
 * Weights layout (dscq_weights): output channel, kernel row, kernel column, input
 * channel of the group (OHWI), also for depthwise (K x R x S x 1) and connected
 * layers (out x 1 x 1 x in, the input flattened in h, w, c order).
 */
#ifndef DSCQ_NN_MODEL_H
#define DSCQ_NN_MODEL_H

#include "dscq/base/config.h"
#include "dscq/base/log.h"
#include "dscq/base/rng.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/tensor/act.h"
#include "dscq/tensor/shape.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_INPUT = -1, DSCQ_NODE_INPUTS = 16, DSCQ_NODE_NAME = 64 };

typedef struct dscq_model dscq_model;
typedef struct dscq_layer_ops dscq_layer_ops; /* nn/layer.h */

/* What a node learns. All arrays are owned by the model; NULL when absent. */
typedef struct dscq_weights {
    int32_t k, r, s, c;  /* out channels, kernel rows, columns, in per group */
    size_t count;        /* k*r*s*c; 0: the layer has no weights            */
    float *w;            /* master values, OHWI                             */
    const float *w_used; /* what forward and backward use: w, or the        */
                         /* quantised copy that a compression method set    */
    int32_t channels;    /* length of the arrays below                      */
    float *bias;         /* plain bias, when not normalised                 */
    float *gamma, *beta; /* batch norm                                      */
    float *mean, *var;   /* running statistics (not learned by gradient)    */
    double bn_eps;       /* added to var inside the root                    */
} dscq_weights;

/* How a layer slides over its input: convolution, depthwise, pooling. Pads may
 * differ on all four sides; groups == input channels means depthwise. */
typedef struct dscq_window {
    int32_t kernel_h, kernel_w, stride_h, stride_w;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t dilation_h, dilation_w, groups;
} dscq_window;

/* Read-only view of a node; borrowed from the model, valid until it changes. */
typedef struct dscq_node {
    char name[DSCQ_NODE_NAME]; /* unique; from the cfg or "<index>_<type>"   */
    const dscq_layer_ops *ops;
    const char *type;                /* ops->name                                  */
    const void *params;              /* the layer's own params struct              */
    int32_t input[DSCQ_NODE_INPUTS]; /* node indices or DSCQ_INPUT            */
    int32_t input_count;
    dscq_shape in, out; /* first input and output, n = 1              */
    dscq_window window; /* zeros for layers without one               */
    int normalised;     /* has batch norm                             */
    dscq_act act;
    double act_slope;
    dscq_weights *weights; /* never NULL; count 0 when none              */
    uint64_t macs;         /* multiply-accumulates for one image          */
    int line;              /* of its section in the cfg; 0 when imported */
    int frozen;            /* weights are not trained                    */
    double rate;           /* learning rate factor, 1                    */
} dscq_node;

/* ---- making one -------------------------------------------------------- */

/* From the [net] section and the anonymous layer sections of a parsed cfg; the
 * sections named in `not_layers` ("data|train|compress|machine") are left to
 * others. Weights are initialised from `rng` (He, fan-in); rng NULL: a plan, see
 * dscq_model_fill(). Errors carry file:line. When a listener of the cfg (base/config.h)
 * took them, the answer is DSCQ_OK and *out NULL. */
dscq_status dscq_model_from_config(dscq_model **out, dscq_config *cfg,
                                   const char *not_layers, const dscq_rng *rng,
                                   dscq_error *err);

/* A plan has shapes, counts and costs, but no array of a weight: it serves whatever
 * only plans (tables, dry runs), costs nothing that grows with its layers, and cannot
 * run. This makes the arrays, as dscq_model_from_config() does; log (may be NULL) is
 * asked whether to stop. DSCQ_NOMEM at once, naming the largest layer, when all of them
 * are more than this process may have. After a failure: still a plan, to be destroyed.
 */
dscq_status dscq_model_fill(dscq_model *m, const dscq_rng *rng, const dscq_log *log,
                            dscq_error *err);
int dscq_model_is_plan(const dscq_model *m);

/* For importers: an empty network with an input of h x w x c; then nodes. */
dscq_status dscq_model_create(dscq_model **out, const char *name, dscq_shape input,
                              dscq_error *err);

/* What every node may have beside its layer's params. Zero is a good default,
 * except bn_eps when normalised. */
typedef struct dscq_node_spec {
    const char *name; /* NULL: made up                              */
    int normalised;   /* gamma, beta, mean, var instead of bias     */
    int has_bias;     /* ignored when normalised                    */
    double bn_eps;
    dscq_act act;
    double act_slope;
} dscq_node_spec;

/* What a node was made with; the name is borrowed from it. */
dscq_node_spec dscq_node_spec_of(const dscq_node *n);

/* Append a node of layer type `type` ("convolutional"); params is a struct of
 * that layer (copied). *index_out: its index. Shapes are inferred now; a
 * contradiction is DSCQ_FORMAT naming the node. */
dscq_status dscq_model_add(int32_t *index_out, dscq_model *m, const char *type,
                           const void *params, const dscq_node_spec *spec,
                           const int32_t *inputs, int32_t input_count, dscq_error *err);
/* Declare node `index` an output (the last node is one by default). */
dscq_status dscq_model_add_output(dscq_model *m, int32_t index, dscq_error *err);

dscq_status dscq_model_clone(dscq_model **out, const dscq_model *m, dscq_error *err);
void dscq_model_destroy(dscq_model *m); /* NULL is fine */

/* ---- looking at one ---------------------------------------------------- */

const char *dscq_model_name(const dscq_model *m);
dscq_shape dscq_model_input(const dscq_model *m);
int32_t dscq_model_nodes(const dscq_model *m);
const dscq_node *dscq_model_node(const dscq_model *m, int32_t i);
int32_t dscq_model_find(const dscq_model *m, const char *name); /* -1: none */
int32_t dscq_model_outputs(const dscq_model *m);
int32_t dscq_model_output(const dscq_model *m, int32_t i); /* node index */
/* Whether a layer has batch norm, whose statistics can be measured again. */
int dscq_model_has_norm(const dscq_model *m);

/* Learned values: weights, biases, gamma and beta (not running statistics). */
uint64_t dscq_model_param_count(const dscq_model *m);
uint64_t dscq_model_macs(const dscq_model *m); /* one image */
/* Bytes of the float32 base against which ratios are quoted: weights and folded
 * biases (one a channel), batch norm folded. */
uint64_t dscq_model_float_bytes(const dscq_model *m);

/* One row a node: index, name, type, kernel, stride, in, out, params, macs. */
dscq_status dscq_model_table(dscq_table **out, const dscq_model *m, dscq_error *err);

/* Scale and shift that batch norm (or bias) amounts to at inference:
 * y = act(scale[k] * conv + shift[k]); both `channels` long, caller's arrays. */
void dscq_node_fold(const dscq_node *n, float *scale, float *shift);
/* Whether the integer form of the node's activation is a table, and so has a grid of
 * its own in front of it. */
int dscq_node_has_table(const dscq_node *n);

/* ---- weights files ------------------------------------------------------ */

/* Can this network be computed at all? NaN, infinity, a variance below 0 (or 0, with
 * nothing added to it): DSCQ_FORMAT naming the layer, the array and the first number.
 * Every reader of weights asks; a checkpoint by itself (nn/checkpoint.h). */
dscq_status dscq_model_check_weights(const dscq_model *m, dscq_error *err);

/* Freeze (or thaw) all nodes whose name matches a comma-separated glob list. */
int32_t dscq_model_freeze(dscq_model *m, const char *patterns, int frozen);
/* Every pattern of the list must match a layer with weights: else DSCQ_FORMAT, naming
 * `key` and the pattern. */
dscq_status dscq_model_check_patterns(const dscq_model *m, const char *key,
                                      const char *patterns, dscq_error *err);
/* Weights of the matching layers from a network of the same graph (a clone). */
int32_t dscq_model_copy_layers(dscq_model *to, const dscq_model *from,
                               const char *patterns);
/* Per-node learning rate factors: nodes matching get factor (default 1). */
int32_t dscq_model_rate(dscq_model *m, const char *patterns, double factor);

#ifdef __cplusplus
}
#endif
#endif
