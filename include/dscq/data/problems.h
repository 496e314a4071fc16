/*
 * data/problems.h - what would go wrong later, as a table.
 */
#ifndef DSCQ_DATA_PROBLEMS_H
#define DSCQ_DATA_PROBLEMS_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One problem a row: severity ("error" | "warning"), kind (a stable word: unreadable,
 * missing_label, ...), file, text. Owned by the caller. */
dscq_status dscq_problems_create(dscq_table **out, dscq_error *err);
/* Want of memory is remembered: dscq_table_check(). */
void dscq_problems_add(dscq_table *t, const char *severity, const char *kind,
                       const char *file, const char *text);

#ifdef __cplusplus
}
#endif
#endif
