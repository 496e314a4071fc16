/*
 * tflite_make.h - TensorFlow Lite files put together part by part, for tests: tensors,
 * operators, the wire format of flatbuffers from scratch.
 */
#ifndef TFLITE_MAKE_H
#define TFLITE_MAKE_H

#include <stddef.h>
#include <stdint.h>

enum { MAKE_TENSORS = 64, MAKE_OPS = 48, MAKE_RANK = 8, MAKE_OPTIONS = 8 };

typedef enum make_type {
    MAKE_F32 = 0,
    MAKE_F16 = 1,
    MAKE_I32 = 2,
    MAKE_U8 = 3,
    MAKE_I64 = 4,
    MAKE_I16 = 7,
    MAKE_I8 = 9
} make_type;

/* An option of an operator: field number, bytes (1, 4; 4 and is_real: float). */
typedef struct make_option {
    int field, bytes, is_real;
    double value;
} make_option;

typedef struct make_tensor {
    char name[64];
    make_type type;
    int rank;
    int32_t dim[MAKE_RANK];
    const void *data; /* NULL: computed */
    size_t bytes;
    int scales; /* 0: no grid */
    const float *scale;
    const int64_t *zero; /* NULL: zeros */
    int axis;
} make_tensor;

typedef struct make_op {
    int code, version;
    const char *custom;
    int inputs, outputs, options;
    int32_t in[8], out[8];
    make_option option[MAKE_OPTIONS];
} make_op;

typedef struct make_file {
    make_tensor tensor[MAKE_TENSORS];
    make_op op[MAKE_OPS];
    int tensors, ops, inputs, outputs;
    int32_t in[8], out[16];
} make_file;

/* A tensor of up to 4 dimensions (0 ends them early); its number. */
int32_t make_add(make_file *f, const char *name, make_type type, const int32_t *dim,
                 int rank);
/* The same with data. */
int32_t make_const(make_file *f, const char *name, make_type type, const int32_t *dim,
                   int rank, const void *data, size_t bytes);
/* Its grid; both must stay. */
void make_grid(make_file *f, int32_t tensor, const float *scale, const int64_t *zero,
               int scales, int axis);
/* An operator; ends inputs and outputs with -2. */
make_op *make_call(make_file *f, int code, const int32_t *in, const int32_t *out);
void make_set(make_op *o, int field, int bytes, double value);
void make_real(make_op *o, int field, double value);

/* The bytes, freed with dscq_free(). */
uint8_t *make_bytes(size_t *bytes, const make_file *f);

#endif
