/*
 * pack_mutate.h - hostile packed files: fields are changed, not bytes.
 *
 * The file is taken apart as docs/format.md says (no code of the library), a few fields
 * get other values - limits, neighbours, nonsense, what another field holds -, a few
 * sections other places, flags or lengths; then lengths and checksums are made right
 * again, so that what lies behind them is met.
 */
#ifndef PACK_MUTATE_H
#define PACK_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* A changed copy of data[bytes] in out[cap]; the same seed makes the same copy. Returns
 * its size, 0 when the file cannot be taken apart or the copy does not fit. */
size_t pack_mutate(uint8_t *out, size_t cap, const uint8_t *data, size_t bytes,
                   uint64_t seed);

#endif
