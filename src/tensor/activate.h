/* activate.h - the activations of act.h and their slopes on vectors. `act` is a
 * constant at every call, so only one case is compiled in. */
#ifndef TENSOR_ACTIVATE_H
#define TENSOR_ACTIVATE_H

#include "dscq/tensor/act.h"
#include "simd.h"

/* NaN passes through all of them. */
INL vf clamp06(vf x)
{
    return v_min(v_set(6.0F), v_max((vf){0}, x));
}

INL vf logistic(vf x)
{
    return 1.0F / (1.0F + v_exp(-x));
}

/* From e^-2|x|, which loses digits near 0, where the odd series takes over. */
INL vf hyper_tan(vf x)
{
    vf size = v_max(x, -x), e = v_exp(-2.0F * size), x2 = x * x;
    vf far = (1.0F - e) / (1.0F + e);
    vf near =
        x * (1.0F + x2 * (-1.0F / 3 +
                          x2 * (2.0F / 15 + x2 * (-17.0F / 315 + x2 * 62.0F / 2835))));

    far = v_if_gt((vf){0}, x, -far, far);
    return v_if_gt(v_set(0.3F), size, near, far);
}

/* tanh(softplus(x)) = (e^2 + 2e)/(e^2 + 2e + 2), e = e^x; 1 where e^2 overflows */
INL vf mish_gate(vf x)
{
    vf e = v_exp(v_min(v_set(20.0F), x)), t = e * (e + 2.0F);

    return t / (t + 2.0F);
}

INL vf expm1_neg(vf x)
{
    vf series =
        x * (1.0F + x * (0.5F + x * (1.0F / 6 + x * (1.0F / 24 + x * (1.0F / 120)))));

    return v_if_gt(x, v_set(-0.25F), series, v_exp(x) - 1.0F);
}

INL vf activate(dscq_act act, vf x, vf slope)
{
    switch (act) {
    case DSCQ_ACT_RELU:
        return v_max((vf){0}, x);
    case DSCQ_ACT_RELU6:
        return clamp06(x);
    case DSCQ_ACT_LEAKY:
        return v_if_gt((vf){0}, x, x * slope, x);
    case DSCQ_ACT_LOGISTIC:
        return logistic(x);
    case DSCQ_ACT_TANH:
        return hyper_tan(x);
    case DSCQ_ACT_SWISH:
        return x * logistic(x);
    case DSCQ_ACT_HARD_SWISH:
        return x * clamp06(x + 3.0F) * (1.0F / 6);
    case DSCQ_ACT_HARD_SIGMOID:
        return clamp06(x + 3.0F) * (1.0F / 6);
    case DSCQ_ACT_ELU:
        return v_if_gt((vf){0}, x, slope * expm1_neg(x), x);
    case DSCQ_ACT_MISH:
        return x * mish_gate(x);
    case DSCQ_ACT_LINEAR:
    case DSCQ_ACT_COUNT:
        break;
    }
    return x;
}

/* g * act'(x) */
INL vf act_back(dscq_act act, vf g, vf x, vf slope)
{
    vf zero = {0}, t;

    switch (act) {
    case DSCQ_ACT_RELU:
        return v_keep_gt(g, x, zero);
    case DSCQ_ACT_RELU6:
        return v_keep_gt(v_keep_gt(g, x, zero), v_set(6.0F), x);
    case DSCQ_ACT_LEAKY:
        return v_if_gt(x, zero, g, g * slope);
    case DSCQ_ACT_LOGISTIC:
        t = logistic(x);
        return g * t * (1.0F - t);
    case DSCQ_ACT_TANH:
        t = hyper_tan(x);
        return g * (1.0F - t * t);
    case DSCQ_ACT_SWISH:
        t = logistic(x);
        return g * (t + x * t * (1.0F - t));
    case DSCQ_ACT_HARD_SWISH:
        t = v_if_gt(v_set(3.0F), x, (2.0F * x + 3.0F) * (1.0F / 6), v_set(1.0F));
        return v_keep_gt(g * t, x, v_set(-3.0F));
    case DSCQ_ACT_HARD_SIGMOID:
        return v_keep_gt(v_keep_gt(g * (1.0F / 6), x, v_set(-3.0F)), v_set(3.0F), x);
    case DSCQ_ACT_ELU:
        return v_if_gt(x, zero, g, g * slope * v_exp(x));
    case DSCQ_ACT_MISH:
        t = mish_gate(x);
        return g * (t + x * (1.0F - t * t) * logistic(x));
    case DSCQ_ACT_LINEAR:
    case DSCQ_ACT_COUNT:
        break;
    }
    return g;
}

/* Run CALL(act) with act a constant. */
#define WITH_ACT(act, CALL)                                                            \
    switch (act) {                                                                     \
        DSCQ_ACT_LIST(WITH_ACT_CASE)                                                   \
    case DSCQ_ACT_COUNT:                                                               \
        break;                                                                         \
    }

#endif
