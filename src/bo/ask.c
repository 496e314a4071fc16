/* The next point to try. */
#include "bo_internal.h"
#include "dscq/base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RANDOM_TRIES = 2000, ENUMERATE = 200000, SWEEPS = 3 };

static void random_point(const dscq_bo *b, dscq_rng *rng, double *x)
{
    for (size_t i = 0; i < b->dims; i++) {
        const dscq_bo_dim *d = &b->dim[i];

        if (d->kind == DSCQ_BO_REAL)
            x[i] = d->lo + dscq_rng_unit64(rng) * (d->hi - d->lo);
        else
            x[i] = d->lo + (double)dscq_rng_below(rng, (uint64_t)(d->hi - d->lo) + 1);
    }
}

/* Point k of a Latin hypercube of `initial` points. */
static void design_point(const dscq_bo *b, uint32_t k, double *x)
{
    const dscq_rng root = dscq_rng_seeded(b->o.seed);
    const uint32_t n = (uint32_t)b->o.initial;

    for (size_t i = 0; i < b->dims; i++) {
        dscq_rng rng = dscq_rng_fork(&root, "design", i);
        const dscq_bo_dim *d = &b->dim[i];
        /* a permutation of 0..n-1 by a random start and the order of random keys */
        uint64_t mine = 0, rank = 0;
        dscq_rng again = rng;

        for (uint32_t j = 0; j < n; j++) {
            const uint64_t key = dscq_rng_next(&rng);
            mine = j == k ? key : mine;
        }
        for (uint32_t j = 0; j < n; j++) {
            const uint64_t key = dscq_rng_next(&again);
            rank += key < mine || (key == mine && j < k);
        }
        const double u = ((double)rank + dscq_rng_unit64(&again)) / n;
        x[i] = d->kind == DSCQ_BO_REAL
                   ? d->lo + u * (d->hi - d->lo)
                   : fmin(floor(d->lo + u * (d->hi - d->lo + 1.0)), d->hi);
    }
}

/* Some variables of x moved, near or far. */
static void perturb(const dscq_bo *b, dscq_rng *rng, double *x)
{
    const double rate = fmax(0.1, 1.5 / (double)b->dims);
    const double width = dscq_rng_below(rng, 2) != 0 ? 0.05 : 0.25;

    for (size_t i = 0; i < b->dims; i++) {
        const dscq_bo_dim *d = &b->dim[i];
        const double range = d->hi - d->lo;

        if (dscq_rng_unit64(rng) >= rate)
            continue;
        if (d->kind == DSCQ_BO_CHOICE)
            x[i] = (double)dscq_rng_below(rng, (uint64_t)range + 1);
        else if (d->kind == DSCQ_BO_INT && range * width < 1.0)
            x[i] += dscq_rng_below(rng, 2) != 0 ? 1.0 : -1.0;
        else
            x[i] += width * range * (double)dscq_rng_normal(rng);
    }
    bo__round(b, x);
}

/* Up to BO_ELITE told points to search around: the best feasible ones, or, while there
 * are none, those that break the constraints least. */
static size_t elite(const dscq_bo *b, size_t out[BO_ELITE])
{
    double score[BO_ELITE];
    const int any = dscq_bo_best(b) >= 0;
    size_t n = 0;

    for (size_t i = 0; i < b->told; i++) {
        const bo_row *r = &b->row[b->order[i]];
        double s = r->y[0];

        if (r->failed || (any && !bo__feasible(b, r)))
            continue;
        if (!any) {
            s = 0.0;
            for (int32_t k = 0; k < b->o.limits; k++)
                s += fmax(r->y[1 + k], 0.0) / b->model[1 + k].scale;
        }
        n = bo__keep_least(score, out, n, s, b->order[i]);
    }
    return n;
}

/* One variable at a time, as long as it helps. */
static void climb(const dscq_bo *b, bo_chase *c)
{
    double width = 0.1;

    for (int sweep = 0; sweep < SWEEPS && c->found; sweep++, width *= 0.4)
        for (size_t i = 0; i < b->dims; i++) {
            const dscq_bo_dim *d = &b->dim[i];
            const double range = d->hi - d->lo;
            double step = d->kind == DSCQ_BO_REAL ? width * range
                                                  : fmax(1.0, floor(width * range));

            for (int k = 0; k < 2; k++, step = -step) {
                memcpy(c->y, c->x, b->dims * sizeof *c->y);
                c->y[i] += step;
                if (c->y[i] >= d->lo && c->y[i] <= d->hi)
                    bo__consider(b, c, c->y);
            }
        }
}

