/* Looking ahead: normalisation, bias and activation that belong to one layer, and the
 * spellings of activations that exporters use. */
#include "lower.h"

#include <math.h>
#include <string.h>

enum { WINDOW = 64 }; /* nodes that are looked at for the parts of a composition */

static int32_t out0(const onnx_node *n)
{
    return n->out_count > 0 ? n->out[0] : -1;
}

/* The one value of input i, when it is constant. */
static int scalar(const lower *l, const onnx_node *n, int32_t i, double *v)
{
    const onnx_tensor *t = onnx__const(l, n, i);

    if (t == NULL || t->count != 1)
        return 0;
    *v = t->v[0];
    return 1;
}

static int near(double a, double b)
{
    return fabs(a - b) < 1e-4;
}

static int clip_limits(const lower *l, const onnx_node *n, double *lo, double *hi)
{
    *lo = onnx__attr_real(n, "min", -(double)INFINITY);
    *hi = onnx__attr_real(n, "max", (double)INFINITY);
    for (int32_t i = 1; i < n->in_count && i < 3; i++)
        if (n->in[i] >= 0 && !scalar(l, n, i, i == 1 ? lo : hi))
            return 0;
    *lo = *lo < -1e38 ? -(double)INFINITY : *lo;
    *hi = *hi > 1e38 ? (double)INFINITY : *hi;
    return 1;
}

static int set(dscq_act *act, double *slope, dscq_act a, double s)
{
    *act = a;
    *slope = s;
    return 1;
}

/* The attributes are those of the row; HardSigmoid has others by default. */
static int is_as_fixed(const onnx_node *n, const dscq_act_row *row)
{
    return row->is_sloped || row->onnx.alpha == 0 ||
           (near(onnx__attr_real(n, "alpha", 0.2), row->onnx.alpha) &&
            near(onnx__attr_real(n, "beta", 0.5), row->onnx.beta));
}

static int is_spelt(const onnx_node *n, const dscq_act_row *row)
{
    const dscq_act_onnx *o = &row->onnx;

    if (o->newer != NULL && onnx__is(n, o->newer))
        return 1;
    return o->op != NULL && o->before == NULL && !o->is_gate && onnx__is(n, o->op) &&
           is_as_fixed(n, row);
}

int onnx__activation(const lower *l, const onnx_node *n, dscq_act *act, double *slope)
{
    const int is_clip = onnx__is(n, "Clip");
    double lo, hi, v;

    if (onnx__is(n, "Identity") || (is_clip && !clip_limits(l, n, &lo, &hi)))
        return 0;
    for (int i = 0; i < DSCQ_ACT_COUNT; i++) {
        const dscq_act_row *row = dscq_act_at((dscq_act)i);
        const int is_between =
            is_clip && row->kind == DSCQ_ACT_CLAMP && lo == row->lo && hi == row->hi;
        if (is_between || (!is_clip && is_spelt(n, row)))
            return set(act, slope, (dscq_act)i,
                       row->is_sloped ? onnx__attr_real(n, "alpha", row->onnx.alpha)
                                      : 0);
    }
    if (onnx__is(n, "PRelu") && scalar(l, n, 1, &v))
        return set(act, slope, DSCQ_ACT_LEAKY, v);
    return 0;
}

/* The node behind `value` that does `op`, -1: none near. */
static int32_t user(const lower *l, int32_t value, const char *op)
{
    const onnx_value *v = &l->f->value[value];
    const int32_t first = v->producer + 1 > l->index ? v->producer + 1 : l->index;

    for (int32_t i = first; i <= v->consumer && i < first + WINDOW; i++) {
        const onnx_node *n = &l->f->node[i];
        for (int32_t j = 0; onnx__is(n, op) && j < n->in_count; j++)
            if (n->in[j] == value)
                return i;
    }
    return -1;
}

/* Does node i take a and b, in any order? */
static int takes(const lower *l, int32_t i, int32_t a, int32_t b)
{
    const onnx_node *n = &l->f->node[i];
    return n->in_count == 2 &&
           ((n->in[0] == a && n->in[1] == b) || (n->in[0] == b && n->in[1] == a));
}

static int private_to(const lower *l, int32_t value, int32_t uses)
{
    return value >= 0 && !l->f->value[value].is_output &&
           l->f->value[value].consumers == uses;
}

/* A chain of nodes, each the only user of the one before it. */
typedef struct chain {
    int32_t node[6];
    int32_t count;
    int32_t value; /* what the last makes */
} chain;

static int step(lower *l, chain *c, int32_t value, const char *op)
{
    const int32_t i = value >= 0 ? user(l, value, op) : -1;

    if (i < 0 || c->count >= 6 || l->done[i])
        return 0;
    c->node[c->count++] = i;
    c->value = out0(&l->f->node[i]);
    return c->value >= 0;
}

static int other_is(const lower *l, int32_t node, int32_t value, double want)
{
    const onnx_node *n = &l->f->node[node];
    double v;

    if (n->in_count != 2)
        return 0;
    return scalar(l, n, n->in[0] == value ? 1 : 0, &v) && near(v, want);
}

/* clip(x + 3, 0, 6) / 6 from value on; leaves the chain at the division, or at the
 * clip when the division comes later. */
