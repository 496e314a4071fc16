/* The parser of packed files: the bytes as they are, and again with right checksums, so
 * that what lies behind them is reached. What is accepted must write and check. */
#include "dscq/base/alloc.h"
#include "dscq/pack/pack.h"
#include "fuzz_pack_repair.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    uint8_t *copy = dscq_malloc(size, 1);

    try_one(data, size);
    if (copy != NULL) {
        memcpy(copy, data, size);
        if (fuzz_pack_repair(copy, size))
            try_one(copy, size);
    }
    dscq_free(copy);
    return 0;
}
