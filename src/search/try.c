/* Trials: measured once, remembered at once, judged by the limits. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "search_internal.h"

#include <math.h>
#include <string.h>

double search__judge(double over[DSCQ_METRICS], const search *s, const double *value,
                     double max_loss)
{
    double total = 0;

    for (int m = 0; m < DSCQ_METRICS; m++) {
        const double limit = m == DSCQ_METRIC_LOSS ? max_loss : s->limit[m];

        over[m] = 0;
        if (!isfinite(limit))
            continue;
        if (m == DSCQ_METRIC_LOSS) /* a limit of 0 has a size as well */
            over[m] = (value[m] - limit) / fmax(limit, 0.01);
        else
            over[m] = value[m] / limit - 1;
        over[m] = over[m] > 1e-12 ? over[m] : 0;
        total += over[m];
    }
    return total;
}

int search__over(const search *s)
{
    if (s->trials >= (size_t)s->params.trials)
        return 1;
    return s->trials >= s->olds && search__is_late(s, s->kept_back);
}

/* Is trial a to be preferred to trial b? */
static int is_better(const search *s, const search_trial *a, const search_trial *b)
{
    const int m = s->params.objective;

    if (a->failed != b->failed)
        return b->failed;
    if (a->total_over != b->total_over)
        return a->total_over < b->total_over;
    if (a->value[m] != b->value[m])
        return a->value[m] < b->value[m];
    return a->value[DSCQ_METRIC_LOSS] < b->value[DSCQ_METRIC_LOSS];
}

static dscq_status make_room(search *s, dscq_error *err)
{
    if (s->trials < s->room)
        return DSCQ_OK;
    const size_t more = s->room > 0 ? 2 * s->room : 32;
    search_trial *grown =
        dscq_realloc(s->trial, s->room * sizeof *grown, more * sizeof *grown);
    if (grown == NULL)
        return dscq_fail_nomem(err, "trials", more * sizeof *grown);
    s->trial = grown;
    s->room = more;
    return DSCQ_OK;
}

/* The journal's answer to the same question. */
static dscq_status replay(search_trial *t, search *s, dscq_error *err)
{
    const search_trial *old = &s->old[s->trials];

    if (!search__same(s, old->choice, t->choice))
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s/search.json: trial %zu is not what this search asks for; "
                         "--force starts afresh",
                         s->dir, s->trials);
    memcpy(t->value, old->value, sizeof t->value);
    t->failed = old->failed;
    (void)dscq_str_copy(t->why, sizeof t->why, old->why);
    s->replayed++;
    return DSCQ_OK;
}

/* A network that cannot be built or mapped is a trial without a result; what would stop
 * any other trial as well stops the search. */
static dscq_status measure(search_trial *t, search *s, dscq_error *err)
{
    const double before = s->o->now != NULL ? s->o->now() : 0;
    dscq_error why = {DSCQ_OK, ""};
    const dscq_status status = search__trial_measure(t->value, s, t->choice, &why);

    if (s->o->now != NULL) {
        s->spent += s->o->now() - before;
        s->measured++;
    }
    if (status == DSCQ_OK)
        return status;
    if (s->trials == 0 ||
        (status != DSCQ_UNSUPPORTED && status != DSCQ_ARG && status != DSCQ_FORMAT)) {
        *err = why;
        return status;
    }
    t->failed = 1;
    (void)dscq_str_copy(t->why, sizeof t->why, why.msg);
    for (int m = 0; m < DSCQ_METRICS; m++)
        t->value[m] = (double)NAN;
    return DSCQ_OK;
}

static void tell(const search *s, const search_trial *t)
{
    const int m = s->params.objective;
    const search_trial *best = &s->trial[s->best];

    if (t->failed)
        dscq_log_printf(s->log, DSCQ_LOG_INFO, "trial %zu: %s", s->trials - 1, t->why);
    else
        dscq_log_printf(s->log, DSCQ_LOG_INFO,
                        "trial %zu %s: lost %.2f points, %.0f bytes%s; best %s %.6g%s",
                        s->trials - 1, search__source_name(t->source),
                        100 * t->value[DSCQ_METRIC_LOSS], t->value[DSCQ_METRIC_BYTES],
                        t->total_over > 0 ? ", over a limit" : "",
                        dscq_metric_column(m), best->value[m],
                        best->total_over > 0 ? " (over a limit)" : "");
}

/* Into the journal, and the recipe when it is the best so far. */
static dscq_status remember(search *s, dscq_error *err)
{
    const size_t last = s->trials - 1;
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    const int kept = s->best < 0 || is_better(s, &s->trial[last], &s->trial[s->best]);
    DSCQ_TRACE(s->log, SEARCH,
               "trial %zu from %s, layer %d: %s %.6g, over limits by %.4g; %s", last,
               search__source_name(s->trial[last].source), (int)s->trial[last].layer,
               dscq_metric_column(s->params.objective),
               s->trial[last].value[s->params.objective], s->trial[last].total_over,
               kept ? "the best so far" : "not better than the best");
    if (kept) {
        s->best = (int64_t)last;
        DSCQ_TRY(dscq_path_join(path, sizeof path, s->dir, "recipe.cfg", err));
        DSCQ_TRY(search__write_recipe(s, last, path, err));
    }
    tell(s, &s->trial[last]);
    if (s->trials > s->olds) /* while replaying it says all this already */
        DSCQ_TRY(search__journal_write(s, err));
    status = DSCQ_OK;
done:
    return status;
}

dscq_status search__try(search *s, const search_choice *c, search_source source,
                        int32_t layer, size_t *at, dscq_error *err)
{
    search_trial t = {.source = source, .layer = layer};
    const int64_t known = search__find(s, c);
    dscq_status status;

    if (known >= 0) {
        *at = (size_t)known;
        return DSCQ_OK;
    }
    DSCQ_TRY(make_room(s, err));
    t.choice = dscq_malloc(s->layers, sizeof *t.choice);
    if (t.choice == NULL)
        return dscq_fail_nomem(err, "a trial", s->layers * sizeof *t.choice);
    memcpy(t.choice, c, s->layers * sizeof *c);
    for (int m = 0; m < DSCQ_METRICS; m++)
        t.value[m] = (double)NAN;
    status = s->trials < s->olds ? replay(&t, s, err) : measure(&t, s, err);
    if (status == DSCQ_OK && dscq_log_stop(s->log) && s->trials >= s->olds)
        status = dscq_fail(err, DSCQ_INTERRUPTED,
                           "stopped after %zu trials; --resume goes on", s->trials);
    if (status != DSCQ_OK) {
        dscq_free(t.choice);
        return status;
    }
    t.total_over = t.failed ? (double)INFINITY
                            : search__judge(t.over, s, t.value, s->params.trial_loss);
    *at = s->trials;
    s->trial[s->trials++] = t;
    DSCQ_TRY(remember(s, err));
done:
    return status;
}
