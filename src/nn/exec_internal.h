/* The engine's insides, shared by exec_*.c. */
#ifndef NN_EXEC_INTERNAL_H
#define NN_EXEC_INTERNAL_H

#include "dscq/nn/exec.h"
#include "nn_internal.h"

/* A buffer that is needed during steps [first, last]. */
typedef struct nn_buffer {
    size_t floats;
    int32_t first, last;
    size_t at; /* out: offset in floats */
} nn_buffer;

/* Offsets such that buffers needed at the same time do not overlap: largest first, at
 * the lowest place that is free. Returns the floats of the whole block, or SIZE_MAX
 * without memory for the bookkeeping. */
size_t nn__plan_buffers(nn_buffer *b, size_t count);

enum { NN_NONE = -2 }; /* no such node */

typedef struct exec_node {
    int is_view;                 /* nothing is computed: the root's output is taken */
    int32_t root;                /* itself, or whose output this is                 */
    int32_t x[DSCQ_NODE_INPUTS]; /* inputs, views resolved                          */
    int learns;                  /* own weights are trained                         */
    int needs_grad;              /* something at or before it is                    */
    int reached;                 /* an output depends on it                         */
    int is_output;               /* root of an output                               */
    int32_t last_consumer;       /* lowest reached consumer: the last in backward   */
    int32_t uses;                /* how often others read it                        */
    int forward_only;            /* z is not kept for the backward pass             */
    int32_t z_buf, g_buf, state_buf; /* indices of buffers, -1: none               */
    int32_t dw_buf;                  /* gradient that is handed over, -1: none     */
    float *z, *g;
    void *state;
    float *a, *b;       /* how to read z in training                       */
    double *mean, *inv; /* of the batch, or running                        */
    float *coef[3];
    float *packed, *packed_back;
    int32_t pack_buf[2]; /* buffers of those, -1: own room, or none        */
    dscq_grads grads;
    float *fold_a, *fold_b; /* inference                                       */
    int has_quant, has_before;
    dscq_fake_quant quant, before; /* of the output; in front of a table   */
    double range_grad;  /* dL/dscale of quant, when ranges learn            */
    double before_grad; /* ... of before                                   */
    double forward_s, backward_s;
    int started;    /* backward: g holds something                     */
    int batch_norm; /* this pass: statistics of the batch              */
} exec_node;

struct dscq_exec {
    dscq_model *m;
    dscq_exec_options o;
    const dscq_kernels *k;
    dscq_exec_plan plan;
    exec_node *node;
    int32_t count;
    nn_buffer *buffer;
    int32_t buffers;

    float *activations, *weights, *work; /* the three blocks */
    size_t activation_floats, weight_floats, work_floats;

    int32_t outputs;
    int32_t *output_root;
    int32_t *output_buf; /* training: activated copy */
    float **output_y;

    dscq_arena *scratch;
    size_t scratch_floats; /* of one thread */
    float *dw_part;
    double *sums;
    size_t sum_doubles;
    float *pack_scratch;
    size_t pack_scratch_floats;

    /* of the last pass */
    dscq_pass pass;
    const float *x;
    int32_t n;
    dscq_rng rng;
    int has_rng;

    int packed_for_eval; /* what the packed weights hold */
    int stale;
    double norm_momentum;
    int norm_frozen;
    int learn_ranges;
    double range_part[2][DSCQ_NODE_INPUTS][DSCQ_SUM_GROUPS]; /* quant, before */
    int input_quantised;
    dscq_fake_quant input_quant;
    dscq_observe_fn *observe, *observe_before;
    void *observe_ctx, *before_ctx;
    dscq_gradients_fn *on_gradients;
    void *gradients_ctx;
    double (*now)(void);
};

static inline unsigned nn__view_flags(const dscq_exec *e)
{
    return DSCQ_LAYER_VIEW | (e->o.training ? 0u : (unsigned)DSCQ_LAYER_VIEW_EVAL);
}

/* exec_lifetimes.c: buffers of all maps, and where they lie. Large weights are packed
 * in training when their turn comes, into a buffer that others use before and after;
 * their gradients may lie in one, too. */
dscq_status nn__exec_plan_activations(dscq_exec *e, dscq_error *err);
int nn__exec_wants_packed(const dscq_exec *e, int32_t i, int back);
int nn__exec_is_large(const dscq_exec *e, int32_t i);

void nn__exec_edge(dscq_edge *out, const dscq_exec *e, int32_t node);
dscq_layer_io nn__exec_io(const dscq_exec *e, int32_t i, dscq_edge *x);
void nn__exec_pack(dscq_exec *e);
/* Node i's weights, when its packed copy lies in a buffer: before that pass over it. */
void nn__exec_pack_node(dscq_exec *e, int32_t i, int back);

#endif
