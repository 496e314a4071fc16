/*
 * base/table.h - columns with name, unit and type: what every module reports with.
 *
 * Modules hand results up as tables; only `report` and `cli` turn them into
 * text, CSV, JSON or pictures. Column names carry their unit as a suffix
 * (energy_pj, dram_read_bytes) and are JSON keys.
 */
#ifndef DSCQ_BASE_TABLE_H
#define DSCQ_BASE_TABLE_H

#include "dscq/base/log.h"
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
    char key[48];  /* snake_case with unit suffix; unique in the table */
    char head[24]; /* short heading for people; "" = key               */
    dscq_cell_type type;
    int decimals; /* DSCQ_CELL_REAL in text form: digits after the point */
} dscq_column;

/* The columns of a table stand in one array, a row each:
 *     static const dscq_column k_columns[] = {DSCQ_TEXT_COLUMN("layer", ""),
 *                                             DSCQ_INT_COLUMN("macs", "MACs"),
 *                                             DSCQ_COLUMN_END}; */
#define DSCQ_TEXT_COLUMN(key, head)                                                    \
    {                                                                                  \
        key, head, DSCQ_CELL_TEXT, 0                                                   \
    }
#define DSCQ_INT_COLUMN(key, head)                                                     \
    {                                                                                  \
        key, head, DSCQ_CELL_INT, 0                                                    \
    }
#define DSCQ_REAL_COLUMN(key, head, decimals)                                          \
    {                                                                                  \
        key, head, DSCQ_CELL_REAL, decimals                                            \
    }
#define DSCQ_COLUMN_END DSCQ_TEXT_COLUMN("", "")

/* A value on its way into a table; all zeros: an empty cell. */
typedef struct dscq_cell {
    int is_set;
    dscq_cell_type type;
    const char *text; /* borrowed until the row is added */
    int64_t i;
    double r;
} dscq_cell;

static inline dscq_cell dscq_none(void)
{
    const dscq_cell c = {0, DSCQ_CELL_TEXT, NULL, 0, 0};

    return c;
}

static inline dscq_cell dscq_text(const char *v)
{
    const dscq_cell c = {1, DSCQ_CELL_TEXT, v, 0, 0};

    return c;
}

static inline dscq_cell dscq_int(int64_t v)
{
    const dscq_cell c = {1, DSCQ_CELL_INT, NULL, v, (double)v};

    return c;
}

static inline dscq_cell dscq_real(double v)
{
    const dscq_cell c = {1, DSCQ_CELL_REAL, NULL, 0, v};

    return c;
}

dscq_cell dscq_finite(double v); /* empty for infinities and what is not a number */

typedef struct dscq_table dscq_table;

/* `name` is the JSON key of the table ("layers"); columns up to DSCQ_COLUMN_END,
 * copied. */
dscq_status dscq_table_create(dscq_table **out, const char *name,
                              const dscq_column *columns, dscq_error *err);
void dscq_table_destroy(dscq_table *t); /* NULL is fine */

const char *dscq_table_name(const dscq_table *t);
size_t dscq_table_columns(const dscq_table *t);
size_t dscq_table_rows(const dscq_table *t);
const dscq_column *dscq_table_column(const dscq_table *t, size_t c);
int dscq_table_find(const dscq_table *t, const char *column); /* -1: none */

/* A row: a cell for each column, in their order; an integer may stand in a column of
 * reals. Texts are copied. Failures (no memory) are remembered and returned by
 * dscq_table_check(), so that filling a table needs no test per row. */
void dscq_table_add(dscq_table *t, const dscq_cell *cells, size_t count);
#define DSCQ_TABLE_ROW(t, ...)                                                         \
    dscq_table_add((t), (const dscq_cell[]){__VA_ARGS__},                              \
                   sizeof((const dscq_cell[]){__VA_ARGS__}) / sizeof(dscq_cell))
dscq_status dscq_table_check(const dscq_table *t, dscq_error *err);
/* The end of making a table: where it failed, *t is destroyed and NULL. */
dscq_status dscq_table_finish(dscq_table **t, dscq_error *err);

/* The rows as traces of a module (base/log.h): "key value, key value", empty cells left
 * out. */
void dscq_table_trace(const dscq_table *t, const dscq_log *log, dscq_traced module);

int dscq_table_is_set(const dscq_table *t, size_t row, size_t c);
const char *dscq_table_text(const dscq_table *t, size_t row, size_t c);
int64_t dscq_table_int(const dscq_table *t, size_t row, size_t c);
double dscq_table_real(const dscq_table *t, size_t row, size_t c); /* int cells too */

#ifdef __cplusplus
}
#endif
#endif
