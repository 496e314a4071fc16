/* Counters of finished work (rules T1, T2). */
#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"
#include "run.h"

dscq_status hw__token_add(sim_state *st, dscq_token token, uint64_t cycle)
{
    hw_token_times *t = &st->token[token];

    if (t->count == t->cap) {
        const size_t cap = t->cap == 0 ? 256 : 2 * t->cap;
        uint64_t *time = dscq_realloc(t->time, t->cap * 8, cap * 8);
        if (time == NULL)
            return dscq_fail_nomem(st->err, "token times", cap * 8ULL);
        t->time = time;
        t->cap = cap;
    }
    /* [T1] */
    t->time[t->count] = t->count > 0 ? dscq_max64(cycle, t->time[t->count - 1]) : cycle;
    t->count++;
    return DSCQ_OK;
}

int hw__tokens_ready(const sim_state *st, const dscq_hw_cmd *c, hw_ready *out)
{
    *out = (hw_ready){0, -1};
    for (int i = 0; i < DSCQ_TOKEN_COUNT; i++) {
        const uint32_t want = c->wait[i];
        if (want == 0)
            continue;
        if (want > st->token[i].count)
            return 0;
        const uint64_t at = st->token[i].time[want - 1];
        if (at > out->cycle)
            *out = (hw_ready){at, i};
    }
    return 1;
}
