/* All layers at once: a Gaussian process over rates and widths, started from what the
 * sensitivity table expects and from the trials of search_seed.c. */
#include "dscq/base/alloc.h"
#include "dscq/bo/bo.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Groups of methods.md's kind: variables of a group share a length scale. */
enum { G_FIRST, G_DEPTHWISE, G_POINT_P, G_POINT_B, G_CONV_P, G_CONV_B, G_FC_P, G_FC_B };

typedef struct field {
    search *s;
    size_t dims;
    int limit_of[DSCQ_METRICS]; /* metrics that are limited, in order */
    int limits;
    double unit[DSCQ_METRICS], rest[DSCQ_METRICS]; /* first trial: value, and what the
                                                      layers do not explain of it    */
    double ratio;                                  /* measured over expected loss */
    search_choice *scratch;
} field;

static void group_of(int32_t out[2], dscq_layer_kind k)
{
    switch (k) {
    case DSCQ_KIND_FIRST:
        out[0] = out[1] = G_FIRST;
        break;
    case DSCQ_KIND_DEPTHWISE:
        out[0] = out[1] = G_DEPTHWISE;
        break;
    case DSCQ_KIND_POINTWISE:
        out[0] = G_POINT_P;
        out[1] = G_POINT_B;
        break;
    case DSCQ_KIND_CONNECTED:
    case DSCQ_KIND_LAST:
        out[0] = G_FC_P;
        out[1] = G_FC_B;
        break;
    case DSCQ_KIND_CONV:
    default:
        out[0] = G_CONV_P;
        out[1] = G_CONV_B;
        break;
    }
}

static dscq_bo_dim dim_of(const char *name, char what, double lo, double hi,
                          int32_t group)
{
    dscq_bo_dim d = {.kind = DSCQ_BO_INT, .lo = lo, .hi = hi, .group = group};

    (void)snprintf(d.name, sizeof d.name, "%c %.60s", what, name);
    return d;
}

static int is_known(const search *s, size_t layer, int32_t p, int32_t b)
{
    return isfinite(
        dscq_sense_expect(s->sense, s->layer[layer].node, search__rate(s, p), b));
}

/* What the sensitivity table knows of a layer, and what was tried: beyond, a model that
 * starts from the table has nothing to go by. All of it when the table knows nothing.
 */
static void known_range(int32_t *p_most, int32_t *b_least, const search *s,
                        size_t layer)
{
    const search_layer *l = &s->layer[layer];

    *p_most = l->steps;
    *b_least = l->b_min;
    while (*p_most > 0 && !is_known(s, layer, *p_most, l->b_max))
        --*p_most;
    while (*b_least < l->b_max && !is_known(s, layer, 0, *b_least))
        ++*b_least;
    *p_most = *p_most > 0 ? *p_most : l->steps;
    *b_least = is_known(s, layer, 0, *b_least) ? *b_least : l->b_min;
    for (size_t i = 0; i < s->trials; i++) {
        const search_choice *c = &s->trial[i].choice[layer];
        *p_most = c->p > *p_most ? c->p : *p_most;
        *b_least = c->b < *b_least ? c->b : *b_least;
    }
}

static size_t make_dims(dscq_bo_dim *out, const search *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->layers; i++) {
        const search_layer *l = &s->layer[i];
        const char *name = dscq_model_node(s->origin, l->node)->name;
        int32_t group[2], p_most, b_least;

        group_of(group, l->kind);
        known_range(&p_most, &b_least, s, i);
        if (l->steps > 0)
            out[n++] = dim_of(name, 'p', 0, p_most, group[0]);
        out[n++] = dim_of(name, 'b', b_least, l->b_max, group[1]);
    }
    return n;
}

static void to_choice(search_choice *out, const search *s, const double *x)
{
    for (size_t i = 0; i < s->layers; i++) {
        out[i].p = s->layer[i].steps > 0 ? (int32_t)*x++ : 0;
        out[i].b = (int32_t)*x++;
    }
}

static void to_point(double *x, const search *s, const search_choice *c)
{
    for (size_t i = 0; i < s->layers; i++) {
        if (s->layer[i].steps > 0)
            *x++ = c[i].p;
        *x++ = c[i].b;
    }
}

/* A limit of 0 has a size as well. */
static double loss_unit(const field *f)
{
    return fmax(f->s->limit[DSCQ_METRIC_LOSS], 0.01);
}

/* Losses around the limit as they are, far ones by their logarithm: a network that fell
 * apart is no farther from the limit than it need be, and leaves the model its scale.
 * 0 at the limit. */
static double bent(const field *f, double loss)
{
    const double unit = loss_unit(f);

    return log((fmax(loss, -unit / 2) + unit) / (f->s->limit[DSCQ_METRIC_LOSS] + unit));
}

/* What is minimised: the bent loss, the logarithm of anything else over the first
 * trial's. */
static double objective(const field *f, double value)
{
    const int m = f->s->params.objective;

    return m == DSCQ_METRIC_LOSS ? bent(f, value) : log(value / f->unit[m]);
}

static double excess(const field *f, int metric, double value)
{
    return metric == DSCQ_METRIC_LOSS ? bent(f, value)
                                      : log(value / f->s->limit[metric]);
}

/* The additive model: losses that add up until nothing is left to lose. */
static double expected(const field *f, int metric, const search_choice *c)
{
    const double all = f->s->float_score;

    if (metric == DSCQ_METRIC_LOSS)
        return all > 0 ? all * (1 - exp(-f->ratio * search__drop_sum(f->s, c) / all))
                       : 0;
    if (metric == DSCQ_METRIC_BRAM)
        return f->unit[metric];
    return f->rest[metric] + search__cost_sum(f->s, metric, c);
}

