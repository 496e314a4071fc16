/* The trainer's insides, shared by train_*.c. */
#ifndef DSCQ_NN_TRAIN_INTERNAL_H
#define DSCQ_NN_TRAIN_INTERNAL_H

#include "dscq/nn/train.h"
#include "nn_internal.h"

/* One learned array, or one of running statistics (grad NULL). */
typedef struct nn_param {
    float *value;
    const float *grad;
    size_t count, at; /* offset in the flat arrays */
    int decays;
    double rate;
    int32_t node;
} nn_param;

struct dscq_trainer {
    dscq_model *m;
    dscq_exec *e;
    dscq_pool *pool;
    const dscq_kernels *k;
    dscq_train_params p;
    size_t batches;
    dscq_train_hooks hooks;
    dscq_train_state state;

    nn_param *param;
    size_t params, learned; /* learned come first */
    size_t floats, learned_floats;
    float *first, *second; /* optimiser: momentum; adam's second moment */
    float *average;        /* EMA                                       */
    float *good, *best;    /* snapshots                                 */
    int32_t classes;
    int is_detector;
    dscq_head *head;
};

/* Values of the model into a flat array and back. */
void nn__params_get(const dscq_trainer *t, float *to);
void nn__params_set(dscq_trainer *t, const float *from);
/* freeze, head_rate_layers, layer_rates. */
dscq_status nn__apply_patterns(dscq_model *m, const dscq_train_params *p,
                               dscq_error *err);
int nn__params_finite(const dscq_trainer *t);
/* Floats of the running statistics in a flat array. */
size_t nn__stat_floats(const dscq_model *m);
dscq_status nn__params_list(dscq_trainer *t, dscq_error *err);

/* Clip, update, average. DSCQ_FORMAT when a gradient is not finite. */
dscq_status nn__update(dscq_trainer *t, dscq_error *err);
/* Exchange the model's values with the averaged ones. */
void nn__swap_average(dscq_trainer *t);

#endif
