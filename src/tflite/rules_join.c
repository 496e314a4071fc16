/* Rules for sums, products and concatenation. */
#include "dscq/base/alloc.h"
#include "lower.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- with a constant ---------------------------------------------------- */

/* Real values of constant input i for the c channels of a map: one, or one a channel.
 * NULL: it is neither, or memory was short (then *status says so). */
static double *per_channel(dscq_status *status, lower *l, const tfl_op *o, uint32_t i,
                           int32_t c)
{
    const tfl_tensor *t = tflite__const(l, o, i);
    const uint64_t n = t != NULL ? tflite__elements(t) : 0;
    int32_t lo, hi;

    *status = DSCQ_OK;
    if (n == 0 || (n != 1 && n != (uint64_t)c) ||
        (n != 1 && t->dim[t->rank - 1] != c) || t->scale.count > 1)
        return NULL;
    double *v = dscq_malloc((size_t)c, sizeof *v);
    if (v == NULL) {
        *status = dscq_fail_nomem(l->err, "constants", (size_t)c * sizeof *v);
        return NULL;
    }
    const int coded = tflite__code_range(t->type, &lo, &hi);
    for (int32_t k = 0; k < c; k++) {
        const double raw = tflite__value(t, n == 1 ? 0 : (size_t)k);
        v[k] = coded ? (raw - tflite__zero(t, 0)) * tflite__scale(t, 0) : raw;
    }
    return v;
}

#define NO_FORM                                                                        \
    "neither computed maps of the same shape nor a map and one constant a channel"

/* One input of two is constant: the other one, and the values. */
static dscq_status with_const(tfl_edge *x, double **v, int *const_first, lower *l,
                              const tfl_op *o)
{
    const uint32_t at = tflite__edge(l, o, 0) != NULL ? 0 : 1;
    dscq_status status;

    *v = NULL;
    *const_first = at == 1;
    if (tflite__const(l, o, 1 - at) == NULL)
        return tflite__fail(l, NO_FORM);
    DSCQ_TRY(tflite__run(x, l, o, at));
    const int32_t c = tflite__shape(l, x).c;
    if (x->dim[x->rank - 1] != c)
        return tflite__fail(l, NO_FORM);
    *v = per_channel(&status, l, o, 1 - at, c);
    if (*v == NULL && status == DSCQ_OK)
        status = tflite__fail(l, NO_FORM);
done:
    return status;
}

/* scale * x + shift, and the ending of o. */
static dscq_status add_affine(lower *l, const tfl_op *o, const tfl_edge *x,
                              const double *scale, const double *shift, int64_t fused)
{
    tfl_tail tail;
    int32_t node = 0;
    dscq_status status;

    DSCQ_TRY(tflite__tail(&tail, l, o, fused));
    DSCQ_TRY(tflite__affine(&node, l, o, x->part[0], scale, shift, &tail));
    DSCQ_TRY(tflite__finish(l, o, &tail, node, x->rank, x->dim));
done:
    return status;
}

static double *filled(lower *l, int32_t c, double value, dscq_status *status)
{
    double *v = dscq_malloc((size_t)c, sizeof *v);

    *status = v != NULL ? DSCQ_OK : dscq_fail_nomem(l->err, "constants", (size_t)c * 8);
    for (int32_t i = 0; v != NULL && i < c; i++)
        v[i] = value;
    return v;
}

/* x + v, x - v or v - x. */
static dscq_status sum_with_const(lower *l, const tfl_op *o, int minus, int64_t fused)
{
    double *v = NULL, *scale = NULL;
    int const_first;
    tfl_edge x = {.rank = 0};
    dscq_status status;

    DSCQ_TRY(with_const(&x, &v, &const_first, l, o));
    assert(v != NULL);
    const int32_t c = tflite__shape(l, &x).c;
    scale = filled(l, c, minus && const_first ? -1 : 1, &status);
    if (scale == NULL)
        goto done;
    for (int32_t i = 0; minus && !const_first && i < c; i++)
        v[i] = -v[i];
    DSCQ_TRY(add_affine(l, o, &x, scale, v, fused));
done:
    dscq_free(v);
    dscq_free(scale);
    return status;
}

static dscq_status product_with_const(lower *l, const tfl_op *o, int divide,
                                      int64_t fused)
{
    double *v = NULL;
    int const_first;
    tfl_edge x = {.rank = 0};
    dscq_status status;

    DSCQ_TRY(with_const(&x, &v, &const_first, l, o));
    assert(v != NULL);
    for (int32_t i = 0; divide && i < tflite__shape(l, &x).c; i++) {
        if (const_first || v[i] == 0) {
            status = tflite__fail(l, const_first ? NO_FORM : "division by zero");
            goto done;
        }
        v[i] = 1 / v[i];
    }
    DSCQ_TRY(add_affine(l, o, &x, v, NULL, fused));
done:
    dscq_free(v);
    return status;
}

