/*
 * qmodel_random.h - random legal integer networks, for comparing executions.
 *
 * Every operation occurs (over enough seeds), with odd shapes, strides, asymmetric
 * padding, groups, dilation, wide and unsigned tensors, negative multipliers, dead
 * channels, leaky slopes and partial pooling windows. Constants are chosen so that
 * outputs spread over their range instead of saturating.
 */
#ifndef QMODEL_RANDOM_H
#define QMODEL_RANDOM_H

#include "dscq/base/rng.h"
#include "dscq/qnet/qmodel.h"

typedef struct qmodel_random_opts {
    int32_t nodes;        /* about so many; 1..200                              */
    int32_t max_side;     /* of the input map                                   */
    int32_t max_channels; /* of any tensor                                      */
    uint32_t ops;         /* bit i: operation i may occur; 0: all               */
    int wide;             /* tensors of more than 8 bits and 16-bit weights too */
    int only_int8;        /* every tensor signed with 8 bits                    */
    int32_t inputs;       /* of the network; 0: one                             */
} qmodel_random_opts;

/* *out passes dscq_qmodel_check(); owned by the caller. */
dscq_status qmodel_random(dscq_qmodel **out, dscq_rng *rng,
                          const qmodel_random_opts *opts, dscq_error *err);

/* Fill `data` (dscq_qtensor_bytes) with random codes of t. */
void qmodel_random_codes(const dscq_qtensor *t, void *data, dscq_rng *rng);

#endif
