/* What is in a network, as a table. */
#include "format.h"

#include <stdio.h>

static void shape_text(char *out, size_t cap, const dscq_qtensor *t)
{
    (void)snprintf(out, cap, "%dx%dx%d", t->h, t->w, t->c);
}

static void add_node(dscq_table *t, const dscq_qmodel *m, int32_t i)
{
    const dscq_qnode *n = &m->node[i];
    const dscq_qtensor *x = &m->tensor[n->input[0]], *y = &m->tensor[n->output];
    const size_t row = dscq_table_add_row(t);
    char text[128] = "";

    dscq_table_set_int(t, row, "index", i);
    dscq_table_set_text(t, row, "name", n->name);
    dscq_table_set_text(t, row, "op", dscq_qop_name(n->op));
    for (int32_t j = 0; j < n->input_count; j++) {
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%s", j > 0 ? "," : "",
                       m->tensor[n->input[j]].name);
    }
    dscq_table_set_text(t, row, "inputs", text);
    shape_text(text, sizeof text, x);
    dscq_table_set_text(t, row, "in", text);
    shape_text(text, sizeof text, y);
    dscq_table_set_text(t, row, "out", text);
    dscq_table_set_int(t, row, "bits", y->bits);
    dscq_table_set_real(t, row, "scale", y->scale);
    dscq_table_set_int(t, row, "zero_point", y->zero_point);
    dscq_table_set_int(t, row, "macs", (int64_t)dscq_qnode_macs(m, n));
    if (n->weights == NULL)
        return;
    dscq_table_set_int(t, row, "weights", (int64_t)n->weights->count);
    dscq_table_set_int(t, row, "nonzero", (int64_t)dscq_qweights_nonzero(n->weights));
    dscq_table_set_int(t, row, "weight_bits", n->weights->bits);
    (void)snprintf(text, sizeof text, "%dx%d/%d", n->weights->r, n->weights->s,
                   n->stride_h);
    dscq_table_set_text(t, row, "kernel", text);
    const dscq_pack_encoding_info *e = dscq_pack_encoding_at(n->weights->encoding);
    if (e != NULL)
        dscq_table_set_text(t, row, "encoding", e->name);
}

dscq_status dscq_pack_node_table(dscq_table **out, const dscq_qmodel *m,
                                 dscq_error *err)
{
    static const struct {
        const char *name;
        char type; /* t text, i integer, r real */
    } columns[] = {{"index", 'i'},   {"name", 't'},        {"op", 't'},
                   {"inputs", 't'},  {"in", 't'},          {"out", 't'},
                   {"kernel", 't'},  {"macs", 'i'},        {"weights", 'i'},
                   {"nonzero", 'i'}, {"weight_bits", 'i'}, {"encoding", 't'},
                   {"bits", 'i'},    {"zero_point", 'i'},  {"scale", 'r'}};
    const dscq_status status = dscq_table_create(out, "nodes", err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (columns[i].type == 't')
            dscq_table_add_text(*out, columns[i].name, "");
        else if (columns[i].type == 'i')
            dscq_table_add_int(*out, columns[i].name, "");
        else
            dscq_table_add_real(*out, columns[i].name, "", 6);
    for (int32_t i = 0; i < m->node_count; i++)
        add_node(*out, m, i);
    return dscq_table_check(*out, err);
}
