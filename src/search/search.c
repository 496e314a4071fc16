#include "dscq/search/search.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/bo/linalg.h"
#include "dscq/nn/checkpoint.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NORM_BATCH = 64 };

void dscq_search_clear(dscq_search_result *r)
{
    dscq_table_destroy(r->pareto);
    dscq_table_destroy(r->finalists);
    memset(r, 0, sizeof *r);
}

/* ---- making and releasing ----------------------------------------------- */

static void free_trials(search_trial *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dscq_free(t[i].choice);
    dscq_free(t);
}

static void search_clear(search *s)
{
    free_trials(s->trial, s->trials);
    free_trials(s->old, s->olds);
    dscq_free(s->finalist);
    dscq_free(s->old_finalist);
    dscq_sense_destroy(s->sense);
    dscq_free(s->drop);
    for (int m = 0; m < DSCQ_METRICS; m++)
        dscq_free(s->cost[m]);
    dscq_free(s->layer);
    dscq_free(s->edge);
    dscq_free(s->right);
    dscq_flow_pick_feed_clear(&s->judged_feed);
    dscq_flow_pick_feed_clear(&s->trained_feed);
    dscq_flow_pick_clear(&s->judged);
    dscq_flow_pick_clear(&s->trained);
    dscq_model_destroy(s->origin);
    dscq_pool_destroy(s->pool);
}

static dscq_status open_images(search *s, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_flow_pick_init(&s->judged, s->project, DSCQ_SPLIT_VALID,
                                 (size_t)s->params.images, s->log, err));
    DSCQ_TRY(dscq_flow_pick_answers(&s->judged, s->project, s->origin, s->pool,
                                    s->kernels, err));
    DSCQ_TRY(dscq_flow_pick_feed_init(&s->judged_feed, &s->judged,
                                      DSCQ_FLOW_JUDGE_BATCH, err));
    s->has_norm = s->params.norm_images > 0 && dscq_model_has_norm(s->origin);
    if (s->has_norm) {
        DSCQ_TRY(dscq_flow_pick_init(&s->trained, s->project, DSCQ_SPLIT_TRAIN,
                                     (size_t)s->params.norm_images, s->log, err));
        DSCQ_TRY(
            dscq_flow_pick_feed_init(&s->trained_feed, &s->trained, NORM_BATCH, err));
    }
    s->right = dscq_malloc(s->judged.count, 1);
    if (s->right == NULL)
        status = dscq_fail_nomem(err, "search", s->judged.count);
done:
    return status;
}

/* As long as what the pipeline writes; scores are not known yet. */
static void make_meta(search *s)
{
    char digest[17];

    dscq_dataset_digest(digest, s->judged.dataset);
    (void)snprintf(s->meta, sizeof s->meta,
                   "method=%s\nconfig_sha256=%s\ndata_digest=%s\nseed=%lld\n"
                   "valid_float_frac=0.0000\nvalid_tuned_frac=0.0000\nwriter=dscq %s\n",
                   s->settings->all.method, dscq_project_sha256(s->project), digest,
                   (long long)dscq_project_train(s->project)->seed, DSCQ_VERSION);
}

static void set_limits(search *s)
{
    const dscq_search_params *p = &s->params;
    const double given[DSCQ_METRICS] = {0, p->max_bytes, p->max_cycles,
                                        1e6 * p->max_energy_uj, p->max_bram};

    for (int m = 0; m < DSCQ_METRICS; m++)
        s->limit[m] = given[m] > 0 ? given[m] : (double)INFINITY;
    s->limit[DSCQ_METRIC_LOSS] = p->trial_loss;
}

static dscq_status check(search *s, dscq_error *err)
{
    if (dscq_project_is_detector(s->project))
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s is a detector: a search counts right answers of a "
                         "classifier",
                         dscq_project_path(s->project));
    if (!dscq_search_is_asked(&s->params))
        return dscq_fail(err, DSCQ_ARG, "[search] search = none: nothing is searched");
    if (s->dir[0] == '\0')
        return dscq_fail(err, DSCQ_ARG, "a search needs an output folder");
    if (s->o->machine == NULL && dscq_search_wants_machine(&s->params))
        return dscq_fail(err, DSCQ_ARG,
                         "[search] asks for cycles, energy or RAM: name a machine");
    if (s->params.budget[0] == '\0' || s->o->now == NULL)
        return DSCQ_OK;
    return dscq_parse_duration(&s->budget, s->params.budget, err);
}

