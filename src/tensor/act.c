#include "dscq/tensor/act.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const dscq_act_row k_acts[] = {
#define DSCQ_ACT(name, ID, kind, lo, hi, value, derivative, vector, gradient, ...)     \
    {#name, DSCQ_ACT_##kind, lo, hi, __VA_ARGS__},
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
};

const dscq_act_row *dscq_act_at(dscq_act act)
{
    assert((unsigned)act < DSCQ_ACT_COUNT);
    return &k_acts[act];
}

const char *dscq_act_name(dscq_act act)
{
    return (unsigned)act < DSCQ_ACT_COUNT ? k_acts[act].name : "?";
}

int dscq_act_find(const char *name)
{
    for (int i = 0; i < DSCQ_ACT_COUNT; i++)
        if (strcmp(k_acts[i].name, name) == 0)
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

static double mish_slope(double x)
{
    const double t = tanh(softplus(x));

    return t + x * (1 - t * t) * logistic(x);
}

double dscq_act_value(dscq_act act, double slope, double x)
{
    switch (act) {
#define DSCQ_ACT(name, ID, kind, lo, hi, value, ...)                                   \
    case DSCQ_ACT_##ID:                                                                \
        return value;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    case DSCQ_ACT_COUNT:
        break;
    }
    return x;
}

double dscq_act_slope(dscq_act act, double slope, double x)
{
    switch (act) {
#define DSCQ_ACT(name, ID, kind, lo, hi, value, derivative, ...)                       \
    case DSCQ_ACT_##ID:                                                                \
        return derivative;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    case DSCQ_ACT_COUNT:
        break;
    }
    return 1;
}

int dscq_act_is_table(dscq_act act, double slope)
{
    const dscq_act_kind kind = dscq_act_at(act)->kind;

    return kind == DSCQ_ACT_CURVE ||
           (kind == DSCQ_ACT_LEAK && !(slope >= 0.0 && slope <= 1.0));
}
