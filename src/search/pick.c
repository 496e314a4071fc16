/* Recipes that the tables of losses and costs think cheapest. */
#include "dscq/base/alloc.h"
#include "search_internal.h"

void search__picker_clear(search_picker *m)
{
    dscq_free(m->option);
    dscq_free(m->of);
    dscq_free(m->first);
    dscq_free(m->pick);
}

static size_t add_options(search_picker *m, size_t at, const search *s, size_t layer,
                          int metric)
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

dscq_status search__picker_make(search_picker *m, const search *s, dscq_error *err)
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

dscq_status search__pick(search_choice *out, const search *s, search_picker *m,
                         double loss, int greedy, dscq_error *err)
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
