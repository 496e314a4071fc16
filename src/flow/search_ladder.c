/* Knapsack or greedy: the cheapest recipe with an expected loss of at most L, measured;
 * L goes up and down until measured loss and limits meet. */
#include "dscq/base/alloc.h"
#include "dscq/sense/choose.h"
#include "search_internal.h"

#include <math.h>
#include <string.h>

typedef struct menu {
    dscq_option *option;
    search_choice *of; /* [options] */
    size_t *first;     /* [layers + 1] */
    int32_t *pick;     /* [layers] */
} menu;

static void menu_free(menu *m)
{
    dscq_free(m->option);
    dscq_free(m->of);
    dscq_free(m->first);
    dscq_free(m->pick);
}

static size_t add_options(menu *m, size_t at, const search *s, size_t layer, int metric)
{
    const search_layer *l = &s->layer[layer];

    for (int32_t p = 0; p <= l->steps; p++)
        for (int32_t b = l->b_min; b <= l->b_max; b++) {
            const search_choice c = {p, b};
            const size_t i = search__at(s, layer, c);

            m->option[at] = (dscq_option){s->cost[metric][i], s->drop[i]};
            m->of[at++] = c;
        }
    return at;
}

static dscq_status menu_make(menu *m, const search *s, dscq_error *err)
{
    const int metric = search__menu_metric(s);
    size_t most = 0;

    for (size_t i = 0; i < s->layers; i++)
        most += (size_t)(s->layer[i].steps + 1) * SEARCH_BITS;
    m->option = dscq_calloc(most, sizeof *m->option);
    m->of = dscq_calloc(most, sizeof *m->of);
    m->first = dscq_calloc(s->layers + 1, sizeof *m->first);
    m->pick = dscq_calloc(s->layers, sizeof *m->pick);
    if (m->option == NULL || m->of == NULL || m->first == NULL || m->pick == NULL)
        return dscq_fail_nomem(err, "search", most * sizeof *m->option);
    for (size_t i = 0; i < s->layers; i++)
        m->first[i + 1] = add_options(m, m->first[i], s, i, metric);
    return DSCQ_OK;
}

/* The cheapest choice that is expected to lose at most `loss`. */
static dscq_status choose(search_choice *out, const search *s, menu *m, double loss,
                          int greedy, dscq_error *err)
{
    const dscq_menu of = {m->option, m->first, s->layers};
    const dscq_status status = greedy ? dscq_choose_greedy(m->pick, &of, loss, err)
                                      : dscq_choose_knapsack(m->pick, &of, loss, err);

    if (status != DSCQ_OK && status != DSCQ_GATE)
        return status;
    for (size_t i = 0; i < s->layers; i++)
        out[i] = m->of[m->first[i] + (size_t)m->pick[i]];
    return DSCQ_OK; /* GATE: the mildest there are */
}

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
    menu m = {0};
    dscq_status status;

    if (c == NULL)
        return dscq_fail_nomem(err, "search", s->layers * sizeof *c);
    DSCQ_TRY(menu_make(&m, s, err));
    for (size_t i = 0; i < trials && !search__over(s); i++) {
        size_t at;

        DSCQ_TRY(choose(c, s, &m, loss, greedy, err));
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
    menu_free(&m);
    dscq_free(c);
    return status;
}
