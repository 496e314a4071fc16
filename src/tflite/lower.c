/* Operators to layers: what no image changes is left out, every other operator finds
 * its rule. */
#include "lower.h"

#include "dscq/base/alloc.h"

#include <string.h>

/* ---- what no image changes ---------------------------------------------- */

/* Operators that exporters compute shapes and constants with. */
static int makes_constants(int32_t code)
{
    static const int32_t k_codes[] = {
        TFL_SHAPE,    TFL_STRIDED_SLICE, TFL_SLICE,     TFL_PACK,    TFL_CONCATENATION,
        TFL_CAST,     TFL_ADD,           TFL_SUB,       TFL_MUL,     TFL_DIV,
        TFL_GATHER,   TFL_REDUCE_PROD,   TFL_SQUEEZE,   TFL_RESHAPE, TFL_EXPAND_DIMS,
        TFL_FILL,     TFL_RANGE,         TFL_MAXIMUM,   TFL_MINIMUM, TFL_TRANSPOSE,
        TFL_QUANTIZE, TFL_DEQUANTIZE,    TFL_FLOOR_DIV, TFL_UNPACK,  TFL_BROADCAST_ARGS,
        TFL_NEG,
    };

    for (size_t i = 0; i < sizeof k_codes / sizeof *k_codes; i++)
        if (k_codes[i] == code)
            return 1;
    return 0;
}

/* A constant that is only named otherwise, or expanded to real values, keeps its data.
 */
static void pass_data(const lower *l, const tfl_op *o)
{
    const tfl_tensor *x = tflite__const(l, o, 0);
    const int32_t at = tflite__index(o->out, 0);
    const int moves = o->code == TFL_DEQUANTIZE || o->code == TFL_RESHAPE ||
                      o->code == TFL_SQUEEZE || o->code == TFL_EXPAND_DIMS;

    if (x == NULL || at < 0 || !moves ||
        tflite__elements(&l->f->tensor[at]) != tflite__elements(x))
        return;
    tfl_tensor *y = &l->f->tensor[at];
    y->type = x->type;
    y->data = x->data;
    y->scale = x->scale;
    y->zero = x->zero;
    y->axis = x->axis;
    l->value[at].kind = TFL_CONST;
}

/* Whether no image changes what o gives; then its outputs are marked. */
static int is_constant(const lower *l, const tfl_op *o)
{
    if (!makes_constants(o->code) || o->in.count == 0)
        return 0;
    for (uint32_t i = 0; i < o->in.count && o->code != TFL_SHAPE; i++) {
        const int32_t at = tflite__index(o->in, i);
        if (at >= 0 && l->value[at].kind != TFL_CONST && l->value[at].kind != TFL_STILL)
            return 0;
    }
    for (uint32_t i = 0; i < o->out.count; i++)
        if (tflite__index(o->out, i) >= 0)
            l->value[tflite__index(o->out, i)].kind = TFL_STILL;
    pass_data(l, o);
    return 1;
}

/* ---- operators ---------------------------------------------------------- */

static int reads_refused(const lower *l, const tfl_op *o)
{
    for (uint32_t i = 0; i < o->in.count; i++) {
        const int32_t at = tflite__index(o->in, i);
        if (at >= 0 && l->value[at].kind == TFL_REFUSED)
            return 1;
    }
    return 0;
}

static dscq_status lower_op(lower *l, const tfl_op *o)
{
    tfl_rule *rule = tflite__rule_find(o->code);

    if (is_constant(l, o))
        return DSCQ_OK;
    if (rule == NULL)
        return tflite__fail(l, "this operator is not supported");
    if (tflite__index(o->in, 0) < 0 || tflite__index(o->out, 0) < 0)
        return tflite__fail(l, "it has no input or no output");
    for (uint32_t i = 0; i < o->in.count; i++) {
        const int32_t at = tflite__index(o->in, i);
        if (at >= 0 && l->value[at].kind == TFL_NONE)
            return tflite__fail(l, "nothing before it makes one of its inputs");
    }
    return rule(l, o);
}

static dscq_status lower_all(lower *l, dscq_table *t)
{
    dscq_tflite *f = l->f;

    for (int32_t i = 0; i < f->op_count; i++) {
        const tfl_op *o = &f->op[i];
        dscq_status status = DSCQ_OK;
        if (l->done[i])
            continue;
        l->index = i;
        const int silent = reads_refused(l, o);
        if (!silent)
            status = lower_op(l, o);
        else if (tflite__rule_find(o->code) == NULL && !makes_constants(o->code))
            status = tflite__fail(l, "this operator is not supported");
        if (status == DSCQ_FORMAT) /* shapes that contradict each other */
            status = DSCQ_UNSUPPORTED;
        if (status != DSCQ_OK && status != DSCQ_UNSUPPORTED)
            return status;
        if (status == DSCQ_UNSUPPORTED)
            tflite__refuse_op(t, l, o);
        for (uint32_t k = 0; (silent || status != DSCQ_OK) && k < o->out.count; k++)
            if (tflite__index(o->out, k) >= 0)
                l->value[tflite__index(o->out, k)].kind = TFL_REFUSED;
    }
    return dscq_table_rows(t) > 0 ? tflite__refused(l, t) : DSCQ_OK;
}

/* ---- outputs ------------------------------------------------------------ */

