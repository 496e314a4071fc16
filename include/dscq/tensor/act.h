/*
 * tensor/act.h - activation functions: one row each, in tensor/acts.def.
 */
#ifndef DSCQ_TENSOR_ACT_H
#define DSCQ_TENSOR_ACT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_act {
#define DSCQ_ACT(name, ID, ...) DSCQ_ACT_##ID,
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    DSCQ_ACT_COUNT
} dscq_act;

/* What the integer form of a sum or a convolution does (docs/arithmetic.md section 6).
 */
typedef enum dscq_act_kind {
    DSCQ_ACT_CLAMP, /* x, kept between lo and hi: the clamp of its codes             */
    DSCQ_ACT_LEAK,  /* a step of its own for slopes of 0 to 1, otherwise a table     */
    DSCQ_ACT_CURVE  /* a table                                                       */
} dscq_act_kind;

/* Which dialects of Darknet know a name (the words are AlexeyAB's and pjreddie's). */
typedef enum dscq_darknet {
    DSCQ_DARKNET_NONE,
    DSCQ_DARKNET_YOUNGER, /* AlexeyAB's alone */
    DSCQ_DARKNET_BOTH
} dscq_darknet;

/* How ONNX spells it: op(x), op(before(x)), or that times x. */
typedef struct dscq_act_onnx {
    const char *op;     /* NULL: it has no spelling; files with it are refused       */
    const char *before; /* NULL: none                                                */
    int is_gate;        /* times x                                                   */
    /* Attributes of op, 0: none. Where the activation is sloped, alpha is the slope
     * of an operator that does not say it. */
    double alpha, beta;
    const char *newer; /* all of it in one operator of later opsets: read, not written;
                          NULL: none */
} dscq_act_onnx;

typedef struct dscq_act_row {
    const char *name; /* as written in a cfg, Darknet's where Darknet knows it       */
    dscq_act_kind kind;
    double lo, hi; /* interval that the output can lie in; may be infinite           */
    int is_sloped; /* x above 0, and below what the slope makes of it: else unused   */
    double slope;  /* of a cfg that does not say it; Darknet knows no other          */
    dscq_darknet darknet;
    dscq_act_onnx onnx;
} dscq_act_row;

const dscq_act_row *dscq_act_at(dscq_act act); /* below DSCQ_ACT_COUNT */
const char *dscq_act_name(dscq_act act);       /* "?": none such */
int dscq_act_find(const char *name);           /* -1: none such  */
double dscq_act_value(dscq_act act, double slope, double x);
double dscq_act_slope(dscq_act act, double slope, double x); /* derivative at x */
/* Whether the integer form of a sum or a convolution needs a table for it. */
int dscq_act_is_table(dscq_act act, double slope);

#ifdef __cplusplus
}
#endif
#endif
