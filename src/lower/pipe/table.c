/* --explain-schedule of a pipeline: a row a stage. */
#include "pipe.h"

#include <stdio.h>

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
    const dscq_pipe_stage *s = &dscq_program_pipe(l->p)->stage[i];
    const int works = s->kind >= DSCQ_PIPE_LANES,
              has_lanes = s->kind == DSCQ_PIPE_LANES;
    const dscq_cell none = dscq_none();
    char shape[64] = "", stream[64] = "";

    if (has_lanes) {
        (void)snprintf(shape, sizeof shape, "%dx%d", s->lanes, s->vector);
        lower__stream_text(stream, sizeof stream, &l->p->wtile[s->wtile_first]);
    }
    DSCQ_TABLE_ROW(
        t, dscq_text(s->name),
        dscq_text(works ? dscq_hw_mode_name((int)l->p->op[s->op_first].mode)
                  : s->kind == DSCQ_PIPE_LOAD ? "load"
                                              : "store"),
        has_lanes ? dscq_text(shape) : none, works ? dscq_int(s->post) : none,
        has_lanes ? dscq_text(stream) : none, dscq_int(s->rows),
        works ? dscq_int(s->cycles) : none,
        works ? dscq_int((int64_t)s->cycles * s->rows) : none,
        dscq_int(rows_held(dscq_program_pipe(l->p), i)), dscq_int(s->need.dsp),
        dscq_int(s->need.bram36), dscq_int(s->need.lut));
}

dscq_status lower__pipe_table(dscq_table **out, const lowering *l, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "schedule", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < dscq_program_pipe(l->p)->stage_count; i++)
        add_row(*out, l, i);
    return dscq_table_finish(out, err);
}
