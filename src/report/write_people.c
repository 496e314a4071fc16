/* The two forms for people: aligned text and Markdown. */
#include "dscq/report/writers.h"
#include "report_internal.h"

#include <string.h>

enum { COLUMNS_MAX = 128 };

/* Columns on a terminal: code points, not bytes. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0U) != 0x80U;
    return n;
}

static void pad(dscq_str *out, size_t n)
{
    while (n-- > 0)
        dscq_str_add_bytes(out, " ", 1);
}

typedef struct layout {
    const dscq_table *t;
    size_t width[COLUMNS_MAX];
    int has_units;
} layout;

static void measure(layout *l, const dscq_table *t)
{
    char cell[REPORT_CELL_BYTES];

    *l = (layout){.t = t};
    for (size_t c = 0; c < dscq_table_columns(t); c++) {
        const dscq_column *column = dscq_table_column(t, c);
        const char *unit = dscq_column_unit(column->name);
        size_t w = width_of(report__heading(column));
        if (width_of(unit) > w)
            w = width_of(unit);
        for (size_t r = 0; r < dscq_table_rows(t); r++) {
            report__cell(cell, sizeof cell, t, r, c);
            if (width_of(cell) > w)
                w = width_of(cell);
        }
        l->width[c] = w;
        l->has_units |= *unit != '\0';
    }
}

/* Text to the left, numbers to the right, nothing after the last one. */
static void put_cell(dscq_str *out, const layout *l, size_t c, const char *text)
{
    const int is_last = c + 1 == dscq_table_columns(l->t);
    const int is_text = dscq_table_column(l->t, c)->type == DSCQ_CELL_TEXT;
    const size_t gap = l->width[c] - width_of(text);

    if (!is_text)
        pad(out, gap);
    dscq_str_add(out, text);
    if (!is_last) {
        pad(out, is_text ? gap + 2 : 2);
        return;
    }
    while (out->len > 0 && out->text[out->len - 1] == ' ')
        out->len--;
    dscq_str_add(out, "\n");
}

/* A table without rows shows its headings. */
dscq_status dscq_write_text(dscq_str *out, const dscq_table *t, dscq_error *err)
{
    char cell[REPORT_CELL_BYTES];
    layout l;

    measure(&l, t);
    const size_t columns = dscq_table_columns(t);
    for (size_t c = 0; c < columns; c++)
        put_cell(out, &l, c, report__heading(dscq_table_column(t, c)));
    for (size_t c = 0; l.has_units && c < columns; c++)
        put_cell(out, &l, c, dscq_column_unit(dscq_table_column(t, c)->name));
    for (size_t c = 0; c < columns; c++) {
        for (size_t i = 0; i < l.width[c]; i++)
            dscq_str_add_bytes(out, "-", 1);
        dscq_str_add(out, c + 1 == columns ? "\n" : "  ");
    }
    for (size_t r = 0; r < dscq_table_rows(t); r++)
        for (size_t c = 0; c < columns; c++) {
            report__cell(cell, sizeof cell, t, r, c);
            put_cell(out, &l, c, cell);
        }
    return out->bad ? dscq_fail(err, DSCQ_NOMEM, "out of memory: text of table %s",
                                dscq_table_name(t))
                    : DSCQ_OK;
}

static void put_escaped(dscq_str *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '|')
            dscq_str_add(out, "\\|");
        else
            dscq_str_add_bytes(out, *text == '\n' ? " " : text, 1);
}

dscq_status dscq_write_markdown(dscq_str *out, const dscq_table *t, dscq_error *err)
{
    char cell[REPORT_CELL_BYTES];

    for (size_t c = 0; c < dscq_table_columns(t); c++) {
        const dscq_column *column = dscq_table_column(t, c);
        const char *unit = dscq_column_unit(column->name);
        dscq_str_add(out, "| ");
        put_escaped(out, report__heading(column));
        if (*unit != '\0')
            dscq_str_addf(out, " (%s)", unit);
        dscq_str_add(out, " ");
    }
    dscq_str_add(out, "|\n");
    for (size_t c = 0; c < dscq_table_columns(t); c++)
        dscq_str_add(out, dscq_table_column(t, c)->type == DSCQ_CELL_TEXT ? "|---"
                                                                          : "|---:");
    dscq_str_add(out, "|\n");
    for (size_t r = 0; r < dscq_table_rows(t); r++) {
        for (size_t c = 0; c < dscq_table_columns(t); c++) {
            report__cell(cell, sizeof cell, t, r, c);
            dscq_str_add(out, "| ");
            put_escaped(out, cell);
            dscq_str_add(out, " ");
        }
        dscq_str_add(out, "|\n");
    }
    return out->bad ? dscq_fail(err, DSCQ_NOMEM, "out of memory: Markdown of table %s",
                                dscq_table_name(t))
                    : DSCQ_OK;
}
