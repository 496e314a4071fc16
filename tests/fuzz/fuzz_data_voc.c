#include "dscq/data/boxes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_error err;
    dscq_names names = {0};
    dscq_annotation a;

    if (dscq_voc_parse(&a, (const char *)data, size, "fuzz", &names, 1, &err) ==
        DSCQ_OK)
        dscq_annotation_normalise(&a, a.width > 0 ? a.width : 1,
                                  a.height > 0 ? a.height : 1);
    dscq_annotation_clear(&a);
    dscq_names_clear(&names);
    return 0;
}
