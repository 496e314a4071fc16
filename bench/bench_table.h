/* A table of the library on stdout: a row a line, cells apart by tabs. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "dscq/base/table.h"

#include <stdio.h>

static inline void bench_print_table(const dscq_table *t, int with_names)
{
    for (size_t c = 0; with_names && c < dscq_table_columns(t); c++)
        printf("%s%s", c > 0 ? "\t" : "", dscq_table_column(t, c)->key);
    printf("%s", with_names ? "\n" : "");
    for (size_t r = 0; r < dscq_table_rows(t); r++) {
        for (size_t c = 0; c < dscq_table_columns(t); c++) {
            const dscq_column *k = dscq_table_column(t, c);
            printf("%s", c > 0 ? "\t" : "");
            if (!dscq_table_is_set(t, r, c))
                printf("-");
            else if (k->type == DSCQ_CELL_TEXT)
                printf("%s", dscq_table_text(t, r, c));
            else
                printf("%.*f", k->decimals, dscq_table_real(t, r, c));
        }
        printf("\n");
    }
}

#endif
