/* The integer network as an ONNX file: plain float operators between QuantizeLinear and
 * DequantizeLinear pairs, which hold the grids of docs/arithmetic.md. */
#include "dscq/export/packed_onnx.h"

#include "dscq/base/alloc.h"
#include "export_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- putting a value on its grid ---------------------------------------- */

/* What is left of [lo, hi] after the type's own saturation and the activation. */
typedef struct limits {
    int32_t lo, hi; /* codes */
    dscq_act act;   /* what the node does before */
} limits;

static int is_quantised(const dscq_qtensor *t)
{
    return t->bits <= 8;
}

static int32_t type_lo(const dscq_qtensor *t)
{
    return t->is_signed ? -128 : 0;
}

static void scalar_code(export_onnx *w, const char *name, const dscq_qtensor *t,
                        int32_t code)
{
    const int64_t v = code;

    dscq_onnx_graph_ints(&w->g, name, t->is_signed ? DSCQ_ONNX_INT8 : DSCQ_ONNX_UINT8,
                         &v, 0, NULL);
}

/* from -> QuantizeLinear -> [Clip of codes] -> DequantizeLinear -> to. */
static void put_on_grid(export_onnx *w, const dscq_qtensor *t, const limits *l,
                        const char *from, const char *to)
{
    char scale[EXPORT_ONNX_NAME], zero[EXPORT_ONNX_NAME], codes[EXPORT_ONNX_NAME],
        bound[EXPORT_ONNX_NAME], clipped[EXPORT_ONNX_NAME];
    const int clip = l->lo > type_lo(t) || l->hi < type_lo(t) + 255;
    dscq_onnx_node node = {0};

    export__onnx_part(scale, to, "scale");
    export__onnx_part(zero, to, "zero");
    export__onnx_part(codes, to, "codes");
    export__onnx_part(clipped, to, "clipped");
    export__onnx_scalar(&w->g, scale, t->scale);
    scalar_code(w, zero, t, t->zero_point);
    dscq_onnx_node_input(&node, from);
    dscq_onnx_node_input(&node, scale);
    dscq_onnx_node_input(&node, zero);
    dscq_onnx_node_end(&w->g, &node, "QuantizeLinear", codes);
    if (clip) {
        dscq_onnx_node_input(&node, codes);
        export__onnx_part(bound, to, "lo");
        scalar_code(w, bound, t, l->lo);
        dscq_onnx_node_input(&node, bound);
        export__onnx_part(bound, to, "hi");
        scalar_code(w, bound, t, l->hi);
        dscq_onnx_node_input(&node, bound);
        dscq_onnx_node_end(&w->g, &node, "Clip", clipped);
    }
    dscq_onnx_node_input(&node, clip ? clipped : codes);
    dscq_onnx_node_input(&node, scale);
    dscq_onnx_node_input(&node, zero);
    dscq_onnx_node_end(&w->g, &node, "DequantizeLinear", to);
}

/* ---- nodes -------------------------------------------------------------- */

static export_onnx_rule *const k_rules[DSCQ_Q_COUNT] = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = export__onnx_##name,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

/* Has no code below 0, whatever comes in: what a relu or a relu6 leaves behind. */
static int is_clamp(const dscq_qnode *n, const dscq_qtensor *t)
{
    return dscq_qop_has(n->op, DSCQ_QHAS_ACT) && !n->is_leaky &&
           (n->clamp_lo > dscq_qtensor_lo(t) ? n->clamp_lo : dscq_qtensor_lo(t)) ==
               t->zero_point;
}

/* Where a clamp ends, against 6: -1 below, 0 there, 1 above. */
static int against_six(const dscq_qnode *n, const dscq_qtensor *t)
{
    const int32_t hi =
        n->clamp_hi < dscq_qtensor_hi(t) ? n->clamp_hi : dscq_qtensor_hi(t);
    const double past = (hi - t->zero_point) * t->scale - 6;

    return past > 0.5001 * t->scale ? 1 : past < -0.5001 * t->scale ? -1 : 0;
}

/* A file does not say relu6 where the range ends at 6 or before: both clamps are the
 * same there. Taken for relu6 are all of a network in which some end at 6 and none
 * behind it: who reads the ONNX file as a float network needs to know. */
static int is_of_relu6(const dscq_qmodel *m)
{
    int ends = 0;

    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        const dscq_qtensor *t = &m->tensor[n->output];
        const int past = is_clamp(n, t) ? against_six(n, t) : -1;
        if (past > 0)
            return 0;
        ends |= past == 0;
    }
    return ends;
}

