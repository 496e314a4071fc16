#include "dscq/dram/dram.h"

#include "dram_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <string.h>

static size_t row_words(const dscq_dram_config *c)
{
    const size_t rows = (size_t)c->ranks * (size_t)c->banks * (size_t)c->rows;

    return (rows + 63) / 64;
}

dscq_status dscq_dram_create(dscq_dram **out, const dscq_dram_config *config,
                             dscq_error *err)
{
    dscq_dram *d = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_dram_config_check(config, err));
    d = dscq_calloc(1, sizeof *d);
    if (d == NULL)
        return dscq_fail_nomem(err, "DRAM channel", sizeof *d);
    d->cfg = *config;
    d->policy = dram__policy_find(config->policy);
    d->last_submit = DRAM_NEVER;
    d->req_free = DRAM_NO_REQ;
    d->refresh_sets = 1;
    dscq_dram_map_init(&d->map, config);
    for (int r = 0; r < DSCQ_DRAM_RANKS_MAX; r++)
        d->rank_state[r] = DRAM_RANK_IDLE;
    d->row_seen = dscq_calloc(row_words(config), sizeof *d->row_seen);
    if (d->row_seen == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "DRAM row map", row_words(config) * 8));
    DSCQ_TRY(d->policy->create(&d->state, d, err));
    *out = d;
    return DSCQ_OK;
done:
    dscq_dram_destroy(d);
    return status;
}

void dscq_dram_destroy(dscq_dram *d)
{
    if (d == NULL)
        return;
    d->policy->destroy(d->state);
    for (int k = 0; k < DRAM_DONE_KINDS; k++)
        dscq_free(d->done[k].slot);
    dscq_free(d->row_seen);
    dscq_free(d->req);
    dscq_free(d);
}

const dscq_dram_config *dscq_dram_settings(const dscq_dram *d)
{
    return &d->cfg;
}

uint64_t dscq_dram_now(const dscq_dram *d)
{
    return d->now;
}

uint64_t dscq_dram_end_cycle(const dscq_dram *d)
{
    return d->end_cycle;
}

void dscq_dram_watch(dscq_dram *d, dscq_dram_watch_fn *fn, void *ctx)
{
    d->watch = fn;
    d->watch_ctx = ctx;
}

/* ---- requests in flight -------------------------------------------------- */

static dscq_status grow_pool(dscq_dram *d, dscq_error *err)
{
    const size_t cap = d->req_cap == 0 ? 128 : 2 * d->req_cap;
    dram_req *r = NULL;

    if (cap <= INT32_MAX)
        r = dscq_realloc(d->req, d->req_cap * sizeof *r, cap * sizeof *r);
    if (r == NULL)
        return dscq_fail_nomem(err, "DRAM requests in flight", cap * sizeof *r);
    for (size_t i = cap; i-- > d->req_cap;) {
        r[i].next = d->req_free;
        d->req_free = (int32_t)i;
    }
    d->req = r;
    d->req_cap = cap;
    return DSCQ_OK;
}

static dscq_status grow_ring(dram_ring *q, size_t want, dscq_error *err)
{
    size_t cap = q->cap == 0 ? 128 : q->cap;
    dscq_dram_completion *slot;

    while (cap < want)
        cap *= 2;
    if (cap == q->cap)
        return DSCQ_OK;
    slot = dscq_calloc(cap, sizeof *slot);
    if (slot == NULL)
        return dscq_fail_nomem(err, "DRAM completions", cap * sizeof *slot);
    for (size_t i = 0; i < q->count; i++)
        slot[i] = q->slot[(q->head + i) & (q->cap - 1)];
    dscq_free(q->slot);
    *q = (dram_ring){slot, cap, 0, q->count};
    return DSCQ_OK;
}

/* So that finishing a request can never fail. */
static dscq_status reserve(dscq_dram *d, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (d->req_free == DRAM_NO_REQ)
        DSCQ_TRY(grow_pool(d, err));
    for (int k = 0; k < DRAM_DONE_KINDS; k++)
        if (d->done[k].count + d->req_live + 1 > d->done[k].cap)
            DSCQ_TRY(grow_ring(&d->done[k], d->done[k].count + d->req_live + 1, err));
done:
    return status;
}

