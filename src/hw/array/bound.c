/* Work of each unit; shares no code with the timing, only the geometry of the program.
 * Blocks that neighbouring transfers share are moved once: bytes allow for that. */
#include "dscq/base/ints.h"
#include "run.h"

dscq_sim_bound hw__array_bound(const dscq_program *p, const dscq_machine *m)
{
    uint64_t slots = 0, outputs = 0, bytes = 0;

    for (size_t i = 0; i < p->queue_count[DSCQ_UNIT_COMPUTE]; i++) {
        const dscq_hw_cmd *c = &p->queue[DSCQ_UNIT_COMPUTE][i];
        const uint64_t pixels = (uint64_t)(c->last - c->first);
        if (c->wtile >= 0) {
            slots += p->wtile[c->wtile].entries * pixels;
            if (!(c->flags & DSCQ_CMD_ACC_KEEP))
                outputs += (uint64_t)p->wtile[c->wtile].m_count * pixels;
        } else {
            const dscq_hw_op *o = &p->op[c->op];
            outputs +=
                pixels * (uint64_t)(o->mode == DSCQ_HW_COPY ? o->c_count
                                                            : p->ring[c->ring].c_count);
        }
    }
    for (size_t i = 0; i < p->queue_count[DSCQ_UNIT_LOAD_WEIGHT]; i++)
        bytes += p->wtile[p->queue[DSCQ_UNIT_LOAD_WEIGHT][i].wtile].stream_bytes;
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        if (u != DSCQ_UNIT_LOAD_ACT && u != DSCQ_UNIT_STORE)
            continue;
        for (size_t i = 0; i < p->queue_count[u]; i++) {
            const dscq_hw_cmd *c = &p->queue[u][i];
            const dscq_hw_ring *r = &p->ring[c->ring];
            bytes += (uint64_t)(c->last - c->first) * (uint64_t)r->c_count *
                     (uint64_t)r->width * (uint64_t)p->tensor[r->tensor].elem_bytes;
        }
    }
    return hw__bound((uint64_t)dscq_ceil_div((int64_t)slots, m->multipliers),
                     (uint64_t)dscq_ceil_div((int64_t)outputs, m->post_entries), bytes,
                     m);
}
