/* The port to memory of a running machine: all its DMA units share it. */
#ifndef HW_PORT_H
#define HW_PORT_H

#include "dscq/hw/memory.h"

typedef struct hw_port {
    const dscq_machine *m;
    dscq_memory *memory;
    uint64_t next; /* no burst leaves before */
    uint32_t in_flight;
} hw_port;

typedef struct hw_burst {
    uint64_t address, ready; /* of its transfer: command_cycles before it may leave */
    int is_write;
    uint32_t tag;
} hw_burst;

/* What an answered burst does. */
typedef dscq_status hw_answer(void *ctx, uint32_t tag, uint64_t cycle);

/* Cycles from one burst to the next (rule D2). */
uint64_t hw__port_gap(const dscq_machine *m);
/* Ask for a burst, *left: the cycle. Waits for a free place among the outstanding ones:
 * `answer` is called for each burst that the memory answers meanwhile. */
dscq_status hw__port_ask(hw_port *p, const hw_burst *b, uint64_t *left,
                         hw_answer *answer, void *ctx, dscq_error *err);
/* The next answer up to the cycle `limit`: 1, or 0 when there is none. */
int hw__port_take(hw_port *p, uint64_t limit, uint32_t *tag, uint64_t *cycle);

#endif
