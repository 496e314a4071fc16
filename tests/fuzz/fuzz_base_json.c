#include "dscq/base/alloc.h"
#include "dscq/base/json.h"

#include <stdlib.h>
#include <string.h>

/* What is read can be written, and what is written is read as the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_json *a = NULL, *b = NULL;
    char *first = NULL, *second = NULL;
    dscq_error err;

    if (dscq_json_parse(&a, (const char *)data, size, "fuzz", &err) != DSCQ_OK)
        return 0;
    if (dscq_json_dump(&first, a, &err) != DSCQ_OK ||
        dscq_json_parse(&b, first, strlen(first), "again", &err) != DSCQ_OK ||
        dscq_json_dump(&second, b, &err) != DSCQ_OK || strcmp(first, second) != 0)
        abort();
    (void)dscq_json_get(a, "a.b[3].c");
    dscq_free(first);
    dscq_free(second);
    dscq_json_free(a);
    dscq_json_free(b);
    return 0;
}
