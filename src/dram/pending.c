#include "dram_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>

/* Open addressing with linear probing and backward-shift deletion: at most half
 * full, no tombstones, so that a run of any length stays fast. */

static size_t home_of(const dram_pending *p, uint64_t address)
{
    return (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & p->mask;
}

dscq_status dram__pending_create(dram_pending *p, size_t max_count, dscq_error *err)
{
    size_t cap = 16;

    while (cap < 2 * max_count)
        cap *= 2;
    *p = (dram_pending){.slot = dscq_calloc(cap, sizeof *p->slot), .mask = cap - 1};
    if (p->slot == NULL)
        return dscq_fail_nomem(err, "pending DRAM requests", cap * sizeof *p->slot);
    return DSCQ_OK;
}

void dram__pending_destroy(dram_pending *p)
{
    dscq_free(p->slot);
    *p = (dram_pending){0};
}

dram_pending_slot *dram__pending_find(dram_pending *p, uint64_t address)
{
    for (size_t i = home_of(p, address); p->slot[i].used; i = (i + 1) & p->mask)
        if (p->slot[i].address == address)
            return &p->slot[i];
    return NULL;
}

dram_pending_slot *dram__pending_insert(dram_pending *p, uint64_t address)
{
    size_t i = home_of(p, address);

    for (; p->slot[i].used; i = (i + 1) & p->mask)
        if (p->slot[i].address == address)
            return &p->slot[i];
    assert(p->count < p->mask);
    p->count++;
    p->slot[i] = (dram_pending_slot){
        .address = address, DRAM_NO_REQ, DRAM_NO_REQ, DRAM_NO_REQ, .used = 1};
    return &p->slot[i];
}

void dram__pending_drop_if_empty(dram_pending *p, dram_pending_slot *s)
{
    size_t hole = (size_t)(s - p->slot);

    if (s->first_read != DRAM_NO_REQ || s->write != DRAM_NO_REQ)
        return;
    p->count--;
    for (size_t i = (hole + 1) & p->mask; p->slot[i].used; i = (i + 1) & p->mask) {
        const size_t home = home_of(p, p->slot[i].address);
        /* may the entry at i move back to the hole without passing its home? */
        if (((i - home) & p->mask) >= ((i - hole) & p->mask)) {
            p->slot[hole] = p->slot[i];
            hole = i;
        }
    }
    p->slot[hole].used = 0;
}
