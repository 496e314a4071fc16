/* Tables, verdicts, and a recipe to start from. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/sense/choose.h"
#include "sense_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what a layer at (p, b) costs and takes ----------------------------- */

double dscq_sense_bits(size_t n, double p, int32_t b)
{
    const double count = (double)n, d = 1.0 - p;
    const double book = b <= 8 ? 8.0 * (double)((1 << b) - 1) : 0.0;
    double best = count * b; /* dense */

    best = fmin(best, count + count * d * b); /* bitmap */
    for (int g = 3; g <= 8 && d > 0.0; g++) { /* gaps with fillers */
        const double entries = 1.0 / (1.0 - pow(1.0 - d, (double)(1 << g)));
        best = fmin(best, count * d * entries * (b + g));
    }
    return best + fmin(book, 8.0 * count * d);
}

/* The measured drop of one probe at x: the largest drop at a milder value is a floor
 * (more damage never helps), straight lines between values, 0 at no damage. */
static double probe_drop(const dscq_sense *s, int32_t node, dscq_probe probe, double x,
                         int is_expected)
{
    const double sign = probe == DSCQ_PROBE_PRUNE ? 1.0 : -1.0; /* damage grows with */
    double below = 0.0, at_below = probe == DSCQ_PROBE_PRUNE ? 0.0 : 16.0;
    double above = (double)NAN, at_above = 0.0;
    int any = 0;

    for (size_t i = 0; i < s->cells; i++) {
        const dscq_sense_cell *c = &s->cell[i];

        if (c->node != node || c->probe != probe || !c->done)
            continue;
        const double drop = is_expected ? c->expected : c->drop;
        any = 1;
        if (sign * c->value <= sign * x) {
            below = fmax(below, drop);
            if (sign * c->value > sign * at_below)
                at_below = c->value;
        } else if (isnan(above) || sign * c->value < sign * at_above) {
            above = drop;
            at_above = c->value;
        }
    }
    if (!any)
        return (double)NAN;
    if (isnan(above) || at_above == at_below)
        return x == at_below || sign * x <= sign * at_below ? below : (double)NAN;
    above = fmax(above, below);
    return below + (above - below) * (x - at_below) / (at_above - at_below);
}

static double both_drops(const dscq_sense *s, int32_t node, double p, int32_t b,
                         int is_expected)
{
    const double prune =
        p > 0.0 ? probe_drop(s, node, DSCQ_PROBE_PRUNE, p, is_expected) : 0.0;

    return prune + probe_drop(s, node, DSCQ_PROBE_BITS, b, is_expected);
}

double dscq_sense_drop(const dscq_sense *s, int32_t node, double p, int32_t b)
{
    return both_drops(s, node, p, b, 0);
}

double dscq_sense_expect(const dscq_sense *s, int32_t node, double p, int32_t b)
{
    return both_drops(s, node, p, b, 1);
}

/* ---- tables ------------------------------------------------------------- */

static const dscq_sense_layer *layer_of(const dscq_sense *s, int32_t node)
{
    for (size_t i = 0; i < s->layers; i++)
        if (s->layer[i].node == node)
            return &s->layer[i];
    return NULL;
}

static const dscq_column k_cells[] = {DSCQ_TEXT_COLUMN("layer", ""),
                                      DSCQ_TEXT_COLUMN("kind", ""),
                                      DSCQ_TEXT_COLUMN("probe", ""),
                                      DSCQ_REAL_COLUMN("value", "", 3),
                                      DSCQ_REAL_COLUMN("score_frac", "score", 4),
                                      DSCQ_REAL_COLUMN("drop_frac", "drop", 4),
                                      DSCQ_REAL_COLUMN("drop_lo_frac", "95 % from", 4),
                                      DSCQ_REAL_COLUMN("drop_hi_frac", "to", 4),
                                      DSCQ_COLUMN_END};

