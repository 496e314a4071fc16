/* What a trainer changes: the list of arrays, snapshots, the update. */
#include "dscq/base/alloc.h"
#include "train_internal.h"

#include <math.h>
#include <string.h>

static size_t whole_lines(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

static void add(dscq_trainer *t, float *value, const float *grad, size_t count,
                int decays, int32_t node)
{
    if (value == NULL)
        return;
    if (t->param != NULL)
        t->param[t->params] = (nn_param){.value = value,
                                         .grad = grad,
                                         .count = count,
                                         .at = t->floats,
                                         .decays = decays,
                                         .rate = dscq_model_node(t->m, node)->rate,
                                         .node = node};
    t->params++;
    t->floats += whole_lines(count);
}

size_t nn__stat_floats(const dscq_model *m)
{
    size_t floats = 0;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        if (n->normalised)
            floats += 2 * whole_lines((size_t)n->weights->channels);
    }
    return floats;
}

static void walk(dscq_trainer *t)
{
    t->params = t->floats = 0;
    for (int32_t i = 0; i < dscq_model_nodes(t->m); i++) {
        const dscq_weights *w = dscq_model_node(t->m, i)->weights;
        const dscq_grads g = dscq_exec_grads(t->e, i);
        const size_t c = (size_t)w->channels;
        if (g.w != NULL)
            add(t, w->w, g.w, w->count, 1, i);
        if (g.bias != NULL)
            add(t, w->bias, g.bias, c, 0, i);
        if (g.gamma != NULL) {
            add(t, w->gamma, g.gamma, c, 0, i);
            add(t, w->beta, g.beta, c, 0, i);
        }
    }
    t->learned = t->params;
    t->learned_floats = t->floats;
    for (int32_t i = 0; i < dscq_model_nodes(t->m); i++) {
        const dscq_weights *w = dscq_model_node(t->m, i)->weights;
        add(t, w->mean, NULL, (size_t)w->channels, 0, i);
        add(t, w->var, NULL, (size_t)w->channels, 0, i);
    }
}

dscq_status nn__params_list(dscq_trainer *t, dscq_error *err)
{
    walk(t);
    t->param = dscq_calloc(nn__max(t->params, 1), sizeof *t->param);
    if (t->param == NULL)
        return dscq_fail_nomem(err, "a list of weights", t->params * sizeof *t->param);
    walk(t);
    if (t->learned == 0)
        return dscq_fail(err, DSCQ_ARG, "nothing to train: every layer is frozen");
    return DSCQ_OK;
}

void nn__params_get(const dscq_trainer *t, float *to)
{
    for (size_t i = 0; i < t->params; i++)
        memcpy(to + t->param[i].at, t->param[i].value,
               t->param[i].count * sizeof(float));
}

void nn__params_set(dscq_trainer *t, const float *from)
{
    for (size_t i = 0; i < t->params; i++)
        memcpy(t->param[i].value, from + t->param[i].at,
               t->param[i].count * sizeof(float));
}

int nn__params_finite(const dscq_trainer *t)
{
    for (size_t i = 0; i < t->params; i++)
        if (!isfinite(t->k->sum(t->param[i].value, t->param[i].count)))
            return 0;
    return 1;
}

void nn__swap_average(dscq_trainer *t)
{
    for (size_t i = 0; t->average != NULL && i < t->params; i++)
        for (size_t j = 0; j < t->param[i].count; j++) {
            const float v = t->param[i].value[j];
            t->param[i].value[j] = t->average[t->param[i].at + j];
            t->average[t->param[i].at + j] = v;
        }
}

/* ---- update ------------------------------------------------------------- */

static dscq_status clip(dscq_trainer *t, dscq_error *err)
{
    double squares = 0;

    if (t->p.clip_norm <= 0)
        return DSCQ_OK;
    for (size_t i = 0; i < t->learned; i++)
        squares += t->k->dot(t->param[i].grad, t->param[i].grad, t->param[i].count);
    if (!isfinite(squares))
        return dscq_fail(err, DSCQ_FORMAT, "the gradient is not finite");
    const double norm = sqrt(squares);
    for (size_t i = 0; norm > t->p.clip_norm && i < t->learned; i++) {
        const dscq_grads g = dscq_exec_grads(t->e, t->param[i].node);
        float *const mine[] = {g.w, g.bias, g.gamma, g.beta};
        for (int j = 0; j < 4; j++)
            if (mine[j] == t->param[i].grad && mine[j] != NULL)
                t->k->scale((float)(t->p.clip_norm / norm), mine[j], mine[j],
                            t->param[i].count);
    }
    return DSCQ_OK;
}

/* Arrays are cut into pieces, so that one large one does not keep a thread busy when
 * the others have nothing left. */
enum { PIECE = 16384 };

static size_t pieces(const nn_param *p, size_t params)
{
    size_t n = 0;

    for (size_t i = 0; i < params; i++)
        n += (p[i].count + PIECE - 1) / PIECE;
    return n;
}

/* Piece number `piece` of the arrays from p on: its array; *first, *count: its part. */
static const nn_param *piece_at(const nn_param *p, size_t piece, size_t *first,
                                size_t *count)
{
    for (; piece >= (p->count + PIECE - 1) / PIECE; p++)
        piece -= (p->count + PIECE - 1) / PIECE;
    *first = piece * PIECE;
    *count = nn__min(p->count - *first, PIECE);
    return p;
}

