/* The trainer's insides, shared by train_*.c. */
#ifndef NN_TRAIN_INTERNAL_H
#define NN_TRAIN_INTERNAL_H

#include "dscq/base/spill.h"
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

/* Of one step: what every array is updated with. */
typedef struct nn_update {
    double rate, m_scale, v_scale;
} nn_update;

struct dscq_trainer {
    dscq_model *m;
    dscq_exec *e;
    dscq_pool *pool;
    const dscq_kernels *k;
    dscq_train_params p;
    size_t batches;
    dscq_train_hooks hooks;
    const char *record; /* for checkpoints, borrowed; NULL: none */
    dscq_train_state state;

    nn_param *param;
    size_t params, learned; /* learned come first */
    size_t floats, learned_floats;
    nn_update update;
    float *first, *second; /* optimiser: momentum; adam's second moment */
    float *average;        /* EMA                                       */
    float *good, *best;    /* snapshots: last good, best validated      */
    dscq_spill *good_file; /* large: instead of `good`                  */
    int32_t classes;
    int is_detector;
    dscq_head *head;
};

/* Values of the model into a flat array and back. */
void nn__params_get(const dscq_trainer *t, float *to);
void nn__params_set(dscq_trainer *t, const float *from);
/* The last good weights: room for them, from the model, into it. Many floats lie in a
 * file beside p.save, or in TMPDIR: they are wanted once an epoch at most. */
size_t nn__good_floats(size_t floats); /* of them in memory */
dscq_status nn__good_create(dscq_trainer *t, dscq_error *err);
dscq_status nn__good_keep(dscq_trainer *t, dscq_error *err);
dscq_status nn__good_restore(dscq_trainer *t, dscq_error *err);
/* freeze, head_rate_layers, layer_rates. */
dscq_status nn__apply_patterns(dscq_model *m, const dscq_train_params *p,
                               dscq_error *err);
int nn__params_finite(const dscq_trainer *t);
/* Floats of the running statistics in a flat array. */
size_t nn__stat_floats(const dscq_model *m);
dscq_status nn__params_list(dscq_trainer *t, dscq_error *err);

/* Before the backward pass of a step: its rates. */
void nn__update_begin(dscq_trainer *t);
/* As soon as gradients are handed over (dscq_exec_on_gradients): update node's arrays.
 */
void nn__update_node(void *trainer, int32_t node);
/* Clip, update the others, average. DSCQ_FORMAT when a gradient is not finite. */
dscq_status nn__update(dscq_trainer *t, dscq_error *err);
/* Exchange the model's values with the averaged ones. */
void nn__swap_average(dscq_trainer *t);

#endif
