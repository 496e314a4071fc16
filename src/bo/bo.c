#include "dscq/bo/bo.h"

#include "bo_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/bo/linalg.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { CANDIDATES = 2000 };

/* ---- the space ------------------------------------------------------------------- */

int32_t bo__outputs(const dscq_bo *b)
{
    return 1 + b->o.limits;
}

void bo__round(const dscq_bo *b, double *x)
{
    for (size_t i = 0; i < b->dims; i++) {
        const dscq_bo_dim *d = &b->dim[i];

        if (d->kind != DSCQ_BO_REAL)
            x[i] = nearbyint(x[i]);
        x[i] = x[i] < d->lo ? d->lo : x[i] > d->hi ? d->hi : x[i];
    }
}

/* The same point? Reals as near as 1e-9 of their range. */
static int same(const dscq_bo *b, const double *x, const double *y)
{
    for (size_t i = 0; i < b->dims; i++) {
        const double range = b->dim[i].hi - b->dim[i].lo;

        if (fabs(x[i] - y[i]) > 1e-9 * range)
            return 0;
    }
    return 1;
}

int64_t bo__find(const dscq_bo *b, const double *x)
{
    for (size_t i = 0; i < b->rows; i++)
        if (same(b, x, b->row[i].x))
            return (int64_t)i;
    return -1;
}

int dscq_bo_seen(const dscq_bo *b, const double *x)
{
    return bo__find(b, x) >= 0;
}

static dscq_status check_dims(const dscq_bo_dim *d, size_t count,
                              const dscq_bo_options *o, dscq_error *err)
{
    if (count < 1 || count > DSCQ_BO_DIMS || o->limits < 0 ||
        o->limits > DSCQ_BO_LIMITS)
        return dscq_fail(err, DSCQ_ARG,
                         "search: %zu variables, %d constraints; want 1 "
                         "to %d and at most %d",
                         count, o->limits, DSCQ_BO_DIMS, DSCQ_BO_LIMITS);
    for (size_t i = 0; i < count; i++) {
        const int whole =
            d[i].lo == nearbyint(d[i].lo) && d[i].hi == nearbyint(d[i].hi);

        if (!(d[i].lo <= d[i].hi) || !isfinite(d[i].lo) || !isfinite(d[i].hi) ||
            d[i].group < 0 || d[i].group >= DSCQ_BO_GROUPS ||
            (d[i].kind != DSCQ_BO_REAL && !whole) ||
            (d[i].kind == DSCQ_BO_CHOICE && d[i].lo != 0.0))
            return dscq_fail(err, DSCQ_ARG,
                             "search: variable '%s' in [%g, %g], group %d, is not a "
                             "legal range",
                             d[i].name, d[i].lo, d[i].hi, d[i].group);
    }
    return DSCQ_OK;
}

dscq_status dscq_bo_create(dscq_bo **out, const dscq_bo_dim *dims, size_t count,
                           const dscq_bo_options *o, dscq_error *err)
{
    dscq_status status = check_dims(dims, count, o, err);
    dscq_bo *b;
    int good = 1;

    *out = NULL;
    if (status == DSCQ_OK)
        status = dscq_linalg_begin(NULL, err);
    if (status != DSCQ_OK)
        return status;
    b = dscq_calloc(1, sizeof *b);
    if (b == NULL)
        return dscq_fail_nomem(err, "search", sizeof *b);
    b->o = *o;
    b->dims = count;
    b->caution = 1.0;
    b->dim = dscq_calloc(count, sizeof *b->dim);
    b->d2 = dscq_malloc((size_t)GP_POINTS * GP_POINTS * GP_PAIR, sizeof *b->d2);
    b->space.parts = o->part != NULL ? (size_t)o->parts : 0;
    b->at = dscq_calloc(count + b->space.parts, sizeof *b->at);
    b->mx = dscq_calloc(GP_POINTS, sizeof *b->mx);
    b->my = dscq_calloc(GP_POINTS, sizeof *b->my);
    for (int32_t i = 0; i < bo__outputs(b); i++) {
        good = bo__gp_create(&b->model[i], GP_POINTS) && good;
        b->model[i].has_parts = b->space.parts > 0 && (o->parts_of >> i & 1) != 0;
    }
    if (b->dim == NULL || b->d2 == NULL || b->mx == NULL || b->my == NULL ||
        b->at == NULL || !good) {
        dscq_bo_destroy(b);
        return dscq_fail_nomem(err, "search", 1ULL << 24);
    }
    memcpy(b->dim, dims, count * sizeof *dims);
    b->space.dim = b->dim;
    b->space.dims = count;
    for (size_t i = 0; i < count; i++)
        b->space.per_group[dims[i].group] += 1.0;
    if (b->o.initial <= 0) {
        b->o.initial = 4;
        for (int g = 0; g < DSCQ_BO_GROUPS; g++)
            b->o.initial += b->space.per_group[g] > 0.0 ? 2 : 0;
    }
    if (b->o.candidates <= 0)
        b->o.candidates = CANDIDATES;
    *out = b;
    return DSCQ_OK;
}

