#include "dscq/flow/page.h"

#include "dscq/base/alloc.h"
#include "dscq/report/html.h"
#include "dscq/report/plot.h"

#include <stdio.h>
#include <string.h>

enum { BARS_MAX = 60, PARTS_MAX = 10 };

static const dscq_json *member(const dscq_json *row, const char *key)
{
    for (size_t m = 0; m < dscq_json_count(row); m++)
        if (strcmp(dscq_json_key(row, m), key) == 0)
            return dscq_json_member(row, m);
    return NULL;
}

/* A column of a type that holds all of its cells. */
static void column_of(dscq_column *out, const dscq_json *rows, const char *key)
{
    int is_int = 1, is_number = 1;

    for (size_t i = 0; i < dscq_json_count(rows); i++) {
        const dscq_json *cell = member(dscq_json_at(rows, i), key);
        if (cell == NULL)
            continue;
        is_int = is_int && dscq_json_is_int(cell);
        is_number = is_number && dscq_json_is_number(cell);
    }
    *out = (dscq_column){.type = !is_number ? DSCQ_CELL_TEXT
                                 : is_int   ? DSCQ_CELL_INT
                                            : DSCQ_CELL_REAL,
                         .decimals = 3};
    (void)dscq_str_copy(out->key, sizeof out->key, key);
}

static dscq_cell cell_of(dscq_cell_type type, const dscq_json *cell)
{
    return cell == NULL             ? dscq_none()
           : type == DSCQ_CELL_INT  ? dscq_int(dscq_json_int(cell, 0))
           : type == DSCQ_CELL_REAL ? dscq_real(dscq_json_real(cell, 0))
                                    : dscq_text(dscq_json_text(cell, ""));
}

/* The first row names the columns. */
dscq_status dscq_report_table(dscq_table **out, const dscq_json *report,
                              const char *key, dscq_error *err)
{
    const dscq_json *rows = dscq_json_get(report, key);
    const dscq_json *first = dscq_json_at(rows, 0);
    const size_t columns = dscq_json_count(first);
    dscq_column *column = NULL;
    dscq_cell *cell = NULL;
    dscq_status status;

    *out = NULL;
    if (rows == NULL || dscq_json_count(rows) == 0)
        return dscq_fail(err, DSCQ_FORMAT, "the report has no '%s'", key);
    column = dscq_calloc(columns + 1, sizeof *column);
    cell = dscq_calloc(columns + 1, sizeof *cell);
    if (column == NULL || cell == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "table", columns * sizeof *column));
    for (size_t c = 0; c < columns; c++)
        column_of(&column[c], rows, dscq_json_key(first, c));
    DSCQ_TRY(dscq_table_create(out, key, column, err));
    for (size_t i = 0; i < dscq_json_count(rows); i++) {
        const dscq_json *row = dscq_json_at(rows, i);
        for (size_t c = 0; c < columns; c++)
            cell[c] = cell_of(column[c].type, member(row, dscq_json_key(first, c)));
        dscq_table_add(*out, cell, columns);
    }
    status = dscq_table_finish(out, err);
done:
    dscq_free(column);
    dscq_free(cell);
    return status;
}

static void add_group(dscq_table *t, const dscq_json *group)
{
    for (size_t m = 0; m < dscq_json_count(group); m++) {
        const dscq_json *cell = dscq_json_member(group, m);
        if (!dscq_json_is_number(cell))
            continue;
        DSCQ_TABLE_ROW(t, dscq_text(dscq_json_key(group, m)),
                       dscq_real(dscq_json_real(cell, 0)));
    }
}

dscq_status dscq_report_totals(dscq_table **out, const dscq_json *report,
                               dscq_error *err)
{
    static const char *const groups[] = {"file", "accuracy", "total"};
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("key", ""), DSCQ_REAL_COLUMN("value", "", 3), DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "totals", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        add_group(*out, dscq_json_get(report, groups[i]));
    return dscq_table_finish(out, err);
}

/* One bar a row of table `key`, its height the number `value`. */
static void add_bars(dscq_page *page, const dscq_json *report, const char *key,
                     const char *name, const char *value, const char *title)
{
    const dscq_json *rows = dscq_json_get(report, key);
    const size_t all = rows != NULL ? dscq_json_count(rows) : 0;
    const size_t n = all < BARS_MAX ? all : BARS_MAX;
    const char *names[BARS_MAX];
    double v[BARS_MAX];
    const char *part = value;
    dscq_picture *picture = NULL;
    dscq_error why;

    for (size_t i = 0; i < n; i++) {
        const dscq_json *row = dscq_json_at(rows, i);
        names[i] = dscq_json_text(dscq_json_get(row, name), "");
        v[i] = dscq_json_real(dscq_json_get(row, value), 0);
        v[i] = v[i] > 0 ? v[i] : 0;
    }
    const dscq_bars bars = {names, &part, v, n, 1};
    const dscq_axes axes = {.title = title, .y_label = value, .zero_y = 1};
    if (n > 0 && dscq_plot_bar(&picture, &axes, &bars, &why) == DSCQ_OK)
        dscq_page_picture(page, title, picture);
    else if (n > 0)
        dscq_page_fail(page, &why);
    dscq_picture_destroy(picture);
}

static void add_table(dscq_page *page, const dscq_json *report, const char *key,
                      const char *heading)
{
    dscq_table *t = NULL;
    dscq_error why;

    if (dscq_report_table(&t, report, key, &why) == DSCQ_OK) {
        dscq_page_section(page, heading);
        dscq_page_table(page, "", t);
    } else if (why.code == DSCQ_NOMEM) {
        dscq_page_fail(page, &why);
    }
    dscq_table_destroy(t);
}

static void add_lines(dscq_page *page, const dscq_json *report, const char *key,
                      const char *heading)
{
    const dscq_json *lines = dscq_json_get(report, key);

    if (lines == NULL || dscq_json_count(lines) == 0)
        return;
    dscq_page_section(page, heading);
    for (size_t i = 0; i < dscq_json_count(lines); i++)
        dscq_page_paragraph(page, dscq_json_text(dscq_json_at(lines, i), ""));
}

dscq_status dscq_report_page(const dscq_json *report, const char *path, dscq_error *err)
{
    char title[256];
    dscq_page *page = NULL;
    dscq_table *totals = NULL;
    dscq_status status;

    snprintf(title, sizeof title, "%s on %s",
             dscq_json_text(dscq_json_get(report, "network.name"), "a network"),
             dscq_json_text(dscq_json_get(report, "machine.name"), "no machine"));
    DSCQ_TRY(dscq_page_create(&page, title, err));
    DSCQ_TRY(dscq_report_totals(&totals, report, err));
    dscq_page_section(page, "Totals");
    dscq_page_table(page, "", totals);
    dscq_page_section(page, "Where the time goes");
    add_bars(page, report, "layers", "layer", "cycles", "cycles by layer");
    dscq_page_section(page, "Where the energy goes");
    add_bars(page, report, "energy", "component", "energy_pj", "energy by component");
    add_table(page, report, "layers", "Layers");
    add_table(page, report, "stalls", "Stalls");
    add_table(page, report, "energy", "Energy");
    add_table(page, report, "coefficients", "Coefficients");
    add_table(page, report, "resources", "Resources");
    add_table(page, report, "schedule", "Schedule");
    add_lines(page, report, "assumptions", "What was not modelled");
    add_lines(page, report, "warnings", "Warnings");
    DSCQ_TRY(dscq_page_write(page, path, err));
done:
    dscq_table_destroy(totals);
    dscq_page_destroy(page);
    return status;
}
