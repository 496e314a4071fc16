/* The finalists: trials of the Pareto set through the ordinary pipeline. Which one
 * comes next is found by halving: harder when the last one met max_loss, else milder.
 */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/pack/pack.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- candidates --------------------------------------------------------- */

/* Limits other than the loss hold. */
static int fits(const search_trial *t)
{
    for (int m = 0; m < DSCQ_METRICS; m++)
        if (m != DSCQ_METRIC_LOSS && t->over[m] > 0)
            return 0;
    return !t->failed;
}

/* Beaten in loss and objective by a trial that fits as well? */
static int is_beaten(const search *s, size_t i, int metric)
{
    const search_trial *t = &s->trial[i];

    for (size_t k = 0; k < s->trials; k++) {
        const search_trial *o = &s->trial[k];
        const double cost = o->value[metric] - t->value[metric];
        const double loss = o->value[DSCQ_METRIC_LOSS] - t->value[DSCQ_METRIC_LOSS];

        if (k != i && fits(o) && cost <= 0 && loss <= 0 &&
            (cost < 0 || loss < 0 || k < i))
            return 1;
    }
    return 0;
}

/* Trials to choose from, by rising loss, into order[]; returns how many. */
static size_t line_up(size_t *order, const search *s)
{
    const int metric = search__menu_metric(s);
    size_t n = 0;

    for (size_t i = 0; i < s->trials; i++) {
        const double loss = s->trial[i].value[DSCQ_METRIC_LOSS];
        size_t at;

        if (!fits(&s->trial[i]) || is_beaten(s, i, metric))
            continue;
        for (at = n++; at > 0 && s->trial[order[at - 1]].value[DSCQ_METRIC_LOSS] > loss;
             at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return n;
}

/* ---- one finalist ------------------------------------------------------- */

static dscq_status finalist_dir(char out[DSCQ_PATH_MAX], const search *s, size_t trial,
                                dscq_error *err)
{
    char name[40];

    (void)snprintf(name, sizeof name, DSCQ_FLOW_FINALIST "%zu", trial);
    return dscq_path_join(out, DSCQ_PATH_MAX, s->dir, name, err);
}

/* Fine-tune in the finalist's folder, or take over what is there. is_last: measured on
 * the test part as well, packed where the caller wants it. */
static dscq_status pipeline(dscq_compress_result *out, dscq_table **layers,
                            const search *s, size_t trial, int is_last, dscq_error *err)
{
    char dir[DSCQ_PATH_MAX], recipe[DSCQ_PATH_MAX], weights[DSCQ_PATH_MAX],
        packed[DSCQ_PATH_MAX];
    dscq_compress_options o = s->o->compress;
    dscq_status status;

    DSCQ_TRY(finalist_dir(dir, s, trial, err));
    DSCQ_TRY(dscq_path_make_dirs(dir, err));
    DSCQ_TRY(dscq_path_join(recipe, sizeof recipe, dir, "recipe.cfg", err));
    DSCQ_TRY(search__write_recipe(s, trial, recipe, err));
    DSCQ_TRY(dscq_project_use_recipe(s->project, s->base_rows, recipe, err));
    DSCQ_TRY(dscq_path_join(weights, sizeof weights, s->dir, "float.ckpt", err));
    DSCQ_TRY(dscq_path_join(packed, sizeof packed, s->dir, "packed.bin", err));
    o.run.out_dir = dir;
    o.run.weights = weights;
    o.run.resume = 1;
    o.is_part = 1;
    o.no_test = is_last ? o.no_test : 1;
    o.packed = !is_last ? NULL : o.packed != NULL ? o.packed : packed;
    DSCQ_TRY(dscq_flow_compress(out, layers, s->project, &o, err));
done:
    return status;
}

/* Numbers of the file that a pipeline wrote. */
static dscq_status measure_packed(double value[DSCQ_METRICS], const search *s,
                                  const dscq_compress_result *r, dscq_error *err)
{
    dscq_qmodel *q = NULL;
    dscq_status status;

    for (int m = 0; m < DSCQ_METRICS; m++)
        value[m] = (double)NAN;
    value[DSCQ_METRIC_LOSS] =
        r->has_truth ? r->float_score - r->packed_score : 1 - r->agreement;
    value[DSCQ_METRIC_BYTES] = (double)r->file_bytes;
    DSCQ_TRY(dscq_pack_read(&q, r->packed_path, err));
    DSCQ_TRY(search__trial_simulate(value, s, q, NULL, NULL, err));
done:
    dscq_qmodel_destroy(q);
    return status;
}

static void judge(search_finalist *f, const search *s)
{
    double over[DSCQ_METRICS];

    f->total_over = search__judge(over, s, f->value, s->params.max_loss);
    f->binds = -1;
    for (int m = 0; m < DSCQ_METRICS; m++)
        if (over[m] > 0 && (f->binds < 0 || over[m] > over[f->binds]))
            f->binds = m;
}

static dscq_status run_finalist(search *s, size_t trial, dscq_error *err)
{
    search_finalist f = {.trial = trial};
    dscq_compress_result r;
    int known = 0;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < s->old_finalists; i++)
        if (s->old_finalist[i].trial == trial) {
            f = s->old_finalist[i];
            known = 1;
        }
    if (!known) {
        dscq_log_printf(s->log, DSCQ_LOG_INFO, "finalist %zu of %d: trial %zu",
                        s->finalists + 1, (int)s->params.finalists, trial);
        const double before = search__elapsed(s);
        DSCQ_TRY(pipeline(&r, NULL, s, trial, 0, err));
        DSCQ_TRY(measure_packed(f.value, s, &r, err));
        s->finalist_seconds = search__elapsed(s) - before;
    }
    judge(&f, s);
    s->finalist[s->finalists++] = f;
    DSCQ_TRY(search__journal_write(s, err));
done:
    return status;
}

/* ---- all of them -------------------------------------------------------- */

static const search_finalist *best_finalist(const search *s)
{
    const int m = s->params.objective;
    const search_finalist *best = NULL;

    for (size_t i = 0; i < s->finalists; i++) {
        const search_finalist *f = &s->finalist[i];

        if (best == NULL || f->total_over < best->total_over ||
            (f->total_over <= best->total_over && f->value[m] < best->value[m]))
            best = f;
    }
    return best;
}

static dscq_status halve(search *s, const size_t *order, size_t count, dscq_error *err)
{
    int64_t low = -1, high = (int64_t)count, at = 0; /* low held, high did not */
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < count; i++) /* the best trial, or the mildest */
        if ((int64_t)order[i] == s->best)
            at = (int64_t)i;
    for (int32_t i = 0; i < s->params.finalists && high - low > 1; i++) {
        if (i > 0 && search__is_late(s, s->finalist_seconds)) {
            dscq_log_printf(s->log, DSCQ_LOG_INFO,
                            "no time for another finalist (%.0f s each)",
                            s->finalist_seconds);
            break;
        }
        DSCQ_TRY(run_finalist(s, order[at], err));
        const int holds = s->finalist[s->finalists - 1].total_over <= 0;
        if (holds)
            low = at;
        else
            high = at;
        /* the loss as objective: milder is better, the limits hold anyway */
        if (s->params.objective == DSCQ_METRIC_LOSS)
            break;
        at = low + (high - low) / 2;
        at = at < 0 ? 0 : at;
    }
done:
    return status;
}

