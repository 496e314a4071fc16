#include "dscq/data/boxes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_error err;
    dscq_coco c;

    (void)dscq_coco_parse(&c, (const char *)data, size, "fuzz", &err);
    dscq_coco_clear(&c);
    return 0;
}
