/* The two forms for machines: CSV and JSON. Numbers in full. */
#include "dscq/base/alloc.h"
#include "dscq/report/writers.h"

#include <string.h>

static void put_field(dscq_str *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL && *text != ' ') {
        dscq_str_add(out, text);
        return;
    }
    dscq_str_add(out, "\"");
    for (; *text != '\0'; text++)
        dscq_str_add_bytes(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    dscq_str_add(out, "\"");
}

static void put_cell(dscq_str *out, const dscq_table *t, size_t row, size_t c)
{
    char text[40];

    if (!dscq_table_is_set(t, row, c))
        return;
    switch (dscq_table_column(t, c)->type) {
    case DSCQ_CELL_TEXT:
        put_field(out, dscq_table_text(t, row, c));
        break;
    case DSCQ_CELL_INT:
        dscq_str_addf(out, "%lld", (long long)dscq_table_int(t, row, c));
        break;
    case DSCQ_CELL_REAL:
        dscq_str_real(text, sizeof text, dscq_table_real(t, row, c));
        dscq_str_add(out, text);
        break;
    }
}

dscq_status dscq_write_csv(dscq_str *out, const dscq_table *t, dscq_error *err)
{
    const size_t columns = dscq_table_columns(t);

    for (size_t c = 0; c < columns; c++) {
        put_field(out, dscq_table_column(t, c)->key);
        dscq_str_add(out, c + 1 == columns ? "\r\n" : ",");
    }
    for (size_t r = 0; r < dscq_table_rows(t); r++)
        for (size_t c = 0; c < columns; c++) {
            put_cell(out, t, r, c);
            dscq_str_add(out, c + 1 == columns ? "\r\n" : ",");
        }
    return out->bad ? dscq_fail(err, DSCQ_NOMEM, "out of memory: CSV of table %s",
                                dscq_table_name(t))
                    : DSCQ_OK;
}

static dscq_json *row_json(const dscq_table *t, size_t r)
{
    dscq_json *row = dscq_json_object();

    for (size_t c = 0; c < dscq_table_columns(t); c++) {
        const dscq_column *column = dscq_table_column(t, c);
        if (!dscq_table_is_set(t, r, c))
            continue;
        if (column->type == DSCQ_CELL_TEXT)
            dscq_json_put_text(row, column->key, dscq_table_text(t, r, c));
        else if (column->type == DSCQ_CELL_INT)
            dscq_json_put_int(row, column->key, dscq_table_int(t, r, c));
        else
            dscq_json_put_real(row, column->key, dscq_table_real(t, r, c));
    }
    return row;
}

dscq_json *dscq_table_json(const dscq_table *t)
{
    dscq_json *rows = dscq_json_array();

    for (size_t r = 0; r < dscq_table_rows(t); r++)
        dscq_json_push(rows, row_json(t, r));
    return rows;
}

dscq_status dscq_write_json(dscq_str *out, const dscq_table *t, dscq_error *err)
{
    dscq_json *rows = dscq_table_json(t);
    char *text = NULL;
    dscq_status status = dscq_json_dump(&text, rows, err);

    if (status == DSCQ_OK) {
        dscq_str_add(out, text);
        if (out->bad)
            status = dscq_fail(err, DSCQ_NOMEM, "out of memory: JSON of table %s",
                               dscq_table_name(t));
    }
    dscq_free(text);
    dscq_json_free(rows);
    return status;
}
