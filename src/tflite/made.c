/* How the rules say what they made, and get at what others did. */
#include "lower.h"

#include <string.h>

static int has_pads(const tfl_edge *v)
{
    return v->pad[0] || v->pad[1] || v->pad[2] || v->pad[3];
}

dscq_status tflite__run(tfl_edge *out, lower *l, const tfl_op *o, uint32_t i)
{
    const tfl_edge *v = tflite__edge(l, o, i);
    int turned;
    dscq_status status;

    if (v == NULL || v->kind != TFL_RUN)
        return tflite__fail(l, "its input is not one computed map");
    if (v->softmax > 0)
        return tflite__fail(l, "it reads a softmax of rows, which is only an output");
    *out = *v;
    if (!has_pads(v))
        return DSCQ_OK;
    if (!tflite__is_padded_map(l, v, &turned))
        return tflite__fail(l, "its input is no map that could be padded");
    dscq_window w = {1, 1, 1, 1, v->pad[0], v->pad[1], v->pad[2], v->pad[3], 1, 1, 1};
    if (turned)
        w = tflite__turn(w);
    DSCQ_TRY(tflite__pick(&out->part[0], l, o, v->part[0], &w, 0, 0));
    memset(out->pad, 0, sizeof out->pad);
    DSCQ_TRY(
        tflite__set(l, o, tflite__index(o->in, i), out->part[0], out->rank, out->dim));
    *out = *tflite__edge(l, o, i);
done:
    return status;
}

/* ---- what was made ------------------------------------------------------ */

/* The node's values are on the tensor's grid. 0: the node has another one already. */
static int keep_range(lower *l, int32_t node, int32_t tensor)
{
    const tfl_tensor *t = &l->f->tensor[tensor];
    dscq_graph_range r = {.node = node};
    int32_t *at = &l->range_of[node + 1];

    if (!tflite__grid(t, &r.scale, &r.zero))
        return 1;
    (void)tflite__code_range(t->type, &r.lo, &r.hi);
    if (*at == 0) {
        l->f->range[l->f->range_count] = r;
        *at = ++l->f->range_count;
        return 1;
    }
    const dscq_graph_range *had = &l->f->range[*at - 1];
    return had->scale == r.scale && had->zero - had->lo == r.zero - r.lo &&
           had->hi - had->lo == r.hi - r.lo;
}

dscq_status tflite__set(lower *l, const tfl_op *o, int32_t tensor, int32_t node,
                        int32_t rank, const int64_t *dim)
{
    tfl_edge v = {.kind = TFL_RUN, .rank = rank, .count = 1};

    if (tensor < 0)
        return DSCQ_OK;
    if (!keep_range(l, node, tensor)) {
        const dscq_status status =
            tflite__add(&node, l, o, "activation", NULL, &node, 1, NULL, 0);
        if (status != DSCQ_OK)
            return status;
        (void)keep_range(l, node, tensor);
    }
    v.part[0] = node;
    memcpy(v.dim, dim, (size_t)rank * sizeof *dim);
    l->value[tensor] = v;
    l->f->node[tensor] = node;
    return DSCQ_OK;
}

dscq_status tflite__same(lower *l, const tfl_op *o, const tfl_edge *v)
{
    const int32_t tensor = tflite__index(o->out, 0);
    const tfl_edge copy = *v;
    dscq_status status = DSCQ_OK;

    if (tensor < 0)
        return DSCQ_OK;
    if (copy.kind == TFL_RUN)
        status = tflite__set(l, o, tensor, copy.part[0], copy.rank, copy.dim);
    if (status != DSCQ_OK)
        return status;
    const int32_t node = l->value[tensor].part[0];
    l->value[tensor] = copy;
    if (copy.kind == TFL_RUN)
        l->value[tensor].part[0] = node;
    return DSCQ_OK;
}