static dscq_status copy_file(const search *s, const char *from, const char *name,
                             dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, from, name, err));
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, (size_t)1 << 30, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, s->dir, name, err));
    DSCQ_TRY(dscq_file_write(path, data, bytes, err));
done:
    dscq_free(data);
    return status;
}

static void say_what_binds(dscq_search_result *out, const search *s,
                           const search_finalist *f)
{
    const double limit =
        f->binds == DSCQ_METRIC_LOSS ? s->params.max_loss : s->limit[f->binds];

    (void)snprintf(out->binds, sizeof out->binds,
                   "%s = %.6g after fine-tuning, limit %.6g",
                   dscq_metric_column(f->binds), f->value[f->binds], limit);
}

dscq_status search__finals(search *s, dscq_search_result *out,
                           dscq_compress_result *packed, dscq_table **layers,
                           dscq_error *err)
{
    size_t *order = dscq_calloc(s->trials + 1, sizeof *order);
    char dir[DSCQ_PATH_MAX];
    dscq_status status;

    s->finalist = dscq_calloc((size_t)s->params.finalists, sizeof *s->finalist);
    if (order == NULL || s->finalist == NULL) {
        status = dscq_fail_nomem(err, "finalists", s->trials * sizeof *order);
        goto done;
    }
    DSCQ_TRY(halve(s, order, line_up(order, s), err));
    const search_finalist *best = best_finalist(s);
    DSCQ_TRY(pipeline(packed, layers, s, best->trial, 1, err));
    out->has_packed = 1;
    out->best = (int64_t)best->trial;
    out->feasible = best->total_over <= 0;
    DSCQ_TRY(finalist_dir(dir, s, best->trial, err));
    DSCQ_TRY(copy_file(s, dir, "layers.csv", err));
    DSCQ_TRY(copy_file(s, dir, "recipe.cfg", err));
    s->product = out->best;
    DSCQ_TRY(search__journal_write(s, err));
    DSCQ_TRY(search__finalist_table(&out->finalists, s, err));
    if (!out->feasible)
        say_what_binds(out, s, best);
done:
    dscq_free(order);
    return status;
}
