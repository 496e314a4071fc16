#include "dscq/hw/dram_port.h"

#include "dscq/base/alloc.h"

#include <assert.h>
#include <math.h>

enum { CHANNELS_MAX = 2 * DSCQ_DRAM_PORTS_MAX, NONE = -1, FRACTION_BITS = 16 };

static const dscq_key k_keys[] = {
    DSCQ_KEY_INT_ROW(dscq_dram_port_config, fifo, 1, 1024, "16",
                     "requests waiting or unanswered per channel"),
    DSCQ_KEY_INT_ROW(dscq_dram_port_config, outstanding, 1, 256, "16",
                     "port bursts under way per channel"),
    DSCQ_KEY_INT_ROW(dscq_dram_port_config, max_burst_bytes, 16, 4096, "256",
                     "longest port burst; a power of two"),
    DSCQ_KEY_INT_ROW(dscq_dram_port_config, latency_cycles, 0, 1000, "0",
                     "interconnect, each way, DRAM cycles"),
    DSCQ_KEY_REAL_ROW(dscq_dram_port_config, bytes_per_cycle, 0.01, 1024, "16",
                      "port bandwidth each way, per DRAM cycle"),
    DSCQ_KEY_END,
};

const dscq_key *dscq_dram_port_keys(void)
{
    return k_keys;
}

typedef struct port_request {
    uint64_t id, next, end; /* bytes; [next, end) is still to be offered */
    uint64_t seen;          /* cycle from which the arbiter sees it */
    uint64_t done;          /* latest completion of its DRAM bursts */
    uint64_t left;          /* DRAM bursts not completed */
} port_request;

/* A started port burst: how many of its DRAM bursts are not completed. */
typedef struct port_burst {
    int32_t left, request; /* request: slot in the channel's ring */
    int32_t offered_all, next_free, channel;
} port_burst;

typedef struct channel {
    port_request *request;         /* ring of cfg.fifo */
    int32_t head, count, offering; /* offering: requests before it are offered whole */
    int32_t bursts_under_way, burst; /* burst: the one being offered, or NONE */
    uint64_t burst_end, next_at;     /* next_at in 1 / 2^16 cycles */
    uint64_t answered_at;
    dscq_dram_port_counters n;
} channel;

struct dscq_dram_ports {
    dscq_dram *dram;
    dscq_dram_port_config cfg;
    int32_t channels, turn;
    uint32_t blocked; /* channels that the controller had no room for in this cycle */
    uint64_t burst_bytes, step; /* step: P5's wait per DRAM burst, 1 / 2^16 cycles */
    channel channel[CHANNELS_MAX];
    port_request *requests;
    port_burst *burst;
    int32_t burst_free;
};

static dscq_status check_config(const dscq_dram_port_config *c, int32_t count,
                                dscq_error *err)
{
    if (count < 1 || count > DSCQ_DRAM_PORTS_MAX)
        return dscq_fail(err, DSCQ_ARG, "%d ports: want 1 to %d", count,
                         DSCQ_DRAM_PORTS_MAX);
    if (c->fifo < 1 || c->outstanding < 1 || c->latency_cycles < 0 ||
        !(c->bytes_per_cycle >= 0.01 && c->bytes_per_cycle <= 1024))
        return dscq_fail(err, DSCQ_ARG, "port settings out of range");
    if (c->max_burst_bytes < 16 || c->max_burst_bytes > 4096 ||
        (c->max_burst_bytes & (c->max_burst_bytes - 1)) != 0)
        return dscq_fail(err, DSCQ_ARG,
                         "max_burst_bytes = %d: want a power of two in [16, 4096]",
                         c->max_burst_bytes);
    return DSCQ_OK;
}

dscq_status dscq_dram_ports_create(dscq_dram_ports **out, dscq_dram *d, int32_t count,
                                   const dscq_dram_port_config *c, dscq_error *err)
{
    dscq_dram_ports *p;
    const dscq_status status = check_config(c, count, err);

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    p = dscq_calloc(1, sizeof *p);
    if (p == NULL)
        return dscq_fail_nomem(err, "DRAM ports", sizeof *p);
    p->dram = d;
    p->cfg = *c;
    p->channels = 2 * count;
    p->burst_bytes = (uint64_t)dscq_dram_burst_bytes(dscq_dram_settings(d));
    p->step = (uint64_t)ceil((double)p->burst_bytes / c->bytes_per_cycle *
                             (1 << FRACTION_BITS));
    const size_t requests = (size_t)p->channels * (size_t)c->fifo;
    const size_t bursts = (size_t)p->channels * (size_t)c->outstanding;
    p->requests = dscq_calloc(requests, sizeof *p->requests);
    p->burst = dscq_calloc(bursts, sizeof *p->burst);
    if (p->requests == NULL || p->burst == NULL) {
        dscq_dram_ports_destroy(p);
        return dscq_fail_nomem(err, "DRAM port queues", requests + bursts);
    }
    p->burst_free = NONE;
    for (size_t i = bursts; i-- > 0;) {
        p->burst[i].next_free = p->burst_free;
        p->burst_free = (int32_t)i;
    }
    for (int32_t k = 0; k < p->channels; k++) {
        p->channel[k].request = p->requests + (size_t)k * (size_t)c->fifo;
        p->channel[k].burst = NONE;
    }
    *out = p;
    return DSCQ_OK;
}

