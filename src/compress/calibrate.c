/* One histogram an edge; from them the grids of a whole network. */
#include "dscq/compress/calibrate.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/nn/layer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct edge_stat {
    dscq_hist hist;
    int32_t channels;
    float *lo, *hi; /* [channels] */
} edge_stat;

struct dscq_observer {
    const dscq_model *model;
    int32_t nodes;
    edge_stat *edge; /* [1 + nodes]: the input first */
};

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
    *out = o;
    return DSCQ_OK;
}

void dscq_observer_destroy(dscq_observer *o)
{
    if (o == NULL)
        return;
    for (int32_t i = 0; o->edge != NULL && i <= o->nodes; i++)
        dscq_free(o->edge[i].lo);
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

const dscq_hist *dscq_observer_hist(const dscq_observer *o, int32_t node)
{
    assert(node >= DSCQ_INPUT && node < o->nodes);
    return &o->edge[node + 1].hist;
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

/* ---- grids -------------------------------------------------------------- */

/* Does the integer form of a node keep its input's codes (pack/build_rows.def)? */
static int moves_codes(const dscq_node *n)
{
    static const char *const k_movers[] = {"maxpool", "upsample", "reorg"};
    const unsigned flags =
        DSCQ_LAYER_VIEW | DSCQ_LAYER_VIEW_EVAL | DSCQ_LAYER_HEAD | DSCQ_LAYER_SOFTMAX;

    if (n->input_count != 1 || n->act != DSCQ_ACT_LINEAR)
        return 0;
    if ((n->ops->flags & flags) != 0)
        return 1;
    for (size_t i = 0; i < sizeof k_movers / sizeof *k_movers; i++)
        if (strcmp(n->ops->name, k_movers[i]) == 0)
            return 1;
    /* a route of one input is a view or a slice */
    return n->weights->count == 0 && !n->normalised &&
           strcmp(n->ops->name, "route") == 0;
}

int32_t dscq_calibrate_source(const dscq_model *m, int32_t node)
{
    while (node != DSCQ_INPUT && moves_codes(dscq_model_node(m, node)))
        node = dscq_model_node(m, node)->input[0];
    return node;
}

static int is_output_source(const dscq_model *m, int32_t node)
{
    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        if (dscq_calibrate_source(m, dscq_model_output(m, i)) == node)
            return 1;
    return 0;
}

int dscq_calibrate_is_logits(const dscq_model *m, int32_t node)
{
    if (node == DSCQ_INPUT || !is_output_source(m, node))
        return 0;
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        for (int32_t j = 0; !moves_codes(n) && j < n->input_count; j++)
            if (dscq_calibrate_source(m, n->input[j]) == node)
                return 0;
    }
    return 1;
}

static dscq_aquant grid(const dscq_observer *o, const dscq_settings *s, int32_t node)
{
    const dscq_hist *h = dscq_observer_hist(o, node);
    const int32_t bits = dscq_rules_activation_bits(s, o->model, node);
    double lo, hi;

    /* other images go further: twice the range, there are bits enough */
    if (dscq_calibrate_is_logits(o->model, node))
        return dscq_aquant_make(2.0 * h->lo, 2.0 * h->hi, bits, 1);
    const int whole = node != DSCQ_INPUT && is_output_source(o->model, node);
    dscq_hist_range(&lo, &hi, h,
                    whole ? DSCQ_CAL_MINMAX : (dscq_calibration)s->all.calibration,
                    s->all.percentile, bits);
    return dscq_aquant_make(lo, hi, bits, 1);
}

/* Nothing but zeros came by (or what rounds to them beside any weight). */
static int is_dead(const dscq_observer *o, int32_t node)
{
    const dscq_hist *h = dscq_observer_hist(o, node);

    return !(h->hi - h->lo > 1e-20);
}

/* The smallest scale of what is joined with `node` (a source), 0: nothing is. One shift
 * serves all inputs of a sum, so a dead one must not be the largest. */
static double scale_beside(const dscq_calibrated *c, const dscq_observer *o,
                           int32_t node)
{
    const dscq_model *m = o->model;
    double least = 0.0;

    for (int32_t i = 0; i < c->nodes; i++) {
        const dscq_node *n = dscq_model_node(m, i);
        int joined = 0;
        for (int32_t j = 0; n->input_count > 1 && j < n->input_count; j++)
            joined |= dscq_calibrate_source(m, n->input[j]) == node;
        for (int32_t j = 0; joined && j < n->input_count; j++) {
            const int32_t at = dscq_calibrate_source(m, n->input[j]);
            const double s = at == DSCQ_INPUT ? c->input.scale : c->edge[at].scale;
            if (at != node && !is_dead(o, at) && (least == 0.0 || s < least))
                least = s;
        }
    }
    return least;
}

/* An edge on which only zeros were seen takes any scale; 1 would seldom fit its
 * neighbours'. It gets that of what it is joined with, else of the layer's input. */
static void give_dead_scales(dscq_calibrated *c, const dscq_observer *o)
{
    for (int32_t i = 0; i < c->nodes; i++) {
        const int32_t from =
            dscq_calibrate_source(o->model, dscq_model_node(o->model, i)->input[0]);
        if (dscq_calibrate_source(o->model, i) != i || !is_dead(o, i))
            continue;
        c->edge[i].scale = scale_beside(c, o, i);
        if (c->edge[i].scale == 0.0)
            c->edge[i].scale =
                from == DSCQ_INPUT ? c->input.scale : c->edge[from].scale;
    }
}

dscq_status dscq_calibrate(dscq_calibrated **out, const dscq_observer *o,
                           const dscq_settings *s, dscq_error *err)
{
    const dscq_model *m = o->model;
    dscq_calibrated *c = dscq_calloc(1, sizeof *c);

    *out = NULL;
    if (c != NULL)
        c->edge = dscq_calloc((size_t)o->nodes, sizeof *c->edge);
    if (c == NULL || c->edge == NULL) {
        dscq_calibrated_destroy(c);
        return dscq_fail_nomem(err, "activation scales",
                               (size_t)o->nodes * sizeof *c->edge);
    }
    if (o->edge[0].hist.total == 0) {
        dscq_calibrated_destroy(c);
        return dscq_fail(err, DSCQ_ARG, "calibration: the network has seen no image");
    }
    c->nodes = o->nodes;
    c->input = grid(o, s, DSCQ_INPUT);
    for (int32_t i = 0; i < o->nodes; i++)
        if (dscq_calibrate_source(m, i) == i)
            c->edge[i] = grid(o, s, i);
    give_dead_scales(c, o);
    for (int32_t i = 0; i < o->nodes; i++) {
        const int32_t at = dscq_calibrate_source(m, i);
        if (at != i)
            c->edge[i] = at == DSCQ_INPUT ? c->input : c->edge[at];
    }
    *out = c;
    return DSCQ_OK;
}

void dscq_calibrated_destroy(dscq_calibrated *c)
{
    if (c == NULL)
        return;
    dscq_free(c->edge);
    dscq_free(c);
}

dscq_status dscq_calibrated_use(const dscq_calibrated *c, dscq_exec *e, dscq_error *err)
{
    const dscq_model *m = dscq_exec_model(e);
    const dscq_act_quant off = {0.0F, 0, 8, 0};
    dscq_act_quant q = c != NULL ? dscq_aquant_fake(&c->input) : off;
    dscq_status status = dscq_exec_quantise(e, DSCQ_INPUT, &q, err);

    for (int32_t i = 0; status == DSCQ_OK && i < dscq_model_nodes(m); i++) {
        q = c != NULL && dscq_calibrate_source(m, i) == i
                ? dscq_aquant_fake(&c->edge[i])
                : off;
        status = dscq_exec_quantise(e, i, &q, err);
    }
    dscq_exec_refresh(e);
    return status;
}

dscq_status dscq_calibrated_table(dscq_table **out, const dscq_calibrated *c,
                                  const dscq_observer *o, dscq_error *err)
{
    dscq_table *t;
    dscq_status status = dscq_table_create(&t, "activations", err);

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    dscq_table_add_text(t, "layer", "layer");
    dscq_table_add_int(t, "bits", "bits");
    dscq_table_add_real(t, "seen_lo", "seen lo", 3);
    dscq_table_add_real(t, "seen_hi", "seen hi", 3);
    dscq_table_add_real(t, "lo", "lo", 3);
    dscq_table_add_real(t, "hi", "hi", 3);
    dscq_table_add_real(t, "scale", "scale", 6);
    dscq_table_add_int(t, "zero_point", "zero point");
    dscq_table_add_real(t, "sqnr_db", "SQNR dB", 1);
    dscq_table_add_real(t, "range_ratio", "range ratio", 1);
    for (int32_t i = DSCQ_INPUT; i < c->nodes; i++) {
        const dscq_aquant *a = i == DSCQ_INPUT ? &c->input : &c->edge[i];
        const dscq_hist *h = dscq_observer_hist(o, i);
        const double error = dscq_hist_error(h, a);
        const size_t row = dscq_table_add_row(t);
        double lo, hi;

        dscq_aquant_range(a, &lo, &hi);
        dscq_table_set_text(t, row, "layer",
                            i == DSCQ_INPUT ? "input"
                                            : dscq_model_node(o->model, i)->name);
        dscq_table_set_int(t, row, "bits", a->bits);
        dscq_table_set_real(t, row, "seen_lo", h->lo);
        dscq_table_set_real(t, row, "seen_hi", h->hi);
        dscq_table_set_real(t, row, "lo", lo);
        dscq_table_set_real(t, row, "hi", hi);
        dscq_table_set_real(t, row, "scale", a->scale);
        dscq_table_set_int(t, row, "zero_point", a->zero_point);
        if (error > 0.0 && h->sum_sq > 0.0)
            dscq_table_set_real(t, row, "sqnr_db",
                                10.0 * log10(h->sum_sq / (double)h->total / error));
        dscq_table_set_real(t, row, "range_ratio", dscq_observer_range_ratio(o, i));
    }
    status = dscq_table_check(t, err);
    if (status == DSCQ_OK)
        *out = t;
    else
        dscq_table_destroy(t);
    return status;
}
