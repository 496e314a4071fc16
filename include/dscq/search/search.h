/*
 * search/search.h - which pruning rate and bit width each layer gets: recipes are tried
 * without retraining and measured by the packer and, when asked for, the simulator;
 * the best are fine-tuned by the pipeline of flow/compress.h. docs/search.md.
 *
 * Files in the output folder, beside those of flow/compress.h:
 *   sensitivity.json   flow/sensitivity.h, made when absent
 *   search.json        every trial, the Pareto set, the finalists: dscq.search/1
 *   recipe.cfg         the best recipe so far, for `compress --recipe`
 *   trials.csv, pareto.csv, pareto.svg, pareto.png
 *   finalist-N/        fine-tuning of trial N
 * All are replaced atomically; what a kill interrupts is at most one trial.
 */
#ifndef DSCQ_SEARCH_SEARCH_H
#define DSCQ_SEARCH_SEARCH_H

#include "dscq/base/table.h"
#include "dscq/flow/compress.h"
#include "dscq/hw/machine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* name, suffix, column of tables and JSON, words. All shall be small. */
#define DSCQ_METRIC_LIST(X)                                                            \
    X(loss, LOSS, "loss_frac", "accuracy lost against float, validation part")         \
    X(bytes, BYTES, "bytes", "packed file, whole")                                     \
    X(cycles, CYCLES, "cycles", "of the machine, one frame")                           \
    X(energy, ENERGY, "energy_pj", "of machine and memory, one frame")                 \
    X(bram, BRAM, "bram36", "block RAMs with buffers as large as this file needs")

typedef enum dscq_metric {
#define X(name, id, column, text) DSCQ_METRIC_##id,
    DSCQ_METRIC_LIST(X)
#undef X
        DSCQ_METRICS
} dscq_metric;
/* As an objective: energy when a machine is named, else bytes. */
enum { DSCQ_METRIC_AUTO = DSCQ_METRICS };
const char *dscq_metric_name(int metric);   /* "energy"    */
const char *dscq_metric_column(int metric); /* "energy_pj" */
const char *dscq_metric_text(int metric);

/* The [search] section. */
typedef struct dscq_search_params {
    int32_t search, protocol; /* words of searches.def, by their keys                 */
    int32_t objective;        /* dscq_metric, or DSCQ_METRIC_AUTO */
    int32_t trials;
    int32_t warm;    /* bayes: trials of the knapsack's first                        */
    char budget[32]; /* of one call, "30m"; "": none                                 */
    double max_loss; /* after fine-tuning                                            */
    double trial_loss; /* before it                           */
    double max_bytes, max_cycles, max_energy_uj; /* 0: no limit */
    int32_t max_bram; /* 0: no limit                        */
    double weight; /* layers: loss that saving everything is worth; 0: trial_loss    */
    double p_max, p_step;
    int32_t b_min, b_max, dw_b_min;
    char layers[DSCQ_PATH_MAX];  /* globs  */
    int32_t images, norm_images; /* as in [sensitivity] */
    int32_t finalists;
} dscq_search_params;
extern const dscq_key dscq_search_keys[];

/* For dscq_project_options: without it a project knows no [search]. */
extern const dscq_project_section dscq_search_section;
/* NULL when the project was opened without dscq_search_section. */
const dscq_search_params *dscq_project_search(dscq_project *p);
/* Does [search] ask for a search? */
int dscq_search_is_asked(const dscq_search_params *s);
/* Does [search] ask for something that the simulator must answer? */
int dscq_search_wants_machine(const dscq_search_params *s);

typedef struct dscq_search_options {
    dscq_compress_options compress; /* out_dir must not be "" */
    const dscq_machine *machine; /* NULL: nothing is simulated                      */
    const char *sense_dir;       /* folder of a sensitivity.json to start from, when it
                                    is of the same network, images and kernels; NULL:
                                    out_dir, else the folder of the weights         */
    double (*now)(void);         /* seconds, for the budget; NULL: no budget        */
} dscq_search_options;

typedef struct dscq_search_result {
    size_t trials, replayed; /* all; of them taken from the journal                   */
    double float_score;      /* on the images of the trials                           */
    int64_t best;          /* trial that became packed.bin, else the best one; -1    */
    int feasible;          /* it meets every limit                                  */
    char binds[160];       /* which limit does not hold, and by how much            */
    double trial_seconds;  /* mean of those measured now; 0 without a clock          */
    dscq_table *pareto;    /* "pareto": the trials that no other beats               */
    dscq_table *finalists; /* "finalists"                                            */
    int has_packed;        /* *packed holds a product                                */
} dscq_search_result;

/*
 * [search] budget is for all of it: training without weights, sensitivity, trials and
 * the fine-tuning of the finalists, for which time is kept back (at least one finalist
 * runs).
 *
 * The search of [search], then fine-tuning of the finalists; the best of them is the
 * product, measured as by dscq_flow_compress(): *packed, *layers (may be NULL).
 * *out: dscq_search_clear(), also after a failure.
 *
 * DSCQ_GATE         no recipe meets the limits; *out names the best and what binds
 * DSCQ_FORMAT       resume: search.json was made from other inputs
 * DSCQ_INTERRUPTED  everything measured is in search.json
 * DSCQ_UNSUPPORTED  a detector; a network that the machine cannot run
 */
dscq_status dscq_flow_search(dscq_search_result *out, dscq_compress_result *packed,
                             dscq_table **layers, dscq_project *p,
                             const dscq_search_options *o, dscq_error *err);
void dscq_search_clear(dscq_search_result *r);

#ifdef __cplusplus
}
#endif
#endif
