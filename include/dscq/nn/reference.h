/*
 * nn/reference.h - the slow, obvious engine in double precision, by which the fast
 * one is judged. Every node's output is kept, normalisation and activation are
 * separate steps, nothing is fused, and it shares no code with nn/exec.h. Dropout is
 * the identity, activations are not quantised. Gradients: nudge a value and run again.
 */
#ifndef DSCQ_NN_REFERENCE_H
#define DSCQ_NN_REFERENCE_H

#include "dscq/base/status.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_reference dscq_reference;

typedef enum dscq_ref_param {
    DSCQ_REF_WEIGHT,
    DSCQ_REF_BIAS,
    DSCQ_REF_GAMMA,
    DSCQ_REF_BETA
} dscq_ref_param;

/* Copies the weights; for n images. The model is borrowed. */
dscq_status dscq_reference_create(dscq_reference **out, const dscq_model *m, int32_t n,
                                  dscq_error *err);
void dscq_reference_destroy(dscq_reference *r); /* NULL is fine */

/* Where the caller writes the input: [n][h][w][c]. */
double *dscq_reference_input(dscq_reference *r);
/* Copy of a parameter, which may be changed; NULL when the node has none. */
double *dscq_reference_param(dscq_reference *r, int32_t node, dscq_ref_param what,
                             size_t *count_out);

/* training: statistics of the batch. */
void dscq_reference_forward(dscq_reference *r, int training);
/* Activated output of a node, [n][h][w][c]. */
const double *dscq_reference_output(const dscq_reference *r, int32_t node,
                                    size_t *count_out);

#ifdef __cplusplus
}
#endif
#endif