static dscq_status declare_part(lower *l, dscq_graph_output *o, int32_t p, int32_t node)
{
    dscq_status status;

    if (node == DSCQ_INPUT) /* the input itself is asked for */
        DSCQ_TRY(
            dscq_model_add(&node, l->m, "activation", NULL, NULL, &node, 1, l->err));
    DSCQ_TRY(dscq_model_add_output(l->m, node, l->err));
    for (int32_t j = 0; j < dscq_model_outputs(l->m); j++)
        if (dscq_model_output(l->m, j) == node)
            o->part[p] = j;
done:
    return status;
}

static dscq_status declare_output(lower *l, uint32_t i)
{
    dscq_tflite *f = l->f;
    const int32_t at = tflite__index(f->out, i);
    const tfl_edge *v = at >= 0 ? &l->value[at] : NULL;
    dscq_graph_output *o = &f->output[i];
    dscq_status status;

    if (v == NULL || (v->kind != TFL_RUN && v->kind != TFL_PARTS) || v->pad[0] ||
        v->pad[1] || v->pad[2] || v->pad[3])
        return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                         "%s: output %u is not computed by the network", f->name, i);
    tflite__text(f->output_name[i], sizeof f->output_name[i], f->tensor[at].name);
    *o = (dscq_graph_output){.name = f->output_name[i],
                             .rank = v->rank,
                             .count = v->count,
                             .rows = 1,
                             .softmax = v->softmax};
    memcpy(o->dim, v->dim, sizeof o->dim);
    for (int32_t p = 0; p < v->count; p++)
        DSCQ_TRY(declare_part(l, o, p, v->part[p]));
    if (v->softmax > 0)
        tflite__note(l, "output '%s' is followed by a softmax over each %d values",
                     o->name, (int)v->softmax);
    return DSCQ_OK;
done:
    return status;
}

static dscq_status declare_outputs(lower *l)
{
    dscq_status status = DSCQ_OK;

    for (uint32_t i = 0; i < l->f->out.count; i++)
        DSCQ_TRY(declare_output(l, i));
    if (dscq_model_nodes(l->m) == 0 || l->f->out.count == 0)
        DSCQ_TRY(dscq_fail(l->err, DSCQ_UNSUPPORTED, "%s: no layers", l->f->name));
    status = dscq_model_check_weights(l->m, l->err);
    if (status != DSCQ_OK)
        (void)dscq_fail_at(l->err, "%s", l->f->name);
done:
    return status;
}

/* ---- the whole ---------------------------------------------------------- */

/* What an earlier call left is given back. */
static dscq_status make_room(lower *l)
{
    dscq_tflite *f = l->f;
    const size_t tensors = (size_t)f->tensor_count, nodes = (size_t)l->node_max + 1;

    dscq_free(f->node);
    dscq_free(f->range);
    dscq_free(f->output);
    dscq_free(f->output_name);
    f->notes = f->range_count = 0;
    l->value = dscq_calloc(tensors, sizeof *l->value);
    l->done = dscq_calloc((size_t)f->op_count, 1);
    l->range_of = dscq_calloc(nodes, sizeof *l->range_of);
    f->node = dscq_calloc(tensors, sizeof *f->node);
    f->range = dscq_calloc(nodes, sizeof *f->range);
    f->output = dscq_calloc(f->out.count, sizeof *f->output);
    f->output_name = dscq_calloc(f->out.count, sizeof *f->output_name);
    if (l->value == NULL || l->done == NULL || l->range_of == NULL || f->node == NULL ||
        f->range == NULL || f->output == NULL || f->output_name == NULL)
        return dscq_fail_nomem(l->err, "a graph", tensors * sizeof *l->value);
    for (size_t i = 0; i < tensors; i++) {
        f->node[i] = TFL_NO_NODE;
        l->value[i].kind = f->tensor[i].data.count > 0 ? TFL_CONST : TFL_NONE;
    }
    return DSCQ_OK;
}

static dscq_status lower_file(lower *l, dscq_table *t)
{
    dscq_status status;

    DSCQ_TRY(make_room(l));
    DSCQ_TRY(tflite__make_input(l, t));
    DSCQ_TRY(lower_all(l, t));
    DSCQ_TRY(declare_outputs(l));
done:
    return status;
}

dscq_status dscq_tflite_to_model(dscq_model **out, dscq_table **refused_rows,
                                 dscq_tflite *f, dscq_error *err)
{
    dscq_error local;
    lower l = {.f = f, .err = err != NULL ? err : &local};
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    if (refused_rows != NULL)
        *refused_rows = NULL;
    l.node_max = 6 * f->op_count + 16;
    l.room = 8 * (uint64_t)f->file.count + ((uint64_t)1 << 20);
    DSCQ_TRY(tflite__refusals_create(&t, l.err));
    DSCQ_TRY(lower_file(&l, t));
    *out = l.m;
    l.m = NULL;
done:
    if (refused_rows != NULL && status == DSCQ_UNSUPPORTED && t != NULL &&
        dscq_table_rows(t) > 0) {
        *refused_rows = t;
        t = NULL;
    }
    dscq_table_destroy(t);
    dscq_model_destroy(l.m);
    dscq_free(l.value);
    dscq_free(l.done);
    dscq_free(l.range_of);
    return status;
}

const dscq_graph_range *dscq_tflite_ranges(const dscq_tflite *f, int32_t *count)
{
    *count = f->range_count;
    return f->range;
}

int32_t dscq_tflite_outputs(const dscq_tflite *f)
{
    return (int32_t)f->out.count;
}

const dscq_graph_output *dscq_tflite_output(const dscq_tflite *f, int32_t i)
{
    return f->output != NULL ? &f->output[i] : NULL;
}

const char *dscq_tflite_note(const dscq_tflite *f, int32_t i)
{
    return i >= 0 && i < f->notes ? f->note[i] : NULL;
}