typedef struct update_ctx {
    const dscq_trainer *t;
    const nn_param *params;
    int late; /* those that were not handed over */
} update_ctx;

static void adam(const dscq_trainer *t, const nn_param *p, size_t first, size_t count)
{
    const double decay = p->decays ? t->p.decay : 0;
    float *const value = p->value + first;
    const dscq_adam o = {.rate = (float)(t->update.rate * p->rate),
                         .beta1 = (float)t->p.beta1,
                         .beta2 = (float)t->p.beta2,
                         .eps = (float)t->p.adam_eps,
                         .decay = (float)(t->p.optimiser == DSCQ_OPT_ADAMW ? decay : 0),
                         .m_scale = (float)t->update.m_scale,
                         .v_scale = (float)t->update.v_scale};

    /* decay inside Adam's gradient (not decoupled); only weights decay */
    if (t->p.optimiser == DSCQ_OPT_ADAM && decay > 0)
        t->k->axpy((float)decay, value, dscq_exec_grads(t->e, p->node).w + first,
                   count);
    t->k->adam(&o, value, t->first + p->at + first, t->second + p->at + first,
               p->grad + first, count);
}

static void update_task(void *ctx, size_t task, int worker)
{
    const update_ctx *u = ctx;
    const dscq_trainer *t = u->t;
    size_t first, count;
    const nn_param *p = piece_at(u->params, task, &first, &count);

    (void)worker;
    if (u->late && dscq_exec_hands_over(t->e, p->node))
        return;
    if (t->p.optimiser != DSCQ_OPT_SGD) {
        adam(t, p, first, count);
        return;
    }
    const dscq_sgd o = {(float)(t->update.rate * p->rate), (float)t->p.momentum,
                        (float)(p->decays ? t->p.decay : 0), t->p.nesterov};
    t->k->sgd(&o, p->value + first, t->first + p->at + first, p->grad + first, count);
}

static void average_task(void *ctx, size_t task, int worker)
{
    const dscq_trainer *t = ctx;
    /* early steps count more, so that the start is soon forgotten */
    const double n = (double)t->state.step + 1;
    const double d = fmin(t->p.ema, n / (n + 10));
    size_t first, count;
    const nn_param *p = piece_at(t->param, task, &first, &count);
    float *a = t->average + p->at + first;

    (void)worker;
    t->k->scale((float)d, a, a, count);
    t->k->axpy((float)(1 - d), p->value + first, a, count);
}

void nn__update_begin(dscq_trainer *t)
{
    const double step = (double)t->state.step + 1;

    t->update = (nn_update){.rate = dscq_train_rate(&t->p, t->state.step, t->batches),
                            .m_scale = 1 / (1 - pow(t->p.beta1, step)),
                            .v_scale = 1 / (1 - pow(t->p.beta2, step))};
}

void nn__update_node(void *trainer, int32_t node)
{
    dscq_trainer *t = trainer;
    update_ctx u = {.t = t, .params = t->param};
    size_t count = 0;

    while (u.params->node != node) /* handed over: it is in the list */
        u.params++;
    while (u.params + count < t->param + t->learned && u.params[count].node == node)
        count++;
    dscq_pool_run(t->pool, pieces(u.params, count), update_task, &u);
}

dscq_status nn__update(dscq_trainer *t, dscq_error *err)
{
    update_ctx u = {.t = t, .params = t->param, .late = 1};
    const dscq_status status = clip(t, err);

    if (status != DSCQ_OK)
        return status;
    t->state.rate = t->update.rate;
    dscq_pool_run(t->pool, pieces(t->param, t->learned), update_task, &u);
    if (t->average != NULL)
        dscq_pool_run(t->pool, pieces(t->param, t->params), average_task, t);
    return DSCQ_OK;
}

/* How far the fall is, 0..1, with `cycles` falls one after the other. */
static double fallen(const dscq_train_params *p, double at, double start, double total)
{
    const double done =
        total > start ? fmin(1, fmax(0, at - start) / (total - start)) : 0;
    const double turns = done * (p->cycles > 1 ? p->cycles : 1);

    return done < 1 ? turns - floor(turns) : 1;
}

double dscq_train_rate(const dscq_train_params *p, uint64_t step,
                       size_t batches_per_epoch)
{
    const double per = (double)nn__max(batches_per_epoch, 1), at = (double)step;
    const double warm = p->warmup_epochs * per;
    const double done = fallen(p, at, warm + p->hold_epochs * per, p->epochs * per);
    const double low = p->final_rate;
    double rate = p->learning_rate;

    if (at < warm)
        rate *= (at + 1) / (warm + 1);
    else if (p->schedule == DSCQ_SCHED_COSINE)
        rate *= low + (1 - low) * 0.5 * (1 + cos(3.14159265358979323846 * done));
    else if (p->schedule == DSCQ_SCHED_POLY)
        rate *= low + (1 - low) * pow(1 - done, p->poly_power);
    for (int32_t i = 0; i < p->steps.count; i++)
        if (at >= p->steps.v[i] * per)
            rate *= p->step_scale;
    return rate;
}
