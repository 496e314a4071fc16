/* What each layer at each rate and bit width is expected to lose and to cost: the first
 * from the sensitivity table, the second from whole networks packed (and simulated) at
 * one rate and width everywhere, taken apart by layer. */
#include "dscq/base/alloc.h"
#include "dscq/pack/pack.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rates and widths at which networks are made; the others are interpolated. */
static const double k_rate[] = {0, 0.3, 0.5, 0.7, 0.8, 0.9};
static const int32_t k_bits[] = {2, 3, 4, 5, 8};
enum {
    RATES = sizeof k_rate / sizeof *k_rate,
    WIDTHS = sizeof k_bits / sizeof *k_bits
};

typedef struct sample {
    double *of[DSCQ_METRICS]; /* [layers][RATES][WIDTHS] */
} sample;

static size_t sample_at(size_t layer, size_t rate, size_t width)
{
    return (layer * RATES + rate) * WIDTHS + width;
}

int search__menu_metric(const search *s)
{
    int metric = s->params.objective;

    if (metric == DSCQ_METRIC_LOSS) /* what the limits are about */
        for (metric = DSCQ_METRIC_BYTES; metric < DSCQ_METRIC_BRAM; metric++)
            if (isfinite(s->limit[metric]))
                break;
    /* RAM does not add up over layers; smaller files need less of it */
    return metric == DSCQ_METRIC_BRAM ? DSCQ_METRIC_BYTES : metric;
}

/* Every layer at the nearest thing it may have. */
static dscq_status uniform(dscq_settings **out, const search *s, double p, int32_t b,
                           dscq_error *err)
{
    dscq_settings *made = NULL;
    search_choice *c = dscq_calloc(s->layers, sizeof *c);
    dscq_status status;

    *out = NULL;
    if (c == NULL)
        return dscq_fail_nomem(err, "search", s->layers * sizeof *c);
    for (size_t i = 0; i < s->layers; i++) {
        const search_layer *l = &s->layer[i];
        c[i].b = b < l->b_min ? l->b_min : b > l->b_max ? l->b_max : b;
    }
    DSCQ_TRY(search__settings(&made, s, c, err));
    for (size_t i = 0; i < s->layers; i++)
        if (s->layer[i].steps > 0)
            made->layer[s->base_rows + i].p = p;
    *out = made;
done:
    dscq_free(c);
    return status;
}

static int32_t node_of(const dscq_qmodel *q, const char *name)
{
    for (int32_t i = 0; i < q->node_count; i++)
        if (strcmp(q->node[i].name, name) == 0)
            return i;
    return -1;
}

static double table_real(const dscq_table *t, const char *layer, const char *column)
{
    const int name = dscq_table_find(t, "layer"), at = dscq_table_find(t, column);

    for (size_t r = 0; name >= 0 && at >= 0 && r < dscq_table_rows(t); r++)
        if (strcmp(dscq_table_text(t, r, (size_t)name), layer) == 0)
            return dscq_table_real(t, r, (size_t)at);
    return 0;
}

static dscq_status take_sample(sample *out, search *s, size_t rate, size_t width,
                               dscq_error *err)
{
    double value[DSCQ_METRICS] = {0}, *cycles = NULL, *pj = NULL;
    dscq_settings *settings = NULL;
    dscq_table *sizes = NULL;
    dscq_pack_summary summary;
    search_product t = {0};
    dscq_status status;

    DSCQ_TRY(uniform(&settings, s, k_rate[rate], k_bits[width], err));
    DSCQ_TRY(search__trial_freeze(&t, s, settings, err));
    DSCQ_TRY(search__trial_assemble(&t, s, s->edge, err));
    DSCQ_TRY(dscq_pack_sizes(&summary, &sizes, t.q, &s->packing, err));
    cycles = dscq_calloc((size_t)t.q->node_count, sizeof *cycles);
    pj = dscq_calloc((size_t)t.q->node_count, sizeof *pj);
    if (cycles == NULL || pj == NULL) {
        status = dscq_fail_nomem(err, "search", (size_t)t.q->node_count * sizeof *pj);
        goto done;
    }
    DSCQ_TRY(search__trial_simulate(value, s, t.q, cycles, pj, err));
    for (size_t i = 0; i < s->layers; i++) {
        const char *name = dscq_model_node(s->origin, s->layer[i].node)->name;
        const size_t at = sample_at(i, rate, width);
        const int32_t node = node_of(t.q, name);

        out->of[DSCQ_METRIC_BYTES][at] = table_real(sizes, name, "total_bits") / 8;
        out->of[DSCQ_METRIC_CYCLES][at] = node >= 0 ? cycles[node] : 0;
        out->of[DSCQ_METRIC_ENERGY][at] = node >= 0 ? pj[node] : 0;
    }
done:
    dscq_free(cycles);
    dscq_free(pj);
    dscq_table_destroy(sizes);
    search__trial_clear(&t);
    dscq_settings_destroy(settings);
    return status;
}

