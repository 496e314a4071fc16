#include "dscq/flow/simulate.h"
#include "dscq/hw/board.h"

#include <string.h>

static const char *const k_names[] = {
#define X(field, text) #field,
    DSCQ_RESOURCE_LIST(X)
#undef X
};

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
        const size_t at = dscq_table_add_row(t);
        dscq_table_set_text(t, at, "resource", k_names[i]);
        dscq_table_set_text(t, at, "part", row->part);
        dscq_table_set_int(t, at, "used", need[i]);
        dscq_table_set_text(t, at, "rule", row->rule);
    }
}

static void add_sums(dscq_table *t, const dscq_resources *total, const dscq_board *b)
{
    const dscq_resources have = dscq_board_resources(b);
    int64_t used[5], there[5];

    as_array(used, total);
    as_array(there, &have);
    for (size_t i = 0; i < sizeof k_names / sizeof *k_names; i++) {
        const size_t at = dscq_table_add_row(t);
        dscq_table_set_text(t, at, "resource", k_names[i]);
        dscq_table_set_text(t, at, "part", "total");
        dscq_table_set_int(t, at, "used", used[i]);
        dscq_table_set_int(t, at, "available", there[i]);
        if (there[i] > 0)
            dscq_table_set_real(t, at, "share_frac",
                                (double)used[i] / (double)there[i]);
    }
}

dscq_status dscq_flow_resources(dscq_table **out, const dscq_machine *m,
                                dscq_error *err)
{
    dscq_resource_row rows[DSCQ_RESOURCE_ROWS];
    dscq_resources total;
    dscq_table *t = NULL;
    dscq_board board;
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    *out = NULL;
    const int n = dscq_machine_resources(rows, &total, m);
    DSCQ_TRY(dscq_table_create(&t, "resources", err));
    dscq_table_add_text(t, "resource", "");
    dscq_table_add_text(t, "part", "");
    dscq_table_add_int(t, "used", "");
    dscq_table_add_int(t, "available", "");
    dscq_table_add_real(t, "share_frac", "share", 3);
    dscq_table_add_text(t, "rule", "");
    for (int i = 0; i < n; i++)
        add_part(t, &rows[i]);
    if (m->board[0] != '\0') { /* a machine may be for no board in particular */
        DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "boards", m->board, err));
        DSCQ_TRY(dscq_board_load(&board, path, err));
        DSCQ_TRY(dscq_board_fits(&board, &total, m->clock_mhz, err));
        add_sums(t, &total, &board);
    }
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}
