/* Reversed-pruning: from the output back to the input, retraining after each cut. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

typedef struct reversed_state {
    compress_snapshot good;    /* last accepted state                                */
    int32_t round, rounds_max; /* cuts of the present group                          */
    int32_t round_left;        /* epochs until its score decides                     */
    int32_t position, group;   /* first layer of the group, in cut order; how many   */
    int32_t done;              /* nothing left to try: keep the masks                */
} reversed_state;

static const compress_field k_fields[] = {
    COMPRESS_FIELD(reversed_state, INT, round, 4),
    COMPRESS_FIELD(reversed_state, INT, rounds_max, 5),
    COMPRESS_FIELD(reversed_state, INT, round_left, 6),
    COMPRESS_FIELD(reversed_state, INT, position, 7),
    COMPRESS_FIELD(reversed_state, INT, group, 8),
    COMPRESS_FIELD(reversed_state, INT, done, 10),
    COMPRESS_FIELD(reversed_state, SNAPSHOT, good, 0),
    COMPRESS_FIELDS_END};
static const dscq_method_state k_state = {.bytes = sizeof(reversed_state),
                                          .fields = k_fields};

/* Layers in the order in which they are cut: those of many weights from last to
 * first, then depthwise ones, then the first layer. Returns how many are cut at all;
 * order[i] is an index into c->layer. */
static int32_t cut_order(const dscq_compressor *c, int32_t *order)
{
    int32_t n = 0;

    for (int pass = 0; pass < 3; pass++)
        for (size_t i = c->layers; i-- > 0;) {
            const dscq_rule *r = &c->layer[i].rule;
            const int group = r->kind == DSCQ_KIND_FIRST       ? 2
                              : r->kind == DSCQ_KIND_DEPTHWISE ? 1
                                                               : 0;

            if (group == pass && r->p > 0.0)
                order[n++] = (int32_t)i;
        }
    return n;
}

/* The layers of the present group. */
static int32_t group_layers(const dscq_compressor *c, int32_t *out)
{
    const reversed_state *s = c->state;
    int32_t n = cut_order(c, out), count = 0;

    for (int32_t i = s->position; i < n && i < s->position + s->group; i++)
        out[count++] = out[i];
    return count;
}

static dscq_status with_group(dscq_compressor *c, double factor, dscq_error *err)
{
    const compress_rounds *p = c->params[0];
    reversed_state *s = c->state;
    int32_t *group = dscq_calloc(c->layers + 1, sizeof *group);
    int32_t n;

    if (group == NULL)
        return dscq_fail_nomem(err, "pruning order", c->layers * sizeof *group);
    n = group_layers(c, group);
    s->done = n == 0;
    for (int32_t i = 0; i < n; i++) {
        dscq_clayer *l = &c->layer[group[i]];
        const double rate = factor > 0.0 ? 1.0 - (1.0 - l->rate) * factor : l->rule.p;

        compress__mask_rate(c, l, rate, 0);
        compress__zero_pruned(l);
    }
    s->round_left = p->round_epochs;
    dscq_free(group);
    return DSCQ_OK;
}

/* How many layers are cut together and how often, so that all get their turn. */
static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    const compress_rounds *p = c->params[0];
    reversed_state *s = c->state;
    int32_t *order = dscq_calloc(c->layers + 1, sizeof *order);
    int64_t epochs, rounds;
    int32_t n;
    dscq_status status;

    if (order == NULL)
        return dscq_fail_nomem(err, "pruning order", c->layers * sizeof *order);
    n = cut_order(c, order);
    dscq_free(order);
    for (size_t i = 0; i < c->layers; i++)
        compress__mask_rate(c, &c->layer[i], 0.0, 0);
    if (c->steps == 0) { /* no training: one cut of everything */
        for (size_t i = 0; i < c->layers; i++)
            compress__mask_rate(c, &c->layer[i], c->layer[i].rule.p, 0);
        return DSCQ_OK;
    }
    epochs = (int64_t)((c->stage_end[c->at] - c->stage_begin) / c->steps_per_epoch);
    rounds = epochs / p->round_epochs;
    rounds = rounds > 0 ? rounds : 1;
    s->group = n > 0 ? (int32_t)((n + rounds - 1) / rounds) : 1;
    s->rounds_max = n > 0 ? (int32_t)(rounds / ((n + s->group - 1) / s->group)) : 1;
    status = compress__snapshot_take(&s->good, c, c->score0, err);
    return status == DSCQ_OK ? with_group(c, 0.0, err) : status;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    (void)c;
    (void)worker;
    compress__zero_pruned(l);
    compress__copy_masked(l);
}

static dscq_status epoch(dscq_compressor *c, double score, dscq_error *err)
{
    const compress_rounds *p = c->params[0];
    const int accepted = score >= c->score0 - p->acc_loss;
    reversed_state *s = c->state;
    dscq_status status = DSCQ_OK;

    if (s->done || --s->round_left > 0)
        return DSCQ_OK;
    if (accepted) {
        status = compress__snapshot_take(&s->good, c, score, err);
        s->round++;
    } else {
        compress__snapshot_restore(c, &s->good);
    }
    if (status != DSCQ_OK)
        return status;
    if (accepted && s->round < s->rounds_max)
        return with_group(c, p->density_step, err);
    s->position += s->group;
    s->round = 0;
    return with_group(c, 0.0, err);
}

const dscq_method dscq_method_reversed = {
    .name = "reversed",
    .summary = "prune from the output to the input, retraining after each cut",
    .source = "Electronics 2019, 8(3):295; order and steps reconstructed",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_SCORED,
    .keys = {&compress__rounds_keys},
    .state = &k_state,
    .begin = begin,
    .layer = layer,
    .gradient = compress__mask_gradient,
    .epoch = epoch,
};
