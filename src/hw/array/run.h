/* A running array: its units, their queues and tokens. */
#ifndef HW_RUN_H
#define HW_RUN_H

#include "array.h"
#include "port.h"
#include "result.h"

/* A DMA unit: which of its commands are on their way. */
typedef struct sim_dma {
    size_t issued, finished; /* commands */
    uint64_t last_end;       /* of the last finished command */
    struct sim_transfer {
        uint64_t ready, start, end;
        uint64_t bursts, left, bytes;
        uint64_t refreshes, activates; /* of the memory when it started */
        int token, all_issued;
    } * transfer; /* [queue_count] */
} sim_dma;

typedef struct hw_token_times {
    uint64_t *time; /* [cap] cycle in which the n-th piece of work was finished */
    size_t count, cap;
} hw_token_times;

typedef struct sim_state {
    dscq_sim *s;
    const dscq_program *p;
    const dscq_machine *m;
    const dscq_sim_options *opt;
    hw_port port;
    hw_array array;
    hw_data data;
    hw_decoded **decoded; /* [wtile_count] */
    size_t decoded_bytes;
    uint64_t decode_clock;
    hw_token_times token[DSCQ_TOKEN_COUNT];
    sim_dma dma[DSCQ_UNIT_COUNT];
    size_t computed; /* compute commands */
    uint32_t next_ticket;
    uint64_t held_until, end;
    dscq_error *err;
} sim_state;

/* Are all counters of the command reached? Then the latest time and its cause. */
int hw__tokens_ready(const sim_state *st, const dscq_hw_cmd *c, hw_ready *out);
dscq_status hw__token_add(sim_state *st, dscq_token token, uint64_t cycle);

/* dma.c */
dscq_status hw__dma_init(sim_state *st);
void hw__dma_clear(sim_state *st);
/* 1 in *did when the unit's next command had its turn and was issued. */
dscq_status hw__dma_issue(sim_state *st, int unit, int *did);
/* Take one completion from the memory; 0 in *did when nothing is in flight. */
dscq_status hw__dma_complete(sim_state *st, int *did);
/* Idle time of the DMA units up to the end. */
void hw__dma_finish(sim_state *st, uint64_t end);

/* Does the machine have what the program asks for? DSCQ_ARG. */
dscq_status hw__array_fits(const dscq_program *p, const dscq_machine *m,
                           dscq_error *err);

/* certify.c: one compute command alone, recurrence against stepped lanes. */
dscq_status hw__certify(hw_array *a, const dscq_hw_cmd *c, const hw_decoded *w,
                        dscq_error *err);

/* run.c, bound.c */
dscq_status hw__array_sim(dscq_sim *s, const dscq_program *p, const dscq_machine *m,
                          const void *const *inputs, const dscq_sim_options *o,
                          dscq_error *err);
dscq_sim_bound hw__array_bound(const dscq_program *p, const dscq_machine *m);

#endif
