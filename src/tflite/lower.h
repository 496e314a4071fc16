/* The file's operators on their way into a network. */
#ifndef TFLITE_LOWER_H
#define TFLITE_LOWER_H

#include "dscq/nn/layers.h"
#include "tflite_internal.h"

/* What a tensor of the file is. */
typedef enum tfl_kind {
    TFL_NONE,   /* not made yet                                               */
    TFL_CONST,  /* its data                                                   */
    TFL_STILL,  /* made of shapes and constants: no image changes it           */
    TFL_RUN,    /* a node's output                                            */
    TFL_PARTS,  /* several nodes' outputs, one after the other, as rows        */
    TFL_REFUSED /* depends on a refused operator: silently refused too         */
} tfl_kind;

/* Elements are in row, column, channel order everywhere, whatever the dimensions. */
typedef struct tfl_edge {
    tfl_kind kind;
    int32_t rank;
    int64_t dim[DSCQ_GRAPH_RANK];
    int32_t softmax;                       /* of so many neighbours, behind it   */
    int32_t count, part[DSCQ_GRAPH_PARTS]; /* nodes; TFL_RUN: part[0]            */
    int32_t pad[4]; /* zeros to be added: top, left, bottom, right of the map    */
} tfl_edge;

typedef struct lower {
    dscq_tflite *f;
    dscq_model *m;
    tfl_edge *value;   /* [tensor_count] */
    uint8_t *done;     /* [op_count]: taken up by an earlier operator */
    int32_t *range_of; /* [node_max + 1]: 1 + index into f->range, 0: none */
    int32_t node_max;
    uint64_t room; /* weights that may still be made */
    int32_t index; /* of the operator being lowered  */
    dscq_error *err;
} lower;

/* How an operator ends: the activation it says, or that of the one behind it. */
typedef struct tfl_tail {
    dscq_act act;
    double slope;
    int clips;      /* to clip_lo..clip_lo + 1 or + 2, which is no activation of ours */
    double clip_lo; /* -1: to 1; 0: to 1                                              */
    int32_t tensor; /* what it makes in the end                                       */
} tfl_tail;

dscq_status tflite__fail(const lower *l, const char *reason); /* DSCQ_UNSUPPORTED */
void tflite__note(lower *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Input i as a constant that holds all its elements, or NULL. */
const tfl_tensor *tflite__const(const lower *l, const tfl_op *o, uint32_t i);
/* A constant of at most `cap` whole numbers; its count, -1: it is none. */
int32_t tflite__ints(const lower *l, const tfl_op *o, uint32_t i, int64_t *out,
                     int32_t cap);
/* Input i as a computed edge, several parts and pending pads included; NULL: none. */
const tfl_edge *tflite__edge(const lower *l, const tfl_op *o, uint32_t i);
/* One node's output; pads that wait become a layer first. *out is a copy. DSCQ_OK, or
 * refused with a reason. */
dscq_status tflite__run(tfl_edge *out, lower *l, const tfl_op *o, uint32_t i);

dscq_shape tflite__shape(const lower *l, const tfl_edge *v); /* of its node */
/* Is it N x H x W x C as the node has it? *turned: rows and columns are exchanged, one
 * of them being 1. */
int tflite__is_map(const lower *l, const tfl_edge *v, int *turned);
/* The same of a map without the zeros that wait to be added to it. */
int tflite__is_padded_map(const lower *l, const tfl_edge *v, int *turned);
int tflite__is_vector(const lower *l, const tfl_edge *v); /* one pixel */
int tflite__same_dims(const tfl_edge *a, const tfl_edge *b);
int64_t tflite__count(const tfl_edge *v); /* elements */
/* Negative axes count from the end; 0: out of range. */
int tflite__axis(int64_t *axis, int32_t rank);

/* Tensor `tensor` is what node `node` puts out, with those dimensions; a second grid
 * for a node becomes a layer of its own. */
dscq_status tflite__set(lower *l, const tfl_op *o, int32_t tensor, int32_t node,
                        int32_t rank, const int64_t *dim);
/* Output 0 is the same elements (and, of several parts, the same parts). */
dscq_status tflite__same(lower *l, const tfl_op *o, const tfl_edge *v);

/* The ending of o, which makes its output 0; `fused` is the option's number. */
dscq_status tflite__tail(tfl_tail *out, lower *l, const tfl_op *o, int64_t fused);
/* Is the operator an activation and nothing else? */
int tflite__activation(tfl_tail *out, const tfl_op *o);
/* What comes behind the node as the tail says; then as tflite__set(). */
dscq_status tflite__finish(lower *l, const tfl_op *o, const tfl_tail *tail,
                           int32_t node, int32_t rank, const int64_t *dim);

/* Add a layer named after the operator's output; tail NULL: no activation. */
dscq_status tflite__add(int32_t *node, lower *l, const tfl_op *o, const char *type,
                        const void *params, const int32_t *inputs, int32_t count,
                        const tfl_tail *tail, int has_bias);
/* scale * x + shift a channel (NULL: 1, 0), then an activation. */
dscq_status tflite__affine(int32_t *node, lower *l, const tfl_op *o, int32_t x,
                           const double *scale, const double *shift,
                           const tfl_tail *tail);
/* A window that passes one position of itself on: what moves, pads or cuts a map. */
dscq_status tflite__pick(int32_t *node, lower *l, const tfl_op *o, int32_t x,
                         const dscq_window *w, int32_t row, int32_t column);
/* Are the node's values never below 0? */
int tflite__is_positive(const lower *l, int32_t node);
/* Room for that many weights, or a refusal. */
dscq_status tflite__take_room(lower *l, uint64_t weights);

/* Numbers of the file for one direction of a window: 1..4096. */
dscq_status tflite__window(dscq_window *out, const lower *l, const int64_t kernel[2],
                           const int64_t stride[2], const int64_t dilation[2]);
/* Pads of the window over x: by the file's mode ("SAME" 0, "VALID" 1), and those that
 * wait. */
dscq_status tflite__pads(dscq_window *w, const lower *l, const tfl_edge *x,
                         int64_t mode);
/* Rows for columns. */
dscq_window tflite__turn(dscq_window w);

/* The network's input; what cannot be one is a row of t. */
dscq_status tflite__make_input(lower *l, dscq_table *t);
/* Rows of what cannot be expressed; the error that goes with them. */
dscq_status tflite__refusals_create(dscq_table **out, dscq_error *err);
void tflite__refuse(dscq_table *t, tfl_vec name, const char *op, int32_t version,
                    const char *reason);
void tflite__refuse_op(dscq_table *t, const lower *l,
                       const tfl_op *o); /* l->err says why */
dscq_status tflite__refused(const lower *l, const dscq_table *t);

typedef dscq_status tfl_rule(lower *l, const tfl_op *o);
typedef struct tfl_row {
    int32_t code;
    tfl_rule *rule;
} tfl_row;
tfl_rule *tflite__rule_find(int32_t code); /* NULL: there is none */

#define TFL_RULE(code, name) dscq_status tflite__rule_##name(lower *l, const tfl_op *o);
#include "rules.def"
#undef TFL_RULE

#endif
