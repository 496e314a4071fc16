/*
 * hw/trace.h - a run as a file for a standard viewer.
 *
 * Trace Event JSON (the "Trace Event Format" that Perfetto and chrome://tracing open):
 * one track per unit, one slice per command, in the microseconds of the machine's clock
 * (rounded to picoseconds; the cycles stand in args). Or VCD (IEEE 1364): one 1-bit
 * wire per unit that is high while it works, and one integer that names its operation,
 * at the coarsest timescale in which the clock period is a whole number, 1 fs if none.
 * A command that begins while the one before it on its unit still works is shown from
 * that one's end: the time shown is the time of the stall account
 * (tests/cycle/test_hw_trace.c).
 *
 * Use: open, hand dscq_trace_event and the trace to dscq_sim_options, run, close.
 */
#ifndef DSCQ_HW_TRACE_H
#define DSCQ_HW_TRACE_H

#include "dscq/base/status.h"
#include "dscq/hw/program.h"
#include "dscq/hw/sim.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_trace dscq_trace;

/* The name's end decides: ".vcd" or anything else (JSON). p gives the names and must
 * outlive the trace; clock_mhz turns cycles into time. The file appears under its name
 * when the trace is closed. */
dscq_status dscq_trace_open(dscq_trace **out, const char *path, const dscq_program *p,
                            double clock_mhz, dscq_error *err);
/* For dscq_sim_options.event, with the trace as event_ctx. */
void dscq_trace_event(void *trace, const dscq_sim_event *e);
/* Write what was collected. Frees the trace either way; DSCQ_IO, DSCQ_NOMEM. */
dscq_status dscq_trace_close(dscq_trace *t, dscq_error *err);
void dscq_trace_abandon(dscq_trace *t); /* NULL is fine; no file */

#ifdef __cplusplus
}
#endif
#endif
