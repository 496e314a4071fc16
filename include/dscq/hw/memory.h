/*
 * hw/memory.h - what the DMA units see of external memory.
 *
 * Requests are whole bursts, submitted in time order in accelerator cycles; they
 * finish in any order. Two kinds behind one interface:
 *
 *   simple  one bus: a burst starts when it is submitted and the bus is free, holds
 *           the bus for burst_bytes / mem_bytes_per_cycle cycles and is finished
 *           mem_latency_cycles after it left the bus (rules M1..M3)
 *   command the controller of dram/dram.h, its clock tied to the accelerator's
 */
#ifndef DSCQ_HW_MEMORY_H
#define DSCQ_HW_MEMORY_H

#include "dscq/base/status.h"
#include "dscq/dram/dram.h"
#include "dscq/hw/machine.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_memory dscq_memory;

/* Reads data/dram/<m->dram>.cfg unless the machine names "simple". */
dscq_status dscq_memory_create(dscq_memory **out, const dscq_machine *m,
                               dscq_error *err);
void dscq_memory_destroy(dscq_memory *mem); /* NULL is fine */

/* One burst at `cycle` (never before an earlier submit). *accepted gets the cycle
 * in which the memory took it (later than `cycle` when its queue was full).
 * Finishes of other bursts up to *accepted are kept for dscq_memory_next(). */
dscq_status dscq_memory_submit(dscq_memory *mem, uint64_t *accepted, uint64_t address,
                               int is_write, uint32_t tag, uint64_t cycle,
                               dscq_error *err);

/* Earliest finished burst not handed out yet; runs the memory forward when none is
 * known. 0 when nothing is in flight. Cycles are accelerator cycles. */
int dscq_memory_next(dscq_memory *mem, uint32_t *tag, uint64_t *cycle);

/* The same, but only a burst finished at or before `limit`; the memory runs no further
 * than that (later submits may be at any cycle from `limit` on). */
int dscq_memory_next_by(dscq_memory *mem, uint64_t limit, uint32_t *tag,
                        uint64_t *cycle);

/* Let time pass to `cycle` (refresh and background energy go on). */
void dscq_memory_settle(dscq_memory *mem, uint64_t cycle);

/* NULL for the simple memory. */
const dscq_dram *dscq_memory_dram(const dscq_memory *mem);
uint64_t dscq_memory_capacity(const dscq_memory *mem); /* bytes */
double dscq_memory_peak_bytes_per_cycle(const dscq_memory *mem);
dscq_status dscq_memory_check_laws(const dscq_memory *mem, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
