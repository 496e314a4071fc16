/* Every multiplier has one reason in every cycle [S1]. */
#include "array.h"

static uint64_t *wait_account(dscq_counters *c, int token)
{
    switch (token) {
    case DSCQ_TOKEN_ACT_LOADED:
        return &c->mult_wait_act;
    case DSCQ_TOKEN_WEIGHT_LOADED:
        return &c->mult_wait_weight;
    case DSCQ_TOKEN_OUT_WRITTEN:
        return &c->mult_wait_self;
    case DSCQ_TOKEN_STORED:
        return &c->mult_wait_store;
    default:
        return &c->mult_drain;
    }
}

void hw__account_drain(hw_array *a, dscq_counters *c)
{
    const dscq_lanes *l = a->lanes;

    if (!a->is_array)
        return;
    const uint64_t end = dscq_lanes_end(l);
    for (int32_t i = 0; i < l->active; i++)
        c->mult_drain += (end - (l->base + (uint64_t)l->e[i])) * (uint64_t)a->vector;
    c->mult_no_channel +=
        (end - a->idle_from) * (uint64_t)(l->lanes - l->active) * (uint64_t)a->vector;
    a->accounted = end;
    a->is_array = 0;
}

void hw__account_wait(hw_array *a, uint64_t cycle, hw_ready ready, dscq_counters *c)
{
    const uint64_t all = (uint64_t)a->m->multipliers;
    uint64_t until = ready.cycle < cycle ? ready.cycle : cycle;

    if (until > a->accounted) {
        *wait_account(c, ready.token) += (until - a->accounted) * all;
        a->accounted = until;
    }
    c->mult_drain += (cycle - a->accounted) * all;
    a->accounted = cycle;
}

void hw__account_lanes(hw_array *a, hw_ready ready, dscq_counters *c)
{
    const dscq_lanes *l = a->lanes;
    const uint64_t v = (uint64_t)a->vector, end = dscq_lanes_end(l);
    uint64_t gap[DSCQ_GAP_COUNT] = {0};

    for (int g = 0; g < DSCQ_GAP_COUNT; g++)
        for (int32_t i = 0; i < l->active; i++)
            gap[g] += (uint64_t)l->gap[g][i];
    c->mult_imbalance += (gap[DSCQ_GAP_RATE] + gap[DSCQ_GAP_QUEUE]) * v;
    c->mult_act_fetch += gap[DSCQ_GAP_FETCH] * v;
    c->mult_post += gap[DSCQ_GAP_POST] * v;
    *wait_account(c, ready.token) += gap[DSCQ_GAP_START] * v;
    c->mult_no_channel += (end - a->idle_from) * (uint64_t)(l->lanes - l->active) * v;
    a->idle_from = end;
}
