/* Knapsack or greedy: the cheapest recipe with an expected loss of at most L, measured;
 * L goes up and down until measured loss and limits meet. */
#include "dscq/base/alloc.h"
#include "search_internal.h"

#include <math.h>

/* Does the trial call for milder recipes? Minimising the loss, they get milder as long
 * as the limits hold; else harder as long as the loss is allowed. */
static int wants_milder(const search *s, const search_trial *t)
{
    if (t->failed)
        return 1;
    if (s->params.objective != DSCQ_METRIC_LOSS)
        return t->over[DSCQ_METRIC_LOSS] > 0;
    for (int m = DSCQ_METRIC_BYTES; m < DSCQ_METRICS; m++)
        if (t->over[m] > 0)
            return 0;
    return 1;
}

static double next_loss(double low, double high, double at)
{
    if (high <= 0) /* not reached from above yet */
        return 2 * at;
    return low > 0 ? sqrt(low * high) : high / 2;
}

dscq_status search__ladder(search *s, size_t trials, int greedy, dscq_error *err)
{
    static const double least = 1e-4, near = 1.01;
    double low = 0, high = 0, loss = fmax(s->params.trial_loss, 0.01);
    search_choice *c = dscq_calloc(s->layers, sizeof *c);
    search_picker m = {0};
    dscq_status status;

    if (c == NULL)
        return dscq_fail_nomem(err, "search", s->layers * sizeof *c);
    DSCQ_TRY(search__picker_make(&m, s, err));
    for (size_t i = 0; i < trials && !search__over(s); i++) {
        size_t at;

        DSCQ_TRY(search__pick(c, s, &m, loss, greedy, err));
        DSCQ_TRY(search__try(s, c, SEARCH_LADDER, -1, &at, err));
        if (wants_milder(s, &s->trial[at]))
            high = loss;
        else
            low = loss;
        if ((high > 0 && (high < least || (low > 0 && high / low < near))) ||
            low > 64 * (double)s->layers)
            break;
        loss = next_loss(low, high, loss);
    }
done:
    search__picker_clear(&m);
    dscq_free(c);
    return status;
}

static dscq_status greedy(search *s, dscq_error *err)
{
    return search__ladder(s, (size_t)s->params.trials, 1, err);
}

static dscq_status knapsack(search *s, dscq_error *err)
{
    return search__ladder(s, (size_t)s->params.trials, 0, err);
}

const search_method search__method_greedy = {.solve = greedy};
const search_method search__method_knapsack = {.solve = knapsack};
