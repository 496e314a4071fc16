/* Operators that work element by element, with broadcasting. */
#include "onnx_internal.h"

#include <math.h>
#include <string.h>

/* ---- one input ---------------------------------------------------------- */

typedef struct unary {
    const char *name;
    double (*f)(double x, double alpha, double beta);
    double alpha, beta; /* defaults of the attributes */
} unary;

#define UNARY(name, expr)                                                              \
    static double f_##name(double x, double alpha, double beta)                        \
    {                                                                                  \
        (void)alpha;                                                                   \
        (void)beta;                                                                    \
        return expr;                                                                   \
    }

UNARY(Abs, fabs(x))
UNARY(Neg, -x)
UNARY(Ceil, ceil(x))
UNARY(Floor, floor(x))
UNARY(Round, onnx__half_to_even(x))
UNARY(Exp, exp(x))
UNARY(Log, log(x))
UNARY(Sqrt, sqrt(x))
UNARY(Reciprocal, 1 / x)
UNARY(Sigmoid, 1 / (1 + exp(-x)))
UNARY(Tanh, tanh(x))
UNARY(Relu, x > 0 ? x : 0)
UNARY(LeakyRelu, x < 0 ? alpha * x : x)
UNARY(Elu, x < 0 ? alpha * expm1(x) : x)
UNARY(Selu, beta *(x <= 0 ? alpha * expm1(x) : x))
UNARY(Celu, fmax(0, x) + fmin(0, alpha *expm1(x / alpha)))
UNARY(ThresholdedRelu, x > alpha ? x : 0)
UNARY(HardSigmoid, fmax(0, fmin(1, alpha *x + beta)))
UNARY(HardSwish, x *fmax(0, fmin(1, x / 6 + 0.5)))
UNARY(Softplus, x > 30 ? x : log1p(exp(x)))
UNARY(Softsign, x / (1 + fabs(x)))
UNARY(Mish, x *tanh(x > 30 ? x : log1p(exp(x))))
UNARY(Sign, x > 0 ? 1 : x < 0 ? -1 : 0)
UNARY(Sin, sin(x))
UNARY(Cos, cos(x))
UNARY(Tan, tan(x))
UNARY(Asin, asin(x))
UNARY(Acos, acos(x))
UNARY(Atan, atan(x))
UNARY(Sinh, sinh(x))
UNARY(Cosh, cosh(x))
UNARY(Asinh, asinh(x))
UNARY(Acosh, acosh(x))
UNARY(Atanh, atanh(x))
UNARY(Erf, erf(x))
UNARY(Not, x == 0)
UNARY(IsNaN, isnan(x))
UNARY(Identity, x)

#define ROW(name, a, b)                                                                \
    {                                                                                  \
#name, f_##name, a, b                                                          \
    }
static const unary k_unary[] = {
    ROW(Abs, 0, 0),
    ROW(Neg, 0, 0),
    ROW(Ceil, 0, 0),
    ROW(Floor, 0, 0),
    ROW(Round, 0, 0),
    ROW(Exp, 0, 0),
    ROW(Log, 0, 0),
    ROW(Sqrt, 0, 0),
    ROW(Reciprocal, 0, 0),
    ROW(Sigmoid, 0, 0),
    ROW(Tanh, 0, 0),
    ROW(Relu, 0, 0),
    ROW(LeakyRelu, 0.01, 0),
    ROW(Elu, 1, 0),
    ROW(Selu, 1.67326319217681884765625, 0),
    ROW(Celu, 1, 0),
    ROW(ThresholdedRelu, 1, 0),
    ROW(HardSigmoid, 0.2, 0.5),
    ROW(HardSwish, 0, 0),
    ROW(Softplus, 0, 0),
    ROW(Softsign, 0, 0),
    ROW(Mish, 0, 0),
    ROW(Sign, 0, 0),
    ROW(Sin, 0, 0),
    ROW(Cos, 0, 0),
    ROW(Tan, 0, 0),
    ROW(Asin, 0, 0),
    ROW(Acos, 0, 0),
    ROW(Atan, 0, 0),
    ROW(Sinh, 0, 0),
    ROW(Cosh, 0, 0),
    ROW(Asinh, 0, 0),
    ROW(Acosh, 0, 0),
    ROW(Atanh, 0, 0),
    ROW(Erf, 0, 0),
    ROW(Not, 0, 0),
    ROW(IsNaN, 0, 0),
    ROW(Identity, 0, 0),
};

