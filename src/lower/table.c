/* --explain-schedule: what was chosen, layer by layer. */
#include "lower_internal.h"

#include <stdio.h>

static const char *flow_name(const lowering *l, const low_stage *s)
{
    if (s->strip > 0)
        return "strips";
    if (s->flow == LOW_GROUPS)
        return "channel groups";
    if (s->flow == LOW_FEATURES)
        return "features kept";
    if (s->flow == LOW_WEIGHTS)
        return l->scan ? "weights kept, scan" : "weights kept, raster";
    return s->kept ? "both once" : l->scan ? "bands, scan" : "bands, raster";
}

static void fill_row(dscq_table *t, const lowering *l, const low_stage *s,
                     int32_t stage, int32_t o)
{
    const dscq_hw_op *op = &l->p->op[o];
    const low_op *low = &l->op[o];
    const size_t row = dscq_table_add_row(t);
    char text[64];

    dscq_table_set_text(t, row, "layer", op->name);
    dscq_table_set_text(t, row, "mode", dscq_hw_mode_name((int)op->mode));
    dscq_table_set_int(t, row, "stage", stage);
    dscq_table_set_int(t, row, "bands", s->bands);
    dscq_table_set_text(t, row, "flow", flow_name(l, s));
    dscq_table_set_text(t, row, "output",
                        l->tensor[op->out].stays        ? "on chip"
                        : l->p->tensor[op->out].in_dram ? "DRAM"
                                                        : "fused");
    if (low->wtile_count > 0) {
        const dscq_hw_wtile *w = &l->p->wtile[low->wtile_first];
        (void)snprintf(text, sizeof text, "%dx%d", op->lanes, op->vector);
        dscq_table_set_text(t, row, "shape", text);
        dscq_table_set_int(t, row, "weight_tiles", low->wtile_count);
        (void)snprintf(text, sizeof text,
                       w->kind == DSCQ_STREAM_GAP ? "%s %d+%d" : "%s %d",
                       dscq_stream_name((int)w->kind), w->bits, w->gap_bits);
        dscq_table_set_text(t, row, "stream", text);
        dscq_table_set_int(t, row, "weight_bytes", (int64_t)low->weight_bytes);
    }
    if (o == s->first) {
        dscq_table_set_real(t, row, "stage_cycles", s->cycles);
        dscq_table_set_real(t, row, "stage_bytes", s->bytes);
    }
}

dscq_status lower__table(dscq_table **out, const lowering *l, dscq_error *err)
{
    dscq_status status = dscq_table_create(out, "schedule", err);

    if (status != DSCQ_OK)
        return status;
    dscq_table *t = *out;
    dscq_table_add_text(t, "layer", "layer");
    dscq_table_add_text(t, "mode", "mode");
    dscq_table_add_int(t, "stage", "stage");
    dscq_table_add_int(t, "bands", "bands");
    dscq_table_add_text(t, "flow", "data flow");
    dscq_table_add_text(t, "output", "output");
    dscq_table_add_text(t, "shape", "lanes x P");
    dscq_table_add_int(t, "weight_tiles", "tiles");
    dscq_table_add_text(t, "stream", "stream");
    dscq_table_add_int(t, "weight_bytes", "weights");
    dscq_table_add_real(t, "stage_cycles", "est. cycles", 0);
    dscq_table_add_real(t, "stage_bytes", "est. bytes", 0);
    for (int32_t s = 0; s < l->stage_count; s++)
        for (int32_t o = l->stage[s].first; o <= l->stage[s].last; o++)
            fill_row(t, l, &l->stage[s], s, o);
    return dscq_table_check(t, err);
}
