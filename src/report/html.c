#include "dscq/report/html.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/report/writers.h"
#include "report_internal.h"

#include <string.h>

struct dscq_page {
    dscq_str text;
    dscq_status failed;
    dscq_error why;
    int ended;
};

static const char k_style[] =
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#222;background:#fff}\n"
    "table{border-collapse:collapse;font-size:14px;margin:1em 0}\n"
    "th,td{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}\n"
    "th{border-bottom:2px solid #222}\n"
    "th.t,td.t{text-align:left}\n"
    "caption{text-align:left;font-weight:bold;padding:.3em 0}\n"
    "small{color:#666;font-weight:normal}\n"
    "pre{background:#f4f4f4;padding:.7em;overflow-x:auto}\n"
    "figure{margin:1em 0}svg{max-width:100%;height:auto}\n";

static void put_escaped(dscq_str *s, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '<':
            dscq_str_add(s, "&lt;");
            break;
        case '>':
            dscq_str_add(s, "&gt;");
            break;
        case '&':
            dscq_str_add(s, "&amp;");
            break;
        case '"':
            dscq_str_add(s, "&quot;");
            break;
        default:
            dscq_str_add_bytes(s, text, 1);
        }
}

static void put_element(dscq_str *s, const char *name, const char *text)
{
    dscq_str_addf(s, "<%s>", name);
    put_escaped(s, text);
    dscq_str_addf(s, "</%s>\n", name);
}

dscq_status dscq_page_create(dscq_page **out, const char *title, dscq_error *err)
{
    dscq_page *p = dscq_calloc(1, sizeof *p);

    *out = p;
    if (p == NULL)
        return dscq_fail_nomem(err, "page", sizeof *p);
    dscq_str_add(&p->text, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                           "<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n");
    put_element(&p->text, "title", title);
    dscq_str_addf(&p->text, "<style>\n%s</style>\n</head>\n<body>\n", k_style);
    put_element(&p->text, "h1", title);
    return DSCQ_OK;
}

void dscq_page_destroy(dscq_page *p)
{
    if (p == NULL)
        return;
    dscq_str_free(&p->text);
    dscq_free(p);
}

void dscq_page_section(dscq_page *p, const char *heading)
{
    put_element(&p->text, "h2", heading);
}

void dscq_page_paragraph(dscq_page *p, const char *text)
{
    put_element(&p->text, "p", text);
}

void dscq_page_code(dscq_page *p, const char *text)
{
    put_element(&p->text, "pre", text);
}

static const char *class_of(const dscq_column *column)
{
    return column->type == DSCQ_CELL_TEXT ? " class=\"t\"" : "";
}

void dscq_page_table(dscq_page *p, const char *caption, const dscq_table *t)
{
    dscq_str *s = &p->text;
    char cell[REPORT_CELL_BYTES];

    if (p->failed == DSCQ_OK)
        p->failed = dscq_table_check(t, &p->why);
    dscq_str_add(s, "<table>\n");
    if (caption != NULL)
        put_element(s, "caption", caption);
    dscq_str_add(s, "<tr>");
    for (size_t c = 0; c < dscq_table_columns(t); c++) {
        const dscq_column *column = dscq_table_column(t, c);
        const char *unit = dscq_column_unit(column->key);
        dscq_str_addf(s, "<th%s>", class_of(column));
        put_escaped(s, report__heading(column));
        if (*unit != '\0')
            dscq_str_addf(s, " <small>%s</small>", unit);
        dscq_str_add(s, "</th>");
    }
    dscq_str_add(s, "</tr>\n");
    for (size_t r = 0; r < dscq_table_rows(t); r++) {
        dscq_str_add(s, "<tr>");
        for (size_t c = 0; c < dscq_table_columns(t); c++) {
            report__cell(cell, sizeof cell, t, r, c);
            dscq_str_addf(s, "<td%s>", class_of(dscq_table_column(t, c)));
            put_escaped(s, cell);
            dscq_str_add(s, "</td>");
        }
        dscq_str_add(s, "</tr>\n");
    }
    dscq_str_add(s, "</table>\n");
}

void dscq_page_picture(dscq_page *p, const char *caption, const dscq_picture *picture)
{
    dscq_error why;

    dscq_str_add(&p->text, "<figure>\n");
    const dscq_status status = dscq_picture_svg(&p->text, picture, &why);
    if (status != DSCQ_OK)
        dscq_page_fail(p, &why);
    if (caption != NULL)
        put_element(&p->text, "figcaption", caption);
    dscq_str_add(&p->text, "</figure>\n");
}

void dscq_page_fail(dscq_page *p, const dscq_error *why)
{
    if (p->failed != DSCQ_OK)
        return;
    p->failed = why->code;
    p->why = *why;
}

const char *dscq_page_text(dscq_page *p)
{
    if (!p->ended)
        dscq_str_add(&p->text, "</body>\n</html>\n");
    p->ended = 1;
    return p->text.bad || p->failed != DSCQ_OK ? NULL : p->text.text;
}

dscq_status dscq_page_write(dscq_page *p, const char *path, dscq_error *err)
{
    const char *text = dscq_page_text(p);

    if (text != NULL)
        return dscq_file_write(path, text, p->text.len, err);
    if (p->failed != DSCQ_OK) {
        if (err != NULL)
            *err = p->why;
        return p->failed;
    }
    return dscq_fail(err, DSCQ_NOMEM, "out of memory: page %s", path);
}
