/* Rules for quantised graphs, either way of writing them: QuantizeLinear and
 * DequantizeLinear around float operators (Clip of codes between them for fewer bits),
 * or operators on codes (QLinearConv, QLinearMatMul, ConvInteger, MatMulInteger). They
 * become float layers with the weights the codes stand for; the grids of activations
 * are kept beside the network (dscq_onnx_ranges). */
#include "lower.h"

#include <math.h>
#include <string.h>

/* The grid a QuantizeLinear-like node puts its output on. */
typedef struct grid {
    double scale;
    int32_t zero, lo, hi; /* codes */
    int32_t type_lo, type_hi;
    int32_t value; /* behind a Clip of the codes */
    int32_t clip;  /* that node, or -1 */
} grid;

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
static void narrow(const lower *l, grid *g)
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

/* scale and zero point at inputs `at` and `at + 1` of n; codes are value `value`. */
static int read_grid(const lower *l, const onnx_node *n, int32_t at, int32_t value,
                     grid *g)
{
    const onnx_tensor *zero = onnx__const(l, n, at + 1);
    double z = 0;

    *g = (grid){.value = value, .clip = -1};
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

static double grid_top(const grid *g)
{
    return (g->hi - g->zero) * g->scale;
}

/* What the grid's ends amount to: negative values have no code, nor have those above 6.
 * A range that ends below 6 is what calibration makes of either; relu6 is the nearer
 * one to what the graph computes. */
static dscq_act grid_act(const grid *g)
{
    if (g->lo < g->zero)
        return DSCQ_ACT_LINEAR;
    return grid_top(g) <= 6 + 0.5001 * g->scale ? DSCQ_ACT_RELU6 : DSCQ_ACT_RELU;
}

/* `act` with the grid's ends behind it, where one activation is both: what never falls
 * as its input grows keeps its ends. A relu that the file has is left one unless the
 * range ends at 6. */
static dscq_act bounded(const grid *g, dscq_act act, double slope)
{
    const dscq_act ends = grid_act(g);
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
    grid g;

    if (n == NULL || strcmp(n->op, "QuantizeLinear") != 0 || n->in[0] != value ||
        n->out_count < 1 || n->out[0] < 0 || !read_grid(l, n, 1, n->out[0], &g))
        return act;
    return bounded(&g, act, slope);
}

/* Whether a layer's values lie in the range of `act` anyway. The input is taken as it
 * is. */
static int is_within(const lower *l, int32_t node, dscq_act act, int depth)
{
    if (node == DSCQ_INPUT)
        return 1;
    const dscq_node *n = dscq_model_node(l->m, node);
    const dscq_act_row *is = dscq_act_at(n->act), *want = dscq_act_at(act);
    if (n->act != DSCQ_ACT_LINEAR)
        return is->lo >= want->lo && is->hi <= want->hi;
    if (depth > 64 ||
        (strcmp(n->type, "maxpool") != 0 && strcmp(n->type, "avgpool") != 0 &&
         strcmp(n->type, "route") != 0 && strcmp(n->type, "upsample") != 0 &&
         strcmp(n->type, "reorg") != 0))
        return 0;
    for (int32_t i = 0; i < n->input_count; i++)
        if (!is_within(l, n->input[i], act, depth + 1))
            return 0;
    return 1;
}

static dscq_status keep_range(lower *l, int32_t node, const grid *g)
{
    dscq_onnx *f = l->f;

    for (int32_t i = 0; i < f->range_count; i++)
        if (f->range[i].node == node)
            return DSCQ_OK; /* the first grid it is put on */
    if (f->range == NULL)
        f->range = onnx__take(&f->pool, (size_t)f->node_count + 1, sizeof *f->range);
    if (f->range == NULL)
        return dscq_fail_nomem(l->err, "ranges", 0);
    if (f->range_count <= f->node_count)
        f->range[f->range_count++] =
            (dscq_onnx_range){node, g->scale, g->zero, g->lo, g->hi};
    return DSCQ_OK;
}

/* The real value `v` as codes on the grid. */
static dscq_status put_codes(lower *l, const onnx_node *n, onnx_edge v, const grid *g)
{
    const onnx_tail tail = {.act = grid_act(g), .value = g->value};
    int32_t node;
    dscq_status status;

    /* The top end is the grid's own business: a layer for it would be put on the grid
     * twice. */
    if (tail.act != DSCQ_ACT_LINEAR && !is_within(l, v.part[0], DSCQ_ACT_RELU, 0)) {
        DSCQ_TRY(onnx__add(&node, l, n, "activation", NULL, v.part, 1, &tail, 0));
        v.part[0] = node;
    }
    DSCQ_TRY(keep_range(l, v.part[0], g));
    v.is_codes = 1;
    v.scale = g->scale;
    v.zero = g->zero;
    if (g->clip >= 0)
        l->done[g->clip] = 1;
    onnx__same(l, g->value, &v);
done:
    return status;
}

static dscq_status rule_quantize(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    grid g;

    if (x == NULL)
        return onnx__fail(l, "its input is not a computed map");
    if (!read_grid(l, n, 1, n->out[0], &g))
        return onnx__fail(l,
                          "scale and zero point must be constants, one for the whole "
                          "map, and the codes of 8 or 16 bits");
    return put_codes(l, n, *x, &g);
}

static int is_same_grid(const onnx_edge *v, const grid *g)
{
    return v->is_codes && fabs(v->scale - g->scale) <= 1e-6 * g->scale &&
           v->zero == g->zero;
}

/* Input `at` as a real value; its scale and zero point are inputs at + 1 and at + 2. */
static const onnx_edge *real_input(lower *l, const onnx_node *n, int32_t at)
{
    const onnx_edge *x = onnx__run(l, n, at);
    grid g;

    if (x == NULL || !read_grid(l, n, at + 1, n->in[at], &g) || !is_same_grid(x, &g))
        return NULL;
    return x;
}

static dscq_status rule_dequantize(lower *l, const onnx_node *n)
{
    const onnx_edge *x = real_input(l, n, 0);

    if (x == NULL)
        return onnx__fail(l, "its input is not codes made with the same scale and zero "
                             "point");
    onnx_edge v = *x;
    v.is_codes = 0;
    onnx__same(l, n->out[0], &v);
    return DSCQ_OK;
}

/* (codes - zero) * scale * factor: along the first dimension (filters) or the last
 * (columns of a matrix) one scale and zero point each, or one for all. */
static onnx_tensor *real_weights(lower *l, const onnx_tensor *codes,
                                 const onnx_tensor *scale, const onnx_tensor *zero,
                                 int columns, double factor)
{
    if (codes == NULL || codes->rank < 1 || codes->count == 0)
        return NULL;
    const size_t each = (size_t)codes->dim[columns ? codes->rank - 1 : 0];
    const size_t inner = columns ? 1 : codes->count / each;
    onnx_tensor *t = onnx__new(&l->pool, DSCQ_ONNX_FLOAT, codes->rank, codes->dim);

    if (t == NULL || (scale != NULL && scale->count != 1 && scale->count != each) ||
        (zero != NULL && zero->count != 1 && zero->count != each))
        return NULL;
    for (size_t i = 0; i < t->count; i++) {
        const size_t k = i / inner % each;
        const double s = scale != NULL ? scale->v[scale->count == 1 ? 0 : k] : 1;
        const double z = zero != NULL ? zero->v[zero->count == 1 ? 0 : k] : 0;
        t->v[i] = (codes->v[i] - z) * s * factor;
    }
    return t;
}

#define NO_WEIGHTS "weights, scales and zero points must be constants that go together"

static dscq_status rule_qlinear_conv(lower *l, const onnx_node *n)
{
    const onnx_edge *x = real_input(l, n, 0);
    const onnx_tensor *ws = onnx__const(l, n, 4), *bias = onnx__const(l, n, 8),
                      *real = NULL;
    grid g;
    dscq_status status;

    if (x == NULL)
        return onnx__fail(l,
                          "its input is not codes of the scale and zero point given");
    const onnx_tensor *w =
        real_weights(l, onnx__const(l, n, 3), ws, onnx__const(l, n, 5), 0, 1);
    if (w == NULL || ws == NULL || !read_grid(l, n, 6, n->out[0], &g) ||
        (bias == NULL && n->in_count > 8 && n->in[8] >= 0))
        return onnx__fail(l, NO_WEIGHTS);
    if (bias != NULL)
        real = real_weights(l, bias, ws, NULL, 0, x->scale);
    if (bias != NULL && real == NULL)
        return onnx__fail(l, NO_WEIGHTS);
    onnx_edge in = *x;
    in.is_codes = 0;
    const onnx_tail tail = {.act = grid_act(&g), .value = n->out[0]};
    DSCQ_TRY(onnx__conv(l, n, &in, w, real, &tail));
    DSCQ_TRY(put_codes(l, n, l->value[n->out[0]], &g));
done:
    return status;
}

static dscq_status rule_qlinear_matmul(lower *l, const onnx_node *n)
{
    const onnx_edge *x = real_input(l, n, 0);
    grid g;
    dscq_status status;

    if (x == NULL)
        return onnx__fail(l,
                          "its input is not codes of the scale and zero point given");
    const onnx_tensor *w = real_weights(l, onnx__const(l, n, 3), onnx__const(l, n, 4),
                                        onnx__const(l, n, 5), 1, 1);
    if (w == NULL || !read_grid(l, n, 6, n->out[0], &g))
        return onnx__fail(l, NO_WEIGHTS);
    onnx_edge in = *x;
    in.is_codes = 0;
    const onnx_tail tail = {.act = grid_act(&g), .value = n->out[0]};
    DSCQ_TRY(onnx__dense(l, n, &in, w, &tail));
    DSCQ_TRY(put_codes(l, n, l->value[n->out[0]], &g));
done:
    return status;
}

/* Products of codes as 32-bit numbers: the real input divided by its scale, times whole
 * weights. What multiplies the scales back in follows as an ordinary product. */
static dscq_status integer_product(lower *l, const onnx_node *n, int conv)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const onnx_tensor *zero = onnx__const(l, n, 2);
    const double given = zero != NULL && zero->count == 1 ? zero->v[0] : 0;

    if (x == NULL || (zero == NULL && n->in_count > 2 && n->in[2] >= 0) ||
        given != (x->is_codes ? x->zero : 0))
        return onnx__fail(l, "its input is not codes of the zero point given");
    const onnx_tensor *w =
        real_weights(l, onnx__const(l, n, 1), NULL, onnx__const(l, n, 3), !conv,
                     x->is_codes ? 1 / x->scale : 1);
    if (w == NULL)
        return onnx__fail(l, NO_WEIGHTS);
    onnx_edge in = *x;
    in.is_codes = 0;
    const onnx_tail tail = {.act = DSCQ_ACT_LINEAR, .value = n->out[0]};
    return conv ? onnx__conv(l, n, &in, w, NULL, &tail)
                : onnx__dense(l, n, &in, w, &tail);
}

