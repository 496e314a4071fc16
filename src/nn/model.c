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

static void clear_weights(dscq_weights *w)
{
    if (w == NULL)
        return;
    dscq_free(w->w);
    dscq_free(w->bias);
    dscq_free(w->gamma);
    dscq_free(w->beta);
    dscq_free(w->mean);
    dscq_free(w->var);
    dscq_free(w);
}

static void clear_node(dscq_node *n)
{
    clear_weights(n->weights);
    dscq_free((void *)(uintptr_t)n->params);
    memset(n, 0, sizeof *n);
}

void dscq_model_destroy(dscq_model *m)
{
    if (m == NULL)
        return;
    for (int32_t i = 0; i < m->count; i++)
        clear_node(&m->node[i]);
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

static int take_floats(float **out, size_t count, float value)
{
    *out = dscq_malloc(count, sizeof(float));
    if (*out == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        (*out)[i] = value;
    return 1;
}

/* The arrays, as long as size_weights() says. */
static dscq_status take_weights(dscq_node *n, dscq_error *err)
{
    dscq_weights *w = n->weights;
    const size_t channels = (size_t)w->channels;
    int ok = 1;

    if (w->count > 0)
        ok = take_floats(&w->w, w->count, 0.0f);
    w->w_used = w->w;
    if (n->normalised)
        ok = ok && take_floats(&w->gamma, channels, 1.0f) &&
             take_floats(&w->beta, channels, 0.0f) &&
             take_floats(&w->mean, channels, 0.0f) &&
             take_floats(&w->var, channels, 1.0f);
    else if (channels > 0)
        ok = ok && take_floats(&w->bias, channels, 0.0f);
    if (ok)
        return DSCQ_OK;
    dscq_fail_nomem(err, "weights", (w->count + 4 * channels) * sizeof(float));
    (void)dscq_fail_at(err, "%s", n->name);
    return DSCQ_NOMEM;
}

static dscq_status size_weights(dscq_node *n, const dscq_layer_shape *s,
                                const dscq_node_spec *spec, dscq_error *err)
{
    dscq_weights *w = dscq_calloc(1, sizeof *w);

    if (w == NULL)
        return dscq_fail_nomem(err, "weights", sizeof *w);
    n->weights = w;
    if (s->k > 0) {
        const dscq_shape all = {s->k, s->r, s->s, s->c};
        w->count = dscq_shape_count(&all);
        if (w->count == 0)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s: %d x %d x %d x %d weights: too many", n->name,
                             (int)s->k, (int)s->r, (int)s->s, (int)s->c);
    }
    w->k = s->k;
    w->r = s->r;
    w->s = s->s;
    w->c = s->c;
    w->bn_eps = spec->normalised ? spec->bn_eps : 1e-5;
    w->channels = spec->normalised || spec->has_bias ? s->out.c : 0;
    return DSCQ_OK;
}

static dscq_status grow(dscq_model *m, dscq_error *err)
{
    if (m->count < m->cap)
        return DSCQ_OK;
    if (m->cap >= NODES_MAX)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "more than %d layers", (int)NODES_MAX);
    const int32_t cap = m->cap == 0 ? 32 : 2 * m->cap;
    dscq_node *grown = dscq_realloc(m->node, (size_t)m->cap * sizeof *grown,
                                    (size_t)cap * sizeof *grown);
    if (grown == NULL)
        return dscq_fail_nomem(err, "layers", (size_t)cap * sizeof *grown);
    m->node = grown;
    m->cap = cap;
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

static dscq_status fill_node(dscq_node *n, const dscq_model *m,
                             const dscq_node_spec *spec, const int32_t *inputs,
                             int32_t input_count, dscq_error *err)
{
    dscq_shape x[DSCQ_NODE_INPUTS];
    dscq_layer_shape s = {0};
    dscq_status status;

    DSCQ_TRY(set_inputs(n, m, inputs, input_count, err));
    for (int32_t i = 0; i < input_count; i++)
        x[i] = nn__shape(m, inputs[i]);
    status = n->ops->infer(&s, (void *)(uintptr_t)n->params, x, input_count, err);
    if (status != DSCQ_OK) {
        dscq_fail_at(err, "%s", n->name);
        return status;
    }
    s.out.n = 1;
    if (dscq_shape_count(&s.out) == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: output %d x %d x %d is empty or too big", n->name,
                         (int)s.out.h, (int)s.out.w, (int)s.out.c);
    n->in = x[0];
    n->out = s.out;
    n->window = s.window;
    n->macs = s.macs;
    n->normalised = spec->normalised != 0;
    n->act = spec->act;
    n->act_slope = spec->act_slope;
    n->rate = 1.0;
    DSCQ_TRY(size_weights(n, &s, spec, err));
    if (!m->is_plan)
        DSCQ_TRY(take_weights(n, err));
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
    n.params = copy;

    DSCQ_TRY(grow(m, err));
    DSCQ_TRY(fill_node(&n, m, spec, inputs, input_count, err));
    m->last = m->count;
    if (index_out != NULL)
        *index_out = m->count;
    m->node[m->count++] = n;
    return DSCQ_OK;
done:
    clear_node(&n);
    return status;
}

static void copy_floats(float *to, const float *from, size_t count)
{
    if (to != NULL && from != NULL)
        memcpy(to, from, count * sizeof(float));
}

static void copy_weights(dscq_weights *to, const dscq_weights *from)
{
    const size_t c = (size_t)from->channels;

    copy_floats(to->w, from->w, from->count);
    copy_floats(to->bias, from->bias, c);
    copy_floats(to->gamma, from->gamma, c);
    copy_floats(to->beta, from->beta, c);
    copy_floats(to->mean, from->mean, c);
    copy_floats(to->var, from->var, c);
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
        copy_weights(to->weights, n->weights);
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

/* He et al. 2015, by fan-in; large layers look whether to stop now and then. */
static dscq_status init_node(const dscq_node *n, dscq_rng r, const dscq_log *log,
                             dscq_error *err)
{
    enum { PIECE = 1 << 22 };
    const dscq_weights *w = n->weights;
    const double fan_in = (double)w->r * w->s * w->c;
    const double gain = n->act == DSCQ_ACT_LINEAR ? 1.0 : 2.0;

    for (size_t j = 0; j < w->count; j++) {
        if (j % PIECE == 0 && dscq_log_stop(log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "stopped while weights were made");
        w->w[j] = dscq_rng_normal(&r) * (float)sqrt(gain / fan_in);
    }
    return DSCQ_OK;
}

/* Few of a detector's boxes hold an object: objectness starts at 1 % (Lin et al. 2017,
 * section 4.1), or the first epochs only unlearn what is not there. */
static void init_heads(dscq_model *m)
{
    static const double prior = 0.01;

    for (int32_t i = 0; i < m->count; i++) {
        const dscq_node *n = &m->node[i];
        if ((n->ops->flags & DSCQ_LAYER_HEAD) == 0 || n->input[0] < 0)
            continue;
        const dscq_yolo_params *p = n->params;
        const dscq_weights *w = m->node[n->input[0]].weights;
        for (int32_t c = 4; w->bias != NULL && c < w->channels; c += 5 + p->classes)
            w->bias[c] = (float)log(prior / (1 - prior));
    }
}

/* All weights at once, before the first is taken; the largest layer is named. */
static dscq_status check_room(const dscq_model *m, dscq_error *err)
{
    char what[DSCQ_NODE_NAME + 128];
    uint64_t all = 0;
    int32_t most = 0;

    for (int32_t i = 0; i < m->count; i++) {
        all += m->node[i].weights->count * sizeof(float);
        if (m->node[i].weights->count > m->node[most].weights->count)
            most = i;
    }
    if (m->count == 0)
        return DSCQ_OK;
    (void)snprintf(what, sizeof what,
                   "weights of the network, %zu bytes of them in layer '%s'",
                   m->node[most].weights->count * sizeof(float), m->node[most].name);
    return dscq_memory_check(what, all, err);
}

int dscq_model_is_plan(const dscq_model *m)
{
    return m->is_plan;
}

dscq_status dscq_model_fill(dscq_model *m, const dscq_rng *rng, const dscq_log *log,
                            dscq_error *err)
{
    dscq_status status;

    assert(m->is_plan);
    DSCQ_TRY(check_room(m, err));
    for (int32_t i = 0; i < m->count; i++) {
        DSCQ_TRY(take_weights(&m->node[i], err));
        DSCQ_TRY(init_node(&m->node[i], dscq_rng_fork(rng, "weights", (uint64_t)i), log,
                           err));
    }
    init_heads(m);
    m->is_plan = 0;
done:
    return status;
}

int32_t dscq_model_copy_layers(dscq_model *to, const dscq_model *from,
                               const char *patterns)
{
    int32_t matched = 0;

    assert(to->count == from->count);
    for (int32_t i = 0; i < to->count; i++)
        if (dscq_glob_match_any(patterns, to->node[i].name)) {
            copy_weights(to->node[i].weights, from->node[i].weights);
            matched++;
        }
    return matched;
}

int32_t dscq_model_freeze(dscq_model *m, const char *patterns, int frozen)
{
    int32_t matched = 0;

    for (int32_t i = 0; i < m->count; i++)
        if (dscq_glob_match_any(patterns, m->node[i].name)) {
            m->node[i].frozen = frozen != 0;
            matched++;
        }
    return matched;
}

int32_t dscq_model_rate(dscq_model *m, const char *patterns, double factor)
{
    int32_t matched = 0;

    for (int32_t i = 0; i < m->count; i++)
        if (dscq_glob_match_any(patterns, m->node[i].name)) {
            m->node[i].rate = factor;
            matched++;
        }
    return matched;
}

void dscq_node_fold(const dscq_node *n, float *scale, float *shift)
{
    const dscq_weights *w = n->weights;

    for (int32_t c = 0; c < n->out.c; c++) {
        scale[c] = 1.0f;
        shift[c] = w->bias != NULL ? w->bias[c] : 0.0f;
        if (w->gamma == NULL)
            continue;
        const double a = (double)w->gamma[c] / sqrt((double)w->var[c] + w->bn_eps);
        scale[c] = (float)a;
        shift[c] = (float)((double)w->beta[c] - (double)w->mean[c] * a);
    }
}

const dscq_net_params *dscq_model_net(const dscq_model *m)
{
    return m->net;
}
