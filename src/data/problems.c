#include "dscq/data/problems.h"

dscq_status dscq_problems_create(dscq_table **out, dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("severity", ""), DSCQ_TEXT_COLUMN("kind", ""),
        DSCQ_TEXT_COLUMN("file", ""), DSCQ_TEXT_COLUMN("text", ""), DSCQ_COLUMN_END};

    return dscq_table_create(out, "problems", columns, err);
}

void dscq_problems_add(dscq_table *t, const char *severity, const char *kind,
                       const char *file, const char *text)
{
    DSCQ_TABLE_ROW(t, dscq_text(severity), dscq_text(kind), dscq_text(file),
                   dscq_text(text));
}
