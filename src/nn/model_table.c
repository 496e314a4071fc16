#include "dscq/nn/model.h"
#include "nn_internal.h"

#include <stdio.h>

static uint64_t node_params(const dscq_node *n)
{
    const dscq_weights *w = n->weights;
    const uint64_t c = (uint64_t)w->channels;

    return w->count + (n->normalised ? 2 * c : c);
}

uint64_t dscq_model_param_count(const dscq_model *m)
{
    uint64_t sum = 0;

    for (int32_t i = 0; i < m->count; i++)
        sum += node_params(&m->node[i]);
    return sum;
}

uint64_t dscq_model_macs(const dscq_model *m)
{
    uint64_t sum = 0;

    for (int32_t i = 0; i < m->count; i++)
        sum += m->node[i].macs;
    return sum;
}

uint64_t dscq_model_float_bytes(const dscq_model *m)
{
    uint64_t sum = 0;

    for (int32_t i = 0; i < m->count; i++) {
        const dscq_weights *w = m->node[i].weights;
        /* a normalisation with no weights in front of it cannot be folded */
        if (w->count > 0)
            sum += w->count + (uint64_t)w->channels;
        else
            sum += node_params(&m->node[i]);
    }
    return sum * sizeof(float);
}

static void add_columns(dscq_table *t)
{
    dscq_table_add_int(t, "index", "#");
    dscq_table_add_text(t, "name", "name");
    dscq_table_add_text(t, "type", "type");
    dscq_table_add_text(t, "kernel", "kernel");
    dscq_table_add_text(t, "stride", "stride");
    dscq_table_add_text(t, "in", "in");
    dscq_table_add_text(t, "out", "out");
    dscq_table_add_text(t, "norm", "norm");
    dscq_table_add_text(t, "activation", "act");
    dscq_table_add_int(t, "params", "params");
    dscq_table_add_int(t, "macs", "MACs");
}

static void add_row(dscq_table *t, int32_t i, const dscq_node *n)
{
    const size_t r = dscq_table_add_row(t);
    char text[64];

    dscq_table_set_int(t, r, "index", i);
    dscq_table_set_text(t, r, "name", n->name);
    dscq_table_set_text(t, r, "type", n->type);
    if (n->window.kernel_h > 0) {
        snprintf(text, sizeof text, "%dx%d", (int)n->window.kernel_h,
                 (int)n->window.kernel_w);
        dscq_table_set_text(t, r, "kernel", text);
        if (n->window.stride_h == n->window.stride_w)
            snprintf(text, sizeof text, "%d", (int)n->window.stride_h);
        else
            snprintf(text, sizeof text, "%dx%d", (int)n->window.stride_h,
                     (int)n->window.stride_w);
        dscq_table_set_text(t, r, "stride", text);
    }
    dscq_shape_text(text, sizeof text, &n->in);
    dscq_table_set_text(t, r, "in", text);
    dscq_shape_text(text, sizeof text, &n->out);
    dscq_table_set_text(t, r, "out", text);
    dscq_table_set_text(t, r, "norm",
                        n->normalised      ? "batch"
                        : n->weights->bias ? "bias"
                                           : "");
    dscq_table_set_text(t, r, "activation", dscq_act_name(n->act));
    dscq_table_set_int(t, r, "params", (int64_t)node_params(n));
    dscq_table_set_int(t, r, "macs", (int64_t)n->macs);
}

dscq_status dscq_model_table(dscq_table **out, const dscq_model *m, dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_table_create(&t, "layers", err));
    add_columns(t);
    for (int32_t i = 0; i < m->count; i++)
        add_row(t, i, &m->node[i]);
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}
