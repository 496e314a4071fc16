#include "dscq/flow/simulate.h"

#include "dscq/base/alloc.h"
#include "dscq/dram/config.h"
#include "dscq/hw/engine.h"
#include "dscq/hw/trace.h"
#include "dscq/lower/lower.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { CERTIFY_DEFAULT = 8, CERTIFY_SEED = 1 };

void dscq_simulation_clear(dscq_simulation *s)
{
    dscq_sim_destroy(s->sim);
    dscq_program_destroy(s->program);
    dscq_table_destroy(s->schedule);
    dscq_table_destroy(s->layers);
    dscq_table_destroy(s->stalls);
    dscq_table_destroy(s->counters);
    dscq_table_destroy(s->energy);
    dscq_table_destroy(s->coefficients);
    dscq_table_destroy(s->resources);
    dscq_table_destroy(s->what_if);
    memset(s, 0, sizeof *s);
}

static void fill_zero(uint8_t *at, const dscq_qtensor *t)
{
    const size_t count = dscq_qtensor_count(t);

    for (size_t i = 0; i < count; i++)
        dscq_qtensor_put(t, at, i, t->zero_point);
}

/* Frame f of every input from one embedded input, all of them in turn. */
static void fill_embedded(uint8_t *const *codes, const dscq_qmodel *q, int32_t f,
                          void *embedded, const void **at)
{
    dscq_qmodel_digest_codes(q, f % q->digest_inputs, embedded);
    dscq_qmodel_inputs_of(q, embedded, at);
    for (int32_t i = 0; i < q->input_count; i++) {
        const size_t bytes = dscq_qtensor_bytes(&q->tensor[q->input[i].tensor]);
        assert(codes[i] != NULL);
        memcpy(codes[i] + (size_t)f * bytes, at[i], bytes);
    }
}

/* Codes of every input, [frames][bytes]: what was given, else what the file embeds, in
 * turn, else zero points. codes: [input_count], each freed by the caller. */
static dscq_status make_input(uint8_t **codes, const dscq_qmodel *q, int32_t frames,
                              const void *const *given, dscq_error *err)
{
    const void *at[DSCQ_QMODEL_ENDS];
    uint8_t *embedded = NULL;

    for (int32_t i = 0; i < q->input_count; i++) {
        const dscq_qtensor *t = &q->tensor[q->input[i].tensor];
        const size_t bytes = dscq_qtensor_bytes(t);
        codes[i] = dscq_malloc((size_t)frames, bytes);
        if (codes[i] == NULL)
            return dscq_fail_nomem(err, "the input of the machine",
                                   (unsigned long long)frames * bytes);
        if (given != NULL)
            memcpy(codes[i], given[i], (size_t)frames * bytes);
        else if (q->digest_inputs == 0)
            for (int32_t f = 0; f < frames; f++)
                fill_zero(codes[i] + (size_t)f * bytes, t);
    }
    if (given != NULL || q->digest_inputs == 0)
        return DSCQ_OK;
    embedded = dscq_malloc(dscq_qmodel_digest_bytes(q), 1);
    if (embedded == NULL)
        return dscq_fail_nomem(err, "embedded inputs", dscq_qmodel_digest_bytes(q));
    for (int32_t f = 0; f < frames; f++)
        fill_embedded(codes, q, f, embedded, at);
    dscq_free(embedded);
    return DSCQ_OK;
}

/* ---- the run -------------------------------------------------------------------- */

static dscq_status make_tables(dscq_simulation *s, const dscq_energy *e,
                               dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_sim_table_layers(&s->layers, s->sim, err));
    DSCQ_TRY(dscq_sim_table_stalls(&s->stalls, s->sim, err));
    DSCQ_TRY(dscq_sim_table_counters(&s->counters, s->sim, err));
    DSCQ_TRY(dscq_energy_table(&s->energy, &s->bill, err));
    DSCQ_TRY(dscq_energy_table_coefficients(&s->coefficients, e, err));
done:
    return status;
}

