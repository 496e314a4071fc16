/* State of policy d2, shared by its files: the queues and the tick (d2.c), the
 * choice of a command (d2_pick.c), bank states and effects (d2_banks.c). */
#ifndef DRAM_D2_H
#define DRAM_D2_H

#include "dram_internal.h"

typedef enum d2_bank_state {
    D2_IDLE,
    D2_ACTIVE,
    D2_PRECHARGING,
    D2_REFRESHING,
    D2_POWERDOWN
} d2_bank_state;

typedef struct d2_bank {
    uint64_t next_rd, next_wr, next_act, next_pre; /* earliest cycle of each */
    uint64_t change_at;                            /* of the state; DRAM_NEVER: stays */
    uint32_t row, accesses;                        /* accesses: against the row cap */
    uint32_t wanted; /* queued commands for the open row */
    d2_bank_state state;
    int32_t auto_pre; /* the pending change is an auto-precharge */
} d2_bank;

typedef struct d2_cmd {
    int32_t req; /* an activate and its column command carry the same one */
    uint32_t row;
    uint8_t bank, is_act, is_write;
} d2_cmd;

typedef struct d2_queue {
    d2_cmd *cmd;
    int32_t count;
    /* No entry may issue before. A lower bound that holds until the queue or the
     * state of one of its banks changes, for "earliest" times only grow. */
    uint64_t wake;
} d2_queue;

typedef struct d2_rank {
    uint64_t faw[4]; /* when each of the last four activates leaves the window */
    uint32_t faw_at; /* the oldest */
    uint64_t refresh_at, flag_clear_at, power_up_at;
    int32_t flag; /* waits for, or is about to need, a refresh */
    int32_t powered_down, queued, busy_banks, idle_banks;
    uint32_t active_mask; /* banks */
} d2_rank;

typedef struct d2 {
    int32_t ranks, banks, per_bank, open_page, depth, cap, low_power, order;
    int32_t rl, wl, burst;
    int32_t rd_to_pre, wr_to_pre, rd_to_wr, wr_to_rd, wr_to_rd_rank;
    int32_t rda_to_act, wra_to_act, col_to_col, col_to_col_rank;
    int32_t *trans, trans_count, trans_cap;
    d2_queue queue[DSCQ_DRAM_RANKS_MAX * DSCQ_DRAM_BANKS_MAX];
    d2_cmd *cmds;
    d2_rank rank[DSCQ_DRAM_RANKS_MAX];
    d2_bank bank[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    uint64_t next_change; /* least change_at of all banks */
    uint64_t next_flag_clear;
    uint64_t lost_refreshes; /* wishes that a later one took the place of */
    int32_t refresh_pointer, refresh_rank, refresh_wanted;
    int32_t next_rank, next_bank, pre_rank, pre_bank;
} d2;

/* A command taken from a queue, or a precharge or refresh of the controller. */
typedef struct d2_choice {
    dscq_dram_op op;
    int32_t rank, bank, req;
    uint32_t row;
} d2_choice;

static inline d2_queue *d2_queue_of(d2 *s, int32_t rank, int32_t bank)
{
    return &s->queue[s->per_bank ? rank * s->banks + bank : rank];
}

/* d2_banks.c */
void dram__d2_set_state(d2 *s, int32_t rank, int32_t bank, d2_bank_state to,
                        uint64_t change_at);
/* R2.2: timers that run out in cycle t. */
void dram__d2_run_timers(d2 *s, uint64_t t, int32_t tRP);
/* R2.6: record the command and what it does to the banks. */
void dram__d2_issue(dscq_dram *d, d2 *s, const d2_choice *c);
/* R2.8 for one rank: 1 when it entered or left power-down. */
int dram__d2_run_power(dscq_dram *d, d2 *s, int32_t rank, uint64_t *wake);

/* d2_pick.c: R2.5. 1 and *out, or 0; *wake falls to the first cycle in which
 * there may be something to issue. */
int dram__d2_pick(d2 *s, uint64_t t, d2_choice *out, uint64_t *wake);
/* Step the round-robin pointer. */
void dram__d2_advance_pointer(const d2 *s, int32_t *rank, int32_t *bank);

#endif
