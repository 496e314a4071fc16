/* AC/DC: sparse and dense phases in turn, one threshold for the whole network. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/compress/prune.h"

typedef struct acdc_params {
    int32_t phase_epochs; /* length of a sparse or dense phase */
} acdc_params;

static const dscq_key k_rows[] = {
    DSCQ_KEY_INT_ROW(acdc_params, phase_epochs, 1, 1000, "5",
                     "acdc: epochs of a sparse or dense phase"),
    DSCQ_KEY_END};
static const dscq_method_keys k_keys = {k_rows, sizeof(acdc_params), "last_p"};

typedef struct acdc_state {
    int32_t phase; /* 1 sparse, 0 dense, -1 at first */
} acdc_state;

static const compress_field k_fields[] = {COMPRESS_FIELD(acdc_state, INT, phase, 11),
                                          COMPRESS_FIELDS_END};
static const dscq_method_state k_state = {.bytes = sizeof(acdc_state),
                                          .fields = k_fields};

/* Parts of the stage, from the published schedules of 100 epochs. */
static const double k_warm = 0.10, k_turns_end = 0.75, k_dense_end = 0.85;

static int sparse_at(const dscq_compressor *c, double t)
{
    const acdc_params *p = c->params[0];
    const double stage = (double)(c->stage_end[c->at] - c->stage_begin);
    const double phase = (double)c->steps_per_epoch * p->phase_epochs;

    if (c->steps == 0 || t >= k_dense_end)
        return 1;
    if (t < k_warm || t >= k_turns_end)
        return 0;
    const double turn = (t - k_warm) * stage / phase;
    return (uint64_t)turn % 2 == 0;
}

/* The rate of the rule p over all layers that may be pruned, by one threshold. */
static dscq_status global_masks(dscq_compressor *c, dscq_error *err)
{
    dscq_prune_span *span = dscq_calloc(c->layers, sizeof *span);
    size_t *goal = dscq_calloc(c->layers, sizeof *goal), n = 0;
    double asked = 0.0, total = 0.0;
    dscq_status status = DSCQ_OK;

    if (span == NULL || goal == NULL) {
        status = dscq_fail_nomem(err, "global pruning", c->layers * sizeof *span);
        goto done;
    }
    for (size_t i = 0; i < c->layers; i++)
        if (c->layer[i].rule.p > 0.0) {
            span[n++] = (dscq_prune_span){c->layer[i].w->w, c->layer[i].w->count};
            asked += c->layer[i].rule.p * (double)c->layer[i].w->count;
            total += (double)c->layer[i].w->count;
        }
    if (n > 0)
        DSCQ_TRY(dscq_prune_global(goal, span, n, asked / total, err));
    n = 0;
    for (size_t i = 0; i < c->layers; i++) {
        dscq_clayer *l = &c->layer[i];
        if (l->rule.p > 0.0)
            dscq_mask_keep(l->mask, l->w->w, l->held, l->w->count, goal[n++],
                           c->work[0].clip);
    }
done:
    dscq_free(span);
    dscq_free(goal);
    return status;
}

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    acdc_state *s = c->state;

    (void)err;
    s->phase = -1;
    for (size_t i = 0; i < c->layers; i++)
        compress__mask_rate(c, &c->layer[i], 0.0, 0);
    return DSCQ_OK;
}

static dscq_status step(dscq_compressor *c, double t, dscq_error *err)
{
    acdc_state *s = c->state;
    const int sparse = sparse_at(c, t);

    if (sparse == s->phase)
        return DSCQ_OK;
    s->phase = sparse;
    if (sparse)
        return global_masks(c, err);
    for (size_t i = 0; i < c->layers; i++) /* pruned weights grow again from 0 */
        compress__mask_rate(c, &c->layer[i], 0.0, 0);
    return DSCQ_OK;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    (void)c;
    (void)worker;
    compress__zero_pruned(l);
    compress__copy_masked(l);
}

const dscq_method dscq_method_acdc = {
    .name = "acdc",
    .summary = "alternate sparse and dense phases under one global threshold",
    .source = "Peste et al., NeurIPS 2021",
    .reads = "form",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_RECOVERS,
    .keys = {&k_keys},
    .state = &k_state,
    .begin = begin,
    .step = step,
    .layer = layer,
    .gradient = compress__mask_gradient,
};
