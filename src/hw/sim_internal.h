/* The state of one run: shared by sim.c, sim_dma.c and sim_table.c. */
#ifndef HW_SIM_INTERNAL_H
#define HW_SIM_INTERNAL_H

#include "hw_internal.h"
#include "port.h"

struct dscq_sim {
    const dscq_program *program; /* borrowed while running; names are copied */
    dscq_machine machine;
    dscq_counters total;
    dscq_counters *layer;
    char (*layer_name)[64];
    int32_t layer_count, frames, output_count, tensor_count;
    uint64_t stall[DSCQ_UNIT_COUNT][DSCQ_STALL_COUNT];
    uint64_t *frame_end;
    void **output; /* [output_count * frames] */
    size_t *output_bytes;
    uint8_t **tensor; /* captured */
    size_t *tensor_bytes;
    dscq_dram_counters dram;
    dscq_dram_energy dram_energy;
    int64_t act_peak;
    int32_t certified;
    dscq_sim_bound bound;
    /* pipeline: where the cycles of each stage went; else 0 stages */
    int32_t stage_count;
    struct sim_stage {
        char name[64];
        uint64_t cycles; /* of the run */
        uint64_t busy, starved, blocked, idle;
    } * stage;
};

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

/* sim_dma.c */
dscq_status hw__dma_init(sim_state *st);
void hw__dma_clear(sim_state *st);
/* 1 in *did when the unit's next command had its turn and was issued. */
dscq_status hw__dma_issue(sim_state *st, int unit, int *did);
/* Take one completion from the memory; 0 in *did when nothing is in flight. */
dscq_status hw__dma_complete(sim_state *st, int *did);
/* Idle time of the DMA units up to the end. */
void hw__dma_finish(sim_state *st, uint64_t end);

/* certify.c: one compute command alone, recurrence against stepped lanes. */
dscq_status hw__certify(hw_array *a, const dscq_hw_cmd *c, const hw_decoded *w,
                        dscq_error *err);

/* sim.c: an empty result; the accounts of the multipliers as causes. */
dscq_status hw__sim_create(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                           dscq_error *err);
void hw__compute_stalls(dscq_sim *s);
/* pipeline_sim.c: the run of a program with p->pipe. */
dscq_status hw__pipe_sim(dscq_sim *s, const dscq_program *p, const dscq_machine *m,
                         const void *const *inputs, const dscq_sim_options *o,
                         dscq_error *err);

#endif
