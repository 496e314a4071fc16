/* --explain-schedule: what was chosen, layer by layer. */
#include "lower_internal.h"

#include <stdio.h>

void lower__stream_text(char *out, size_t cap, const dscq_hw_wtile *w)
{
    if (w->kind == DSCQ_STREAM_GAP)
        (void)snprintf(out, cap, "%s %d+%d", dscq_stream_name((int)w->kind), w->bits,
                       w->gap_bits);
    else
        (void)snprintf(out, cap, "%s %d", dscq_stream_name((int)w->kind), w->bits);
}

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

static const dscq_column k_columns[] = {
    DSCQ_TEXT_COLUMN("layer", ""),
    DSCQ_TEXT_COLUMN("mode", ""),
    DSCQ_INT_COLUMN("stage", ""),
    DSCQ_INT_COLUMN("bands", ""),
    DSCQ_TEXT_COLUMN("flow", "data flow"),
    DSCQ_TEXT_COLUMN("output", ""),
    DSCQ_TEXT_COLUMN("shape", "lanes x P"),
    DSCQ_INT_COLUMN("weight_tiles", "tiles"),
    DSCQ_TEXT_COLUMN("stream", ""),
    DSCQ_INT_COLUMN("weight_bytes", "weights"),
    DSCQ_REAL_COLUMN("stage_cycles", "est. cycles", 0),
    DSCQ_REAL_COLUMN("stage_bytes", "est. bytes", 0),
    DSCQ_COLUMN_END};

static void add_row(dscq_table *t, const lowering *l, const low_stage *s, int32_t stage,
                    int32_t o)
{
    const dscq_hw_op *op = &l->p->op[o];
    const low_op *low = &l->op[o];
    const int has_weights = low->wtile_count > 0, is_first = o == s->first;
    const dscq_cell none = dscq_none();
    char shape[64] = "", stream[64] = "";

    if (has_weights) {
        (void)snprintf(shape, sizeof shape, "%dx%d", op->lanes, op->vector);
        lower__stream_text(stream, sizeof stream, &l->p->wtile[low->wtile_first]);
    }
    DSCQ_TABLE_ROW(t, dscq_text(op->name), dscq_text(dscq_hw_mode_name((int)op->mode)),
                   dscq_int(stage), dscq_int(s->bands), dscq_text(flow_name(l, s)),
                   dscq_text(l->tensor[op->out].stays        ? "on chip"
                             : l->p->tensor[op->out].in_dram ? "DRAM"
                                                             : "fused"),
                   has_weights ? dscq_text(shape) : none,
                   has_weights ? dscq_int(low->wtile_count) : none,
                   has_weights ? dscq_text(stream) : none,
                   has_weights ? dscq_int((int64_t)low->weight_bytes) : none,
                   is_first ? dscq_real(s->cycles) : none,
                   is_first ? dscq_real(s->bytes) : none);
}

dscq_status lower__table(dscq_table **out, const lowering *l, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "schedule", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t s = 0; s < l->stage_count; s++)
        for (int32_t o = l->stage[s].first; o <= l->stage[s].last; o++)
            add_row(*out, l, &l->stage[s], s, o);
    return dscq_table_finish(out, err);
}
