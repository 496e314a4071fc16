/* Shared inside the pack module. */
#ifndef PACK_INTERNAL_H
#define PACK_INTERNAL_H

#include "dscq/qnet/limits.h"

/* Limits of a file beside those of the network in it (qnet/limits.h). */
/* clang-format off */
#define PACK_LIMIT_LIST(X)                                                             \
    X(FILE, 1 << 30, "bytes of a file")                                                \
    X(SECTIONS, 64, "sections of a file")
/* clang-format on */

enum {
#define X(id, value, text) PACK_MAX_##id = (value),
    PACK_LIMIT_LIST(X)
#undef X
};

/* Set as `decode` of weights that a file holds (dscq_qdecode). */
dscq_status pack__decode(uint16_t *codes, const dscq_qweights *w, uint8_t *high,
                         const char **fault, dscq_error *err);

#endif
