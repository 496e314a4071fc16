/*
 * hw/lanes.h - timing of the zero-skipping lanes: an exact recurrence.
 *
 * Rules L1..L5 of docs/accelerator.md. Columns are broadcast one after another into
 * every lane's queue (depth D); a lane spends max(1, n) cycles on a column of which
 * it stores n entries; after the last column of a vector its sums go to the
 * post-processor, accumulator banks in turn.
 *
 *   b[k]    = max(max(b[k-1], t0 - 1) + g[k], max over lanes of s[l][k-D] + 1)
 *   s[l][k] = max(b[k] + 1, e[l][k-1], pe[v - banks] when k is the first of v)
 *   e[l][k] = s[l][k] + max(1, n[l][k])
 *   pe[v]   = max(max over lanes of e[l][last of v], pe[v-1]) + T[v]
 *
 * One step costs a few instructions per lane, none per cycle. hw/stepped.h is the
 * same machine stepped register by register: the oracle.
 */
#ifndef DSCQ_HW_LANES_H
#define DSCQ_HW_LANES_H

#include "dscq/base/status.h"
#include "dscq/hw/machine.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a lane waited between two columns, in lane-cycles. */
typedef enum dscq_lane_gap {
    DSCQ_GAP_RATE,  /* one column a cycle was not enough work                  */
    DSCQ_GAP_FETCH, /* the column took several cycles to read                  */
    DSCQ_GAP_QUEUE, /* another lane's queue was full                           */
    DSCQ_GAP_POST,  /* no accumulator bank                                     */
    DSCQ_GAP_START, /* the command had not started                             */
    DSCQ_GAP_COUNT
} dscq_lane_gap;

enum { DSCQ_BANKS_MAX = 8 };

typedef struct dscq_lanes {
    int32_t lanes, active, depth, banks;
    uint64_t base; /* cycle of relative time 0                               */
    int32_t b;     /* last broadcast                                         */
    int32_t start; /* t0 of the command that runs                            */
    int32_t is_started;
    int32_t at; /* ring position in s                                     */
    int32_t bank_at;
    int32_t pe[DSCQ_BANKS_MAX]; /* last `banks` values, ring                   */
    int32_t pe_last;
    int32_t gap[DSCQ_GAP_COUNT][DSCQ_LANES_MAX];
    int32_t e[DSCQ_LANES_MAX];
    int32_t s[DSCQ_QUEUE_MAX][DSCQ_LANES_MAX];
} dscq_lanes;

/* Empty queues, everything free at `cycle`. */
void dscq_lanes_reset(dscq_lanes *l, uint64_t cycle);

/* Another shape or queue depth: queues empty, lanes free at `cycle`, which must not
 * be before any lane's end. The post-processor goes on. Gaps are cleared. */
void dscq_lanes_shape(dscq_lanes *l, int32_t lanes, int32_t active, int32_t depth,
                      int32_t banks, uint64_t cycle);

/* The next command may broadcast from cycle t0 on. Rebases time. Gaps are cleared. */
void dscq_lanes_start(dscq_lanes *l, uint64_t t0);

/* One pixel vector: `columns` columns, work[k * stride + lane] = max(1, n), g[k] >= 1
 * cycles each to read; then T cycles of post-processing (0: the sums stay). */
void dscq_lanes_vector(dscq_lanes *l, const uint16_t *work, int32_t columns,
                       int32_t stride, const uint16_t *g, int32_t post_cycles);

/* Depthwise step of the first `count` lanes: slots of `per_slot` lanes, each g cycles
 * to read, then T. A lane without a channel in this step skips its queue's slot. */
void dscq_lanes_rows(dscq_lanes *l, const uint16_t *work, int32_t count,
                     int32_t per_slot, int32_t g, int32_t post_cycles);

uint64_t dscq_lanes_broadcast_end(const dscq_lanes *l); /* cycle after the last b */
uint64_t dscq_lanes_end(const dscq_lanes *l);           /* largest e              */
uint64_t dscq_lanes_post_end(const dscq_lanes *l);      /* last pe                */

#ifdef __cplusplus
}
#endif
#endif
