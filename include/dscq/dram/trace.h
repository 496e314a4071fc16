/*
 * dram/trace.h - run a file of timed requests through one DRAM channel.
 *
 * A trace is text, gzipped or not: one request a line, `CYCLE R|W HEX_ADDRESS`,
 * cycles in DRAM clocks and not decreasing, every request 64 bytes. Empty lines
 * and lines that begin with '#' are skipped.
 *
 * Measuring rules: at most one burst is accepted a cycle, in trace order, once it
 * has arrived and its queue has room (head-of-line blocking). A request becomes
 * 64 / burst bytes bursts when a burst is shorter. The run ends when every read
 * has returned and nothing that the policy wants to write is queued; latency is
 * completion cycle - acceptance cycle of a burst.
 */
#ifndef DSCQ_DRAM_TRACE_H
#define DSCQ_DRAM_TRACE_H

#include "dscq/base/status.h"
#include "dscq/dram/dram.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_DRAM_TRACE_BYTES = 64 }; /* of one request */

typedef struct dscq_dram_trace_item {
    uint64_t arrival, address;
    int32_t is_write;
} dscq_dram_trace_item;

typedef struct dscq_dram_trace {
    dscq_dram_trace_item *item;
    size_t count;
} dscq_dram_trace;

/* Owned by the caller: dscq_dram_trace_clear(). DSCQ_IO, DSCQ_FORMAT as
 * "file:line: ...". */
dscq_status dscq_dram_trace_load(dscq_dram_trace *out, const char *path,
                                 dscq_error *err);
dscq_status dscq_dram_trace_parse(dscq_dram_trace *out, const char *text,
                                  size_t text_bytes, const char *name, dscq_error *err);
void dscq_dram_trace_clear(dscq_dram_trace *t);

typedef struct dscq_dram_result {
    uint64_t cycles;
    uint64_t reads, writes, act, pre, ref; /* reads, writes: requests, in bursts */
    double read_latency_mean_cycles;       /* 0 when there were no reads */
    uint64_t bytes;                        /* moved on the bus, whole bursts */
    double bus_use_frac;                   /* data cycles / cycles */
    double bytes_per_ns;
    dscq_dram_energy energy_pj;
    dscq_dram_counters counters;
} dscq_dram_result;

/* Run `trace` on a fresh channel. `watch` may be NULL. The laws of dram/dram.h are
 * checked: DSCQ_INTERNAL and no numbers when one breaks. DSCQ_UNSUPPORTED when
 * the policy's rules never finish the trace (d3 can live-lock on a write that
 * waits for a read); DSCQ_ARG for an address beyond the memory. */
dscq_status dscq_dram_run(dscq_dram_result *out, const dscq_dram_config *config,
                          const dscq_dram_trace *trace, dscq_dram_watch_fn *watch,
                          void *watch_ctx, dscq_error *err);

/* The two steps together, for `dscq dram --config FILE TRACE`. */
dscq_status dscq_dram_run_trace(dscq_dram_result *out, const dscq_dram_config *config,
                                const char *path, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
