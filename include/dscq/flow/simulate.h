/*
 * flow/simulate.h - run a packed network on a machine, price it, report it.
 */
#ifndef DSCQ_FLOW_SIMULATE_H
#define DSCQ_FLOW_SIMULATE_H

#include "dscq/base/json.h"
#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/energy/energy.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/pipeline.h"
#include "dscq/hw/sim.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `name` is a path (it has a '/' or ends in .cfg) or the name of a file under
 * data_dir/machines. `set` holds "key=value" or "section.key=value" overrides.
 * NULL name: the [machine] section of `cfg` says (key `file`, and any machine key
 * beside it); without that, "zcu104". cfg may be NULL. Every key that a file or `set`
 * gives and that moves nothing on the machine is warned of in `log`. */
dscq_status dscq_flow_machine(dscq_machine *out, const char *name, dscq_config *cfg,
                              const char *data_dir, const char *const *set,
                              size_t set_count, const dscq_log *log, dscq_error *err);

/* Why the key ("clock_mhz", "schedule.fuse") moves nothing on this machine; NULL: it
 * may move something. */
const char *dscq_flow_dead_key(const dscq_machine *m, const char *key);

/* What the machine needs against what its board has: resource, used, available,
 * share_frac, rule. *out is owned by the caller. p may be NULL unless the engine is
 * sized by its network. DSCQ_ARG when it does not fit, saying by how much. */
dscq_status dscq_flow_resources(dscq_table **out, const dscq_program *p,
                                const dscq_machine *m, dscq_error *err);

typedef struct dscq_simulate_options {
    int32_t frames; /* 0 = 1                                                     */
    int no_data;    /* timing only                                               */
    int verify;     /* compare every layer with the integer reference            */
    int certify;    /* commands re-run in the stepped model; 0 = 8, -1 = none    */
    /* Frames as input codes: for each input of the network [frames][its bytes]; NULL:
     * the inputs embedded in the file, then zero points. */
    const void *const *input;
    const char *trace;   /* file for hw/trace.h; NULL or "": none                  */
    const char *what_if; /* "key=value,...": timed again with these; NULL or "": not */
    const dscq_log *log;
} dscq_simulate_options;

typedef struct dscq_simulation {
    dscq_program *program;
    dscq_sim *sim;
    dscq_machine machine;
    dscq_sim_totals totals;
    dscq_energy_bill bill;
    dscq_table *schedule, *layers, *stalls, *counters, *energy, *coefficients,
        *resources;
    dscq_table *what_if; /* NULL: not asked                                       */
    int verified;        /* layers compared and found equal; -1: not asked */
} dscq_simulation;

/* Everything in *out is owned: dscq_simulation_clear(). DSCQ_UNSUPPORTED names the
 * layer that cannot be mapped; DSCQ_MISMATCH (verify) the first layer, channel, row
 * and column that differ; DSCQ_ARG when the machine does not fit its board. */
dscq_status dscq_flow_simulate(dscq_simulation *out, const dscq_qmodel *q,
                               const dscq_machine *m, const dscq_simulate_options *o,
                               dscq_error *err);
/* What `verify` does: the tensors that a run with `capture` kept (of its last frame)
 * and the outputs of every frame against the integer reference of q on `codes`, for
 * each input of the network [frames][its bytes]. *compared: layers. DSCQ_MISMATCH names
 * the first difference: layer, channel, row, column. */
dscq_status dscq_flow_sim_verify(int *compared, const dscq_qmodel *q,
                                 const dscq_sim *sim, const void *const *codes,
                                 int32_t frames, dscq_error *err);
/* The same program timed on `base` with some keys changed
 * ("clock_mhz=300,dram=ddr3-1333"); no arithmetic is done. *out (owned by the caller):
 * quantity, base, what_if, difference, change_frac. DSCQ_ARG for a key that would
 * change the program, or a machine that does not fit its board any more. */
dscq_status dscq_flow_what_if(dscq_table **out, const dscq_simulation *s,
                              const dscq_machine *base, const char *list,
                              dscq_error *err);
void dscq_simulation_clear(dscq_simulation *s);

/* What stands in a report beside the simulation; absent parts are NULL or empty. */
typedef struct dscq_report_facts {
    const char *kernels;      /* family of float kernels, NULL: none ran          */
    const char *file_path;    /* packed file                                      */
    uint64_t file_bytes;      /* 0: not known                                     */
    const char *sha256;       /* of the file                                      */
    uint64_t accuracy_images; /* 0: accuracy not measured                         */
    double float_top1_frac, packed_top1_frac, packed_low_frac, packed_high_frac,
        mcnemar_p;
    const char *const *warning;
    size_t warning_count;
} dscq_report_facts;

/* dscq.report/1 (docs/report-schema.md). Owned by the caller. s may be NULL. */
dscq_status dscq_flow_report(dscq_json **out, const dscq_qmodel *q,
                             const dscq_simulation *s, const dscq_report_facts *facts,
                             dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
