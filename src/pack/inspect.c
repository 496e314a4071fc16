/* What is in a network, as a table. */
#include "format.h"

#include <stdio.h>

static void shape_text(char *out, size_t cap, const dscq_qtensor *t)
{
    (void)snprintf(out, cap, "%dx%dx%d", t->h, t->w, t->c);
}

static const dscq_column k_columns[] = {
    DSCQ_INT_COLUMN("index", ""),       DSCQ_TEXT_COLUMN("name", ""),
    DSCQ_TEXT_COLUMN("op", ""),         DSCQ_TEXT_COLUMN("inputs", ""),
    DSCQ_TEXT_COLUMN("in", ""),         DSCQ_TEXT_COLUMN("out", ""),
    DSCQ_TEXT_COLUMN("kernel", ""),     DSCQ_INT_COLUMN("macs", ""),
    DSCQ_INT_COLUMN("weights", ""),     DSCQ_INT_COLUMN("nonzero", ""),
    DSCQ_INT_COLUMN("weight_bits", ""), DSCQ_TEXT_COLUMN("encoding", ""),
    DSCQ_INT_COLUMN("bits", ""),        DSCQ_INT_COLUMN("zero_point", ""),
    DSCQ_REAL_COLUMN("scale", "", 6),   DSCQ_COLUMN_END};

static void add_node(dscq_table *t, const dscq_qmodel *m, int32_t i)
{
    const dscq_qnode *n = &m->node[i];
    const dscq_qtensor *x = &m->tensor[n->input[0]], *y = &m->tensor[n->output];
    const dscq_qweights *w = n->weights;
    const dscq_pack_encoding_info *e =
        w != NULL ? dscq_pack_encoding_at(w->encoding) : NULL;
    const dscq_cell none = dscq_none();
    char inputs[128] = "", in[40], out[40], kernel[40] = "";

    for (int32_t j = 0; j < n->input_count; j++) {
        const size_t used = strlen(inputs);
        (void)snprintf(inputs + used, sizeof inputs - used, "%s%s", j > 0 ? "," : "",
                       m->tensor[n->input[j]].name);
    }
    shape_text(in, sizeof in, x);
    shape_text(out, sizeof out, y);
    if (w != NULL)
        (void)snprintf(kernel, sizeof kernel, "%dx%d/%d", w->r, w->s, n->stride_h);
    DSCQ_TABLE_ROW(
        t, dscq_int(i), dscq_text(n->name), dscq_text(dscq_qop_name(n->op)),
        dscq_text(inputs), dscq_text(in), dscq_text(out),
        w != NULL ? dscq_text(kernel) : none, dscq_int((int64_t)dscq_qnode_macs(m, n)),
        w != NULL ? dscq_int((int64_t)w->count) : none,
        w != NULL ? dscq_int((int64_t)dscq_qweights_nonzero(w)) : none,
        w != NULL ? dscq_int(w->bits) : none, e != NULL ? dscq_text(e->name) : none,
        dscq_int(y->bits), dscq_int(y->zero_point), dscq_real(y->scale));
}

dscq_status dscq_pack_node_table(dscq_table **out, const dscq_qmodel *m,
                                 dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "nodes", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < m->node_count; i++)
        add_node(*out, m, i);
    return dscq_table_finish(out, err);
}