/* Place of v between increasing values: index of the lower one, fraction to the next.
 */
static size_t between(double *part, const double *v, size_t n, double x)
{
    size_t i = 0;

    while (i + 2 < n && x >= v[i + 1])
        i++;
    const double t = (x - v[i]) / (v[i + 1] - v[i]);
    *part = t < 0 ? 0 : t; /* beyond the last: the same slope */
    return i;
}

static double interpolate(const double *of, size_t layer, double p, double b)
{
    double width[WIDTHS], s, t;

    for (size_t i = 0; i < WIDTHS; i++)
        width[i] = k_bits[i];
    const size_t r = between(&s, k_rate, RATES, p), w = between(&t, width, WIDTHS, b);
    const double low =
        (1 - t) * of[sample_at(layer, r, w)] + t * of[sample_at(layer, r, w + 1)];
    const double high = (1 - t) * of[sample_at(layer, r + 1, w)] +
                        t * of[sample_at(layer, r + 1, w + 1)];
    const double v = (1 - s) * low + s * high;

    return v > 0 ? v : 0;
}

static void fill(search *s, const sample *from)
{
    for (size_t i = 0; i < s->layers; i++)
        for (int32_t p = 0; p <= s->layer[i].steps; p++)
            for (int32_t b = s->layer[i].b_min; b <= s->layer[i].b_max; b++) {
                const size_t at = search__at(s, i, (search_choice){p, b});
                const double rate = search__rate(s, p);
                const double drop =
                    dscq_sense_expect(s->sense, s->layer[i].node, rate, b);

                /* what was not tried is taken for the worst */
                s->drop[at] = isfinite(drop) ? fmax(drop, 0) : s->float_score;
                for (int m = DSCQ_METRIC_BYTES; m <= DSCQ_METRIC_ENERGY; m++)
                    s->cost[m][at] = interpolate(from->of[m], i, rate, b);
            }
}

/* Costs of a width from the next wider one. */
static void copy_sample(sample *out, const search *s, size_t rate, size_t width)
{
    for (size_t i = 0; i < s->layers; i++)
        for (int m = DSCQ_METRIC_BYTES; m <= DSCQ_METRIC_ENERGY; m++)
            out->of[m][sample_at(i, rate, width)] =
                out->of[m][sample_at(i, rate, width + 1)];
}

static dscq_status take_samples(sample *out, search *s, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (size_t r = 0; r < RATES; r++)
        for (size_t w = WIDTHS; w-- > 0;) {
            dscq_error why = {DSCQ_OK, ""};

            dscq_log_progress(s->log, "costs by layer", (double)(r * WIDTHS + w),
                              RATES * WIDTHS, "");
            status = take_sample(out, s, r, w, &why);
            /* a network without any retraining may be too far gone to be packed */
            if (status == DSCQ_FORMAT && w + 1 < WIDTHS) {
                copy_sample(out, s, r, w);
                status = DSCQ_OK;
            }
            if (status != DSCQ_OK) {
                *err = why;
                return status;
            }
            if (dscq_log_stop(s->log))
                return dscq_fail(err, DSCQ_INTERRUPTED,
                                 "stopped before the first trial; --resume goes on");
        }
    return status;
}

dscq_status search__menu(search *s, dscq_error *err)
{
    const size_t all = s->layers * (SEARCH_STEPS + 1) * SEARCH_BITS;
    const size_t taken = s->layers * RATES * WIDTHS;
    sample from = {{NULL}};
    dscq_status status = DSCQ_OK;

    s->drop = dscq_calloc(all, sizeof *s->drop);
    int bad = s->drop == NULL;
    for (int m = DSCQ_METRIC_BYTES; m <= DSCQ_METRIC_ENERGY; m++) {
        s->cost[m] = dscq_calloc(all, sizeof *s->cost[m]);
        from.of[m] = dscq_calloc(taken, sizeof *from.of[m]);
        bad = bad || s->cost[m] == NULL || from.of[m] == NULL;
    }
    if (bad) {
        status = dscq_fail_nomem(err, "search", all * 4 * sizeof *s->drop);
        goto done;
    }
    DSCQ_TRY(take_samples(&from, s, err));
    fill(s, &from);
done:
    for (int m = 0; m < DSCQ_METRICS; m++)
        dscq_free(from.of[m]);
    return status;
}

double search__drop_sum(const search *s, const search_choice *c)
{
    double sum = 0;

    for (size_t i = 0; i < s->layers; i++)
        sum += s->drop[search__at(s, i, c[i])];
    return sum;
}

double search__cost_sum(const search *s, int metric, const search_choice *c)
{
    double sum = 0;

    for (size_t i = 0; i < s->layers; i++)
        sum += s->cost[metric][search__at(s, i, c[i])];
    return sum;
}
