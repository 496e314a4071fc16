/* The graph on its way into a network. */
#ifndef ONNX_LOWER_H
#define ONNX_LOWER_H

#include "dscq/nn/layers.h"
#include "onnx_internal.h"

/* What a value of the graph is. */
typedef enum onnx_kind {
    ONNX_NONE,   /* not made yet                                               */
    ONNX_CONST,  /* in lower.konst                                             */
    ONNX_RUN,    /* a node's output                                            */
    ONNX_PARTS,  /* several nodes' outputs, one after the other, as rows        */
    ONNX_REFUSED /* depends on a refused node: silently refused too            */
} onnx_kind;

typedef struct onnx_edge {
    onnx_kind kind;
    int32_t rank;
    int64_t dim[DSCQ_ONNX_RANK]; /* as the graph sees it                      */
    int rows; /* elements are in row, column, channel order; else channel first */
    int32_t softmax;
    int32_t count, part[DSCQ_ONNX_PARTS]; /* nodes; ONNX_RUN: part[0]           */
    int64_t pad[4]; /* zeros to be added: top, left, bottom, right            */
    int is_codes;   /* whole numbers: real = scale * (code - zero)            */
    double scale;
    int32_t zero;
} onnx_edge;

typedef struct lower {
    dscq_onnx *f;
    dscq_model *m;
    onnx_edge *value;          /* [value_count]                                  */
    const onnx_tensor **konst; /* [value_count], NULL: not constant               */
    uint8_t *done;             /* [node_count]: taken up by an earlier node       */
    onnx_pool pool;
    dscq_error *err;
    int32_t index; /* of the node being lowered */
} lower;

/* What follows a node and goes into the same layer. */
typedef struct onnx_tail {
    dscq_act act;
    double slope;
    const onnx_node *norm; /* BatchNormalization                                 */
    /* [channels] constants of each channel, in front of the norm (or without one) and
     * behind it; NULL: none */
    double *scale[2], *shift[2];
    int32_t value; /* the last value: what the layer's output is called  */
} onnx_tail;

/* A map that a layer is about to make, as the graph sees it. */
typedef struct onnx_like {
    int32_t rank, axis; /* of the channels                                    */
    int64_t channels;
    int may_norm; /* the layer can have a normalisation of its own      */
} onnx_like;

dscq_status onnx__fail(const lower *l, const char *reason); /* DSCQ_UNSUPPORTED */
const onnx_tensor *onnx__const(const lower *l, const onnx_node *n, int32_t i);
/* Input i as one node's output without pending pads, or NULL. */
const onnx_edge *onnx__run(const lower *l, const onnx_node *n, int32_t i);
dscq_shape onnx__shape(const lower *l, const onnx_edge *v);
int onnx__is_map(const lower *l, const onnx_edge *v); /* N C H W, as the node has it */
int onnx__is_pixels(const lower *l, const onnx_edge *v); /* N H W C                  */
int onnx__is_vector(const lower *l, const onnx_edge *v); /* one pixel               */
/* Which axis holds the channels; -1: none does. */
int32_t onnx__channel_axis(const lower *l, const onnx_edge *v);
/* Values along the channels of v: one, or one a channel, or NULL. */
double *onnx__per_channel(lower *l, const onnx_edge *v, const onnx_tensor *t);

void onnx__set(lower *l, int32_t value, int32_t node, int32_t rank, const int64_t *dim,
               int rows);
/* Same elements under another value (and shape). */
void onnx__same(lower *l, int32_t value, const onnx_edge *v);

/* Look ahead from `value`, which a layer makes; `norm` is taken up already (or NULL).
 * like NULL: the layer has nothing that norms and constants could go into. */
onnx_tail onnx__follow(lower *l, int32_t value, const onnx_like *like,
                       const onnx_node *norm);
/* Is n, which reads t->value, one more constant a channel (or a norm as such)? Then it
 * is taken up. */
int onnx__follow_affine(lower *l, onnx_tail *t, const onnx_node *n,
                        const onnx_like *like);
/* Weights, bias (beta times `bias`, NULL: none) and norm of a layer whose kernels are
 * filled. */
void onnx__apply_affine(const dscq_weights *w, const onnx_tail *t,
                        const onnx_tensor *bias, double beta);
int onnx__is(const onnx_node *n, const char *op); /* of ONNX's own domain */
int onnx__norm_is_plain(const onnx_node *n);
/* Does an activation of several nodes begin at `value`? Then they are taken up. */
int onnx__follow_composed(lower *l, int32_t value, onnx_tail *t);
/* Just an activation node: what it is, or 0. */
int onnx__activation(const lower *l, const onnx_node *n, dscq_act *act, double *slope);

/* Add a layer with what the tail says; norm arrays are filled from it. */
dscq_status onnx__add(int32_t *node, lower *l, const onnx_node *n, const char *type,
                      const void *params, const int32_t *inputs, int32_t count,
                      const onnx_tail *tail, int has_bias);
/* When input i of n begins an activation of several nodes: a layer for it (1: *status
 * says how that went). */
int onnx__add_composed(dscq_status *status, lower *l, const onnx_node *n, int32_t i);
/* Layer on one input with output of the same shape and order. */
dscq_status onnx__add_like(lower *l, const onnx_node *n, const char *type,
                           const void *params, const onnx_edge *x);

/* The layers of rule_conv and rule_matmul; no tail given (NULL): look ahead for it. */
dscq_status onnx__conv(lower *l, const onnx_node *n, const onnx_edge *x,
                       const onnx_tensor *weight, const onnx_tensor *bias,
                       const onnx_tail *given);
dscq_status onnx__dense(lower *l, const onnx_node *n, const onnx_edge *x,
                        const onnx_tensor *weight, const onnx_tail *tail);
/* The grid a QuantizeLinear-like node puts its output on. */
typedef struct onnx_grid {
    double scale;
    int32_t zero, lo, hi; /* codes */
    int32_t type_lo, type_hi;
    int32_t value; /* behind a Clip of the codes */
    int32_t clip;  /* that node, or -1 */
} onnx_grid;

/* scale and zero point at inputs `at` and `at + 1` of n; codes are value `value`. */
int onnx__grid_read(const lower *l, const onnx_node *n, int32_t at, int32_t value,
                    onnx_grid *g);
/* What the grid's ends amount to: negative values have no code, nor have those above 6.
 * A range that ends below 6 is what calibration makes of either; relu6 is the nearer
 * one to what the graph computes. */
dscq_act onnx__grid_act(const onnx_grid *g);
/* `act`, and what the ends of the QuantizeLinear behind `value` make of it. */
dscq_act onnx__quantised_act(const lower *l, int32_t value, dscq_act act, double slope);

typedef dscq_status onnx_rule(lower *l, const onnx_node *n);
typedef enum onnx_takes {
    ONNX_REAL,  /* real values only                                 */
    ONNX_MOVES, /* codes as well, which keep their scale            */
    ONNX_CODES  /* sees to codes itself                             */
} onnx_takes;
typedef struct onnx_row {
    const char *op;
    onnx_rule *rule;
    onnx_takes takes;
} onnx_row;
/* The row of n's operator, or NULL. */
const onnx_row *onnx__rule_find(const onnx_node *n);
extern const onnx_row onnx__rows_weights[], onnx__rows_join[], onnx__rows_move[],
    onnx__rows_quant[];

#endif