/* Points of a finite space; 0 when there are too many to count. */
static uint64_t space_size(const dscq_bo *b)
{
    double size = 1.0;

    for (size_t i = 0; i < b->dims; i++) {
        if (b->dim[i].kind == DSCQ_BO_REAL && b->dim[i].hi > b->dim[i].lo)
            return 0;
        size *=
            b->dim[i].kind == DSCQ_BO_REAL ? 1.0 : b->dim[i].hi - b->dim[i].lo + 1.0;
        if (size > ENUMERATE)
            return 0;
    }
    return (uint64_t)size;
}

static void point_number(const dscq_bo *b, uint64_t k, double *x)
{
    for (size_t i = 0; i < b->dims; i++) {
        const uint64_t n = b->dim[i].kind == DSCQ_BO_REAL
                               ? 1
                               : (uint64_t)(b->dim[i].hi - b->dim[i].lo) + 1;

        x[i] = b->dim[i].lo + (double)(k % n);
        k /= n;
    }
}

/* The best of random points, neighbours of good ones, and a climb from there. */
static void search_model(const dscq_bo *b, bo_chase *c, dscq_rng *rng)
{
    size_t good[BO_ELITE];
    const size_t goods = elite(b, good);

    if (b->o.local && bo__search_near(b, c, rng))
        return;
    for (int32_t i = 0; i < b->o.candidates; i++) {
        if (goods > 0 && i % 5 >= 2) {
            memcpy(c->y, b->row[good[(size_t)i % goods]].x, b->dims * sizeof *c->y);
            perturb(b, rng, c->y);
        } else {
            random_point(b, rng, c->y);
        }
        bo__consider(b, c, c->y);
    }
    climb(b, c);
}

static void search_plain(const dscq_bo *b, bo_chase *c, dscq_rng *rng)
{
    if (b->rows < (size_t)b->o.initial) {
        design_point(b, (uint32_t)b->rows, c->x);
        c->found = !dscq_bo_seen(b, c->x);
    }
    for (int i = 0; i < RANDOM_TRIES && !c->found; i++) {
        random_point(b, rng, c->x);
        c->found = !dscq_bo_seen(b, c->x);
    }
}

static void tell(const dscq_bo *b, const bo_chase *c, int by_model)
{
    char point[400] = "";
    size_t n = 0;

    for (size_t i = 0; i < b->dims && n + 24 < sizeof point; i++)
        n += (size_t)snprintf(point + n, sizeof point - n, " %.4g", c->x[i]);
    if (by_model)
        dscq_log_trace(b->o.log, DSCQ_TRACE_BO,
                       "ask %llu: the model, log improvement %.4g over %.6g, caution "
                       "%.3g:%s",
                       (unsigned long long)b->asks, c->value, c->best, b->caution,
                       point);
    else
        dscq_log_trace(b->o.log, DSCQ_TRACE_BO, "ask %llu: %s:%s",
                       (unsigned long long)b->asks,
                       b->rows < (size_t)b->o.initial ? "the first design"
                                                      : "chance, the model has none",
                       point);
}

dscq_status dscq_bo_ask(dscq_bo *b, double *x, int *found, dscq_error *err)
{
    const dscq_rng root = dscq_rng_seeded(b->o.seed);
    dscq_rng rng = dscq_rng_fork(&root, "ask", b->asks);
    double *room = dscq_malloc(2 * b->dims, sizeof *room);
    const int64_t best = dscq_bo_best(b);
    const uint64_t size = space_size(b);
    dscq_status status = DSCQ_OK;
    size_t at;

    *found = 0;
    if (room == NULL)
        return dscq_fail_nomem(err, "search", 2 * b->dims * sizeof *room);
    bo_chase c = {room,      room + b->dims,
                  0.0,       best >= 0 ? dscq_bo_at(b, (size_t)best).y : 0.0,
                  best >= 0, 0};
    bo__model(b);
    b->caution = b->o.local ? bo__caution(b) : 1.0;
    if (b->rows >= (size_t)b->o.initial && bo__model_ready(b))
        search_model(b, &c, &rng);
    const int by_model = c.found;
    if (!c.found)
        search_plain(b, &c, &rng);
    for (uint64_t k = 0; k < size && !c.found;
         k++) { /* the last few of a small space */
        point_number(b, k, c.x);
        c.found = !dscq_bo_seen(b, c.x);
    }
    if (c.found && dscq_log_traces(b->o.log, DSCQ_TRACE_BO))
        tell(b, &c, by_model);
    if (c.found) {
        status = bo__add_row(b, c.x, &at, err);
        memcpy(x, c.x, b->dims * sizeof *x);
        *found = status == DSCQ_OK;
        b->asks += status == DSCQ_OK;
    }
    dscq_free(room);
    return status;
}
