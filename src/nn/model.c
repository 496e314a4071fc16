#include "dscq/nn/model.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "nn_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NODES_MAX = 4096 };

dscq_status dscq_model_create(dscq_model **out, const char *name, dscq_shape input,
                              dscq_error *err)
{
    dscq_model *m;

    *out = NULL;
    input.n = 1;
    if (dscq_shape_count(&input) == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "network '%s': input %d x %d x %d: every size must be at "
                         "least 1",
                         name != NULL ? name : "", (int)input.h, (int)input.w,
                         (int)input.c);
    m = dscq_calloc(1, sizeof *m);
    if (m == NULL)
        return dscq_fail_nomem(err, "a network", sizeof *m);
    dscq_str_copy(m->name, sizeof m->name, name != NULL ? name : "");
    m->input = input;
    m->last = -1;
    *out = m;
    return DSCQ_OK;
}

void dscq_model_destroy(dscq_model *m)
{
    if (m == NULL)
        return;
    for (int32_t i = 0; i < m->count; i++) {
        nn__weights_destroy(m->node[i].weights);
        dscq_free(m->params[i]);
    }
    dscq_free(m->params);
    dscq_free(m->node);
    dscq_free(m->output);
    dscq_free(m->net);
    dscq_free(m);
}

const char *dscq_model_name(const dscq_model *m)
{
    return m->name;
}

dscq_shape dscq_model_input(const dscq_model *m)
{
    return m->input;
}

int32_t dscq_model_nodes(const dscq_model *m)
{
    return m->count;
}

const dscq_node *dscq_model_node(const dscq_model *m, int32_t i)
{
    assert(i >= 0 && i < m->count);
    return &m->node[i];
}

dscq_node *nn__node(dscq_model *m, int32_t i)
{
    assert(i >= 0 && i < m->count);
    return &m->node[i];
}

dscq_shape nn__shape(const dscq_model *m, int32_t i)
{
    return i == DSCQ_INPUT ? m->input : m->node[i].out;
}

int32_t dscq_model_find(const dscq_model *m, const char *name)
{
    for (int32_t i = 0; i < m->count; i++)
        if (strcmp(m->node[i].name, name) == 0)
            return i;
    return -1;
}

int dscq_model_is_plan(const dscq_model *m)
{
    return m->is_plan;
}

int32_t dscq_model_outputs(const dscq_model *m)
{
    if (m->output_count > 0)
        return m->output_count;
    return m->last >= 0 ? 1 : 0;
}

int32_t dscq_model_output(const dscq_model *m, int32_t i)
{
    assert(i >= 0 && i < dscq_model_outputs(m));
    return m->output_count > 0 ? m->output[i] : m->last;
}

int dscq_model_has_norm(const dscq_model *m)
{
    for (int32_t i = 0; i < m->count; i++)
        if (dscq_model_node(m, i)->normalised)
            return 1;
    return 0;
}

dscq_status dscq_model_add_output(dscq_model *m, int32_t index, dscq_error *err)
{
    if (index < 0 || index >= m->count)
        return dscq_fail(err, DSCQ_ARG, "output %d: the network has %d nodes",
                         (int)index, (int)m->count);
    for (int32_t i = 0; i < m->output_count; i++)
        if (m->output[i] == index)
            return DSCQ_OK;
    const size_t old = (size_t)m->output_count * sizeof(int32_t);
    int32_t *grown = dscq_realloc(m->output, old, old + sizeof(int32_t));
    if (grown == NULL)
        return dscq_fail_nomem(err, "outputs of a network", old);
    m->output = grown;
    m->output[m->output_count++] = index;
    return DSCQ_OK;
}

static int is_view(const dscq_model *m, const dscq_node *n, unsigned view_flags)
{
    const dscq_shape in = nn__shape(m, n->input[0]);

    return (n->ops->flags & view_flags) != 0 && n->input_count == 1 && !n->normalised &&
           n->act == DSCQ_ACT_LINEAR && !nn__has_bias(n) &&
           dscq_shape_same_map(&in, &n->out);
}

int32_t nn__view_root(const dscq_model *m, int32_t i, unsigned view_flags)
{
    while (i != DSCQ_INPUT && is_view(m, &m->node[i], view_flags))
        i = m->node[i].input[0];
    return i;
}

static dscq_status grow(dscq_model *m, dscq_error *err)
{
    const size_t old = (size_t)m->cap, cap = old == 0 ? 32 : 2 * old;

    if (m->count < m->cap)
        return DSCQ_OK;
    if (m->cap >= NODES_MAX)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "more than %d layers", (int)NODES_MAX);
    dscq_node *node = dscq_realloc(m->node, old * sizeof *node, cap * sizeof *node);
    if (node != NULL)
        m->node = node;
    void **params = dscq_realloc(m->params, old * sizeof *params, cap * sizeof *params);
    if (params != NULL)
        m->params = params;
    if (node == NULL || params == NULL)
        return dscq_fail_nomem(err, "layers", cap * sizeof *node);
    m->cap = (int32_t)cap;
    return DSCQ_OK;
}

