/* The two forms for people, aligned text and Markdown: one generator. */
#include "dscq/base/alloc.h"
#include "dscq/report/writers.h"
#include "report_internal.h"

#include <stdio.h>

typedef struct form {
    const char *name;                   /* for a failure */
    const char *before, *between, *end; /* of cells; end: of the line */
    int is_markdown;                    /* not aligned; units behind the headings */
} form;

typedef struct layout {
    const form *form;
    const dscq_table *t;
    size_t *width; /* of each column */
    int has_units;
} layout;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static dscq_status measure(layout *l, dscq_error *err)
{
    const size_t columns = dscq_table_columns(l->t);
    char cell[REPORT_CELL_BYTES];

    l->width = dscq_calloc(columns + 1, sizeof *l->width);
    if (l->width == NULL)
        return dscq_fail_nomem(err, "table", columns * sizeof *l->width);
    for (size_t c = 0; c < columns; c++) {
        const dscq_column *column = dscq_table_column(l->t, c);
        const char *unit = dscq_column_unit(column->key);
        size_t w = larger(report__width(report__heading(column)), report__width(unit));
        for (size_t r = 0; r < dscq_table_rows(l->t); r++) {
            report__cell(cell, sizeof cell, l->t, r, c);
            w = larger(w, report__width(cell));
        }
        l->width[c] = w;
        l->has_units |= *unit != '\0';
    }
    return DSCQ_OK;
}

static void put_text(dscq_str *out, const form *f, const char *text)
{
    for (; *text != '\0'; text++)
        if (f->is_markdown && *text == '|')
            dscq_str_add(out, "\\|");
        else
            dscq_str_add_bytes(out, f->is_markdown && *text == '\n' ? " " : text, 1);
}

static void fill(dscq_str *out, const char *with, size_t n)
{
    while (n-- > 0)
        dscq_str_add(out, with);
}

/* Text to the left, numbers to the right, nothing after the last one. */
static void put_cell(dscq_str *out, const layout *l, size_t c, const char *text)
{
    const form *f = l->form;
    const int is_last = c + 1 == dscq_table_columns(l->t);
    const int is_text = dscq_table_column(l->t, c)->type == DSCQ_CELL_TEXT;
    const size_t gap = f->is_markdown ? 0 : l->width[c] - report__width(text);

    dscq_str_add(out, f->before);
    fill(out, " ", is_text ? 0 : gap);
    put_text(out, f, text);
    fill(out, " ", is_text ? gap : 0);
    while (is_last && !f->is_markdown && out->len > 0 && out->text[out->len - 1] == ' ')
        out->len--;
    dscq_str_add(out, is_last ? f->end : f->between);
}

static void put_headings(dscq_str *out, const layout *l)
{
    const size_t columns = dscq_table_columns(l->t);
    char text[REPORT_CELL_BYTES];

    for (size_t c = 0; c < columns; c++) {
        const dscq_column *column = dscq_table_column(l->t, c);
        const char *unit = dscq_column_unit(column->key);
        const int joined = l->form->is_markdown && *unit != '\0';
        (void)snprintf(text, sizeof text, "%s%s%s%s", report__heading(column),
                       joined ? " (" : "", joined ? unit : "", joined ? ")" : "");
        put_cell(out, l, c, text);
    }
    for (size_t c = 0; l->has_units && !l->form->is_markdown && c < columns; c++)
        put_cell(out, l, c, dscq_column_unit(dscq_table_column(l->t, c)->key));
}

static void put_rule(dscq_str *out, const layout *l)
{
    const size_t columns = dscq_table_columns(l->t);

    for (size_t c = 0; c < columns; c++)
        if (l->form->is_markdown) {
            dscq_str_add(out, dscq_table_column(l->t, c)->type == DSCQ_CELL_TEXT
                                  ? "|---"
                                  : "|---:");
        } else {
            fill(out, "-", l->width[c]);
            dscq_str_add(out, c + 1 == columns ? "" : "  ");
        }
    dscq_str_add(out, l->form->is_markdown ? "|\n" : "\n");
}

/* A table without rows shows its headings. */
static dscq_status write(dscq_str *out, const dscq_table *t, const form *f,
                         dscq_error *err)
{
    layout l = {.form = f, .t = t};
    char cell[REPORT_CELL_BYTES];
    dscq_status status;

    DSCQ_TRY(measure(&l, err));
    put_headings(out, &l);
    put_rule(out, &l);
    for (size_t r = 0; r < dscq_table_rows(t); r++)
        for (size_t c = 0; c < dscq_table_columns(t); c++) {
            report__cell(cell, sizeof cell, t, r, c);
            put_cell(out, &l, c, cell);
        }
    if (out->bad)
        status = dscq_fail(err, DSCQ_NOMEM, "out of memory: %s of table %s", f->name,
                           dscq_table_name(t));
done:
    dscq_free(l.width);
    return status;
}

dscq_status dscq_write_text(dscq_str *out, const dscq_table *t, dscq_error *err)
{
    static const form k_text = {"text", "", "  ", "\n", 0};

    return write(out, t, &k_text, err);
}

dscq_status dscq_write_markdown(dscq_str *out, const dscq_table *t, dscq_error *err)
{
    static const form k_markdown = {"Markdown", "| ", " ", " |\n", 1};

    return write(out, t, &k_markdown, err);
}
