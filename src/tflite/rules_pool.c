/* Rules for pooling, and for reductions over rows and columns. */
#include "dscq/nn/layer.h"
#include "lower.h"

int tflite__is_positive(const lower *l, int32_t node)
{
    for (int depth = 0; node != DSCQ_INPUT && depth < 64; depth++) {
        const dscq_node *n = dscq_model_node(l->m, node);
        if (n->act != DSCQ_ACT_LINEAR)
            return dscq_act_at(n->act)->lo >= 0;
        const dscq_layer_does does = n->ops->does;
        if (does != DSCQ_DOES_MAX && does != DSCQ_DOES_MEAN &&
            does != DSCQ_DOES_UPSAMPLE)
            return 0;
        node = n->input[0];
    }
    return 0;
}

static dscq_status add_pool(lower *l, const tfl_op *o, const tfl_edge *x, int max,
                            const dscq_pool_params *p, const tfl_tail *tail,
                            int32_t rank, const int64_t *dim)
{
    int32_t node;
    dscq_status status;

    DSCQ_TRY(
        tflite__add(&node, l, o, max ? "maxpool" : "avgpool", p, x->part, 1, NULL, 0));
    if (tail->act != DSCQ_ACT_LINEAR)
        DSCQ_TRY(tflite__add(&node, l, o, "activation", NULL, &node, 1, tail, 0));
    DSCQ_TRY(tflite__finish(l, o, tail, node, rank, dim));
done:
    return status;
}

/* A fused relu of what is not negative does nothing. */
static void drop_relu(tfl_tail *tail, const lower *l, const tfl_edge *x)
{
    if (tail->act == DSCQ_ACT_RELU && tflite__is_positive(l, x->part[0]))
        tail->act = DSCQ_ACT_LINEAR;
}

/* Zeros around what is never negative win no maximum: they are padding like any other.
 */
static int takes_pads(tfl_edge *x, const lower *l, const tfl_op *o)
{
    const tfl_edge *v = tflite__edge(l, o, 0);
    int turned;

    if (v == NULL || !tflite__is_padded_map(l, v, &turned) ||
        !tflite__is_positive(l, v->part[0]))
        return 0;
    *x = *v;
    return 1;
}

/* The window over x, and x's dimensions behind it. */
static dscq_status pool_window(dscq_window *w, tfl_edge *x, const lower *l,
                               const tfl_op *o)
{
    const tfl_table *t = &o->options; /* width stands before height */
    const int64_t one[] = {1, 1},
                  stride[] = {tflite__int(t, 2, 4, 0), tflite__int(t, 1, 4, 0)},
                  kernel[] = {tflite__int(t, 4, 4, 0), tflite__int(t, 3, 4, 0)};
    dscq_status status;

    DSCQ_TRY(tflite__window(w, l, kernel, stride, one));
    DSCQ_TRY(tflite__pads(w, l, x, tflite__int(t, 0, 1, 0)));
    for (int i = 0; i < 2; i++) {
        const int64_t pads = /* what waits is in the dimension already */
            (i == 0 ? w->pad_top + w->pad_bottom : w->pad_left + w->pad_right) -
            x->pad[i] - x->pad[2 + i];
        if (x->dim[1 + i] + pads < kernel[i])
            return tflite__fail(l, "a window that does not fit its input");
        x->dim[1 + i] = (x->dim[1 + i] + pads - kernel[i]) / stride[i] + 1;
    }
done:
    return status;
}

static dscq_status pool(lower *l, const tfl_op *o, int max)
{
    dscq_window w;
    tfl_edge x;
    tfl_tail tail;
    int turned;
    dscq_status status;

    if (!max || !takes_pads(&x, l, o))
        DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (!tflite__is_padded_map(l, &x, &turned))
        return tflite__fail(l, "its input is not an N x H x W x C map");
    DSCQ_TRY(pool_window(&w, &x, l, o));
    if (turned)
        w = tflite__turn(w);
    const dscq_pool_params p = dscq_pool_params_make(&w, 0);
    DSCQ_TRY(tflite__tail(&tail, l, o, tflite__int(&o->options, 5, 1, 0)));
    drop_relu(&tail, l, &x);
    DSCQ_TRY(add_pool(l, o, &x, max, &p, &tail, 4, x.dim));
done:
    return status;
}

dscq_status tflite__rule_average_pool(lower *l, const tfl_op *o)
{
    return pool(l, o, 0);
}

dscq_status tflite__rule_max_pool(lower *l, const tfl_op *o)
{
    return pool(l, o, 1);
}

/* Dimensions without (or, kept, with 1 for) those that a reduction takes away. */
static int32_t reduced(int64_t *dim, const tfl_edge *x, const int *taken, int keep)
{
    int32_t rank = 0;

    for (int32_t i = 0; i < x->rank; i++)
        if (!taken[i] || keep)
            dim[rank++] = taken[i] ? 1 : x->dim[i];
    return rank;
}

static dscq_status reduce(lower *l, const tfl_op *o, int max)
{
    int64_t axis[DSCQ_GRAPH_RANK], dim[DSCQ_GRAPH_RANK];
    int taken[DSCQ_GRAPH_RANK] = {0}, turned;
    tfl_tail tail;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    const int32_t n = tflite__ints(l, o, 1, axis, DSCQ_GRAPH_RANK);
    const dscq_shape s = tflite__shape(l, &x);
    for (int32_t i = 0; i < n; i++) {
        if (!tflite__axis(&axis[i], x.rank))
            return tflite__fail(l, "an axis is out of range");
        taken[axis[i]] = 1;
    }
    dscq_window w = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1};
    if (n >= 1 && x.rank == 3 && taken[1] && x.dim[2] == s.c) {
        w.kernel_h = s.h; /* rows of features: the whole map */
        w.kernel_w = s.w;
    } else if (n >= 1 && x.rank == 4 && tflite__is_map(l, &x, &turned)) {
        w.kernel_h = taken[1 + turned] ? s.h : 1;
        w.kernel_w = taken[2 - turned] ? s.w : 1;
    } else {
        return tflite__fail(l, "only over rows and columns of a map");
    }
    if (taken[0] || taken[x.rank - 1])
        return tflite__fail(l, "only over rows and columns of a map");
    const int whole = w.kernel_h == s.h && w.kernel_w == s.w;
    const dscq_pool_params p =
        whole && !max ? dscq_pool_params_global() : dscq_pool_params_make(&w, 0);
    const int32_t rank =
        reduced(dim, &x, taken, tflite__int(&o->options, 0, 1, 0) != 0);
    DSCQ_TRY(tflite__tail(&tail, l, o, 0));
    DSCQ_TRY(add_pool(l, o, &x, max, &p, &tail, rank, dim));
done:
    return status;
}

dscq_status tflite__rule_mean(lower *l, const tfl_op *o)
{
    return reduce(l, o, 0);
}

dscq_status tflite__rule_reduce_max(lower *l, const tfl_op *o)
{
    return reduce(l, o, 1);
}
