#include "dscq/base/io.h"
#include "dscq/base/keys.h"
#include "dscq/flow/simulate.h"
#include "dscq/pack/pack.h"
#include "dscq/report/writers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_tool(dscq_json *report, const dscq_report_facts *f)
{
    dscq_json *tool = dscq_json_object();

    dscq_json_put_text(tool, "name", "dscq");
    dscq_json_put_text(tool, "version", DSCQ_VERSION);
    if (f->kernels != NULL)
        dscq_json_put_text(tool, "kernels", f->kernels);
    dscq_json_put(report, "tool", tool);
}

static uint64_t network_macs(const dscq_qmodel *q)
{
    uint64_t macs = 0;

    for (int32_t i = 0; i < q->node_count; i++)
        macs += dscq_qnode_macs(q, &q->node[i]);
    return macs;
}

static dscq_status put_network(dscq_json *report, const dscq_qmodel *q,
                               const dscq_report_facts *f, dscq_error *err)
{
    dscq_json *network = dscq_json_object(), *file = NULL;
    dscq_pack_summary s;
    dscq_status status;

    dscq_json_put_text(network, "name", q->name);
    dscq_json_put_int(network, "macs", (int64_t)network_macs(q));
    dscq_json_put_int(network, "float_bytes", (int64_t)q->float_bytes);
    DSCQ_TRY(dscq_pack_sizes(&s, NULL, q, NULL, err));
    dscq_json_put_int(network, "weights", (int64_t)s.weights);
    dscq_json_put_int(network, "nonzero_weights", (int64_t)s.nonzero);
    dscq_json_put(report, "network", network);
    network = NULL;
    const double bits = 8.0 * (double)q->float_bytes;
    const uint64_t bytes = f->file_bytes != 0 ? f->file_bytes : s.file_bytes;
    file = dscq_json_object();
    if (f->file_path != NULL)
        dscq_json_put_text(file, "name", dscq_path_base(f->file_path));
    dscq_json_put_int(file, "file_bytes", (int64_t)bytes);
    if (f->sha256 != NULL)
        dscq_json_put_text(file, "sha256", f->sha256);
    if (q->float_bytes > 0 && bytes > 0)
        dscq_json_put_real(file, "ratio_file", bits / (8.0 * (double)bytes));
    if (s.a_bits > 0)
        dscq_json_put_real(file, "ratio_values", bits / s.a_bits);
    if (s.c_bits > 0)
        dscq_json_put_real(file, "ratio_entropy", bits / s.c_bits);
    dscq_json_put(report, "file", file);
done:
    dscq_json_free(network);
    return status;
}

static void put_accuracy(dscq_json *report, const dscq_report_facts *f)
{
    dscq_json *a;

    if (f->accuracy_images == 0)
        return;
    a = dscq_json_object();
    dscq_json_put_int(a, "images", (int64_t)f->accuracy_images);
    dscq_json_put_real(a, "float_top1_frac", f->float_top1_frac);
    dscq_json_put_real(a, "packed_top1_frac", f->packed_top1_frac);
    dscq_json_put_real(a, "packed_low_frac", f->packed_low_frac);
    dscq_json_put_real(a, "packed_high_frac", f->packed_high_frac);
    if (!isnan(f->mcnemar_p))
        dscq_json_put_real(a, "mcnemar_p", f->mcnemar_p);
    dscq_json_put(report, "accuracy", a);
}

static void put_settings(dscq_json *into, const void *params, const dscq_key *keys)
{
    char text[DSCQ_PATH_MAX + DSCQ_LIST_MAX * 26];

    for (const dscq_key *k = keys; k->name != NULL; k++) {
        (void)dscq_keys_print(text, sizeof text, params, k);
        if (k->type == DSCQ_KEY_INT || k->type == DSCQ_KEY_I64 ||
            k->type == DSCQ_KEY_BOOL)
            dscq_json_put_int(into, k->name, strtoll(text, NULL, 10));
        else if (k->type == DSCQ_KEY_REAL)
            dscq_json_put_real(into, k->name, strtod(text, NULL));
        else
            dscq_json_put_text(into, k->name, text);
    }
}

static void put_machine(dscq_json *report, const dscq_machine *m)
{
    dscq_json *machine = dscq_json_object(), *settings = dscq_json_object();
    dscq_json *schedule = dscq_json_object();

    dscq_json_put_text(machine, "name", m->name);
    dscq_json_put_real(machine, "clock_mhz", m->clock_mhz);
    dscq_json_put_int(machine, "multipliers", m->multipliers);
    dscq_json_put_text(machine, "board", m->board);
    dscq_json_put_text(machine, "dram", m->dram);
    dscq_json_put_text(machine, "energy", m->energy);
    dscq_json_put(report, "machine", machine);
    put_settings(settings, m, dscq_machine_keys());
    put_settings(schedule, &m->schedule, dscq_schedule_keys());
    dscq_json_put(settings, "schedule", schedule);
    dscq_json_put(report, "settings", settings);
}

