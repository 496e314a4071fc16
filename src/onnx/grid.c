/* The grids that quantised graphs put activations on. */
#include "lower.h"

#include <math.h>
#include <string.h>

static int one_number(const onnx_tensor *t, double *v)
{
    if (t == NULL || t->count != 1)
        return 0;
    *v = t->v[0];
    return isfinite(*v) != 0;
}

static int type_range(int32_t type, int32_t *lo, int32_t *hi)
{
    const int is_signed = type == DSCQ_ONNX_INT8 || type == DSCQ_ONNX_INT16;
    const int wide = type == DSCQ_ONNX_INT16 || type == DSCQ_ONNX_UINT16;
    const int32_t span = wide ? 65535 : 255;

    *lo = is_signed ? -(span + 1) / 2 : 0;
    *hi = *lo + span;
    return is_signed || type == DSCQ_ONNX_UINT8 || type == DSCQ_ONNX_UINT16;
}

/* A Clip that alone reads the codes narrows them. */
static void narrow(const lower *l, onnx_grid *g)
{
    const onnx_value *v = &l->f->value[g->value];
    const onnx_node *n =
        v->consumers == 1 && !v->is_output ? &l->f->node[v->consumer] : NULL;
    double lo = g->lo, hi = g->hi;

    if (n == NULL || strcmp(n->op, "Clip") != 0 || n->in[0] != g->value ||
        n->out_count < 1 || n->out[0] < 0)
        return;
    for (int32_t i = 1; i < n->in_count && i < 3; i++)
        if (n->in[i] >= 0 && !one_number(onnx__const(l, n, i), i == 1 ? &lo : &hi))
            return;
    g->lo = lo > g->lo ? (int32_t)fmin(lo, g->hi) : g->lo;
    g->hi = hi < g->hi ? (int32_t)fmax(hi, g->lo) : g->hi;
    g->clip = v->consumer;
    g->value = n->out[0];
}

int onnx__grid_read(const lower *l, const onnx_node *n, int32_t at, int32_t value,
                    onnx_grid *g)
{
    const onnx_tensor *zero = onnx__const(l, n, at + 1);
    double z = 0;

    *g = (onnx_grid){.value = value, .clip = -1};
    if (!one_number(onnx__const(l, n, at), &g->scale) || !(g->scale > 0) ||
        (zero == NULL && at + 1 < n->in_count && n->in[at + 1] >= 0) ||
        (zero != NULL && !one_number(zero, &z)) ||
        !type_range(zero != NULL ? zero->type : DSCQ_ONNX_UINT8, &g->lo, &g->hi))
        return 0;
    g->zero = (int32_t)z;
    g->type_lo = g->lo;
    g->type_hi = g->hi;
    narrow(l, g);
    return 1;
}

static double grid_top(const onnx_grid *g)
{
    return (g->hi - g->zero) * g->scale;
}

dscq_act onnx__grid_act(const onnx_grid *g)
{
    if (g->lo < g->zero)
        return DSCQ_ACT_LINEAR;
    return grid_top(g) <= 6 + 0.5001 * g->scale ? DSCQ_ACT_RELU6 : DSCQ_ACT_RELU;
}

/* `act` with the grid's ends behind it, where one activation is both: what never falls
 * as its input grows keeps its ends. A relu that the file has is left one unless the
 * range ends at 6. */
static dscq_act bounded(const onnx_grid *g, dscq_act act, double slope)
{
    const dscq_act ends = onnx__grid_act(g);
    const int at_six = fabs(grid_top(g) - 6) <= 0.5001 * g->scale;

    if (act == DSCQ_ACT_LINEAR)
        return ends;
    if (act == DSCQ_ACT_RELU)
        return ends == DSCQ_ACT_RELU6 && at_six ? ends : act;
    if (dscq_act_at(act)->is_sloped && slope >= 0 && ends != DSCQ_ACT_LINEAR)
        return ends;
    return act;
}

dscq_act onnx__quantised_act(const lower *l, int32_t value, dscq_act act, double slope)
{
    const onnx_value *v = &l->f->value[value];
    const onnx_node *n =
        v->consumers == 1 && !v->is_output ? &l->f->node[v->consumer] : NULL;
    onnx_grid g;

    if (n == NULL || strcmp(n->op, "QuantizeLinear") != 0 || n->in[0] != value ||
        n->out_count < 1 || n->out[0] < 0 || !onnx__grid_read(l, n, 1, n->out[0], &g))
        return act;
    return bounded(&g, act, slope);
}
