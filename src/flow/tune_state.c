/* The state of fine-tuning, beside the trainer's own checkpoint. */
#include "dscq/base/io.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>

static dscq_status state_path(char out[DSCQ_PATH_MAX], const flow_tune *t,
                              uint64_t step, dscq_error *err)
{
    char name[64];

    snprintf(name, sizeof name, "tune.%llu.state", (unsigned long long)step);
    return dscq_path_join(out, DSCQ_PATH_MAX, t->dir, name, err);
}

static dscq_status save_edges(const dscq_aquant *edge, int32_t nodes, const char *what,
                              dscq_checkpoint *c, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < dscq_grid_count(nodes); i++) {
        char name[64];
        const double e[4] = {edge[i].scale, edge[i].zero_point, edge[i].bits,
                             edge[i].is_signed};
        snprintf(name, sizeof name, "%s.%zu", what, i);
        DSCQ_TRY(dscq_checkpoint_add(c, name, DSCQ_ENTRY_F64, e, 4, err));
    }
done:
    return status;
}

dscq_status flow__tune_save(flow_tune *t, dscq_error *err)
{
    const uint64_t step = dscq_trainer_state(t->trainer)->step;
    const int64_t numbers[3] = {t->has_edges, t->has_best, t->best_epoch};
    char path[DSCQ_PATH_MAX], old[DSCQ_PATH_MAX];
    dscq_checkpoint *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_checkpoint_create(&c, err));
    DSCQ_TRY(dscq_compressor_save(t->compressor, c, err));
    DSCQ_TRY(dscq_checkpoint_add(c, "tune.numbers", DSCQ_ENTRY_I64, numbers, 3, err));
    DSCQ_TRY(
        dscq_checkpoint_add(c, "tune.best", DSCQ_ENTRY_F64, &t->best_score, 1, err));
    DSCQ_TRY(save_edges(t->edge, t->nodes, "tune.edge", c, err));
    if (t->ranges != NULL) {
        DSCQ_TRY(save_edges(t->best_edge, t->nodes, "tune.best_edge", c, err));
        DSCQ_TRY(dscq_ranges_save(t->ranges, c, err));
    }
    if (t->has_best)
        DSCQ_TRY(dscq_checkpoint_add_model(c, t->best, err));
    DSCQ_TRY(state_path(path, t, step, err));
    DSCQ_TRY(dscq_checkpoint_write(c, path, err));
    DSCQ_TRY(dscq_trainer_save(t->trainer, t->save, err));
    /* only now is the earlier state of no use to anybody */
    if (t->saved_step != step && t->saved_step != UINT64_MAX) {
        DSCQ_TRY(state_path(old, t, t->saved_step, err));
        (void)remove(old);
    }
    t->saved_step = step;
done:
    dscq_checkpoint_destroy(c);
    return status;
}

static dscq_status load_edges(dscq_aquant *edge, int32_t nodes, const char *what,
                              const dscq_checkpoint *c, const char *path,
                              dscq_error *err)
{
    for (size_t i = 0; i < dscq_grid_count(nodes); i++) {
        char name[64];
        size_t n = 0;
        snprintf(name, sizeof name, "%s.%zu", what, i);
        const double *e = dscq_checkpoint_find(c, name, DSCQ_ENTRY_F64, &n);
        if (e == NULL || n != 4 || !isfinite(e[0]) || fabs(e[1]) > 65536 ||
            !(e[2] >= 0 && e[2] <= 16))
            return dscq_fail(
                err, DSCQ_FORMAT,
                "%s: no usable '%s'; it was written for another network or by "
                "another version: start again without --resume",
                path, name);
        edge[i] = (dscq_aquant){e[0], (int32_t)e[1], (int32_t)e[2], e[3] != 0};
    }
    return DSCQ_OK;
}

dscq_status flow__tune_load(flow_tune *t, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_checkpoint *c = NULL;
    size_t n = 0, b = 0;
    dscq_status status;

    DSCQ_TRY(dscq_trainer_resume(t->trainer, t->save, err));
    t->saved_step = dscq_trainer_state(t->trainer)->step;
    DSCQ_TRY(state_path(path, t, t->saved_step, err));
    DSCQ_TRY(dscq_checkpoint_read(&c, path, err));
    DSCQ_TRY(dscq_compressor_load(t->compressor, c, err));
    const int64_t *numbers =
        dscq_checkpoint_find(c, "tune.numbers", DSCQ_ENTRY_I64, &n);
    const double *best = dscq_checkpoint_find(c, "tune.best", DSCQ_ENTRY_F64, &b);
    if (numbers == NULL || n != 3 || best == NULL || b != 1) {
        status = dscq_fail(err, DSCQ_FORMAT, "%s: no 'tune.numbers'", path);
        goto done;
    }
    DSCQ_TRY(load_edges(t->edge, t->nodes, "tune.edge", c, path, err));
    if (t->ranges != NULL) {
        DSCQ_TRY(load_edges(t->best_edge, t->nodes, "tune.best_edge", c, path, err));
        DSCQ_TRY(dscq_ranges_load(t->ranges, c, err));
    }
    t->has_edges = numbers[0] != 0;
    t->has_best = numbers[1] != 0;
    t->best_epoch = (uint32_t)numbers[2];
    t->best_score = *best;
    if (t->has_best) { /* by name: the file holds more than a network */
        dscq_match_report r;
        DSCQ_TRY(dscq_checkpoint_load_model(t->best, c, DSCQ_MATCH_NAME, &r, err));
        if (r.missing + r.misfit != 0) {
            status = dscq_fail(err, DSCQ_FORMAT, "%s: no weights for layer '%s'", path,
                               r.first_left);
            goto done;
        }
    }
    flow__curve_load(&t->curve, t->dir, "tune_curve",
                     dscq_trainer_state(t->trainer)->epoch);
    dscq_log_printf(t->log, DSCQ_LOG_INFO, "%s: fine-tuning continues at epoch %u",
                    t->save, (unsigned)dscq_trainer_state(t->trainer)->epoch + 1);
done:
    dscq_checkpoint_destroy(c);
    return status;
}
