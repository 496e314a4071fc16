/* Fine-tuning under a compression method: the compressor inside the training loop,
 * activations quantised from the moment the codebooks are frozen. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/compress/calibrate.h"
#include "dscq/nn/checkpoint.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

dscq_status dscq_flow_quantise_edges(dscq_exec *e, const dscq_aquant *grid,
                                     int32_t nodes, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (int32_t i = -1; i < nodes; i++) {
        if (grid[i + 1].bits == 0)
            continue;
        const dscq_act_quant q = dscq_aquant_fake(&grid[i + 1]);
        DSCQ_TRY(dscq_exec_quantise(e, i, &q, err));
    }
    for (int32_t i = 0; i < nodes; i++) {
        const dscq_aquant *before = &grid[dscq_grid_before(nodes, i)];
        if (before->bits == 0)
            continue;
        const dscq_act_quant q = dscq_aquant_fake(before);
        DSCQ_TRY(dscq_exec_quantise_before(e, i, &q, err));
    }
done:
    return status;
}

static dscq_status use_edges(flow_tune *t, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (t->trainer != NULL)
        DSCQ_TRY(dscq_flow_quantise_edges(dscq_trainer_exec(t->trainer), t->edge,
                                          t->nodes, err));
    if (t->score.exec != NULL)
        DSCQ_TRY(dscq_flow_quantise_edges(t->score.exec, t->edge, t->nodes, err));
done:
    return status;
}

/* The codebooks have just been frozen: measure the ranges of what flows between the
 * layers and quantise it from now on, in training and in validation alike. */
static dscq_status quantise_activations(flow_tune *t, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_compressor_apply(t->compressor, err));
    DSCQ_TRY(dscq_flow_calibrate(t->edge, t->project, t->compressor, t->pool,
                                 t->kernels, t->log, err));
    DSCQ_TRY(use_edges(t, err));
    t->has_edges = 1;
    if (t->trainer != NULL)
        dscq_log_printf(
            t->log, DSCQ_LOG_INFO,
            "codebooks and ranges frozen; the rest trains what the file computes");
done:
    return status;
}

static dscq_status before_step(void *ctx, dscq_model *m, uint64_t step, dscq_error *err)
{
    flow_tune *t = ctx;
    dscq_status status;

    DSCQ_TRY(dscq_compressor_before_step(t->compressor, m, step, err));
    if (dscq_compressor_frozen(t->compressor) && !t->has_edges)
        DSCQ_TRY(quantise_activations(t, err));
done:
    return status;
}

static dscq_status after_backward(void *ctx, dscq_model *m, dscq_exec *e, uint64_t step,
                                  dscq_error *err)
{
    flow_tune *t = ctx;

    const dscq_status status =
        dscq_compressor_after_backward(t->compressor, m, e, step, err);

    if (status != DSCQ_OK || t->ranges == NULL || !t->has_edges)
        return status;
    dscq_ranges_step(
        t->ranges, t->edge, e,
        t->project->settings->all.range_rate *
            dscq_train_rate(&t->params, step, dscq_loader_batches(t->feed.loader)));
    return dscq_flow_quantise_edges(e, t->edge, t->nodes, err);
}

/* Batches with the float teacher's answers beside them. */
static dscq_status taught_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                                size_t number, dscq_error *err)
{
    flow_tune *t = ctx;
    dscq_status status;

    DSCQ_TRY(flow__feed_batch(&t->feed, out, epoch, number, err));
    flow__teach(&t->teacher, out);
done:
    return status;
}

/* ---- set-up and loop ------------------------------------------------------------- */

