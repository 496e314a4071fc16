/*
 * Policy d2: the rules of DRAMSim2 (its last public commit, 2018), so that its
 * cycles, commands and energy come out equal. docs/dram.md numbers the rules; the
 * comments below name them (R2.1 ...).
 */
#include "d2.h"

#include "dscq/base/alloc.h"

#include <assert.h>
#include <string.h>

static int32_t at_least_one(int32_t v)
{
    return v > 0 ? v : 1;
}

static void set_constants(d2 *s, const dscq_dram_config *c)
{
    const int32_t B = dscq_dram_burst_cycles(c);

    /* No notion of bank groups: the longer of each pair keeps it legal. The original
     * has WL = CL - 1 for every device; a config that wants to equal it says so. */
    s->burst = B;
    s->rl = c->CL;
    s->wl = c->CWL;
    s->rd_to_pre = B + (c->tRTP > c->tCCD_L ? c->tRTP : c->tCCD_L) - c->tCCD_L;
    if (s->rd_to_pre < c->tRTP) /* the original's formula takes tCCD for the burst */
        s->rd_to_pre = c->tRTP;
    s->wr_to_pre = s->wl + B + c->tWR;
    s->rd_to_wr = at_least_one(s->rl + B + c->tRTRS - s->wl);
    s->wr_to_rd = s->wl + B + c->tWTR_L;
    s->wr_to_rd_rank = at_least_one(s->wl + B + c->tRTRS - s->rl);
    s->rda_to_act = c->tRTP + c->tRP;
    s->wra_to_act = s->wl + B + c->tWR + c->tRP;
    s->col_to_col = c->tCCD_L > B ? c->tCCD_L : B;
    s->col_to_col_rank = B + c->tRTRS;
}

static void d2_destroy(void *state)
{
    d2 *s = state;

    if (s == NULL)
        return;
    dscq_free(s->trans);
    dscq_free(s->cmds);
    dscq_free(s);
}

static void start_state(d2 *s, const dscq_dram_config *c)
{
    const int32_t step = c->tREFI / c->ranks;

    for (int32_t r = 0; r < s->ranks; r++) {
        s->rank[r].refresh_at = (uint64_t)step * (uint64_t)(r + 1);
        s->rank[r].flag_clear_at = DRAM_NEVER;
        s->rank[r].idle_banks = s->banks;
        for (int32_t b = 0; b < s->banks; b++)
            s->bank[r][b].change_at = DRAM_NEVER;
    }
    s->next_change = s->next_flag_clear = DRAM_NEVER;
}

static dscq_status d2_create(void **out, dscq_dram *d, dscq_error *err)
{
    const dscq_dram_config *c = &d->cfg;
    d2 *s = dscq_calloc(1, sizeof *s);

    *out = s;
    if (s == NULL)
        return dscq_fail_nomem(err, "DRAM policy d2", sizeof *s);
    s->ranks = c->ranks;
    s->banks = c->banks;
    s->per_bank = c->queues == DSCQ_DRAM_PER_BANK;
    s->open_page = c->page == DSCQ_DRAM_OPEN;
    s->order = c->order;
    s->depth = c->command_queue;
    s->cap = c->row_cap;
    s->low_power = c->low_power;
    s->trans_cap = c->transaction_queue;
    set_constants(s, c);
    start_state(s, c);
    const size_t queues = (size_t)s->ranks * (s->per_bank ? (size_t)s->banks : 1);
    s->trans = dscq_calloc((size_t)s->trans_cap, sizeof *s->trans);
    s->cmds = dscq_calloc(queues * (size_t)s->depth, sizeof *s->cmds);
    if (s->trans == NULL || s->cmds == NULL)
        return dscq_fail_nomem(err, "DRAM queues", queues * (size_t)s->depth);
    for (size_t q = 0; q < queues; q++)
        s->queue[q].cmd = s->cmds + q * (size_t)s->depth;
    return DSCQ_OK;
}

static int d2_room(const void *state, int is_write)
{
    const d2 *s = state;

    (void)is_write;
    return s->trans_count < s->trans_cap;
}

static void d2_admit(dscq_dram *d, int32_t req)
{
    d2 *s = d->state;

    /* [R2.1] */
    s->trans[s->trans_count++] = req;
}

static int d2_drained(const void *state)
{
    const d2 *s = state;

    for (int32_t r = 0; r < s->ranks; r++)
        if (s->rank[r].queued != 0)
            return 0;
    return s->trans_count == 0;
}

static uint64_t d2_ref_owed(const dscq_dram *d)
{
    const d2 *s = d->state;

    return s->lost_refreshes + (s->refresh_wanted ? 1 : 0);
}