dscq_status tflite__rule_neg(lower *l, const tfl_op *o)
{
    double *v = NULL;
    tfl_edge x = {.rank = 0};
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    v = filled(l, tflite__shape(l, &x).c, -1, &status);
    if (v != NULL)
        status = add_affine(l, o, &x, v, NULL, 0);
done:
    dscq_free(v);
    return status;
}

/* ---- maps --------------------------------------------------------------- */

/* alpha times the first, beta times the others. */
static dscq_status sum_of_maps(lower *l, const tfl_op *o, double beta, int64_t fused)
{
    const dscq_shortcut_params p = {.alpha = 1, .beta = beta};
    int32_t input[DSCQ_NODE_INPUTS] = {0}, node = 0;
    tfl_edge first = {.rank = 0}, v;
    tfl_tail tail;
    dscq_status status;

    if (o->in.count < 2 || o->in.count > DSCQ_NODE_INPUTS)
        return tflite__fail(l, "a sum of one, or of more than 16");
    for (uint32_t i = 0; i < o->in.count; i++) {
        DSCQ_TRY(tflite__run(&v, l, o, i));
        if (i == 0)
            first = v;
        if (!tflite__same_dims(&v, &first))
            return tflite__fail(l, NO_FORM);
        input[i] = v.part[0];
    }
    DSCQ_TRY(tflite__tail(&tail, l, o, fused));
    DSCQ_TRY(tflite__add(&node, l, o, "shortcut", &p, input, (int32_t)o->in.count,
                         &tail, 0));
    DSCQ_TRY(tflite__finish(l, o, &tail, node, first.rank, first.dim));
done:
    return status;
}

static int are_maps(const lower *l, const tfl_op *o)
{
    return o->in.count == 2 && tflite__edge(l, o, 0) != NULL &&
           tflite__edge(l, o, 1) != NULL;
}

dscq_status tflite__rule_add(lower *l, const tfl_op *o)
{
    const int64_t fused = tflite__int(&o->options, 0, 1, 0);

    return are_maps(l, o) ? sum_of_maps(l, o, 1, fused)
                          : sum_with_const(l, o, 0, fused);
}

dscq_status tflite__rule_sub(lower *l, const tfl_op *o)
{
    const int64_t fused = tflite__int(&o->options, 0, 1, 0);

    return are_maps(l, o) ? sum_of_maps(l, o, -1, fused)
                          : sum_with_const(l, o, 1, fused);
}

dscq_status tflite__rule_add_n(lower *l, const tfl_op *o)
{
    return sum_of_maps(l, o, 1, 0);
}

dscq_status tflite__rule_mul(lower *l, const tfl_op *o)
{
    const dscq_scale_channels_params p = {0};
    const int64_t fused = tflite__int(&o->options, 0, 1, 0);
    tfl_edge a, b;
    tfl_tail tail;
    int32_t node = 0;
    dscq_status status;

    if (!are_maps(l, o))
        return product_with_const(l, o, 0, fused);
    DSCQ_TRY(tflite__run(&a, l, o, 0));
    DSCQ_TRY(tflite__run(&b, l, o, 1));
    const int vector = tflite__is_vector(l, &a) ? 0 : tflite__is_vector(l, &b) ? 1 : -1;
    const tfl_edge *map = vector == 0 ? &b : &a, *small = vector == 0 ? &a : &b;
    if (!tflite__same_dims(&a, &b) &&
        (vector < 0 || small->dim[small->rank - 1] != map->dim[map->rank - 1] ||
         tflite__count(small) != map->dim[map->rank - 1]))
        return tflite__fail(l, "a product of maps of different shapes");
    const int32_t input[] = {small->part[0], map->part[0]};
    DSCQ_TRY(tflite__tail(&tail, l, o, fused));
    DSCQ_TRY(tflite__add(&node, l, o, "scale_channels", &p, input, 2, &tail, 0));
    DSCQ_TRY(tflite__finish(l, o, &tail, node, map->rank, map->dim));
done:
    return status;
}

dscq_status tflite__rule_div(lower *l, const tfl_op *o)
{
    return are_maps(l, o)
               ? tflite__fail(l, "a quotient of two computed maps")
               : product_with_const(l, o, 1, tflite__int(&o->options, 0, 1, 0));
}

/* ---- the larger, the smaller -------------------------------------------- */

/* max(x, 0) is relu; min of that and 6 is relu6. */
static dscq_status bound(lower *l, const tfl_op *o, double limit, dscq_act act)
{
    tfl_tail tail = {.act = act, .tensor = tflite__index(o->out, 0)};
    int const_first;
    double *v = NULL;
    tfl_edge x = {.rank = 0};
    int32_t node = 0;
    dscq_status status;

    DSCQ_TRY(with_const(&x, &v, &const_first, l, o));
    assert(v != NULL);
    const int32_t c = tflite__shape(l, &x).c;
    int same = 1;
    for (int32_t i = 0; i < c; i++)
        same = same && fabs(v[i] - limit) < 1e-6;
    if (!same || (act == DSCQ_ACT_RELU6 && !tflite__is_positive(l, x.part[0]))) {
        status =
            tflite__fail(l, "only max(x, 0), and min(x, 6) of what is not negative");
        goto done;
    }
    DSCQ_TRY(tflite__add(&node, l, o, "activation", NULL, x.part, 1, &tail, 0));
    DSCQ_TRY(tflite__finish(l, o, &tail, node, x.rank, x.dim));
done:
    dscq_free(v);
    return status;
}

