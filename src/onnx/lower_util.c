/* What rules ask of the graph and of the network so far, and how they add to it. */
#include "lower.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int onnx__is(const onnx_node *n, const char *op)
{
    return strcmp(n->op, op) == 0 && (n->domain[0] == '\0' || n->domain[0] == 'a');
}

int onnx__norm_is_plain(const onnx_node *n)
{
    return onnx__attr_int(n, "training_mode", 0) == 0 &&
           onnx__attr_int(n, "spatial", 1) != 0;
}

dscq_status onnx__fail(const lower *l, const char *reason)
{
    return dscq_fail(l->err, DSCQ_UNSUPPORTED, "%s", reason);
}

const onnx_tensor *onnx__const(const lower *l, const onnx_node *n, int32_t i)
{
    return i < n->in_count && n->in[i] >= 0 ? l->konst[n->in[i]] : NULL;
}

const onnx_edge *onnx__run(const lower *l, const onnx_node *n, int32_t i)
{
    const onnx_edge *v = i < n->in_count && n->in[i] >= 0 ? &l->value[n->in[i]] : NULL;

    if (v == NULL || v->kind != ONNX_RUN || v->softmax > 0 || v->pad[0] || v->pad[1] ||
        v->pad[2] || v->pad[3])
        return NULL;
    return v;
}

dscq_shape onnx__shape(const lower *l, const onnx_edge *v)
{
    return v->part[0] == DSCQ_INPUT ? dscq_model_input(l->m)
                                    : dscq_model_node(l->m, v->part[0])->out;
}

int onnx__is_map(const lower *l, const onnx_edge *v)
{
    const dscq_shape s = onnx__shape(l, v);
    return (!v->rows || (s.h == 1 && s.w == 1)) && v->rank == 4 && v->dim[1] == s.c &&
           v->dim[2] == s.h && v->dim[3] == s.w;
}

int onnx__is_pixels(const lower *l, const onnx_edge *v)
{
    const dscq_shape s = onnx__shape(l, v);
    return (v->rows || (s.h == 1 && s.w == 1)) && v->rank == 4 && v->dim[1] == s.h &&
           v->dim[2] == s.w && v->dim[3] == s.c;
}

int onnx__is_vector(const lower *l, const onnx_edge *v)
{
    const dscq_shape s = onnx__shape(l, v);
    return s.h == 1 && s.w == 1;
}

int32_t onnx__channel_axis(const lower *l, const onnx_edge *v)
{
    const dscq_shape s = onnx__shape(l, v);

    if (onnx__is_map(l, v))
        return 1;
    if (onnx__is_pixels(l, v))
        return 3;
    for (int32_t i = 1; onnx__is_vector(l, v) && i < v->rank; i++)
        if (v->dim[i] == s.c)
            return i;
    return -1;
}

double *onnx__per_channel(lower *l, const onnx_edge *v, const onnx_tensor *t)
{
    const size_t c = (size_t)onnx__shape(l, v).c;
    const int32_t axis = onnx__channel_axis(l, v);
    double *out = onnx__take(&l->pool, c, sizeof *out);

    if (out == NULL || t == NULL || t->rank > v->rank)
        return NULL;
    if (t->count != 1) {
        const int32_t at = axis - (v->rank - t->rank);
        if (axis < 0 || at < 0 || t->count != c || t->dim[at] != (int64_t)c)
            return NULL;
    }
    for (size_t i = 0; i < c; i++)
        out[i] = t->v[t->count == 1 ? 0 : i];
    return out;
}

void onnx__set(lower *l, int32_t value, int32_t node, int32_t rank, const int64_t *dim,
               int rows)
{
    onnx_edge v = {.kind = ONNX_RUN, .rank = rank, .rows = rows, .count = 1};

    v.part[0] = node;
    memcpy(v.dim, dim, (size_t)rank * sizeof *dim);
    if (value >= 0)
        l->value[value] = v;
}

void onnx__same(lower *l, int32_t value, const onnx_edge *v)
{
    if (value >= 0)
        l->value[value] = *v;
}

/* A name that a cfg can hold, unlike all others. */
static void layer_name(const lower *l, const onnx_node *n, char *out, size_t cap)
{
    size_t len = 0;

    for (const char *p = n->name; *p != '\0' && len + 8 < cap; p++) {
        const int keep = isalnum((unsigned char)*p) || *p == '_' || *p == '-';
        if (keep || (len > 0 && out[len - 1] != '.'))
            out[len++] = keep ? *p : '.';
    }
    out[len] = '\0';
    if (len == 0 || dscq_model_find(l->m, out) >= 0)
        snprintf(out, cap, "%.20s_%d", n->op, (int)l->index);
    for (int i = 2; dscq_model_find(l->m, out) >= 0 && i < 10000; i++)
        snprintf(out, cap, "%.20s_%d.%d", n->op, (int)l->index, i);
}

static dscq_status fill_norm(lower *l, const dscq_weights *w, const onnx_node *norm)
{
    float *const to[] = {w->gamma, w->beta, w->mean, w->var};

    for (int32_t k = 0; k < 4; k++) {
        const onnx_tensor *t = onnx__const(l, norm, k + 1);
        if (t == NULL || t->count != (size_t)w->channels)
            return onnx__fail(l,
                              "scale, bias, mean or var is not a constant per channel");
        for (size_t i = 0; i < t->count; i++)
            to[k][i] = (float)t->v[i];
    }
    return DSCQ_OK;
}

dscq_status onnx__add(int32_t *node, lower *l, const onnx_node *n, const char *type,
                      const void *params, const int32_t *inputs, int32_t count,
                      const onnx_tail *tail, int has_bias)
{
    char name[DSCQ_NODE_NAME];
    dscq_node_spec spec = {.name = name, .has_bias = has_bias};
    dscq_status status;

    layer_name(l, n, name, sizeof name);
    if (tail != NULL) {
        spec.act = tail->act;
        spec.act_slope = tail->slope;
        spec.normalised = tail->norm != NULL;
        if (tail->norm != NULL)
            spec.bn_eps = onnx__attr_real(tail->norm, "epsilon", 1e-5);
    }
    DSCQ_TRY(dscq_model_add(node, l->m, type, params, &spec, inputs, count, l->err));
    if (spec.normalised)
        DSCQ_TRY(fill_norm(l, dscq_model_node(l->m, *node)->weights, tail->norm));
done:
    return status;
}

dscq_status onnx__add_like(lower *l, const onnx_node *n, const char *type,
                           const void *params, const onnx_edge *x)
{
    const onnx_edge v = *x;
    int32_t node;
    const dscq_status status = onnx__add(&node, l, n, type, params, v.part, 1, NULL, 0);

    if (status == DSCQ_OK)
        onnx__set(l, n->out[0], node, v.rank, v.dim, v.rows);
    return status;
}
