/* The state of a search as JSON. */
#include "bo_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

static dscq_json *row_json(const dscq_bo *b, const bo_row *r)
{
    dscq_json *j = dscq_json_object(), *x = dscq_json_array(), *y = dscq_json_array();

    for (size_t i = 0; i < b->dims; i++)
        dscq_json_push_real(x, r->x[i]);
    dscq_json_put(j, "x", x);
    dscq_json_put_int(j, "failed", r->failed);
    for (int32_t i = 0; i < bo__outputs(b) && r->told && !r->failed; i++)
        dscq_json_push_real(y, r->y[i]);
    dscq_json_put(j, "y", y);
    return j;
}

dscq_status dscq_bo_save(dscq_json **out, const dscq_bo *b, dscq_error *err)
{
    dscq_json *j = dscq_json_object(), *dims = dscq_json_array();
    dscq_json *rows = dscq_json_array(), *order = dscq_json_array();
    dscq_json *hyper = dscq_json_array();

    (void)err;
    dscq_json_put_int(j, "version", 1);
    dscq_json_put_int(j, "seed", (int64_t)b->o.seed);
    dscq_json_put_int(j, "limits", b->o.limits);
    dscq_json_put_int(j, "asks", (int64_t)b->asks);
    dscq_json_put_int(j, "fitted_at", (int64_t)b->fitted_at);
    for (size_t i = 0; i < b->dims; i++) {
        dscq_json *d = dscq_json_object();

        dscq_json_put_text(d, "name", b->dim[i].name);
        dscq_json_put_int(d, "kind", (int64_t)b->dim[i].kind);
        dscq_json_put_real(d, "lo", b->dim[i].lo);
        dscq_json_put_real(d, "hi", b->dim[i].hi);
        dscq_json_push(dims, d);
    }
    for (size_t i = 0; i < b->rows; i++)
        dscq_json_push(rows, row_json(b, &b->row[i]));
    for (size_t i = 0; i < b->told; i++)
        dscq_json_push_int(order, (int64_t)b->order[i]);
    for (int32_t i = 0; i < bo__outputs(b); i++)
        for (int h = 0; h < GP_HYPER; h++)
            dscq_json_push_real(hyper, b->model[i].hyper[h]);
    dscq_json_put(j, "variables", dims);
    dscq_json_put(j, "points", rows);
    dscq_json_put(j, "order", order);
    dscq_json_put(j, "hyper", hyper);
    *out = j;
    return j != NULL ? DSCQ_OK : dscq_fail_nomem(err, "search state", 0);
}

static dscq_status damaged(dscq_error *err, const char *what)
{
    return dscq_fail(err, DSCQ_FORMAT,
                     "search state: %s; it is damaged or belongs to "
                     "another search",
                     what);
}

static dscq_status check_space(const dscq_bo *b, const dscq_json *j, dscq_error *err)
{
    const dscq_json *dims = dscq_json_get(j, "variables");

    if (dscq_json_int(dscq_json_get(j, "version"), 0) != 1)
        return damaged(err, "not version 1");
    if ((uint64_t)dscq_json_int(dscq_json_get(j, "seed"), -1) != b->o.seed ||
        dscq_json_int(dscq_json_get(j, "limits"), -1) != b->o.limits)
        return damaged(err, "another seed or number of constraints");
    if (dscq_json_count(dims) != b->dims)
        return damaged(err, "another number of variables");
    for (size_t i = 0; i < b->dims; i++) {
        const dscq_json *d = dscq_json_at(dims, i);
        const dscq_bo_dim *w = &b->dim[i];

        if (strcmp(dscq_json_text(dscq_json_get(d, "name"), ""), w->name) != 0 ||
            dscq_json_int(dscq_json_get(d, "kind"), -1) != (int64_t)w->kind ||
            dscq_json_real(dscq_json_get(d, "lo"), 0.0) != w->lo ||
            dscq_json_real(dscq_json_get(d, "hi"), 0.0) != w->hi)
            return damaged(err, w->name);
    }
    return DSCQ_OK;
}

static dscq_status read_row(dscq_bo *b, const dscq_json *j, dscq_error *err)
{
    const dscq_json *x = dscq_json_get(j, "x"), *y = dscq_json_get(j, "y");
    const size_t outputs = (size_t)bo__outputs(b);
    double *point;
    dscq_status status = DSCQ_OK;
    size_t at;

    if (dscq_json_count(x) != b->dims ||
        (dscq_json_count(y) != 0 && dscq_json_count(y) != outputs))
        return damaged(err, "a point of another size");
    point = dscq_malloc(b->dims, sizeof *point);
    if (point == NULL)
        return dscq_fail_nomem(err, "search point", b->dims * sizeof *point);
    for (size_t i = 0; i < b->dims; i++) {
        point[i] = dscq_json_real(dscq_json_at(x, i), b->dim[i].lo - 1.0);
        if (!(point[i] >= b->dim[i].lo && point[i] <= b->dim[i].hi))
            status = damaged(err, "a point outside the space");
    }
    if (status == DSCQ_OK)
        status = bo__add_row(b, point, &at, err);
    for (size_t i = 0; status == DSCQ_OK && i < dscq_json_count(y); i++)
        b->row[at].y[i] = dscq_json_real(dscq_json_at(y, i), 0.0);
    if (status == DSCQ_OK)
        b->row[at].failed = dscq_json_int(dscq_json_get(j, "failed"), 0) != 0;
    dscq_free(point);
    return status;
}

dscq_status dscq_bo_load(dscq_bo *b, const dscq_json *j, dscq_error *err)
{
    const dscq_json *rows = dscq_json_get(j, "points");
    const dscq_json *order = dscq_json_get(j, "order");
    const dscq_json *hyper = dscq_json_get(j, "hyper");
    dscq_status status = check_space(b, j, err);

    if (status == DSCQ_OK && b->rows != 0)
        return dscq_fail(err, DSCQ_ARG, "search state: this search has already begun");
    for (size_t i = 0; status == DSCQ_OK && i < dscq_json_count(rows); i++)
        status = read_row(b, dscq_json_at(rows, i), err);
    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < dscq_json_count(order); i++) {
        const int64_t at = dscq_json_int(dscq_json_at(order, i), -1);

        if (at < 0 || (size_t)at >= b->rows || b->row[at].told)
            return damaged(err, "the order of points");
        b->row[at].told = 1;
        b->order[b->told++] = (size_t)at;
    }
    if (dscq_json_count(hyper) != (size_t)bo__outputs(b) * GP_HYPER)
        return damaged(err, "hyper-parameters");
    for (int32_t i = 0; i < bo__outputs(b); i++)
        for (int h = 0; h < GP_HYPER; h++)
            b->model[i].hyper[h] =
                dscq_json_real(dscq_json_at(hyper, (size_t)(i * GP_HYPER + h)), 0.0);
    b->asks = (uint64_t)dscq_json_int(dscq_json_get(j, "asks"), 0);
    b->fitted_at = (size_t)dscq_json_int(dscq_json_get(j, "fitted_at"), 0);
    return DSCQ_OK;
}
