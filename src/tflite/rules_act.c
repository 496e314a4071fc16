/* Rules for activations that stand alone, and for what ends a network. */
#include "dscq/base/alloc.h"
#include "lower.h"

#include <assert.h>
#include <math.h>
#include <string.h>

dscq_status tflite__rule_activation(lower *l, const tfl_op *o)
{
    tfl_tail tail;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (!tflite__activation(&tail, o))
        return tflite__fail(l, "its slope is no number");
    tail.tensor = tflite__index(o->out, 0);
    int32_t node = x.part[0];
    if (tail.act != DSCQ_ACT_LINEAR)
        DSCQ_TRY(tflite__add(&node, l, o, "activation", NULL, x.part, 1, &tail, 0));
    DSCQ_TRY(tflite__finish(l, o, &tail, node, x.rank, x.dim));
done:
    return status;
}

/* ---- one slope a channel ------------------------------------------------ */

/* Slopes of the c channels; all the same or one each. */
static dscq_status read_slopes(double **out, lower *l, const tfl_op *o, int32_t c)
{
    const tfl_tensor *t = tflite__const(l, o, 1);
    const uint64_t n = t != NULL ? tflite__elements(t) : 0;
    int32_t lo, hi;

    *out = NULL;
    if (n == 0 || (n != 1 && (n != (uint64_t)c || t->dim[t->rank - 1] != c)) ||
        t->scale.count > 1)
        return tflite__fail(l, "slopes that are neither one nor one a channel");
    double *v = dscq_malloc((size_t)c, sizeof *v);
    if (v == NULL)
        return dscq_fail_nomem(l->err, "slopes", (size_t)c * sizeof *v);
    const int coded = tflite__code_range(t->type, &lo, &hi);
    for (int32_t k = 0; k < c; k++) {
        const double raw = tflite__value(t, n == 1 ? 0 : (size_t)k);
        v[k] = coded ? (raw - tflite__zero(t, 0)) * tflite__scale(t, 0) : raw;
    }
    *out = v;
    return DSCQ_OK;
}

/* a x + (1 - a) relu(x): for slopes of at most 1. */
static dscq_status add_slopes(int32_t *node, lower *l, const tfl_op *o, int32_t x,
                              double *slope, int32_t c)
{
    const tfl_tail relu = {.act = DSCQ_ACT_RELU};
    const dscq_shortcut_params p = {.alpha = 1, .beta = 1};
    int32_t part[2];
    dscq_status status;

    DSCQ_TRY(tflite__affine(&part[0], l, o, x, slope, NULL, NULL));
    for (int32_t i = 0; i < c; i++)
        slope[i] = 1 - slope[i];
    DSCQ_TRY(tflite__affine(&part[1], l, o, x, slope, NULL, &relu));
    DSCQ_TRY(tflite__add(node, l, o, "shortcut", &p, part, 2, NULL, 0));
done:
    return status;
}

dscq_status tflite__rule_prelu(lower *l, const tfl_op *o)
{
    tfl_tail tail = {.act = DSCQ_ACT_LEAKY, .tensor = tflite__index(o->out, 0)};
    double *slope = NULL;
    int32_t node, same = 1;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    const int32_t c = tflite__shape(l, &x).c;
    DSCQ_TRY(read_slopes(&slope, l, o, c));
    assert(slope != NULL);
    for (int32_t i = 0; i < c; i++) {
        if (!(fabs(slope[i]) <= 1)) {
            status = tflite__fail(l, "slopes above 1");
            goto done;
        }
        same = same && slope[i] == slope[0];
    }
    tail.slope = slope[0];
    DSCQ_TRY(same ? tflite__add(&node, l, o, "activation", NULL, x.part, 1, &tail, 0)
                  : add_slopes(&node, l, o, x.part[0], slope, c));
    DSCQ_TRY(tflite__finish(l, o, &tail, node, x.rank, x.dim));
done:
    dscq_free(slope);
    return status;
}

/* ---- ends --------------------------------------------------------------- */

static dscq_status add_softmax(lower *l, const tfl_op *o, const tfl_edge *x,
                               double beta)
{
    const dscq_softmax_params p = {.groups = 1, .temperature = 1 / beta};
    tfl_edge v = *x;
    dscq_status status;

    DSCQ_TRY(tflite__add(&v.part[0], l, o, "softmax", &p, x->part, 1, NULL, 0));
    l->value[tflite__index(o->out, 0)] = v; /* probabilities need no grid */
done:
    return status;
}

dscq_status tflite__rule_softmax(lower *l, const tfl_op *o)
{
    const tfl_edge *v = tflite__edge(l, o, 0);
    const double beta = tflite__real(&o->options, 0, 1);
    int turned;
    tfl_edge x;
    dscq_status status;

    if (v == NULL || !(beta > 1e-3 && beta < 1e3))
        return tflite__fail(l, "its input is not computed, or beta is out of range");
    const int64_t last = v->dim[v->rank - 1];
    const int rows = v->kind == TFL_PARTS || last != tflite__shape(l, v).c;
    if (!rows) {
        DSCQ_TRY(tflite__run(&x, l, o, 0));
        if (tflite__is_map(l, &x, &turned) || tflite__is_vector(l, &x) || x.rank == 3)
            return add_softmax(l, o, &x, beta);
    }
    if (v->softmax > 0 || beta != 1 || last > 65536)
        return tflite__fail(l,
                            "a softmax that is neither over the channels of a map nor "
                            "over the rows of an output");
    x = *v;
    x.softmax = (int32_t)last;
    l->value[tflite__index(o->out, 0)] = x;
    return DSCQ_OK;
done:
    return status;
}

/* What changes no class and no order is left out behind an output. */
dscq_status tflite__rule_cut(lower *l, const tfl_op *o)
{
    const tfl_edge *x = tflite__edge(l, o, 0);
    const int32_t at = tflite__index(o->out, 0);
    const tfl_tensor *t = &l->f->tensor[at];
    char op[80], name[100];

    if (x == NULL || !t->is_output || t->consumers > 0)
        return tflite__fail(l, "it is not what the file ends with");
    tflite__op_text(op, sizeof op, o);
    tflite__text(name, sizeof name, t->name);
    tflite__note(l, "%s at output '%.80s' is left out: the network gives what it reads",
                 op, name);
    const tfl_edge copy = *x;
    l->value[at] = copy;
    return DSCQ_OK;
}