static dscq_status run_unary(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const unary *u = k_unary;

    while (strcmp(u->name, c->node->op) != 0)
        u++;
    const int is_selu = strcmp(u->name, "Selu") == 0;
    const double alpha = onnx__attr_real(c->node, "alpha", u->alpha);
    const double beta = is_selu ? onnx__attr_real(c->node, "gamma", 1.05070102214813232)
                                : onnx__attr_real(c->node, "beta", u->beta);
    const int to_bool = strcmp(u->name, "IsNaN") == 0;
    const dscq_status status =
        onnx__out(c, 0, to_bool ? DSCQ_ONNX_BOOL : x->type, x->rank, x->dim);
    for (size_t i = 0; status == DSCQ_OK && i < x->count; i++)
        c->out[0]->v[i] =
            onnx__round_to(c->out[0]->type, u->f(x->v[i], alpha, beta), 0);
    return status;
}

/* ---- two and more ------------------------------------------------------- */

typedef double two(double a, double b);

static double op_add(double a, double b)
{
    return a + b;
}
static double op_sub(double a, double b)
{
    return a - b;
}
static double op_mul(double a, double b)
{
    return a * b;
}
static double op_div(double a, double b)
{
    return a / b;
}
static double op_max(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
}
static double op_min(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a < b ? a : b;
}
static double op_prelu(double a, double b)
{
    return a < 0 ? a * b : a;
}
static double op_mod(double a, double b)
{
    const double r = b != 0 ? a - floor(a / b) * b : 0;
    return r;
}
static double op_less(double a, double b)
{
    return a < b;
}
static double op_greater(double a, double b)
{
    return a > b;
}
static double op_less_equal(double a, double b)
{
    return a <= b;
}
static double op_greater_equal(double a, double b)
{
    return a >= b;
}
static double op_equal(double a, double b)
{
    return a == b;
}
static double op_and(double a, double b)
{
    return a != 0 && b != 0;
}
static double op_or(double a, double b)
{
    return a != 0 || b != 0;
}
static double op_xor(double a, double b)
{
    return (a != 0) != (b != 0);
}

static const struct binary {
    const char *name;
    two *f;
    int to_bool;
} k_binary[] = {
    {"Add", op_add, 0},     {"Sub", op_sub, 0},
    {"Mul", op_mul, 0},     {"Div", op_div, 0},
    {"Max", op_max, 0},     {"Min", op_min, 0},
    {"Sum", op_add, 0},     {"Mean", op_add, 0},
    {"Pow", pow, 0},        {"PRelu", op_prelu, 0},
    {"Mod", op_mod, 0},     {"Less", op_less, 1},
    {"Equal", op_equal, 1}, {"Greater", op_greater, 1},
    {"And", op_and, 1},     {"LessOrEqual", op_less_equal, 1},
    {"Or", op_or, 1},       {"GreaterOrEqual", op_greater_equal, 1},
    {"Xor", op_xor, 1},
};

/* Before opset 7, b is lined up with a from axis `axis` on. */
static dscq_status line_up(onnx_call *c, onnx_tensor *b)
{
    const onnx_tensor *a = c->in[0];
    const onnx_attr *axis = onnx__attr_find(c->node, "axis");

    const int channels = strcmp(c->node->op, "PRelu") == 0 && b->rank == 1;

    if (c->opset >= 7 || (axis == NULL && !channels) || (channels && b->count == 1))
        return DSCQ_OK;
    int64_t at = channels ? 1 : axis->i;
    if (!onnx__axis(&at, a->rank) || at + b->rank > a->rank)
        return onnx__bad(c, "axis is out of range");
    const int32_t rank = a->rank - (int32_t)at;
    for (int32_t i = b->rank; i < rank; i++)
        b->dim[i] = 1;
    b->rank = rank;
    return DSCQ_OK;
}

