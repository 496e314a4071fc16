/* Candidates near good points, for spaces of many variables: a model that knows a few
 * dozen points of a hundred dimensions is right near those and nowhere else (Eriksson
 * et al., "Scalable global optimization via local Bayesian optimization", NeurIPS
 * 2019). Here "near" is a number of variables that differ, which suits whole numbers
 * and choices; it grows while trials get better and shrinks while they do not. */
#include "bo_internal.h"

#include <math.h>
#include <string.h>

enum { REACH = 12, REACH_MIN = 6, GOOD = 2, BAD = 4 };

size_t bo__reach(const dscq_bo *b)
{
    const size_t most = b->dims < 4 * REACH ? b->dims : 4 * REACH;
    size_t reach = REACH, good = 0, bad = 0;
    int64_t best = -1;

    for (size_t i = 0; i < b->told; i++) {
        const bo_row *r = &b->row[b->order[i]];

        if (bo__feasible(b, r) && (best < 0 || r->y[0] < b->row[best].y[0])) {
            best = (int64_t)b->order[i];
            good++;
            bad = 0;
        } else {
            bad++;
            good = 0;
        }
        if (good == GOOD) {
            reach = 2 * reach;
            good = 0;
        } else if (bad == BAD) {
            reach = reach / 2;
            bad = 0;
        }
        reach = reach > most ? most : reach < REACH_MIN ? REACH_MIN : reach;
    }
    return reach < b->dims ? reach : b->dims;
}

/* The best of many candidates is one that the model is too hopeful about: the more so,
 * the longer no point has kept all constraints. */
double bo__caution(const dscq_bo *b)
{
    size_t streak = 0;

    for (size_t i = b->told; i-- > 0 && !bo__feasible(b, &b->row[b->order[i]]);)
        streak++;
    return 1.0 + 0.25 * (double)(streak < 12 ? streak : 12);
}

static size_t differ(const dscq_bo *b, const double *x, const double *y)
{
    size_t n = 0;

    for (size_t i = 0; i < b->dims; i++)
        n += fabs(x[i] - y[i]) > 1e-9 * (b->dim[i].hi - b->dim[i].lo);
    return n;
}

/* One variable moved: by a step or two, now and then further. */
static void move(const dscq_bo *b, dscq_rng *rng, double *x)
{
    const size_t i = (size_t)dscq_rng_below(rng, b->dims);
    const dscq_bo_dim *d = &b->dim[i];
    const double range = d->hi - d->lo;

    if (d->kind == DSCQ_BO_CHOICE) {
        x[i] = (double)dscq_rng_below(rng, (uint64_t)range + 1);
    } else if (d->kind == DSCQ_BO_INT) {
        const uint64_t far = 1 + (uint64_t)(0.2 * range);
        const double step =
            1 + (double)dscq_rng_below(rng, dscq_rng_below(rng, 2) != 0 ? far : 1);
        x[i] += dscq_rng_below(rng, 2) != 0 ? step : -step;
    } else {
        x[i] += 0.1 * range * (double)dscq_rng_normal(rng);
    }
}

/* Points that break no constraint by more than the mildest point keeps it: what others
 * say about prices is about another country. */
static int is_around(const dscq_bo *b, const bo_row *r, const double *mildest)
{
    for (int32_t o = 1; o < bo__outputs(b); o++)
        if (r->y[o] > -mildest[o])
            return 0;
    return !r->failed;
}

/* What a unit of each constraint's excess is worth in the objective: the ratio of their
 * deviations over the points around. mildest: the least value of each output. */
static void prices(double out[BO_OUTPUTS], double mildest[BO_OUTPUTS], const dscq_bo *b)
{
    double sum[BO_OUTPUTS] = {0.0}, square[BO_OUTPUTS] = {0.0}, n = 0.0;

    for (int32_t o = 0; o < bo__outputs(b); o++) {
        mildest[o] = 0.0;
        for (size_t i = 0; i < b->told; i++)
            if (!b->row[b->order[i]].failed)
                mildest[o] = fmin(mildest[o], b->row[b->order[i]].y[o]);
    }
    for (size_t i = 0; i < b->told; i++) {
        const bo_row *r = &b->row[b->order[i]];
        if (!is_around(b, r, mildest))
            continue;
        n += 1.0;
        for (int32_t o = 0; o < bo__outputs(b); o++) {
            sum[o] += r->y[o];
            square[o] += r->y[o] * r->y[o];
        }
    }
    for (int32_t o = 0; o < bo__outputs(b) && n > 0.0; o++) {
        const double mean = sum[o] / n, var = square[o] / n - mean * mean;
        out[o] = sqrt(var > 1e-18 ? var : 1e-18);
    }
    for (int32_t o = bo__outputs(b); o-- > 0;)
        out[o] = n > 0.0 ? out[0] / out[o] : 1.0;
}

/* Points to search around: the best feasible one and others of the lowest price; a
 * cheap one that misses a limit by little is as good a neighbour as one that keeps it.
 */
static size_t good_points(const dscq_bo *b, size_t out[BO_ELITE])
{
    const int64_t best = dscq_bo_best(b);
    double score[BO_ELITE], price[BO_OUTPUTS], mildest[BO_OUTPUTS];
    size_t n = 0;

    prices(price, mildest, b);
    for (size_t i = 0; i < b->told; i++) {
        const bo_row *r = &b->row[b->order[i]];
        double s = best == (int64_t)i ? -(double)INFINITY : r->y[0];

        for (int32_t o = 1; o < bo__outputs(b); o++)
            s += price[o] * fmax(r->y[o], 0.0);
        if (r->failed || (best >= 0 && !is_around(b, r, mildest)))
            continue;
        n = bo__keep_least(score, out, n, s, b->order[i]);
    }
    return n;
}

static int is_near(const dscq_bo *b, const double *x, const size_t *good, size_t goods,
                   size_t reach)
{
    for (size_t i = 0; i < goods; i++)
        if (differ(b, x, b->row[good[i]].x) <= reach)
            return 1;
    return 0;
}

/* Half of the candidates from good points, every second of them from the best; half
 * from the best candidate so far, a move or two on. */
int bo__search_near(const dscq_bo *b, bo_chase *c, dscq_rng *rng)
{
    const size_t reach = bo__reach(b);
    size_t good[BO_ELITE];
    const size_t goods = good_points(b, good);

    for (int32_t i = 0; i < b->o.candidates && goods > 0; i++) {
        const int on = c->found && 2 * i >= b->o.candidates;
        const size_t from = i % 2 == 0 ? 0 : (size_t)(i / 2) % goods;
        const uint64_t most = on ? 2 : reach;

        memcpy(c->y, on ? c->x : b->row[good[from]].x, b->dims * sizeof *c->y);
        for (uint64_t k = dscq_rng_below(rng, most) + 1; k > 0; k--)
            move(b, rng, c->y);
        bo__round(b, c->y);
        if (!on || is_near(b, c->y, good, goods, reach))
            bo__consider(b, c, c->y);
    }
    return goods > 0;
}
