/* pack_repair.h - right checksums on a changed packed file, so that the parsers behind
 * them are met. */
#ifndef DSCQ_TEST_PACK_REPAIR_H
#define DSCQ_TEST_PACK_REPAIR_H

#include "dscq/base/hash.h"

#include <stdint.h>
#include <string.h>

/* Sections and their lengths are taken as they stand; where the last one ends. */
static inline size_t pack_repair(uint8_t *data)
{
    uint32_t sections;

    memcpy(&sections, data + 12, 4);
    size_t at = 32 + (size_t)sections * 24;
    for (uint32_t i = 0; i < sections; i++) {
        uint8_t *e = data + 32 + 24 * (size_t)i;
        uint64_t n;
        memcpy(&n, e + 8, 8);
        const uint32_t crc = dscq_crc32(0, data + at, (size_t)n);
        memcpy(e + 16, &crc, 4);
        at += (size_t)n;
    }
    const uint32_t table = dscq_crc32(0, data + 32, (size_t)sections * 24);
    memcpy(data + 24, &table, 4);
    const uint32_t head = dscq_crc32(0, data, 28);
    memcpy(data + 28, &head, 4);
    return at;
}

#endif