static dscq_status open_search(search *s, dscq_error *err)
{
    const dscq_compress_options *c = &s->o->compress;
    dscq_status status;

    if (s->method->by_linalg)
        DSCQ_TRY(dscq_linalg_begin(s->log, err));
    DSCQ_TRY(dscq_model_clone(&s->origin, dscq_project_model(s->project), err));
    DSCQ_TRY(dscq_flow_pool(&s->pool, &s->kernels, &c->run, err));
    DSCQ_TRY(dscq_pack_options_parse(&s->packing,
                                     c->profile != NULL ? c->profile : "machine", err));
    DSCQ_TRY(open_images(s, err));
    set_limits(s);
    DSCQ_TRY(search__space(s, err));
    make_meta(s);
    /* where the pipeline of a finalist finds the float network */
    DSCQ_TRY(dscq_flow_keep_float(s->project, &c->run, DSCQ_FLOW_SEARCHED, err));
    DSCQ_TRY(dscq_flow_write_net_cfg(s->project, &c->run, err));
    DSCQ_TRY(search__fingerprint(s, err));
    DSCQ_TRY(search__journal_read(s, err));
    DSCQ_TRY(search__trial_float(s, err));
    DSCQ_TRY(search__keep_back(s, err));
done:
    return status;
}

/* ---- the search --------------------------------------------------------- */

static dscq_status solve(search *s, dscq_error *err)
{
    search_choice *c = dscq_calloc(s->layers, sizeof *c);
    size_t at;
    int late = 0;
    dscq_status status;

    if (c == NULL)
        return dscq_fail_nomem(err, "search", s->layers * sizeof *c);
    DSCQ_TRY(search__given(s, c, err));
    DSCQ_TRY(search__try(s, c, SEARCH_GIVEN, -1, &at, err));
    if (search__over(s))
        goto done;
    DSCQ_TRY(search__sense(s, &late, err));
    if (late)
        goto done;
    DSCQ_TRY(search__menu(s, err));
    status = s->method->solve(s, err);
done:
    dscq_free(c);
    return status;
}

/* No trial meets the limits: the best one, and the limit it breaks most. */
static dscq_status give_up(dscq_search_result *out, const search *s, dscq_error *err)
{
    const search_trial *t = &s->trial[s->best];
    int binds = 0;

    for (int m = 0; m < DSCQ_METRICS; m++)
        binds = t->over[m] > t->over[binds] ? m : binds;
    if (t->failed)
        (void)snprintf(out->binds, sizeof out->binds, "%.150s", t->why);
    else
        (void)snprintf(out->binds, sizeof out->binds, "%s = %.6g, limit %.6g",
                       dscq_metric_column(binds), t->value[binds], s->limit[binds]);
    return dscq_fail(
        err, DSCQ_GATE,
        "no recipe of %zu trials meets the limits; the nearest, trial %zu, is "
        "in %s/recipe.cfg: %s",
        s->trials, (size_t)s->best, s->dir, out->binds);
}

static dscq_status finish(dscq_search_result *out, dscq_compress_result *packed,
                          dscq_table **layers, search *s, dscq_error *err)
{
    dscq_status status;

    out->best = s->best;
    out->feasible = s->trial[s->best].total_over <= 0;
    DSCQ_TRY(search__write_tables(s, &out->pareto, err));
    if (s->trials > s->replayed || s->params.finalists == 0)
        DSCQ_TRY(search__journal_write(s, err));
    if (!out->feasible)
        return give_up(out, s, err);
    if (s->params.finalists == 0)
        goto done;
    DSCQ_TRY(search__finals(s, out, packed, layers, err));
    if (!out->feasible)
        status =
            dscq_fail(err, DSCQ_GATE,
                      "no finalist meets the limits; packed is the nearest, trial "
                      "%lld: %s; a smaller [search] trial_loss or more finalists may "
                      "help",
                      (long long)out->best, out->binds);
done:
    return status;
}

