#include "dscq/flow/simulate.h"

#include <string.h>

static int is_one_of(const char *key, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, key) == 0)
            return 1;
    return 0;
}

const char *dscq_flow_dead_key(const dscq_machine *m, const char *key)
{
    static const char *const k_simple[] = {"mem_bytes_per_cycle", "mem_latency_cycles",
                                           NULL};
    static const char *const k_pipe[] = {"target_fps", "fifo_rows", "shortcut_rows",
                                         NULL};
    static const char *const k_array[] = {"lanes",
                                          "acc_rows",
                                          "row_registers",
                                          "reconfigure_cycles",
                                          "post_entries",
                                          "act_bytes",
                                          "act_banks",
                                          "act_word_bytes",
                                          "weight_bytes",
                                          "schedule.objective",
                                          "schedule.fuse",
                                          "schedule.resident",
                                          "schedule.order",
                                          "schedule.dataflow",
                                          "schedule.weights",
                                          "schedule.lanes",
                                          "schedule.epilogue",
                                          NULL};

    if (strncmp(key, "machine.", 8) == 0)
        key += 8;
    if (strcmp(m->dram, "simple") != 0 && is_one_of(key, k_simple))
        return "the memory is command-level (dram is not simple)";
    if (m->engine == 0 && is_one_of(key, k_pipe))
        return "only engine = pipeline has it";
    if (m->engine == 1 && is_one_of(key, k_array))
        return "engine = pipeline sizes its stages itself";
    return NULL;
}
