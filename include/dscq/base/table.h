/*
 * base/table.h - columns with name, unit and type: what every module reports with.
 *
 * Modules hand results up as tables; only `report` and `cli` turn them into
 * text, CSV, JSON or pictures. Column names carry their unit as a suffix
 * (energy_pj, dram_read_bytes) and are JSON keys.
 */
#ifndef DSCQ_BASE_TABLE_H
#define DSCQ_BASE_TABLE_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_cell_type {
    DSCQ_CELL_TEXT,
    DSCQ_CELL_INT,
    DSCQ_CELL_REAL
} dscq_cell_type;

typedef struct dscq_column {
    char name[48];  /* snake_case with unit suffix; unique in the table */
    char title[24]; /* short heading for people; "" = name              */
    dscq_cell_type type;
    int decimals; /* DSCQ_CELL_REAL in text form: digits after the point */
} dscq_column;

typedef struct dscq_table dscq_table;

/* `name` is the JSON key of the table ("layers"). */
dscq_status dscq_table_create(dscq_table **out, const char *name, dscq_error *err);
void dscq_table_destroy(dscq_table *t); /* NULL is fine */

const char *dscq_table_name(const dscq_table *t);
size_t dscq_table_columns(const dscq_table *t);
size_t dscq_table_rows(const dscq_table *t);
const dscq_column *dscq_table_column(const dscq_table *t, size_t c);
int dscq_table_find(const dscq_table *t, const char *column); /* -1: none */

/* Columns first, then rows. Failures (no memory) are remembered and returned by
 * dscq_table_check(), so that filling a table needs no test per cell. */
void dscq_table_add_text(dscq_table *t, const char *name, const char *title);
void dscq_table_add_int(dscq_table *t, const char *name, const char *title);
void dscq_table_add_real(dscq_table *t, const char *name, const char *title,
                         int decimals);
size_t dscq_table_add_row(dscq_table *t); /* cells empty; returns the row */
void dscq_table_set_text(dscq_table *t, size_t row, const char *column, const char *v);
void dscq_table_set_int(dscq_table *t, size_t row, const char *column, int64_t v);
void dscq_table_set_real(dscq_table *t, size_t row, const char *column, double v);
dscq_status dscq_table_check(const dscq_table *t, dscq_error *err);

int dscq_table_is_set(const dscq_table *t, size_t row, size_t c);
const char *dscq_table_text(const dscq_table *t, size_t row, size_t c);
int64_t dscq_table_int(const dscq_table *t, size_t row, size_t c);
double dscq_table_real(const dscq_table *t, size_t row, size_t c); /* int cells too */

#ifdef __cplusplus
}
#endif
#endif
