#include "dscq/nn/train.h"

#include "dscq/base/alloc.h"
#include "train_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- create ------------------------------------------------------------- */

static dscq_status find_heads(dscq_trainer *t, dscq_error *err)
{
    const int32_t outputs = dscq_model_outputs(t->m);
    dscq_status status = DSCQ_OK;

    t->head = dscq_calloc((size_t)outputs, sizeof *t->head);
    if (t->head == NULL)
        return dscq_fail_nomem(err, "detector heads", sizeof *t->head);
    for (int32_t i = 0; i < outputs && status == DSCQ_OK; i++) {
        const int32_t node = dscq_model_output(t->m, i);
        if ((dscq_model_node(t->m, node)->ops->flags & DSCQ_LAYER_HEAD) == 0)
            continue;
        t->is_detector = 1;
        status = dscq_head_from_node(&t->head[i], t->m, node, err);
    }
    return status;
}

static dscq_status check_output(dscq_trainer *t, dscq_error *err)
{
    const int32_t node = dscq_model_output(t->m, 0);
    const dscq_shape s = dscq_model_node(t->m, node)->out;

    if (t->is_detector)
        return DSCQ_OK;
    t->classes = s.c;
    if (dscq_model_outputs(t->m) == 1 && s.h == 1 && s.w == 1 && s.c >= 2)
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s: to be trained, a network must end in 1 x 1 x classes or in "
                     "[yolo] heads; its output is %d x %d x %d",
                     dscq_model_node(t->m, node)->name, (int)s.h, (int)s.w, (int)s.c);
}

static dscq_status take_arrays(dscq_trainer *t, dscq_error *err)
{
    const size_t n = t->learned_floats;
    const dscq_status status =
        dscq_memory_check("engine and optimiser", dscq_trainer_bytes(t), err);

    if (status != DSCQ_OK)
        return status;
    t->first = dscq_calloc(n, sizeof(float));
    if (t->p.optimiser != DSCQ_OPT_SGD)
        t->second = dscq_calloc(n, sizeof(float));
    if (t->p.ema > 0)
        t->average = dscq_calloc(t->floats, sizeof(float));
    if (t->first == NULL || (t->p.optimiser != DSCQ_OPT_SGD && t->second == NULL) ||
        (t->p.ema > 0 && t->average == NULL))
        return dscq_fail_nomem(err, "the optimiser", 4 * n);
    if (t->average != NULL)
        nn__params_get(t, t->average);
    return nn__good_create(t, err);
}

static dscq_exec_options engine_options(const dscq_train_params *p, dscq_pool *pool,
                                        const dscq_kernels *kernels)
{
    return (dscq_exec_options){.batch = p->batch,
                               .training = 1,
                               .lean = p->lean,
                               /* the length of the gradient needs all of it */
                               .hand_over = p->lean && p->clip_norm <= 0,
                               .pool = pool,
                               .kernels = kernels};
}