static void combine(onnx_tensor *to, const onnx_tensor *a, const onnx_tensor *b, two *f,
                    int32_t type)
{
    int64_t sa[DSCQ_ONNX_RANK], sb[DSCQ_ONNX_RANK], at[DSCQ_ONNX_RANK] = {0};
    int64_t ia = 0, ib = 0;

    onnx__strides(sa, a, to->rank);
    onnx__strides(sb, b, to->rank);
    for (size_t i = 0; i < to->count; i++) {
        to->v[i] = onnx__round_to(type, f(a->v[ia], b->v[ib]), 0);
        for (int32_t d = to->rank - 1; d >= 0; d--) {
            ia += sa[d];
            ib += sb[d];
            if (++at[d] < to->dim[d])
                break;
            ia -= sa[d] * to->dim[d];
            ib -= sb[d] * to->dim[d];
            at[d] = 0;
        }
    }
}

static dscq_status check_binary(onnx_call *c, const struct binary *b)
{
    const int is_int = !onnx__is_float(c->in[0]->type);

    if (b->f == op_div && is_int)
        for (size_t i = 0; i < c->in[1]->count; i++)
            if (c->in[1]->v[i] == 0)
                return onnx__bad(c, "division by zero");
    return DSCQ_OK;
}

static dscq_status run_binary(onnx_call *c)
{
    const struct binary *row = k_binary;
    dscq_status status;

    while (strcmp(row->name, c->node->op) != 0)
        row++;
    two *f = row->f == op_mod && onnx__attr_int(c->node, "fmod", 0) ? fmod : row->f;
    const onnx_tensor *a = c->in[0];
    const int32_t type = row->to_bool ? DSCQ_ONNX_BOOL : a->type;
    if (c->in_count == 1) {
        DSCQ_TRY(onnx__out(c, 0, type, a->rank, a->dim));
        if (a->count > 0)
            memcpy(c->out[0]->v, a->v, a->count * sizeof *a->v);
        return DSCQ_OK;
    }
    for (int32_t i = 1; i < c->in_count; i++) {
        int64_t dim[DSCQ_ONNX_RANK];
        int32_t rank = a->rank;
        if (c->in[i] == NULL)
            return onnx__bad(c, "an input is missing");
        onnx_tensor b = *c->in[i];
        DSCQ_TRY(line_up(c, &b));
        DSCQ_TRY(check_binary(c, row));
        memcpy(dim, a->dim, sizeof dim);
        if (!onnx__broadcast(dim, &rank, &b))
            return onnx__bad(c, "the shapes of its inputs do not go together");
        DSCQ_TRY(onnx__out(c, 0, type, rank, dim));
        combine(c->out[0], a, &b, f, type);
        a = c->out[0];
    }
    if (strcmp(row->name, "Mean") == 0)
        for (size_t i = 0; i < a->count; i++)
            c->out[0]->v[i] = onnx__round_to(type, a->v[i] / c->in_count, 0);
done:
    return status;
}

static dscq_status run_where(onnx_call *c)
{
    int64_t dim[DSCQ_ONNX_RANK], s[3][DSCQ_ONNX_RANK];
    int32_t rank = 0;
    dscq_status status;

    for (int32_t i = 0; i < 3; i++)
        if (!onnx__broadcast(dim, &rank, c->in[i]))
            return onnx__bad(c, "the shapes of its inputs do not go together");
    DSCQ_TRY(onnx__out(c, 0, c->in[1]->type, rank, dim));
    for (int32_t i = 0; i < 3; i++)
        onnx__strides(s[i], c->in[i], rank);
    for (size_t i = 0; i < c->out[0]->count; i++) {
        int64_t at[3];
        for (int k = 0; k < 3; k++)
            at[k] = onnx__place((int64_t)i, rank, dim, s[k]);
        c->out[0]->v[i] =
            c->in[0]->v[at[0]] != 0 ? c->in[1]->v[at[1]] : c->in[2]->v[at[2]];
    }
done:
    return status;
}

