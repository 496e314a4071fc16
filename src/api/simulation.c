/* One run of a network on a machine. */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/flow/simulate.h"

#include <string.h>

dscq_status dscq_simulate(dscq_simulation **out, const dscq_qnet *q,
                          const dscq_machine *m, const dscq_simulation_options *options,
                          dscq_error *err)
{
    dscq_simulation_options o;
    api_listener listener;
    dscq_simulation *s = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(api__need(m, "machine", err));
    DSCQ_TRY(api__take(&o, sizeof o, options, "dscq_simulation_options", err));
    DSCQ_TRY(api__listen(&listener, o.events, err));
    if (o.frames < 0)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "frames %d: 0 or more", (int)o.frames));
    s = dscq_calloc(1, sizeof *s);
    if (s == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a simulation", sizeof *s));
    const dscq_simulate_options so = {.frames = o.frames,
                                      .no_data = o.timing_only,
                                      .verify = o.verify,
                                      .input = o.input,
                                      .trace = o.trace,
                                      .what_if = o.what_if,
                                      .log = &listener.log};
    DSCQ_TRY(dscq_flow_simulate(s, q->model, m, &so, err));
    *out = s;
    return DSCQ_OK;
done:
    dscq_free(s);
    return status;
}

void dscq_simulation_close(dscq_simulation *s)
{
    if (s != NULL)
        dscq_simulation_clear(s);
    dscq_free(s);
}

dscq_status dscq_simulation_describe(dscq_simulation_info *out,
                                     const dscq_simulation *s, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__check_room(out, "dscq_simulation_info", err));
    DSCQ_TRY(api__need(s, "simulation", err));
    const dscq_sim_totals *t = &s->totals;
    const dscq_energy_bill *b = &s->bill;
    const dscq_simulation_info info = {.cycles = t->cycles,
                                       .frames = t->frames,
                                       .fps = t->fps,
                                       .latency_ms = t->latency_ms,
                                       .gops_dense = t->gops_dense,
                                       .gops_effective = t->gops_effective,
                                       .utilisation_frac = t->utilisation,
                                       .dram_bytes = t->dram_bytes,
                                       .energy_pj = b->total_pj,
                                       .energy_low_pj = b->low_pj_total,
                                       .energy_high_pj = b->high_pj_total,
                                       .dynamic_pj = b->dynamic_pj,
                                       .static_pj = b->static_pj,
                                       .dram_pj = b->dram_pj,
                                       .watt = b->watt,
                                       .verified = s->verified,
                                       .multipliers = s->machine.multipliers};
    api__give(out, &info, sizeof info);
done:
    return status;
}

dscq_status dscq_simulation_counter(uint64_t *out, const dscq_simulation *s,
                                    const char *name, int32_t layer, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    DSCQ_TRY(api__need(s, "simulation", err));
    DSCQ_TRY(api__need(name, "name", err));
    if (layer < -1 || layer >= s->program->layer_count)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "layer %d: -1 (all) to %d", (int)layer,
                           (int)s->program->layer_count - 1));
    const dscq_counters *c =
        layer < 0 ? dscq_sim_counters(s->sim) : dscq_sim_layer(s->sim, layer);
    for (int i = 0; i < dscq_counter_count(); i++)
        if (strcmp(dscq_counter_name(i), name) == 0) {
            *out = dscq_counter_value(c, i);
            return DSCQ_OK;
        }
    status = dscq_fail(err, DSCQ_ARG, "no counter '%s'", name);
done:
    return status;
}

const dscq_table *dscq_simulation_table(const dscq_simulation *s, const char *name)
{
    const struct {
        const char *name;
        const dscq_table *table;
    } tables[] = {{"layers", s->layers},       {"counters", s->counters},
                  {"stalls", s->stalls},       {"schedule", s->schedule},
                  {"energy", s->energy},       {"coefficients", s->coefficients},
                  {"resources", s->resources}, {"what_if", s->what_if}};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i].name, name) == 0)
            return tables[i].table;
    return NULL;
}

const void *dscq_simulation_codes(size_t *bytes, const dscq_simulation *s, int32_t i,
                                  int32_t frame)
{
    size_t unasked;

    if (i < 0 || i >= s->program->output_count || frame < 0 ||
        (uint64_t)frame >= s->totals.frames)
        return NULL;
    return dscq_sim_output(s->sim, i, frame, bytes != NULL ? bytes : &unasked);
}

dscq_status dscq_simulation_report(char **out, const dscq_simulation *s,
                                   const dscq_qnet *q, dscq_error *err)
{
    dscq_json *report = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(s, "simulation", err));
    DSCQ_TRY(api__need(q, "qnet", err));
    const dscq_report_facts facts = {.file_bytes = q->file_bytes, .sha256 = q->sha256};
    DSCQ_TRY(dscq_flow_report(&report, q->model, s, &facts, err));
    DSCQ_TRY(dscq_json_dump(out, report, err));
done:
    dscq_json_free(report);
    return status;
}
