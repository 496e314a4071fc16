/* Making an engine: the graph, and where everything lies. */
#include "dscq/base/alloc.h"
#include "exec_internal.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t floats_of(const dscq_shape *s, int32_t n)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c * (size_t)n;
}

/* ---- the graph ---------------------------------------------------------- */

static int32_t resolve(const dscq_exec *e, int32_t i)
{
    return i == DSCQ_INPUT ? DSCQ_INPUT : e->node[i].root;
}

static void resolve_views(dscq_exec *e)
{
    const int raw = e->o.training || e->o.raw_outputs;

    for (int32_t i = 0; i < e->count; i++) {
        const dscq_node *n = dscq_model_node(e->m, i);
        exec_node *x = &e->node[i];
        x->is_view = nn__view_root(e->m, i, nn__view_flags(e)) != i;
        for (int32_t j = 0; raw && j < dscq_model_outputs(e->m); j++)
            if (dscq_model_output(e->m, j) == i &&
                (n->ops->flags & DSCQ_LAYER_SOFTMAX) != 0)
                x->is_view = 1;
        for (int32_t j = 0; j < n->input_count; j++)
            x->x[j] = resolve(e, n->input[j]);
        x->root = x->is_view ? x->x[0] : i;
        x->last_consumer = NN_NONE;
        x->z_buf = x->g_buf = x->state_buf = -1;
        x->pack_buf[0] = x->pack_buf[1] = x->dw_buf = -1;
    }
}

static int has_params(const dscq_node *n)
{
    return n->weights->count > 0 || n->weights->channels > 0;
}

static dscq_status follow(dscq_exec *e, dscq_error *err)
{
    for (int32_t i = 0; i < e->outputs; i++) {
        const int32_t root = resolve(e, dscq_model_output(e->m, i));
        if (root == DSCQ_INPUT)
            return dscq_fail(err, DSCQ_UNSUPPORTED, "output '%s' is the input itself",
                             dscq_model_node(e->m, dscq_model_output(e->m, i))->name);
        e->output_root[i] = root;
        e->node[root].is_output = e->node[root].reached = 1;
    }
    for (int32_t i = 0; i < e->count; i++) {
        const dscq_node *n = dscq_model_node(e->m, i);
        exec_node *x = &e->node[i];
        x->learns = has_params(n) && !n->frozen;
        x->needs_grad = x->learns;
        for (int32_t j = 0; j < n->input_count; j++)
            if (x->x[j] != DSCQ_INPUT && e->node[x->x[j]].needs_grad)
                x->needs_grad = 1;
    }
    for (int32_t i = e->count - 1; i >= 0; i--) {
        const dscq_node *n = dscq_model_node(e->m, i);
        for (int32_t j = 0; j < n->input_count && !e->node[i].is_view; j++)
            if (e->node[i].x[j] != DSCQ_INPUT)
                e->node[e->node[i].x[j]].uses++;
        if (!e->node[i].reached || e->node[i].is_view)
            continue;
        for (int32_t j = 0; j < n->input_count; j++)
            if (e->node[i].x[j] != DSCQ_INPUT) {
                e->node[e->node[i].x[j]].reached = 1;
                e->node[e->node[i].x[j]].last_consumer = i;
            }
    }
    return DSCQ_OK;
}

/* ---- weights, scratch --------------------------------------------------- */

/* Walks all arrays of a node: with base NULL it only counts. */
static float *take(float *base, size_t *at, size_t floats)
{
    float *p = base != NULL ? base + *at : NULL;

    *at += (floats + 15) / 16 * 16;
    return p;
}

static void lay_gradients(dscq_exec *e, float *base, size_t *at, int32_t i)
{
    exec_node *x = &e->node[i];
    const dscq_node *n = dscq_model_node(e->m, i);
    const dscq_weights *w = n->weights;
    const size_t c = (size_t)w->channels;

    if (!e->o.training || !x->learns || !x->reached)
        return;
    if (w->count > 0 && x->dw_buf < 0)
        x->grads.w = take(base, at, w->count);
    if (nn__has_bias(n))
        x->grads.bias = take(base, at, c);
    if (n->normalised) {
        x->grads.gamma = take(base, at, c);
        x->grads.beta = take(base, at, c);
    }
}

static void lay_weights(dscq_exec *e, float *base, size_t *at, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    exec_node *x = &e->node[i];
    const dscq_weights *w = n->weights;
    const size_t c = (size_t)w->channels;

    for (int back = 0; back < 2 && !nn__exec_is_large(e, i); back++) {
        if (!nn__exec_wants_packed(e, i, back))
            continue;
        const size_t floats = n->ops->pack_floats(n, e->k, back);
        float **to = back ? &x->packed_back : &x->packed;
        *to = floats > 0 ? take(base, at, floats) : NULL;
    }
    if (c > 0) {
        x->fold_a = take(base, at, c);
        x->fold_b = take(base, at, c);
        x->a = take(base, at, c);
        x->b = take(base, at, c);
        x->mean = (double *)(void *)take(base, at, 2 * c);
        x->inv = (double *)(void *)take(base, at, 2 * c);
        for (int j = 0; j < 3; j++)
            x->coef[j] = take(base, at, c);
    }
}

