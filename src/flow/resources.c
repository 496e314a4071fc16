#include "dscq/flow/simulate.h"
#include "dscq/hw/board.h"
#include "dscq/hw/engine.h"

#include <string.h>

static const char *const k_names[] = {
#define X(field, text) #field,
    DSCQ_RESOURCE_LIST(X)
#undef X
};

static const dscq_column k_columns[] = {DSCQ_TEXT_COLUMN("resource", ""),
                                        DSCQ_TEXT_COLUMN("part", ""),
                                        DSCQ_INT_COLUMN("used", ""),
                                        DSCQ_INT_COLUMN("available", ""),
                                        DSCQ_REAL_COLUMN("share_frac", "share", 3),
                                        DSCQ_TEXT_COLUMN("rule", ""),
                                        DSCQ_COLUMN_END};

/* The five counts in the order of the list. */
static void as_array(int64_t out[5], const dscq_resources *r)
{
    int i = 0;
#define X(field, text) out[i++] = r->field;
    DSCQ_RESOURCE_LIST(X)
#undef X
}

static void add_part(dscq_table *t, const dscq_resource_row *row)
{
    int64_t need[5];

    as_array(need, &row->need);
    for (size_t i = 0; i < sizeof k_names / sizeof *k_names; i++) {
        if (need[i] == 0)
            continue;
        DSCQ_TABLE_ROW(t, dscq_text(k_names[i]), dscq_text(row->part),
                       dscq_int(need[i]), dscq_none(), dscq_none(),
                       dscq_text(row->rule));
    }
}

static void add_sums(dscq_table *t, const dscq_resources *total, const dscq_board *b)
{
    const dscq_resources have = dscq_board_resources(b);
    int64_t used[5], there[5];

    as_array(used, total);
    as_array(there, &have);
    for (size_t i = 0; i < sizeof k_names / sizeof *k_names; i++)
        DSCQ_TABLE_ROW(t, dscq_text(k_names[i]), dscq_text("total"), dscq_int(used[i]),
                       dscq_int(there[i]),
                       there[i] > 0 ? dscq_real((double)used[i] / (double)there[i])
                                    : dscq_none(),
                       dscq_none());
}

/* Sums against the board, which a machine need not have. */
static dscq_status against_board(dscq_table *t, const dscq_machine *m,
                                 const dscq_resources *total, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_board board;
    dscq_status status;

    if (m->board[0] != '\0') {
        DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "boards", m->board, err));
        DSCQ_TRY(dscq_board_load(&board, path, err));
        DSCQ_TRY(dscq_board_fits(&board, total, m->clock_mhz, err));
        add_sums(t, total, &board);
    }
    DSCQ_TRY(dscq_table_check(t, err));
done:
    return status;
}

dscq_status dscq_flow_resources(dscq_table **out, const dscq_program *p,
                                const dscq_machine *m, dscq_error *err)
{
    const dscq_engine *e = p != NULL ? p->engine : dscq_engine_of(m);
    dscq_resources total = {0};
    dscq_resource_row row;
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    if (p == NULL && e->sized_by_network)
        return dscq_fail(err, DSCQ_ARG,
                         "machine '%s': its network decides what it takes of a board",
                         m->name);
    DSCQ_TRY(dscq_table_create(&t, "resources", k_columns, err));
    for (int32_t i = 0; e->part(&row, p, m, i); i++) {
        add_part(t, &row);
        dscq_resources_add(&total, &row.need);
    }
    DSCQ_TRY(against_board(t, m, &total, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}