static dscq_status run_clip(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *lo = onnx__in(c, 1), *hi = onnx__in(c, 2);
    const double a = lo != NULL && lo->count > 0
                         ? lo->v[0]
                         : onnx__attr_real(c->node, "min", -(double)INFINITY);
    const double b = hi != NULL && hi->count > 0
                         ? hi->v[0]
                         : onnx__attr_real(c->node, "max", (double)INFINITY);
    const dscq_status status = onnx__out(c, 0, x->type, x->rank, x->dim);

    for (size_t i = 0; status == DSCQ_OK && i < x->count; i++)
        c->out[0]->v[i] = x->v[i] < a ? a : x->v[i];
    for (size_t i = 0; status == DSCQ_OK && i < x->count; i++)
        c->out[0]->v[i] = c->out[0]->v[i] > b ? b : c->out[0]->v[i];
    return status;
}

static dscq_status run_cast(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *like = onnx__in(c, 1);
    const int64_t to = like != NULL ? like->type : onnx__attr_int(c->node, "to", 0);

    if (to < 1 || to > 13 || to == 8)
        return onnx__unsupported(c, "casts to text, complex numbers or bfloat16");
    const dscq_status status = onnx__out(c, 0, (int32_t)to, x->rank, x->dim);
    for (size_t i = 0; status == DSCQ_OK && i < x->count; i++)
        c->out[0]->v[i] = onnx__round_to((int32_t)to, x->v[i], 0);
    return status;
}

static dscq_status run_dropout(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *ratio = onnx__in(c, 1),
                      *training = onnx__in(c, 2);
    dscq_status status;

    if (training != NULL && training->count > 0 && training->v[0] != 0 &&
        !(ratio != NULL && ratio->count > 0 && ratio->v[0] == 0))
        return onnx__unsupported(c, "dropout in training mode");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    if (x->count > 0)
        memcpy(c->out[0]->v, x->v, x->count * sizeof *x->v);
    if (c->node->out_count > 1) {
        DSCQ_TRY(onnx__out(c, 1, c->opset >= 10 ? DSCQ_ONNX_BOOL : x->type, x->rank,
                           x->dim));
        for (size_t i = 0; i < x->count; i++)
            c->out[1]->v[i] = 1;
    }
done:
    return status;
}

static dscq_status run_is_inf(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int lo = onnx__attr_int(c->node, "detect_negative", 1) != 0;
    const int hi = onnx__attr_int(c->node, "detect_positive", 1) != 0;
    const dscq_status status = onnx__out(c, 0, DSCQ_ONNX_BOOL, x->rank, x->dim);

    for (size_t i = 0; status == DSCQ_OK && i < x->count; i++)
        c->out[0]->v[i] = isinf(x->v[i]) && (x->v[i] > 0 ? hi : lo);
    return status;
}

#define U(name)                                                                        \
    {                                                                                  \
#name, run_unary, 1, 1                                                         \
    }
#define B(name)                                                                        \
    {                                                                                  \
#name, run_binary, 1, 1                                                        \
    }
const onnx_op_row onnx__ops_point[] = {
    U(Abs),
    U(Neg),
    U(Ceil),
    U(Floor),
    U(Round),
    U(Exp),
    U(Log),
    U(Sqrt),
    U(Sigmoid),
    U(Reciprocal),
    U(Tanh),
    U(Relu),
    U(Elu),
    U(Selu),
    U(LeakyRelu),
    U(Celu),
    U(HardSwish),
    U(Softplus),
    U(Softsign),
    U(HardSigmoid),
    U(Mish),
    U(Sign),
    U(Sin),
    U(Cos),
    U(ThresholdedRelu),
    U(Tan),
    U(Asin),
    U(Acos),
    U(Atan),
    U(Sinh),
    U(Cosh),
    U(Asinh),
    U(Acosh),
    U(Atanh),
    U(Erf),
    U(Not),
    U(IsNaN),
    U(Identity),
    B(Add),
    B(Sub),
    B(Mul),
    B(Div),
    B(Max),
    B(Min),
    B(Sum),
    B(Mean),
    B(Pow),
    B(PRelu),
    B(Mod),
    B(Less),
    B(Greater),
    B(Equal),
    B(And),
    B(Or),
    B(Xor),
    B(LessOrEqual),
    B(GreaterOrEqual),
    {"Where", run_where, 3, 1},
    {"Clip", run_clip, 1, 1},
    {"Cast", run_cast, 1, 1},
    {"CastLike", run_cast, 2, 1},
    {"Dropout", run_dropout, 1, 1},
    {"IsInf", run_is_inf, 1, 1},
    {NULL, NULL, 0, 0},
};
