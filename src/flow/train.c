#include "dscq/flow/train.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/nn/checkpoint.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Everything a training run holds. */
typedef struct train_run {
    dscq_project *p;
    const dscq_run_options *o;
    dscq_pool *pool;
    const dscq_kernels *kernels;
    flow_feed feed;
    flow_teacher teacher;
    flow_score score;
    flow_curve curve;
    dscq_status curve_status; /* of writing it: ends the run at the next batch */
    dscq_error curve_error;
    dscq_trainer *trainer;
    dscq_train_params params;
    dscq_flow_stage stage;
    int self_taught; /* without a teacher's file: by the network before it was cut */
} train_run;

dscq_status dscq_flow_pool(dscq_pool **pool, const dscq_kernels **kernels,
                           const dscq_run_options *o, dscq_error *err)
{
    *kernels = dscq_kernels_get(o->kernels);
    if (*kernels == NULL)
        return dscq_fail(err, DSCQ_ARG,
                         "kernels '%s': not a family of this build, or this CPU cannot "
                         "run it",
                         o->kernels);
    return dscq_pool_create(pool, o->threads, err);
}

static dscq_status validate(void *ctx, dscq_model *m, uint32_t epoch, double *score,
                            dscq_error *err)
{
    train_run *r = ctx;

    (void)m;
    (void)epoch;
    return flow__score_run(score, &r->score, err);
}

static dscq_status curve_status(const train_run *r, dscq_error *err)
{
    return r->curve_status == DSCQ_OK
               ? DSCQ_OK
               : dscq_fail(err, r->curve_status, "%s", r->curve_error.msg);
}

static dscq_status next_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                              size_t number, dscq_error *err)
{
    train_run *r = ctx;
    dscq_status status;

    DSCQ_TRY(curve_status(r, err)); /* what was learnt is in train.ckpt */
    DSCQ_TRY(flow__feed_batch(&r->feed, out, epoch, number, err));
    flow__teach(&r->teacher, out);
done:
    return status;
}

/* After every epoch: the picture is up to date even if the run is killed. */
static void keep_row(void *ctx, const dscq_train_row *row)
{
    train_run *r = ctx;
    dscq_train_row kept = *row;

    if (r->score.is_detector)
        kept.top1_frac = (double)NAN;
    flow__curve_add(&r->curve, &kept);
    if (r->o->out_dir[0] != '\0' && r->curve_status == DSCQ_OK)
        r->curve_status = flow__curve_write(&r->curve, r->o->out_dir, "curve",
                                            dscq_project_path(r->p), &r->curve_error);
    flow__tell_row(r->o->log, "epoch", row, r->params.epochs, r->score.is_detector, "");
}

static dscq_status open_run(train_run *r, dscq_error *err)
{
    dscq_dataset *d;
    const unsigned flags =
        DSCQ_LOADER_SHUFFLE | DSCQ_LOADER_AUGMENT | DSCQ_LOADER_DROP_LAST;
    dscq_status status;

    DSCQ_TRY(dscq_flow_pool(&r->pool, &r->kernels, r->o, err));
    DSCQ_TRY(dscq_project_dataset(&d, r->p, r->o->log, err));
    const size_t images = dscq_dataset_count(d, DSCQ_SPLIT_TRAIN);
    if (images < (size_t)r->params.batch)
        r->params.batch = images > 0 ? (int32_t)images : 1;
    DSCQ_TRY(flow__feed_init(&r->feed, d, DSCQ_SPLIT_TRAIN, r->params.batch, flags,
                             (uint64_t)r->params.seed, dscq_pool_threads(r->pool),
                             err));
    DSCQ_TRY(flow__score_valid(&r->score, r->p, r->pool, r->kernels, r->o->log, err));
    DSCQ_TRY(flow__teacher_init(&r->teacher, r->p, r->params.batch, r->pool, r->kernels,
                                r->self_taught, r->o->log, err));
    if (r->params.distil_weight > 0 && r->teacher.exec == NULL)
        dscq_log_printf(
            r->o->log, DSCQ_LOG_INFO,
            "[train] distil_weight without a teacher: it counts in compress "
            "only");
    r->params.lean = 1;
    DSCQ_TRY(dscq_trainer_create(&r->trainer, dscq_project_model(r->p), &r->params,
                                 dscq_loader_batches(r->feed.loader), r->pool,
                                 r->kernels, err));
    const dscq_train_hooks hooks = {
        .ctx = r, .validate = r->score.exec != NULL ? validate : NULL};
    dscq_trainer_set_hooks(r->trainer, &hooks);
    dscq_trainer_set_record(r->trainer, r->p->record[r->stage]);
done:
    return status;
}

