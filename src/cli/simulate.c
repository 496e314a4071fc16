#include "simulate.h"

#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/flow/manifest.h"
#include "dscq/pack/pack.h"
#include "dscq/report/writers.h"

#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30 };

static dscq_status read_packed(cli_simulated *s, const char *path, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&data, &bytes, path, FILE_BYTES_MAX, err));
    status = dscq_pack_decode(&s->q, data, bytes, err);
    if (status != DSCQ_OK) {
        (void)dscq_fail_at(err, "%s", path);
        goto done;
    }
    dscq_sha256_hex(s->sha256, data, bytes);
    s->facts.file_path = path;
    s->facts.file_bytes = bytes;
    s->facts.sha256 = s->sha256;
    DSCQ_TRY(dscq_manifest_accuracy(&s->facts, path, s->sha256, err));
done:
    dscq_free(data);
    return status;
}

static void print_keys(cli_call *call, const char *section, const void *params,
                       const dscq_key *keys)
{
    char value[DSCQ_LIST_MAX * 26 + 1], line[sizeof value + DSCQ_NAME_MAX];

    (void)snprintf(line, sizeof line, "[%s]", section);
    cli_out_line(call, line);
    for (; keys->name != NULL; keys++) {
        (void)dscq_keys_print(value, sizeof value, params, keys);
        (void)snprintf(line, sizeof line, "%s=%s", keys->name, value);
        cli_out_line(call, line);
    }
}

/* As a file that --machine takes. */
static void print_machine(cli_call *call, const dscq_machine *m)
{
    print_keys(call, "machine", m, dscq_machine_keys());
    print_keys(call, "schedule", &m->schedule, dscq_schedule_keys());
}

dscq_status cli_simulate(cli_simulated *out, cli_call *call, const char *path,
                         const cli_simulate_options *o, dscq_error *err)
{
    const dscq_simulate_options so = {.frames = o->frames,
                                      .no_data = o->no_data,
                                      .verify = o->verify,
                                      .trace = o->trace,
                                      .what_if = o->what_if,
                                      .log = call->log};
    char data_dir[DSCQ_PATH_MAX];
    dscq_machine machine;
    dscq_config *cfg = NULL;
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(cli_check_ending(o->trace, "json|vcd", "--trace", err));
    if (o->trace[0] != '\0')
        DSCQ_TRY(cli_check_overwrite(call, o->trace, err));
    cli_data_dir(data_dir, sizeof data_dir);
    if (o->config[0] != '\0')
        DSCQ_TRY(dscq_config_load(&cfg, o->config, err));
    DSCQ_TRY(dscq_flow_machine(&machine, o->machine[0] != '\0' ? o->machine : NULL, cfg,
                               data_dir, call->common.set.v,
                               (size_t)call->common.set.count, call->log, err));
    if (call->common.print_config) {
        print_machine(call, &machine);
        goto done;
    }
    DSCQ_TRY(read_packed(out, path, err));
    DSCQ_TRY(dscq_flow_simulate(&out->sim, out->q, &machine, &so, err));
done:
    dscq_config_destroy(cfg);
    return status;
}

void cli_simulated_clear(cli_simulated *s)
{
    dscq_simulation_clear(&s->sim);
    dscq_qmodel_destroy(s->q);
    memset(s, 0, sizeof *s);
}

void cli_simulate_print_totals(cli_call *call, const cli_simulated *s)
{
    const dscq_sim_totals *t = &s->sim.totals;
    const dscq_energy_bill *b = &s->sim.bill;
    const double frames = t->frames > 0 ? (double)t->frames : 1;
    char energy[32], low[32], high[32], bytes[32];

    dscq_format_si(energy, sizeof energy, 1e-12 * b->total_pj / frames, "J");
    dscq_format_si(low, sizeof low, 1e-12 * b->low_pj_total / frames, "J");
    dscq_format_si(high, sizeof high, 1e-12 * b->high_pj_total / frames, "J");
    dscq_format_bytes(bytes, sizeof bytes, t->dram_bytes / frames);
    cli_out_text(call, "machine   %s, %.0f MHz, %d multipliers\n", s->sim.machine.name,
                 s->sim.machine.clock_mhz, (int)s->sim.machine.multipliers);
    cli_out_text(call,
                 "speed     %.1f frames/s, %.4g ms latency, %.0f cycles a frame\n",
                 t->fps, t->latency_ms, (double)t->cycles / frames);
    cli_out_text(call,
                 "array     %.1f %% of the multipliers busy, %.2f dense-equivalent MAC "
                 "each and cycle\n",
                 100 * t->utilisation, t->dense_mac_per_multiplier_cycle);
    cli_out_text(call,
                 "rate      %.2f GOPS dense-equivalent, %.2f effective; %.2f and %.2f "
                 "GOPS/W\n",
                 t->gops_dense, t->gops_effective, b->gops_per_watt_dense,
                 b->gops_per_watt_effective);
    cli_out_text(call, "DRAM      %s a frame, %.3g GB/s\n", bytes,
                 t->dram_gbytes_per_s);
    cli_out_text(call, "energy    %s a frame (%s to %s), %.3g W\n", energy, low, high,
                 b->watt);
    if (s->sim.verified >= 0)
        cli_out_text(call, "verified  %d layers equal to the integer reference\n",
                     s->sim.verified);
}
