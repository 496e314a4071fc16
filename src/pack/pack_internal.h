/* Shared inside the pack module. */
#ifndef PACK_INTERNAL_H
#define PACK_INTERNAL_H

#include "dscq/pack/qmodel.h"

#include <stdio.h>

/* Limits of the format, docs/format.md. They bound memory before any allocation. */
enum {
    PACK_MAX_SIDE = 16384,
    PACK_MAX_CHANNELS = 1 << 20,
    PACK_MAX_ELEMENTS = 1 << 28, /* of a tensor and of a layer's weights */
    PACK_MAX_TENSORS = 4096,
    PACK_MAX_NODES = 4096,
    PACK_MAX_ENDS = 64, /* inputs, outputs */
    PACK_MAX_CLASSES = 65536,
    PACK_MAX_DIGESTS = 64,
    PACK_MAX_META = 1 << 20,
    PACK_LRN_ENTRIES = 240
};

/* The codes of packed weights. */
dscq_status pack__packed_codes(const dscq_qweights *w, uint16_t *codes,
                               dscq_error *err);
/* Packed weights, when their file is read: decodes, checks and counts them once. The
 * rest of the node has passed dscq_qmodel_check(). */
dscq_status pack__check_packed(const dscq_qmodel *m, dscq_qnode *n, dscq_error *err);
/* What a convolution demands of its weights' values, which must be there. */
dscq_status pack__check_values(const dscq_qmodel *m, const dscq_qnode *n,
                               dscq_error *err);

/* The rules of n's operation, its links being valid. */
dscq_status pack__check_node(const dscq_qmodel *m, const dscq_qnode *n,
                             dscq_error *err);

#endif