/* A finalist's folder of an earlier search: its fine-tuning is not continued. */
static void remove_folder(const char *dir)
{
    char path[DSCQ_PATH_MAX];
    dscq_dir d;

    if (dscq_dir_list(&d, dir, NULL) != DSCQ_OK)
        return;
    for (size_t i = 0; i < d.count; i++)
        if (dscq_path_join(path, sizeof path, dir, d.name[i], NULL) == DSCQ_OK)
            (void)remove(path);
    dscq_dir_free(&d);
    (void)remove(dir);
}

static dscq_status start_afresh(const search *s, dscq_error *err)
{
    static const char *const k_gone[] = {"search.json", "recipe.cfg"};
    char path[DSCQ_PATH_MAX];
    dscq_str more = {0};
    dscq_dir d;
    dscq_status status;

    DSCQ_TRY(dscq_flow_begin_float(s->project, &s->o->compress.run, err));
    DSCQ_TRY(search__more(&more, s, err));
    DSCQ_TRY(dscq_flow_begin(s->project, &s->o->compress.run, DSCQ_FLOW_SEARCHED,
                             more.text, err));
    if (s->o->compress.run.resume)
        goto done;
    for (size_t i = 0; i < sizeof k_gone / sizeof *k_gone; i++) {
        DSCQ_TRY(dscq_path_join(path, sizeof path, s->dir, k_gone[i], err));
        (void)remove(path);
    }
    if (s->o->compress.run.force) {
        DSCQ_TRY(
            dscq_path_join(path, sizeof path, s->dir, DSCQ_FLOW_SENSE_JOURNAL, err));
        (void)remove(path);
    }
    DSCQ_TRY(dscq_dir_list(&d, s->dir, err));
    for (size_t i = 0; i < d.count; i++)
        if (strncmp(d.name[i], DSCQ_FLOW_FINALIST, sizeof DSCQ_FLOW_FINALIST - 1) ==
                0 &&
            dscq_path_join(path, sizeof path, s->dir, d.name[i], NULL) == DSCQ_OK)
            remove_folder(path);
    dscq_dir_free(&d);
done:
    dscq_str_free(&more);
    return status;
}

/* Who names a machine wants to know what runs well there. The project keeps what was
 * said until the end: that is what --resume compares. */
static void settle_objective(search *s)
{
    if (s->params.objective != DSCQ_METRIC_AUTO)
        return;
    s->params.objective =
        s->o->machine != NULL ? DSCQ_METRIC_ENERGY : DSCQ_METRIC_BYTES;
    dscq_log_printf(
        s->log, DSCQ_LOG_INFO,
        "what shall be small: %s, %s (search.objective says something else)",
        dscq_metric_name(s->params.objective), dscq_metric_text(s->params.objective));
}

dscq_status dscq_flow_search(dscq_search_result *out, dscq_compress_result *packed,
                             dscq_table **layers, dscq_project *p,
                             const dscq_search_options *o, dscq_error *err)
{
    const dscq_run_options *run = &o->compress.run;
    dscq_search_params *said = dscq_project_section_params(p, &dscq_search_section);
    search s = {.project = p,
                .settings = dscq_project_settings(p),
                .o = o,
                .params = *said,
                .log = run->log,
                .dir = run->out_dir,
                .started = o->now != NULL ? o->now() : 0,
                .base_rows = dscq_project_settings(p)->layer_count,
                .best = -1,
                .product = -1};
    dscq_status status;

    memset(out, 0, sizeof *out);
    memset(packed, 0, sizeof *packed);
    if (layers != NULL)
        *layers = NULL;
    out->best = -1;
    settle_objective(&s);
    DSCQ_TRY(check(&s, err));
    s.method = search__method(&s.params);
    DSCQ_TRY(start_afresh(&s, err));
    DSCQ_TRY(dscq_flow_float_network(&packed->train, p, run, 0, err));
    DSCQ_TRY(open_search(&s, err));
    status = solve(&s, err);
    out->trials = s.trials;
    out->replayed = s.replayed;
    out->float_score = s.float_score;
    out->trial_seconds = s.measured > 0 ? s.spent / (double)s.measured : 0;
    if (status == DSCQ_OK)
        status = finish(out, packed, layers, &s, err);
done:
    said->objective = s.params.objective; /* for the manifest */
    search_clear(&s);
    return status;
}