dscq_status tflite__rule_maximum(lower *l, const tfl_op *o)
{
    return bound(l, o, 0, DSCQ_ACT_RELU);
}

dscq_status tflite__rule_minimum(lower *l, const tfl_op *o)
{
    return bound(l, o, 6, DSCQ_ACT_RELU6);
}

/* ---- concatenation ------------------------------------------------------ */

/* Rows of several maps, one after the other: only outputs of the file. */
static dscq_status concat_rows(lower *l, const tfl_op *o, int64_t axis)
{
    tfl_edge out = {.kind = TFL_PARTS};

    for (uint32_t i = 0; i < o->in.count; i++) {
        const tfl_edge *v = tflite__edge(l, o, i);
        if (v == NULL || v->softmax > 0 || v->pad[0] || v->pad[1] || v->pad[2] ||
            v->pad[3] || out.count + v->count > DSCQ_GRAPH_PARTS)
            return tflite__fail(l,
                                "a concatenation that is neither along channels nor of "
                                "rows of outputs");
        if (i == 0) {
            out.rank = v->rank;
            memcpy(out.dim, v->dim, sizeof out.dim);
        } else {
            for (int32_t d = 0; d < out.rank; d++)
                if (v->rank != out.rank || (d != axis && v->dim[d] != out.dim[d]))
                    return tflite__fail(l, "rows of different lengths");
            out.dim[axis] += v->dim[axis];
        }
        for (int32_t p = 0; p < v->count; p++)
            out.part[out.count++] = v->part[p];
    }
    return tflite__same(l, o, &out);
}

/* Whether every input has its channels last. */
static int is_along_channels(const lower *l, const tfl_op *o, int64_t axis)
{
    for (uint32_t i = 0; i < o->in.count; i++) {
        const tfl_edge *v = tflite__edge(l, o, i), *first = tflite__edge(l, o, 0);
        if (v == NULL || v->kind != TFL_RUN || axis != v->rank - 1 ||
            v->rank != first->rank || v->dim[axis] != tflite__shape(l, v).c)
            return 0;
    }
    return o->in.count <= DSCQ_NODE_INPUTS;
}

static dscq_status concat_channels(lower *l, const tfl_op *o, const tfl_tail *tail)
{
    const dscq_route_params p = {.groups = 1};
    int32_t input[DSCQ_NODE_INPUTS] = {0}, node = 0;
    tfl_edge first = {.rank = 0}, v = {.rank = 0};
    int64_t channels = 0;
    dscq_status status = DSCQ_OK;

    for (uint32_t i = 0; i < o->in.count; i++) {
        DSCQ_TRY(tflite__run(&v, l, o, i));
        if (v.rank < 1)
            return tflite__fail(l, "a map without dimensions");
        if (i == 0)
            first = v;
        for (int32_t d = 0; d + 1 < v.rank; d++)
            if (v.dim[d] != first.dim[d])
                return tflite__fail(l, "maps of different rows and columns");
        channels += v.dim[v.rank - 1];
        input[i] = v.part[0];
    }
    if (o->in.count < 1)
        return tflite__fail(l, "no inputs");
    if (o->in.count == 1)
        return tflite__same(l, o, &first);
    first.dim[first.rank - 1] = channels;
    DSCQ_TRY(
        tflite__add(&node, l, o, "route", &p, input, (int32_t)o->in.count, NULL, 0));
    if (tail->act != DSCQ_ACT_LINEAR)
        DSCQ_TRY(tflite__add(&node, l, o, "activation", NULL, &node, 1, tail, 0));
    DSCQ_TRY(tflite__finish(l, o, tail, node, first.rank, first.dim));
done:
    return status;
}

dscq_status tflite__rule_concatenation(lower *l, const tfl_op *o)
{
    const tfl_edge *x = tflite__edge(l, o, 0);
    const int64_t fused = tflite__int(&o->options, 1, 1, 0);
    int64_t axis = tflite__int(&o->options, 0, 4, 0);
    tfl_tail tail;
    dscq_status status;

    if (x == NULL || !tflite__axis(&axis, x->rank) || axis == 0)
        return tflite__fail(l, "its inputs are not computed maps, or its axis is the "
                               "batch");
    if (!is_along_channels(l, o, axis))
        return fused == 0 ? concat_rows(l, o, axis)
                          : tflite__fail(l, "rows of outputs with an activation");
    DSCQ_TRY(tflite__tail(&tail, l, o, fused));
    DSCQ_TRY(concat_channels(l, o, &tail));
done:
    return status;
}
