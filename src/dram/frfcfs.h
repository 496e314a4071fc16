/* State of policy frfcfs, shared by its two files: the queues (frfcfs_queue.c)
 * and the decisions (frfcfs.c). */
#ifndef DRAM_FRFCFS_H
#define DRAM_FRFCFS_H

#include "banks.h"

typedef enum frf_kind { FRF_READ, FRF_WRITE, FRF_KINDS } frf_kind;

/* A queued request; lists are in order of arrival. */
typedef struct frf_node {
    int32_t req, prev, next; /* nodes; DRAM_NO_REQ at the ends */
    uint32_t row;
    uint64_t order; /* arrival number: the smaller, the older */
} frf_node;

/* The requests of one kind for one bank, and the next command they need. */
typedef struct frf_list {
    int32_t first, last;
    int32_t node;    /* for which `op` is needed; valid unless stale */
    dscq_dram_op op; /* ACT, PRE, or RD / WR */
    int32_t stale;   /* node and op must be found again */
    uint64_t ready;  /* `op` is not legal before; DRAM_NEVER: empty */
} frf_list;

/* Adaptive page close of one bank. */
typedef struct frf_page {
    uint64_t last_use;
    uint64_t close_after; /* idle cycles that close the row */
    uint32_t closed_row;  /* closed by the timer, DRAM_NO_ROW: not */
} frf_page;

typedef struct frf_rank {
    uint64_t due;     /* cycle in which the next refresh is owed */
    uint64_t busy_to; /* refreshing until */
    int32_t owed, queued, powered_down;
    int32_t set; /* of banks, whose refresh is next */
} frf_rank;

typedef struct frf {
    dram_banks banks;
    uint64_t read_cycles; /* from a read command to the end of its data */
    uint64_t pre_act, act_column;
    dscq_dram_op refresh;      /* of all banks, or of one in every group */
    uint64_t refresh_interval; /* of one rank's refreshes */
    uint64_t refresh_cycles;   /* in which a rank is active for them */
    uint64_t turn[FRF_KINDS];  /* from a burst of the kind to one of the other */
    frf_rank rank[DSCQ_DRAM_RANKS_MAX];
    frf_page page[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    frf_list list[FRF_KINDS][DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    uint32_t filled[FRF_KINDS][DSCQ_DRAM_RANKS_MAX]; /* banks with a list */
    frf_node *node;
    int32_t node_free;
    int32_t cap[FRF_KINDS], held[FRF_KINDS]; /* places; taken, parked writes too */
    int32_t linked[FRF_KINDS];               /* in lists */
    frf_kind mode;                           /* that is being served */
    int32_t forced; /* the write batch began at the high mark */
    uint64_t arrivals;
    dram_pending pending;
} frf;

dscq_status dram__frf_queue_create(frf *s, const dscq_dram_config *c, dscq_error *err);
void dram__frf_queue_destroy(frf *s);

/* Put a request behind the others of its bank; take one out. */
void dram__frf_link(dscq_dram *d, frf *s, int32_t req);
void dram__frf_unlink(dscq_dram *d, frf *s, frf_kind kind, int32_t i);
/* The bank's row changed: what its requests need must be found again. */
void dram__frf_stale(frf *s, int32_t rank, int32_t bank, uint64_t now);
/* Make `op`, `node` and `ready` of a list with stale set true again. */
void dram__frf_refresh_list(dscq_dram *d, frf *s, frf_kind kind, int32_t rank,
                            int32_t bank);

#endif
