/* Bursts of all DMA units, one after another (rules D2, D4, PL5). */
#include "port.h"

#include "dscq/base/ints.h"

#include <assert.h>

uint64_t hw__port_gap(const dscq_machine *m)
{
    return (uint64_t)dscq_ceil_div(m->burst_bytes,
                                   (int64_t)m->axi_ports * m->axi_bytes);
}

int hw__port_take(hw_port *p, uint64_t limit, uint32_t *tag, uint64_t *cycle)
{
    if (p->in_flight == 0 || !dscq_memory_next_by(p->memory, limit, tag, cycle))
        return 0;
    p->in_flight--;
    return 1;
}

dscq_status hw__port_ask(hw_port *p, const hw_burst *b, uint64_t *left,
                         hw_answer *answer, void *ctx, dscq_error *err)
{
    /* [D4] */
    uint64_t at = dscq_max64(b->ready + (uint64_t)p->m->command_cycles, p->next);
    uint64_t accepted = 0;
    dscq_status status;

    /* [D2] */
    while (p->in_flight >= (uint32_t)p->m->outstanding) {
        uint32_t tag;
        uint64_t cycle;
        const int got = hw__port_take(p, UINT64_MAX, &tag, &cycle);
        assert(got);
        (void)got;
        at = dscq_max64(at, cycle);
        DSCQ_TRY(answer(ctx, tag, cycle));
    }
    DSCQ_TRY(dscq_memory_submit(p->memory, &accepted, b->address, b->is_write, b->tag,
                                at, err));
    p->next = accepted + hw__port_gap(p->m);
    p->in_flight++;
    *left = at;
done:
    return status;
}
