/* What policies tell their channel: commands that they issued, requests that are done.
 */
#include "dram_internal.h"

#include <assert.h>

void dram__release(dscq_dram *d, int32_t req)
{
    d->req[req].next = d->req_free;
    d->req_free = req;
    d->req_live--;
}

void dram__report(dscq_dram *d, int32_t req, uint64_t cycle, dram_done_kind kind)
{
    const dram_req *r = &d->req[req];
    dram_ring *q = &d->done[kind];

    assert(q->count < q->cap);
    q->slot[(q->head + q->count) & (q->cap - 1)] =
        (dscq_dram_completion){r->id, cycle, r->is_write};
    q->count++;
    if (r->is_write) {
        d->n.writes_done++;
        d->n.write_latency_cycles += cycle - r->admitted;
    } else {
        d->n.reads_done++;
        d->n.read_latency_cycles += cycle - r->admitted;
    }
    dram_raise(&d->end_cycle, cycle + 1);
}

void dram__finish(dscq_dram *d, int32_t req, uint64_t cycle, dram_done_kind kind)
{
    dram__report(d, req, cycle, kind);
    dram__release(d, req);
}

static void count_column(dscq_dram *d, const dscq_dram_place *at)
{
    uint8_t *fresh = &d->fresh[at->rank][at->bank];

    if (*fresh)
        d->n.row_misses++;
    else
        d->n.row_hits++;
    *fresh = 0;
}

void dram__note(dscq_dram *d, dscq_dram_op op, const dscq_dram_place *at)
{
    uint8_t *open = &d->open[at->rank][at->bank];

    switch (op) {
    case DSCQ_DRAM_ACT:
        d->n.act++;
        d->fresh[at->rank][at->bank] = 1;
        *open = 1;
        break;
    case DSCQ_DRAM_RDA:
    case DSCQ_DRAM_WRA:
        d->n.auto_pre++;
        *open = 0;
        /* fall through */
    case DSCQ_DRAM_RD:
    case DSCQ_DRAM_WR:
        count_column(d, at);
        if (op == DSCQ_DRAM_RD || op == DSCQ_DRAM_RDA)
            d->n.read_cmds++;
        else
            d->n.write_cmds++;
        break;
    case DSCQ_DRAM_PRE:
        d->n.pre++;
        *open = 0;
        break;
    case DSCQ_DRAM_REF:
        d->n.ref++;
        break;
    case DSCQ_DRAM_REFSB:
        d->n.ref_same_bank++;
        break;
    case DSCQ_DRAM_PDE:
    case DSCQ_DRAM_PDX:
        break;
    }
    if (d->watch != NULL) {
        const dscq_dram_command c = {d->now, op, *at};
        d->watch(d->watch_ctx, &c);
    }
}