static void put_total(dscq_json *report, const dscq_simulation *s)
{
    const dscq_sim_totals *t = &s->totals;
    const dscq_energy_bill *b = &s->bill;
    const dscq_counters *c = dscq_sim_counters(s->sim);
    const double frames = t->frames > 0 ? (double)t->frames : 1.0;
    dscq_json *total = dscq_json_object();

    dscq_json_put_int(total, "frames", (int64_t)t->frames);
    dscq_json_put_int(total, "cycles", (int64_t)t->cycles);
    dscq_json_put_real(total, "cycles_per_frame", (double)t->cycles / frames);
    dscq_json_put_real(total, "latency_ms", t->latency_ms);
    dscq_json_put_real(total, "fps", t->fps);
    dscq_json_put_int(total, "macs", (int64_t)c->mac_dense);
    dscq_json_put_int(total, "macs_issued", (int64_t)c->mac_done);
    dscq_json_put_real(total, "utilisation_frac", t->utilisation);
    dscq_json_put_real(total, "dense_mac_per_multiplier_cycle",
                       t->dense_mac_per_multiplier_cycle);
    dscq_json_put_real(total, "dense_gops", t->gops_dense);
    dscq_json_put_real(total, "effective_gops", t->gops_effective);
    dscq_json_put_real(total, "dense_gops_per_watt", b->gops_per_watt_dense);
    dscq_json_put_real(total, "effective_gops_per_watt", b->gops_per_watt_effective);
    dscq_json_put_real(total, "power_mw", 1e3 * b->watt);
    dscq_json_put_real(total, "energy_pj", b->total_pj / frames);
    dscq_json_put_real(total, "energy_low_pj", b->low_pj_total / frames);
    dscq_json_put_real(total, "energy_high_pj", b->high_pj_total / frames);
    dscq_json_put_real(total, "dynamic_energy_pj", b->dynamic_pj / frames);
    dscq_json_put_real(total, "static_energy_pj", b->static_pj / frames);
    dscq_json_put_real(total, "dram_energy_pj", b->dram_pj / frames);
    dscq_json_put_int(total, "dram_read_bytes",
                      (int64_t)(c->dram_act_read_bytes + c->dram_weight_bytes));
    dscq_json_put_int(total, "dram_write_bytes", (int64_t)c->dram_act_write_bytes);
    dscq_json_put(report, "total", total);
}

static void put_words(dscq_json *report, const dscq_simulation *s,
                      const dscq_report_facts *f)
{
    dscq_json *assumptions = dscq_json_array(), *warnings = dscq_json_array();

    if (s != NULL) {
        dscq_json_push_text(assumptions,
                            "cycles are exact for the rules of docs/accelerator.md; no "
                            "synthesised design was measured");
        dscq_json_push_text(assumptions,
                            "energy is counts times coefficients; each coefficient's "
                            "spread and source stand in its file, most are estimates");
        dscq_json_push_text(
            assumptions, "DRAM energy excludes termination; host transfers, power-up "
                         "and temperature are not modelled");
    }
    for (size_t i = 0; i < f->warning_count; i++)
        dscq_json_push_text(warnings, f->warning[i]);
    dscq_json_put(report, "assumptions", assumptions);
    dscq_json_put(report, "warnings", warnings);
}

dscq_status dscq_flow_report(dscq_json **out, const dscq_qmodel *q,
                             const dscq_simulation *s, const dscq_report_facts *facts,
                             dscq_error *err)
{
    static const dscq_report_facts none = {0};
    const dscq_report_facts *f = facts != NULL ? facts : &none;
    dscq_json *report = dscq_json_object();
    dscq_status status;

    dscq_json_put_text(report, "schema", "dscq.report/1");
    put_tool(report, f);
    DSCQ_TRY(put_network(report, q, f, err));
    put_accuracy(report, f);
    if (s != NULL) {
        put_machine(report, &s->machine);
        put_total(report, s);
        dscq_json_put(report, "layers", dscq_table_json(s->layers));
        dscq_json_put(report, "stalls", dscq_table_json(s->stalls));
        dscq_json_put(report, "energy", dscq_table_json(s->energy));
        dscq_json_put(report, "coefficients", dscq_table_json(s->coefficients));
        dscq_json_put(report, "resources", dscq_table_json(s->resources));
        dscq_json_put(report, "schedule", dscq_table_json(s->schedule));
        dscq_json_put(report, "counters", dscq_table_json(s->counters));
        if (s->what_if != NULL)
            dscq_json_put(report, "what_if", dscq_table_json(s->what_if));
        if (s->verified >= 0)
            dscq_json_put_int(report, "verified_layers", s->verified);
    }
    put_words(report, s, f);
    DSCQ_TRY(dscq_json_whole(report, err)); /* gates and pages read it as it is */
    *out = report;
    return DSCQ_OK;
done:
    dscq_json_free(report);
    return status;
}