void dscq_dram_ports_destroy(dscq_dram_ports *p)
{
    if (p == NULL)
        return;
    dscq_free(p->requests);
    dscq_free(p->burst);
    dscq_free(p);
}

static int32_t channel_of(int32_t port, int is_write)
{
    return 2 * port + (is_write != 0);
}

int dscq_dram_ports_room(const dscq_dram_ports *p, int32_t port, int is_write)
{
    return p->channel[channel_of(port, is_write)].count < p->cfg.fifo;
}

dscq_status dscq_dram_ports_submit(dscq_dram_ports *p, const dscq_dram_port_request *rq,
                                   dscq_error *err)
{
    const uint64_t capacity = dscq_dram_capacity_bytes(dscq_dram_settings(p->dram));
    channel *c = &p->channel[channel_of(rq->port, rq->is_write)];

    assert(dscq_dram_ports_room(p, rq->port, rq->is_write) && rq->bytes > 0);
    if (rq->address >= capacity || rq->bytes > capacity - rq->address)
        return dscq_fail(
            err, DSCQ_ARG, "port %d: 0x%llx + %llu bytes leaves the memory", rq->port,
            (unsigned long long)rq->address, (unsigned long long)rq->bytes);
    const uint64_t first = rq->address / p->burst_bytes;
    const uint64_t last = (rq->address + rq->bytes - 1) / p->burst_bytes;
    c->request[(c->head + c->count) % p->cfg.fifo] =
        (port_request){.id = rq->id,
                       .next = rq->address,
                       .end = rq->address + rq->bytes,
                       .seen = dscq_dram_now(p->dram) + (uint64_t)p->cfg.latency_cycles,
                       .left = last - first + 1};
    c->count++;
    c->n.requests++;
    c->n.bytes_wanted += rq->bytes;
    return DSCQ_OK;
}

/* ---- offering DRAM bursts ------------------------------------------------- */

/* The request whose bursts are being offered; NULL when all are offered. */
static port_request *offered(const dscq_dram_ports *p, channel *c)
{
    if (c->offering == c->count)
        return NULL;
    return &c->request[(c->head + c->offering) % p->cfg.fifo];
}

/* First cycle in which the channel could offer a burst, the controller willing;
 * UINT64_MAX: not before something else happens. */
static uint64_t offers_at(const dscq_dram_ports *p, channel *c)
{
    const port_request *r = offered(p, c);
    uint64_t at = (c->next_at + (1 << FRACTION_BITS) - 1) >> FRACTION_BITS;

    if (r == NULL)
        return UINT64_MAX;
    if (c->burst == NONE && c->bursts_under_way >= p->cfg.outstanding)
        return UINT64_MAX;
    return r->seen > at ? r->seen : at;
}

static void start_burst(dscq_dram_ports *p, int32_t k, const port_request *r)
{
    channel *c = &p->channel[k];
    const uint64_t size = (uint64_t)p->cfg.max_burst_bytes;
    const uint64_t cut = r->next / size * size + size;

    c->burst = p->burst_free;
    p->burst_free = p->burst[c->burst].next_free;
    p->burst[c->burst] =
        (port_burst){.request = (c->head + c->offering) % p->cfg.fifo, .channel = k};
    c->burst_end = cut < r->end ? cut : r->end;
    c->bursts_under_way++;
    c->n.port_bursts++;
}

/* Hand the next DRAM burst of channel k to the controller, which has room. */
static dscq_status offer(dscq_dram_ports *p, int32_t k, dscq_error *err)
{
    channel *c = &p->channel[k];
    port_request *r = offered(p, c);
    const uint64_t now = dscq_dram_now(p->dram) << FRACTION_BITS;
    dscq_status status;

    if (c->burst == NONE)
        start_burst(p, k, r);
    const dscq_dram_request rq = {r->next / p->burst_bytes * p->burst_bytes,
                                  (uint64_t)c->burst, k % 2};
    DSCQ_TRY(dscq_dram_submit(p->dram, &rq, err));
    p->burst[c->burst].left++;
    c->n.dram_bursts++;
    c->n.bytes_moved += p->burst_bytes;
    c->next_at = (c->next_at > now ? c->next_at : now) + p->step;
    r->next = rq.address + p->burst_bytes;
    if (r->next >= c->burst_end) {
        p->burst[c->burst].offered_all = 1;
        c->burst = NONE;
    }
    if (r->next >= r->end) {
        c->offering++;
    }
    p->turn = c->burst == NONE ? (k + 1) % p->channels : k;
done:
    return status;
}

