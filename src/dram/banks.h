/* When each command is legal, given what was issued: the rows of the device's standard
 * (standard.h) at work, for policies d3 and frfcfs. Times are kept at the level to
 * which a row applies (bank, group, rank) and combined by max when asked, so that a
 * command costs a few stores instead of one per bank. */
#ifndef DRAM_BANKS_H
#define DRAM_BANKS_H

#include "dram_internal.h"
#include "standard.h"

#define DRAM_NO_ROW UINT32_MAX

/* Commands as followers of others; auto-precharge makes no difference there. */
typedef enum dram_next {
    DRAM_NEXT_ACT,
    DRAM_NEXT_RD,
    DRAM_NEXT_WR,
    DRAM_NEXT_PRE,
    DRAM_NEXT_REF,
    DRAM_NEXT_REFSB,
    DRAM_NEXT_PDX,
    DRAM_NEXTS
} dram_next;

typedef struct dram_bank {
    uint64_t next[DRAM_NEXTS]; /* earliest cycles, this bank's own reasons */
    uint32_t row;              /* DRAM_NO_ROW: closed */
    uint32_t hits;             /* column commands since the activate */
} dram_bank;

typedef struct dram_group {
    uint64_t next[DRAM_NEXTS];
} dram_group;

enum { DRAM_WINDOW_MAX = 8 };

typedef struct dram_rank {
    uint64_t next[DRAM_NEXTS];
    uint64_t window[DRAM_WINDOW_MAX]; /* when each of the last commands leaves it */
    uint64_t rest; /* banks may be activated, after a command that took all of them */
    int32_t window_at;
    uint32_t open;        /* banks: a bit each */
    uint64_t refreshable; /* no bank's own reason against a refresh lasts longer */
} dram_rank;

/* What a command does at one level. */
typedef struct dram_delays {
    struct {
        uint64_t cycles;
        dram_next next;
    } row[DRAM_NEXTS];
    int32_t count;
} dram_delays;

typedef struct dram_banks {
    dram_bank bank[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    dram_group group[DSCQ_DRAM_RANKS_MAX][8];
    dram_rank rank[DSCQ_DRAM_RANKS_MAX];
    int32_t ranks, banks, per_group_shift;
    dram_delays after[DRAM_OPS][DRAM_LEVELS];
    struct { /* the row with a window: of a rank, of one command */
        unsigned preceding;
        dram_next next;
        uint64_t cycles;
        int32_t count;
    } window;
} dram_banks;

void dram__banks_init(dram_banks *b, const dscq_dram_config *c);

/* Record command `op` in cycle t. */
void dram__banks_issue(dram_banks *b, dscq_dram_op op, const dscq_dram_place *at,
                       uint64_t t);

/* Cycles from a command to one behind it in the same bank, by bank, group and rank. */
uint64_t dram__banks_delay(const dram_banks *b, dscq_dram_op op, dram_next next);

/* The banks that a refresh takes, a bit each: all, or number `set` of every group. */
uint32_t dram__banks_taken(const dram_banks *b, dscq_dram_op op, int32_t set);

/* What a rank that wants refresh `op` does in cycle t: the bank to precharge now, or
 * DRAM_REFRESH_NOW when all that it takes are closed and ready, or DRAM_REFRESH_WAIT;
 * *wake falls to the next chance of the banks that are not ready. */
enum { DRAM_REFRESH_WAIT = -2, DRAM_REFRESH_NOW = -1 };
int32_t dram__banks_refresh_next(const dram_banks *b, dscq_dram_op op,
                                 const dscq_dram_place *at, uint64_t t, uint64_t *wake);

/* Earliest cycle of an activate or a column command to bank k of rank r. */
static inline uint64_t dram_banks_at(const dram_banks *b, int32_t r, int32_t k,
                                     dram_next next)
{
    const uint64_t bank = b->bank[r][k].next[next];
    const uint64_t group = b->group[r][k >> b->per_group_shift].next[next];

    return dscq_max64(bank, dscq_max64(group, b->rank[r].next[next]));
}

/* Of a precharge or a refresh: groups do not matter to them. */
static inline uint64_t dram_banks_close_at(const dram_banks *b, int32_t r, int32_t k,
                                           dram_next next)
{
    return dscq_max64(b->bank[r][k].next[next], b->rank[r].next[next]);
}

static inline uint64_t dram_banks_column_at(const dram_banks *b, int32_t r, int32_t k,
                                            int is_write)
{
    return dram_banks_at(b, r, k, is_write ? DRAM_NEXT_WR : DRAM_NEXT_RD);
}

#endif
