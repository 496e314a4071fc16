/* Reversed-pruning: from the output back to the input, retraining after each cut. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

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

/* Apply f to the layers of the present group. */
static int32_t group_layers(const dscq_compressor *c, int32_t *out)
{
    int32_t n = cut_order(c, out), count = 0;

    for (int32_t i = c->position; i < n && i < c->position + c->group; i++)
        out[count++] = out[i];
    return count;
}

static dscq_status with_group(dscq_compressor *c, double factor, dscq_error *err)
{
    int32_t *group = dscq_calloc(c->layers + 1, sizeof *group);
    int32_t n;

    if (group == NULL)
        return dscq_fail_nomem(err, "pruning order", c->layers * sizeof *group);
    n = group_layers(c, group);
    c->done = n == 0;
    for (int32_t i = 0; i < n; i++) {
        dscq_clayer *l = &c->layer[group[i]];
        const double rate = factor > 0.0 ? 1.0 - (1.0 - l->rate) * factor : l->rule.p;

        compress__mask_rate(c, l, rate, 0);
        compress__zero_pruned(l);
    }
    c->round_left = c->settings->all.round_epochs;
    dscq_free(group);
    return DSCQ_OK;
}

/* How many layers are cut together and how often, so that all get their turn. */
static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
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
    rounds = epochs / c->settings->all.round_epochs;
    rounds = rounds > 0 ? rounds : 1;
    c->group = n > 0 ? (int32_t)((n + rounds - 1) / rounds) : 1;
    c->rounds_max = n > 0 ? (int32_t)(rounds / ((n + c->group - 1) / c->group)) : 1;
    c->position = 0;
    c->round = 0;
    status = compress__snapshot_take(&c->good, c, c->score0, err);
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
    const int accepted = score >= c->score0 - c->settings->all.acc_loss;
    dscq_status status = DSCQ_OK;

    if (c->done || --c->round_left > 0)
        return DSCQ_OK;
    if (accepted) {
        status = compress__snapshot_take(&c->good, c, score, err);
        c->round++;
    } else {
        compress__snapshot_restore(c, &c->good);
    }
    if (status != DSCQ_OK)
        return status;
    if (accepted && c->round < c->rounds_max)
        return with_group(c, c->settings->all.density_step, err);
    c->position += c->group;
    c->round = 0;
    return with_group(c, 0.0, err);
}

const dscq_method dscq_method_reversed = {
    .name = "reversed",
    .summary = "prune from the output to the input, retraining after each cut",
    .source = "Electronics 2019, 8(3):295; order and steps reconstructed",
    .keys = "acc_loss, round_epochs, density_step",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_SCORED,
    .begin = begin,
    .layer = layer,
    .gradient = compress__mask_gradient,
    .epoch = epoch,
};