/* P4. Returns through *found whether a burst was accepted. */
static dscq_status arbitrate(dscq_dram_ports *p, int *found, dscq_error *err)
{
    const uint64_t now = dscq_dram_now(p->dram);

    *found = 0;
    p->blocked = 0;
    for (int32_t i = 0; i < p->channels; i++) {
        const int32_t k = (p->turn + i) % p->channels;
        if (offers_at(p, &p->channel[k]) > now)
            continue;
        if (!dscq_dram_room(p->dram, k % 2)) {
            p->blocked |= UINT32_C(1) << k;
            continue;
        }
        *found = 1;
        return offer(p, k, err);
    }
    return DSCQ_OK;
}

/* ---- completions ----------------------------------------------------------- */

static void collect(dscq_dram_ports *p)
{
    dscq_dram_completion done;

    while (dscq_dram_poll(p->dram, &done)) {
        port_burst *b = &p->burst[done.id];
        channel *c = &p->channel[b->channel];
        port_request *r = &c->request[b->request];
        r->left--;
        if (done.cycle > r->done)
            r->done = done.cycle;
        if (--b->left == 0 && b->offered_all) {
            b->next_free = p->burst_free;
            p->burst_free = (int32_t)done.id;
            c->bursts_under_way--;
        }
    }
}

/* Cycle in which the oldest request of a channel is answered; UINT64_MAX: open. */
static uint64_t answer_at(const dscq_dram_ports *p, const channel *c)
{
    const port_request *r = &c->request[c->head];

    if (c->count == 0 || r->left != 0)
        return UINT64_MAX;
    const uint64_t at = r->done + (uint64_t)p->cfg.latency_cycles;
    return at > c->answered_at ? at : c->answered_at;
}

int dscq_dram_ports_poll(dscq_dram_ports *p, dscq_dram_port_done *out)
{
    int32_t best = NONE;
    uint64_t best_at = dscq_dram_now(p->dram);

    for (int32_t k = 0; k < p->channels; k++) {
        const uint64_t at = answer_at(p, &p->channel[k]);
        if (at < best_at) {
            best_at = at;
            best = k;
        }
    }
    if (best == NONE)
        return 0;
    channel *c = &p->channel[best];
    *out = (dscq_dram_port_done){c->request[c->head].id, best_at, best / 2, best % 2};
    c->answered_at = best_at;
    c->head = (c->head + 1) % p->cfg.fifo;
    c->count--;
    c->offering--;
    return 1;
}

int dscq_dram_ports_idle(const dscq_dram_ports *p)
{
    for (int32_t k = 0; k < p->channels; k++)
        if (p->channel[k].count != 0)
            return 0;
    return 1;
}

static int has_answer(const dscq_dram_ports *p)
{
    for (int32_t k = 0; k < p->channels; k++)
        if (answer_at(p, &p->channel[k]) < dscq_dram_now(p->dram))
            return 1;
    return 0;
}

/* The next cycle in which a channel may offer or answer, all else unchanged. */
static uint64_t next_event(dscq_dram_ports *p, uint64_t limit)
{
    const uint64_t now = dscq_dram_now(p->dram);

    for (int32_t k = 0; k < p->channels; k++) {
        const uint64_t offer_cycle = offers_at(p, &p->channel[k]);
        const uint64_t answer = answer_at(p, &p->channel[k]);
        if (offer_cycle > now && offer_cycle < limit)
            limit = offer_cycle;
        if (answer != UINT64_MAX && answer >= now && answer + 1 < limit)
            limit = answer + 1;
    }
    return limit;
}

static void count_blocked(dscq_dram_ports *p, uint64_t cycles)
{
    for (int32_t k = 0; k < p->channels; k++)
        if ((p->blocked >> k & 1) != 0)
            p->channel[k].n.wait_controller_cycles += cycles;
}

static dscq_status run(dscq_dram_ports *p, uint64_t until, int stop_when_done,
                       dscq_error *err)
{
    dscq_status status = DSCQ_OK;
    int found;

    while (dscq_dram_now(p->dram) < until && !(stop_when_done && has_answer(p))) {
        DSCQ_TRY(arbitrate(p, &found, err));
        const uint64_t now = dscq_dram_now(p->dram);
        if (found)
            dscq_dram_advance(p->dram, now + 1);
        else
            dscq_dram_advance_until_change(p->dram, next_event(p, until));
        count_blocked(p, dscq_dram_now(p->dram) - now);
        collect(p);
    }
done:
    return status;
}

dscq_status dscq_dram_ports_advance(dscq_dram_ports *p, uint64_t until, dscq_error *err)
{
    return run(p, until, 0, err);
}

dscq_status dscq_dram_ports_advance_until_done(dscq_dram_ports *p, uint64_t limit,
                                               dscq_error *err)
{
    return run(p, limit, 1, err);
}

dscq_dram_port_counters dscq_dram_ports_count(const dscq_dram_ports *p, int32_t port,
                                              int is_write)
{
    return p->channel[channel_of(port, is_write)].n;
}
