/*
 * hw/counters.h - every number the machine counts, once.
 *
 * The list makes the struct, the CSV header, the JSON keys and the manual table;
 * energy/ prices it. Laws are checked at the end of every run, per layer and in
 * total; numbers that break one are not handed out.
 */
#ifndef DSCQ_HW_COUNTERS_H
#define DSCQ_HW_COUNTERS_H

#include "dscq/base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DSCQ_COUNTER_LIST(X) /* field, unit, meaning */                                \
    X(cycles, "cycles", "from the first command to the last write")                    \
    X(mac_dense, "MACs", "multiplies of the workload, zeros included")                 \
    X(mac_done, "MACs", "multiplies done for an output that exists")                   \
    X(mac_skipped, "MACs", "multiplies avoided because the weight is zero")            \
    X(mac_paired, "MACs", "multiplies that shared a DSP with another one")             \
    X(mult_slots, "multiplier-cycles", "multipliers x cycles")                         \
    X(mult_compute, "multiplier-cycles", "a stored weight times an existing pixel")    \
    X(mult_filler, "multiplier-cycles", "a stored zero (gap filler or dense zero)")    \
    X(mult_split, "multiplier-cycles",                                                 \
      "second cycle of a product too wide for a pair")                                 \
    X(mult_pixel_tail, "multiplier-cycles", "vector places beyond the last pixel")     \
    X(mult_empty, "multiplier-cycles", "taking a column that is empty in the lane")    \
    X(mult_no_channel, "multiplier-cycles", "lanes without an output channel")         \
    X(mult_imbalance, "multiplier-cycles", "waiting for the columns other lanes hold") \
    X(mult_act_fetch, "multiplier-cycles", "waiting for the buffer's read port")       \
    X(mult_post, "multiplier-cycles", "waiting for an accumulator bank")               \
    X(mult_vector_op, "multiplier-cycles", "the post-processor has the buffers")       \
    X(mult_drain, "multiplier-cycles", "pipeline filling, draining, reconfiguring")    \
    X(mult_wait_act, "multiplier-cycles", "activations not loaded yet")                \
    X(mult_wait_weight, "multiplier-cycles", "weights not loaded yet")                 \
    X(mult_wait_self, "multiplier-cycles", "own earlier outputs not written yet")      \
    X(mult_wait_store, "multiplier-cycles", "room held by outputs not stored yet")     \
    X(mult_idle, "multiplier-cycles", "no command left")                               \
    X(columns, "columns", "columns (or row vectors) broadcast")                        \
    X(entries, "entries", "stored weight entries consumed, all lanes")                 \
    X(codebook_reads, "reads", "weight codes looked up")                               \
    X(acc_updates, "updates", "32-bit accumulator read-add-writes")                    \
    X(post_outputs, "outputs", "codes the post-processor produced")                    \
    X(post_busy, "cycles", "cycles the post-processor worked")                         \
    X(requants, "multiplies", "multiplications of the post-processor")                 \
    X(act_read_bytes, "bytes", "activation buffer to array or post-processor")         \
    X(act_write_bytes, "bytes", "post-processor to activation buffer")                 \
    X(act_fill_bytes, "bytes", "DMA to activation buffer")                             \
    X(act_drain_bytes, "bytes", "activation buffer to DMA")                            \
    X(weight_read_bytes, "bytes", "weight buffer to lanes")                            \
    X(weight_fill_bytes, "bytes", "DMA to weight buffer")                              \
    X(dram_act_read_bytes, "bytes", "useful bytes of activations read from DRAM")      \
    X(dram_act_write_bytes, "bytes", "useful bytes of activations written to DRAM")    \
    X(dram_weight_bytes, "bytes", "useful bytes of weight streams read from DRAM")     \
    X(dram_read_bursts, "bursts", "read requests, whole bursts")                       \
    X(dram_write_bursts, "bursts", "write requests, whole bursts")                     \
    X(commands, "commands", "commands of all four queues")

typedef struct dscq_counters {
#define X(field, unit, meaning) uint64_t field;
    DSCQ_COUNTER_LIST(X)
#undef X
} dscq_counters;

int dscq_counter_count(void);
const char *dscq_counter_name(int i);
const char *dscq_counter_unit(int i);
const char *dscq_counter_text(int i);
uint64_t dscq_counter_value(const dscq_counters *c, int i);
void dscq_counters_add(dscq_counters *sum, const dscq_counters *c);

/* Laws that need nothing but the counters. NULL, or the text of the broken law. */
const char *dscq_counters_check(const dscq_counters *c);

/* ---- where the time of each unit went ------------------------------------------ */

#define DSCQ_UNIT_LIST(X)                                                              \
    X(load_act, LOAD_ACT, "load activations")                                          \
    X(load_weight, LOAD_WEIGHT, "load weights")                                        \
    X(compute, COMPUTE, "compute")                                                     \
    X(store, STORE, "store")

typedef enum dscq_unit {
#define X(name, id, text) DSCQ_UNIT_##id,
    DSCQ_UNIT_LIST(X)
#undef X
        DSCQ_UNIT_COUNT
} dscq_unit;

#define DSCQ_STALL_LIST(X) /* name, id, meaning */                                     \
    X(compute, COMPUTE, "multiplying or post-processing")                              \
    X(imbalance, IMBALANCE, "lanes waiting for each other, empty columns, tails")      \
    X(act_fetch, ACT_FETCH, "activations: buffer port, or not loaded yet")             \
    X(weight_fetch, WEIGHT_FETCH, "weights not loaded yet")                            \
    X(transfer, TRANSFER, "bytes of this unit on the memory's bus")                    \
    X(latency, LATENCY, "waiting for the memory's first or last answer")               \
    X(row_miss, ROW_MISS, "the memory opened rows")                                    \
    X(refresh, REFRESH, "the memory refreshed")                                        \
    X(other_unit, OTHER_UNIT, "the memory served another unit")                        \
    X(write_back, WRITE_BACK, "outputs not written, accumulator bank or room held")    \
    X(drain, DRAIN, "pipeline filling, draining, reconfiguring")                       \
    X(idle, IDLE, "nothing to do")

typedef enum dscq_stall {
#define X(name, id, text) DSCQ_STALL_##id,
    DSCQ_STALL_LIST(X)
#undef X
        DSCQ_STALL_COUNT
} dscq_stall;

const char *dscq_unit_name(int unit);
const char *dscq_stall_name(int stall);
const char *dscq_stall_text(int stall);

#ifdef __cplusplus
}
#endif
#endif
