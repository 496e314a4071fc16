/* The graph on its way into a network. */
#ifndef DSCQ_ONNX_LOWER_H
#define DSCQ_ONNX_LOWER_H

#include "dscq/nn/layers.h"
#include "onnx_internal.h"

/* What a value of the graph is. */
typedef enum lw_kind {
    LW_NONE,   /* not made yet                                               */
    LW_CONST,  /* in lower.konst                                             */
    LW_RUN,    /* a node's output                                            */
    LW_PARTS,  /* several nodes' outputs, one after the other, as rows        */
    LW_REFUSED /* depends on a refused node: silently refused too            */
} lw_kind;

typedef struct lw_value {
    lw_kind kind;
    int32_t rank;
    int64_t dim[DSCQ_ONNX_RANK]; /* as the graph sees it                      */
    int rows; /* elements are in row, column, channel order; else channel first */
    int32_t softmax;
    int32_t count, part[DSCQ_ONNX_PARTS]; /* nodes; LW_RUN: part[0]           */
    int64_t pad[4]; /* zeros to be added: top, left, bottom, right            */
    int is_codes;   /* whole numbers: real = scale * (code - zero)            */
    double scale;
    int32_t zero;
} lw_value;

typedef struct lower {
    dscq_onnx *f;
    dscq_model *m;
    lw_value *value;         /* [value_count]                                  */
    const ox_tensor **konst; /* [value_count], NULL: not constant               */
    uint8_t *done;           /* [node_count]: taken up by an earlier node       */
    ox_pool pool;
    dscq_error *err;
    int32_t index; /* of the node being lowered */
} lower;

/* What follows a node and goes into the same layer. */
typedef struct lw_tail {
    dscq_act act;
    double slope;
    const ox_node *norm; /* BatchNormalization                                 */
    /* [channels] constants of each channel, in front of the norm (or without one) and
     * behind it; NULL: none */
    double *scale[2], *shift[2];
    int32_t value; /* the last value: what the layer's output is called  */
} lw_tail;

/* A map that a layer is about to make, as the graph sees it. */
typedef struct lw_like {
    int32_t rank, axis; /* of the channels                                    */
    int64_t channels;
    int may_norm; /* the layer can have a normalisation of its own      */
} lw_like;

dscq_status lw_fail(const lower *l, const char *reason); /* DSCQ_UNSUPPORTED */
const ox_tensor *lw_const(const lower *l, const ox_node *n, int32_t i);
/* Input i as one node's output without pending pads, or NULL. */
const lw_value *lw_run(const lower *l, const ox_node *n, int32_t i);
dscq_shape lw_shape(const lower *l, const lw_value *v);
int lw_is_map(const lower *l, const lw_value *v);    /* N C H W, as the node has it */
int lw_is_pixels(const lower *l, const lw_value *v); /* N H W C                  */
int lw_is_vector(const lower *l, const lw_value *v); /* one pixel               */
/* Which axis holds the channels; -1: none does. */
int32_t lw_channel_axis(const lower *l, const lw_value *v);
/* Values along the channels of v: one, or one a channel, or NULL. */
double *lw_per_channel(lower *l, const lw_value *v, const ox_tensor *t);

void lw_set(lower *l, int32_t value, int32_t node, int32_t rank, const int64_t *dim,
            int rows);
/* Same elements under another value (and shape). */
void lw_same(lower *l, int32_t value, const lw_value *v);

/* Look ahead from `value`, which a layer makes; `norm` is taken up already (or NULL).
 * like NULL: the layer has nothing that norms and constants could go into. */
lw_tail lw_follow(lower *l, int32_t value, const lw_like *like, const ox_node *norm);
/* Is n, which reads t->value, one more constant a channel (or a norm as such)? Then it
 * is taken up. */
int lw_follow_affine(lower *l, lw_tail *t, const ox_node *n, const lw_like *like);
/* Weights, bias (beta times `bias`, NULL: none) and norm of a layer whose kernels are
 * filled. */
void lw_apply_affine(const dscq_weights *w, const lw_tail *t, const ox_tensor *bias,
                     double beta);
int lw_is(const ox_node *n, const char *op); /* of ONNX's own domain */
int lw_norm_is_plain(const ox_node *n);
/* Does an activation of several nodes begin at `value`? Then they are taken up. */
int lw_follow_composed(lower *l, int32_t value, lw_tail *t);
/* Just an activation node: what it is, or 0. */
int lw_activation(const lower *l, const ox_node *n, dscq_act *act, double *slope);

/* Add a layer with what the tail says; norm arrays are filled from it. */
dscq_status lw_add(int32_t *node, lower *l, const ox_node *n, const char *type,
                   const void *params, const int32_t *inputs, int32_t count,
                   const lw_tail *tail, int has_bias);
/* When input i of n begins an activation of several nodes: a layer for it (1: *status
 * says how that went). */
int lw_add_composed(dscq_status *status, lower *l, const ox_node *n, int32_t i);
/* Layer on one input with output of the same shape and order. */
dscq_status lw_add_like(lower *l, const ox_node *n, const char *type,
                        const void *params, const lw_value *x);

/* The layers of rule_conv and rule_matmul; no tail given (NULL): look ahead for it. */
dscq_status lw_conv(lower *l, const ox_node *n, const lw_value *x,
                    const ox_tensor *weight, const ox_tensor *bias,
                    const lw_tail *given);
dscq_status lw_dense(lower *l, const ox_node *n, const lw_value *x,
                     const ox_tensor *weight, const lw_tail *tail);
/* `act`, and what the ends of the QuantizeLinear behind `value` make of it. */
dscq_act lw_quantised_act(const lower *l, int32_t value, dscq_act act, double slope);

typedef dscq_status lw_rule(lower *l, const ox_node *n);
typedef enum lw_takes {
    LW_REAL,  /* real values only                                 */
    LW_MOVES, /* codes as well, which keep their scale            */
    LW_CODES  /* sees to codes itself                             */
} lw_takes;
typedef struct lw_row {
    const char *op;
    lw_rule *rule;
    lw_takes takes;
} lw_row;
extern const lw_row lw_rows_weights[], lw_rows_join[], lw_rows_move[], lw_rows_quant[];

#endif
