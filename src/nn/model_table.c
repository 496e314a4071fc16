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

static const dscq_column k_columns[] = {
    DSCQ_INT_COLUMN("index", "#"),         DSCQ_TEXT_COLUMN("name", ""),
    DSCQ_TEXT_COLUMN("type", ""),          DSCQ_TEXT_COLUMN("kernel", ""),
    DSCQ_TEXT_COLUMN("stride", ""),        DSCQ_TEXT_COLUMN("in", ""),
    DSCQ_TEXT_COLUMN("out", ""),           DSCQ_TEXT_COLUMN("norm", ""),
    DSCQ_TEXT_COLUMN("activation", "act"), DSCQ_INT_COLUMN("params", ""),
    DSCQ_INT_COLUMN("macs", "MACs"),       DSCQ_COLUMN_END};

static void add_row(dscq_table *t, int32_t i, const dscq_node *n)
{
    const dscq_window *w = &n->window;
    char kernel[32], stride[32], in[64], out[64];

    (void)snprintf(kernel, sizeof kernel, "%dx%d", (int)w->kernel_h, (int)w->kernel_w);
    if (w->stride_h == w->stride_w)
        (void)snprintf(stride, sizeof stride, "%d", (int)w->stride_h);
    else
        (void)snprintf(stride, sizeof stride, "%dx%d", (int)w->stride_h,
                       (int)w->stride_w);
    dscq_shape_text(in, sizeof in, &n->in);
    dscq_shape_text(out, sizeof out, &n->out);
    DSCQ_TABLE_ROW(t, dscq_int(i), dscq_text(n->name), dscq_text(n->type),
                   w->kernel_h > 0 ? dscq_text(kernel) : dscq_none(),
                   w->kernel_h > 0 ? dscq_text(stride) : dscq_none(), dscq_text(in),
                   dscq_text(out),
                   dscq_text(n->normalised      ? "batch"
                             : n->weights->bias ? "bias"
                                                : ""),
                   dscq_text(dscq_act_name(n->act)), dscq_int((int64_t)node_params(n)),
                   dscq_int((int64_t)n->macs));
}

dscq_status dscq_model_table(dscq_table **out, const dscq_model *m, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "layers", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < m->count; i++)
        add_row(*out, i, &m->node[i]);
    return dscq_table_finish(out, err);
}
