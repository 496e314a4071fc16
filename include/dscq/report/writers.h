/*
 * report/writers.h - a table as text for people, CSV, JSON or Markdown.
 *
 * A writer is a row of src/report/writers.def and one function. Output is the same
 * bytes for the same table: 'C' locale, reals as shortest exact decimals except in
 * the forms for people, which round to the column's `decimals`.
 */
#ifndef DSCQ_REPORT_WRITERS_H
#define DSCQ_REPORT_WRITERS_H

#include "dscq/base/json.h"
#include "dscq/base/status.h"
#include "dscq/base/str.h"
#include "dscq/base/table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_writer_ops {
    const char *name;    /* "text", "csv", "json", "markdown" */
    const char *summary; /* one line for `dscq help`          */
    /* Append to *out. DSCQ_NOMEM, or DSCQ_ARG for a number that the form cannot
     * hold (JSON: NaN, infinity). */
    dscq_status (*write)(dscq_str *out, const dscq_table *t, dscq_error *err);
} dscq_writer_ops;

size_t dscq_writer_count(void);
const dscq_writer_ops *dscq_writer_at(size_t i);
const dscq_writer_ops *dscq_writer_find(const char *name); /* NULL: none such */

/* The usual calls, by name. Text: columns aligned, headings from `head`, the unit
 * (from the suffix of the column's key, as dscq_column_unit() says) under them. */
dscq_status dscq_write_text(dscq_str *out, const dscq_table *t, dscq_error *err);
/* RFC 4180: CRLF, a heading line of column keys, quotes where needed. */
dscq_status dscq_write_csv(dscq_str *out, const dscq_table *t, dscq_error *err);
dscq_status dscq_write_json(dscq_str *out, const dscq_table *t, dscq_error *err);
dscq_status dscq_write_markdown(dscq_str *out, const dscq_table *t, dscq_error *err);

/* The rows as an array of objects, for putting into a bigger document; empty cells
 * are left out. NULL on no memory. */
dscq_json *dscq_table_json(const dscq_table *t);

/* "energy_pj" -> "pJ", "dram_read_bytes" -> "bytes", "top1_frac" -> "fraction";
 * "" when the name has no unit suffix. */
const char *dscq_column_unit(const char *column_name);

/* `decimals` digits after the point, or 4 significant digits with an exponent when
 * that would hide a small number or be longer than 12 digits; NaN prints as "-". */
void dscq_format_real(char *out, size_t cap, double v, int decimals);
/* 0.00123 with unit "J" -> "1.23 mJ"; three significant digits; p n u m k M G T. */
void dscq_format_si(char *out, size_t cap, double v, const char *unit);
/* Bytes for people: "812 B", "1.2 KiB", "3.4 MiB". */
void dscq_format_bytes(char *out, size_t cap, double bytes);

#ifdef __cplusplus
}
#endif
#endif
