/* One histogram an edge, filled while a network runs. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/compress/calibrate.h"

#include <assert.h>

typedef struct edge_stat {
    dscq_hist hist;
    int32_t channels;
    float *lo, *hi; /* [channels] */
} edge_stat;

struct dscq_observer {
    const dscq_model *model;
    int32_t nodes;
    edge_stat *edge;    /* [1 + nodes]: the input first */
    dscq_hist **before; /* [nodes] in front of tables, else NULL */
};

static dscq_status make_before(dscq_observer *o, dscq_error *err)
{
    o->before = dscq_calloc((size_t)o->nodes + 1, sizeof *o->before);
    for (int32_t i = 0; o->before != NULL && i < o->nodes; i++) {
        if (!dscq_node_has_table(dscq_model_node(o->model, i)))
            continue;
        o->before[i] = dscq_calloc(1, sizeof *o->before[i]);
        if (o->before[i] == NULL)
            return dscq_fail_nomem(err, "histograms of activations",
                                   sizeof *o->before[i]);
    }
    return o->before != NULL ? DSCQ_OK
                             : dscq_fail_nomem(err, "histograms of activations",
                                               (size_t)o->nodes * sizeof *o->before);
}

dscq_status dscq_observer_create(dscq_observer **out, const dscq_model *m,
                                 dscq_error *err)
{
    dscq_observer *o = dscq_calloc(1, sizeof *o);

    *out = NULL;
    if (o == NULL)
        return dscq_fail_nomem(err, "observer", sizeof *o);
    o->model = m;
    o->nodes = dscq_model_nodes(m);
    o->edge = dscq_calloc((size_t)o->nodes + 1, sizeof *o->edge);
    for (int32_t i = 0; o->edge != NULL && i <= o->nodes; i++) {
        edge_stat *e = &o->edge[i];

        e->channels = i == 0 ? dscq_model_input(m).c : dscq_model_node(m, i - 1)->out.c;
        e->lo = dscq_calloc(2 * (size_t)e->channels, sizeof *e->lo);
        e->hi = e->lo != NULL ? e->lo + e->channels : NULL;
        if (e->lo == NULL)
            break;
    }
    if (o->edge == NULL || o->edge[o->nodes].lo == NULL) {
        dscq_observer_destroy(o);
        return dscq_fail_nomem(err, "histograms of activations",
                               ((size_t)o->nodes + 1) * sizeof *o->edge);
    }
    const dscq_status status = make_before(o, err);
    if (status == DSCQ_OK)
        *out = o;
    else
        dscq_observer_destroy(o);
    return status;
}

void dscq_observer_destroy(dscq_observer *o)
{
    if (o == NULL)
        return;
    for (int32_t i = 0; o->edge != NULL && i <= o->nodes; i++)
        dscq_free(o->edge[i].lo);
    for (int32_t i = 0; o->before != NULL && i < o->nodes; i++)
        dscq_free(o->before[i]);
    dscq_free(o->before);
    dscq_free(o->edge);
    dscq_free(o);
}

void dscq_observer_see(void *ctx, int32_t node, const float *y, dscq_shape shape)
{
    dscq_observer *o = ctx;
    edge_stat *e = &o->edge[node + 1];
    const size_t n = dscq_shape_count(&shape), c = (size_t)shape.c;

    assert(node >= DSCQ_INPUT && node < o->nodes);
    dscq_hist_add(&e->hist, y, n);
    if (shape.c != e->channels)
        return;
    for (size_t i = 0; i < n; i += c)
        for (size_t k = 0; k < c; k++) {
            e->lo[k] = y[i + k] < e->lo[k] ? y[i + k] : e->lo[k];
            e->hi[k] = y[i + k] > e->hi[k] ? y[i + k] : e->hi[k];
        }
}

static void see_before(void *ctx, int32_t node, const float *x, dscq_shape shape)
{
    const dscq_observer *o = ctx;

    if (o->before[node] != NULL)
        dscq_hist_add(o->before[node], x, dscq_shape_count(&shape));
}

const dscq_model *dscq_observer_model(const dscq_observer *o)
{
    return o->model;
}

void dscq_observer_watch(dscq_observer *o, dscq_exec *e)
{
    dscq_exec_observe(e, o != NULL ? dscq_observer_see : NULL, o);
    dscq_exec_observe_before(e, o != NULL ? see_before : NULL, o);
}

const dscq_hist *dscq_observer_hist(const dscq_observer *o, int32_t node)
{
    assert(node >= DSCQ_INPUT && node < o->nodes);
    return &o->edge[node + 1].hist;
}

const dscq_hist *dscq_observer_hist_before(const dscq_observer *o, int32_t node)
{
    assert(node >= 0 && node < o->nodes);
    return o->before[node];
}

double dscq_observer_range_ratio(const dscq_observer *o, int32_t node)
{
    const edge_stat *e = &o->edge[node + 1];
    double least = (double)INFINITY, most = 0.0;

    for (int32_t k = 0; k < e->channels; k++) {
        const double r = (double)e->hi[k] - (double)e->lo[k];

        if (r > 0.0) {
            least = fmin(least, r);
            most = fmax(most, r);
        }
    }
    return most > 0.0 ? most / least : 1.0;
}