static size_t max_sums(const dscq_exec *e, const dscq_node *n, const exec_node *x)
{
    size_t back = 0;

    for (int32_t j = 0; j < n->input_count; j++)
        if (x->x[j] != DSCQ_INPUT)
            back += (size_t)dscq_model_node(e->m, x->x[j])->out.c;
    return 2 * DSCQ_SUM_GROUPS * nn__max(back, (size_t)n->out.c);
}

static size_t node_scratch(const dscq_exec *e, const dscq_node *n)
{
    dscq_shape x[DSCQ_NODE_INPUTS];

    for (int32_t j = 0; j < n->input_count; j++)
        x[j] = nn__shape(e->m, n->input[j]);
    if (n->ops->image_forward != NULL)
        return nn__images_scratch(n, x, n->input_count);
    return n->ops->scratch_floats(n, x, e->o.batch, e->k);
}

static void lay_work(dscq_exec *e, float *base, size_t *at)
{
    const int threads = dscq_pool_threads(e->o.pool);
    size_t part = 0;

    e->scratch_floats = e->sum_doubles = e->pack_scratch_floats = 0;
    for (int32_t i = 0; i < e->count; i++) {
        const dscq_node *n = dscq_model_node(e->m, i);
        if (e->node[i].is_view)
            continue;
        e->scratch_floats = nn__max(e->scratch_floats, node_scratch(e, n));
        e->sum_doubles = nn__max(e->sum_doubles, max_sums(e, n, &e->node[i]));
        if (n->normalised) /* what is not has nothing to be scaled with */
            e->pack_scratch_floats = nn__max(e->pack_scratch_floats, n->weights->count);
        if (e->o.training && n->ops->dw_part_floats != NULL)
            part = nn__max(part, n->ops->dw_part_floats(n, e->o.batch));
    }
    e->scratch_floats = (e->scratch_floats + 15) / 16 * 16;
    for (int t = 0; t < threads; t++) {
        float *mine = take(base, at, e->scratch_floats);
        if (mine != NULL)
            dscq_arena_init(&e->scratch[t], mine, e->scratch_floats * sizeof(float));
    }
    e->dw_part = take(base, at, part);
    e->sums = (double *)(void *)take(base, at, 2 * e->sum_doubles);
    /* packing for inference happens between passes: it may use the partial sums */
    if (part >= e->pack_scratch_floats)
        e->pack_scratch = e->dw_part;
    else
        e->pack_scratch = take(base, at, e->pack_scratch_floats);
}

/* ---- create ------------------------------------------------------------- */

static dscq_status check_options(const dscq_exec_options *o, const dscq_model *m,
                                 dscq_error *err)
{
    if (o->batch < 1)
        return dscq_fail(err, DSCQ_ARG, "batch = %d: want at least 1", (int)o->batch);
    if (dscq_model_outputs(m) < 1)
        return dscq_fail(err, DSCQ_ARG, "a network without layers cannot run");
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        if (dscq_shape_count(&dscq_model_node(m, i)->out) >
            ((size_t)1 << 36) / (size_t)o->batch)
            return dscq_fail(err, DSCQ_NOMEM,
                             "%s: batch = %d makes its output too large",
                             dscq_model_node(m, i)->name, (int)o->batch);
    return DSCQ_OK;
}

static dscq_status plan(dscq_exec **out, dscq_model *m, const dscq_exec_options *o,
                        dscq_error *err)
{
    dscq_exec *e = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(check_options(o, m, err));
    e = dscq_calloc(1, sizeof *e);
    if (e == NULL)
        return dscq_fail_nomem(err, "an engine", sizeof *e);
    e->m = m;
    e->o = *o;
    e->k = o->kernels != NULL ? o->kernels : dscq_kernels_get(NULL);
    e->count = dscq_model_nodes(m);
    e->outputs = dscq_model_outputs(m);
    e->norm_momentum = 0.1;
    e->stale = 1;
    const size_t n = (size_t)e->count, outs = (size_t)e->outputs;
    e->node = dscq_calloc(n, sizeof *e->node);
    e->buffer = dscq_calloc(6 * n + outs, sizeof *e->buffer);
    e->output_root = dscq_calloc(outs, sizeof *e->output_root);
    e->output_buf = dscq_calloc(outs, sizeof *e->output_buf);
    e->output_y = dscq_calloc(outs, sizeof *e->output_y);
    e->scratch = dscq_calloc((size_t)dscq_pool_threads(o->pool), sizeof *e->scratch);
    if (e->node == NULL || e->buffer == NULL || e->output_root == NULL ||
        e->output_buf == NULL || e->output_y == NULL || e->scratch == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "an engine", n * sizeof *e->node));
    resolve_views(e);
    DSCQ_TRY(follow(e, err));
    DSCQ_TRY(nn__exec_plan_activations(e, err));
    for (int32_t i = 0; i < e->count; i++)
        if (!e->node[i].is_view)
            lay_weights(e, NULL, &e->weight_floats, i);
    const size_t no_gradients = e->weight_floats;
    for (int32_t i = 0; i < e->count; i++)
        if (!e->node[i].is_view)
            lay_gradients(e, NULL, &e->weight_floats, i);
    size_t gradients = e->weight_floats - no_gradients;
    for (int32_t i = 0; i < e->count; i++)
        if (e->node[i].dw_buf >= 0)
            take(NULL, &gradients, dscq_model_node(m, i)->weights->count);
    e->plan.gradient_bytes = gradients * sizeof(float);
    lay_work(e, NULL, &e->work_floats);
    e->plan.activation_bytes = e->activation_floats * sizeof(float);
    e->plan.weight_bytes = e->weight_floats * sizeof(float);
    e->plan.scratch_bytes = e->work_floats * sizeof(float);
    e->plan.total_bytes =
        e->plan.activation_bytes + e->plan.weight_bytes + e->plan.scratch_bytes;
    *out = e;
    return DSCQ_OK;
