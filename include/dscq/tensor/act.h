/*
 * tensor/act.h - activation functions: one row each.
 *
 * `slope` is used by leaky (negative side, 0.1 in Darknet) and elu (alpha).
 */
#ifndef DSCQ_TENSOR_ACT_H
#define DSCQ_TENSOR_ACT_H

#ifdef __cplusplus
extern "C" {
#endif

/* name as written in a cfg, enum suffix. Order is part of the packed format:
 * rows are only ever added at the end. */
#define DSCQ_ACT_LIST(X)                                                               \
    X(linear, LINEAR)                                                                  \
    X(relu, RELU)                                                                      \
    X(relu6, RELU6)                                                                    \
    X(leaky, LEAKY)                                                                    \
    X(logistic, LOGISTIC)                                                              \
    X(tanh, TANH)                                                                      \
    X(swish, SWISH)                                                                    \
    X(hard_swish, HARD_SWISH)                                                          \
    X(hard_sigmoid, HARD_SIGMOID)                                                      \
    X(elu, ELU)                                                                        \
    X(mish, MISH)

typedef enum dscq_act {
#define X(name, id) DSCQ_ACT_##id,
    DSCQ_ACT_LIST(X)
#undef X
        DSCQ_ACT_COUNT
} dscq_act;

#define DSCQ_ACT_CHOICES                                                               \
    "linear|relu|relu6|leaky|logistic|tanh|swish|hard_swish|hard_sigmoid|elu|mish"

const char *dscq_act_name(dscq_act act);
int dscq_act_find(const char *name); /* -1: none such */
double dscq_act_value(dscq_act act, double slope, double x);
double dscq_act_slope(dscq_act act, double slope, double x); /* derivative at x */
/* Whether the integer form of a sum or a convolution needs a table for it
 * (docs/arithmetic.md section 6): it is neither a clamp nor leaky with 0 <= slope <= 1.
 */
int dscq_act_is_table(dscq_act act, double slope);
/* Interval the output can lie in (may be infinite). */
void dscq_act_range(dscq_act act, double *lo, double *hi);

#ifdef __cplusplus
}
#endif
#endif
