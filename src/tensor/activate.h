/* activate.h - the activations of acts.def and their slopes on vectors. `act` is a
 * constant at every call, so only one case is compiled in. */
#ifndef TENSOR_ACTIVATE_H
#define TENSOR_ACTIVATE_H

#include "dscq/tensor/act.h"
#include "simd.h"

/* NaN passes through all of them. */
INL vf v_clamp06(vf x)
{
    return v_min(v_set(6.0F), v_max((vf){0}, x));
}

INL vf v_logistic(vf x)
{
    return 1.0F / (1.0F + v_exp(-x));
}

/* From e^-2|x|, which loses digits near 0, where the odd series takes over. */
INL vf v_tanh(vf x)
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
INL vf v_mish_gate(vf x)
{
    vf e = v_exp(v_min(v_set(20.0F), x)), t = e * (e + 2.0F);

    return t / (t + 2.0F);
}

INL vf v_expm1_neg(vf x)
{
    vf series =
        x * (1.0F + x * (0.5F + x * (1.0F / 6 + x * (1.0F / 24 + x * (1.0F / 120)))));

    return v_if_gt(x, v_set(-0.25F), series, v_exp(x) - 1.0F);
}

INL vf g_hard_swish(vf g, vf x)
{
    vf t = v_if_gt(v_set(3.0F), x, (2.0F * x + 3.0F) * (1.0F / 6), v_set(1.0F));

    return v_keep_gt(g * t, x, v_set(-3.0F));
}

INL vf g_mish(vf g, vf x)
{
    vf t = v_mish_gate(x);

    return g * (t + x * (1.0F - t * t) * v_logistic(x));
}

INL vf activate(dscq_act act, vf x, vf slope)
{
    switch (act) {
#define DSCQ_ACT(name, ID, kind, lo, hi, value, derivative, vector, ...)               \
    case DSCQ_ACT_##ID:                                                                \
        return vector;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    case DSCQ_ACT_COUNT:
        break;
    }
    return x;
}

/* g * act'(x) */
INL vf act_back(dscq_act act, vf g, vf x, vf slope)
{
    switch (act) {
#define DSCQ_ACT(name, ID, kind, lo, hi, value, derivative, vector, gradient, ...)     \
    case DSCQ_ACT_##ID:                                                                \
        return gradient;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    case DSCQ_ACT_COUNT:
        break;
    }
    return g;
}

/* Of a constant act it is one. */
INL dscq_act_kind act_kind(dscq_act act)
{
    static const dscq_act_kind kind[] = {
#define DSCQ_ACT(name, ID, kind, ...) DSCQ_ACT_##kind,
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    };

    return kind[act];
}

#endif