dscq_status dscq_trainer_create(dscq_trainer **out, dscq_model *m,
                                const dscq_train_params *p, size_t batches_per_epoch,
                                dscq_pool *pool, const dscq_kernels *kernels,
                                dscq_error *err)
{
    const dscq_exec_options o = engine_options(p, pool, kernels);
    dscq_trainer *t = dscq_calloc(1, sizeof *t);
    dscq_status status;

    *out = NULL;
    if (t == NULL)
        return dscq_fail_nomem(err, "a trainer", sizeof *t);
    t->m = m;
    t->p = *p;
    t->batches = batches_per_epoch;
    t->pool = pool;
    t->k = kernels != NULL ? kernels : dscq_kernels_get(NULL);
    DSCQ_TRY(nn__apply_patterns(m, p, err));
    DSCQ_TRY(find_heads(t, err));
    DSCQ_TRY(check_output(t, err));
    DSCQ_TRY(dscq_exec_create(&t->e, m, &o, err));
    dscq_exec_norm_momentum(t->e, p->norm_momentum);
    if (o.hand_over)
        dscq_exec_on_gradients(t->e, nn__update_node, t);
    DSCQ_TRY(nn__params_list(t, err));
    DSCQ_TRY(take_arrays(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_trainer_destroy(t);
    return status;
}

void dscq_trainer_destroy(dscq_trainer *t)
{
    if (t == NULL)
        return;
    dscq_exec_destroy(t->e);
    dscq_free(t->param);
    dscq_free(t->first);
    dscq_free(t->second);
    dscq_free(t->average);
    dscq_free(t->good);
    dscq_spill_destroy(t->good_file);
    dscq_free(t->best);
    dscq_free(t->head);
    dscq_free(t);
}

void dscq_trainer_set_hooks(dscq_trainer *t, const dscq_train_hooks *h)
{
    t->hooks = *h;
}

void dscq_trainer_set_record(dscq_trainer *t, const char *text)
{
    t->record = text;
}

dscq_exec *dscq_trainer_exec(dscq_trainer *t)
{
    return t->e;
}

const dscq_train_state *dscq_trainer_state(const dscq_trainer *t)
{
    return &t->state;
}

/* Moments and snapshots, from the floats that are learned and that are kept. */
static size_t optimiser_bytes(const dscq_train_params *p, size_t learned, size_t kept)
{
    const size_t moments = p->optimiser == DSCQ_OPT_SGD ? 1 : 2;
    const size_t snapshots = (size_t)(p->ema > 0) + (size_t)(p->keep_best != 0);

    return (learned * moments + kept * snapshots + nn__good_floats(kept)) *
           sizeof(float);
}

size_t dscq_trainer_bytes(const dscq_trainer *t)
{
    return dscq_exec_get_plan(t->e).total_bytes +
           optimiser_bytes(&t->p, t->learned_floats, t->floats);
}

dscq_status dscq_trainer_dry_run(dscq_train_plan *out, dscq_model *m,
                                 const dscq_train_params *p, dscq_pool *pool,
                                 const dscq_kernels *kernels, dscq_error *err)
{
    const dscq_exec_options o = engine_options(p, pool, kernels);
    dscq_train_plan plan;
    dscq_status status;

    DSCQ_TRY(nn__apply_patterns(m, p, err));
    DSCQ_TRY(dscq_exec_dry_run(&plan.engine, m, &o, err));
    /* every learned array has a gradient, and both are rounded alike */
    const size_t learned = plan.engine.gradient_bytes / sizeof(float);
    plan.optimiser_bytes = optimiser_bytes(p, learned, learned + nn__stat_floats(m));
    plan.total_bytes = plan.engine.total_bytes + plan.optimiser_bytes;
    *out = plan;
done:
    return status;
}

/* ---- a step ------------------------------------------------------------- */

static uint64_t count_right(const float *logits, const int32_t *label, int32_t n,
                            int32_t classes)
{
    uint64_t right = 0;

    for (int32_t i = 0; i < n; i++) {
        const float *v = logits + (size_t)i * (size_t)classes;
        int32_t best = 0;
        for (int32_t c = 1; c < classes; c++)
            if (v[c] > v[best])
                best = c;
        right += best == label[i];
    }
    return right;
}

/* The mean over images of all heads' losses: truths, and a teacher's maps. */
static double head_losses(dscq_trainer *t, const dscq_train_batch *b)
{
    const double soft = b->teacher_map != NULL ? t->p.distil_weight : 0;
    const double hard = 1 - soft;
    const dscq_detect_loss own = {hard * t->p.box_weight, hard * t->p.object_weight,
                                  hard * t->p.noobject_weight,
                                  hard * t->p.class_weight};
    const dscq_detect_loss taught = {soft * t->p.box_weight, soft * t->p.object_weight,
                                     0, soft * t->p.class_weight};
    double sum = 0;

    for (int32_t i = 0; i < dscq_model_outputs(t->m); i++) {
        float *grad = dscq_exec_output_grad(t->e, i);
        const float *raw = dscq_exec_output(t->e, i, NULL);
        if (t->head[i].anchors == 0)
            continue;
        sum += dscq_head_loss(grad, &t->head[i], raw, b->n, b->truth, b->truth_count,
                              b->max_truths, &own);
        if (soft > 0) {
            assert(b->teacher_map != NULL); /* a batch with a teacher has its maps */
            sum += dscq_head_distil(grad, &t->head[i], raw, b->teacher_map[i], b->n,
                                    &taught);
        }
    }
    return sum;
}

/* Loss and its gradient at the outputs: the sum over images; *counted of them. */
static double losses(dscq_trainer *t, const dscq_train_batch *b, int32_t *counted)
{
    if (!t->is_detector) {
        const dscq_loss_params l = {t->p.label_smoothing, t->p.distil_temperature,
                                    t->p.distil_weight};
        const float *logits = dscq_exec_output(t->e, 0, NULL);
        t->state.top1_sum += (double)count_right(logits, b->label, b->n, t->classes);
        return dscq_loss_softmax(dscq_exec_output_grad(t->e, 0), logits, b->label,
                                 b->teacher, b->n, t->classes, &l, counted);
    }
    *counted = b->n;
    return b->n * head_losses(t, b);
}

/* Leave the model as it was when it was last known to be sound. */
static dscq_status diverged(dscq_trainer *t, dscq_error *err, const char *what)
{
    const dscq_status status = nn__good_restore(t, err);

    if (status != DSCQ_OK)
        return status;
    return dscq_fail(
        err, DSCQ_FORMAT,
        "training diverged in epoch %u, batch %llu: %s is not finite; the "
        "weights of the last good epoch are kept (lower learning_rate, or set "
        "clip_norm or warmup_epochs)",
        (unsigned)t->state.epoch + 1, (unsigned long long)t->state.batch + 1, what);
}

static dscq_status forward_backward(dscq_trainer *t, const dscq_train_batch *b,
                                    double *loss_out, dscq_error *err)
{
    const dscq_rng seeded = dscq_rng_seeded((uint64_t)t->p.seed);
    const dscq_rng rng = dscq_rng_fork(&seeded, "step", t->state.step);
    int32_t counted = 0;

    dscq_exec_forward(t->e, DSCQ_PASS_TRAIN, b->x, b->n, &rng);
    const double sum = losses(t, b, &counted);
    const double loss = counted > 0 ? sum / counted : 0;
    *loss_out = loss;
    if (!isfinite(loss))
        return diverged(t, err, "the loss");
    t->state.loss_sum += sum;
    t->state.samples += counted;
    t->state.last_loss = loss;
    nn__update_begin(t);
    dscq_exec_backward(t->e);
    return DSCQ_OK;
}

dscq_status dscq_trainer_step(dscq_trainer *t, const dscq_train_batch *b,
                              double *loss_out, dscq_error *err)
{
    const uint64_t step = t->state.step;
    const dscq_train_hooks *h = &t->hooks;
    double loss = 0;
    dscq_status status = DSCQ_OK;

    assert(b->n >= 1 && b->n <= t->p.batch);
    assert(h->after_backward == NULL || !t->p.lean);
    if (h->before_step != NULL)
        DSCQ_TRY(h->before_step(h->ctx, t->m, step, err));
    DSCQ_TRY(forward_backward(t, b, &loss, err));
    if (h->after_backward != NULL)
        DSCQ_TRY(h->after_backward(h->ctx, t->m, t->e, step, err));
    if (nn__update(t, err) != DSCQ_OK)
        return diverged(t, err, "the gradient");
    t->state.step++;
    t->state.batch++;
    if (h->after_step != NULL)
        DSCQ_TRY(h->after_step(h->ctx, t->m, step, err));
done:
    if (loss_out != NULL)
        *loss_out = loss;
    return status;
}

/* ---- epochs ------------------------------------------------------------- */

static void report(const dscq_trainer *t, const dscq_log *log)
{
    char what[32], note[96];
    const double n = t->state.samples > 0 ? t->state.samples : 1;

    snprintf(what, sizeof what, "epoch %u", (unsigned)t->state.epoch + 1);
    if (t->is_detector)
        snprintf(note, sizeof note, "loss %.4f", t->state.loss_sum / n);
    else
        snprintf(note, sizeof note, "loss %.4f top-1 %.2f %%", t->state.loss_sum / n,
                 100 * t->state.top1_sum / n);
    dscq_log_progress(log, what, (double)t->state.batch, (double)t->batches, note);
}

static dscq_status stop_here(dscq_trainer *t, dscq_error *err)
{
    if (t->p.save[0] != '\0') {
        const dscq_status status = dscq_trainer_save(t, t->p.save, err);
        if (status != DSCQ_OK)
            return status;
    }
    return dscq_fail(err, DSCQ_INTERRUPTED, "training stopped in epoch %u%s%s",
                     (unsigned)t->state.epoch + 1,
                     t->p.save[0] != '\0' ? "; to go on: --resume with " : "",
                     t->p.save);
}

static dscq_status check_batch(const dscq_trainer *t, const dscq_train_batch *b,
                               dscq_error *err)
{
    if (b->n > t->p.batch)
        return dscq_fail(err, DSCQ_INTERNAL, "a batch of %d images; planned for %d",
                         (int)b->n, (int)t->p.batch);
    if (t->is_detector)
        return DSCQ_OK;
    for (int32_t i = 0; i < b->n; i++)
        if (b->label[i] < -1 || b->label[i] >= t->classes)
            return dscq_fail(err, DSCQ_FORMAT,
                             "label %d: the network has %d classes (0 to %d)",
                             (int)b->label[i], (int)t->classes, (int)t->classes - 1);
    return DSCQ_OK;
}

dscq_status dscq_trainer_epoch(dscq_trainer *t, dscq_batch_fn *fn, void *ctx,
                               const dscq_log *log, dscq_error *err)
{
    dscq_status status;

    for (;;) {
        dscq_train_batch b = {0};
        if (dscq_log_stop(log))
            return stop_here(t, err);
        DSCQ_TRY(fn(ctx, &b, t->state.epoch, (size_t)t->state.batch, err));
        if (b.n <= 0)
            break;
        DSCQ_TRY(check_batch(t, &b, err));
        DSCQ_TRY(dscq_trainer_step(t, &b, NULL, err));
        report(t, log);
    }
    if (t->state.batch == 0)
        return dscq_fail(err, DSCQ_FORMAT, "there are no training images");
    if (!nn__params_finite(t))
        return diverged(t, err, "a weight");
    DSCQ_TRY(nn__good_keep(t, err));
done:
    return status;
}

static dscq_status note_best(dscq_trainer *t, double score, dscq_error *err)
{
    if (t->state.has_best && !(score > t->state.best_score)) {
        t->state.epochs_since_best++;
        return DSCQ_OK;
    }
    t->state.has_best = 1;
    t->state.best_score = score;
    t->state.best_epoch = t->state.epoch;
    t->state.epochs_since_best = 0;
    if (!t->p.keep_best)
        return DSCQ_OK;
    if (t->best == NULL)
        t->best = dscq_calloc(t->floats, sizeof(float));
    if (t->best == NULL)
        return dscq_fail_nomem(err, "the best weights", t->floats * sizeof(float));
    nn__params_get(t, t->best);
    return DSCQ_OK;
}

static dscq_status validate(dscq_trainer *t, double *score, dscq_error *err)
{
    dscq_status status;

    *score = (double)NAN;
    if (t->hooks.validate == NULL)
        return DSCQ_OK;
    nn__swap_average(t);
    status = t->hooks.validate(t->hooks.ctx, t->m, t->state.epoch, score, err);
    if (status == DSCQ_OK)
        status = note_best(t, *score, err);
    nn__swap_average(t);
    return status;
}

static dscq_status end_epoch(dscq_trainer *t,
                             void (*row)(void *ctx, const dscq_train_row *r),
                             void *row_ctx, dscq_error *err)
{
    const double n = t->state.samples > 0 ? t->state.samples : 1;
    dscq_train_row r = {.epoch = t->state.epoch,
                        .rate = t->state.rate,
                        .loss = t->state.loss_sum / n,
                        .top1_frac = t->state.top1_sum / n};
    dscq_status status;

    DSCQ_TRY(validate(t, &r.score, err));
    if (row != NULL)
        row(row_ctx, &r);
    dscq_trainer_next_epoch(t);
    if (t->p.patience > 0 && t->state.has_best &&
        t->state.epochs_since_best >= (uint32_t)t->p.patience)
        t->state.stopped_early = 1;
    const int last = t->state.epoch >= (uint32_t)t->p.epochs || t->state.stopped_early;
    if (t->p.save[0] != '\0' &&
        (last || t->state.epoch % (uint32_t)t->p.save_every == 0))
        DSCQ_TRY(dscq_trainer_save(t, t->p.save, err));
done:
    return status;
}

dscq_status dscq_trainer_run(dscq_trainer *t, dscq_batch_fn *fn, void *ctx,
                             void (*row)(void *ctx, const dscq_train_row *r),
                             void *row_ctx, const dscq_log *log, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    while (t->state.epoch < (uint32_t)t->p.epochs && !t->state.stopped_early) {
        DSCQ_TRY(dscq_trainer_epoch(t, fn, ctx, log, err));
        DSCQ_TRY(end_epoch(t, row, row_ctx, err));
    }
    if (t->p.keep_best && t->best != NULL)
        nn__params_set(t, t->best);
    else
        nn__swap_average(t);
done:
    return status;
}

/* ---- evaluation --------------------------------------------------------- */

dscq_status dscq_evaluate(dscq_eval *out, dscq_exec *e, dscq_batch_fn *fn, void *ctx,
                          const dscq_log *log, dscq_error *err)
{
    dscq_status status;

    for (size_t number = 0;; number++) {
        dscq_train_batch b = {0};
        if (dscq_log_stop(log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "evaluation stopped");
        DSCQ_TRY(fn(ctx, &b, 0, number, err));
        if (b.n <= 0)
            break;
        dscq_exec_forward(e, DSCQ_PASS_EVAL, b.x, b.n, NULL);
        DSCQ_TRY(dscq_eval_add(out, dscq_exec_output(e, 0, NULL), b.label, b.n, err));
    }
    status = DSCQ_OK;
done:
    return status;
}
