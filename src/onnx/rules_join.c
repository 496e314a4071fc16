/* Rules for sums, products, concatenation and parts of channels. */
#include "lower.h"

#include <string.h>

static int same_shape(const onnx_edge *a, const onnx_edge *b)
{
    return a->rank == b->rank && a->rows == b->rows &&
           memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

static int same_elements(const lower *l, const onnx_edge *a, const onnx_edge *b)
{
    return same_shape(a, b) ||
           (onnx__is_vector(l, a) && onnx__is_vector(l, b) && a->rank == b->rank &&
            memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0);
}

static dscq_status rule_sum(lower *l, const onnx_node *n)
{
    dscq_shortcut_params p = {.alpha = 1, .beta = strcmp(n->op, "Sub") == 0 ? -1 : 1};
    int32_t input[DSCQ_NODE_INPUTS], node;
    dscq_status status;

    if (n->in_count > DSCQ_NODE_INPUTS)
        return onnx__fail(l, "more than 16 inputs");
    for (int32_t i = 0; i < n->in_count; i++) {
        const onnx_edge *v = onnx__run(l, n, i);
        if (v == NULL || !same_elements(l, v, onnx__run(l, n, 0)))
            return onnx__fail(l, "its inputs are not computed maps of the same shape");
        input[i] = v->part[0];
    }
    if (n->in_count == 1) {
        onnx__same(l, n->out[0], onnx__run(l, n, 0));
        return DSCQ_OK;
    }
    const onnx_edge v = *onnx__run(l, n, 0);
    const onnx_tail tail = onnx__follow(l, n->out[0], NULL, NULL);
    DSCQ_TRY(onnx__add(&node, l, n, "shortcut", &p, input, n->in_count, &tail, 0));
    onnx__set(l, tail.value, node, v.rank, v.dim, v.rows);
done:
    return status;
}

/* scale * x + shift per channel, as a normalisation whose variance is one. */
static dscq_status add_affine(lower *l, const onnx_node *n, const onnx_edge *x,
                              const double *scale, const double *shift)
{
    const onnx_edge v = *x;
    const int32_t c = onnx__shape(l, x).c;
    const dscq_node_spec none = {.normalised = 1, .bn_eps = 1e-12};
    dscq_node_spec spec = none;
    int32_t node, trivial = 1;
    dscq_status status;

    for (int32_t i = 0; i < c; i++)
        trivial = trivial && (scale == NULL || scale[i] == 1) &&
                  (shift == NULL || shift[i] == 0);
    if (trivial) {
        onnx__same(l, n->out[0], &v);
        return DSCQ_OK;
    }
    const onnx_like like = {v.rank, onnx__channel_axis(l, &v), c, 0};
    const onnx_tail tail = onnx__follow(l, n->out[0], &like, NULL);
    spec.act = tail.act;
    spec.act_slope = tail.slope;
    DSCQ_TRY(dscq_model_add(&node, l->m, "batchnorm", NULL, &spec, v.part, 1, l->err));
    const dscq_weights *w = dscq_model_node(l->m, node)->weights;
    for (int32_t i = 0; i < c; i++) {
        w->gamma[i] = scale != NULL ? (float)scale[i] : 1.0f;
        w->beta[i] = shift != NULL ? (float)shift[i] : 0.0f;
        w->mean[i] = 0.0f;
        w->var[i] = 1.0f;
        if (tail.scale[0] != NULL) { /* more of them behind it */
            w->gamma[i] = (float)(tail.scale[0][i] * (double)w->gamma[i]);
            w->beta[i] =
                (float)(tail.scale[0][i] * (double)w->beta[i] + tail.shift[0][i]);
        }
    }
    onnx__set(l, tail.value, node, v.rank, v.dim, v.rows);
done:
    return status;
}

/* One input is constant: which is the other one? */
static const onnx_edge *with_const(lower *l, const onnx_node *n, double **values,
                                   int *const_first)
{
    for (int32_t i = 0; i < 2 && n->in_count == 2; i++) {
        const onnx_edge *x = onnx__run(l, n, i);
        const onnx_tensor *t = onnx__const(l, n, 1 - i);
        if (x == NULL || t == NULL)
            continue;
        *const_first = i == 1;
        *values = onnx__per_channel(l, x, t);
        return *values != NULL ? x : NULL;
    }
    return NULL;
}

#define NO_CONST_FORM                                                                  \
    "neither computed maps of the same shape nor a map and one constant a channel"

static dscq_status rule_add(lower *l, const onnx_node *n)
{
    const int minus = strcmp(n->op, "Sub") == 0;
    int const_first = 0;
    double *v = NULL;

    if (n->in_count == 2 && onnx__run(l, n, 0) != NULL && onnx__run(l, n, 1) != NULL)
        return rule_sum(l, n);
    dscq_status status;
    for (int32_t i = 0; i < 2 && n->in_count == 2; i++)
        if (onnx__add_composed(&status, l, n, i))
            return status;
    const onnx_edge *x = with_const(l, n, &v, &const_first);
    if (x == NULL)
        return onnx__fail(l, NO_CONST_FORM);
    const int32_t c = onnx__shape(l, x).c;
    double *scale = onnx__take(&l->pool, (size_t)c, sizeof *scale);
    if (scale == NULL)
        return dscq_fail_nomem(l->err, "constants", 0);
    for (int32_t i = 0; i < c; i++) {
        scale[i] = minus && const_first ? -1 : 1;
        v[i] = minus && !const_first ? -v[i] : v[i];
    }
    return add_affine(l, n, x, scale, v);
}

static dscq_status rule_mul(lower *l, const onnx_node *n)
{
    const onnx_edge *a = onnx__run(l, n, 0), *b = onnx__run(l, n, 1);
    const int divide = strcmp(n->op, "Div") == 0;
    const dscq_scale_channels_params p = {0};
    int const_first = 0;
    double *v = NULL;
    int32_t node;
    dscq_status status;

    if (a == NULL || b == NULL) {
        const onnx_edge *x = with_const(l, n, &v, &const_first);
        if (x == NULL || (divide && const_first))
            return onnx__fail(l, NO_CONST_FORM);
        for (int32_t i = 0; divide && i < onnx__shape(l, x).c; i++) {
            if (v[i] == 0)
                return onnx__fail(l, "division by zero");
            v[i] = 1 / v[i];
        }
        return add_affine(l, n, x, v, NULL);
    }
    if (divide || a->rank != b->rank)
        return onnx__fail(l, NO_CONST_FORM);
    if (!same_elements(l, a, b)) {
        if (!onnx__is_vector(l, a)) {
            const onnx_edge *t = a;
            a = b;
            b = t;
        }
        const int32_t axis = onnx__channel_axis(l, b);
        if (!onnx__is_vector(l, a) || axis < 0 || a->dim[axis] != b->dim[axis])
            return onnx__fail(l, "a product of maps of different shapes");
    }
    const int32_t input[] = {a->part[0], b->part[0]};
    const onnx_edge out = *b;
    const onnx_tail tail = onnx__follow(l, n->out[0], NULL, NULL);
    DSCQ_TRY(onnx__add(&node, l, n, "scale_channels", &p, input, 2, &tail, 0));
    onnx__set(l, tail.value, node, out.rank, out.dim, out.rows);
done:
    return status;
}

/* Rows of several maps, one after the other: only the outputs of the graph. */
static dscq_status concat_rows(lower *l, const onnx_node *n)
{
    onnx_edge out = {.kind = ONNX_PARTS, .rows = 1};

    for (int32_t i = 0; i < n->in_count; i++) {
        const onnx_edge *v = &l->value[n->in[i]];
        const int rows = v->rows || (v->kind == ONNX_RUN && onnx__is_vector(l, v));
        if ((v->kind != ONNX_RUN && v->kind != ONNX_PARTS) || !rows || v->softmax > 0 ||
            v->pad[0] || v->pad[1] || v->pad[2] || v->pad[3] ||
            out.count + v->count > DSCQ_ONNX_PARTS)
            return onnx__fail(l,
                              "a concatenation that is neither along channels nor of "
                              "rows of outputs");
        if (i == 0) {
            out.rank = v->rank;
            memcpy(out.dim, v->dim, sizeof out.dim);
        } else {
            for (int32_t d = 0; d < out.rank; d++)
                if (v->rank != out.rank || (d != 1 && v->dim[d] != out.dim[d]))
                    return onnx__fail(l, "rows of different lengths");
            out.dim[1] += v->dim[1];
        }
        for (int32_t p = 0; p < v->count; p++)
            out.part[out.count++] = v->part[p];
    }
    onnx__same(l, n->out[0], &out);
    return DSCQ_OK;
}

static dscq_status rule_concat(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    int64_t axis = onnx__attr_int(n, "axis", 1);
    dscq_route_params p = {.groups = 1};
    int32_t input[DSCQ_NODE_INPUTS], node;
    int64_t dim[DSCQ_ONNX_RANK];
    dscq_status status;

    if (n->in[0] < 0 || !onnx__axis(&axis, l->value[n->in[0]].rank))
        return onnx__fail(l, "axis is out of range");
    if (x == NULL || axis != onnx__channel_axis(l, x))
        return axis == 1 ? concat_rows(l, n)
                         : onnx__fail(l, "a concatenation that is not along channels");
    if (n->in_count > DSCQ_NODE_INPUTS)
        return onnx__fail(l, "more than 16 inputs");
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = 0;
    for (int32_t i = 0; i < n->in_count; i++) {
        const onnx_edge *v = onnx__run(l, n, i);
        if (v == NULL || v->rank != x->rank || onnx__channel_axis(l, v) != axis)
            return onnx__fail(l, "a concatenation that is not of computed maps");
        for (int32_t d = 1; d < x->rank; d++)
            if (d != axis && v->dim[d] != x->dim[d])
                return onnx__fail(l, "maps of different sizes");
        input[i] = v->part[0];
        dim[axis] += v->dim[axis];
    }
    const int32_t rank = x->rank;
    const int rows = x->rows;
    DSCQ_TRY(onnx__add(&node, l, n, "route", &p, input, n->in_count, NULL, 0));
    onnx__set(l, n->out[0], node, rank, dim, rows);
done:
    return status;
}

/* Channels [first, first + count) of x as output i of the node. */
static dscq_status take_channels(lower *l, const onnx_node *n, int32_t i,
                                 const onnx_edge *x, int64_t first, int64_t count)
{
    const dscq_route_params p = {
        .groups = 1, .first_channel = (int32_t)first, .channels = (int32_t)count};
    const onnx_edge v = *x;
    int64_t dim[DSCQ_ONNX_RANK];
    int32_t node;
    dscq_status status;

    if (count < 1)
        return onnx__fail(l, "no channels are left");
    if (first == 0 && count == onnx__shape(l, x).c) {
        onnx__same(l, n->out[i], &v);
        return DSCQ_OK;
    }
    const int32_t axis = onnx__channel_axis(l, x);
    DSCQ_TRY(onnx__add(&node, l, n, "route", &p, v.part, 1, NULL, 0));
    memcpy(dim, v.dim, sizeof dim);
    dim[axis] = count;
    onnx__set(l, n->out[i], node, v.rank, dim, v.rows);
done:
    return status;
}

static dscq_status rule_split(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const onnx_tensor *sizes = onnx__const(l, n, 1);
    onnx_call c = {.node = n,
                   .opset = l->f->opset,
                   .in = (const onnx_tensor *const[]){NULL, sizes},
                   .in_count = 2,
                   .err = l->err};
    int64_t axis = onnx__attr_int(n, "axis", 0), size[ONNX_OUTPUTS], done = 0;
    int32_t count, outs = n->out_count;
    dscq_status status;

    if (x == NULL || !onnx__axis(&axis, x->rank) || axis != onnx__channel_axis(l, x))
        return onnx__fail(l, "a split that is not along channels");
    if (outs > ONNX_OUTPUTS || (sizes == NULL && n->in_count > 1 && n->in[1] >= 0))
        return onnx__fail(l, "too many parts, or sizes that are not constant");
    DSCQ_TRY(onnx__int_list(&c, "split", 1, size, &count, ONNX_OUTPUTS));
    const int64_t all = x->dim[axis], part = (all + outs - 1) / outs;
    for (int32_t i = 0; count == 0 && i < outs; i++)
        size[i] = i < outs - 1 ? part : all - part * (outs - 1);
    if (count != 0 && count != outs)
        return onnx__fail(l, "as many sizes as outputs are wanted");
    for (int32_t i = 0; i < outs; i++) {
        if (size[i] < 1 || size[i] > all - done)
            return onnx__fail(l, "the parts are larger than the whole");
        DSCQ_TRY(take_channels(l, n, i, onnx__run(l, n, 0), done, size[i]));
        done += size[i];
    }
done:
    return status;
}

static dscq_status rule_slice(lower *l, const onnx_node *n)
{
    const onnx_edge *x = onnx__run(l, n, 0);
    const onnx_tensor *in[5] = {NULL};
    onnx_call c = {
        .node = n, .opset = l->f->opset, .in = in, .in_count = 5, .err = l->err};
    int64_t v[4][DSCQ_ONNX_RANK], first = 0, count;
    const char *const names[] = {"starts", "ends", "axes", "steps"};
    int32_t len[4];
    dscq_status status;

    if (x == NULL || onnx__channel_axis(l, x) < 0)
        return onnx__fail(l, "its input is not a computed map");
    count = onnx__shape(l, x).c;
    for (int32_t i = 0; i < 4; i++) {
        in[i + 1] = onnx__const(l, n, i + 1);
        if (in[i + 1] == NULL && i + 1 < n->in_count && n->in[i + 1] >= 0)
            return onnx__fail(l, "its bounds are not constant");
        DSCQ_TRY(onnx__int_list(&c, names[i], i + 1, v[i], &len[i], DSCQ_ONNX_RANK));
    }
    for (int32_t i = 0; i < len[0]; i++) {
        int64_t axis = len[2] > i ? v[2][i] : i;
        if (len[1] <= i || !onnx__axis(&axis, x->rank))
            return onnx__fail(l, "its bounds contradict each other");
        const int64_t size = x->dim[axis];
        int64_t lo = v[0][i] < 0 ? v[0][i] + size : v[0][i],
                hi = v[1][i] < 0 ? v[1][i] + size : v[1][i];
        lo = lo < 0 ? 0 : lo;
        hi = hi > size ? size : hi;
        if (lo == 0 && hi == size && (len[3] <= i || v[3][i] == 1))
            continue;
        if (axis != onnx__channel_axis(l, x) || (len[3] > i && v[3][i] != 1))
            return onnx__fail(l, "a slice that is not of neighbouring channels");
        first = lo;
        count = hi - lo;
    }
    return take_channels(l, n, 0, x, first, count);
done:
    return status;
}

const onnx_row onnx__rows_join[] = {
    {"Add", rule_add, ONNX_REAL},      {"Sub", rule_add, ONNX_REAL},
    {"Sum", rule_sum, ONNX_REAL},      {"Mul", rule_mul, ONNX_REAL},
    {"Div", rule_mul, ONNX_REAL},      {"Concat", rule_concat, ONNX_MOVES},
    {"Split", rule_split, ONNX_MOVES}, {"Slice", rule_slice, ONNX_MOVES},
    {NULL, NULL, ONNX_REAL},
};