static dscq_status init_training(flow_tune *t, dscq_dataset *d, dscq_error *err)
{
    dscq_model *m = dscq_project_model(t->project);
    const unsigned flags =
        DSCQ_LOADER_SHUFFLE | DSCQ_LOADER_AUGMENT | DSCQ_LOADER_DROP_LAST;
    const size_t images = dscq_dataset_count(d, DSCQ_SPLIT_TRAIN);
    dscq_status status;

    if (images < (size_t)t->params.batch)
        t->params.batch = images > 0 ? (int32_t)images : 1;
    DSCQ_TRY(flow__feed_init(&t->feed, d, DSCQ_SPLIT_TRAIN, t->params.batch, flags,
                             (uint64_t)t->params.seed + 1, dscq_pool_threads(t->pool),
                             err));
    DSCQ_TRY(dscq_model_clone(&t->best, m, err));
    DSCQ_TRY(flow__teacher_init(&t->teacher, t->project, t->params.batch, t->pool,
                                t->kernels, 1, t->log, err));
    DSCQ_TRY(dscq_trainer_create(&t->trainer, m, &t->params,
                                 dscq_loader_batches(t->feed.loader), t->pool,
                                 t->kernels, err));
    dscq_compressor_attach(t->compressor, dscq_trainer_exec(t->trainer));
    if (t->project->settings->all.learn_ranges) {
        DSCQ_TRY(dscq_ranges_create(&t->ranges, m, err));
        dscq_exec_learn_ranges(dscq_trainer_exec(t->trainer), 1);
    }
    const dscq_train_hooks hooks = {
        .ctx = t, .before_step = before_step, .after_backward = after_backward};
    dscq_trainer_set_hooks(t->trainer, &hooks);
    dscq_trainer_set_record(t->trainer, t->project->record[DSCQ_FLOW_COMPRESSED]);
done:
    return status;
}

dscq_status flow__tune_init(flow_tune *t, dscq_project *p, dscq_pool *pool,
                            const dscq_kernels *kernels, const char *dir,
                            const dscq_log *log, dscq_error *err)
{
    const dscq_compress_params *cp = &p->settings->all;
    dscq_model *m = dscq_project_model(p);
    dscq_dataset *d;
    dscq_status status;

    memset(t, 0, sizeof *t);
    t->project = p;
    t->pool = pool;
    t->kernels = kernels;
    t->dir = dir;
    t->log = log;
    t->nodes = dscq_model_nodes(m);
    t->saved_step = UINT64_MAX;
    t->best_score = -1;
    t->params = *dscq_project_train(p);
    t->params.epochs = cp->epochs;
    t->params.learning_rate = cp->learning_rate;
    t->params.patience = 0;
    t->params.keep_best = 0;
    t->params.lean = 0;
    t->params.ema = 0;
    t->params.save[0] = '\0';
    if (dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(t->save, sizeof t->save, dir, "tune.ckpt", err));
    t->edge = dscq_calloc(dscq_grid_count(t->nodes), sizeof *t->edge);
    t->best_edge = dscq_calloc(dscq_grid_count(t->nodes), sizeof *t->best_edge);
    if (t->edge == NULL || t->best_edge == NULL)
        return dscq_fail_nomem(err, "the edges of a network", sizeof *t->edge);
    DSCQ_TRY(dscq_project_dataset(&d, p, log, err));
    if (flow__has_truth(p, d))
        DSCQ_TRY(flow__score_valid(&t->score, p, pool, kernels, log, err));
    else if (cp->epochs > 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: [compress] epochs = %d trains on labels, which data of "
                         "type %s do not have for this network; epochs = 0 compresses "
                         "without training",
                         dscq_project_path(p), (int)cp->epochs,
                         dscq_data_type_name((size_t)dscq_dataset_params(d)->type));
    if (t->score.exec == NULL && cp->epochs > 0 &&
        (dscq_method_find(cp->method)->flags & DSCQ_METHOD_SCORED) != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: [compress] method = %s decides by the validation score, "
                         "but the valid part of the data is empty; raise "
                         "data.valid_frac",
                         dscq_project_path(p), cp->method);
    DSCQ_TRY(dscq_compressor_create(&t->compressor, m, p->settings, pool, err));
    DSCQ_TRY(dscq_compressor_trace(t->compressor, log, err));
    if (cp->epochs > 0)
        DSCQ_TRY(init_training(t, d, err));
    else
        DSCQ_TRY(dscq_model_clone(&t->origin, m, err));
done:
    return status;
}

