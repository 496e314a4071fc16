#include "result.h"

#include <assert.h>

const void *dscq_sim_output(const dscq_sim *s, int32_t i, int32_t frame,
                            size_t *bytes_out)
{
    assert(i >= 0 && i < s->output_count && frame >= 0 && frame < s->frames);
    if (bytes_out != NULL)
        *bytes_out = s->output_bytes[i];
    return s->output[i * s->frames + frame];
}

const void *dscq_sim_tensor(const dscq_sim *s, int32_t tensor, size_t *bytes_out)
{
    assert(tensor >= 0 && tensor < s->tensor_count);
    if (bytes_out != NULL)
        *bytes_out = s->tensor_bytes[tensor];
    return s->tensor[tensor];
}

const dscq_counters *dscq_sim_counters(const dscq_sim *s)
{
    return &s->total;
}

const dscq_counters *dscq_sim_layer(const dscq_sim *s, int32_t layer)
{
    assert(layer >= 0 && layer < s->layer_count);
    return &s->layer[layer];
}

uint64_t dscq_sim_stall(const dscq_sim *s, dscq_unit unit, dscq_stall stall)
{
    return s->stall[unit][stall];
}

uint64_t dscq_sim_frame_end(const dscq_sim *s, int32_t frame)
{
    assert(frame >= 0 && frame < s->frames);
    return s->frame_end[frame];
}

dscq_dram_counters dscq_sim_dram_counters(const dscq_sim *s)
{
    return s->dram;
}

dscq_dram_energy dscq_sim_dram_energy(const dscq_sim *s)
{
    return s->dram_energy;
}

int32_t dscq_sim_multipliers(const dscq_sim *s)
{
    return s->machine.multipliers;
}

int64_t dscq_sim_act_peak(const dscq_sim *s)
{
    return s->act_peak;
}

dscq_sim_totals dscq_sim_total(const dscq_sim *s)
{
    const dscq_counters *c = &s->total;
    const double period = 1e-6 / s->machine.clock_mhz;
    dscq_sim_totals t = {.cycles = c->cycles, .frames = (uint64_t)s->frames};

    t.seconds = (double)c->cycles * period;
    t.latency_ms = (double)s->frame_end[0] * period * 1e3;
    /* steady state: the time between the first frame's end and the last one's */
    if (s->frames > 1)
        t.fps = (s->frames - 1) /
                ((double)(s->frame_end[s->frames - 1] - s->frame_end[0]) * period);
    else
        t.fps = 1 / t.seconds;
    t.gops_dense = 2e-9 * (double)c->mac_dense / t.seconds;
    t.gops_effective = 2e-9 * (double)c->mac_done / t.seconds;
    t.utilisation = (double)c->mac_done / (double)c->mult_slots;
    t.dense_mac_per_multiplier_cycle = (double)c->mac_dense / (double)c->mult_slots;
    t.dram_bytes = (double)(c->dram_act_read_bytes + c->dram_act_write_bytes +
                            c->dram_weight_bytes);
    t.dram_gbytes_per_s = t.dram_bytes * 1e-9 / t.seconds;
    t.certified = s->certified;
    return t;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

/* Of the array while the layer has it; of a pipeline's stage while it works. */
static double layer_use(const dscq_sim *s, const dscq_counters *c)
{
    if (s->stage_count == 0)
        return share(c->mac_done, c->cycles * (uint64_t)s->machine.multipliers);
    return share(c->mac_done, c->mult_compute + c->mult_filler + c->mult_pixel_tail +
                                  c->mult_empty + c->mult_no_channel +
                                  c->mult_imbalance + c->mult_drain);
}

dscq_status dscq_sim_table_layers(dscq_table **out, const dscq_sim *s, dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("layer", ""),
        DSCQ_INT_COLUMN("cycles", "cycles"),
        DSCQ_REAL_COLUMN("cycles_frac", "share", 3),
        DSCQ_INT_COLUMN("mac_dense", "MACs"),
        DSCQ_INT_COLUMN("mac_done", "done"),
        DSCQ_REAL_COLUMN("utilisation_frac", "use", 3),
        DSCQ_INT_COLUMN("dram_read_bytes", "DRAM in"),
        DSCQ_INT_COLUMN("dram_weight_bytes", "weights"),
        DSCQ_INT_COLUMN("dram_write_bytes", "DRAM out"),
        DSCQ_INT_COLUMN("act_read_bytes", "buffer in"),
        DSCQ_INT_COLUMN("commands", "cmds"),
        DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "layers", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < s->layer_count; i++) {
        const dscq_counters *c = &s->layer[i];
        DSCQ_TABLE_ROW(
            *out, dscq_text(s->layer_name[i]), dscq_int((int64_t)c->cycles),
            dscq_real(share(c->cycles, s->total.cycles)),
            dscq_int((int64_t)c->mac_dense), dscq_int((int64_t)c->mac_done),
            dscq_real(layer_use(s, c)), dscq_int((int64_t)c->dram_act_read_bytes),
            dscq_int((int64_t)c->dram_weight_bytes),
            dscq_int((int64_t)c->dram_act_write_bytes),
            dscq_int((int64_t)c->act_read_bytes), dscq_int((int64_t)c->commands));
    }
    return dscq_table_finish(out, err);
}

