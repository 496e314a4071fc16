/* What the files of the DRAM model share: the channel, the pool of requests in
 * flight, and the interface of a policy. */
#ifndef DSCQ_HW_DRAM_INTERNAL_H
#define DSCQ_HW_DRAM_INTERNAL_H

#include "dscq/hw/dram.h"

#include <stddef.h>
#include <stdint.h>

#define HW_NEVER UINT64_MAX
enum { HW_NO_REQ = -1 };

/* What a rank is doing, for background energy. */
typedef enum hw_rank_state {
    HW_RANK_ACTIVE,
    HW_RANK_IDLE,
    HW_RANK_POWERDOWN,
    HW_RANK_STATES
} hw_rank_state;

/* A request in flight; an index into dscq_dram.req. */
typedef struct hw_dram_req {
    uint64_t address; /* of the burst */
    uint64_t id, admitted;
    dscq_dram_place at;
    int32_t next; /* free list, or the next read of the same burst */
    int32_t is_write;
} hw_dram_req;

/* Completions of one kind, oldest first; cycles never fall within one ring. */
typedef struct hw_dram_ring {
    dscq_dram_completion *slot;
    size_t cap, head, count; /* cap is a power of two */
} hw_dram_ring;

typedef enum hw_done_kind {
    HW_DONE_READ,
    HW_DONE_WRITE,
    HW_DONE_FORWARD,
    HW_DONE_KINDS
} hw_done_kind;

typedef struct hw_dram_policy {
    const char *name, *summary;
    /* State owned by the channel; destroy(NULL) is fine. */
    dscq_status (*create)(void **state, dscq_dram *d, dscq_error *err);
    void (*destroy)(void *state);
    int (*room)(const void *state, int is_write);
    /* Take over request `req`; there is room. Cannot fail. */
    void (*admit)(dscq_dram *d, int32_t req);
    /* Run cycle d->now; return the first later cycle that must be run (if no
     * request comes before). Running an unnecessary cycle changes nothing. */
    uint64_t (*tick)(dscq_dram *d);
    int (*drained)(const void *state); /* nothing queued that must still be done */
    uint64_t (*ref_owed)(const dscq_dram *d); /* due but not issued */
    int admit_delay; /* cycles between arrival and the first chance of admission */
} hw_dram_policy;

struct dscq_dram {
    dscq_dram_config cfg;
    dscq_dram_map map;
    const hw_dram_policy *policy;
    void *state;
    uint64_t now, wake;   /* no cycle in [now, wake) needs to run */
    uint64_t last_submit; /* cycle of the last one; HW_NEVER before the first */
    uint64_t end_cycle;
    hw_dram_req *req;
    size_t req_cap, req_live;
    int32_t req_free;
    hw_dram_ring done[HW_DONE_KINDS];
    hw_rank_state rank_state[DSCQ_DRAM_RANKS_MAX];
    uint64_t rank_cycles[DSCQ_DRAM_RANKS_MAX][HW_RANK_STATES];
    uint8_t fresh[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX]; /* no column since ACT */
    uint8_t open[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    uint64_t *row_seen; /* bitmap over rank, bank, row */
    dscq_dram_counters n;
    dscq_dram_watch_fn *watch;
    void *watch_ctx;
};

/* dram_map.c, dram_policy.c */
dscq_status hw_dram_map_parse(dscq_dram_map *out, const dscq_dram_config *c,
                              dscq_error *err);
const hw_dram_policy *hw_dram_policy_find(const char *name); /* NULL: none such */
const char *hw_dram_policy_names(void);                      /* "d2, d3, frfcfs" */

/* dram.c, for policies: record a command issued in cycle d->now. */
void hw_dram_note(dscq_dram *d, dscq_dram_op op, const dscq_dram_place *at);
/* Request `req` is done in `cycle` >= now; it leaves the pool. */
void hw_dram_finish(dscq_dram *d, int32_t req, uint64_t cycle, hw_done_kind kind);
/* Give back a request that completes no more (a write that was reported early). */
void hw_dram_release(dscq_dram *d, int32_t req);
/* Report `req` done while it stays in the pool (posted write). */
void hw_dram_report(dscq_dram *d, int32_t req, uint64_t cycle, hw_done_kind kind);

/* Run the cycle `now` if it needs running, then jump, never beyond `until`. */
void hw_dram_step(dscq_dram *d, uint64_t until);
/* Drop all completions, seen or not; they are counted already. */
void hw_dram_forget_done(dscq_dram *d);

/* dram_pending.c: bursts with a pending read or write, by address. */
typedef struct hw_pending_slot {
    uint64_t address;
    int32_t first_read, last_read; /* chained by hw_dram_req.next */
    int32_t write;                 /* request of the buffered write */
    int32_t used;
} hw_pending_slot;

typedef struct hw_pending {
    hw_pending_slot *slot;
    size_t mask, count;
} hw_pending;

dscq_status hw_pending_create(hw_pending *p, size_t max_count, dscq_error *err);
void hw_pending_destroy(hw_pending *p);
hw_pending_slot *hw_pending_find(hw_pending *p, uint64_t address); /* NULL: none */
/* Find or make. The pointer holds until the next insert or drop. */
hw_pending_slot *hw_pending_insert(hw_pending *p, uint64_t address);
/* Forget the slot when it has neither reads nor a write. */
void hw_pending_drop_if_empty(hw_pending *p, hw_pending_slot *s);

static inline uint64_t hw_max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t hw_min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline void hw_raise(uint64_t *v, uint64_t to)
{
    if (*v < to)
        *v = to;
}

#endif
