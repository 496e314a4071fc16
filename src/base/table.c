#include "dscq/base/table.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <string.h>

enum { COLUMNS_MAX = 128 };

typedef struct cell {
    int set;
    union {
        char *text;
        int64_t i;
        double r;
    } v;
} cell;

struct dscq_table {
    char name[48];
    dscq_column column[COLUMNS_MAX];
    size_t columns, rows, cap;
    cell *cells; /* cap rows of `columns` cells */
    int bad;     /* an allocation failed */
};

dscq_status dscq_table_create(dscq_table **out, const char *name, dscq_error *err)
{
    dscq_table *t = dscq_calloc(1, sizeof *t);

    *out = t;
    if (t == NULL)
        return dscq_fail_nomem(err, "table", sizeof *t);
    (void)dscq_str_copy(t->name, sizeof t->name, name);
    return DSCQ_OK;
}

void dscq_table_destroy(dscq_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->rows * t->columns; i++)
        if (t->column[i % t->columns].type == DSCQ_CELL_TEXT)
            dscq_free(t->cells[i].v.text);
    dscq_free(t->cells);
    dscq_free(t);
}

const char *dscq_table_name(const dscq_table *t)
{
    return t->name;
}

size_t dscq_table_columns(const dscq_table *t)
{
    return t->columns;
}

size_t dscq_table_rows(const dscq_table *t)
{
    return t->rows;
}

const dscq_column *dscq_table_column(const dscq_table *t, size_t c)
{
    assert(c < t->columns);
    return &t->column[c];
}

int dscq_table_find(const dscq_table *t, const char *column)
{
    for (size_t c = 0; c < t->columns; c++)
        if (strcmp(t->column[c].name, column) == 0)
            return (int)c;
    return -1;
}

static void add_column(dscq_table *t, const char *name, const char *title,
                       dscq_cell_type type, int decimals)
{
    assert(t->rows == 0 && t->columns < COLUMNS_MAX && dscq_table_find(t, name) < 0);
    dscq_column *c = &t->column[t->columns++];

    (void)dscq_str_copy(c->name, sizeof c->name, name);
    (void)dscq_str_copy(c->title, sizeof c->title, title != NULL ? title : "");
    c->type = type;
    c->decimals = decimals;
}

void dscq_table_add_text(dscq_table *t, const char *name, const char *title)
{
    add_column(t, name, title, DSCQ_CELL_TEXT, 0);
}

void dscq_table_add_int(dscq_table *t, const char *name, const char *title)
{
    add_column(t, name, title, DSCQ_CELL_INT, 0);
}

void dscq_table_add_real(dscq_table *t, const char *name, const char *title,
                         int decimals)
{
    add_column(t, name, title, DSCQ_CELL_REAL, decimals);
}

size_t dscq_table_add_row(dscq_table *t)
{
    if (t->bad)
        return t->rows;
    if (t->rows == t->cap) {
        const size_t cap = t->cap == 0 ? 16 : t->cap * 2;
        const size_t row_bytes = t->columns * sizeof(cell);
        cell *p = dscq_realloc(t->cells, t->rows * row_bytes, cap * row_bytes);
        if (p == NULL) {
            t->bad = 1;
            return t->rows;
        }
        t->cells = p;
        t->cap = cap;
    }
    memset(t->cells + t->rows * t->columns, 0, t->columns * sizeof(cell));
    return t->rows++;
}

/* NULL when a row could not be had. */
static cell *at(dscq_table *t, size_t row, const char *column, dscq_cell_type *type)
{
    const int c = dscq_table_find(t, column);

    assert(c >= 0);
    if (row >= t->rows) {
        assert(t->bad);
        return NULL;
    }
    *type = t->column[c].type;
    return &t->cells[row * t->columns + (size_t)c];
}

void dscq_table_set_text(dscq_table *t, size_t row, const char *column, const char *v)
{
    dscq_cell_type type;
    cell *x = at(t, row, column, &type);

    if (x == NULL)
        return;
    assert(type == DSCQ_CELL_TEXT);
    char *copy = dscq_strdup(v);
    if (copy == NULL) {
        t->bad = 1;
        return;
    }
    dscq_free(x->v.text);
    x->v.text = copy;
    x->set = 1;
}

void dscq_table_set_int(dscq_table *t, size_t row, const char *column, int64_t v)
{
    dscq_cell_type type;
    cell *x = at(t, row, column, &type);

    if (x == NULL)
        return;
    assert(type != DSCQ_CELL_TEXT);
    if (type == DSCQ_CELL_INT)
        x->v.i = v;
    else
        x->v.r = (double)v;
    x->set = 1;
}

void dscq_table_set_real(dscq_table *t, size_t row, const char *column, double v)
{
    dscq_cell_type type;
    cell *x = at(t, row, column, &type);

    if (x == NULL)
        return;
    assert(type == DSCQ_CELL_REAL);
    x->v.r = v;
    x->set = 1;
}

dscq_status dscq_table_check(const dscq_table *t, dscq_error *err)
{
    if (t->bad)
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: table %s", t->name);
    return DSCQ_OK;
}

static const cell *look(const dscq_table *t, size_t row, size_t c)
{
    assert(row < t->rows && c < t->columns);
    return &t->cells[row * t->columns + c];
}

int dscq_table_is_set(const dscq_table *t, size_t row, size_t c)
{
    return look(t, row, c)->set;
}

const char *dscq_table_text(const dscq_table *t, size_t row, size_t c)
{
    const cell *x = look(t, row, c);

    assert(t->column[c].type == DSCQ_CELL_TEXT);
    return x->set ? x->v.text : "";
}

int64_t dscq_table_int(const dscq_table *t, size_t row, size_t c)
{
    assert(t->column[c].type == DSCQ_CELL_INT);
    return look(t, row, c)->v.i;
}

double dscq_table_real(const dscq_table *t, size_t row, size_t c)
{
    const cell *x = look(t, row, c);

    assert(t->column[c].type != DSCQ_CELL_TEXT);
    return t->column[c].type == DSCQ_CELL_INT ? (double)x->v.i : x->v.r;
}
