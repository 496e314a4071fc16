#include "d2.h"

static int is_busy(d2_bank_state st)
{
    return st == D2_ACTIVE || st == D2_REFRESHING;
}

void dram__d2_set_state(d2 *s, int32_t r, int32_t b, d2_bank_state to,
                        uint64_t change_at)
{
    d2_rank *rank = &s->rank[r];
    d2_bank *bank = &s->bank[r][b];

    rank->busy_banks += is_busy(to) - is_busy(bank->state);
    rank->idle_banks += (to == D2_IDLE) - (bank->state == D2_IDLE);
    if (to == D2_ACTIVE)
        rank->active_mask |= UINT32_C(1) << b;
    else
        rank->active_mask &= ~(UINT32_C(1) << b);
    bank->state = to;
    bank->change_at = change_at;
    bank->auto_pre = 0;
    d2_queue_of(s, r, b)->wake = 0;
    s->next_change = dram_min64(s->next_change, change_at);
}

void dram__d2_run_timers(d2 *s, uint64_t t, int32_t tRP)
{
    /* [R2.2] */
    s->next_change = DRAM_NEVER;
    for (int32_t r = 0; r < s->ranks; r++)
        for (int32_t b = 0; b < s->banks; b++) {
            d2_bank *bank = &s->bank[r][b];
            if (bank->change_at <= t) {
                if (bank->auto_pre)
                    dram__d2_set_state(s, r, b, D2_PRECHARGING, t + (uint64_t)tRP);
                else
                    dram__d2_set_state(s, r, b, D2_IDLE, DRAM_NEVER);
            }
            s->next_change = dram_min64(s->next_change, bank->change_at);
        }
}

/* ---- effects (R2.6) ------------------------------------------------------ */

/* The same bus for all: earliest next bursts of both kinds on rank r. */
static void hold_columns(d2 *s, int32_t r, int own, int is_write, uint64_t t)
{
    /* [R2.6] */
    const int32_t to_read = own ? s->wr_to_rd : s->wr_to_rd_rank;
    const uint64_t same = t + (uint64_t)(own ? s->col_to_col : s->col_to_col_rank);
    const uint64_t turn = t + (uint64_t)(is_write ? to_read : s->rd_to_wr);

    for (int32_t b = 0; b < s->banks; b++) {
        d2_bank *bank = &s->bank[r][b];
        if (!own && bank->state != D2_ACTIVE)
            continue;
        dram_raise(is_write ? &bank->next_wr : &bank->next_rd, same);
        dram_raise(is_write ? &bank->next_rd : &bank->next_wr, turn);
    }
}

static void after_column(d2 *s, const d2_choice *c, uint64_t t)
{
    const int is_write = c->op == DSCQ_DRAM_WR || c->op == DSCQ_DRAM_WRA;

    for (int32_t r = 0; r < s->ranks; r++)
        hold_columns(s, r, r == c->rank, is_write, t);
    d2_queue_of(s, c->rank, c->bank)->wake = 0;
    d2_bank *bank = &s->bank[c->rank][c->bank];
    const uint64_t to_pre = t + (uint64_t)(is_write ? s->wr_to_pre : s->rd_to_pre);
    if (c->op == DSCQ_DRAM_RD || c->op == DSCQ_DRAM_WR) {
        dram_raise(&bank->next_pre, to_pre);
        return;
    }
    dram_raise(&bank->next_act,
               t + (uint64_t)(is_write ? s->wra_to_act : s->rda_to_act));
    bank->next_rd = bank->next_wr = bank->next_act;
    bank->change_at = to_pre;
    bank->auto_pre = 1;
    s->next_change = dram_min64(s->next_change, to_pre);
}

