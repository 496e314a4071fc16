/*
 * hw/stepped.h - the lanes stepped register by register: slow, plain, the oracle.
 *
 * Every unit is a function of the state at the last clock edge; all writes take
 * effect together. Shares no code with hw/lanes.h.
 */
#ifndef DSCQ_HW_STEPPED_H
#define DSCQ_HW_STEPPED_H

#include "dscq/base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What goes to the lanes: pushes in order. A push reaches lanes [lane0, lane1) and
 * takes g cycles to read. `first` / `last` mark a vector's columns per lane: the
 * first waits for a bank, the last hands it over. A lane need not take part in every
 * vector. */
typedef struct dscq_stepped_push {
    int32_t lane0, lane1, g;
    int32_t vector; /* counts from 0 */
    int32_t is_first, is_last;
    uint64_t not_before; /* cycle: the command it belongs to starts here */
    const uint16_t *n;   /* entries per lane, indexed from lane 0; 0 allowed */
} dscq_stepped_push;

typedef struct dscq_stepped_result {
    uint64_t broadcast_end, lanes_end, post_end; /* as dscq_lanes_* */
} dscq_stepped_result;

/* Run from cycle `start` with everything empty and free. post_cycles[v] per vector.
 * DSCQ_NOMEM; DSCQ_INTERNAL when it does not end within `limit` cycles. */
dscq_status dscq_stepped_run(dscq_stepped_result *out, const dscq_stepped_push *push,
                             int32_t pushes, const int32_t *post_cycles,
                             int32_t vectors, int32_t lanes, int32_t depth,
                             int32_t banks, uint64_t start, uint64_t limit,
                             dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
