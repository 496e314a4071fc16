/* What the rows of the builder share: tensors, nodes, factors, activations. */
#include "build_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/compress/calibrate.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dscq_status build__refuse(const build_ctx *b, const dscq_node *n, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return dscq_fail(b->err, DSCQ_UNSUPPORTED, "layer '%s' (%s): %s", n->name, n->type,
                     text);
}

int32_t build__input_of(const build_ctx *b, const dscq_node *n, int32_t j)
{
    return n->input[j] == DSCQ_INPUT ? b->input : b->tensor[n->input[j]];
}

const dscq_aquant *build__edge_of(const build_ctx *b, int32_t i, dscq_aquant *store)
{
    const dscq_aquant *e = &b->spec->edge[i];
    const int32_t want = b->spec->logit_bits == 0 ? 16 : b->spec->logit_bits;

    if (e->bits == 0)
        return NULL;
    if (!b->is_out[i] || e->bits >= want || !e->is_signed)
        return e;
    const int32_t finer = (want - e->bits) / 2;
    *store = *e;
    store->bits = want;
    store->scale = ldexp(e->scale, -finer);
    store->zero_point = e->zero_point * (1 << finer);
    return store;
}

dscq_aquant build__edge_from(const dscq_qtensor *t)
{
    return (dscq_aquant){t->scale, t->zero_point, t->bits, t->is_signed};
}

dscq_status build__new_tensor(build_ctx *b, int32_t *out, const char *name,
                              dscq_shape shape, const dscq_aquant *edge)
{
    dscq_qtensor *t = &b->m->tensor[b->m->tensor_count];

    if (!(edge->scale > 0.0) || edge->bits < 4 || edge->bits > 16)
        return dscq_fail(
            b->err, DSCQ_ARG,
            "tensor '%s': scale %g, %d bits; want a scale above 0 and 4 to "
            "16 bits",
            name, edge->scale, edge->bits);
    (void)dscq_str_clean(t->name, sizeof t->name, name);
    t->h = shape.h;
    t->w = shape.w;
    t->c = shape.c;
    t->bits = edge->bits;
    t->is_signed = edge->is_signed;
    t->zero_point = edge->zero_point;
    const int32_t made = b->m->tensor_count - b->first_tensor;
    t->scale = edge->scale * (made < BUILD_LAYER_TENSORS ? b->wider[made] : 1.0);
    *out = b->m->tensor_count++;
    return DSCQ_OK;
}

dscq_qnode *build__new_node(build_ctx *b, dscq_qop op, const char *name,
                            const char *suffix, const int32_t *input, int32_t count,
                            int32_t output)
{
    dscq_qnode *q = &b->m->node[b->m->node_count++];
    const dscq_qtensor *y = &b->m->tensor[output];
    const size_t room = sizeof q->name - 1 - strlen(suffix);

    (void)dscq_str_clean(q->name, room + 1, name);
    memcpy(q->name + strlen(q->name), suffix, strlen(suffix) + 1);
    q->op = op;
    for (int32_t i = 0; i < count; i++)
        q->input[i] = input[i];
    q->input_count = count;
    q->output = output;
    q->clamp_lo = dscq_qtensor_lo(y);
    q->clamp_hi = dscq_qtensor_hi(y);
    return q;
}

void build__copy_window(dscq_qnode *q, const dscq_window *w)
{
    q->stride_h = w->stride_h;
    q->stride_w = w->stride_w;
    q->pad_top = w->pad_top;
    q->pad_left = w->pad_left;
    q->pad_bottom = w->pad_bottom;
    q->pad_right = w->pad_right;
}

int build__fits(build_ctx *b, const dscq_qnode *q, double size, double most)
{
    const int32_t made = q->output - b->first_tensor;
    const int32_t bits = b->m->tensor[q->output].bits;

    assert(made >= 0 && made < BUILD_LAYER_TENSORS);
    const double room = ldexp(1.0, bits > 8 ? bits - 8 : 0) / b->wider[made];
    if (size <= most || room <= 1.0)
        return 1;
    b->want[made] = fmax(b->want[made], fmin(size / most, room));
    return 0;
}

dscq_status build__set_scale(build_ctx *b, const dscq_node *n, dscq_qnode *q, int32_t k,
                             double factor)
{
    if (isfinite(factor) && !build__fits(b, q, fabs(factor), BUILD_FACTOR_MAX))
        return DSCQ_OK;
    if (isfinite(factor)) /* 128 steps for every unit: 8 bits end after two */
        factor = fmin(fmax(factor, -BUILD_FACTOR_MAX), BUILD_FACTOR_MAX);
    if (!dscq_qmultiplier(&q->mult[k], &q->shift[k], factor))
        return dscq_fail(
            b->err, DSCQ_ARG,
            "layer '%s': factor %g of entry %d; the scales do not fit each "
            "other",
            n->name, factor, k);
    return DSCQ_OK;
}

