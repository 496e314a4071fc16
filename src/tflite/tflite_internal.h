/* Shared inside the module: the file as read. */
#ifndef TFLITE_INTERNAL_H
#define TFLITE_INTERNAL_H

#include "dscq/tflite/tflite.h"
#include "flat.h"

/* TensorType, those that are understood. */
enum {
    TFL_FLOAT32 = 0,
    TFL_FLOAT16 = 1,
    TFL_INT32 = 2,
    TFL_UINT8 = 3,
    TFL_INT64 = 4,
    TFL_INT16 = 7,
    TFL_INT8 = 9,
    TFL_INT4 = 17
};

/* BuiltinOperator: TFL_CONV_2D = 3, ... */
enum {
#define TFL_OP(name, code) TFL_##name = (code),
#include "ops.def"
#undef TFL_OP
    TFL_OPS_END
};

typedef struct tfl_tensor {
    tfl_vec name;
    int32_t type, rank;
    int64_t dim[DSCQ_GRAPH_RANK]; /* -1: not fixed                               */
    tfl_vec data;                 /* bytes of a constant; absent: computed        */
    tfl_vec scale, zero;          /* float32, int64: one, or one along `axis`     */
    int32_t axis;
    int is_sparse;
    int32_t consumers, consumer; /* uses by operators; the last of them          */
    int is_output;
} tfl_tensor;

typedef struct tfl_op {
    int32_t code, version;
    tfl_vec custom;  /* name of a custom operator */
    tfl_vec in, out; /* tensors; -1: left out */
    tfl_table options;
} tfl_op;

enum { TFL_NOTES = 16, TFL_NOTE_BYTES = 200 };

struct dscq_tflite {
    uint8_t *data;
    tfl_bytes file;
    char name[128];
    tfl_tensor *tensor;
    tfl_op *op;
    int32_t tensor_count, op_count;
    tfl_vec in, out; /* tensors */
    /* after to_model */
    int32_t *node;                       /* [tensor_count] that holds it, TFL_NO_NODE */
    dscq_graph_range *range;             /* [range_count]                             */
    dscq_graph_output *output;           /* [out.count]                               */
    char (*output_name)[DSCQ_NODE_NAME]; /* [out.count]                             */
    char note[TFL_NOTES][TFL_NOTE_BYTES];
    int32_t range_count, notes;
};
enum { TFL_NO_NODE = -2 };

/* Tensor i of a vector of indices; NULL when left out. */
const tfl_tensor *tflite__tensor(const dscq_tflite *f, tfl_vec v, uint32_t i);
int32_t tflite__index(tfl_vec v, uint32_t i); /* -1: left out */
/* A name as a text that can be shown. */
void tflite__text(char *out, size_t cap, tfl_vec name);
/* "CONV_2D", "CUSTOM:ethos-u", "operator 230". */
void tflite__op_text(char *out, size_t cap, const tfl_op *o);

/* Elements of a tensor with every dimension fixed; 0 otherwise, or above 2^40. */
uint64_t tflite__elements(const tfl_tensor *t);
/* Bytes that `n` elements of a type take; 0: the type is not understood. */
uint64_t tflite__bytes(int32_t type, uint64_t n);
/* Does a constant hold all of its elements? */
int tflite__is_whole(const tfl_tensor *t);
/* Element i of a constant, as it stands. */
double tflite__value(const tfl_tensor *t, size_t i);
/* Codes of a quantised type; 0: none. */
int tflite__code_range(int32_t type, int32_t *lo, int32_t *hi);
/* The one grid of an activation; 0: it has none. */
int tflite__grid(const tfl_tensor *t, double *scale, int32_t *zero);
/* Scale and zero point of element k along the tensor's axis (1 and 0 when it has
 * none). */
double tflite__scale(const tfl_tensor *t, size_t k);
int32_t tflite__zero(const tfl_tensor *t, size_t k);

#endif
