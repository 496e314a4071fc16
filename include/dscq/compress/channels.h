/*
 * compress/channels.h - structured pruning: whole channels, with everything that must
 * go together.
 *
 * A channel is made by one row of a convolution, passes through normalisation, pooling
 * and depthwise kernels, is tied to others by sums (a shortcut joins the channels of
 * all its inputs), and is read by columns of later layers. Channels tied together form
 * a class; a class is kept or removed as a whole: its rows, its normalisation
 * constants, its depthwise kernels, its columns. Inputs and outputs of the network, and
 * what passes through a layer that mixes channels in a way of its own, are never
 * removed.
 */
#ifndef DSCQ_COMPRESS_CHANNELS_H
#define DSCQ_COMPRESS_CHANNELS_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/compress/settings.h"
#include "dscq/nn/model.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_channel_plan {
    int32_t nodes, classes;
    int32_t **class_of; /* [nodes][out.c] class of each output channel; -1 of the
                           network's input                                       */
    int32_t *owner;     /* [classes] first node that makes the class, -1: fixed  */
    double *importance; /* [classes] sum over its rows of L1 norm / mean L1 norm of
                           the layer                                             */
    uint8_t *keep;      /* [classes]                                             */
} dscq_channel_plan;

/* Which channels belong together; everything kept. *out owned by the caller. */
dscq_status dscq_channels_plan(dscq_channel_plan **out, const dscq_model *m,
                               dscq_error *err);
void dscq_channels_plan_destroy(dscq_channel_plan *p); /* NULL is fine */

/* Choose: among the classes of one owner the most important fraction stays, the
 * fraction being the largest keep_channels that a rule of a layer making them asks for;
 * at least one, rounded up to a multiple of `multiple` (1: no rounding). */
dscq_status dscq_channels_choose(dscq_channel_plan *p, const dscq_model *m,
                                 const dscq_settings *s, int32_t multiple,
                                 dscq_error *err);

/* A smaller network with the weights that stay, same names, same order. Removed
 * channels contribute nothing: the result is what the large network computes when the
 * columns that read them are zero. *out owned by the caller. */
dscq_status dscq_channels_apply(dscq_model **out, const dscq_model *m,
                                const dscq_channel_plan *p, dscq_error *err);

/* One row a layer with weights: channels before, after, weights before, after. */
dscq_status dscq_channels_table(dscq_table **out, const dscq_model *m,
                                const dscq_model *smaller, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
