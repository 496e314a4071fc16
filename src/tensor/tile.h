/* tile.h - the register tiles of the matrix products: how many rows fit beside nv
 * vectors of columns. AVX-512 and arm64 have 32 vector registers, the others 16. */
#ifndef TENSOR_TILE_H
#define TENSOR_TILE_H

#include "simd.h"

#if DSCQ_LANES == 16 || defined(__aarch64__)
#define TILE_LIST(X)                                                                   \
    X(24, 1)                                                                           \
    X(12, 1)                                                                           \
    X(8, 1)                                                                            \
    X(4, 1)                                                                            \
    X(2, 1)                                                                            \
    X(1, 1) X(12, 2) X(8, 2) X(4, 2) X(2, 2) X(1, 2) X(8, 3) X(4, 3) X(2, 3) X(1, 3)
#else
#define TILE_LIST(X)                                                                   \
    X(12, 1)                                                                           \
    X(8, 1)                                                                            \
    X(4, 1) X(2, 1) X(1, 1) X(6, 2) X(4, 2) X(2, 2) X(1, 2) X(4, 3) X(2, 3) X(1, 3)
#endif

enum { TILE_MR = 24, TILE_NV = 3 };

/* Columns come in panels of two vectors; a last panel may have one or three. */
INL size_t panel_vectors(size_t vectors_left)
{
    return vectors_left <= 3 ? vectors_left : 2;
}

#endif
