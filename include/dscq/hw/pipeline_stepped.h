/*
 * hw/pipeline_stepped.h - the pipeline stepped cycle by cycle: slow, plain, the oracle.
 *
 * Every unit looks at the counters as they stand in a cycle; nothing is computed ahead.
 * Shares no code with hw/pipeline.h but the structs: bursts are counted byte by byte, a
 * row's cycles code by code.
 */
#ifndef DSCQ_HW_PIPELINE_STEPPED_H
#define DSCQ_HW_PIPELINE_STEPPED_H

#include "dscq/hw/pipeline.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Simple memory only (rules M1..M3), `cycles` of the stages as they are.
 * DSCQ_FORMAT: nothing moved for `limit` cycles (a deadlock). DSCQ_NOMEM. Released with
 * dscq_pipe_result_clear(). */
dscq_status dscq_pipe_stepped(dscq_pipe_result *out, const dscq_pipe *p,
                              const dscq_machine *m, int32_t frames, uint64_t limit,
                              dscq_error *err);

/* Cycles of one firing of a stage (rules PL2..PL4): its tiles' entries through the
 * lanes of hw/stepped.h; post-processor and vector unit take what they can in each
 * cycle. DSCQ_NOMEM; DSCQ_INTERNAL: it does not end. */
dscq_status dscq_pipe_stepped_row(uint64_t *cycles, const dscq_program *p,
                                  int32_t stage, const dscq_machine *m,
                                  dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
