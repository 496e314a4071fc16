/*
 * qnet/limits.h - how large an integer network may be: name, value, row of the table in
 * docs/format.md section 3 (a test compares them). They bound memory before any
 * allocation.
 */
#ifndef DSCQ_QNET_LIMITS_H
#define DSCQ_QNET_LIMITS_H

#include "dscq/qnet/qmodel.h"

/* clang-format off */
#define DSCQ_QNET_LIMITS(X)                                                            \
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
#define X(id, value, text) DSCQ_QNET_MAX_##id = (value),
    DSCQ_QNET_LIMITS(X)
#undef X
};

#endif
