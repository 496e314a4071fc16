/* A stage and a run of the pipeline engine. */
#ifndef HW_ROW_H
#define HW_ROW_H

#include "dscq/hw/pipeline.h"
#include "result.h"

/* c->cycles: of the firing; the others: what it counts. d: all decoded tiles. Loads and
 * stores: all zero. */
dscq_status hw__pipe_row(dscq_counters *c, const dscq_program *p, int32_t stage,
                         const dscq_machine *m, hw_decoded *const *d, dscq_error *err);

/* sim.c, bound.c */
dscq_status hw__pipe_sim(dscq_sim *s, const dscq_program *p, const dscq_machine *m,
                         const void *const *inputs, const dscq_sim_options *o,
                         dscq_error *err);
dscq_sim_bound hw__pipe_bound(const dscq_program *p, const dscq_machine *m);

#endif