void flow__tune_clear(flow_tune *t)
{
    dscq_trainer_destroy(t->trainer);
    dscq_compressor_destroy(t->compressor);
    flow__teacher_clear(&t->teacher);
    dscq_model_destroy(t->origin);
    dscq_model_destroy(t->best);
    flow__score_clear(&t->score);
    flow__feed_clear(&t->feed);
    flow__curve_clear(&t->curve);
    dscq_ranges_destroy(t->ranges);
    dscq_free(t->best_edge);
    dscq_free(t->edge);
    memset(t, 0, sizeof *t);
}

/* After an epoch: validate with the copies, remember the best frozen one. */
static dscq_status end_epoch(flow_tune *t, uint32_t epoch, dscq_error *err)
{
    const dscq_train_state *s = dscq_trainer_state(t->trainer);
    char more[64];
    double score;
    dscq_status status;

    DSCQ_TRY(dscq_compressor_apply(t->compressor, err));
    if (t->has_edges && t->score.exec != NULL) /* ranges may have moved */
        DSCQ_TRY(dscq_flow_quantise_edges(t->score.exec, t->edge, t->nodes, err));
    DSCQ_TRY(flow__score_run(&score, &t->score, err));
    if (t->has_edges && score > t->best_score) {
        DSCQ_TRY(dscq_model_copy_weights(t->best, dscq_project_model(t->project), err));
        memcpy(t->best_edge, t->edge, dscq_grid_count(t->nodes) * sizeof *t->edge);
        t->has_best = 1;
        t->best_score = score;
        t->best_epoch = epoch;
    }
    const dscq_train_row row = {.epoch = epoch,
                                .rate = s->rate,
                                .loss = t->epoch_loss,
                                .top1_frac =
                                    t->score.is_detector ? (double)NAN : t->epoch_top1,
                                .score = score};
    flow__curve_add(&t->curve, &row);
    snprintf(more, sizeof more, "  zeros %.1f %%%s",
             100 * dscq_compressor_sparsity(t->compressor),
             t->has_edges ? "  frozen" : "");
    flow__tell_row(t->log, "tune", &row, t->params.epochs, t->score.is_detector, more);
    DSCQ_TRY(dscq_compressor_epoch(t->compressor, epoch, score, err));
    if (t->dir[0] != '\0') {
        DSCQ_TRY(
            flow__curve_write(&t->curve, t->dir, "tune_curve", "fine-tuning", err));
        DSCQ_TRY(flow__tune_save(t, err));
    }
done:
    return status;
}

static dscq_status run_epoch(flow_tune *t, dscq_error *err)
{
    const dscq_train_state *s = dscq_trainer_state(t->trainer);
    const uint32_t epoch = s->epoch;
    dscq_status status;

    status = dscq_trainer_epoch(t->trainer, taught_batch, t, t->log, err);
    if (status == DSCQ_INTERRUPTED && t->dir[0] != '\0') {
        dscq_error second;
        if (flow__tune_save(t, &second) != DSCQ_OK)
            return dscq_fail(err, second.code, "%s", second.msg);
    }
    if (status != DSCQ_OK)
        return status;
    t->epoch_loss = s->samples > 0 ? s->loss_sum / s->samples : s->last_loss;
    t->epoch_top1 = s->samples > 0 ? s->top1_sum / s->samples : 0;
    dscq_trainer_next_epoch(t->trainer);
    return end_epoch(t, epoch, err);
}

