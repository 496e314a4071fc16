/* One firing of a stage: shared by pipeline_row.c and pipeline_sim.c. */
#ifndef HW_ROW_H
#define HW_ROW_H

#include "dscq/hw/pipeline.h"
#include "hw_internal.h"

/* c->cycles: of the firing; the others: what it counts. d: all decoded tiles. Loads and
 * stores: all zero. */
dscq_status hw__pipe_row(dscq_counters *c, const dscq_program *p, int32_t stage,
                         const dscq_machine *m, hw_decoded *const *d, dscq_error *err);

#endif