static void close_run(train_run *r)
{
    dscq_trainer_destroy(r->trainer);
    flow__score_clear(&r->score);
    flow__teacher_clear(&r->teacher);
    flow__feed_clear(&r->feed);
    flow__curve_clear(&r->curve);
    dscq_pool_destroy(r->pool);
}

static dscq_status continue_run(train_run *r, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (!r->o->resume || !dscq_path_exists(r->params.save))
        return DSCQ_OK;
    DSCQ_TRY(dscq_trainer_resume(r->trainer, r->params.save, err));
    const dscq_train_state *s = dscq_trainer_state(r->trainer);
    flow__curve_load(&r->curve, r->o->out_dir, "curve", s->epoch);
    dscq_log_printf(r->o->log, DSCQ_LOG_INFO, "%s: continuing at epoch %u, batch %llu",
                    r->params.save, (unsigned)s->epoch + 1,
                    (unsigned long long)s->batch);
done:
    return status;
}

dscq_status dscq_flow_train(dscq_train_result *out, dscq_project *p,
                            const dscq_run_options *o, dscq_error *err)
{
    train_run r = {
        .p = p, .o = o, .stage = DSCQ_FLOW_TRAINED, .params = *dscq_project_train(p)};
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(dscq_flow_begin(p, o, DSCQ_FLOW_TRAINED, NULL, err));
    DSCQ_TRY(dscq_flow_write_net_cfg(p, o, err));
    if (o->weights != NULL)
        DSCQ_TRY(dscq_project_start_weights(p, o->weights, o->log, err));
    if (o->out_dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(r.params.save, sizeof r.params.save, o->out_dir,
                                "train.ckpt", err));
    DSCQ_TRY(open_run(&r, err));
    DSCQ_TRY(continue_run(&r, err));
    DSCQ_TRY(dscq_trainer_run(r.trainer, next_batch, &r, keep_row, &r, o->log, err));
    DSCQ_TRY(curve_status(&r, err));
    const dscq_train_state *s = dscq_trainer_state(r.trainer);
    out->epochs = s->epoch;
    out->best_epoch = s->has_best || s->epoch == 0 ? s->best_epoch : s->epoch - 1;
    out->stopped_early = s->stopped_early;
    out->trained_images = dscq_loader_batches(r.feed.loader) * (size_t)r.params.batch;
    out->peak_bytes = dscq_trainer_bytes(r.trainer);
    out->kernels = r.kernels->name;
    DSCQ_TRY(flow__score_run(&out->valid_score, &r.score, err));
    if (o->out_dir[0] != '\0') {
        DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "float.ckpt", err));
        DSCQ_TRY(dscq_model_save(dscq_project_model(p), path, err));
        DSCQ_TRY(flow__float_done(o->out_dir, DSCQ_FLOW_TRAINED, err));
    }
done:
    close_run(&r);
    return status;
}

dscq_status flow__train_small(dscq_project *p, const dscq_train_params *params,
                              const dscq_run_options *o, dscq_error *err)
{
    train_run r = {.p = p,
                   .o = o,
                   .params = *params,
                   .stage = DSCQ_FLOW_COMPRESSED,
                   .self_taught = 1};
    dscq_status status = DSCQ_OK;

    r.params.save[0] = '\0';
    if (o->out_dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(r.params.save, sizeof r.params.save, o->out_dir,
                                "channels.ckpt", err));
    DSCQ_TRY(open_run(&r, err));
    DSCQ_TRY(continue_run(&r, err));
    DSCQ_TRY(dscq_trainer_run(r.trainer, next_batch, &r, keep_row, &r, o->log, err));
done:
    close_run(&r);
    return status;
}

dscq_status dscq_flow_eval(dscq_eval **out, dscq_project *p, dscq_split split,
                           const dscq_run_options *o, dscq_error *err)
{
    dscq_pool *pool = NULL;
    const dscq_kernels *kernels;
    flow_score score = {0};
    dscq_eval *eval = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_flow_pool(&pool, &kernels, o, err));
    DSCQ_TRY(flow__score_init(&score, p, split, pool, kernels, o->log, err));
    if (score.is_detector) {
        status = dscq_fail(err, DSCQ_ARG, "%s is a detector: it has no top-1",
                           dscq_project_path(p));
        goto done;
    }
    DSCQ_TRY(dscq_eval_create(&eval, score.classes, err));
    DSCQ_TRY(
        dscq_evaluate(eval, score.exec, flow__feed_batch, &score.feed, o->log, err));
    if (dscq_eval_unsound(eval) > 0) {
        status =
            dscq_fail(err, DSCQ_FORMAT,
                      "%s: the float network's outputs for %llu of %llu images are "
                      "not finite: its weights are too large for float32",
                      dscq_project_path(p), (unsigned long long)dscq_eval_unsound(eval),
                      (unsigned long long)dscq_eval_count(eval));
        goto done;
    }
    *out = eval;
    eval = NULL;
