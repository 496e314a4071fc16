/* fuzz_pack_repair.h - right lengths and checksums on arbitrary bytes, so that a fuzz
 * target of packed files reaches what lies behind them. */
#ifndef FUZZ_PACK_REPAIR_H
#define FUZZ_PACK_REPAIR_H

#include "dscq/base/hash.h"

#include <stddef.h>
#include <stdint.h>

static uint64_t fuzz_get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void fuzz_put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* 0: too short to be repaired. */
static int fuzz_pack_repair(uint8_t *d, size_t size)
{
    enum { HEAD = 32, ENTRY = 24 };
    const uint64_t sections = size < HEAD ? 0 : fuzz_get(d + 12, 4) % 16;
    size_t at = HEAD + (size_t)sections * ENTRY;

    if (at > size)
        return 0;
    fuzz_put(d + 12, sections, 4);
    fuzz_put(d + 16, size, 8);
    for (size_t i = 0; i < sections; i++) {
        uint8_t *e = d + HEAD + i * ENTRY;
        uint64_t n = fuzz_get(e + 8, 8);
        if (n > size - at || i + 1 == sections)
            n = size - at;
        fuzz_put(e + 8, n, 8);
        fuzz_put(e + 16, dscq_crc32(0, d + at, (size_t)n), 4);
        at += (size_t)n;
    }
    fuzz_put(d + 24, dscq_crc32(0, d + HEAD, (size_t)sections * ENTRY), 4);
    fuzz_put(d + 28, dscq_crc32(0, d, HEAD - 4), 4);
    return 1;
}

#endif
