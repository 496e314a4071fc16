/* Tables: what the module's own functions (base/table.h) leave open. */
#include "dscq/base/table.h"

#include "api_internal.h"
#include "dscq/base/str.h"
#include "dscq/report/writers.h"

void dscq_table_close(dscq_table *t)
{
    dscq_table_destroy(t);
}

const char *dscq_table_column_name(const dscq_table *t, size_t column)
{
    return column < dscq_table_columns(t) ? dscq_table_column(t, column)->key : NULL;
}

char dscq_table_column_type(const dscq_table *t, size_t column)
{
    if (column >= dscq_table_columns(t))
        return 0;
    switch (dscq_table_column(t, column)->type) {
    case DSCQ_CELL_TEXT:
        return 't';
    case DSCQ_CELL_INT:
        return 'i';
    case DSCQ_CELL_REAL:
        break;
    }
    return 'r';
}

dscq_status dscq_table_csv(char **out, const dscq_table *t, dscq_error *err)
{
    dscq_str text = {0};
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(t, "table", err));
    DSCQ_TRY(dscq_write_csv(&text, t, err));
    *out = text.text; /* of dscq_malloc() */
    return DSCQ_OK;
done:
    dscq_str_free(&text);
    return status;
}

dscq_status api__settings_table(dscq_table **out, dscq_error *err)
{
    static const dscq_column k_columns[] = {
        DSCQ_TEXT_COLUMN("section", ""), DSCQ_TEXT_COLUMN("key", ""),
        DSCQ_TEXT_COLUMN("value", ""), DSCQ_COLUMN_END};

    return dscq_table_create(out, "settings", k_columns, err);
}

void api__settings_row(dscq_table *t, const char *section, const char *key,
                       const char *value)
{
    DSCQ_TABLE_ROW(t, dscq_text(section), dscq_text(key), dscq_text(value));
}

dscq_status api__no_table(const char *name, const char *choices, dscq_error *err)
{
    return dscq_fail(err, DSCQ_ARG, "no table '%s': one of %s",
                     name != NULL ? name : "NULL", choices);
}
