/* Rules for quantised graphs, either way of writing them: QuantizeLinear and
 * DequantizeLinear around float operators (Clip of codes between them for fewer bits),
 * or operators on codes (QLinearConv, QLinearMatMul, ConvInteger, MatMulInteger). They
 * become float layers with the weights the codes stand for; the grids of activations
 * are kept beside the network (dscq_onnx_ranges). */
#include "dscq/nn/layer.h"
#include "lower.h"

#include <math.h>
#include <string.h>

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
    if (depth > 64 || (n->ops->flags & DSCQ_LAYER_BETWEEN) == 0)
        return 0;
    for (int32_t i = 0; i < n->input_count; i++)
        if (!is_within(l, n->input[i], act, depth + 1))
            return 0;
    return 1;
}

static dscq_status keep_range(lower *l, int32_t node, const onnx_grid *g)
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
static dscq_status put_codes(lower *l, const onnx_node *n, onnx_edge v,
                             const onnx_grid *g)
{
    const onnx_tail tail = {.act = onnx__grid_act(g), .value = g->value};
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
    onnx_grid g;

    if (x == NULL)
        return onnx__fail(l, "its input is not a computed map");
    if (!onnx__grid_read(l, n, 1, n->out[0], &g))
        return onnx__fail(l,
                          "scale and zero point must be constants, one for the whole "
                          "map, and the codes of 8 or 16 bits");
    return put_codes(l, n, *x, &g);
}

static int is_same_grid(const onnx_edge *v, const onnx_grid *g)
{
    return v->is_codes && fabs(v->scale - g->scale) <= 1e-6 * g->scale &&
           v->zero == g->zero;
}

/* Input `at` as a real value; its scale and zero point are inputs at + 1 and at + 2. */
static const onnx_edge *real_input(lower *l, const onnx_node *n, int32_t at)
{
    const onnx_edge *x = onnx__run(l, n, at);
    onnx_grid g;

    if (x == NULL || !onnx__grid_read(l, n, at + 1, n->in[at], &g) ||
        !is_same_grid(x, &g))
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
    onnx_grid g;
    dscq_status status;

    if (x == NULL)
        return onnx__fail(l,
                          "its input is not codes of the scale and zero point given");
    const onnx_tensor *w =
        real_weights(l, onnx__const(l, n, 3), ws, onnx__const(l, n, 5), 0, 1);
    if (w == NULL || ws == NULL || !onnx__grid_read(l, n, 6, n->out[0], &g) ||
        (bias == NULL && n->in_count > 8 && n->in[8] >= 0))
        return onnx__fail(l, NO_WEIGHTS);
    if (bias != NULL)
        real = real_weights(l, bias, ws, NULL, 0, x->scale);
    if (bias != NULL && real == NULL)
        return onnx__fail(l, NO_WEIGHTS);
    onnx_edge in = *x;
    in.is_codes = 0;
    const onnx_tail tail = {.act = onnx__grid_act(&g), .value = n->out[0]};
    DSCQ_TRY(onnx__conv(l, n, &in, w, real, &tail));
    DSCQ_TRY(put_codes(l, n, l->value[n->out[0]], &g));
done:
    return status;
}

static dscq_status rule_qlinear_matmul(lower *l, const onnx_node *n)
{
    const onnx_edge *x = real_input(l, n, 0);
    onnx_grid g;
    dscq_status status;

    if (x == NULL)
        return onnx__fail(l,
                          "its input is not codes of the scale and zero point given");
    const onnx_tensor *w = real_weights(l, onnx__const(l, n, 3), onnx__const(l, n, 4),
                                        onnx__const(l, n, 5), 1, 1);
    if (w == NULL || !onnx__grid_read(l, n, 6, n->out[0], &g))
        return onnx__fail(l, NO_WEIGHTS);
    onnx_edge in = *x;
    in.is_codes = 0;
    const onnx_tail tail = {.act = onnx__grid_act(&g), .value = n->out[0]};
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