static void add_stage(dscq_table *t, const struct sim_stage *s)
{
    const struct {
        const char *cause, *meaning;
        uint64_t cycles;
    } k[] = {{"busy", "making a row, or moving it", s->busy},
             {"starved", "a row it needs is not there", s->starved},
             {"blocked", "a FIFO it writes is full", s->blocked},
             {"idle", "after its last row", s->idle}};

    for (size_t i = 0; i < sizeof k / sizeof *k; i++)
        if (k[i].cycles != 0)
            DSCQ_TABLE_ROW(t, dscq_text(s->name), dscq_text(k[i].cause),
                           dscq_real((double)k[i].cycles),
                           dscq_real(share(k[i].cycles, s->cycles)),
                           dscq_text(k[i].meaning));
}

dscq_status dscq_sim_table_stalls(dscq_table **out, const dscq_sim *s, dscq_error *err)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("unit", ""),
                                          DSCQ_TEXT_COLUMN("cause", ""),
                                          DSCQ_REAL_COLUMN("cycles", "cycles", 0),
                                          DSCQ_REAL_COLUMN("cycles_frac", "share", 4),
                                          DSCQ_TEXT_COLUMN("meaning", ""),
                                          DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "stalls", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < s->stage_count; i++)
        add_stage(*out, &s->stage[i]);
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        const uint64_t per =
            u == DSCQ_UNIT_COMPUTE ? (uint64_t)s->machine.multipliers : 1;
        for (int i = 0; i < DSCQ_STALL_COUNT; i++)
            if (s->stall[u][i] != 0)
                DSCQ_TABLE_ROW(*out, dscq_text(dscq_unit_name(u)),
                               dscq_text(dscq_stall_name(i)),
                               dscq_real((double)s->stall[u][i] / (double)per),
                               dscq_real(share(s->stall[u][i], s->total.cycles * per)),
                               dscq_text(dscq_stall_text(i)));
    }
    return dscq_table_finish(out, err);
}

dscq_status dscq_sim_table_counters(dscq_table **out, const dscq_sim *s,
                                    dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("counter", ""), DSCQ_INT_COLUMN("value", ""),
        DSCQ_TEXT_COLUMN("unit", ""), DSCQ_TEXT_COLUMN("meaning", ""), DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "counters", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int i = 0; i < dscq_counter_count(); i++)
        DSCQ_TABLE_ROW(*out, dscq_text(dscq_counter_name(i)),
                       dscq_int((int64_t)dscq_counter_value(&s->total, i)),
                       dscq_text(dscq_counter_unit(i)),
                       dscq_text(dscq_counter_text(i)));
    return dscq_table_finish(out, err);
}
