/* Shared inside the module: the graph as read, and the calls of operators. */
#ifndef DSCQ_ONNX_INTERNAL_H
#define DSCQ_ONNX_INTERNAL_H

#include "dscq/import/onnx.h"

typedef dscq_onnx_tensor ox_tensor;

/* Memory that is released all at once, with a bound on what a file can ask for. */
typedef struct ox_pool {
    void *blocks;
    size_t used, limit; /* bytes */
    int no_memory; /* an allocation failed: whatever came of it counts for nothing */
} ox_pool;

void *ox_take(ox_pool *p, size_t count, size_t size); /* zeroed; NULL: no room */
char *ox_copy_text(ox_pool *p, const char *text, size_t bytes);
void ox_release(ox_pool *p);
/* What a step that took from the pool returns instead of `status`: DSCQ_NOMEM when
 * memory was short, however the step took that. */
dscq_status ox_pool_status(const ox_pool *p, dscq_status status, const char *name,
                           dscq_error *err);

typedef struct ox_attr {
    const char *name;
    int32_t type; /* AttributeProto.AttributeType */
    int64_t i;
    double f;
    const char *s;
    size_t ints, floats;
    int64_t *int_v;
    double *float_v;
    ox_tensor *t;
} ox_attr;

typedef struct ox_node {
    const char *name, *op, *domain;
    int32_t *in, *out; /* values; -1: left out */
    int32_t in_count, out_count, attr_count;
    ox_attr *attr;
    int has_graph; /* holds a sub-graph */
} ox_node;

typedef struct ox_value {
    const char *name;
    ox_tensor *init;   /* constant                                   */
    int32_t producer;  /* node, -1: none                             */
    int32_t consumers; /* uses by nodes                              */
    int32_t consumer;  /* the last of them                           */
    int is_input, is_output;
    int32_t type, rank;          /* declared; rank -1: unknown                 */
    int64_t dim[DSCQ_ONNX_RANK]; /* -1: unknown                        */
} ox_value;

struct dscq_onnx {
    ox_pool pool, run; /* the graph; values of the last run */
    char name[DSCQ_NODE_NAME * 2];
    int64_t opset;
    ox_value *value;
    int32_t value_count;
    ox_node *node;
    int32_t node_count;
    int32_t *input, *output; /* values */
    int32_t input_count, output_count;
    dscq_onnx_output *model_output; /* [output_count] after to_model */
    dscq_onnx_range *range;         /* after to_model; in the pool   */
    int32_t range_count;
};

const ox_attr *ox_attr_find(const ox_node *n, const char *name);
int64_t ox_attr_int(const ox_node *n, const char *name, int64_t otherwise);
double ox_attr_real(const ox_node *n, const char *name, double otherwise);
const char *ox_attr_text(const ox_node *n, const char *name, const char *otherwise);

/* ---- tensors ------------------------------------------------------------ */

/* NULL when a dimension is negative, the product too large, or memory short. */
ox_tensor *ox_new(ox_pool *p, int32_t type, int32_t rank, const int64_t *dim);
int ox_is_float(int32_t type);
/* Product of dim[from .. to). */
int64_t ox_product(const int64_t *dim, int32_t from, int32_t to);
/* As many values as `from` has, in their order. */
void ox_copy_values(ox_tensor *to, const ox_tensor *from);
/* v as a value of that type: float rounded, integers wrapped or (saturate) clamped. */
double ox_round_to(int32_t type, double v, int saturate);
double ox_half_to_even(double v);

/* ---- operators ---------------------------------------------------------- */

enum { OX_OUTPUTS = 64 };

typedef struct ox_call {
    ox_pool *pool;
    const ox_node *node;
    int64_t opset;
    const ox_tensor *const *in; /* [in_count], NULL: left out */
    int32_t in_count;
    ox_tensor *out[OX_OUTPUTS];
    dscq_error *err;
} ox_call;

typedef dscq_status ox_op(ox_call *c);

typedef struct ox_op_row {
    const char *name;
    ox_op *run;
    int32_t in_min;
    int is_light; /* may be folded when all inputs are constant */
} ox_op_row;

const ox_op_row *ox_op_find(const char *domain, const char *op);
/* Evaluate one node; DSCQ_UNSUPPORTED for an operator or form that is not there. */
dscq_status ox_eval(ox_call *c);
int ox_can_fold(const ox_node *n);

extern const ox_op_row ox_ops_point[], ox_ops_shape[], ox_ops_window[], ox_ops_matrix[],
    ox_ops_reduce[], ox_ops_resize[], ox_ops_index[],
    ox_ops_more[]; /* end: name NULL */

/* Input i, or NULL. */
const ox_tensor *ox_in(const ox_call *c, int32_t i);
/* Output 0 of that type and shape; fails with DSCQ_FORMAT or DSCQ_NOMEM. */
dscq_status ox_out(ox_call *c, int32_t i, int32_t type, int32_t rank,
                   const int64_t *dim);
dscq_status ox_bad(ox_call *c, const char *what);         /* DSCQ_FORMAT */
dscq_status ox_unsupported(ox_call *c, const char *what); /* DSCQ_UNSUPPORTED */
/* Negative axes count from the end; 0 when out of range. */
int ox_axis(int64_t *axis, int64_t rank);
/* Attribute `name` or input `i` as a list of integers; *count 0 when there is none. */
dscq_status ox_int_list(ox_call *c, const char *name, int32_t i, int64_t *out,
                        int32_t *count, int32_t max);
/* Offsets of an output element in tensors that are broadcast to it. */
void ox_strides(int64_t *stride, const ox_tensor *t, int32_t rank);
int ox_broadcast(int64_t *dim, int32_t *rank, const ox_tensor *t);

/* A window over up to 3 spatial dimensions. */
typedef struct ox_window {
    int32_t n; /* spatial dimensions */
    int64_t kernel[3], stride[3], dilation[3], lo[3], hi[3], in[3], out[3];
} ox_window;
/* From the attributes; kernel[] of a pool from kernel_shape, of a convolution as
 * given in w->kernel. in[] and n are set by the caller. */
dscq_status ox_window_read(ox_call *c, ox_window *w, int has_kernel, int ceil_mode);

/* ---- refusals ----------------------------------------------------------- */

dscq_status ox_refusals_create(dscq_table **out, dscq_error *err);
void ox_refuse(dscq_table *t, const dscq_onnx *f, const ox_node *n, const char *reason);
/* The error that goes with a table of refusals. */
dscq_status ox_refused(const dscq_onnx *f, const dscq_table *t, dscq_error *err);
/* Nodes in an order in which inputs come first; DSCQ_FORMAT when there is none. */
dscq_status ox_check_order(const dscq_onnx *f, dscq_error *err);

#endif
