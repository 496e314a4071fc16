/* Bank timing with bank groups, for policies d3 and frfcfs: when each command is
 * legal, given what was issued. Times are kept at the level to which a rule
 * applies (bank, group, rank) and combined by max when asked, so that a command
 * costs a few stores instead of one per bank. */
#ifndef DSCQ_HW_DRAM_BANKS_H
#define DSCQ_HW_DRAM_BANKS_H

#include "dram_internal.h"

#define HW_NO_ROW UINT32_MAX

typedef struct hw_bank {
    uint64_t act, rd, wr, pre, ref; /* earliest cycles, this bank's own reasons */
    uint32_t row;                   /* HW_NO_ROW: closed */
    uint32_t hits;                  /* column commands since the activate */
} hw_bank;

typedef struct hw_group {
    uint64_t act, rd, wr; /* _L rules */
} hw_group;

typedef struct hw_rank {
    uint64_t act, rd, wr, pre; /* _S rules, and other ranks' bursts */
    uint64_t faw[4];           /* when each of the last four activates leaves tFAW */
    uint32_t faw_at;
    int32_t open_banks;
} hw_rank;

typedef struct hw_banks {
    hw_bank bank[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    hw_group group[DSCQ_DRAM_RANKS_MAX][8];
    hw_rank rank[DSCQ_DRAM_RANKS_MAX];
    int32_t ranks, banks, per_group_shift;
    /* delays in cycles, from the config */
    uint64_t rl, wl, burst, rd_rd_l, rd_rd_s, rd_rd_rank, wr_wr_rank, rd_wr, wr_rd_l,
        wr_rd_s, wr_rd_rank, rd_pre, wr_pre, rda_act, rda_ref, wra_act, act_act, rrd_l,
        rrd_s, rcd, ras, rp, ppd, rfc, faw;
} hw_banks;

void hw_banks_init(hw_banks *b, const dscq_dram_config *c);

/* Record what command `op` does to the timing, in cycle t. */
void hw_banks_act(hw_banks *b, const dscq_dram_place *at, uint64_t t);
void hw_banks_column(hw_banks *b, const dscq_dram_place *at, int is_write, int auto_pre,
                     uint64_t t);
void hw_banks_pre(hw_banks *b, int32_t rank, int32_t bank, uint64_t t);
void hw_banks_ref(hw_banks *b, int32_t rank, uint64_t t);

/* What a rank that wants its refresh does in cycle t: the bank to precharge now, or
 * HW_REFRESH_NOW when all are closed and ready, or HW_REFRESH_WAIT; *wake falls to the
 * next chance of the banks that are not ready. */
enum { HW_REFRESH_WAIT = -2, HW_REFRESH_NOW = -1 };
int32_t hw_banks_refresh_next(const hw_banks *b, int32_t rank, uint64_t t,
                              uint64_t *wake);

static inline uint64_t hw_banks_act_at(const hw_banks *b, int32_t r, int32_t k)
{
    const hw_rank *rank = &b->rank[r];
    const uint64_t own =
        hw_max64(b->bank[r][k].act, b->group[r][k >> b->per_group_shift].act);

    return hw_max64(own, hw_max64(rank->act, rank->faw[rank->faw_at]));
}

static inline uint64_t hw_banks_column_at(const hw_banks *b, int32_t r, int32_t k,
                                          int is_write)
{
    const hw_bank *bank = &b->bank[r][k];
    const hw_group *group = &b->group[r][k >> b->per_group_shift];

    if (is_write)
        return hw_max64(bank->wr, hw_max64(group->wr, b->rank[r].wr));
    return hw_max64(bank->rd, hw_max64(group->rd, b->rank[r].rd));
}

static inline uint64_t hw_banks_pre_at(const hw_banks *b, int32_t r, int32_t k)
{
    return hw_max64(b->bank[r][k].pre, b->rank[r].pre);
}

#endif