static void mark_row(dscq_dram *d, const dscq_dram_place *at)
{
    const size_t bank = (size_t)at->rank * (size_t)d->cfg.banks + (size_t)at->bank;
    const size_t row = bank * (size_t)d->cfg.rows + at->row;
    const uint64_t bit = UINT64_C(1) << (row % 64);

    if ((d->row_seen[row / 64] & bit) == 0) {
        d->row_seen[row / 64] |= bit;
        d->n.rows_touched++;
    }
}

int dscq_dram_room(const dscq_dram *d, int is_write)
{
    return d->last_submit != d->now && d->policy->room(d->state, is_write);
}

dscq_status dscq_dram_submit(dscq_dram *d, const dscq_dram_request *request,
                             dscq_error *err)
{
    dscq_status status;

    assert(dscq_dram_room(d, request->is_write));
    if (request->address >= d->map.capacity_bytes)
        return dscq_fail(err, DSCQ_ARG,
                         "address 0x%llx: the memory '%s' ends at 0x%llx",
                         (unsigned long long)request->address, d->cfg.part,
                         (unsigned long long)d->map.capacity_bytes);
    DSCQ_TRY(reserve(d, err));
    const int32_t i = d->req_free;
    dram_req *r = &d->req[i];
    d->req_free = r->next;
    d->req_live++;
    *r = (dram_req){.address = request->address >> d->map.burst_shift
                                                       << d->map.burst_shift,
                    .id = request->id,
                    .admitted = d->now,
                    .at = dscq_dram_map_place(&d->map, request->address),
                    .next = DRAM_NO_REQ,
                    .is_write = request->is_write != 0};
    mark_row(d, &r->at);
    if (r->is_write)
        d->n.writes++;
    else
        d->n.reads++;
    d->last_submit = d->now;
    d->wake = d->now;
    d->policy->admit(d, i);
done:
    return status;
}

/* The ring whose oldest completion is earliest; reads first on a tie. */
static dram_ring *earliest(dscq_dram *d)
{
    dram_ring *best = NULL;

    for (int k = 0; k < DRAM_DONE_KINDS; k++) {
        dram_ring *q = &d->done[k];
        if (q->count != 0 &&
            (best == NULL || q->slot[q->head].cycle < best->slot[best->head].cycle))
            best = q;
    }
    return best;
}

int dscq_dram_poll(dscq_dram *d, dscq_dram_completion *out)
{
    dram_ring *q = earliest(d);

    if (q == NULL || q->slot[q->head].cycle >= d->now)
        return 0;
    *out = q->slot[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    return 1;
}

void dram__forget_done(dscq_dram *d)
{
    for (int k = 0; k < DRAM_DONE_KINDS; k++)
        d->done[k].count = 0;
}

int dscq_dram_idle(const dscq_dram *d)
{
    return d->policy->drained(d->state) && d->now >= d->end_cycle;
}

/* ---- the clock ----------------------------------------------------------- */

/* Run the cycle `now` if it needs running, then jump, never beyond `until`. */
void dram__step(dscq_dram *d, uint64_t until)
{
    if (d->wake <= d->now) {
        d->wake = d->policy->tick(d);
        assert(d->wake > d->now);
    }
    const uint64_t next = dram_min64(d->wake, until);
    for (int32_t r = 0; r < d->cfg.ranks; r++)
        d->rank_cycles[r][d->rank_state[r]] += next - d->now;
    d->now = next;
}

void dscq_dram_advance(dscq_dram *d, uint64_t until)
{
    while (d->now < until)
        dram__step(d, until);
}

uint64_t dscq_dram_advance_until_change(dscq_dram *d, uint64_t limit)
{
    const int room_read = d->policy->room(d->state, 0);
    const int room_write = d->policy->room(d->state, 1);

    assert(limit > d->now);
    dram__step(d, d->now + 1);
    for (;;) {
        dram_ring *q = earliest(d);
        const uint64_t done = q != NULL ? q->slot[q->head].cycle + 1 : DRAM_NEVER;
        if (d->now >= limit || done <= d->now ||
            d->policy->room(d->state, 0) > room_read ||
            d->policy->room(d->state, 1) > room_write)
            return d->now;
        dram__step(d, dram_min64(limit, done));
    }
}
