#include "dscq/data/boxes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_error err;
    dscq_names names;
    dscq_annotation a;

    (void)dscq_yolo_parse(&a, (const char *)data, size, "fuzz", 80, &err);
    dscq_annotation_clear(&a);
    if (dscq_names_parse(&names, (const char *)data, size, "fuzz", &err) == DSCQ_OK)
        dscq_names_clear(&names);
    return 0;
}
