/* No run can be faster: work over the peak rate of each unit. Shares no code with the
 * timing, only the geometry of the program. */
#include "dscq/base/ints.h"
#include "dscq/hw/pipeline.h"
#include "hw_internal.h"

static double memory_rate(const dscq_machine *m)
{
    /* the narrower of ports and, for the simple memory, its bus */
    const double rate = (double)m->axi_ports * m->axi_bytes;

    return dscq_machine_is_simple(m) && m->mem_bytes_per_cycle < rate
               ? m->mem_bytes_per_cycle
               : rate;
}

/* The slowest stage, and the rows that cross DRAM. */
static dscq_sim_bound pipe_bound(const dscq_program *p, const dscq_machine *m)
{
    dscq_sim_bound b = {0, 0, 0, 0};
    uint64_t bytes = 0;

    for (int32_t i = 0; i < p->pipe->stage_count; i++) {
        const dscq_pipe_stage *s = &p->pipe->stage[i];
        const uint64_t firings = (uint64_t)p->frames * (uint64_t)s->rows;
        uint64_t *of = s->kind == DSCQ_PIPE_LANES ? &b.compute : &b.post;
        if (s->kind <= DSCQ_PIPE_STORE)
            bytes += firings * s->row_bytes;
        else if (firings * (uint64_t)s->cycles > *of)
            *of = firings * (uint64_t)s->cycles;
    }
    b.memory = (uint64_t)((double)bytes / memory_rate(m));
    b.cycles = b.compute > b.post ? b.compute : b.post;
    b.cycles = b.memory > b.cycles ? b.memory : b.cycles;
    return b;
}

dscq_sim_bound dscq_sim_lower_bound(const dscq_program *p, const dscq_machine *m)
{
    dscq_sim_bound b = {0, 0, 0, 0};
    uint64_t slots = 0, outputs = 0, bytes = 0;

    if (p->pipe != NULL)
        return pipe_bound(p, m);
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
    b.compute = (uint64_t)dscq_ceil_div((int64_t)slots, m->multipliers);
    b.post = (uint64_t)dscq_ceil_div((int64_t)outputs, m->post_entries);
    const double rate = memory_rate(m);
    /* blocks shared by neighbouring transfers are moved once: allow for that */
    b.memory = (uint64_t)((double)bytes / rate);
    b.cycles = b.compute > b.post ? b.compute : b.post;
    b.cycles = b.memory > b.cycles ? b.memory : b.cycles;
    return b;
}