dscq_status dscq_sense_table(dscq_table **out, const dscq_sense *s, const dscq_model *m,
                             dscq_error *err)
{
    const dscq_cell none = dscq_none();
    const dscq_status status = dscq_table_create(out, "sensitivity", k_cells, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < s->cells; i++) {
        const dscq_sense_cell *c = &s->cell[i];

        DSCQ_TABLE_ROW(*out, dscq_text(dscq_model_node(m, c->node)->name),
                       dscq_text(dscq_layer_kind_name(layer_of(s, c->node)->kind)),
                       dscq_text(sense__probe_name(c->probe)), dscq_real(c->value),
                       c->done ? dscq_real((double)c->right / (double)s->images) : none,
                       c->done ? dscq_real(c->drop) : none,
                       c->done ? dscq_real(c->lo) : none,
                       c->done ? dscq_real(c->hi) : none);
    }
    return dscq_table_finish(out, err);
}

/* What to do with a layer, and why. */
static void verdict(char *out, size_t cap, const dscq_sense *s,
                    const dscq_sense_layer *l)
{
    const int bits_only = l->kind == DSCQ_KIND_DEPTHWISE; /* too small to prune */
    const double half = dscq_sense_drop(s, l->node, bits_only ? 0.0 : 0.5, 4);
    const double gain = l->sqnr8_channel_db - l->sqnr8_layer_db;

    if (isfinite(half) && half > 0.05)
        (void)snprintf(out, cap,
                       "leave alone: %sb = 4 would cost %.1f points; ranges differ "
                       "%.0f-fold, 8 bits %.0f dB",
                       bits_only ? "" : "p = 0.5, ", 100.0 * half, l->range_ratio,
                       l->sqnr8_layer_db);
    else if (gain > 6.0 || l->range_ratio > 16.0)
        (void)snprintf(out, cap,
                       "one scale per channel: ranges differ %.0f-fold (%.1f dB)",
                       l->range_ratio, gain);
    else if (isfinite(half) && half > 0.01)
        (void)snprintf(out, cap, "mildly: %sb = 4 would cost %.1f points",
                       bits_only ? "" : "p = 0.5, ", 100.0 * half);
    else
        (void)snprintf(out, cap, "compress");
}

static const dscq_column k_verdicts[] = {
    DSCQ_TEXT_COLUMN("layer", ""),
    DSCQ_TEXT_COLUMN("kind", ""),
    DSCQ_INT_COLUMN("weights", ""),
    DSCQ_REAL_COLUMN("range_ratio", "range ratio", 1),
    DSCQ_REAL_COLUMN("sqnr8_layer_db", "8 bit, layer", 1),
    DSCQ_REAL_COLUMN("sqnr8_channel_db", "8 bit, channel", 1),
    DSCQ_REAL_COLUMN("drop_half_frac", "drop p.5 b4", 4),
    DSCQ_TEXT_COLUMN("verdict", ""),
    DSCQ_COLUMN_END};

dscq_status dscq_sense_verdicts(dscq_table **out, const dscq_sense *s,
                                const dscq_model *m, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "layers", k_verdicts, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < s->layers; i++) {
        const dscq_sense_layer *l = &s->layer[i];
        char text[160];

        verdict(text, sizeof text, s, l);
        DSCQ_TABLE_ROW(*out, dscq_text(dscq_model_node(m, l->node)->name),
                       dscq_text(dscq_layer_kind_name(l->kind)),
                       dscq_int((int64_t)l->weights), dscq_real(l->range_ratio),
                       dscq_real(l->sqnr8_layer_db), dscq_real(l->sqnr8_channel_db),
                       dscq_finite(dscq_sense_drop(s, l->node, 0.5, 4)),
                       dscq_text(text));
    }
    return dscq_table_finish(out, err);
}

/* ---- the recipe --------------------------------------------------------- */

typedef struct menu_room {
    dscq_option *option;
    double *p;
    int32_t *b, *pick;
    size_t *first;
} menu_room;

