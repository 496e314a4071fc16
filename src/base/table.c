#include "dscq/base/table.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <math.h>
#include <string.h>

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
    dscq_column *column;
    size_t columns, rows, cap;
    cell *cells; /* cap rows of `columns` cells */
    int bad;     /* an allocation failed */
};

dscq_cell dscq_finite(double v)
{
    return isfinite(v) ? dscq_real(v) : dscq_none();
}

dscq_status dscq_table_create(dscq_table **out, const char *name,
                              const dscq_column *columns, dscq_error *err)
{
    dscq_table *t = dscq_calloc(1, sizeof *t);
    size_t n = 0;

    *out = NULL;
    if (t == NULL)
        return dscq_fail_nomem(err, "table", sizeof *t);
    while (columns[n].key[0] != '\0')
        n++;
    t->column = dscq_calloc(n, sizeof *t->column);
    if (t->column == NULL) {
        dscq_free(t);
        return dscq_fail_nomem(err, "table", n * sizeof *t->column);
    }
    (void)dscq_str_copy(t->name, sizeof t->name, name);
    for (; t->columns < n; t->columns++) {
        assert(dscq_table_find(t, columns[t->columns].key) < 0);
        t->column[t->columns] = columns[t->columns];
    }
    *out = t;
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
    dscq_free(t->column);
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
        if (strcmp(t->column[c].key, column) == 0)
            return (int)c;
    return -1;
}

static int reserve(dscq_table *t)
{
    const size_t row_bytes = t->columns * sizeof(cell);

    if (t->rows < t->cap)
        return 1;
    const size_t cap = t->cap == 0 ? 16 : t->cap * 2;
    cell *p = dscq_realloc(t->cells, t->rows * row_bytes, cap * row_bytes);
    if (p == NULL)
        return 0;
    t->cells = p;
    t->cap = cap;
    return 1;
}

static void fill(dscq_table *t, cell *to, dscq_cell_type type, const dscq_cell *from)
{
    *to = (cell){0};
    if (!from->is_set)
        return;
    assert(from->type == type ||
           (from->type == DSCQ_CELL_INT && type == DSCQ_CELL_REAL));
    to->set = 1;
    if (type == DSCQ_CELL_INT)
        to->v.i = from->i;
    else if (type == DSCQ_CELL_REAL)
        to->v.r = from->r;
    else {
        to->v.text = dscq_strdup(from->text);
        to->set = to->v.text != NULL;
        t->bad |= !to->set;
    }
}

void dscq_table_add(dscq_table *t, const dscq_cell *cells, size_t count)
{
    assert(count == t->columns);
    if (t->bad || !reserve(t)) {
        t->bad = 1;
        return;
    }
    for (size_t c = 0; c < count; c++)
        fill(t, &t->cells[t->rows * count + c], t->column[c].type, &cells[c]);
    t->rows++;
}

dscq_status dscq_table_check(const dscq_table *t, dscq_error *err)
{
    if (t->bad)
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: table %s", t->name);
    return DSCQ_OK;
}

dscq_status dscq_table_finish(dscq_table **t, dscq_error *err)
{
    const dscq_status status = dscq_table_check(*t, err);

    if (status != DSCQ_OK) {
        dscq_table_destroy(*t);
        *t = NULL;
    }
    return status;
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

static void say_cell(dscq_str *to, const dscq_table *t, size_t row, size_t c)
{
    const dscq_column *column = &t->column[c];

    if (!dscq_table_is_set(t, row, c))
        return;
    dscq_str_addf(to, "%s%s ", to->len > 0 ? ", " : "", column->key);
    if (column->type == DSCQ_CELL_TEXT)
        dscq_str_add(to, dscq_table_text(t, row, c));
    else
        dscq_str_addf(to, "%.6g", dscq_table_real(t, row, c));
}

void dscq_table_trace(const dscq_table *t, const dscq_log *log, dscq_traced module)
{
    for (size_t row = 0; dscq_log_traces(log, module) && row < t->rows; row++) {
        dscq_str text = {0};
        for (size_t c = 0; c < t->columns; c++)
            say_cell(&text, t, row, c);
        if (!text.bad)
            dscq_log_trace(log, module, "%s", text.text != NULL ? text.text : "");
        dscq_str_free(&text);
    }
}
