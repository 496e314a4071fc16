/* CLIP-Q's protocol: one layer after the other, rate and width of each by Bayesian
 * optimisation, the layers before it as they were decided and those after it at the
 * mildest setting. Minimised is loss + weight * objective / objective of the start; the
 * setting a layer has is one of its candidates, so with weight = trial_loss the losses
 * of all decisions add up to less than that. */
#include "dscq/base/alloc.h"
#include "dscq/bo/bo.h"
#include "search_internal.h"

#include <math.h>
#include <string.h>

typedef struct alone {
    search *s;
    size_t layer;
    double weight, start,
        rest;         /* of the objective: of the start; of all other layers */
    double loss_rest; /* expected from the other layers */
    int has_p;
} alone;

static search_choice at_point(const alone *a, const double *x)
{
    return a->has_p ? (search_choice){(int32_t)x[0], (int32_t)x[1]}
                    : (search_choice){0, (int32_t)x[0]};
}

static double merit(const alone *a, double loss, double value)
{
    const int m = a->s->params.objective;

    return m == DSCQ_METRIC_LOSS ? loss : loss + a->weight * value / a->start;
}

static void prior(void *ctx, const double *x, double *mean)
{
    const alone *a = ctx;
    const size_t at = search__at(a->s, a->layer, at_point(a, x));

    *mean = merit(a, a->loss_rest + a->s->drop[at],
                  a->rest + a->s->cost[search__menu_metric(a->s)][at]);
}

static double trial_merit(const alone *a, const search_trial *t)
{
    return t->failed
               ? (double)NAN
               : merit(a, t->value[DSCQ_METRIC_LOSS], t->value[a->s->params.objective]);
}

/* Try `trials` settings of one layer; c: the decisions so far, then with this one. */
static dscq_status decide(alone *a, search_choice *c, size_t trials, dscq_bo *b,
                          dscq_error *err)
{
    search *s = a->s;
    search_choice best = c[a->layer];
    double least = (double)INFINITY, x[2];
    size_t at;
    int found = 1;
    dscq_status status;

    for (size_t i = 0; i <= trials && found; i++) {
        if (i > 0 && search__over(s))
            break;
        if (i == 0) { /* as it is: known already */
            x[0] = a->has_p ? c[a->layer].p : c[a->layer].b;
            x[1] = c[a->layer].b;
        } else {
            DSCQ_TRY(dscq_bo_ask(b, x, &found, err));
            if (!found)
                break;
        }
        c[a->layer] = at_point(a, x);
        DSCQ_TRY(search__try(s, c, SEARCH_BAYES, (int32_t)a->layer, &at, err));
        const double y = trial_merit(a, &s->trial[at]);
        DSCQ_TRY(dscq_bo_tell(b, x, y, NULL, err));
        if (y < least) {
            least = y;
            best = c[a->layer];
        }
    }
    status = DSCQ_OK;
done:
    c[a->layer] = best;
    return status;
}

static dscq_status one_layer(search *s, size_t layer, search_choice *c, size_t start,
                             size_t trials, dscq_error *err)
{
    const search_layer *l = &s->layer[layer];
    const int metric = search__menu_metric(s);
    const dscq_bo_dim dims[] = {
        {"p", DSCQ_BO_INT, 0, l->steps, 0},
        {"b", DSCQ_BO_INT, l->b_min, l->b_max, 1},
    };
    const int has_p = l->steps > 0;
    const double own = s->drop[search__at(s, layer, c[layer])];
    alone a = {.s = s, .layer = layer, .has_p = has_p};
    const dscq_bo_options o = {.seed = (uint64_t)dscq_project_train(s->project)->seed +
                                       layer,
                               .initial = 3,
                               .prior = prior,
                               .prior_ctx = &a,
                               .log = s->log};
    dscq_bo *b = NULL;
    dscq_status status;

    a.weight = s->params.weight > 0 ? s->params.weight : s->params.trial_loss;
    a.start = s->trial[start].value[s->params.objective];
    a.start = a.start > 0 ? a.start : 1;
    a.rest = a.start - s->cost[metric][search__at(s, layer, c[layer])];
    a.loss_rest = search__drop_sum(s, c) - own;
    DSCQ_TRY(dscq_bo_create(&b, has_p ? dims : dims + 1, has_p ? 2 : 1, &o, err));
    DSCQ_TRY(decide(&a, c, trials, b, err));
done:
    dscq_bo_destroy(b);
    return status;
}

/* The largest of those that come after `before` in the order of sizes. */
static size_t next_layer(const search *s, const unsigned char *done)
{
    size_t next = s->layers;

    for (size_t i = 0; i < s->layers; i++)
        if (!done[i] &&
            (next == s->layers || s->layer[i].weights > s->layer[next].weights))
            next = i;
    return next;
}

static dscq_status layers(search *s, dscq_error *err)
{
    const size_t each = (size_t)s->params.trials / s->layers;
    search_choice *c = dscq_calloc(s->layers, sizeof *c);
    unsigned char *done_with = dscq_calloc(s->layers, 1);
    size_t start;
    dscq_status status;

    if (c == NULL || done_with == NULL) {
        status = dscq_fail_nomem(err, "search", s->layers * sizeof *c);
        goto done;
    }
    for (size_t i = 0; i < s->layers; i++)
        c[i].b = s->layer[i].b_max;
    DSCQ_TRY(search__try(s, c, SEARCH_START, -1, &start, err));
    for (size_t i = 0; i < s->layers && !search__over(s); i++) {
        const size_t next = next_layer(s, done_with);

        done_with[next] = 1;
        DSCQ_TRY(one_layer(s, next, c, start, each > 1 ? each : 1, err));
    }
done:
    dscq_free(c);
    dscq_free(done_with);
    return status;
}

const search_method search__protocol_layers = {.solve = layers, .by_linalg = 1};
