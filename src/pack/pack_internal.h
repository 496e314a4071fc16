/* Shared inside the pack module. */
#ifndef PACK_INTERNAL_H
#define PACK_INTERNAL_H

#include "dscq/pack/qmodel.h"

#include <stdio.h>

/* Limits of the format: name, value, row of the table in docs/format.md section 3 (a
 * test compares them). They bound memory before any allocation. */
/* clang-format off */
#define PACK_LIMIT_LIST(X)                                                             \
    X(FILE, 1 << 30, "bytes of a file")                                                \
    X(SECTIONS, 64, "sections of a file")                                              \
    X(SIDE, 16384, "rows or columns of a tensor, a kernel or a window; "               \
                   "padding of a side; stride; dilation")                              \
    X(CHANNELS, 1 << 20, "channels of a tensor")                                       \
    X(ELEMENTS, 1 << 28, "elements of a tensor; weights of a layer; "                  \
                         "weights of a binary block")                                  \
    X(TENSORS, 4096, "tensors")                                                        \
    X(NODES, 4096, "nodes")                                                            \
    X(NODE_INPUTS, DSCQ_QNODE_INPUTS, "inputs of a node")                              \
    X(ENDS, DSCQ_QMODEL_ENDS, "inputs of the network, and outputs")                    \
    X(IMAGE_CHANNELS, 4, "channels of an image")                                       \
    X(FACTOR, 256, "factor of upsample and reorg")                                     \
    X(POOL_SIDES, 64, "different heights of the part of a window that lies on the "    \
                      "map, and widths (avgpool)")                                     \
    X(ENTRIES, 4096, "scale entries of a node that is no convolution")                 \
    X(TABLE, 256, "entries of a table")                                                \
    X(CLASSES, 65536, "class names")                                                   \
    X(DIGESTS, 64, "digest inputs")                                                    \
    X(META, 1 << 20, "bytes of the meta data")                                         \
    X(NAME, 63, "bytes of the name of a tensor, a node or a class")                    \
    X(NETWORK_NAME, 127, "bytes of the name of the network")                           \
    X(ROLE, 31, "bytes of the role of an output")                                      \
    X(SETTINGS, 511, "bytes of the settings of an output")                             \
    X(RESIZE, 2, "number of `resize`")                                                 \
    X(FILTER, 4, "number of `filter`")                                                 \
    X(ORDER, 2, "number of `channel order`")
/* clang-format on */

enum {
#define X(id, value, text) PACK_MAX_##id = (value),
    PACK_LIMIT_LIST(X)
#undef X
};

/* Drop the nodes from `count` on; their places are as new. */
void pack__cut_nodes(dscq_qmodel *m, int32_t count);

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