void dscq_bo_destroy(dscq_bo *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->rows; i++)
        dscq_free(b->row[i].x);
    for (int32_t i = 0; i < BO_OUTPUTS; i++)
        bo__gp_free(&b->model[i]);
    dscq_free(b->row);
    dscq_free(b->order);
    dscq_free(b->dim);
    dscq_free(b->d2);
    dscq_free(b->at);
    dscq_free(b->mx);
    dscq_free(b->my);
    dscq_free(b);
}

void bo__with_parts(const dscq_bo *b, double *out, const double *x)
{
    memcpy(out, x, b->dims * sizeof *x);
    if (b->space.parts > 0)
        b->o.part(b->o.prior_ctx, x, out + b->dims);
}

dscq_status bo__add_row(dscq_bo *b, const double *x, size_t *at, dscq_error *err)
{
    if (b->rows == b->room) {
        const size_t room = b->room > 0 ? 2 * b->room : 64;
        bo_row *row = dscq_realloc(b->row, b->room * sizeof *row, room * sizeof *row);

        if (row == NULL)
            return dscq_fail_nomem(err, "search points", room * sizeof *row);
        b->row = row;
        size_t *order =
            dscq_realloc(b->order, b->room * sizeof *order, room * sizeof *order);
        if (order == NULL)
            return dscq_fail_nomem(err, "search points", room * sizeof *order);
        b->order = order;
        b->room = room;
    }
    bo_row *r = &b->row[b->rows];
    memset(r, 0, sizeof *r);
    r->x = dscq_malloc(b->dims + b->space.parts, sizeof *r->x);
    if (r->x == NULL)
        return dscq_fail_nomem(err, "search point", b->dims * sizeof *r->x);
    bo__with_parts(b, r->x, x);
    if (b->o.prior != NULL)
        b->o.prior(b->o.prior_ctx, x, r->prior);
    *at = b->rows++;
    b->conditioned = 0;
    return DSCQ_OK;
}

/* ---- telling --------------------------------------------------------------------- */

dscq_status dscq_bo_tell(dscq_bo *b, const double *x, double y, const double *limit,
                         dscq_error *err)
{
    int64_t found;
    size_t at;
    bo_row *r;

    for (size_t i = 0; i < b->dims; i++) {
        const dscq_bo_dim *d = &b->dim[i];

        if (!(x[i] >= d->lo && x[i] <= d->hi) ||
            (d->kind != DSCQ_BO_REAL && x[i] != nearbyint(x[i])))
            return dscq_fail(err, DSCQ_ARG, "search: '%s' = %g is outside [%g, %g]",
                             d->name, x[i], d->lo, d->hi);
    }
    found = bo__find(b, x);
    if (found < 0) {
        const dscq_status status = bo__add_row(b, x, &at, err);
        if (status != DSCQ_OK)
            return status;
    } else {
        at = (size_t)found;
    }
    r = &b->row[at];
    if (!r->told)
        b->order[b->told++] = at;
    r->told = 1;
    r->y[0] = y;
    r->failed = !isfinite(y);
    for (int32_t i = 0; i < b->o.limits; i++) {
        r->y[1 + i] = limit[i];
        r->failed = r->failed || !isfinite(limit[i]);
    }
    b->conditioned = 0;
    return DSCQ_OK;
}