done:
    dscq_exec_destroy(e);
    return status;
}

static float *place(const dscq_exec *e, int32_t buffer)
{
    return buffer >= 0 ? e->activations + e->buffer[buffer].at : NULL;
}

dscq_status dscq_exec_has_room(const dscq_model *m, int32_t batch, size_t total_bytes,
                               dscq_error *err)
{
    const dscq_node *most = dscq_model_node(m, 0);
    char what[DSCQ_NODE_NAME + 128];

    for (int32_t i = 1; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        if (floats_of(&n->out, batch) + n->weights->count >
            floats_of(&most->out, batch) + most->weights->count)
            most = n;
    }
    (void)snprintf(
        what, sizeof what,
        "the network at batch %d, most of it in layer '%s' (weights %zu bytes, "
        "output %zu)",
        (int)batch, most->name, most->weights->count * sizeof(float),
        floats_of(&most->out, batch) * sizeof(float));
    return dscq_memory_check(what, total_bytes, err);
}

dscq_status dscq_exec_create(dscq_exec **out, dscq_model *m, const dscq_exec_options *o,
                             dscq_error *err)
{
    dscq_exec *e;
    const dscq_status status = plan(&e, m, o, err);
    size_t at = 0;

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    if (dscq_exec_has_room(m, o->batch, e->plan.total_bytes, err) != DSCQ_OK) {
        dscq_exec_destroy(e);
        return DSCQ_NOMEM;
    }
    e->activations = dscq_malloc(nn__max(e->activation_floats, 1), sizeof(float));
    e->weights = dscq_calloc(nn__max(e->weight_floats, 1), sizeof(float));
    e->work = dscq_malloc(nn__max(e->work_floats, 1), sizeof(float));
    if (e->activations == NULL || e->weights == NULL || e->work == NULL) {
        const size_t bytes = e->plan.total_bytes;
        dscq_exec_destroy(e);
        return dscq_fail_nomem(err, "the network's memory plan", bytes);
    }
    for (int32_t i = 0; i < e->count; i++) {
        exec_node *x = &e->node[i];
        if (x->is_view)
            continue;
        lay_weights(e, e->weights, &at, i);
        x->z = place(e, x->z_buf);
        x->g = place(e, x->g_buf);
        x->state = place(e, x->state_buf);
        if (x->dw_buf >= 0)
            x->grads.w = place(e, x->dw_buf);
        if (x->pack_buf[0] >= 0)
            x->packed = place(e, x->pack_buf[0]);
        if (x->pack_buf[1] >= 0)
            x->packed_back = place(e, x->pack_buf[1]);
    }
    for (int32_t i = 0; i < e->count; i++)
        if (!e->node[i].is_view)
            lay_gradients(e, e->weights, &at, i);
    assert(at == e->weight_floats);
    at = 0;
    lay_work(e, e->work, &at);
    assert(at == e->work_floats);
    for (int32_t i = 0; i < e->outputs; i++)
        e->output_y[i] = e->o.training ? place(e, e->output_buf[i]) : NULL;
    *out = e;
    return DSCQ_OK;
}

dscq_status dscq_exec_dry_run(dscq_exec_plan *out, dscq_model *m,
                              const dscq_exec_options *o, dscq_error *err)
{
    dscq_exec *e;
    const dscq_status status = plan(&e, m, o, err);

    if (status == DSCQ_OK)
        *out = e->plan;
    if (status == DSCQ_OK)
        dscq_exec_destroy(e);
    return status;
}

void dscq_exec_destroy(dscq_exec *e)
{
    if (e == NULL)
        return;
    dscq_free(e->activations);
    dscq_free(e->weights);
    dscq_free(e->work);
    dscq_free(e->node);
    dscq_free(e->buffer);
    dscq_free(e->output_root);
    dscq_free(e->output_buf);
    dscq_free(e->output_y);
    dscq_free(e->scratch);
    dscq_free(e);
}
