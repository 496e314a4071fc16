/* The grids of a whole network, from the histograms of its edges. */
#include "dscq/compress/calibrate.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/nn/layer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Does the integer form of a node keep its input's codes? */
static int moves_codes(const dscq_node *n)
{
    const unsigned flags = DSCQ_LAYER_VIEW | DSCQ_LAYER_VIEW_EVAL | DSCQ_LAYER_MOVES |
                           DSCQ_LAYER_HEAD | DSCQ_LAYER_SOFTMAX;

    return n->input_count == 1 && n->act == DSCQ_ACT_LINEAR &&
           (n->ops->flags & flags) != 0;
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

int32_t dscq_rules_activation_bits(const dscq_settings *s, const dscq_model *m,
                                   int32_t node)
{
    int32_t bits = node == DSCQ_INPUT ? s->all.input_b : s->all.activation_b;

    if (node == DSCQ_INPUT)
        return bits;
    if (dscq_calibrate_is_logits(m, node))
        return s->all.logit_b;
    for (size_t i = 0; i < s->layer_count; i++)
        if (s->layer[i].activation_b > 0 &&
            dscq_glob_match_any(s->layer[i].match, dscq_model_node(m, node)->name))
            bits = s->layer[i].activation_b;
    return bits;
}

/* Nothing but zeros came by (or what rounds to them beside any weight). */
static int is_dead(const dscq_observer *o, int32_t node)
{
    const dscq_hist *h = dscq_observer_hist(o, node);

    return !(h->hi - h->lo > 1e-20);
}

/* What calibration knows while it goes from the last node to the first. */
typedef struct grids {
    const dscq_observer *o;
    const dscq_model *m;
    const dscq_settings *s;
    const dscq_aquant *given; /* or NULL */
    dscq_calibrated *c;
} grids;

/* The only node that reads node's output; -1: several do, or it is shown as well. */
static int32_t only_reader(const dscq_model *m, int32_t node)
{
    int32_t reader = -1, count = 0;

    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        count += dscq_model_output(m, i) == node;
    for (int32_t i = node + 1; i < dscq_model_nodes(m); i++)
        for (int32_t j = 0; j < dscq_model_node(m, i)->input_count; j++)
            if (dscq_model_node(m, i)->input[j] == node) {
                reader = i;
                count++;
            }
    return count == 1 ? reader : -1;
}

/* The table of an [activation] section takes the codes that come, if they are few. */
static int is_section(const dscq_node *n)
{
    return n->ops->does == DSCQ_DOES_SAME;
}

/* The [activation] section that alone reads node's codes, moved or not; -1: none. */
static int32_t activation_behind(const dscq_model *m, int32_t node)
{
    for (int32_t i = only_reader(m, node); i >= 0; i = only_reader(m, i)) {
        const dscq_node *n = dscq_model_node(m, i);

        if (is_section(n))
            return n->act != DSCQ_ACT_LINEAR ? i : -1;
        if (!moves_codes(n))
            return -1;
    }
    return -1;
}

static int is_given(const grids *g, size_t grid)
{
    return g->given != NULL && g->given[grid].bits > 0;
}

/* In front of node's activation, for the values of h. */
static dscq_aquant grid_before(const grids *g, const dscq_hist *h, int32_t node,
                               int32_t bits)
{
    const dscq_compress_params *p = &g->s->all;
    const dscq_node *n = dscq_model_node(g->m, node);
    const int rule = is_output_source(g->m, node) ? DSCQ_CAL_MINMAX : p->calibration;

    return dscq_hist_before(h, n->act, n->act_slope, &g->c->edge[node],
                            (dscq_calibration)rule, p->percentile, bits);
}

static dscq_aquant grid(const grids *g, int32_t node)
{
    const dscq_compress_params *p = &g->s->all;
    const dscq_model *m = g->m;
    const dscq_hist *h = dscq_observer_hist(g->o, node);
    const int32_t bits = dscq_rules_activation_bits(g->s, m, node);
    const int whole = node != DSCQ_INPUT && is_output_source(m, node);
    double lo, hi;

    if (is_given(g, (size_t)(node + 1)))
        return g->given[node + 1];
    /* other images go further: twice the range, there are bits enough */
    if (dscq_calibrate_is_logits(m, node))
        return dscq_aquant_make(2.0 * h->lo, 2.0 * h->hi, bits, 1);
    const int32_t act =
        node == DSCQ_INPUT || is_dead(g->o, node) ? -1 : activation_behind(m, node);
    if (act >= 0 && (bits <= 8 || dscq_node_has_table(dscq_model_node(m, act)))) {
        h = dscq_observer_hist(g->o, dscq_model_node(m, act)->input[0]);
        return grid_before(g, h, act, bits < 8 ? bits : 8);
    }
    dscq_hist_range(&lo, &hi, h,
                    whole ? DSCQ_CAL_MINMAX : (dscq_calibration)p->calibration,
                    p->percentile, bits);
    return dscq_aquant_make(lo, hi, bits, 1);
}

/* The smallest scale of what is joined with `node` (a source), 0: nothing is. One shift
 * serves all inputs of a sum, so a dead one must not be the largest. */
static double scale_beside(const grids *g, int32_t node)
{
    const dscq_calibrated *c = g->c;
    const dscq_model *m = g->m;
    double least = 0.0;

    for (int32_t i = 0; i < c->nodes; i++) {
        const dscq_node *n = dscq_model_node(m, i);
        int joined = 0;
        for (int32_t j = 0; n->input_count > 1 && j < n->input_count; j++)
            joined |= dscq_calibrate_source(m, n->input[j]) == node;
        for (int32_t j = 0; joined && j < n->input_count; j++) {
            const int32_t at = dscq_calibrate_source(m, n->input[j]);
            const double s = at == DSCQ_INPUT ? c->input.scale : c->edge[at].scale;
            if (at != node && !is_dead(g->o, at) && (least == 0.0 || s < least))
                least = s;
        }
    }
    return least;
}

/* An edge on which only zeros were seen takes any scale; 1 would seldom fit its
 * neighbours'. It gets that of what it is joined with, else of the layer's input. */
static void give_dead_scales(const grids *g)
{
    dscq_calibrated *c = g->c;

    for (int32_t i = 0; i < c->nodes; i++) {
        const int32_t from =
            dscq_calibrate_source(g->m, dscq_model_node(g->m, i)->input[0]);
        if (dscq_calibrate_source(g->m, i) != i || !is_dead(g->o, i) ||
            is_given(g, (size_t)i + 1))
            continue;
        c->edge[i].scale = scale_beside(g, i);
        if (c->edge[i].scale == 0.0)
            c->edge[i].scale =
                from == DSCQ_INPUT ? c->input.scale : c->edge[from].scale;
    }
}

/* Whether the table of a node has an input of its own: an [activation] section takes
 * the codes that come, if they are few. */
static int has_own_input(const grids *g, int32_t node)
{
    const dscq_node *n = dscq_model_node(g->m, node);

    if (!dscq_node_has_table(n) || !is_section(n))
        return dscq_node_has_table(n);
    return (n->input[0] == DSCQ_INPUT ? g->c->input.bits
                                      : g->c->edge[n->input[0]].bits) > 8;
}

static void choose(const grids *g)
{
    const dscq_model *m = g->m;
    dscq_calibrated *c = g->c;

    c->input = grid(g, DSCQ_INPUT);
    for (int32_t i = c->nodes - 1; i >= 0; i--) /* a table's output before its input */
        if (dscq_calibrate_source(m, i) == i)
            c->edge[i] = grid(g, i);
    give_dead_scales(g);
    for (int32_t i = 0; i < c->nodes; i++) {
        const int32_t from = dscq_calibrate_source(m, i);
        if (from != i)
            c->edge[i] = from == DSCQ_INPUT ? c->input : c->edge[from];
    }
    for (int32_t i = 0; i < c->nodes; i++) {
        const size_t at = dscq_grid_before(c->nodes, i);
        if (has_own_input(g, i))
            c->before[i] =
                is_given(g, at)
                    ? g->given[at]
                    : grid_before(g, dscq_observer_hist_before(g->o, i), i, 8);
    }
}

dscq_status dscq_calibrate(dscq_calibrated **out, const dscq_observer *o,
                           const dscq_settings *s, const dscq_aquant *given,
                           dscq_error *err)
{
    const dscq_model *m = dscq_observer_model(o);
    const int32_t nodes = dscq_model_nodes(m);
    dscq_calibrated *c = dscq_calloc(1, sizeof *c);

    *out = NULL;
    if (c != NULL) {
        c->edge = dscq_calloc((size_t)nodes + 1, sizeof *c->edge);
        c->before = dscq_calloc((size_t)nodes + 1, sizeof *c->before);
    }
    if (c == NULL || c->edge == NULL || c->before == NULL) {
        dscq_calibrated_destroy(c);
        return dscq_fail_nomem(err, "activation scales",
                               2 * (size_t)nodes * sizeof *c->edge);
    }
    if (dscq_observer_hist(o, DSCQ_INPUT)->total == 0) {
        dscq_calibrated_destroy(c);
        return dscq_fail(err, DSCQ_ARG, "calibration: the network has seen no image");
    }
    c->nodes = nodes;
    choose(&(grids){.o = o, .m = m, .s = s, .given = given, .c = c});
    *out = c;
    return DSCQ_OK;
}

void dscq_calibrated_destroy(dscq_calibrated *c)
{
    if (c == NULL)
        return;
    dscq_free(c->edge);
    dscq_free(c->before);
    dscq_free(c);
}

void dscq_calibrated_copy(dscq_aquant *to, const dscq_calibrated *c)
{
    to[0] = c->input;
    memcpy(to + 1, c->edge, (size_t)c->nodes * sizeof *to);
    memcpy(to + dscq_grid_before(c->nodes, 0), c->before,
           (size_t)c->nodes * sizeof *to);
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
        if (status != DSCQ_OK)
            break;
        q = c != NULL && c->before[i].bits > 0 ? dscq_aquant_fake(&c->before[i]) : off;
        status = dscq_exec_quantise_before(e, i, &q, err);
    }
    dscq_exec_refresh(e);
    return status;
}

