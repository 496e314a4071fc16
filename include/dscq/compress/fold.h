/*
 * compress/fold.h - batch norm multiplied into the weights, as deployment tools do it.
 *
 * This program folds batch norm into bias and requantiser and leaves weights alone;
 * folding first shows what one scale per layer then costs, and lets biases be corrected
 * in its place.
 */
#ifndef DSCQ_COMPRESS_FOLD_H
#define DSCQ_COMPRESS_FOLD_H

#include "dscq/base/status.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The same network with a bias in place of the batch norm of every layer that has
 * weights of its own (running statistics). *out owned by the caller. */
dscq_status dscq_fold_norm(dscq_model **out, const dscq_model *m, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
