#include "data_internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const dscq_data_params params = {0};
    data_open o = {.params = &params};
    data_columns columns = {0};
    data_csv c = {0};
    data_lines l;
    dscq_error err;
    dscq_status status;
    size_t bytes = 0;

    if (data__lines(&l, (const char *)data, size, "fuzz", &err) != DSCQ_OK ||
        data__csv_separator(&c.separator, &l, &err) != DSCQ_OK || c.separator == '\0')
        return 0;
    (void)data__columns_find(&columns, &o, &l, c.separator, "fuzz", &err);
    while (data__csv_next(&c, &l, &status, &err))
        for (size_t i = 0; status == DSCQ_OK && i < c.count; i++)
            bytes += strlen(data__csv_field(&c, i));
    data__csv_clear(&c);
    data__columns_clear(&columns);
    return bytes > size ? -1 : 0;
}
