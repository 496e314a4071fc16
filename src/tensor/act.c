#include "dscq/tensor/act.h"

#include <math.h>
#include <string.h>

static const char *const act_names[] = {
#define X(name, id) #name,
    DSCQ_ACT_LIST(X)
#undef X
};

const char *dscq_act_name(dscq_act act)
{
    return (unsigned)act < DSCQ_ACT_COUNT ? act_names[act] : "?";
}

int dscq_act_find(const char *name)
{
    for (int i = 0; i < DSCQ_ACT_COUNT; i++)
        if (strcmp(act_names[i], name) == 0)
            return i;
    return -1;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static double softplus(double x)
{
    return x > 30 ? x : log1p(exp(x));
}

double dscq_act_value(dscq_act act, double slope, double x)
{
    switch (act) {
    case DSCQ_ACT_RELU:
        return x < 0 ? 0 : x;
    case DSCQ_ACT_RELU6:
        return clamp(x, 0, 6);
    case DSCQ_ACT_LEAKY:
        return x < 0 ? slope * x : x;
    case DSCQ_ACT_LOGISTIC:
        return logistic(x);
    case DSCQ_ACT_TANH:
        return tanh(x);
    case DSCQ_ACT_SWISH:
        return x * logistic(x);
    case DSCQ_ACT_HARD_SWISH:
        return x * clamp(x + 3, 0, 6) / 6;
    case DSCQ_ACT_HARD_SIGMOID:
        return clamp(x + 3, 0, 6) / 6;
    case DSCQ_ACT_ELU:
        return x < 0 ? slope * expm1(x) : x;
    case DSCQ_ACT_MISH:
        return x * tanh(softplus(x));
    case DSCQ_ACT_LINEAR:
    case DSCQ_ACT_COUNT:
        break;
    }
    return x;
}

static double mish_slope(double x)
{
    double t = tanh(softplus(x));

    return t + x * (1 - t * t) * logistic(x);
}

double dscq_act_slope(dscq_act act, double slope, double x)
{
    double s = logistic(x);

    switch (act) {
    case DSCQ_ACT_RELU:
        return x > 0;
    case DSCQ_ACT_RELU6:
        return x > 0 && x < 6;
    case DSCQ_ACT_LEAKY:
        return x > 0 ? 1 : slope;
    case DSCQ_ACT_LOGISTIC:
        return s * (1 - s);
    case DSCQ_ACT_TANH:
        return 1 - tanh(x) * tanh(x);
    case DSCQ_ACT_SWISH:
        return s + x * s * (1 - s);
    case DSCQ_ACT_HARD_SWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    case DSCQ_ACT_HARD_SIGMOID:
        return x > -3 && x < 3 ? 1.0 / 6 : 0;
    case DSCQ_ACT_ELU:
        return x > 0 ? 1 : slope * exp(x);
    case DSCQ_ACT_MISH:
        return mish_slope(x);
    case DSCQ_ACT_LINEAR:
    case DSCQ_ACT_COUNT:
        break;
    }
    return 1;
}

int dscq_act_is_table(dscq_act act, double slope)
{
    switch (act) {
    case DSCQ_ACT_LINEAR:
    case DSCQ_ACT_RELU:
    case DSCQ_ACT_RELU6:
        return 0;
    case DSCQ_ACT_LEAKY:
        return !(slope >= 0.0 && slope <= 1.0);
    default:
        return 1;
    }
}

void dscq_act_range(dscq_act act, double *lo, double *hi)
{
    *lo = -HUGE_VAL;
    *hi = HUGE_VAL;
    switch (act) {
    case DSCQ_ACT_RELU:
        *lo = 0;
        break;
    case DSCQ_ACT_RELU6:
        *lo = 0;
        *hi = 6;
        break;
    case DSCQ_ACT_LOGISTIC:
    case DSCQ_ACT_HARD_SIGMOID:
        *lo = 0;
        *hi = 1;
        break;
    case DSCQ_ACT_TANH:
        *lo = -1;
        *hi = 1;
        break;
    case DSCQ_ACT_SWISH: /* minima of x*logistic(x), at -1.2785, rounded outwards */
        *lo = -0.27846455;
        break;
    case DSCQ_ACT_HARD_SWISH: /* at -1.5 */
        *lo = -0.375;
        break;
    case DSCQ_ACT_MISH: /* at -1.1924 */
        *lo = -0.30884342;
        break;
    default: /* elu: -slope is not known here */
        break;
    }
}
