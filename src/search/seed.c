/* The first trials of a joint search: recipes of the knapsack from mild to as hard as
 * the limit allows, with uniform ones among them. The tables say what a recipe loses
 * only up to a factor, which the trials so far correct: so the second rung of the
 * ladder is near the limit already, and later ones are nearer. */
#include "dscq/base/alloc.h"
#include "search_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is asked for: a measured loss, as a share of trial_loss. */
typedef struct seed {
    search_source source;
    double share;
} seed;

static const seed k_plan[] = {
    {SEARCH_LADDER, 0.25},  {SEARCH_LADDER, 1}, {SEARCH_UNIFORM, 1},
    {SEARCH_LADDER, 0.5},   {SEARCH_LADDER, 1}, {SEARCH_UNIFORM, 0.5},
    {SEARCH_LADDER, 0.125}, {SEARCH_LADDER, 1}, {SEARCH_LADDER, 0.75},
    {SEARCH_LADDER, 1},
};
enum { PLAN = sizeof k_plan / sizeof *k_plan };

search_source search__seed_source(size_t row)
{
    return k_plan[row < PLAN ? row : PLAN - 1].source;
}

static const double k_least_ratio = 0.2, k_most_ratio = 5;
/* Budgets nearer than this to one tried give the same recipe, or as good as. */
static const double k_near = 1.02;

static int is_telling(const search *s, const search_trial *t)
{
    const double all = s->float_score, loss = t->value[DSCQ_METRIC_LOSS];

    return !t->failed && loss > 0 && loss < 0.5 * all &&
           search__drop_sum(s, t->choice) > 1e-6;
}

/* What the layers' losses would have to add up to: the additive model saturates at what
 * there is to lose. */
static double unbent(const search *s, double loss)
{
    const double all = s->float_score;

    return all > 0 && loss < all ? -all * log(1 - loss / all) : loss;
}

static double ratio_of(const search *s, const search_trial *t)
{
    const double r =
        unbent(s, t->value[DSCQ_METRIC_LOSS]) / search__drop_sum(s, t->choice);

    return fmin(fmax(r, k_least_ratio), k_most_ratio);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double search__ratio(const search *s)
{
    double *r = dscq_calloc(s->trials + 1, sizeof *r), median = 1;
    size_t n = 0;

    for (size_t i = 0; r != NULL && i < s->trials; i++)
        if (is_telling(s, &s->trial[i]))
            r[n++] = ratio_of(s, &s->trial[i]);
    if (n > 0) {
        qsort(r, n, sizeof *r, by_size);
        median = 0.5 * (r[(n - 1) / 2] + r[n / 2]);
    }
    dscq_free(r);
    return median;
}

/* The expected loss at which a recipe of this source should measure `want`: the ratio
 * of the trial of its kind that came nearest, within what was tried on both sides of
 * it. */
static double budget_for(const search *s, search_source source, double want)
{
    double low = 0, high = (double)INFINITY, nearest = (double)INFINITY;
    double ratio = search__ratio(s);

    for (size_t i = 0; i < s->trials; i++) {
        const search_trial *t = &s->trial[i];
        const double sum = search__drop_sum(s, t->choice);
        const double loss = t->value[DSCQ_METRIC_LOSS];

        if (t->source != source)
            continue;
        if (t->failed || loss > want)
            high = fmin(high, sum);
        else
            low = fmax(low, sum);
        if (is_telling(s, t) && fabs(log(loss / want)) < nearest) {
            nearest = fabs(log(loss / want));
            ratio = ratio_of(s, t);
        }
    }
    const double at = unbent(s, want) / ratio;
    if (low >= high) /* more expected, less lost: no bracket */
        return at;
    if (at * k_near >= high)
        return low > 0 ? sqrt(low * high) : high / 2;
    return at <= low * k_near ? (isfinite(high) ? sqrt(low * high) : 1.5 * low) : at;
}

/* The recipe it was given, with p and b where that has those of [compress]. */
static void make_uniform(search_choice *out, const search *s, int32_t p, int32_t b)
{
    const dscq_compress_params *all = &s->settings->all;
    const int32_t step = (int32_t)floor(all->p / s->params.p_step + 0.5);

    memcpy(out, s->trial[0].choice, s->layers * sizeof *out);
    for (size_t i = 0; i < s->layers; i++) {
        const search_layer *l = &s->layer[i];
        if (l->steps == 0 || out[i].b != all->b || out[i].p != step)
            continue;
        out[i].p = p < l->steps ? p : l->steps;
        out[i].b = b < l->b_min ? l->b_min : b > l->b_max ? l->b_max : b;
    }
}

/* The cheapest rate and width that are expected to lose no more than the budget;
 * returns 0 when none is. c: scratch. */
static int pick_uniform(search_choice *out, search_choice *c, const search *s,
                        double budget)
{
    const int32_t steps = (int32_t)floor(s->params.p_max / s->params.p_step + 1e-9);
    const int metric = search__menu_metric(s);
    double least = (double)INFINITY;

    for (int32_t p = 0; p <= steps; p++)
        for (int32_t b = s->params.b_min; b <= s->params.b_max; b++) {
            make_uniform(c, s, p, b);
            const double cost = search__cost_sum(s, metric, c);
            if (search__drop_sum(s, c) > budget || cost >= least ||
                search__find(s, c) >= 0)
                continue;
            least = cost;
            memcpy(out, c, s->layers * sizeof *c);
        }
    return isfinite(least);
}

dscq_status search__seed_choose(search_choice *c, int *found, const search *s,
                                size_t row, search_picker *m, dscq_error *err)
{
    const seed *of = &k_plan[row < PLAN ? row : PLAN - 1];
    /* no loss allowed: what is nearly none is still worth a trial */
    const double most = fmax(s->params.trial_loss, 0.01);
    const double budget = budget_for(s, of->source, of->share * most);
    dscq_status status = DSCQ_OK;

    *found = 1;
    if (of->source == SEARCH_UNIFORM)
        *found = pick_uniform(c, c + s->layers, s, budget);
    else
        status = search__pick(c, s, m, budget, 0, err);
    *found = status == DSCQ_OK && *found && search__find(s, c) < 0;
    return status;
}

dscq_status search__seed(search *s, size_t trials, dscq_error *err)
{
    search_choice *c;
    search_picker m = {0};
    dscq_status status = DSCQ_OK;

    /* the least loss within limits of cost: that ladder looks for the costs */
    if (s->params.objective == DSCQ_METRIC_LOSS)
        return search__ladder(s, trials, 0, err);
    c = dscq_calloc(2 * s->layers, sizeof *c);
    if (c == NULL)
        return dscq_fail_nomem(err, "search", 2 * s->layers * sizeof *c);
    DSCQ_TRY(search__picker_make(&m, s, err));
    /* beyond the plan: nearer to the limit */
    for (size_t i = 0; i < trials && !search__over(s); i++) {
        size_t at;
        int found;

        DSCQ_TRY(search__seed_choose(c, &found, s, i, &m, err));
        if (found)
            DSCQ_TRY(search__try(s, c, search__seed_source(i), -1, &at, err));
    }
done:
    search__picker_clear(&m);
    dscq_free(c);
    return status;
}
