#include "dscq/sense/choose.h"

#include "dscq/base/alloc.h"

#include <math.h>

enum { GRID = 2000 };

static double loss_of(const dscq_option *o)
{
    return o->loss > 0.0 ? o->loss : 0.0;
}

void dscq_choice_sums(const dscq_menu *m, const int32_t *pick, double *cost,
                      double *loss)
{
    double c = 0.0, l = 0.0;

    for (size_t g = 0; g < m->layers; g++) {
        const dscq_option *o = &m->option[m->first[g] + (size_t)pick[g]];

        c += o->cost;
        l += loss_of(o);
    }
    if (cost != NULL)
        *cost = c;
    if (loss != NULL)
        *loss = l;
}

/* The option of least loss, the cheapest of those; what does not fit by itself never
 * comes in. */
static dscq_status mildest(int32_t *pick, const dscq_menu *m, double budget,
                           dscq_error *err)
{
    double loss;

    for (size_t g = 0; g < m->layers; g++) {
        const dscq_option *o = &m->option[m->first[g]];
        const size_t n = m->first[g + 1] - m->first[g];

        pick[g] = 0;
        for (size_t i = 1; i < n; i++) {
            const double a = loss_of(&o[i]), b = loss_of(&o[pick[g]]);
            if (a < b || (a == b && o[i].cost < o[pick[g]].cost))
                pick[g] = (int32_t)i;
        }
    }
    dscq_choice_sums(m, pick, NULL, &loss);
    if (loss > budget * (1.0 + 1e-12))
        return dscq_fail(err, DSCQ_GATE,
                         "the mildest options together lose %.4g, more "
                         "than %.4g",
                         loss, budget);
    return DSCQ_OK;
}

dscq_status dscq_choose_greedy(int32_t *pick, const dscq_menu *m, double budget,
                               dscq_error *err)
{
    dscq_status status = mildest(pick, m, budget, err);
    double loss;

    if (status != DSCQ_OK)
        return status;
    dscq_choice_sums(m, pick, NULL, &loss);
    for (;;) {
        double best = 0.0, growth = 0.0;
        size_t layer = 0;
        int32_t option = -1;

        for (size_t g = 0; g < m->layers; g++) {
            const dscq_option *o = &m->option[m->first[g]];
            const size_t n = m->first[g + 1] - m->first[g];

            for (size_t i = 0; i < n; i++) {
                const double saved = o[pick[g]].cost - o[i].cost;
                const double more = loss_of(&o[i]) - loss_of(&o[pick[g]]);
                const double rate = more > 0.0 ? saved / more : (double)INFINITY;

                if (saved > 0.0 && loss + more <= budget && rate > best) {
                    best = rate;
                    layer = g;
                    option = (int32_t)i;
                    growth = more;
                }
            }
        }
        if (option < 0)
            return DSCQ_OK;
        pick[layer] = option;
        loss += growth;
    }
}

/* Grid cells that a loss takes, rounded up. */
static size_t cells(double loss, double unit)
{
    const double c = ceil(loss / unit - 1e-9);

    return c <= 0.0 ? 0 : c > GRID ? GRID + 1 : (size_t)c;
}

/* best[l]: least cost of the layers so far with at most l cells; from[g][l]: option. */
static void fill(double *best, double *next, int32_t *from, const dscq_menu *m,
                 double unit)
{
    for (size_t l = 0; l <= GRID; l++)
        best[l] = 0.0;
    for (size_t g = 0; g < m->layers; g++) {
        const dscq_option *o = &m->option[m->first[g]];
        const size_t n = m->first[g + 1] - m->first[g];

        for (size_t l = 0; l <= GRID; l++) {
            next[l] = (double)INFINITY;
            from[g * (GRID + 1) + l] = -1;
        }
        for (size_t i = 0; i < n; i++) {
            const size_t used = cells(loss_of(&o[i]), unit);

            for (size_t l = used; l <= GRID; l++)
                if (best[l - used] + o[i].cost < next[l]) {
                    next[l] = best[l - used] + o[i].cost;
                    from[g * (GRID + 1) + l] = (int32_t)i;
                }
        }
        for (size_t l = 0; l <= GRID; l++)
            best[l] = next[l];
    }
}

dscq_status dscq_choose_knapsack(int32_t *pick, const dscq_menu *m, double budget,
                                 dscq_error *err)
{
    const double unit = budget > 0.0 ? budget / GRID : 1.0;
    double *best = NULL;
    int32_t *from = NULL, *greedy = NULL;
    size_t left = budget > 0.0 ? GRID : 0;
    dscq_status status = mildest(pick, m, budget, err);
    double cost[2];

    if (status != DSCQ_OK)
        return status;
    best = dscq_malloc(2 * (GRID + 1), sizeof *best);
    from = dscq_malloc(m->layers * (GRID + 1), sizeof *from);
    greedy = dscq_malloc(m->layers + 1, sizeof *greedy);
    if (best == NULL || from == NULL || greedy == NULL) {
        status =
            dscq_fail_nomem(err, "knapsack", m->layers * (GRID + 1) * sizeof *from);
        goto done;
    }
    DSCQ_TRY(dscq_choose_greedy(greedy, m, budget, err));
    fill(best, best + GRID + 1, from, m, unit);
    if (isfinite(best[left]))
        for (size_t g = m->layers; g-- > 0;) {
            pick[g] = from[g * (GRID + 1) + left];
            left -= cells(loss_of(&m->option[m->first[g] + (size_t)pick[g]]), unit);
        }
    /* rounding up can hide a choice that fits exactly; the greedy one may have it */
    dscq_choice_sums(m, pick, &cost[0], NULL);
    dscq_choice_sums(m, greedy, &cost[1], NULL);
    for (size_t g = 0; cost[1] < cost[0] && g < m->layers; g++)
        pick[g] = greedy[g];
done:
    dscq_free(best);
    dscq_free(from);
    dscq_free(greedy);
    return status;
}
