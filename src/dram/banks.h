/* Bank timing with bank groups, for policies d3 and frfcfs: when each command is
 * legal, given what was issued. Times are kept at the level to which a rule
 * applies (bank, group, rank) and combined by max when asked, so that a command
 * costs a few stores instead of one per bank. */
#ifndef DRAM_BANKS_H
#define DRAM_BANKS_H

#include "dram_internal.h"

#define DRAM_NO_ROW UINT32_MAX

typedef struct dram_bank {
    uint64_t act, rd, wr, pre, ref; /* earliest cycles, this bank's own reasons */
    uint32_t row;                   /* DRAM_NO_ROW: closed */
    uint32_t hits;                  /* column commands since the activate */
} dram_bank;

typedef struct dram_group {
    uint64_t act, rd, wr; /* _L rules */
} dram_group;

typedef struct dram_rank {
    uint64_t act, rd, wr, pre; /* _S rules, and other ranks' bursts */
    uint64_t faw[4];           /* when each of the last four activates leaves tFAW */
    uint32_t faw_at;
    int32_t open_banks;
} dram_rank;

typedef struct dram_banks {
    dram_bank bank[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    dram_group group[DSCQ_DRAM_RANKS_MAX][8];
    dram_rank rank[DSCQ_DRAM_RANKS_MAX];
    int32_t ranks, banks, per_group_shift;
    /* delays in cycles, from the config */
    uint64_t rl, wl, burst, rd_rd_l, rd_rd_s, rd_rd_rank, wr_wr_rank, rd_wr, wr_rd_l,
        wr_rd_s, wr_rd_rank, rd_pre, wr_pre, rda_act, rda_ref, wra_act, act_act, rrd_l,
        rrd_s, rcd, ras, rp, ppd, rfc, faw;
} dram_banks;

void dram__banks_init(dram_banks *b, const dscq_dram_config *c);

/* Record what command `op` does to the timing, in cycle t. */
void dram__banks_act(dram_banks *b, const dscq_dram_place *at, uint64_t t);
void dram__banks_column(dram_banks *b, const dscq_dram_place *at, int is_write,
                        int auto_pre, uint64_t t);
void dram__banks_pre(dram_banks *b, int32_t rank, int32_t bank, uint64_t t);
void dram__banks_ref(dram_banks *b, int32_t rank, uint64_t t);

/* What a rank that wants its refresh does in cycle t: the bank to precharge now, or
 * DRAM_REFRESH_NOW when all are closed and ready, or DRAM_REFRESH_WAIT; *wake falls to
 * the next chance of the banks that are not ready. */
enum { DRAM_REFRESH_WAIT = -2, DRAM_REFRESH_NOW = -1 };
int32_t dram__banks_refresh_next(const dram_banks *b, int32_t rank, uint64_t t,
                                 uint64_t *wake);

static inline uint64_t dram_banks_act_at(const dram_banks *b, int32_t r, int32_t k)
{
    const dram_rank *rank = &b->rank[r];
    const uint64_t own =
        dram_max64(b->bank[r][k].act, b->group[r][k >> b->per_group_shift].act);

    return dram_max64(own, dram_max64(rank->act, rank->faw[rank->faw_at]));
}

static inline uint64_t dram_banks_column_at(const dram_banks *b, int32_t r, int32_t k,
                                            int is_write)
{
    const dram_bank *bank = &b->bank[r][k];
    const dram_group *group = &b->group[r][k >> b->per_group_shift];

    if (is_write)
        return dram_max64(bank->wr, dram_max64(group->wr, b->rank[r].wr));
    return dram_max64(bank->rd, dram_max64(group->rd, b->rank[r].rd));
}

static inline uint64_t dram_banks_pre_at(const dram_banks *b, int32_t r, int32_t k)
{
    return dram_max64(b->bank[r][k].pre, b->rank[r].pre);
}

#endif