static int shifted_clip(lower *l, chain *c, int32_t value, int *divided)
{
    double lo, hi;
    int32_t at;

    if (!step(l, c, value, "Add") || !other_is(l, c->node[0], value, 3) ||
        !private_to(l, c->value, 1))
        return 0;
    if (!step(l, c, c->value, "Clip") ||
        !clip_limits(l, &l->f->node[c->node[1]], &lo, &hi) || lo != 0 || hi != 6)
        return 0;
    *divided = 0;
    at = c->value;
    if (!private_to(l, at, 1))
        return 1;
    if ((step(l, c, at, "Div") && other_is(l, c->node[c->count - 1], at, 6)) ||
        (c->count == 2 && step(l, c, at, "Mul") &&
         other_is(l, c->node[c->count - 1], at, 1.0 / 6))) {
        *divided = 1;
        return 1;
    }
    c->count = 2;
    c->value = at;
    return 1;
}

/* The chain's value by 6. */
static int sixth(lower *l, chain *c)
{
    const int32_t product = c->value;

    if (!private_to(l, product, 1))
        return 0;
    if (step(l, c, product, "Div"))
        return other_is(l, c->node[c->count - 1], product, 6);
    return step(l, c, product, "Mul") &&
           other_is(l, c->node[c->count - 1], product, 1.0 / 6);
}

static int hard_swish(lower *l, chain *c, int32_t value, dscq_act *act)
{
    int divided;

    *c = (chain){.value = value};
    if (!shifted_clip(l, c, value, &divided))
        return 0;
    const int32_t gate = c->value;
    *act = DSCQ_ACT_HARD_SWISH;
    if (private_to(l, gate, 1) && private_to(l, value, 2) && step(l, c, gate, "Mul") &&
        takes(l, c->node[c->count - 1], gate, value))
        return divided || sixth(l, c);
    *act = DSCQ_ACT_HARD_SIGMOID;
    c->count = 3;
    c->value = gate;
    return divided && private_to(l, value, 1);
}

/* x * gate(x). */
static int gated(lower *l, chain *c, int32_t value, const dscq_act_row *row)
{
    const dscq_act_onnx *o = &row->onnx;

    *c = (chain){.value = value};
    if (!o->is_gate || !private_to(l, value, 2) ||
        !step(l, c, value, o->before != NULL ? o->before : o->op))
        return 0;
    if (o->before != NULL &&
        (!private_to(l, c->value, 1) || !step(l, c, c->value, o->op)))
        return 0;
    const int32_t gate = c->value, last = c->node[c->count - 1];
    return is_as_fixed(&l->f->node[last], row) && private_to(l, gate, 1) &&
           step(l, c, gate, "Mul") && takes(l, c->node[c->count - 1], gate, value);
}

static int composed(lower *l, chain *c, int32_t value, dscq_act *act)
{
    for (int i = 0; i < DSCQ_ACT_COUNT; i++)
        if (gated(l, c, value, dscq_act_at((dscq_act)i))) {
            *act = (dscq_act)i;
            return 1;
        }
    return hard_swish(l, c, value, act);
}

int onnx__follow_composed(lower *l, int32_t value, onnx_tail *t)
{
    chain c;

    if (value < 0 || !composed(l, &c, value, &t->act))
        return 0;
    for (int32_t i = 0; i < c.count; i++)
        l->done[c.node[i]] = 1;
    t->value = c.value;
    return 1;
}

/* Passes its input on. */
static int is_nothing(const onnx_node *n)
{
    return onnx__is(n, "Identity") ||
           (onnx__is(n, "Cast") && onnx__is_float((int32_t)onnx__attr_int(n, "to", 0)));
}

/* Norms and constants behind t->value, as long as nothing else reads what they take. */
static void follow_linear(lower *l, onnx_tail *t, const onnx_like *like)
{
    dscq_act act;
    chain c;

    while (private_to(l, t->value, 1) && !composed(l, &c, t->value, &act)) {
        const int32_t i = l->f->value[t->value].consumer;
        const onnx_node *n = &l->f->node[i];
        if (n->in_count < 1 || out0(n) < 0 || l->done[i])
            return;
        if (like->may_norm && t->norm == NULL && onnx__is(n, "BatchNormalization") &&
            n->in[0] == t->value && onnx__norm_is_plain(n) &&
            onnx__const(l, n, 1) != NULL)
            t->norm = n;
        else if (!is_nothing(n) && !onnx__follow_affine(l, t, n, like))
            return;
        l->done[i] = 1;
        t->value = out0(n);
    }
}

onnx_tail onnx__follow(lower *l, int32_t value, const onnx_like *like,
                       const onnx_node *norm)
{
    onnx_tail t = {.act = DSCQ_ACT_LINEAR, .norm = norm, .value = value};
    dscq_act act;
    double slope;

    if (like != NULL)
        follow_linear(l, &t, like);
    if (onnx__follow_composed(l, t.value, &t))
        return t;
    if (private_to(l, t.value, 1)) {
        const int32_t i = l->f->value[t.value].consumer;
        const onnx_node *n = &l->f->node[i];
        if (!l->done[i] && out0(n) >= 0 && n->in_count > 0 && n->in[0] == t.value &&
            onnx__activation(l, n, &act, &slope)) {
            l->done[i] = 1;
            t.act = act;
            t.slope = slope;
            t.value = out0(n);
        }
    }
    t.act = onnx__quantised_act(l, t.value, t.act, t.slope);
    return t;
}