static void after_act(d2 *s, const d2_choice *c, uint64_t t,
                      const dscq_dram_config *cfg)
{
    d2_rank *rank = &s->rank[c->rank];
    d2_bank *bank = &s->bank[c->rank][c->bank];
    const d2_queue *q = d2_queue_of(s, c->rank, c->bank);

    dram__d2_set_state(s, c->rank, c->bank, D2_ACTIVE, DRAM_NEVER);
    bank->row = c->row;
    dram_raise(&bank->next_act, t + (uint64_t)cfg->tRC);
    dram_raise(&bank->next_pre, t + (uint64_t)cfg->tRAS);
    dram_raise(&bank->next_rd, t + (uint64_t)cfg->tRCD);
    dram_raise(&bank->next_wr, t + (uint64_t)cfg->tRCD);
    for (int32_t b = 0; b < s->banks; b++)
        if (b != c->bank)
            dram_raise(&s->bank[c->rank][b].next_act, t + (uint64_t)cfg->tRRD_L);
    rank->faw[rank->faw_at] = t + (uint64_t)cfg->tFAW;
    rank->faw_at = (rank->faw_at + 1) % 4;
    bank->wanted = 0;
    for (int32_t i = 0; i < q->count; i++)
        bank->wanted += q->cmd[i].bank == c->bank && q->cmd[i].row == c->row;
}

static void after_refresh(d2 *s, int32_t r, uint64_t t, int32_t tRFC)
{
    for (int32_t b = 0; b < s->banks; b++) {
        dram__d2_set_state(s, r, b, D2_REFRESHING, t + (uint64_t)tRFC);
        s->bank[r][b].next_act = t + (uint64_t)tRFC;
    }
    s->rank[r].flag_clear_at = t + 1; /* one cycle to reach the rank */
    s->next_flag_clear = t + 1;
}

void dram__d2_issue(dscq_dram *d, d2 *s, const d2_choice *c)
{
    const uint64_t t = d->now;
    dscq_dram_place at = {.rank = c->rank, .bank = c->bank, .row = c->row};
    d2_bank *bank = &s->bank[c->rank][c->bank];

    if (c->req != DRAM_NO_REQ)
        at = d->req[c->req].at;
    dram__note(d, c->op, &at);
    switch (c->op) {
    case DSCQ_DRAM_ACT:
        after_act(s, c, t, &d->cfg);
        break;
    case DSCQ_DRAM_RD:
    case DSCQ_DRAM_RDA: /* one cycle to reach the rank, then latency and data */
        after_column(s, c, t);
        /* [R2.3] */
        dram__finish(d, c->req, t + 1 + (uint64_t)(s->rl + s->burst), DRAM_DONE_READ);
        break;
    case DSCQ_DRAM_WR:
    case DSCQ_DRAM_WRA:
        after_column(s, c, t);
        dram__finish(d, c->req, t + (uint64_t)(s->wl + s->burst), DRAM_DONE_WRITE);
        break;
    case DSCQ_DRAM_PRE:
        dram__d2_set_state(s, c->rank, c->bank, D2_PRECHARGING,
                           t + (uint64_t)d->cfg.tRP);
        dram_raise(&bank->next_act, t + (uint64_t)d->cfg.tRP);
        break;
    default:
        after_refresh(s, c->rank, t, d->cfg.tRFC);
        break;
    }
}

static void set_all(d2 *s, int32_t r, d2_bank_state to)
{
    for (int32_t b = 0; b < s->banks; b++)
        dram__d2_set_state(s, r, b, to, DRAM_NEVER);
}

int dram__d2_run_power(dscq_dram *d, d2 *s, int32_t r, uint64_t *wake)
{
    d2_rank *rank = &s->rank[r];
    const dscq_dram_place at = {.rank = r};

    /* [R2.8] */
    if (rank->queued == 0 && !rank->flag) {
        if (rank->idle_banks != s->banks)
            return 0;
        set_all(s, r, D2_POWERDOWN);
        rank->powered_down = 1;
        rank->power_up_at = d->now + (uint64_t)d->cfg.tCKE;
        dram__note(d, DSCQ_DRAM_PDE, &at);
        return 1;
    }
    if (!rank->powered_down)
        return 0;
    if (d->now < rank->power_up_at) {
        *wake = dram_min64(*wake, rank->power_up_at);
        return 0;
    }
    set_all(s, r, D2_IDLE);
    rank->powered_down = 0;
    for (int32_t b = 0; b < s->banks; b++)
        s->bank[r][b].next_act = d->now + (uint64_t)d->cfg.tXP;
    dram__note(d, DSCQ_DRAM_PDX, &at);
    return 1;
}
