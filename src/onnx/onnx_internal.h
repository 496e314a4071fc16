/* Shared inside the module: the graph as read, and the calls of operators. */
#ifndef ONNX_INTERNAL_H
#define ONNX_INTERNAL_H

#include "dscq/onnx/onnx.h"

typedef dscq_onnx_tensor onnx_tensor;

/* Memory that is released all at once, with a bound on what a file can ask for. */
typedef struct onnx_pool {
    void *blocks;
    size_t used, limit; /* bytes */
    int no_memory; /* an allocation failed: whatever came of it counts for nothing */
} onnx_pool;

void *onnx__take(onnx_pool *p, size_t count, size_t size); /* zeroed; NULL: no room */
char *onnx__copy_text(onnx_pool *p, const char *text, size_t bytes);
void onnx__release(onnx_pool *p);
/* What a step that took from the pool returns instead of `status`: DSCQ_NOMEM when
 * memory was short, however the step took that. */
dscq_status onnx__pool_status(const onnx_pool *p, dscq_status status, const char *name,
                              dscq_error *err);

typedef struct onnx_attr {
    const char *name;
    int32_t type; /* AttributeProto.AttributeType */
    int64_t i;
    double f;
    const char *s;
    size_t ints, floats;
    int64_t *int_v;
    double *float_v;
    onnx_tensor *t;
} onnx_attr;

typedef struct onnx_node {
    const char *name, *op, *domain;
    int32_t *in, *out; /* values; -1: left out */
    int32_t in_count, out_count, attr_count;
    onnx_attr *attr;
    int has_graph; /* holds a sub-graph */
} onnx_node;

typedef struct onnx_value {
    const char *name;
    onnx_tensor *init; /* constant                                   */
    int32_t producer;  /* node, -1: none                             */
    int32_t consumers; /* uses by nodes                              */
    int32_t consumer;  /* the last of them                           */
    int is_input, is_output;
    int32_t type, rank;          /* declared; rank -1: unknown                 */
    int64_t dim[DSCQ_ONNX_RANK]; /* -1: unknown                        */
} onnx_value;

struct dscq_onnx {
    onnx_pool pool, run; /* the graph; values of the last run */
    char name[DSCQ_NODE_NAME * 2];
    int64_t opset;
    const dscq_log *log;
    onnx_value *value;
    int32_t value_count;
    onnx_node *node;
    int32_t node_count;
    int32_t *input, *output; /* values */
    int32_t input_count, output_count;
    dscq_onnx_output *model_output; /* [output_count] after to_model */
    dscq_onnx_range *range;         /* after to_model; in the pool   */
    int32_t range_count;
};

const onnx_attr *onnx__attr_find(const onnx_node *n, const char *name);
int64_t onnx__attr_int(const onnx_node *n, const char *name, int64_t otherwise);
double onnx__attr_real(const onnx_node *n, const char *name, double otherwise);
const char *onnx__attr_text(const onnx_node *n, const char *name,
                            const char *otherwise);

/* ---- tensors ------------------------------------------------------------ */

/* NULL when a dimension is negative, the product too large, or memory short. */
onnx_tensor *onnx__new(onnx_pool *p, int32_t type, int32_t rank, const int64_t *dim);
int onnx__is_float(int32_t type);
/* Product of dim[from .. to). */
int64_t onnx__product(const int64_t *dim, int32_t from, int32_t to);
/* As many values as `from` has, in their order. */
void onnx__copy_values(onnx_tensor *to, const onnx_tensor *from);
/* v as a value of that type: float rounded, integers wrapped or (saturate) clamped. */
double onnx__round_to(int32_t type, double v, int saturate);
double onnx__half_to_even(double v);

/* ---- operators ---------------------------------------------------------- */

enum { ONNX_OUTPUTS = 64 };

typedef struct onnx_call {
    onnx_pool *pool;
    const onnx_node *node;
    int64_t opset;
    const onnx_tensor *const *in; /* [in_count], NULL: left out */
    int32_t in_count;
    onnx_tensor *out[ONNX_OUTPUTS];
    dscq_error *err;
} onnx_call;

typedef dscq_status onnx_op(onnx_call *c);

typedef struct onnx_op_row {
    const char *name;
    onnx_op *run;
    int32_t in_min;
    int is_light; /* may be folded when all inputs are constant */
} onnx_op_row;

const onnx_op_row *onnx__op_find(const char *domain, const char *op);
/* Evaluate one node; DSCQ_UNSUPPORTED for an operator or form that is not there. */
dscq_status onnx__eval(onnx_call *c);
int onnx__can_fold(const onnx_node *n);

extern const onnx_op_row onnx__ops_point[], onnx__ops_shape[], onnx__ops_window[],
    onnx__ops_matrix[], onnx__ops_reduce[], onnx__ops_resize[], onnx__ops_index[],
    onnx__ops_more[]; /* end: name NULL */

/* Input i, or NULL. */
const onnx_tensor *onnx__in(const onnx_call *c, int32_t i);
/* Output 0 of that type and shape; fails with DSCQ_FORMAT or DSCQ_NOMEM. */
dscq_status onnx__out(onnx_call *c, int32_t i, int32_t type, int32_t rank,
                      const int64_t *dim);
dscq_status onnx__bad(onnx_call *c, const char *what);         /* DSCQ_FORMAT */
dscq_status onnx__unsupported(onnx_call *c, const char *what); /* DSCQ_UNSUPPORTED */
/* Negative axes count from the end; 0 when out of range. */
int onnx__axis(int64_t *axis, int64_t rank);
/* Attribute `name` or input `i` as a list of integers; *count 0 when there is none. */
dscq_status onnx__int_list(onnx_call *c, const char *name, int32_t i, int64_t *out,
                           int32_t *count, int32_t max);
/* Offsets of an output element in tensors that are broadcast to it. */
void onnx__strides(int64_t *stride, const onnx_tensor *t, int32_t rank);
int onnx__broadcast(int64_t *dim, int32_t *rank, const onnx_tensor *t);
/* Where element i of a tensor of that shape is, `stride` apart along each axis. */
int64_t onnx__place(int64_t i, int32_t rank, const int64_t *dim, const int64_t *stride);
/* to[i] = from[first + its place]; as many as `to` has. */
void onnx__copy_strided(onnx_tensor *to, const onnx_tensor *from, int64_t first,
                        const int64_t *stride);
/* `rows` runs of n values each, their starts to_step and from_step apart. */
void onnx__copy_runs(double *to, int64_t to_step, const double *from, int64_t from_step,
                     int64_t n, int64_t rows);

/* A window over up to 3 spatial dimensions. */
typedef struct onnx_window {
    int32_t n; /* spatial dimensions */
    int64_t kernel[3], stride[3], dilation[3], lo[3], hi[3], in[3], out[3];
} onnx_window;
/* From the attributes; kernel[] of a pool from kernel_shape, of a convolution as
 * given in w->kernel. in[] and n are set by the caller. */
dscq_status onnx__window_read(onnx_call *c, onnx_window *w, int has_kernel,
                              int ceil_mode);

/* ---- refusals ----------------------------------------------------------- */

dscq_status onnx__refusals_create(dscq_table **out, dscq_error *err);
void onnx__refuse(dscq_table *t, const dscq_onnx *f, const onnx_node *n,
                  const char *reason);
/* The error that goes with a table of refusals. */
dscq_status onnx__refused(const dscq_onnx *f, const dscq_table *t, dscq_error *err);
/* Nodes in an order in which inputs come first; DSCQ_FORMAT when there is none. */
dscq_status onnx__check_order(const dscq_onnx *f, dscq_error *err);

#endif
