/* The parser of packed files: the bytes as they are, and again with right checksums, so
 * that what lies behind them is reached. What is accepted must write and check. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/pack/pack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 32, ENTRY = 24 };

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* Right lengths and checksums as far as the bytes go. */
static void repair(uint8_t *d, size_t size)
{
    const uint64_t sections = get(d + 12, 4) % 16;
    size_t at = HEAD + (size_t)sections * ENTRY;

    if (at > size)
        return;
    put(d + 12, sections, 4);
    put(d + 16, size, 8);
    for (size_t i = 0; i < sections; i++) {
        uint8_t *e = d + HEAD + i * ENTRY;
        uint64_t n = get(e + 8, 8);
        if (n > size - at || i + 1 == sections)
            n = size - at;
        put(e + 8, n, 8);
        put(e + 16, dscq_crc32(0, d + at, (size_t)n), 4);
        at += (size_t)n;
    }
    put(d + 24, dscq_crc32(0, d + HEAD, (size_t)sections * ENTRY), 4);
    put(d + 28, dscq_crc32(0, d, HEAD - 4), 4);
}

static void try_one(const uint8_t *data, size_t size)
{
    dscq_qmodel *m;
    dscq_error err;

    if (dscq_pack_decode(&m, data, size, &err) != DSCQ_OK)
        return;
    uint8_t *again;
    size_t bytes;
    if (dscq_pack_encode(&again, &bytes, m, NULL, &err) != DSCQ_OK)
        abort();
    dscq_free(again);
    dscq_qmodel_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_one(data, size);
    if (size >= HEAD && size < 1 << 20) {
        uint8_t *copy = dscq_malloc(size, 1);
        if (copy != NULL) {
            memcpy(copy, data, size);
            repair(copy, size);
            try_one(copy, size);
        }
        dscq_free(copy);
    }
    return 0;
}