static void prior(void *ctx, const double *x, double *mean)
{
    const field *f = ctx;

    to_choice(f->scratch, f->s, x);
    mean[0] = objective(f, expected(f, f->s->params.objective, f->scratch));
    for (int i = 0; i < f->limits; i++)
        mean[1 + i] =
            excess(f, f->limit_of[i], expected(f, f->limit_of[i], f->scratch));
}

/* The loss is a sum over layers of what pruning and what the width costs each; in the
 * model's units at the limit. */
static void parts(void *ctx, const double *x, double *phi)
{
    const field *f = ctx;
    const search *s = f->s;
    const double scale = f->ratio / (s->limit[DSCQ_METRIC_LOSS] + loss_unit(f));

    to_choice(f->scratch, s, x);
    for (size_t i = 0; i < s->layers; i++) {
        const search_choice c = f->scratch[i], dense = {0, c.b};
        const double width = s->drop[search__at(s, i, dense)];

        *phi++ = scale * width;
        *phi++ = scale * (s->drop[search__at(s, i, c)] - width);
    }
}

/* Outputs that are losses: bit 0 the objective, then the limits. */
static uint32_t loss_outputs(const field *f)
{
    uint32_t of = f->s->params.objective == DSCQ_METRIC_LOSS;

    for (int i = 0; i < f->limits; i++)
        if (f->limit_of[i] == DSCQ_METRIC_LOSS)
            of |= 2u << i;
    return of;
}

/* Where the additive model starts from: the first trial. */
static void anchor(field *f)
{
    const search_trial *t = &f->s->trial[0];

    f->ratio = search__ratio(f->s);
    for (int m = 0; m < DSCQ_METRICS; m++) {
        f->unit[m] = t->value[m] > 0 ? t->value[m] : 1;
        f->rest[m] = 0;
        if (m != DSCQ_METRIC_LOSS && m != DSCQ_METRIC_BRAM) {
            const double sum = search__cost_sum(f->s, m, t->choice);
            f->rest[m] = f->unit[m] > sum ? f->unit[m] - sum : 0.01 * f->unit[m];
        }
        if (isfinite(f->s->limit[m]))
            f->limit_of[f->limits++] = m;
    }
}

static dscq_status tell(dscq_bo *b, const field *f, const search_trial *t, double *x,
                        dscq_error *err)
{
    double limit[DSCQ_METRICS] = {0};
    const int m = f->s->params.objective;

    to_point(x, f->s, t->choice);
    for (int i = 0; i < f->limits; i++)
        limit[i] = excess(f, f->limit_of[i], t->value[f->limit_of[i]]);
    return dscq_bo_tell(b, x, t->failed ? (double)NAN : objective(f, t->value[m]),
                        f->limits > 0 ? limit : NULL, err);
}

static dscq_status run(dscq_bo *b, field *f, double *x, dscq_error *err)
{
    search *s = f->s;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < s->trials; i++)
        DSCQ_TRY(tell(b, f, &s->trial[i], x, err));
    while (!search__over(s)) {
        size_t at;
        int found;

        DSCQ_TRY(dscq_bo_ask(b, x, &found, err));
        if (!found)
            break;
        to_choice(f->scratch, s, x);
        DSCQ_TRY(search__try(s, f->scratch, SEARCH_BAYES, -1, &at, err));
        DSCQ_TRY(tell(b, f, &s->trial[at], x, err));
    }
done:
    return status;
}

static dscq_status model(search *s, dscq_error *err)
{
    field f = {.s = s};
    dscq_bo_dim *dims = dscq_calloc(2 * s->layers, sizeof *dims);
    double *x = dscq_calloc(2 * s->layers, sizeof *x);
    dscq_bo *b = NULL;
    dscq_status status;

    f.scratch = dscq_calloc(s->layers, sizeof *f.scratch);
    if (dims == NULL || x == NULL || f.scratch == NULL) {
        status = dscq_fail_nomem(err, "search", 2 * s->layers * sizeof *dims);
        goto done;
    }
    f.dims = make_dims(dims, s);
    if (f.dims > DSCQ_BO_DIMS) {
        status =
            dscq_fail(err, DSCQ_UNSUPPORTED,
                      "search = bayes: %zu rates and widths are more than %d; name "
                      "fewer layers in [search] layers, or use knapsack",
                      f.dims, DSCQ_BO_DIMS);
        goto done;
    }
    anchor(&f);
    const dscq_bo_options o = {.seed = (uint64_t)dscq_project_train(s->project)->seed,
                               .limits = f.limits,
                               .initial = 1, /* the seeds come first */
                               .local = 1,
                               .prior = prior,
                               .part = parts,
                               .parts = (int32_t)(2 * s->layers),
                               .parts_of = loss_outputs(&f),
                               .prior_ctx = &f,
                               .log = s->log};
    DSCQ_TRY(dscq_bo_create(&b, dims, f.dims, &o, err));
    DSCQ_TRY(run(b, &f, x, err));
done:
    dscq_bo_destroy(b);
    dscq_free(dims);
    dscq_free(x);
    dscq_free(f.scratch);
    return status;
}

static dscq_status joint(search *s, dscq_error *err)
{
    const dscq_status status = search__seed(s, (size_t)s->params.warm, err);

    return status == DSCQ_OK ? model(s, err) : status;
}

const search_method search__method_bayes = {.solve = NULL};
const search_method search__protocol_joint = {.solve = joint, .by_linalg = 1};
