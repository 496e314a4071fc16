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

/* The rules of n's operation, its links being valid. */
dscq_status pack__check_node(const dscq_qmodel *m, const dscq_qnode *n,
                             dscq_error *err);

#endif
