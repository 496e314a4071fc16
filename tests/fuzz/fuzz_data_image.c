#include "dscq/data/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const dscq_decode_opts opts = {.channels = 3, .max_pixels = 1 << 16};
    dscq_error err;
    dscq_image im, small;

    if (dscq_image_decode(&im, data, size, "fuzz", &opts, &err) != DSCQ_OK)
        return 0;
    const int32_t region[4] = {0, 0, im.width, im.height};

    if (dscq_image_resize(&small, &im, region, 5, 7, DSCQ_FILTER_ANTIALIAS, &err) ==
        DSCQ_OK)
        dscq_image_clear(&small);
    dscq_image_clear(&im);
    return 0;
}