static dscq_status set_inputs(dscq_node *n, const dscq_model *m, const int32_t *inputs,
                              int32_t count, dscq_error *err)
{
    if (count < n->ops->inputs_min || count > n->ops->inputs_max)
        return dscq_fail(err, DSCQ_FORMAT, "%s: %d inputs; [%s] takes %d to %d",
                         n->name, (int)count, n->type, (int)n->ops->inputs_min,
                         (int)n->ops->inputs_max);
    for (int32_t i = 0; i < count; i++) {
        if (inputs[i] < DSCQ_INPUT || inputs[i] >= m->count)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s: input %d is not an earlier layer (this is layer %d)",
                             n->name, (int)inputs[i], (int)m->count);
        n->input[i] = inputs[i];
    }
    n->input_count = count;
    return DSCQ_OK;
}

static dscq_status fill_node(dscq_node *n, void *params, const dscq_model *m,
                             const dscq_node_spec *spec, const int32_t *inputs,
                             int32_t input_count, dscq_error *err)
{
    dscq_shape x[DSCQ_NODE_INPUTS];
    dscq_layer_shape s = {0};
    dscq_status status;

    DSCQ_TRY(set_inputs(n, m, inputs, input_count, err));
    for (int32_t i = 0; i < input_count; i++)
        x[i] = nn__shape(m, inputs[i]);
    status = n->ops->infer(&s, params, x, input_count, err);
    if (status != DSCQ_OK) {
        dscq_fail_at(err, "%s", n->name);
        return status;
    }
    s.out.n = 1;
    if (dscq_shape_count(&s.out) == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: output %d x %d x %d is empty or too big", n->name,
                         (int)s.out.h, (int)s.out.w, (int)s.out.c);
    n->params = params;
    n->in = x[0];
    n->out = s.out;
    n->window = s.window;
    n->macs = s.macs;
    n->normalised = spec->normalised != 0;
    n->act = spec->act;
    n->act_slope = spec->act_slope;
    n->rate = 1.0;
    DSCQ_TRY(nn__weights_size(n, &s, spec, err));
    if (!m->is_plan)
        DSCQ_TRY(nn__weights_take(n, err));
    return DSCQ_OK;
done:
    return status;
}

dscq_status dscq_model_add(int32_t *index_out, dscq_model *m, const char *type,
                           const void *params, const dscq_node_spec *spec,
                           const int32_t *inputs, int32_t input_count, dscq_error *err)
{
    static const dscq_node_spec plain = {0};
    const dscq_layer_ops *ops = dscq_layer_find(type);
    dscq_node n = {0};
    dscq_status status;

    if (spec == NULL)
        spec = &plain;
    if (ops == NULL)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "no layer type '%s'", type);
    n.ops = ops;
    n.type = ops->name;
    if (spec->name != NULL && spec->name[0] != '\0')
        dscq_str_copy(n.name, sizeof n.name, spec->name);
    else
        snprintf(n.name, sizeof n.name, "%d_%s", (int)m->count, ops->name);
    if (dscq_model_find(m, n.name) >= 0)
        return dscq_fail(err, DSCQ_FORMAT, "two layers are called '%s'", n.name);

    void *copy = dscq_calloc(1, nn__max(ops->param_bytes, 1));
    if (copy == NULL)
        return dscq_fail_nomem(err, "layer settings", ops->param_bytes);
    if (ops->param_bytes > 0 && params != NULL)
        memcpy(copy, params, ops->param_bytes);

    DSCQ_TRY(grow(m, err));
    DSCQ_TRY(fill_node(&n, copy, m, spec, inputs, input_count, err));
    m->last = m->count;
    if (index_out != NULL)
        *index_out = m->count;
    m->params[m->count] = copy;
    m->node[m->count++] = n;
    return DSCQ_OK;
done:
    nn__weights_destroy(n.weights);
    dscq_free(copy);
    return status;
}

dscq_node_spec dscq_node_spec_of(const dscq_node *n)
{
    return (dscq_node_spec){.name = n->name,
                            .normalised = n->normalised,
                            .has_bias = nn__has_bias(n),
                            .bn_eps = n->weights->bn_eps,
                            .act = n->act,
                            .act_slope = n->act_slope};
}

dscq_status dscq_model_clone(dscq_model **out, const dscq_model *m, dscq_error *err)
{
    dscq_model *copy = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_model_create(&copy, m->name, m->input, err));
    copy->is_plan = m->is_plan;
    for (int32_t i = 0; i < m->count; i++) {
        const dscq_node *n = &m->node[i];
        const dscq_node_spec spec = dscq_node_spec_of(n);
        DSCQ_TRY(dscq_model_add(NULL, copy, n->type, n->params, &spec, n->input,
                                n->input_count, err));
        dscq_node *to = &copy->node[i];
        to->line = n->line;
        to->frozen = n->frozen;
        to->rate = n->rate;
        nn__weights_copy(to->weights, n->weights);
    }
    for (int32_t i = 0; i < m->output_count; i++)
        DSCQ_TRY(dscq_model_add_output(copy, m->output[i], err));
    if (m->net != NULL) {
        copy->net = dscq_malloc(1, sizeof *copy->net);
        if (copy->net == NULL)
            DSCQ_TRY(dscq_fail_nomem(err, "[net] settings", sizeof *copy->net));
        *copy->net = *m->net;
    }
    *out = copy;
    return DSCQ_OK;
done:
    dscq_model_destroy(copy);
    return status;
}

const dscq_net_params *dscq_model_net(const dscq_model *m)
{
    return m->net;
}
