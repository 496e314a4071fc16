#include "data_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_error err;

    for (size_t labels = 1; labels <= 2; labels++) {
        data_part part = {0};

        (void)data__cifar_parse(&part, data, size, "fuzz", labels == 1 ? 10 : 100,
                                labels, labels - 1, &err);
        data__part_clear(&part);
    }
    return 0;
}
