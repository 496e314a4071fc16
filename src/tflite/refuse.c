/* What cannot be expressed: one table of all of it. */
#include "lower.h"

#include <stdio.h>

dscq_status tflite__refusals_create(dscq_table **out, dscq_error *err)
{
    static const dscq_column k_columns[] = {
        DSCQ_TEXT_COLUMN("name", "operator's output"), DSCQ_TEXT_COLUMN("op", ""),
        DSCQ_INT_COLUMN("version", ""), DSCQ_TEXT_COLUMN("reason", ""),
        DSCQ_COLUMN_END};

    return dscq_table_create(out, "refused", k_columns, err);
}

void tflite__refuse(dscq_table *t, tfl_vec name, const char *op, int32_t version,
                    const char *reason)
{
    char text[128];

    tflite__text(text, sizeof text, name);
    DSCQ_TABLE_ROW(t, dscq_text(text), dscq_text(op), dscq_int(version),
                   dscq_text(reason));
}

void tflite__refuse_op(dscq_table *t, const lower *l, const tfl_op *o)
{
    const tfl_tensor *made = tflite__tensor(l->f, o->out, 0);
    char op[80];

    tflite__op_text(op, sizeof op, o);
    tflite__refuse(t, made != NULL ? made->name : (tfl_vec){NULL, 0}, op, o->version,
                   l->err->msg);
}

dscq_status tflite__refused(const lower *l, const dscq_table *t)
{
    const size_t n = dscq_table_rows(t);

    if (dscq_table_check(t, l->err) != DSCQ_OK)
        return DSCQ_NOMEM;
    return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                     "%s: %zu operator%s cannot be imported; the first is %.60s "
                     "'%.80s': %.200s",
                     l->f->name, n, n == 1 ? "" : "s", dscq_table_text(t, 0, 1),
                     dscq_table_text(t, 0, 0), dscq_table_text(t, 0, 3));
}