/* ---- activations ---- */

int build__set_act(const build_ctx *b, dscq_qnode *q, dscq_act act, double slope)
{
    const dscq_qtensor *y = &b->m->tensor[q->output];
    const dscq_act_row *row = dscq_act_at(act);

    if (row->kind == DSCQ_ACT_CLAMP) {
        const double lo = y->zero_point + dscq_round_away(row->lo / y->scale),
                     hi = y->zero_point + dscq_round_away(row->hi / y->scale);
        q->clamp_lo = (int32_t)fmax(q->clamp_lo, lo);
        q->clamp_hi = (int32_t)fmin(q->clamp_hi, hi);
    }
    if (row->kind == DSCQ_ACT_LEAK) {
        const double s = dscq_round_away(slope * 32768.0);
        if (!(s >= 0.0 && s <= 32768.0))
            return 0;
        q->is_leaky = 1;
        q->slope_q15 = (int32_t)s;
    }
    return row->kind != DSCQ_ACT_CURVE;
}

/* In front of a table: the given edge, or what of it the output's can tell apart. */
static dscq_aquant edge_before(const build_ctx *b, int32_t i, const dscq_node *n,
                               const dscq_aquant *after)
{
    if (b->spec->before_act != NULL && b->spec->before_act[i].bits != 0)
        return b->spec->before_act[i];
    return dscq_aquant_before(n->act, n->act_slope, after, 8);
}

dscq_status build__open_act(build_ctx *b, int32_t i, const dscq_node *n,
                            int32_t *tensor, int *lut)
{
    dscq_aquant store;
    const dscq_aquant *edge = build__edge_of(b, i, &store);

    *lut = dscq_node_has_table(n);
    if (edge == NULL)
        return dscq_fail(b->err, DSCQ_ARG, "layer '%s': its output has no scale",
                         n->name);
    if (!*lut)
        return build__new_tensor(b, tensor, n->name, n->out, edge);
    const dscq_aquant before = edge_before(b, i, n, edge);
    char name[64];
    (void)snprintf(name, sizeof name, "%.59s.pre", n->name);
    if (before.bits > 8)
        return dscq_fail(b->err, DSCQ_ARG,
                         "layer '%s': %d bits before its activation; a table takes 8",
                         n->name, before.bits);
    return build__new_tensor(b, tensor, name, n->out, &before);
}

/* What the node makes of the value v in front of its table. */
static double value_of(const dscq_node *n, double v)
{
    const dscq_shape one = {1, 1, 1, 1};
    const double *const x[] = {&v};
    double z = v;

    if (n->ops->does == DSCQ_DOES_POINT)
        n->ops->reference(&z, n, x, &one, 1, NULL);
    return dscq_act_value(n->act, n->act_slope, z);
}

static dscq_status fill_table(const build_ctx *b, dscq_qnode *q, const dscq_node *n)
{
    const dscq_qtensor *x = &b->m->tensor[q->input[0]], *y = &b->m->tensor[q->output];
    const double lo = dscq_qtensor_lo(y), hi = dscq_qtensor_hi(y);

    q->table_count = 1 << x->bits;
    q->table = dscq_calloc((size_t)q->table_count, sizeof *q->table);
    if (q->table == NULL)
        return dscq_fail_nomem(b->err, "activation table",
                               (size_t)q->table_count * sizeof *q->table);
    for (int32_t i = 0; i < q->table_count; i++) {
        const double v = x->scale * (i + dscq_qtensor_lo(x) - x->zero_point);
        const double u = dscq_round_away(value_of(n, v) / y->scale) + y->zero_point;
        q->table[i] = (int32_t)fmin(fmax(u, lo), hi);
    }
    return DSCQ_OK;
}

dscq_status build__close_act(build_ctx *b, int32_t i, const dscq_node *n,
                             int32_t tensor, int lut)
{
    dscq_aquant store;
    const dscq_aquant *edge = build__edge_of(b, i, &store);
    int32_t y = -1;

    b->tensor[i] = tensor;
    if (!lut)
        return DSCQ_OK;
    const dscq_status status = build__new_tensor(b, &y, n->name, n->out, edge);
    if (status != DSCQ_OK)
        return status;
    dscq_qnode *q = build__new_node(b, DSCQ_Q_LUT, n->name, ".act", &tensor, 1, y);
    b->tensor[i] = y;
    return fill_table(b, q, n);
}
