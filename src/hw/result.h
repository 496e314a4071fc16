/* The result of a run: shared by sim.c, sim_table.c and the engines. */
#ifndef HW_RESULT_H
#define HW_RESULT_H

#include "hw_internal.h"

struct dscq_sim {
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

/* Empty; names are copied. */
dscq_status hw__sim_create(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                           dscq_error *err);
/* Inputs into the modelled DRAM; outputs and captured tensors out of it. */
void hw__sim_give(const dscq_sim *s, hw_data *d, const void *const *inputs);
dscq_status hw__sim_take(dscq_sim *s, hw_data *d, dscq_error *err);
/* What a command-level memory counted. */
void hw__sim_memory(dscq_sim *s, const dscq_memory *memory);
/* The accounts of the multipliers as causes of the compute unit. */
void hw__compute_stalls(dscq_sim *s);
/* The largest of the work of each unit and `bytes` over the peak rate. */
dscq_sim_bound hw__bound(uint64_t compute, uint64_t post, uint64_t bytes,
                         const dscq_machine *m);

#endif