/* R2.4: only the rank under the pointer is looked at. */
static int run_refresh_counters(d2 *s, uint64_t t, const dscq_dram_config *c)
{
    /* [R2.4] */
    d2_rank *rank = &s->rank[s->refresh_pointer];

    if (rank->refresh_at <= t) {
        if (s->refresh_wanted) /* there is room for one wish only */
            s->lost_refreshes++;
        s->refresh_wanted = 1;
        s->refresh_rank = s->refresh_pointer;
        rank->flag = 1;
        rank->refresh_at = t + (uint64_t)c->tREFI;
        s->refresh_pointer = (s->refresh_pointer + 1) % s->ranks;
        return 1;
    }
    if (rank->powered_down && !rank->flag && rank->refresh_at - t <= (uint64_t)c->tXP) {
        rank->flag = 1;
        return 1;
    }
    return 0;
}

/* ---- the tick ------------------------------------------------------------ */

static int choose_and_issue(dscq_dram *d, d2 *s, uint64_t *wake)
{
    d2_choice c;

    if (!dram__d2_pick(s, d->now, &c, wake))
        return 0;
    dram__d2_issue(d, s, &c);
    dram__d2_advance_pointer(s, &s->next_rank, &s->next_bank);
    return 1;
}

/* R2.7: the oldest transaction whose command queue has two free places. */
static int move_transaction(dscq_dram *d, d2 *s)
{
    for (int32_t i = 0; i < s->trans_count; i++) {
        const int32_t req = s->trans[i];
        const dram_req *r = &d->req[req];
        d2_queue *q = d2_queue_of(s, r->at.rank, r->at.bank);
        /* [R2.7] */
        if (q->count + 2 > s->depth)
            continue;
        d2_cmd e = {.req = req,
                    .row = r->at.row,
                    .bank = (uint8_t)r->at.bank,
                    .is_act = 1,
                    .is_write = r->is_write != 0};
        d2_bank *bank = &s->bank[r->at.rank][r->at.bank];
        q->cmd[q->count++] = e;
        e.is_act = 0;
        q->cmd[q->count++] = e;
        q->wake = 0;
        s->rank[r->at.rank].queued += 2;
        if (bank->state == D2_ACTIVE && bank->row == e.row)
            bank->wanted += 2;
        s->trans_count--;
        memmove(&s->trans[i], &s->trans[i + 1],
                (size_t)(s->trans_count - i) * sizeof *s->trans);
        return 1;
    }
    return 0;
}

static int run_ranks(dscq_dram *d, d2 *s, uint64_t *wake)
{
    int changed = 0;

    for (int32_t r = 0; r < s->ranks; r++) {
        d2_rank *rank = &s->rank[r];
        if (s->low_power)
            changed |= dram__d2_run_power(d, s, r, wake);
        /* [R2.9] */
        if (rank->busy_banks != 0)
            d->rank_state[r] = DRAM_RANK_ACTIVE;
        else
            d->rank_state[r] =
                rank->powered_down ? DRAM_RANK_POWERDOWN : DRAM_RANK_IDLE;
    }
    return changed;
}

static void clear_flags(d2 *s, uint64_t t)
{
    s->next_flag_clear = DRAM_NEVER; /* refreshes are never one cycle apart */
    for (int32_t r = 0; r < s->ranks; r++)
        if (s->rank[r].flag_clear_at <= t) {
            s->rank[r].flag = 0;
            s->rank[r].flag_clear_at = DRAM_NEVER;
        }
}

static uint64_t d2_tick(dscq_dram *d)
{
    d2 *s = d->state;
    const uint64_t t = d->now;
    uint64_t wake = DRAM_NEVER;
    int changed;

    if (s->next_change <= t)
        dram__d2_run_timers(s, t, d->cfg.tRP);
    if (s->next_flag_clear <= t)
        clear_flags(s, t);
    changed = run_refresh_counters(s, t, &d->cfg);
    changed |= choose_and_issue(d, s, &wake);
    changed |= move_transaction(d, s);
    changed |= run_ranks(d, s, &wake);
    if (changed)
        return t + 1;
    const d2_rank *next = &s->rank[s->refresh_pointer];
    wake = dram_min64(wake, next->refresh_at);
    if (next->powered_down && !next->flag)
        wake = dram_min64(wake, next->refresh_at - (uint64_t)d->cfg.tXP);
    wake = dram_min64(wake, dram_min64(s->next_change, s->next_flag_clear));
    return dscq_max64(wake, t + 1);
}

const dram_policy dram__policy_d2 = {
    .name = "d2",
    .summary = "the rules of DRAMSim2: round robin, eager close, power-down",
    .create = d2_create,
    .destroy = d2_destroy,
    .room = d2_room,
    .admit = d2_admit,
    .tick = d2_tick,
    .drained = d2_drained,
    .ref_owed = d2_ref_owed,
    .admit_delay = 0,
};
