#include "cmd.h"
#include "dscq/base/config.h"
#include "dscq/dram/trace.h"
#include "dscq/flow/kind.h"

#include <stdio.h>
#include <string.h>

typedef struct dram_options {
    char config[DSCQ_PATH_MAX];
} dram_options;

static const cli_opt k_options[] = {
    CLI_OPT_FILE(dram_options, config, "--config", 'c', "FILE", DSCQ_KIND_DRAM,
                 "zcu104_ddr4_2400",
                 "device and controller: a name under data/dram, or a file"),
    CLI_OPT_END};

static dscq_status load(dscq_dram_config *out, cli_call *call, const char *name,
                        dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(cli_data_file(path, sizeof path, "dram", name, err));
    DSCQ_TRY(dscq_dram_config_load(out, path, err));
done:
    (void)call;
    return status;
}

static void show(cli_call *call, const dscq_dram_result *r)
{
    const dscq_dram_energy *e = &r->energy_pj;
    dscq_json *energy = dscq_json_object();

    cli_out_text(call,
                 "cycles   %llu\nrequests %llu reads, %llu writes\ncommands %llu "
                 "activates, %llu precharges, %llu refreshes\nlatency  %.3f cycles, "
                 "mean of reads\nbus      %.1f %% used, %.3f GB/s\n",
                 (unsigned long long)r->cycles, (unsigned long long)r->reads,
                 (unsigned long long)r->writes, (unsigned long long)r->act,
                 (unsigned long long)r->pre, (unsigned long long)r->ref,
                 r->read_latency_mean_cycles, 100 * r->bus_use_frac, r->bytes_per_ns);
    cli_out_text(
        call,
        "energy   %.6g uJ: background %.6g, activate and precharge %.6g, bursts "
        "%.6g, refresh %.6g (termination apart: %.6g)\n",
        1e-6 * e->total, 1e-6 * e->background, 1e-6 * e->actpre, 1e-6 * e->burst,
        1e-6 * e->refresh, 1e-6 * e->termination);
    cli_out_int(call, "cycles", (int64_t)r->cycles);
    cli_out_int(call, "reads", (int64_t)r->reads);
    cli_out_int(call, "writes", (int64_t)r->writes);
    cli_out_int(call, "act", (int64_t)r->act);
    cli_out_int(call, "pre", (int64_t)r->pre);
    cli_out_int(call, "ref", (int64_t)r->ref);
    cli_out_real(call, "read_latency_mean_cycles", r->read_latency_mean_cycles);
    dscq_json_put_real(energy, "background", e->background);
    dscq_json_put_real(energy, "actpre", e->actpre);
    dscq_json_put_real(energy, "burst", e->burst);
    dscq_json_put_real(energy, "refresh", e->refresh);
    dscq_json_put_real(energy, "total", e->total);
    dscq_json_put_real(energy, "termination", e->termination);
    cli_out_json(call, "energy_pj", energy);
    cli_out_real(call, "bus_use_frac", r->bus_use_frac);
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const dram_options *o = options;
    dscq_dram_config config;
    dscq_dram_result result;
    dscq_status status;

    DSCQ_TRY(load(&config, call, o->config, err));
    dscq_dram_config_trace(&config, call->log);
    DSCQ_TRY(dscq_dram_run_trace(&result, &config, call->arg[0], err));
    show(call, &result);
done:
    return status;
}

const cli_cmd cli_cmd_dram = {
    .name = "dram",
    .group = CLI_HARDWARE,
    .synopsis = "TRACE[.gz]",
    .summary = "run a request trace through the DRAM model alone",
    .description =
        "One request a line: ARRIVAL_CYCLE R|W HEX_ADDRESS, 64 bytes each, arrivals in "
        "DRAM clock cycles and not falling. The controller's policy is that of the "
        "configuration: the rules of DRAMSim2, of DRAMsim3, or our own (docs/dram.md). "
        "Energies are pJ from IDD currents, without termination.",
    .examples = "Counts and energy of a trace as JSON:\n"
                "$ dscq dram --config d2_stock trace.trc.gz --json\n",
    .takes = CLI_TAKES_TABLE,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_FOREIGN}, /* a trace may be compressed */
    .options = k_options,
    .option_bytes = sizeof(dram_options),
    .run = run,
};