/* The memory that the machine names, for who wants to know. */
static dscq_status tell_memory(const dscq_machine *m, const dscq_log *log,
                               dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_dram_config c;
    dscq_status status = DSCQ_OK;

    if (!dscq_log_traces(log, DSCQ_TRACE_DRAM))
        return DSCQ_OK;
    if (dscq_machine_is_simple(m)) {
        DSCQ_TRACE(log, DRAM, "simple: %g bytes a cycle, no commands",
                   m->mem_bytes_per_cycle);
        return DSCQ_OK;
    }
    DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "dram", m->dram, err));
    DSCQ_TRY(dscq_dram_config_load(&c, path, err));
    dscq_dram_config_trace(&c, log);
done:
    return status;
}

dscq_status dscq_flow_simulate(dscq_simulation *out, const dscq_qmodel *q,
                               const dscq_machine *m, const dscq_simulate_options *o,
                               dscq_error *err)
{
    const int32_t frames = o->frames > 0 ? o->frames : 1;
    const dscq_lower_options lo = {.frames = frames, .log = o->log};
    dscq_simulation s = {.machine = *m, .verified = -1};
    dscq_energy coefficients;
    uint8_t *codes[DSCQ_QMODEL_ENDS] = {NULL};
    const void *const *input = (const void *const *)codes;
    dscq_trace *trace = NULL;
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(dscq_lower_check(q, m, err));
    if (!dscq_engine_of(m)->sized_by_network)
        DSCQ_TRY(dscq_flow_resources(&s.resources, NULL, m, err));
    DSCQ_TRY(dscq_energy_load_for(&coefficients, m, err));
    DSCQ_TRY(tell_memory(m, o->log, err));
    dscq_log_progress(o->log, "schedule", 0, 1, q->name);
    DSCQ_TRY(dscq_lower(&s.program, &s.schedule, q, m, &lo, err));
    if (s.resources == NULL)
        DSCQ_TRY(dscq_flow_resources(&s.resources, s.program, m, err));
    if (!o->no_data)
        DSCQ_TRY(make_input(codes, q, frames, o->input, err));
    if (o->trace != NULL && o->trace[0] != '\0')
        DSCQ_TRY(dscq_trace_open(&trace, o->trace, s.program, m->clock_mhz, err));
    const dscq_sim_options so = {.no_data = o->no_data,
                                 .capture = o->verify,
                                 .certify = o->certify == 0  ? CERTIFY_DEFAULT
                                            : o->certify < 0 ? 0
                                                             : o->certify,
                                 .certify_seed = CERTIFY_SEED,
                                 .event = trace != NULL ? dscq_trace_event : NULL,
                                 .event_ctx = trace};
    dscq_log_progress(o->log, "simulate", 0, 1, q->name);
    DSCQ_TRY(dscq_sim_run(&s.sim, s.program, m, o->no_data ? NULL : input, &so, err));
    if (trace != NULL) {
        dscq_trace *finished = trace;
        trace = NULL;
        DSCQ_TRY(dscq_trace_close(finished, err));
    }
    s.totals = dscq_sim_total(s.sim);
    s.machine.multipliers = dscq_sim_multipliers(s.sim); /* as sized */
    const dscq_dram_energy dram = dscq_sim_dram_energy(s.sim);
    DSCQ_TRY(dscq_energy_price(&s.bill, &coefficients, m, dscq_sim_counters(s.sim),
                               &dram, err));
    DSCQ_TRY(make_tables(&s, &coefficients, err));
    if (o->verify && !o->no_data)
        DSCQ_TRY(dscq_flow_sim_verify(&s.verified, q, s.sim, input, frames, err));
    if (o->what_if != NULL && o->what_if[0] != '\0')
        DSCQ_TRY(dscq_flow_what_if(&s.what_if, &s, m, o->what_if, err));
    *out = s;
    s = (dscq_simulation){0};
done:
    dscq_trace_abandon(trace);
    for (int32_t i = 0; i < q->input_count; i++)
        dscq_free(codes[i]);
    dscq_simulation_clear(&s);
    return status;
}
