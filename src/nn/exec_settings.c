/* What an engine shows, and what it is told between passes. */
#include "dscq/nn/exec.h"
#include "exec_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void dscq_exec_refresh(dscq_exec *e)
{
    e->stale = 1;
}

dscq_exec_plan dscq_exec_get_plan(const dscq_exec *e)
{
    return e->plan;
}

const char *dscq_exec_kernels(const dscq_exec *e)
{
    return e->k->name;
}

int32_t dscq_exec_batch(const dscq_exec *e)
{
    return e->o.batch;
}

dscq_model *dscq_exec_model(const dscq_exec *e)
{
    return e->m;
}

size_t dscq_exec_scratch_peak(const dscq_exec *e)
{
    size_t peak = 0;

    for (int t = 0; t < dscq_pool_threads(e->o.pool); t++)
        peak = nn__max(peak, e->scratch[t].peak_bytes);
    return peak;
}

const float *dscq_exec_output(const dscq_exec *e, int32_t i, dscq_shape *shape)
{
    assert(i >= 0 && i < e->outputs);
    const int32_t root = e->output_root[i];

    if (shape != NULL) {
        *shape = dscq_model_node(e->m, root)->out;
        shape->n = e->n;
    }
    return e->pass == DSCQ_PASS_TRAIN ? e->output_y[i] : e->node[root].z;
}

const float *dscq_exec_node_output(const dscq_exec *e, int32_t node, dscq_shape *shape)
{
    const int32_t root = node == DSCQ_INPUT ? DSCQ_INPUT : e->node[node].root;

    assert(e->o.keep_nodes && e->pass == DSCQ_PASS_EVAL);
    if (shape != NULL) {
        *shape = nn__shape(e->m, root);
        shape->n = e->n;
    }
    return root == DSCQ_INPUT ? e->x : e->node[root].z;
}

float *dscq_exec_output_grad(dscq_exec *e, int32_t i)
{
    assert(i >= 0 && i < e->outputs && e->o.training);
    return e->node[e->output_root[i]].g;
}

dscq_grads dscq_exec_grads(const dscq_exec *e, int32_t node)
{
    return e->node[node].grads;
}

void dscq_exec_on_gradients(dscq_exec *e, dscq_gradients_fn *fn, void *ctx)
{
    assert(e->o.hand_over);
    e->on_gradients = fn;
    e->gradients_ctx = ctx;
}

int dscq_exec_hands_over(const dscq_exec *e, int32_t node)
{
    return e->node[node].dw_buf >= 0;
}

void dscq_exec_norm_momentum(dscq_exec *e, double factor)
{
    e->norm_momentum = factor;
}

void dscq_exec_freeze_norm(dscq_exec *e, int on)
{
    e->norm_frozen = on;
}

/* *on: whether q asks for any. */
static dscq_status fake_of(dscq_fake_quant *f, int *on, const dscq_exec *e,
                           int32_t node, const dscq_act_quant *q, dscq_error *err)
{
    memset(f, 0, sizeof *f);
    *on = q != NULL && q->scale != 0.0f;
    if (node < DSCQ_INPUT || node >= e->count)
        return dscq_fail(err, DSCQ_ARG, "node %d: the network has %d", (int)node,
                         (int)e->count);
    if (!*on)
        return DSCQ_OK;
    if (!(q->scale > 0.0f) || q->bits < 2 || q->bits > 16)
        return dscq_fail(err, DSCQ_ARG,
                         "activation scale %g, bits %d: want a scale above 0 and 2 to "
                         "16 bits",
                         (double)q->scale, (int)q->bits);
    if (e->o.lean && node != DSCQ_INPUT)
        return dscq_fail(err, DSCQ_ARG,
                         "node %d: this engine is lean: its outputs stay floats",
                         (int)node);
    f->scale = q->scale;
    f->zero = (float)q->zero;
    f->lo = q->is_unsigned ? 0.0f : -(float)(1 << (q->bits - 1));
    f->hi = (float)(q->is_unsigned ? (1 << q->bits) - 1 : (1 << (q->bits - 1)) - 1);
    return DSCQ_OK;
}

dscq_status dscq_exec_quantise(dscq_exec *e, int32_t node, const dscq_act_quant *q,
                               dscq_error *err)
{
    dscq_fake_quant f;
    int on;
    const dscq_status status = fake_of(&f, &on, e, node, q, err);

    if (status != DSCQ_OK)
        return status;
    if (node == DSCQ_INPUT) {
        e->input_quantised = on;
        e->input_quant = f;
        return DSCQ_OK;
    }
    /* what passes its input on also passes on its codes */
    const unsigned views = DSCQ_LAYER_VIEW | DSCQ_LAYER_VIEW_EVAL;
    if (e->node[node].is_view || nn__view_root(e->m, node, views) != node)
        return DSCQ_OK;
    e->node[node].has_quant = on;
    e->node[node].quant = f;
    return DSCQ_OK;
}

dscq_status dscq_exec_quantise_before(dscq_exec *e, int32_t node,
                                      const dscq_act_quant *q, dscq_error *err)
{
    dscq_fake_quant f;
    int on;
    const dscq_status status = fake_of(&f, &on, e, node, q, err);

    if (status != DSCQ_OK)
        return status;
    if (on && (node == DSCQ_INPUT || !dscq_node_has_table(dscq_model_node(e->m, node))))
        return dscq_fail(err, DSCQ_ARG, "node %d: no activation that needs a table",
                         (int)node);
    if (node != DSCQ_INPUT) {
        e->node[node].has_before = on;
        e->node[node].before = f;
    }
    return DSCQ_OK;
}

void dscq_exec_learn_ranges(dscq_exec *e, int on)
{
    e->learn_ranges = on;
}

double dscq_exec_range_grad(const dscq_exec *e, int32_t node)
{
    return e->node[node].range_grad;
}

double dscq_exec_range_grad_before(const dscq_exec *e, int32_t node)
{
    return e->node[node].before_grad;
}

void dscq_exec_observe(dscq_exec *e, dscq_observe_fn *fn, void *ctx)
{
    e->observe = fn;
    e->observe_ctx = ctx;
}

void dscq_exec_observe_before(dscq_exec *e, dscq_observe_fn *fn, void *ctx)
{
    e->observe_before = fn;
    e->before_ctx = ctx;
}

void dscq_exec_profile(dscq_exec *e, double (*now)(void))
{
    e->now = now;
}

void dscq_exec_seconds(const dscq_exec *e, int32_t node, double *forward,
                       double *backward)
{
    *forward = e->node[node].forward_s;
    *backward = e->node[node].backward_s;
}