static limits limits_of(const export_onnx *w, const dscq_qnode *n,
                        const dscq_qtensor *t)
{
    const int32_t top = dscq_qtensor_hi(t);
    limits l = {dscq_qtensor_lo(t), top, DSCQ_ACT_LINEAR};

    if (dscq_qop_has(n->op, DSCQ_QHAS_CLAMP)) {
        l.lo = n->clamp_lo > l.lo ? n->clamp_lo : l.lo;
        l.hi = n->clamp_hi < l.hi ? n->clamp_hi : l.hi;
    }
    if (!dscq_qop_has(n->op, DSCQ_QHAS_ACT))
        return l;
    if (n->is_leaky)
        l.act = DSCQ_ACT_LEAKY;
    if (!is_clamp(n, t))
        return l;
    const int is_six =
        w->is_relu6 || (l.hi < top && l.hi == t->zero_point + lround(6 / t->scale));
    l.act = is_six ? DSCQ_ACT_RELU6 : DSCQ_ACT_RELU;
    l.lo = type_lo(t); /* the activation sees to it */
    if (is_six && l.hi < top)
        l.hi = type_lo(t) + 255;
    return l;
}

static dscq_status write_node(export_onnx *w, const dscq_qnode *n)
{
    const dscq_qtensor *t = &w->m->tensor[n->output];
    const limits l = limits_of(w, n, t);
    const int act = l.act != DSCQ_ACT_LINEAR;
    const int whole = l.lo <= dscq_qtensor_lo(t) && l.hi >= dscq_qtensor_hi(t);
    const int grid = is_quantised(t) && !(dscq_qop_moves(n->op) && whole);
    const char *name = w->name[n->output];
    char body[EXPORT_ONNX_NAME], real[EXPORT_ONNX_NAME];

    if (!is_quantised(t) && !whole && !act)
        return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                         "layer '%s': %d-bit codes limited to %d..%d have no ONNX form",
                         n->name, t->bits, l.lo, l.hi);
    export__onnx_part(body, name, "z");
    export__onnx_part(real, name, "real");
    const dscq_status status = k_rules[n->op](w, n, act ? body : grid ? real : name);
    if (status != DSCQ_OK)
        return status;
    if (act)
        export__onnx_act(&w->g, l.act, ldexp(n->slope_q15, -15), body,
                         grid ? real : name);
    if (grid)
        put_on_grid(w, t, &l, real, name);
    return DSCQ_OK;
}

/* ---- the whole ---------------------------------------------------------- */

static dscq_shape shape_of(const dscq_qtensor *t)
{
    return (dscq_shape){1, t->h, t->w, t->c};
}

/* Names of tensors, made unlike each other. */
static dscq_status name_values(export_onnx *w)
{
    const int32_t count = w->m->tensor_count;

    w->name = dscq_calloc((size_t)count, sizeof *w->name);
    if (w->name == NULL)
        return dscq_fail_nomem(w->err, "names", (size_t)count * sizeof *w->name);
    for (int32_t i = 0; i < count; i++) {
        const char *given = w->m->tensor[i].name;
        int is_plain = given[0] != '\0';
        for (int32_t j = 0; j < count && is_plain; j++)
            is_plain = j == i || strcmp(w->m->tensor[j].name, given) != 0;
        if (is_plain)
            (void)snprintf(w->name[i], EXPORT_ONNX_NAME, "%.64s", given);
        else
            (void)snprintf(w->name[i], EXPORT_ONNX_NAME, "%.50s#%d", given, (int)i);
    }
    return DSCQ_OK;
}

/* The port is called as the tensor; what is on the grid, by another name. */
static void write_input(export_onnx *w, const dscq_qinput *in)
{
    const dscq_qtensor *t = &w->m->tensor[in->tensor];
    const limits whole = {.lo = dscq_qtensor_lo(t), .hi = dscq_qtensor_hi(t)};
    char port[EXPORT_ONNX_NAME];

    memcpy(port, w->name[in->tensor], sizeof port);
    dscq_onnx_graph_input(&w->g, port, shape_of(t));
    if (!is_quantised(t))
        return;
    export__onnx_part(w->name[in->tensor], port, "grid");
    put_on_grid(w, t, &whole, port, w->name[in->tensor]);
}

dscq_status dscq_export_packed_onnx(const char *path, const dscq_qmodel *m,
                                    dscq_error *err)
{
    export_onnx w = {.m = m, .err = err};
    dscq_status status;

    w.is_relu6 = is_of_relu6(m);
    DSCQ_TRY(name_values(&w));
    for (int32_t i = 0; i < m->input_count; i++)
        write_input(&w, &m->input[i]);
    for (int32_t i = 0; i < m->node_count; i++)
        DSCQ_TRY(write_node(&w, &m->node[i]));
    for (int32_t i = 0; i < m->output_count; i++)
        dscq_onnx_graph_output(&w.g, w.name[m->output[i].tensor],
                               shape_of(&m->tensor[m->output[i].tensor]));
    DSCQ_TRY(dscq_onnx_graph_write(&w.g, m->name, path, err));
done:
    dscq_onnx_graph_free(&w.g);
    dscq_free(w.name);
    return status;
}