int bo__feasible(const dscq_bo *b, const bo_row *r)
{
    if (!r->told || r->failed)
        return 0;
    for (int32_t i = 0; i < b->o.limits; i++)
        if (r->y[1 + i] > 0.0)
            return 0;
    return 1;
}

size_t dscq_bo_count(const dscq_bo *b)
{
    return b->told;
}

dscq_bo_point dscq_bo_at(const dscq_bo *b, size_t i)
{
    const bo_row *r = &b->row[b->order[i]];

    assert(i < b->told);
    return (dscq_bo_point){r->x,     r->y[0], &r->y[1], r->told, bo__feasible(b, r),
                           r->failed};
}

int64_t dscq_bo_best(const dscq_bo *b)
{
    int64_t best = -1;

    for (size_t i = 0; i < b->told; i++) {
        const bo_row *r = &b->row[b->order[i]];

        if (bo__feasible(b, r) && (best < 0 || r->y[0] < b->row[b->order[best]].y[0]))
            best = (int64_t)i;
    }
    return best;
}

/* ---- the model ------------------------------------------------------------------- */

/* Points in the model: all, or the last ones when there are too many. */
static size_t model_rows(const dscq_bo *b, size_t *index, int pending)
{
    size_t n = 0, skip = 0, usable = 0;

    for (size_t i = 0; i < b->rows; i++)
        usable += b->row[i].told ? !b->row[i].failed : pending != 0;
    skip = usable > GP_POINTS ? usable - GP_POINTS : 0;
    for (size_t i = 0; i < b->rows; i++) {
        const int use = b->row[i].told ? !b->row[i].failed : pending;

        if (!use)
            continue;
        if (skip > 0)
            skip--;
        else
            index[n++] = i;
    }
    return n;
}

static void condition_all(dscq_bo *b, const size_t *index, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b->mx[i] = b->row[index[i]].x;
    for (int32_t o = 0; o < bo__outputs(b); o++) {
        for (size_t i = 0; i < n; i++)
            b->my[i] = b->row[index[i]].y[o] - b->row[index[i]].prior[o];
        bo__gp_condition(&b->model[o], &b->space, b->mx, b->my, n);
    }
}

static void fit_all(dscq_bo *b, const size_t *index, size_t n)
{
    const dscq_rng root = dscq_rng_seeded(b->o.seed);

    for (size_t i = 0; i < n; i++)
        b->mx[i] = b->row[index[i]].x;
    for (int32_t o = 0; o < bo__outputs(b); o++) {
        const dscq_rng rng =
            dscq_rng_fork(&root, "fit", b->told * BO_OUTPUTS + (uint64_t)o);

        for (size_t i = 0; i < n; i++)
            b->my[i] = b->row[index[i]].y[o] - b->row[index[i]].prior[o];
        bo__gp_fit(&b->model[o], &b->space, b->mx, b->my, n, b->d2, &rng);
    }
    b->fitted_at = b->told;
}

void bo__model(dscq_bo *b)
{
    size_t index[GP_POINTS], n;

    if (b->conditioned)
        return;
    n = model_rows(b, index, 0);
    if (n >= 3 && (b->fitted_at == 0 || b->told < 40 ||
                   b->told >= b->fitted_at + b->fitted_at / 10))
        if (b->told != b->fitted_at)
            fit_all(b, index, n);
    condition_all(b, index, n);
    if (b->rows > b->told) { /* points that are out count as what is expected of them */
        for (size_t i = 0; i < b->rows; i++)
            for (int32_t o = 0; o < bo__outputs(b) && !b->row[i].told; o++) {
                double s;
                bo__gp_predict(&b->model[o], &b->space, b->row[i].x, &b->row[i].y[o],
                               &s);
                b->row[i].y[o] += b->row[i].prior[o];
            }
        if (n > 0)
            condition_all(b, index, model_rows(b, index, 1));
    }
    b->conditioned = 1;
}