static void room_free(menu_room *r)
{
    dscq_free(r->option);
    dscq_free(r->p);
    dscq_free(r->b);
    dscq_free(r->pick);
    dscq_free(r->first);
}

/* Every pair of values that was measured, and no pruning at all. Depthwise layers are
 * small and fragile: bits only. */
static size_t add_options(menu_room *r, size_t at, const dscq_sense *s,
                          const dscq_sense_layer *l, const dscq_sense_params *p)
{
    for (int32_t i = -1; i < p->prune.count; i++)
        for (int32_t k = 0; k < p->bits.count; k++) {
            const double rate = i < 0 ? 0.0 : p->prune.v[i];
            const int32_t b = (int32_t)p->bits.v[k];
            const double drop = dscq_sense_drop(s, l->node, rate, b);

            if ((l->kind == DSCQ_KIND_DEPTHWISE && i >= 0) || !isfinite(drop))
                continue;
            r->option[at] = (dscq_option){dscq_sense_bits(l->weights, rate, b), drop};
            r->p[at] = rate;
            r->b[at++] = b;
        }
    return at;
}

static dscq_status room_make(menu_room *r, const dscq_sense *s,
                             const dscq_sense_params *p, dscq_error *err)
{
    const size_t n =
        s->layers * (size_t)(p->prune.count + 1) * (size_t)p->bits.count + 1;

    r->option = dscq_calloc(n, sizeof *r->option);
    r->p = dscq_calloc(n, sizeof *r->p);
    r->b = dscq_calloc(n, sizeof *r->b);
    r->pick = dscq_calloc(s->layers, sizeof *r->pick);
    r->first = dscq_calloc(s->layers + 1, sizeof *r->first);
    if (r->option == NULL || r->p == NULL || r->b == NULL || r->pick == NULL ||
        r->first == NULL)
        return dscq_fail_nomem(err, "recipe", n * sizeof *r->option);
    return DSCQ_OK;
}

static dscq_status append(dscq_settings *into, const dscq_model *m,
                          const dscq_sense_layer *l, double p, int32_t b,
                          dscq_error *err)
{
    dscq_layer_params row = dscq_layer_params_none();

    (void)dscq_str_copy(row.match, sizeof row.match, dscq_model_node(m, l->node)->name);
    row.p = p;
    row.b = b;
    return dscq_settings_add(into, &row, err);
}

dscq_status dscq_sense_recipe(dscq_settings *into, const dscq_sense *s,
                              const dscq_model *m, const dscq_sense_params *p,
                              dscq_error *err)
{
    menu_room r = {0};
    dscq_status status;

    DSCQ_TRY(room_make(&r, s, p, err));
    for (size_t i = 0; i < s->layers; i++) {
        r.first[i + 1] = add_options(&r, r.first[i], s, &s->layer[i], p);
        if (r.first[i + 1] == r.first[i]) {
            status = dscq_fail(err, DSCQ_ARG,
                               "recipe: bit widths of layer '%s' were not measured",
                               dscq_model_node(m, s->layer[i].node)->name);
            goto done;
        }
    }
    const dscq_menu menu = {r.option, r.first, s->layers};
    status = p->solver == 0 ? dscq_choose_knapsack(r.pick, &menu, p->max_loss, err)
                            : dscq_choose_greedy(r.pick, &menu, p->max_loss, err);
    if (status != DSCQ_OK && status != DSCQ_GATE)
        goto done;
    /* even the mildest lose more: a start all the same, and the caller is told */
    const dscq_status gate = status;
    for (size_t i = 0; i < s->layers; i++) {
        const size_t at = r.first[i] + (size_t)r.pick[i];
        DSCQ_TRY(append(into, m, &s->layer[i], r.p[at], r.b[at], err));
    }
    status = gate;
done:
    room_free(&r);
    return status;
}
