/* The grids that an import found, as a table and a file. */
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/report/writers.h"
#include "flow_internal.h"

/* One row a grid: layer, scale, zero point, smallest and largest code, bits of a code.
 */
static const dscq_column k_columns[] = {DSCQ_TEXT_COLUMN("layer", ""),
                                        DSCQ_REAL_COLUMN("scale", "", 9),
                                        DSCQ_INT_COLUMN("zero", ""),
                                        DSCQ_INT_COLUMN("lo", ""),
                                        DSCQ_INT_COLUMN("hi", ""),
                                        DSCQ_INT_COLUMN("bits", ""),
                                        DSCQ_COLUMN_END};

dscq_status flow__range_table(dscq_table **out, const dscq_graph_range *r,
                              int32_t count, const dscq_model *m, dscq_error *err)
{
    dscq_status status;

    if (count == 0)
        return DSCQ_OK;
    DSCQ_TRY(dscq_table_create(out, "ranges", k_columns, err));
    for (int32_t i = 0; i < count; i++)
        DSCQ_TABLE_ROW(*out,
                       dscq_text(r[i].node == DSCQ_INPUT
                                     ? "input"
                                     : dscq_model_node(m, r[i].node)->name),
                       dscq_real(r[i].scale), dscq_int(r[i].zero), dscq_int(r[i].lo),
                       dscq_int(r[i].hi), dscq_int(flow__codes_bits(r[i].lo, r[i].hi)));
    status = dscq_table_finish(out, err);
done:
    return status;
}

dscq_status flow__write_ranges(const dscq_table *t, const char *dir, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str text = {0};
    dscq_status status;

    DSCQ_TRY(dscq_write_csv(&text, t, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "ranges.csv", err));
    DSCQ_TRY(dscq_file_write(path, text.text, text.len, err));
done:
    dscq_str_free(&text);
    return status;
}
