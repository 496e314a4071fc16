/* Who reads which map until when, and so what may lie in the same place. Step i <
 * count: forward of node i; count: the loss; 2*count - i: backward of i. */
#include "dscq/base/alloc.h"
#include "exec_internal.h"

static size_t floats_of(const dscq_shape *s, int32_t n)
{
    return (size_t)s->h * (size_t)s->w * (size_t)s->c * (size_t)n;
}

static int32_t add_buffer(dscq_exec *e, size_t floats, int32_t first, int32_t last)
{
    e->buffer[e->buffers] = (nn_buffer){floats, first, last, 0};
    return e->buffers++;
}

/* ---- large weights: in training they are packed when their turn comes, into a buffer
 * that others use before and after; their gradients may lie in one, too */
enum { LARGE = 512 * 1024 };

int nn__exec_wants_packed(const dscq_exec *e, int32_t i, int back)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];

    if (n->ops->pack_floats == NULL || n->weights->count == 0)
        return 0;
    if (e->o.training && n->ops->packs_itself != NULL &&
        n->ops->packs_itself(n, e->o.batch))
        return 0;
    return !back || (e->o.training && x->reached && x->x[0] != DSCQ_INPUT &&
                     e->node[x->x[0]].needs_grad);
}

int nn__exec_is_large(const dscq_exec *e, int32_t i)
{
    return e->o.training && dscq_model_node(e->m, i)->weights->count >= LARGE;
}

/* For this step of the backward pass alone. */
static void plan_gradient(dscq_exec *e, int32_t i)
{
    exec_node *x = &e->node[i];
    const int32_t back = 2 * e->count - i;

    if (e->o.hand_over && nn__exec_is_large(e, i) && x->learns && x->reached)
        x->dw_buf = add_buffer(e, dscq_model_node(e->m, i)->weights->count, back, back);
}

static void plan_packed(dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const int32_t at[2] = {i, 2 * e->count - i};

    for (int back = 0; back < 2 && nn__exec_is_large(e, i); back++) {
        if (!nn__exec_wants_packed(e, i, back))
            continue;
        const size_t floats = n->ops->pack_floats(n, e->k, back);
        if (floats > 0)
            e->node[i].pack_buf[back] = add_buffer(e, floats, at[back], at[back]);
    }
}

/* In front of a layer that picks, z serves the backward pass for act' at the values
 * that were picked, and those are that layer's output; of a clamp, act' follows from
 * act alone. */
static int is_forward_only(const dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];

    return e->o.lean && x->uses == 1 && x->last_consumer != NN_NONE && !x->is_output &&
           !n->normalised && !n->ops->needs_z &&
           dscq_act_at(n->act)->kind == DSCQ_ACT_CLAMP &&
           (dscq_model_node(e->m, x->last_consumer)->ops->flags & DSCQ_LAYER_PICKS) !=
               0;
}

/* The last step that reads z. */
static int32_t end_of(const dscq_exec *e, int32_t i, const int32_t *last_read)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];
    int32_t end = last_read[i] > i ? last_read[i] : i;

    if (x->is_output || e->o.keep_nodes)
        end = e->count;
    if (!e->o.training || x->forward_only)
        return end;
    if (n->normalised || n->ops->needs_z)
        return 2 * e->count - i;
    if (x->last_consumer != NN_NONE) /* masks the gradient */
        return 2 * e->count - x->last_consumer;
    return end;
}

static void plan_node(dscq_exec *e, int32_t i, const int32_t *last_read)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    exec_node *x = &e->node[i];
    const size_t floats = floats_of(&n->out, e->o.batch);
    const int32_t back = 2 * e->count - i;

    if (x->is_view)
        return;
    x->forward_only = e->o.training && is_forward_only(e, i);
    x->z_buf = add_buffer(e, floats, i, end_of(e, i, last_read));
    plan_packed(e, i);
    plan_gradient(e, i);
    if (!e->o.training)
        return;
    if (n->ops->state_bytes != NULL) {
        const size_t bytes = n->ops->state_bytes(n, &n->in) * (size_t)e->o.batch;
        x->state_buf = add_buffer(e, (bytes + 3) / 4, i, back);
    }
    if (x->reached && (x->needs_grad || x->is_output))
        x->g_buf = add_buffer(
            e, floats, x->is_output ? e->count : 2 * e->count - last_read[i], back);
}

dscq_status nn__exec_plan_activations(dscq_exec *e, dscq_error *err)
{
    int32_t *last_read = dscq_calloc((size_t)e->count + 1, sizeof *last_read);

    if (last_read == NULL)
        return dscq_fail_nomem(err, "a memory plan", (size_t)e->count * 4);
    for (int32_t i = 0; i < e->count; i++) {
        const dscq_node *n = dscq_model_node(e->m, i);
        for (int32_t j = 0; j < n->input_count && !e->node[i].is_view; j++)
            if (e->node[i].x[j] != DSCQ_INPUT)
                last_read[e->node[i].x[j]] = i;
        /* an observer of a view reads its root */
        if (e->node[i].is_view && e->node[i].root != DSCQ_INPUT && !e->o.training)
            last_read[e->node[i].root] = i;
    }
    for (int32_t i = 0; i < e->count; i++)
        plan_node(e, i, last_read);
    for (int32_t i = 0; i < e->outputs && e->o.training; i++) {
        const dscq_node *n = dscq_model_node(e->m, e->output_root[i]);
        e->output_buf[i] =
            add_buffer(e, floats_of(&n->out, e->o.batch), 0, 2 * e->count);
    }
    dscq_free(last_read);
    for (int32_t i = 0; i < e->buffers; i++)
        e->plan.unshared_bytes += e->buffer[i].floats * sizeof(float);
    e->activation_floats = nn__plan_buffers(e->buffer, (size_t)e->buffers);
    if (e->activation_floats == SIZE_MAX)
        return dscq_fail_nomem(err, "a memory plan", 0);
    return DSCQ_OK;
}
