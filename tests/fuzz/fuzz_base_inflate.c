#include "dscq/base/alloc.h"
#include "dscq/base/zip.h"

#include <stdlib.h>

/* The first byte chooses the form; the bound holds whatever the rest says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX = 1 << 16 };
    uint8_t *out = NULL;
    size_t bytes = 0;
    dscq_error err;

    if (size < 1)
        return 0;
    const dscq_zip_form form = (dscq_zip_form)(data[0] % 3);
    if (dscq_inflate(&out, &bytes, data + 1, size - 1, form, MAX, &err) == DSCQ_OK &&
        bytes > MAX)
        abort();
    dscq_free(out);
    return 0;
}
