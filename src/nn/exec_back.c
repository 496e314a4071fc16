/* Gradients: nodes in falling order; the last reader of an output finishes its
 * gradient (activation, sums), which gives beta, gamma or bias, and the numbers with
 * which the node itself will read it. */
#include "exec_internal.h"

#include <assert.h>
#include <string.h>

/* From the sums of g and g*z of node i. */
static void finish_gradient(dscq_exec *e, int32_t i, double *sums, size_t groups)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    exec_node *x = &e->node[i];
    const size_t channels = (size_t)n->out.c;
    const double count = (double)e->n * n->out.h * n->out.w;

    if (n->weights->channels == 0)
        return;
    nn__sums_total(sums, groups, channels);
    for (size_t c = 0; c < channels; c++) {
        const double sum = sums[c], sum_z = sums[channels + c];
        if (!n->normalised) {
            if (x->grads.bias != NULL)
                x->grads.bias[c] = (float)sum;
            continue;
        }
        const double inv = x->inv[c], mean = x->mean[c];
        const double d_gamma = inv * (sum_z - mean * sum);
        const double a = (double)n->weights->gamma[c] * inv;
        if (x->grads.gamma != NULL) {
            x->grads.gamma[c] = (float)d_gamma;
            x->grads.beta[c] = (float)sum;
        }
        x->coef[0][c] = (float)a;
        x->coef[1][c] = x->coef[2][c] = 0.0f;
        if (x->batch_norm) {
            x->coef[1][c] = (float)(-a * d_gamma * inv / count);
            x->coef[2][c] = (float)(a * (d_gamma * inv * mean - sum) / count);
        }
    }
}

/* ---- outputs that nobody else reads ------------------------------------- */

typedef struct output_ctx {
    dscq_exec *e;
    dscq_sink sink;
    size_t rows, groups;
} output_ctx;

static void output_task(void *ctx, size_t task, int worker)
{
    const output_ctx *o = ctx;
    const size_t c = (size_t)o->sink.edge->shape.c;
    const size_t first = nn__cut(o->rows, o->groups, task);
    const size_t end = nn__cut(o->rows, o->groups, task + 1);
    dscq_arena *scratch = &o->e->scratch[worker];

    dscq_arena_clear(scratch);
    nn_sums sums = nn__sums_begin(scratch, o->sink.sum, task, c, 0, c);
    nn__sink_put(&o->sink, o->e->k, first, end - first, NULL, &sums);
    nn__sums_flush(&sums);
}

static int wants_sums(const dscq_exec *e, int32_t i)
{
    return dscq_model_node(e->m, i)->weights->channels > 0;
}

static void start_output(dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    exec_node *x = &e->node[i];
    dscq_edge edge;

    x->started = 1;
    if (x->last_consumer != NN_NONE)
        return; /* its last reader will finish it */
    nn__exec_edge(&edge, e, i);
    output_ctx o = {.e = e,
                    .sink = {.g = x->g,
                             .edge = &edge,
                             .last = 1,
                             .sum = wants_sums(e, i) ? e->sums : NULL,
                             .wants_sum_z = n->normalised},
                    .rows = (size_t)e->n * (size_t)n->out.h * (size_t)n->out.w};
    o.groups = nn__min((o.rows + 63) / 64, DSCQ_SUM_GROUPS);
    dscq_pool_run(e->o.pool, o.groups, output_task, &o);
    finish_gradient(e, i, e->sums, o.groups);
}

/* ---- the loop ----------------------------------------------------------- */

/* Cleared sums for input j: of a node's own grid, or of the one in front of its table.
 */
static double *range_part(dscq_exec *e, int before, int32_t j)
{
    memset(e->range_part[before][j], 0, sizeof e->range_part[before][j]);
    return e->range_part[before][j];
}

