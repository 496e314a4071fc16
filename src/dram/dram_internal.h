/* What the files of the DRAM model share: the channel, the pool of requests in
 * flight, and the interface of a policy. */
#ifndef DRAM_INTERNAL_H
#define DRAM_INTERNAL_H

#include "dscq/base/ints.h"
#include "dscq/dram/dram.h"

#include <stddef.h>
#include <stdint.h>

#define DRAM_NEVER UINT64_MAX
enum { DRAM_NO_REQ = -1, DRAM_OPS = DSCQ_DRAM_REFSB + 1 };

/* What a rank is doing, for background energy. */
typedef enum dram_rank_state {
    DRAM_RANK_ACTIVE,
    DRAM_RANK_IDLE,
    DRAM_RANK_POWERDOWN,
    DRAM_RANK_STATES
} dram_rank_state;

/* A request in flight; an index into dscq_dram.req. */
typedef struct dram_req {
    uint64_t address; /* of the burst */
    uint64_t id, admitted;
    dscq_dram_place at;
    int32_t next; /* free list, or the next read of the same burst */
    int32_t is_write;
} dram_req;

/* Completions of one kind, oldest first; cycles never fall within one ring. */
typedef struct dram_ring {
    dscq_dram_completion *slot;
    size_t cap, head, count; /* cap is a power of two */
} dram_ring;

typedef enum dram_done_kind {
    DRAM_DONE_READ,
    DRAM_DONE_WRITE,
    DRAM_DONE_FORWARD,
    DRAM_DONE_KINDS
} dram_done_kind;

typedef struct dram_policy {
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
} dram_policy;

struct dscq_dram {
    dscq_dram_config cfg;
    dscq_dram_map map;
    const dram_policy *policy;
    void *state;
    uint64_t now, wake;   /* no cycle in [now, wake) needs to run */
    uint64_t last_submit; /* cycle of the last one; DRAM_NEVER before the first */
    uint64_t end_cycle;
    int32_t refresh_sets; /* refreshes by which a whole rank is refreshed */
    dram_req *req;
    size_t req_cap, req_live;
    int32_t req_free;
    dram_ring done[DRAM_DONE_KINDS];
    dram_rank_state rank_state[DSCQ_DRAM_RANKS_MAX];
    uint64_t rank_cycles[DSCQ_DRAM_RANKS_MAX][DRAM_RANK_STATES];
    uint8_t fresh[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX]; /* no column since ACT */
    uint8_t open[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    uint64_t *row_seen; /* bitmap over rank, bank, row */
    dscq_dram_counters n;
    dscq_dram_watch_fn *watch;
    void *watch_ctx;
};

/* map.c, policy_table.c */
dscq_status dram__map_parse(dscq_dram_map *out, const dscq_dram_config *c,
                            dscq_error *err);
const dram_policy *dram__policy_find(const char *name); /* NULL: none such */

/* channel.c, for policies: record a command issued in cycle d->now. */
void dram__note(dscq_dram *d, dscq_dram_op op, const dscq_dram_place *at);
/* Request `req` is done in `cycle` >= now; it leaves the pool. */
void dram__finish(dscq_dram *d, int32_t req, uint64_t cycle, dram_done_kind kind);
/* Give back a request that completes no more (a write that was reported early). */
void dram__release(dscq_dram *d, int32_t req);
/* Report `req` done while it stays in the pool (posted write). */
void dram__report(dscq_dram *d, int32_t req, uint64_t cycle, dram_done_kind kind);

/* dram.c. Run the cycle `now` if it needs running, then jump, never beyond `until`. */
void dram__step(dscq_dram *d, uint64_t until);
/* Drop all completions, seen or not; they are counted already. */
void dram__forget_done(dscq_dram *d);

/* pending.c: bursts with a pending read or write, by address. */
typedef struct dram_pending_slot {
    uint64_t address;
    int32_t first_read, last_read; /* chained by dram_req.next */
    int32_t write;                 /* request of the buffered write */
    int32_t used;
} dram_pending_slot;

typedef struct dram_pending {
    dram_pending_slot *slot;
    size_t mask, count;
} dram_pending;

dscq_status dram__pending_create(dram_pending *p, size_t max_count, dscq_error *err);
void dram__pending_destroy(dram_pending *p);
dram_pending_slot *dram__pending_find(dram_pending *p,
                                      uint64_t address); /* NULL: none */
/* Find or make. The pointer holds until the next insert or drop. */
dram_pending_slot *dram__pending_insert(dram_pending *p, uint64_t address);
/* Forget the slot when it has neither reads nor a write. */
void dram__pending_drop_if_empty(dram_pending *p, dram_pending_slot *s);

static inline uint64_t dram_min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline void dram_raise(uint64_t *v, uint64_t to)
{
    if (*v < to)
        *v = to;
}

#endif
