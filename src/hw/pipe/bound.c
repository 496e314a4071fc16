/* The slowest stage of each kind, and the rows that cross DRAM. */
#include "dscq/base/ints.h"
#include "row.h"

dscq_sim_bound hw__pipe_bound(const dscq_program *p, const dscq_machine *m)
{
    const dscq_pipe *pipe = dscq_program_pipe(p);
    uint64_t lanes = 0, vector = 0, bytes = 0;

    for (int32_t i = 0; i < pipe->stage_count; i++) {
        const dscq_pipe_stage *s = &pipe->stage[i];
        const uint64_t firings = (uint64_t)p->frames * (uint64_t)s->rows;
        uint64_t *of = s->kind == DSCQ_PIPE_LANES ? &lanes : &vector;
        if (s->kind <= DSCQ_PIPE_STORE)
            bytes += firings * s->row_bytes;
        else
            *of = dscq_max64(*of, firings * (uint64_t)s->cycles);
    }
    return hw__bound(lanes, vector, bytes, m);
}
