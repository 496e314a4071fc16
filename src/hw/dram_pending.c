#include "dram_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>

/* Open addressing with linear probing and backward-shift deletion: at most half
 * full, no tombstones, so that a run of any length stays fast. */

static size_t home_of(const hw_pending *p, uint64_t address)
{
    return (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & p->mask;
}

dscq_status hw_pending_create(hw_pending *p, size_t max_count, dscq_error *err)
{
    size_t cap = 16;

    while (cap < 2 * max_count)
        cap *= 2;
    *p = (hw_pending){.slot = dscq_calloc(cap, sizeof *p->slot), .mask = cap - 1};
    if (p->slot == NULL)
        return dscq_fail_nomem(err, "pending DRAM requests", cap * sizeof *p->slot);
    return DSCQ_OK;
}

void hw_pending_destroy(hw_pending *p)
{
    dscq_free(p->slot);
    *p = (hw_pending){0};
}

hw_pending_slot *hw_pending_find(hw_pending *p, uint64_t address)
{
    for (size_t i = home_of(p, address); p->slot[i].used; i = (i + 1) & p->mask)
        if (p->slot[i].address == address)
            return &p->slot[i];
    return NULL;
}

hw_pending_slot *hw_pending_insert(hw_pending *p, uint64_t address)
{
    size_t i = home_of(p, address);

    for (; p->slot[i].used; i = (i + 1) & p->mask)
        if (p->slot[i].address == address)
            return &p->slot[i];
    assert(p->count < p->mask);
    p->count++;
    p->slot[i] = (hw_pending_slot){
        .address = address, HW_NO_REQ, HW_NO_REQ, HW_NO_REQ, .used = 1};
    return &p->slot[i];
}

void hw_pending_drop_if_empty(hw_pending *p, hw_pending_slot *s)
{
    size_t hole = (size_t)(s - p->slot);

    if (s->first_read != HW_NO_REQ || s->write != HW_NO_REQ)
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
