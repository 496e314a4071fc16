/* No run can be faster: work over the peak rate of each unit. */
#include "dscq/base/ints.h"
#include "result.h"

static double memory_rate(const dscq_machine *m)
{
    /* the narrower of ports and, for the simple memory, its bus */
    const double rate = (double)m->axi_ports * m->axi_bytes;

    return dscq_machine_is_simple(m) && m->mem_bytes_per_cycle < rate
               ? m->mem_bytes_per_cycle
               : rate;
}

dscq_sim_bound hw__bound(uint64_t compute, uint64_t post, uint64_t bytes,
                         const dscq_machine *m)
{
    const uint64_t memory = (uint64_t)((double)bytes / memory_rate(m));

    return (dscq_sim_bound){compute, post, memory,
                            dscq_max64(memory, dscq_max64(compute, post))};
}
