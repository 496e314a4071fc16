/* The driver: stages, steps, the freeze. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <string.h>

enum { SETTLE_STEPS = 60 };

/* ---- stages -------------------------------------------------------------------- */

static const dscq_method *method_of(const dscq_compressor *c)
{
    return c->stage[c->at];
}

/* What the stage that ends pruned stays pruned. */
static dscq_status hold_masks(dscq_compressor *c, dscq_error *err)
{
    for (size_t i = 0; i < c->layers; i++) {
        dscq_clayer *l = &c->layer[i];
        const size_t n = l->w->count;

        if (l->held == NULL && (l->held = dscq_malloc(n, 1)) == NULL)
            return dscq_fail_nomem(err, "pruning mask", n);
        memcpy(l->held, l->mask, n);
        compress__zero_pruned(l);
    }
    return DSCQ_OK;
}

static dscq_status begin_stage(dscq_compressor *c, int32_t at, uint64_t step,
                               dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (c->at >= 0 && (method_of(c)->flags & DSCQ_METHOD_PRUNES) != 0)
        status = hold_masks(c, err);
    if (status == DSCQ_OK)
        status = compress__stage_enter(c, at, err);
    if (status != DSCQ_OK)
        return status;
    c->stage_begin = step;
    for (size_t i = 0; i < c->layers; i++) {
        c->layer[i].rule = c->layer[i].asked;
        c->layer[i].rate = 0.0;
        dscq_wquant_destroy(c->layer[i].q);
        c->layer[i].q = NULL;
    }
    if (method_of(c)->begin != NULL)
        status = method_of(c)->begin(c, err);
    return status;
}

dscq_status dscq_compressor_start(dscq_compressor *c, uint32_t epochs,
                                  uint64_t steps_per_epoch, double score0,
                                  dscq_error *err)
{
    const uint64_t steps = (uint64_t)epochs * steps_per_epoch;
    const double frozen = c->settings->all.freeze_frac * (double)steps;
    double total = 0.0, sum = 0.0;

    assert(c->at < 0);
    c->epochs = epochs;
    c->steps = steps;
    c->steps_per_epoch = steps_per_epoch;
    c->score0 = score0;
    c->freeze_step = steps - (uint64_t)ceil(frozen);
    for (int32_t i = 0; i < c->stages; i++)
        total += c->share[i];
    for (int32_t i = 0; i < c->stages; i++) {
        sum += c->share[i];
        /* stages change between epochs, so that a score belongs to one of them */
        const double at = sum / total * (double)c->freeze_step;
        const uint64_t per = steps_per_epoch > 0 ? steps_per_epoch : 1;
        c->stage_end[i] = (uint64_t)dscq_round_away(at / (double)per) * per;
    }
    c->stage_end[c->stages - 1] = c->freeze_step;
    return begin_stage(c, 0, 0, err);
}

static dscq_status freeze_codes(dscq_compressor *c, dscq_error *err);

/* ---- a step -------------------------------------------------------------------- */

static void layer_task(void *ctx, size_t task, int worker)
{
    dscq_compressor *c = ctx;
    dscq_clayer *l = &c->layer[task];

    if (c->frozen)
        dscq_wquant_fake(l->q, l->w->w, l->used);
    else
        method_of(c)->layer(c, l, worker);
}

static dscq_status run_layers(dscq_compressor *c, dscq_error *err)
{
    dscq_pool_run(c->pool, c->layers, layer_task, c);
    for (size_t i = 0; i < c->layers; i++)
        if (c->layer[i].no_memory)
            return dscq_fail_nomem(err, "quantised copy", 5ULL * c->layer[i].w->count);
    return DSCQ_OK;
}

static double progress(const dscq_compressor *c, uint64_t step)
{
    const uint64_t end = c->stage_end[c->at];

    if (end <= c->stage_begin || step >= end)
        return 1.0;
    return (double)(step - c->stage_begin) / (double)(end - c->stage_begin);
}

static void settle(dscq_compressor *c)
{
    c->settled = 1;
    if (c->exec != NULL)
        dscq_exec_freeze_norm(c->exec, 1);
}

/* Until now statistics averaged over codebooks that changed in every step. They get
 * some steps to find those of the fixed one before they stop as well. */
static dscq_status freeze_in_training(dscq_compressor *c, uint64_t step,
                                      dscq_error *err)
{
    const uint64_t third = c->steps > step ? (c->steps - step) / 3 : 0;
    const dscq_status status = freeze_codes(c, err);

    c->settle_step = step + (third < SETTLE_STEPS ? third : SETTLE_STEPS);
    if (status == DSCQ_OK && c->settle_step == step)
        settle(c);
    return status;
}