static void set_sinks(dscq_exec *e, int32_t i, const dscq_edge *edges, dscq_sink *sink)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];
    double *sums = e->sums;

    for (int32_t j = 0; j < n->input_count; j++) {
        const int32_t from = x->x[j];
        sink[j] = (dscq_sink){.edge = &edges[j]};
        if (from == DSCQ_INPUT || !e->node[from].needs_grad)
            continue;
        int is_last = e->node[from].last_consumer == i;
        for (int32_t k = j + 1; k < n->input_count; k++)
            if (x->x[k] == from)
                is_last = 0; /* read twice by this node */
        sink[j].g = e->node[from].g;
        sink[j].add = e->node[from].started;
        sink[j].last = is_last;
        sink[j].from_output = e->node[from].forward_only;
        sink[j].act = dscq_model_node(e->m, from)->act;
        e->node[from].started = 1;
        if (is_last && e->learn_ranges && e->node[from].has_quant)
            sink[j].range = range_part(e, 0, j);
        if (is_last && e->learn_ranges && e->node[from].has_before)
            sink[j].before_range = range_part(e, 1, j);
        if (is_last && wants_sums(e, from)) {
            sink[j].sum = sums;
            sink[j].wants_sum_z = dscq_model_node(e->m, from)->normalised;
            sums += 2 * DSCQ_SUM_GROUPS * (size_t)edges[j].shape.c;
        }
    }
}

static void backward_node(dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    exec_node *x = &e->node[i];
    dscq_edge edges[DSCQ_NODE_INPUTS];
    dscq_sink sink[DSCQ_NODE_INPUTS];
    dscq_layer_io io = nn__exec_io(e, i, edges);

    nn__exec_pack_node(e, i, 1);
    for (int32_t j = 0; j < n->input_count; j++)
        if (x->x[j] != DSCQ_INPUT && e->node[x->x[j]].forward_only)
            edges[j] = (dscq_edge){.shape = edges[j].shape, .is_plain = 1};
    set_sinks(e, i, edges, sink);
    io.dx = sink;
    io.g = x->g;
    io.dw = x->grads.w;
    for (int j = 0; j < 3 && n->normalised; j++)
        io.coef[j] = x->coef[j];
    const size_t groups = n->ops->image_backward != NULL ? nn__images_backward(&io)
                                                         : n->ops->backward(&io);
    for (int32_t j = 0; j < n->input_count; j++) {
        if (sink[j].g != NULL && sink[j].last)
            finish_gradient(e, x->x[j], sink[j].sum, groups);
        for (size_t g = 0; sink[j].range != NULL && g < DSCQ_SUM_GROUPS; g++)
            e->node[x->x[j]].range_grad += sink[j].range[g];
        for (size_t g = 0; sink[j].before_range != NULL && g < DSCQ_SUM_GROUPS; g++)
            e->node[x->x[j]].before_grad += sink[j].before_range[g];
    }
}

/* Whether there is anything to do for the node itself or for what is before it. */
static int has_work(const dscq_exec *e, int32_t i)
{
    const exec_node *x = &e->node[i];

    if (x->is_view || !x->reached || !x->needs_grad)
        return 0;
    if (x->grads.w != NULL)
        return 1;
    for (int32_t j = 0; j < dscq_model_node(e->m, i)->input_count; j++)
        if (x->x[j] != DSCQ_INPUT && e->node[x->x[j]].needs_grad)
            return 1;
    return 0;
}

void dscq_exec_backward(dscq_exec *e)
{
    assert(e->pass == DSCQ_PASS_TRAIN);
    for (int32_t i = 0; i < e->count; i++) {
        e->node[i].started = 0;
        e->node[i].range_grad = e->node[i].before_grad = 0;
    }
    for (int32_t i = 0; i < e->outputs; i++)
        if (!e->node[e->output_root[i]].started)
            start_output(e, e->output_root[i]);
    for (int32_t i = e->count - 1; i >= 0; i--) {
        const double t = e->now != NULL ? e->now() : 0;
        if (has_work(e, i))
            backward_node(e, i);
        if (e->node[i].dw_buf >= 0 && e->on_gradients != NULL)
            e->on_gradients(e->gradients_ctx, i);
        if (e->now != NULL)
            e->node[i].backward_s += e->now() - t;
    }
}
