/* --explain-schedule of a pipeline: a row a stage. */
#include "lower_internal.h"

#include <stdio.h>

static int32_t rows_held(const dscq_pipe *pipe, int32_t stage)
{
    int32_t rows = 0;

    for (int32_t i = 0; i < pipe->fifo_count; i++)
        if (pipe->fifo[i].to == stage)
            rows = dscq_max32(rows, pipe->fifo[i].rows);
    return rows;
}

static void fill_row(dscq_table *t, const lowering *l, int32_t i)
{
    const dscq_pipe_stage *s = &l->p->pipe->stage[i];
    const size_t row = dscq_table_add_row(t);
    char text[64];

    dscq_table_set_text(t, row, "layer", s->name);
    dscq_table_set_int(t, row, "rows", s->rows);
    dscq_table_set_int(t, row, "fifo_rows", rows_held(l->p->pipe, i));
    if (s->kind >= DSCQ_PIPE_LANES) {
        dscq_table_set_int(t, row, "row_cycles", s->cycles);
        dscq_table_set_int(t, row, "frame_cycles", (int64_t)s->cycles * s->rows);
        dscq_table_set_int(t, row, "post", s->post);
        dscq_table_set_text(t, row, "mode",
                            dscq_hw_mode_name((int)l->p->op[s->op_first].mode));
    } else {
        dscq_table_set_text(t, row, "mode",
                            s->kind == DSCQ_PIPE_LOAD ? "load" : "store");
    }
    if (s->kind == DSCQ_PIPE_LANES) {
        const dscq_hw_wtile *w = &l->p->wtile[s->wtile_first];
        (void)snprintf(text, sizeof text, "%dx%d", s->lanes, s->vector);
        dscq_table_set_text(t, row, "shape", text);
        (void)snprintf(text, sizeof text,
                       w->kind == DSCQ_STREAM_GAP ? "%s %d+%d" : "%s %d",
                       dscq_stream_name((int)w->kind), w->bits, w->gap_bits);
        dscq_table_set_text(t, row, "stream", text);
    }
    dscq_table_set_int(t, row, "dsp", s->need.dsp);
    dscq_table_set_int(t, row, "bram36", s->need.bram36);
    dscq_table_set_int(t, row, "lut", s->need.lut);
}

dscq_status lower__pipe_table(dscq_table **out, const lowering *l, dscq_error *err)
{
    dscq_status status = dscq_table_create(out, "schedule", err);

    if (status != DSCQ_OK)
        return status;
    dscq_table *t = *out;
    dscq_table_add_text(t, "layer", "layer");
    dscq_table_add_text(t, "mode", "mode");
    dscq_table_add_text(t, "shape", "lanes x P");
    dscq_table_add_int(t, "post", "post");
    dscq_table_add_text(t, "stream", "stream");
    dscq_table_add_int(t, "rows", "rows");
    dscq_table_add_int(t, "row_cycles", "a row");
    dscq_table_add_int(t, "frame_cycles", "a frame");
    dscq_table_add_int(t, "fifo_rows", "FIFO rows");
    dscq_table_add_int(t, "dsp", "DSP");
    dscq_table_add_int(t, "bram36", "BRAM36");
    dscq_table_add_int(t, "lut", "LUT");
    for (int32_t i = 0; i < l->p->pipe->stage_count; i++)
        fill_row(t, l, i);
    return dscq_table_check(t, err);
}
