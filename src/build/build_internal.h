/* build_internal.h - what the layer rows of the builder share. */
#ifndef BUILD_INTERNAL_H
#define BUILD_INTERNAL_H

#include "dscq/base/ints.h"
#include "dscq/build/build.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "dscq/qnet/limits.h"

/* Tensors that one layer can make: two of every input, a sum, a table. */
enum { BUILD_LAYER_TENSORS = 2 * DSCQ_QNODE_INPUTS + 4 };

typedef struct build_ctx {
    dscq_qmodel *m;
    const dscq_model *net;
    const dscq_build_spec *spec;
    int32_t input;   /* tensor of the network's input */
    int32_t *tensor; /* [nodes] tensor of a node's output; -1: it is a head */
    uint8_t *is_out; /* [nodes] feeds an output of the network and nothing else */
    /* Of the layer at work, by the order in which it makes its tensors. Where a factor
     * is larger than its 16 bits hold, the steps of an output of more than 8 bits are
     * finer than anything that can come of its inputs: the layer is made again with
     * wider ones, as long as 8 bits of the range are left. */
    int32_t first_tensor;
    double wider[BUILD_LAYER_TENSORS]; /* times what the edge says                 */
    double want[BUILD_LAYER_TENSORS];  /* above 1: times what it is now            */
    dscq_error *err;
} build_ctx;

/* One row a kind of layer: rows.def. Makes the nodes of model node i and sets
 * b->tensor[i]. */
typedef dscq_status build_fn(build_ctx *b, int32_t i, const dscq_node *n);

#define DSCQ_BUILD(does, fn) build_fn build__##fn;
#include "rows.def"
#undef DSCQ_BUILD

/* Tensor of input j of n. */
int32_t build__input_of(const build_ctx *b, const dscq_node *n, int32_t j);
/* The edge of node i: its own, widened where it is an output; NULL: none. */
const dscq_aquant *build__edge_of(const build_ctx *b, int32_t i, dscq_aquant *store);
dscq_status build__new_tensor(build_ctx *b, int32_t *out, const char *name,
                              dscq_shape shape, const dscq_aquant *edge);
dscq_aquant build__edge_from(const dscq_qtensor *t);
/* A node with its name, inputs and output set. */
dscq_qnode *build__new_node(build_ctx *b, dscq_qop op, const char *name,
                            const char *suffix, const int32_t *input, int32_t count,
                            int32_t output);
void build__copy_window(dscq_qnode *q, const dscq_window *w); /* strides and pads */
DSCQ_PRINTF(3, 4)
dscq_status build__refuse(const build_ctx *b, const dscq_node *n, const char *fmt, ...);

/* Clamp and leaky of `act` on the output tensor of q. 0: it must become a table. */
int build__set_act(const build_ctx *b, dscq_qnode *q, dscq_act act, double slope);
/* The tensor that the operation in front of activation `act` of node i writes:
 * the output itself, or the table's input, with *lut telling. */
dscq_status build__open_act(build_ctx *b, int32_t i, const dscq_node *n,
                            int32_t *tensor, int *lut);
/* Add the table node when there is one. */
dscq_status build__close_act(build_ctx *b, int32_t i, const dscq_node *n,
                             int32_t tensor, int lut);
/* m, r of one factor into entry k of q; one that does not fit asks for wider steps. */
dscq_status build__set_scale(build_ctx *b, const dscq_node *n, dscq_qnode *q, int32_t k,
                             double factor);
#define BUILD_FACTOR_MAX 32767.0 /* a multiplier without a shift */
/* `size` (of a factor, a bias) belongs to q and should not be above `most`. 0: the
 * layer will be made again; 1: it is not, or nothing can be done and it is to be cut.
 */
int build__fits(build_ctx *b, const dscq_qnode *q, double size, double most);

#endif
