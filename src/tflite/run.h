/* The file evaluated as it is: a value of every type is held as double, exactly. */
#ifndef TFLITE_RUN_H
#define TFLITE_RUN_H

#include "tflite_internal.h"

typedef struct tfl_run {
    const dscq_tflite *f;
    double **v;    /* [tensor_count] codes or real values; NULL: not there */
    int32_t index; /* of the operator */
    dscq_error *err;
} tfl_run;

enum { TFL_VALUES_MAX = 1 << 28 }; /* of a tensor */
/* Room for that many values of a tensor. */
dscq_status tflite__room(tfl_run *r, int32_t tensor, size_t count);

/* An operand or result: its numbers and what they mean. */
typedef struct tfl_side {
    const tfl_tensor *t;
    double *v;
    size_t count;
    int coded;      /* whole numbers on a grid */
    double scale;   /* 1 when not coded        */
    int32_t zero;   /* 0 when not coded        */
    int32_t lo, hi; /* codes                   */
    int32_t dim[4]; /* N x H x W x C, ones in front when the rank is lower */
} tfl_side;

/* Input i; constants are expanded. DSCQ_UNSUPPORTED when it is not there. */
dscq_status tflite__in(tfl_side *out, tfl_run *r, const tfl_op *o, uint32_t i);
/* Room for output i. */
dscq_status tflite__out(tfl_side *out, tfl_run *r, const tfl_op *o, uint32_t i);
dscq_status tflite__cannot(const tfl_run *r, const char *what);
/* Constant whole numbers; the count, -1: none. */
int32_t tflite__whole(const tfl_run *r, const tfl_op *o, uint32_t i, int64_t *out,
                      int32_t cap);

/* real = scale * (code - zero), and back: half away from zero, saturating; a real
 * value is rounded to float32. */
double tflite__to_real(const tfl_side *s, double v);
double tflite__from_real(const tfl_side *s, double v);

/* Multiplication by mult * 2^(shift - 31): the reference's two roundings. */
typedef struct tfl_requant {
    int32_t mult;
    int shift;
} tfl_requant;
tfl_requant tflite__requant(double factor);
int64_t
tflite__code(double v); /* a whole number; far beyond any sum of codes: the end */
int64_t tflite__multiply(int64_t x, tfl_requant q);
/* Of 16-bit activations, whose sums have 64 bits: one rounding. */
int64_t tflite__multiply_wide(int64_t x, tfl_requant q);

/* Ends that a fused activation sets, in what y holds. */
dscq_status tflite__fused_ends(double *lo, double *hi, const tfl_run *r,
                               const tfl_side *y, int64_t fused);

typedef dscq_status tfl_kernel(tfl_run *r, const tfl_op *o);
#define TFL_KERNEL(code, name)                                                         \
    dscq_status tflite__run_##name(tfl_run *r, const tfl_op *o);
#include "kernels.def"
#undef TFL_KERNEL

#endif