done:
    dscq_eval_destroy(eval);
    flow__score_clear(&score);
    dscq_pool_destroy(pool);
    return status;
}

dscq_status dscq_flow_eval_boxes(double *map_out, double *per_class, dscq_project *p,
                                 dscq_split split, dscq_ap_rule rule,
                                 const dscq_run_options *o, dscq_error *err)
{
    dscq_pool *pool = NULL;
    const dscq_kernels *kernels;
    flow_score score = {0};
    dscq_status status;

    DSCQ_TRY(dscq_flow_pool(&pool, &kernels, o, err));
    DSCQ_TRY(flow__score_init(&score, p, split, pool, kernels, o->log, err));
    score.strict = 1;
    DSCQ_TRY(flow__score_boxes(map_out, per_class, &score, rule, err));
done:
    flow__score_clear(&score);
    dscq_pool_destroy(pool);
    return status;
}

static const dscq_column k_memory[] = {DSCQ_TEXT_COLUMN("use", ""),
                                       DSCQ_INT_COLUMN("batch", ""),
                                       DSCQ_INT_COLUMN("activation_bytes", ""),
                                       DSCQ_INT_COLUMN("weight_bytes", ""),
                                       DSCQ_INT_COLUMN("scratch_bytes", ""),
                                       DSCQ_INT_COLUMN("optimiser_bytes", ""),
                                       DSCQ_INT_COLUMN("total_bytes", ""),
                                       DSCQ_COLUMN_END};

/* t NULL: nothing learns. */
static void plan_row(dscq_table *mem, const char *use, int32_t batch,
                     const dscq_exec_plan *e, const dscq_train_plan *t)
{
    const size_t optimiser = t != NULL ? t->optimiser_bytes : 0;

    DSCQ_TABLE_ROW(
        mem, dscq_text(use), dscq_int(batch), dscq_int((int64_t)e->activation_bytes),
        dscq_int((int64_t)e->weight_bytes), dscq_int((int64_t)e->scratch_bytes),
        dscq_int((int64_t)optimiser), dscq_int((int64_t)(e->total_bytes + optimiser)));
}

/* The engines of a run with these batches: training and, beside it, validation; and of
 * one image. */
static dscq_status plan_rows(dscq_table *mem, dscq_project *p, dscq_pool *pool,
                             const dscq_kernels *kernels, const dscq_log *log,
                             dscq_error *err)
{
    dscq_train_params t = *dscq_project_train(p);
    dscq_model *m = dscq_project_model(p);
    dscq_exec_options eo = {.raw_outputs = 1, .pool = pool, .kernels = kernels};
    dscq_train_plan training;
    dscq_exec_plan plan;
    dscq_error why;
    dscq_status status;

    t.lean = 1; /* as the run */
    DSCQ_TRY(dscq_trainer_dry_run(&training, m, &t, pool, kernels, err));
    if (dscq_exec_has_room(m, t.batch, training.total_bytes, &why) != DSCQ_OK)
        dscq_log_printf(log, DSCQ_LOG_WARN, "not on this machine: %s", why.msg);
    plan_row(mem, "training step", t.batch, &training.engine, &training);
    eo.batch = FLOW_SCORE_BATCH;
    DSCQ_TRY(dscq_exec_dry_run(&plan, m, &eo, err));
    plan_row(mem, "validation", eo.batch, &plan, NULL);
    eo.batch = 1;
    DSCQ_TRY(dscq_exec_dry_run(&plan, m, &eo, err));
    plan_row(mem, "inference", eo.batch, &plan, NULL);
done:
    return status;
}

dscq_status dscq_flow_plan(dscq_table **layers, dscq_table **memory, dscq_project *p,
                           const dscq_run_options *o, dscq_error *err)
{
    dscq_table *mem = NULL;
    dscq_pool *pool = NULL;
    const dscq_kernels *kernels;
    dscq_status status;

    *layers = NULL;
    DSCQ_TRY(dscq_flow_pool(&pool, &kernels, o, err));
    DSCQ_TRY(dscq_table_create(&mem, "memory", k_memory, err));
    DSCQ_TRY(plan_rows(mem, p, pool, kernels, o->log, err));
    DSCQ_TRY(dscq_table_check(mem, err));
    DSCQ_TRY(dscq_model_table(layers, dscq_project_model(p), err));
    *memory = mem;
    mem = NULL;
done:
    dscq_table_destroy(mem);
    dscq_pool_destroy(pool);
    return status;
}