dscq_status dscq_compressor_before_step(void *ctx, dscq_model *m, uint64_t step,
                                        dscq_error *err)
{
    dscq_compressor *c = ctx;
    dscq_status status = DSCQ_OK;

    assert(m == c->model && c->at >= 0);
    (void)m;
    c->step = step;
    if (!c->frozen && step >= c->freeze_step)
        return freeze_in_training(c, step, err);
    if (c->frozen && !c->settled && step >= c->settle_step)
        settle(c);
    while (!c->frozen && status == DSCQ_OK && c->at + 1 < c->stages &&
           step >= c->stage_end[c->at])
        status = begin_stage(c, c->at + 1, step, err);
    if (status != DSCQ_OK)
        return status;
    c->t = progress(c, step);
    if (!c->frozen && method_of(c)->step != NULL)
        status = method_of(c)->step(c, c->t, err);
    return status == DSCQ_OK ? run_layers(c, err) : status;
}

dscq_status dscq_compressor_after_backward(void *ctx, dscq_model *m, dscq_exec *e,
                                           uint64_t step, dscq_error *err)
{
    dscq_compressor *c = ctx;

    (void)m;
    (void)step;
    (void)err;
    if (c->frozen || method_of(c)->gradient == NULL)
        return DSCQ_OK;
    for (size_t i = 0; i < c->layers; i++) {
        const dscq_grads g = dscq_exec_grads(e, c->layer[i].rule.node);

        if (g.w != NULL)
            method_of(c)->gradient(c, &c->layer[i], g.w);
    }
    return DSCQ_OK;
}

dscq_status dscq_compressor_epoch(dscq_compressor *c, uint32_t epoch, double score,
                                  dscq_error *err)
{
    (void)epoch;
    if (c->frozen || method_of(c)->epoch == NULL)
        return DSCQ_OK;
    return method_of(c)->epoch(c, score, err);
}

static void integers_task(void *ctx, size_t task, int worker)
{
    dscq_compressor *c = ctx;
    dscq_clayer *l = &c->layer[task];

    (void)worker;
    dscq_wquant_assign(l->q, l->w->w);
    dscq_wquant_apply(l->q, l->used);
    l->kept = l->q->nonzero;
}

dscq_status dscq_compressor_apply(dscq_compressor *c, dscq_error *err)
{
    assert(c->at >= 0);
    if (!c->frozen)
        return run_layers(c, err);
    dscq_pool_run(c->pool, c->layers, integers_task, c);
    return DSCQ_OK;
}

/* ---- the freeze ----------------------------------------------------------------- */

typedef struct freeze_job {
    dscq_compressor *c;
    dscq_error *error; /* [layers] */
} freeze_job;

static void freeze_task(void *ctx, size_t task, int worker)
{
    freeze_job *j = ctx;
    dscq_compressor *c = j->c;
    dscq_clayer *l = &c->layer[task];
    dscq_error *err = &j->error[task];
    const dscq_method *m = method_of(c);

    err->code = m->freeze != NULL ? m->freeze(c, l, worker, err)
                                  : compress__freeze_form(c, l, worker, err);
    if (err->code != DSCQ_OK)
        return;
    integers_task(c, task, worker);
    memcpy(l->mask, l->q->mask, l->w->count);
    compress__zero_pruned(l);
}

/* Without training every stage acts once, at its full strength. */
static dscq_status run_untrained(dscq_compressor *c, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (c->at < 0)
        status = dscq_compressor_start(c, 0, 0, 0.0, err);
    while (status == DSCQ_OK) {
        if (method_of(c)->step != NULL)
            status = method_of(c)->step(c, 1.0, err);
        if (status == DSCQ_OK)
            status = run_layers(c, err);
        if (status != DSCQ_OK || c->at + 1 >= c->stages)
            return status;
        status = begin_stage(c, c->at + 1, c->step, err);
    }
    return status;
}

static dscq_status freeze_codes(dscq_compressor *c, dscq_error *err)
{
    freeze_job job = {c, NULL};
    dscq_status status = DSCQ_OK;

    if (c->frozen)
        return DSCQ_OK;
    if (c->steps == 0 || c->at + 1 < c->stages)
        status = run_untrained(c, err);
    if (status != DSCQ_OK)
        return status;
    job.error = dscq_calloc(c->layers + 1, sizeof *job.error);
    if (job.error == NULL)
        return dscq_fail_nomem(err, "freezing", c->layers * sizeof *job.error);
    dscq_pool_run(c->pool, c->layers, freeze_task, &job);
    for (size_t i = 0; i < c->layers && status == DSCQ_OK; i++)
        if (job.error[i].code != DSCQ_OK)
            status = dscq_fail(err, job.error[i].code, "%s", job.error[i].msg);
    dscq_free(job.error);
    if (status != DSCQ_OK)
        return status;
    c->frozen = 1;
    return DSCQ_OK;
}

dscq_status dscq_compressor_freeze(dscq_compressor *c, dscq_error *err)
{
    const dscq_status status = freeze_codes(c, err);

    if (status == DSCQ_OK && !c->settled)
        settle(c);
    return status;
}
