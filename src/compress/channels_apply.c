/* The smaller network. */
#include "dscq/base/alloc.h"
#include "dscq/compress/channels.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"

#include <assert.h>
#include <string.h>

static int kept_input(const dscq_channel_plan *p, const dscq_node *n, int32_t channel)
{
    return n->input[0] == DSCQ_INPUT || p->keep[p->class_of[n->input[0]][channel]];
}

static int kept_output(const dscq_channel_plan *p, int32_t node, int32_t channel)
{
    return p->keep[p->class_of[node][channel]];
}

static int32_t count_kept(const dscq_channel_plan *p, int32_t node, int32_t channels)
{
    int32_t n = 0;

    for (int32_t c = 0; c < channels; c++)
        n += kept_output(p, node, c);
    return n;
}

static dscq_status add_node(dscq_model *to, const dscq_model *m,
                            const dscq_channel_plan *p, int32_t i, dscq_error *err)
{
    const dscq_node *n = dscq_model_node(m, i);
    const dscq_node_spec spec = dscq_node_spec_of(n);
    void *params = dscq_calloc(1, n->ops->param_bytes + 1);
    int32_t index;
    dscq_status status;

    if (params == NULL)
        return dscq_fail_nomem(err, "smaller network", n->ops->param_bytes);
    if (n->ops->param_bytes > 0)
        memcpy(params, n->params, n->ops->param_bytes);
    if (n->ops->channels != NULL)
        (void)n->ops->channels(params, count_kept(p, i, n->out.c));
    status = dscq_model_add(&index, to, n->type, params, &spec, n->input,
                            n->input_count, err);
    assert(status != DSCQ_OK || index == i);
    dscq_free(params);
    return status;
}

/* to[..] = the kept channels of from[channels] */
static void copy_channels(float *to, const float *from, const dscq_channel_plan *p,
                          int32_t node, int32_t channels)
{
    for (int32_t c = 0; to != NULL && from != NULL && c < channels; c++)
        if (kept_output(p, node, c))
            *to++ = from[c];
}

static void copy_weights(dscq_weights *to, const dscq_node *n,
                         const dscq_channel_plan *p, int32_t node)
{
    const dscq_weights *w = n->weights;
    const size_t per = w->k > 0 ? w->count / (size_t)w->k : 0;
    const int shared = n->window.groups <= 1; /* columns are input channels */
    float *out = to->w;

    for (int32_t o = 0; o < w->k; o++) {
        if (!kept_output(p, node, o))
            continue;
        for (size_t j = 0; j < per; j++) {
            const int32_t in = (int32_t)(j % (size_t)w->c) % n->in.c;

            if (!shared || kept_input(p, n, in))
                *out++ = w->w[(size_t)o * per + j];
        }
    }
    assert(to->count == 0 || out == to->w + to->count);
    copy_channels(to->bias, w->bias, p, node, w->channels);
    copy_channels(to->gamma, w->gamma, p, node, w->channels);
    copy_channels(to->beta, w->beta, p, node, w->channels);
    copy_channels(to->mean, w->mean, p, node, w->channels);
    copy_channels(to->var, w->var, p, node, w->channels);
}

dscq_status dscq_channels_apply(dscq_model **out, const dscq_model *m,
                                const dscq_channel_plan *p, dscq_error *err)
{
    dscq_model *to = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_model_create(&to, dscq_model_name(m), dscq_model_input(m), err));
    for (int32_t i = 0; i < p->nodes; i++)
        DSCQ_TRY(add_node(to, m, p, i, err));
    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        if (dscq_model_output(m, i) != p->nodes - 1 || dscq_model_outputs(m) > 1)
            DSCQ_TRY(dscq_model_add_output(to, dscq_model_output(m, i), err));
    for (int32_t i = 0; i < p->nodes; i++)
        copy_weights(dscq_model_node(to, i)->weights, dscq_model_node(m, i), p, i);
    *out = to;
    return DSCQ_OK;
done:
    dscq_model_destroy(to);
    return status;
}

dscq_status dscq_channels_table(dscq_table **out, const dscq_model *m,
                                const dscq_model *smaller, dscq_error *err)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("layer", ""),
                                          DSCQ_INT_COLUMN("channels_before", "before"),
                                          DSCQ_INT_COLUMN("channels_after", "after"),
                                          DSCQ_INT_COLUMN("weights_before", "weights"),
                                          DSCQ_INT_COLUMN("weights_after", "after"),
                                          DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "channels", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *a = dscq_model_node(m, i), *b = dscq_model_node(smaller, i);

        if (a->weights->count > 0)
            DSCQ_TABLE_ROW(*out, dscq_text(a->name), dscq_int(a->out.c),
                           dscq_int(b->out.c), dscq_int((int64_t)a->weights->count),
                           dscq_int((int64_t)b->weights->count));
    }
    return dscq_table_finish(out, err);
}
