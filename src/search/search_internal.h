/*
 * search_internal.h - what the files of the search share.
 *
 * A choice gives every searched layer a step of the pruning rate and a bit width. A
 * trial is a choice with what was measured. Everything a search asks for goes through
 * search__try(), which takes the answer from the journal while there is one: so a
 * resumed search is the same search, replayed.
 */
#ifndef SEARCH_INTERNAL_H
#define SEARCH_INTERNAL_H

#include "dscq/base/json.h"
#include "dscq/flow/steps.h"
#include "dscq/pack/pack.h"
#include "dscq/search/search.h"
#include "dscq/sense/choose.h"

enum { SEARCH_STEPS = 100, SEARCH_BITS = 9 };

typedef struct search search;

/* A row of searches.def. */
typedef struct search_method {
    /* Trials, until search__over(), from the first on that [compress] asks for; with
     * the tables of search__menu(). NULL: [search] protocol says how. */
    dscq_status (*solve)(search *s, dscq_error *err);
    int by_linalg; /* the last digits of the linear algebra decide what is asked */
} search_method;
/* Of params that ask for a search. */
const search_method *search__method(const dscq_search_params *p);

typedef struct search_layer {
    int32_t node;
    dscq_layer_kind kind;
    size_t weights;
    int32_t steps;        /* p = 0, 1, ... steps times p_step; 0: never pruned  */
    int32_t b_min, b_max; /* bits                                               */
} search_layer;

typedef struct search_choice {
    int32_t p, b; /* step of the pruning rate, bits */
} search_choice;

/* suffix, word */
#define SEARCH_SOURCE_LIST(X)                                                          \
    X(GIVEN, "given")     /* what [compress] says, on the grid       */                \
    X(START, "start")     /* nothing pruned, most bits               */                \
    X(LADDER, "ladder")   /* knapsack or greedy at some loss         */                \
    X(UNIFORM, "uniform") /* one rate and width for many layers      */                \
    X(BAYES, "bayes")
typedef enum search_source {
#define X(id, word) SEARCH_##id,
    SEARCH_SOURCE_LIST(X)
#undef X
} search_source;

typedef struct search_trial {
    search_choice *choice; /* [layers] */
    search_source source;
    int32_t layer;              /* searched alone, index; -1: all            */
    double value[DSCQ_METRICS]; /* NaN: not measured                         */
    double over[DSCQ_METRICS];  /* relative excess over the limit, >= 0      */
    double total_over;          /* 0: feasible                               */
    int failed;                 /* could not be built or run                 */
    char why[200];
} search_trial;

typedef struct search_finalist {
    size_t trial;
    double value[DSCQ_METRICS]; /* fine-tuned, packed */
    double total_over;
    int binds; /* metric, -1: none */
} search_finalist;

struct search {
    dscq_project *project;
    const dscq_settings *settings; /* of the project */
    const dscq_search_options *o;
    dscq_search_params params;
    const search_method *method;
    const dscq_log *log;
    dscq_pool *pool;
    const dscq_kernels *kernels;
    const char *dir;
    char fingerprint[65];

    dscq_model *origin; /* the float network */
    double float_score;
    int has_norm;
    dscq_flow_pick judged, trained;
    dscq_flow_pick_feed judged_feed, trained_feed;
    uint8_t *right;    /* [judged.count] */
    dscq_aquant *edge; /* [dscq_grid_count] of the float network */
    dscq_pack_options packing;
    char meta[512];
    size_t base_rows; /* settings rows before the search's own */

    search_layer *layer;
    size_t layers;
    double limit[DSCQ_METRICS]; /* INFINITY: none; loss: trial_loss */

    dscq_sense *sense;
    /* [layers][SEARCH_STEPS + 1][SEARCH_BITS]: expected loss, share of each metric */
    double *drop, *cost[DSCQ_METRICS];

    search_trial *trial;
    size_t trials, room;
    int64_t best;
    search_finalist *finalist;
    size_t finalists;
    int64_t product; /* trial that became packed.bin; -1: none yet */

    search_trial *old; /* of the journal */
    size_t olds, replayed;
    search_finalist *old_finalist;
    size_t old_finalists;

    double started, budget;  /* seconds; budget 0: none */
    double kept_back;        /* of the budget, for the finalists */
    double finalist_seconds; /* what one takes: expected, then as the last one did */
    double spent;            /* on trials measured now */
    size_t measured;
};

static inline size_t search__at(const search *s, size_t layer, search_choice c)
{
    (void)s;
    return (layer * (SEARCH_STEPS + 1) + (size_t)c.p) * SEARCH_BITS + (size_t)c.b;
}

/* ---- space.c --------------------------------------------------------------- */

dscq_status search__space(search *s, dscq_error *err);
/* What [compress] says for each layer, moved onto the grid. */
dscq_status search__given(search *s, search_choice *out, dscq_error *err);
/* Settings with a row a layer; *out is the caller's. */
dscq_status search__settings(dscq_settings **out, const search *s,
                             const search_choice *c, dscq_error *err);
double search__rate(const search *s, int32_t step);
int search__same(const search *s, const search_choice *a, const search_choice *b);
/* Trial with this choice, or -1. */
int64_t search__find(const search *s, const search_choice *c);

