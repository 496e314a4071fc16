#include "data_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_error err;
    uint32_t dim[4];

    (void)data__idx_header(dim, 1, 4, data, size, "fuzz", &err);
    return 0;
}
