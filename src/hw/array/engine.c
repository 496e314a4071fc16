/* The array as an engine: one array for all layers, commands in queues. */
#include "dscq/hw/engine.h"

#include "run.h"

#include <math.h>

static const char *const k_keys[] = {"lanes",
                                     "row_registers",
                                     "reconfigure_cycles",
                                     "post_entries",
                                     "act_bytes",
                                     "act_banks",
                                     "act_word_bytes",
                                     "weight_bytes",
                                     "schedule.objective",
                                     "schedule.fuse",
                                     "schedule.resident",
                                     "schedule.order",
                                     "schedule.dataflow",
                                     "schedule.weights",
                                     "schedule.lanes",
                                     "schedule.epilogue",
                                     NULL};

static dscq_status check_shapes(const dscq_machine *m, dscq_error *err)
{
    if (m->lanes.count < 1 || m->lanes.count > DSCQ_SHAPES_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "lanes has %d entries; want 1 to %d",
                         m->lanes.count, DSCQ_SHAPES_MAX);
    int forced = m->schedule.lanes == 0;
    for (int32_t i = 0; i < m->lanes.count; i++) {
        const double v = m->lanes.v[i];
        const int32_t n = (int32_t)v;
        if (v != floor(v) || m->multipliers % n != 0 ||
            m->multipliers / n > DSCQ_VECTOR_MAX)
            return dscq_fail(err, DSCQ_FORMAT,
                             "lanes = %g does not divide multipliers = %d into a "
                             "vector of 1 to %d",
                             v, m->multipliers, DSCQ_VECTOR_MAX);
        forced |= n == m->schedule.lanes;
    }
    if (!forced)
        return dscq_fail(err, DSCQ_FORMAT,
                         "[schedule] lanes = %d is not in [machine] lanes",
                         m->schedule.lanes);
    return DSCQ_OK;
}

static dscq_status check(const dscq_machine *m, dscq_error *err)
{
    const int64_t width = (int64_t)m->act_banks * m->act_word_bytes;

    if (check_shapes(m, err) != DSCQ_OK)
        return DSCQ_FORMAT;
    if (m->act_bytes % width != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "act_bytes = %lld is not a multiple of act_banks x "
                         "act_word_bytes = %lld",
                         (long long)m->act_bytes, (long long)width);
    return DSCQ_OK;
}

static int part(dscq_resource_row *out, const dscq_program *p, const dscq_machine *m,
                int32_t i)
{
    dscq_resource_row rows[DSCQ_RESOURCE_ROWS];
    dscq_resources total;

    (void)p;
    if (i >= dscq_machine_resources(rows, &total, m))
        return 0;
    *out = rows[i];
    return 1;
}

static int32_t tracks(const dscq_program *p)
{
    (void)p;
    return DSCQ_UNIT_COUNT;
}

static const char *track_name(const dscq_program *p, int32_t track)
{
    (void)p;
    return dscq_unit_name(track);
}

const dscq_engine hw__engine_array = {
    .keys = k_keys,
    .no_key = "only engine = pipeline has it",
    .check = check,
    .run = hw__array_sim,
    .bound = hw__array_bound,
    .part = part,
    .tracks = tracks,
    .track_name = track_name,
};
