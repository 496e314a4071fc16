#include "dscq/dram/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_dram_trace t;
    dscq_error err;

    (void)dscq_dram_trace_parse(&t, (const char *)data, size, "fuzz", &err);
    dscq_dram_trace_clear(&t);
    return 0;
}