/* ---- trial.c ------------------------------------------------------------------- */

/* What a recipe makes of the float network, and what is measured of it. */
typedef struct search_product {
    dscq_model *model;
    dscq_compressor *compressor;
    dscq_qmodel *q;
    dscq_aquant *edge; /* [dscq_grid_count] */
} search_product;
void search__trial_clear(search_product *t);
/* Weights frozen at their recipe. */
dscq_status search__trial_freeze(search_product *t, search *s,
                                 const dscq_settings *settings, dscq_error *err);
/* The integer network, with edge[] as ranges. */
dscq_status search__trial_assemble(search_product *t, search *s,
                                   const dscq_aquant *edge, dscq_error *err);
/* Cycles, energy, RAM of an integer network on the search's machine; layer_cycles,
 * layer_pj: [nodes of q] or NULL. */
dscq_status search__trial_simulate(double value[DSCQ_METRICS], const search *s,
                                   const dscq_qmodel *q, double *layer_cycles,
                                   double *layer_pj, dscq_error *err);
/* Everything, not fine-tuned. */
dscq_status search__trial_measure(double value[DSCQ_METRICS], search *s,
                                  const search_choice *c, dscq_error *err);
/* float_score and edge[] of the float network. */
dscq_status search__trial_float(search *s, dscq_error *err);

/* ---- menu.c ---------------------------------------------------------------- */

/* Fill drop[] and cost[]. */
dscq_status search__menu(search *s, dscq_error *err);
double search__drop_sum(const search *s, const search_choice *c);
double search__cost_sum(const search *s, int metric, const search_choice *c);
/* The metric that the knapsack makes small. */
int search__menu_metric(const search *s);

/* ---- pick.c ---------------------------------------------------------------- */

typedef struct search_picker {
    dscq_option *option;
    search_choice *of; /* [options] */
    size_t *first;     /* [layers + 1] */
    int32_t *pick;     /* [layers] */
} search_picker;
/* Zeroed before; cleared by the caller, also after an error. */
dscq_status search__picker_make(search_picker *m, const search *s, dscq_error *err);
void search__picker_clear(search_picker *m);
/* The cheapest choice that is expected to lose at most `loss`, or the mildest. */
dscq_status search__pick(search_choice *out, const search *s, search_picker *m,
                         double loss, int greedy, dscq_error *err);

/* ---- try.c ----------------------------------------------------------------- */

/* Measure (or replay) a choice; *at: its trial. Known choices are not measured twice.
 */
dscq_status search__try(search *s, const search_choice *c, search_source source,
                        int32_t layer, size_t *at, dscq_error *err);
/* Excess over the limits: over[], their sum. */
double search__judge(double over[DSCQ_METRICS], const search *s, const double *value,
                     double max_loss);
/* budget.c. Time since the search began; left until `reserve` is all there is.
 */
double search__elapsed(const search *s);
int search__is_late(const search *s, double reserve);
/* How long will finalists take? Some steps of fine-tuning are made and thrown away. */
dscq_status search__keep_back(search *s, dscq_error *err);
/* The table of sensitivity: one that is there, or measured. *late: the time ran out
 * before it was whole, and s->sense is NULL. */
dscq_status search__sense(search *s, int *late, dscq_error *err);

/* Trials are used up, or the time is. */
int search__over(const search *s);

/* ---- ladder.c, seed.c ---- */

dscq_status search__ladder(search *s, size_t trials, int greedy, dscq_error *err);
/* The first trials of a joint search, from mild to hard. */
dscq_status search__seed(search *s, size_t trials, dscq_error *err);
/* Recipe number `row` of them, from what the trials before it lost; c[2 * layers], the
 * second half scratch. *found = 0: there is none that was not tried. */
dscq_status search__seed_choose(search_choice *c, int *found, const search *s,
                                size_t row, search_picker *m, dscq_error *err);
search_source search__seed_source(size_t row);
/* Measured over expected loss: the median over the trials that say something. */
double search__ratio(const search *s);

/* ---- pareto.c -------------------------------------------------------------- */

const char *search__source_name(search_source s);
/* on[trials]: no other trial is at least as good in every metric and better in one. */
void search__front(const search *s, unsigned char *on);

/* ---- journal.c ------------------------------------------------------------- */

/* Lines of the record beside those of dscq_flow_record_text(): the packing, the
 * machine. */
dscq_status search__more(dscq_str *to, const search *s, dscq_error *err);
dscq_status search__fingerprint(search *s, dscq_error *err);
dscq_status search__journal_read(search *s, dscq_error *err);
dscq_status search__journal_write(const search *s, dscq_error *err);

/* ---- out.c ----------------------------------------------------------------- */

dscq_status search__write_recipe(const search *s, size_t trial, const char *path,
                                 dscq_error *err);
/* trials.csv, pareto.csv and the picture; *pareto (may be NULL) is the caller's. */
dscq_status search__write_tables(const search *s, dscq_table **pareto, dscq_error *err);
dscq_status search__finalist_table(dscq_table **out, const search *s, dscq_error *err);

/* ---- final.c --------------------------------------------------------------- */

dscq_status search__finals(search *s, dscq_search_result *out,
                           dscq_compress_result *packed, dscq_table **layers,
                           dscq_error *err);

#endif