static dscq_status rule_conv_integer(lower *l, const onnx_node *n)
{
    return integer_product(l, n, 1);
}

static dscq_status rule_matmul_integer(lower *l, const onnx_node *n)
{
    return integer_product(l, n, 0);
}

static int make_const(lower *l, int32_t value, int32_t type, double v)
{
    onnx_tensor *t = onnx__new(&l->pool, type, 0, NULL);

    if (t == NULL)
        return 0;
    t->v[0] = v;
    if (value >= 0) {
        l->konst[value] = t;
        l->value[value].kind = ONNX_CONST;
    }
    return 1;
}

/* A grid that is chosen for every image: in the float network there is none, so codes
 * stand for themselves with scale 1 and zero point 0. */
static dscq_status rule_dynamic(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);

    if (x == NULL || n->out_count != 3)
        return onnx__fail(l, "its input is not a computed map, or outputs are missing");
    onnx__same(l, n->out[0], x);
    if (!make_const(l, n->out[1], DSCQ_ONNX_FLOAT, 1) ||
        !make_const(l, n->out[2], DSCQ_ONNX_UINT8, 0))
        return dscq_fail_nomem(l->err, "constants", 0);
    return DSCQ_OK;
}

const onnx_row onnx__rows_quant[] = {
    {"QuantizeLinear", rule_quantize, ONNX_REAL},
    {"DequantizeLinear", rule_dequantize, ONNX_CODES},
    {"DynamicQuantizeLinear", rule_dynamic, ONNX_REAL},
    {"QLinearConv", rule_qlinear_conv, ONNX_CODES},
    {"QLinearMatMul", rule_qlinear_matmul, ONNX_CODES},
    {"ConvInteger", rule_conv_integer, ONNX_CODES},
    {"MatMulInteger", rule_matmul_integer, ONNX_CODES},
    {NULL, NULL, ONNX_REAL},
};
