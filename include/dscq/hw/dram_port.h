/*
 * hw/dram_port.h - several AXI-like ports in front of one DRAM channel.
 *
 * Rules, all in DRAM clock cycles:
 *  P1 A port has two independent channels, read and write; each is a FIFO of
 *     `fifo` requests of any length and answers in order.
 *  P2 A request is cut into port bursts of at most max_burst_bytes, at multiples of
 *     that size, so none crosses a 4 KiB boundary; a port burst is cut into the DRAM
 *     bursts that it touches. Whole DRAM bursts move, wanted bytes or not.
 *  P3 A channel starts a port burst only while fewer than `outstanding` of its port
 *     bursts have started and not ended.
 *  P4 The controller accepts at most one DRAM burst a cycle. The channel that was
 *     served last goes on until its port burst has been accepted whole; then, or
 *     when it cannot go on in this cycle, the others follow in round robin
 *     (port 0 read, port 0 write, port 1 read, ...).
 *  P5 A channel offers at most bytes_per_cycle on average: after a DRAM burst of n
 *     bytes the next one waits n / bytes_per_cycle cycles.
 *  P6 A request submitted in cycle t is seen by the arbiter in t + latency_cycles, and
 *     its answer is seen latency_cycles after its last DRAM burst was done.
 */
#ifndef DSCQ_HW_DRAM_PORT_H
#define DSCQ_HW_DRAM_PORT_H

#include "dscq/base/keys.h"
#include "dscq/base/status.h"
#include "dscq/dram/dram.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_DRAM_PORTS_MAX = 16 };

typedef struct dscq_dram_port_config {
    int32_t fifo, outstanding, max_burst_bytes, latency_cycles;
    double bytes_per_cycle; /* each way; per DRAM clock cycle */
} dscq_dram_port_config;

const dscq_key *dscq_dram_port_keys(void); /* rows of the struct, with defaults */

typedef struct dscq_dram_ports dscq_dram_ports;

/* `count` ports with the same settings on channel `d`, which is borrowed, must
 * outlive the ports and be driven only through them. Owned by the caller. */
dscq_status dscq_dram_ports_create(dscq_dram_ports **out, dscq_dram *d, int32_t count,
                                   const dscq_dram_port_config *c, dscq_error *err);
void dscq_dram_ports_destroy(dscq_dram_ports *p); /* NULL is fine */

typedef struct dscq_dram_port_request {
    uint64_t address, bytes; /* bytes >= 1 */
    uint64_t id;
    int32_t port, is_write;
} dscq_dram_port_request;

typedef struct dscq_dram_port_done {
    uint64_t id, cycle;
    int32_t port, is_write;
} dscq_dram_port_done;

int dscq_dram_ports_room(const dscq_dram_ports *p, int32_t port, int is_write);

/* There is room (asserted). DSCQ_ARG when the range leaves the memory. */
dscq_status dscq_dram_ports_submit(dscq_dram_ports *p, const dscq_dram_port_request *rq,
                                   dscq_error *err);

/* Run every cycle before `until`. DSCQ_NOMEM; then the run must be given up. */
dscq_status dscq_dram_ports_advance(dscq_dram_ports *p, uint64_t until,
                                    dscq_error *err);
/* Run until a request is done or the cycle `limit` is reached, whichever is first. */
dscq_status dscq_dram_ports_advance_until_done(dscq_dram_ports *p, uint64_t limit,
                                               dscq_error *err);

/* Next answer among the cycles that have run: 1, or 0. In order within a channel. */
int dscq_dram_ports_poll(dscq_dram_ports *p, dscq_dram_port_done *out);

int dscq_dram_ports_idle(const dscq_dram_ports *p); /* no request unanswered */

typedef struct dscq_dram_port_counters {
    uint64_t requests, port_bursts, dram_bursts, bytes_wanted, bytes_moved;
    uint64_t wait_controller_cycles; /* it could have gone on, the queue was full */
} dscq_dram_port_counters;

dscq_dram_port_counters dscq_dram_ports_count(const dscq_dram_ports *p, int32_t port,
                                              int is_write);

#ifdef __cplusplus
}
#endif
#endif
