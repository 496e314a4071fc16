/* The pipeline as an engine: a stage per layer. */
#include "dscq/hw/engine.h"

#include "row.h"

static const char *const k_keys[] = {"target_fps", "fifo_rows", "shortcut_rows", NULL};

static dscq_status check_own(const dscq_program *p, dscq_error *err)
{
    return dscq_pipe_check(p->own, err);
}

static void destroy_own(void *own)
{
    dscq_pipe_destroy(own);
}

static int part(dscq_resource_row *out, const dscq_program *p, const dscq_machine *m,
                int32_t i)
{
    const dscq_pipe *pipe = p->own;

    if (i > pipe->stage_count)
        return 0;
    if (i == 0)
        *out = (dscq_resource_row){"DMA ports", "F9: per AXI port",
                                   dscq_pipe_fixed_need(m)};
    else
        *out = (dscq_resource_row){pipe->stage[i - 1].name,
                                   "PF1..PF6: the stage and its FIFOs",
                                   pipe->stage[i - 1].need};
    return 1;
}

static int32_t tracks(const dscq_program *p)
{
    return dscq_program_pipe(p)->stage_count;
}

static const char *track_name(const dscq_program *p, int32_t track)
{
    return dscq_program_pipe(p)->stage[track].name;
}

const dscq_engine hw__engine_pipeline = {
    .keys = k_keys,
    .no_key = "engine = pipeline sizes its stages itself",
    .check_own = check_own,
    .destroy_own = destroy_own,
    .rings_span_frames = 1,
    .run = hw__pipe_sim,
    .bound = hw__pipe_bound,
    .retime = dscq_pipe_measure,
    .sized_by_network = 1,
    .part = part,
    .tracks = tracks,
    .track_name = track_name,
};
