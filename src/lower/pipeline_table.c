/* --explain-schedule of a pipeline: a row a stage. */
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

static int32_t rows_held(const dscq_pipe *pipe, int32_t stage)
{
    int32_t rows = 0;

    for (int32_t i = 0; i < pipe->fifo_count; i++)
        if (pipe->fifo[i].to == stage)
            rows = dscq_max32(rows, pipe->fifo[i].rows);
    return rows;
}

static const dscq_column k_columns[] = {DSCQ_TEXT_COLUMN("layer", ""),
                                        DSCQ_TEXT_COLUMN("mode", ""),
                                        DSCQ_TEXT_COLUMN("shape", "lanes x P"),
                                        DSCQ_INT_COLUMN("post", ""),
                                        DSCQ_TEXT_COLUMN("stream", ""),
                                        DSCQ_INT_COLUMN("rows", ""),
                                        DSCQ_INT_COLUMN("row_cycles", "a row"),
                                        DSCQ_INT_COLUMN("frame_cycles", "a frame"),
                                        DSCQ_INT_COLUMN("fifo_rows", "FIFO rows"),
                                        DSCQ_INT_COLUMN("dsp", "DSP"),
                                        DSCQ_INT_COLUMN("bram36", "BRAM36"),
                                        DSCQ_INT_COLUMN("lut", "LUT"),
                                        DSCQ_COLUMN_END};

static void add_row(dscq_table *t, const lowering *l, int32_t i)
{
    const dscq_pipe_stage *s = &l->p->pipe->stage[i];
    const int works = s->kind >= DSCQ_PIPE_LANES,
              has_lanes = s->kind == DSCQ_PIPE_LANES;
    const dscq_cell none = dscq_none();
    char shape[64] = "", stream[64] = "";

    if (has_lanes) {
        (void)snprintf(shape, sizeof shape, "%dx%d", s->lanes, s->vector);
        lower__stream_text(stream, sizeof stream, &l->p->wtile[s->wtile_first]);
    }
    DSCQ_TABLE_ROW(t, dscq_text(s->name),
                   dscq_text(works ? dscq_hw_mode_name((int)l->p->op[s->op_first].mode)
                             : s->kind == DSCQ_PIPE_LOAD ? "load"
                                                         : "store"),
                   has_lanes ? dscq_text(shape) : none,
                   works ? dscq_int(s->post) : none,
                   has_lanes ? dscq_text(stream) : none, dscq_int(s->rows),
                   works ? dscq_int(s->cycles) : none,
                   works ? dscq_int((int64_t)s->cycles * s->rows) : none,
                   dscq_int(rows_held(l->p->pipe, i)), dscq_int(s->need.dsp),
                   dscq_int(s->need.bram36), dscq_int(s->need.lut));
}

dscq_status lower__pipe_table(dscq_table **out, const lowering *l, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "schedule", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < l->p->pipe->stage_count; i++)
        add_row(*out, l, i);
    return dscq_table_finish(out, err);
}
