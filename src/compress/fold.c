/* Batch norm into weights and biases, as deployment tools do it. */
#include "dscq/compress/fold.h"

#include "dscq/base/alloc.h"
#include "dscq/nn/layer.h"

#include <assert.h>
#include <string.h>

/* Has weights of its own that its normalisation can be multiplied into. */
static int folds(const dscq_node *n)
{
    return n->normalised && n->weights->count > 0 && n->weights->k == n->out.c;
}

static dscq_status add_node(dscq_model *to, const dscq_model *m, int32_t i,
                            dscq_error *err)
{
    const dscq_node *n = dscq_model_node(m, i);
    const dscq_node_spec spec = {.name = n->name,
                                 .normalised = n->normalised && !folds(n),
                                 .has_bias = n->weights->bias != NULL || folds(n),
                                 .bn_eps = n->weights->bn_eps,
                                 .act = n->act,
                                 .act_slope = n->act_slope};
    int32_t index;
    const dscq_status status = dscq_model_add(&index, to, n->type, n->params, &spec,
                                              n->input, n->input_count, err);

    assert(status != DSCQ_OK || index == i);
    return status;
}

static void copy_array(float *to, const float *from, size_t count)
{
    if (to != NULL && from != NULL)
        memcpy(to, from, count * sizeof *to);
}

static void copy_learned(dscq_weights *to, const dscq_weights *w)
{
    const size_t channels = (size_t)w->channels;

    copy_array(to->w, w->w, w->count);
    copy_array(to->bias, w->bias, channels);
    copy_array(to->gamma, w->gamma, channels);
    copy_array(to->beta, w->beta, channels);
    copy_array(to->mean, w->mean, channels);
    copy_array(to->var, w->var, channels);
}

static dscq_status fold_node(dscq_weights *to, const dscq_node *n, dscq_error *err)
{
    const dscq_weights *w = n->weights;
    const size_t per = w->count / (size_t)w->k;
    float *scale = dscq_malloc((size_t)w->k, sizeof *scale);

    if (scale == NULL)
        return dscq_fail_nomem(err, "folded batch norm", (size_t)w->k * sizeof *scale);
    dscq_node_fold(n, scale, to->bias);
    for (size_t j = 0; j < w->count; j++)
        to->w[j] = w->w[j] * scale[j / per];
    dscq_free(scale);
    return DSCQ_OK;
}

dscq_status dscq_fold_norm(dscq_model **out, const dscq_model *m, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);
    dscq_model *to = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_model_create(&to, dscq_model_name(m), dscq_model_input(m), err));
    for (int32_t i = 0; i < nodes; i++)
        DSCQ_TRY(add_node(to, m, i, err));
    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        if (dscq_model_output(m, i) != nodes - 1 || dscq_model_outputs(m) > 1)
            DSCQ_TRY(dscq_model_add_output(to, dscq_model_output(m, i), err));
    for (int32_t i = 0; i < nodes; i++) {
        const dscq_node *n = dscq_model_node(m, i);

        if (folds(n))
            DSCQ_TRY(fold_node(dscq_model_node(to, i)->weights, n, err));
        else
            copy_learned(dscq_model_node(to, i)->weights, n->weights);
    }
    *out = to;
    return DSCQ_OK;
done:
    dscq_model_destroy(to);
    return status;
}
