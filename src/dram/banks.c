#include "banks.h"

#include <string.h>

static uint64_t u(int32_t v)
{
    return v > 0 ? (uint64_t)v : 0;
}

void dram__banks_init(dram_banks *b, const dscq_dram_config *c)
{
    const int32_t B = dscq_dram_burst_cycles(c), RL = c->CL, WL = c->CWL;
    const int groups = c->bank_groups > 1; /* with one group the _S values serve */
    const int32_t ccd_l = groups ? c->tCCD_L : c->tCCD_S;
    const int32_t wtr_l = groups ? c->tWTR_L : c->tWTR_S;
    const int32_t rrd_l = groups ? c->tRRD_L : c->tRRD_S;

    memset(b, 0, sizeof *b);
    b->ranks = c->ranks;
    b->banks = c->banks;
    while ((c->banks / c->bank_groups) >> b->per_group_shift > 1)
        b->per_group_shift++;
    for (int32_t r = 0; r < c->ranks; r++)
        for (int32_t k = 0; k < c->banks; k++)
            b->bank[r][k].row = DRAM_NO_ROW;
    b->rl = u(RL);
    b->wl = u(WL);
    b->burst = u(B);
    b->rd_rd_l = u(B > ccd_l ? B : ccd_l);
    b->rd_rd_s = u(B > c->tCCD_S ? B : c->tCCD_S);
    b->rd_rd_rank = u(B + c->tRTRS);
    b->wr_wr_rank = u(B);
    b->rd_wr = u(RL + B - WL + c->tRTRS);
    b->wr_rd_l = u(WL + B + wtr_l);
    b->wr_rd_s = u(WL + B + c->tWTR_S);
    b->wr_rd_rank = u(WL + B + c->tRTRS - RL);
    b->rd_pre = u(c->tRTP);
    b->wr_pre = u(WL + B + c->tWR);
    b->rda_act = u(B + c->tRTP + c->tRP);
    b->rda_ref = u(c->tRTP + c->tRP);
    b->wra_act = u(WL + B + c->tWR + c->tRP);
    b->act_act = u(c->tRAS + c->tRP);
    b->rrd_l = u(rrd_l);
    b->rrd_s = u(c->tRRD_S);
    b->rcd = u(c->tRCD);
    b->ras = u(c->tRAS);
    b->rp = u(c->tRP);
    b->ppd = u(c->tPPD);
    b->rfc = u(c->tRFC);
    b->faw = u(c->tFAW);
}

void dram__banks_act(dram_banks *b, const dscq_dram_place *at, uint64_t t)
{
    dram_bank *bank = &b->bank[at->rank][at->bank];
    dram_rank *rank = &b->rank[at->rank];

    bank->row = at->row;
    bank->hits = 0;
    dram_raise(&bank->act, t + b->act_act);
    dram_raise(&bank->rd, t + b->rcd);
    dram_raise(&bank->wr, t + b->rcd);
    dram_raise(&bank->pre, t + b->ras);
    dram_raise(&b->group[at->rank][at->group].act, t + b->rrd_l);
    dram_raise(&rank->act, t + b->rrd_s);
    rank->faw[rank->faw_at] = t + b->faw;
    rank->faw_at = (rank->faw_at + 1) % 4;
    rank->open_banks++;
}

static void close_bank(dram_banks *b, int32_t r, int32_t k)
{
    b->bank[r][k].row = DRAM_NO_ROW;
    b->bank[r][k].hits = 0;
    b->rank[r].open_banks--;
}

void dram__banks_column(dram_banks *b, const dscq_dram_place *at, int is_write,
                        int auto_pre, uint64_t t)
{
    dram_bank *bank = &b->bank[at->rank][at->bank];
    dram_group *group = &b->group[at->rank][at->group];

    bank->hits++;
    for (int32_t r = 0; r < b->ranks; r++) {
        dram_rank *rank = &b->rank[r];
        const int own = r == at->rank;
        if (is_write) {
            dram_raise(&rank->wr, t + (own ? b->rd_rd_s : b->wr_wr_rank));
            dram_raise(&rank->rd, t + (own ? b->wr_rd_s : b->wr_rd_rank));
        } else {
            dram_raise(&rank->rd, t + (own ? b->rd_rd_s : b->rd_rd_rank));
            dram_raise(&rank->wr, t + b->rd_wr);
        }
    }
    if (is_write) {
        dram_raise(&group->wr, t + b->rd_rd_l);
        dram_raise(&group->rd, t + b->wr_rd_l);
        dram_raise(&bank->pre, t + b->wr_pre);
    } else {
        dram_raise(&group->rd, t + b->rd_rd_l);
        dram_raise(&bank->pre, t + b->rd_pre);
    }
    if (auto_pre) {
        dram_raise(&bank->act, t + (is_write ? b->wra_act : b->rda_act));
        dram_raise(&bank->ref, t + (is_write ? b->wra_act : b->rda_ref));
        close_bank(b, at->rank, at->bank);
    }
}

void dram__banks_pre(dram_banks *b, int32_t rank, int32_t bank, uint64_t t)
{
    dram_raise(&b->bank[rank][bank].act, t + b->rp);
    dram_raise(&b->bank[rank][bank].ref, t + b->rp);
    dram_raise(&b->rank[rank].pre, t + b->ppd);
    close_bank(b, rank, bank);
}

void dram__banks_ref(dram_banks *b, int32_t rank, uint64_t t)
{
    for (int32_t k = 0; k < b->banks; k++) {
        dram_raise(&b->bank[rank][k].act, t + b->rfc);
        dram_raise(&b->bank[rank][k].ref, t + b->rfc);
    }
}

int32_t dram__banks_refresh_next(const dram_banks *b, int32_t rank, uint64_t t,
                                 uint64_t *wake)
{
    int32_t ready = 0;

    for (int32_t k = 0; k < b->banks; k++) {
        const dram_bank *bank = &b->bank[rank][k];
        const int open = bank->row != DRAM_NO_ROW;
        const uint64_t at = open ? dram_banks_pre_at(b, rank, k) : bank->ref;
        if (at > t)
            *wake = dram_min64(*wake, at);
        else if (open)
            return k;
        else
            ready++;
    }
    return ready == b->banks ? DRAM_REFRESH_NOW : DRAM_REFRESH_WAIT;
}
