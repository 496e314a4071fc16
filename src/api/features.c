#include "dscq/dscq.h"

#include <string.h>

int dscq_has(const char *feature)
{
    static const struct {
        const char *name;
        int has;
    } k_features[] = {{"blas", DSCQ_WITH_BLAS},   {"json", DSCQ_WITH_JSON},
                      {"jpeg", DSCQ_WITH_JPEG},   {"webp", DSCQ_WITH_WEBP},
                      {"expat", DSCQ_WITH_EXPAT}, {"onnx", DSCQ_WITH_ONNX}};

    for (size_t i = 0; feature != NULL && i < sizeof k_features / sizeof *k_features;
         i++)
        if (strcmp(feature, k_features[i].name) == 0)
            return k_features[i].has;
    return 0;
}