static dscq_status train(flow_tune *t, int resume, dscq_error *err)
{
    const dscq_train_state *s = dscq_trainer_state(t->trainer);
    dscq_status status = DSCQ_OK;

    if (resume && t->dir[0] != '\0' && dscq_path_exists(t->save)) {
        DSCQ_TRY(flow__tune_load(t, err));
        if (t->has_edges)
            DSCQ_TRY(use_edges(t, err));
    }
    while (s->epoch < (uint32_t)t->params.epochs)
        DSCQ_TRY(run_epoch(t, err));
    if (t->has_best)
        DSCQ_TRY(dscq_model_copy_weights(dscq_project_model(t->project), t->best, err));
    if (t->has_best && t->ranges != NULL) {
        memcpy(t->edge, t->best_edge, dscq_grid_count(t->nodes) * sizeof *t->edge);
        DSCQ_TRY(use_edges(t, err));
    }
done:
    return status;
}

dscq_status flow__tune_run(flow_tune *t, int resume, double score_before,
                           dscq_error *err)
{
    const size_t per_epoch =
        t->feed.loader != NULL ? dscq_loader_batches(t->feed.loader) : 0;
    dscq_status status;

    DSCQ_TRY(dscq_compressor_start(t->compressor, (uint32_t)t->params.epochs, per_epoch,
                                   score_before, err));
    if (t->trainer != NULL) {
        DSCQ_TRY(train(t, resume, err));
        DSCQ_TRY(dscq_model_clone(&t->origin, dscq_project_model(t->project), err));
    }
    DSCQ_TRY(dscq_compressor_freeze(t->compressor, err));
    DSCQ_TRY(dscq_compressor_apply(t->compressor, err));
    DSCQ_TRY(flow__post(t, err));
    if (!t->has_edges)
        DSCQ_TRY(quantise_activations(t, err));
    DSCQ_TRY(flow__score_run(&t->final_score, &t->score, err));
done:
    return status;
}

/* ---- how long will it take? ------------------------------------------------------ */

enum { PROBE_STEPS = 6 };
/* Scoring float before, the copies, the packed file twice; the first step is slower. */
static const double k_more_scores = 5, k_margin = 1.15;

/* The median of some steps: a rare pause is no step. */
static dscq_status step_seconds(double *out, flow_tune *t, double (*now)(void),
                                dscq_error *err)
{
    double took[PROBE_STEPS] = {0};
    size_t n = 0;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < PROBE_STEPS; i++) {
        dscq_train_batch b = {0};
        const double before = now();
        DSCQ_TRY(taught_batch(t, &b, 0, i, err));
        if (b.n <= 0)
            break;
        DSCQ_TRY(dscq_trainer_step(t->trainer, &b, NULL, err));
        const double took_now = now() - before;
        size_t at = n++;
        for (; at > 0 && took[at - 1] > took_now; at--)
            took[at] = took[at - 1];
        took[at] = took_now;
    }
    *out = n > 0 ? took[n / 2] : 0;
done:
    return status;
}

dscq_status dscq_flow_tune_seconds(double *out, dscq_project *p, dscq_pool *pool,
                                   const dscq_kernels *kernels, double (*now)(void),
                                   dscq_error *err)
{
    const double epochs = p->settings->all.epochs;
    dscq_model *const own = p->model;
    dscq_model *copy = NULL;
    flow_tune t = {0};
    double step = 0, scoring = 0, score;
    dscq_status status;

    *out = 0;
    if (epochs <= 0)
        return DSCQ_OK;
    DSCQ_TRY(dscq_model_clone(&copy, own, err));
    p->model = copy;
    DSCQ_TRY(flow__tune_init(&t, p, pool, kernels, "", NULL, err));
    const size_t batches = dscq_loader_batches(t.feed.loader);
    DSCQ_TRY(dscq_compressor_start(t.compressor, (uint32_t)t.params.epochs, batches, 0,
                                   err));
    DSCQ_TRY(step_seconds(&step, &t, now, err));
    const double before = now();
    DSCQ_TRY(flow__score_run(&score, &t.score, err));
    scoring = now() - before;
    *out = k_margin *
           (epochs * ((double)batches * step + scoring) + k_more_scores * scoring);
done:
    flow__tune_clear(&t);
    p->model = own;
    dscq_model_destroy(copy);
    return status;
}