static const dscq_column k_columns[] = {
    DSCQ_TEXT_COLUMN("layer", ""),
    DSCQ_INT_COLUMN("bits", ""),
    DSCQ_REAL_COLUMN("seen_lo", "seen lo", 3),
    DSCQ_REAL_COLUMN("seen_hi", "seen hi", 3),
    DSCQ_REAL_COLUMN("lo", "", 3),
    DSCQ_REAL_COLUMN("hi", "", 3),
    DSCQ_REAL_COLUMN("scale", "", 6),
    DSCQ_INT_COLUMN("zero_point", "zero point"),
    DSCQ_REAL_COLUMN("sqnr_db", "SQNR dB", 1),
    DSCQ_REAL_COLUMN("range_ratio", "range ratio", 1),
    DSCQ_COLUMN_END};

static void add_row(dscq_table *t, const char *layer, const dscq_aquant *a,
                    const dscq_hist *h, double range_ratio)
{
    const double error = dscq_hist_error(h, a);
    const int has_noise = error > 0.0 && h->sum_sq > 0.0;
    double lo, hi;

    dscq_aquant_range(a, &lo, &hi);
    DSCQ_TABLE_ROW(
        t, dscq_text(layer), dscq_int(a->bits), dscq_real(h->lo), dscq_real(h->hi),
        dscq_real(lo), dscq_real(hi), dscq_real(a->scale), dscq_int(a->zero_point),
        has_noise ? dscq_real(10.0 * log10(h->sum_sq / (double)h->total / error))
                  : dscq_none(),
        range_ratio > 0.0 ? dscq_real(range_ratio) : dscq_none());
}

dscq_status dscq_calibrated_table(dscq_table **out, const dscq_calibrated *c,
                                  const dscq_observer *o, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "activations", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    add_row(*out, "input", &c->input, dscq_observer_hist(o, DSCQ_INPUT),
            dscq_observer_range_ratio(o, DSCQ_INPUT));
    for (int32_t i = 0; i < c->nodes; i++) {
        const char *name = dscq_model_node(dscq_observer_model(o), i)->name;
        char before[DSCQ_NODE_NAME + 8];

        (void)snprintf(before, sizeof before, "%s.pre", name);
        if (c->before[i].bits > 0)
            add_row(*out, before, &c->before[i], dscq_observer_hist_before(o, i), 0.0);
        add_row(*out, name, &c->edge[i], dscq_observer_hist(o, i),
                dscq_observer_range_ratio(o, i));
    }
    return dscq_table_finish(out, err);
}
