#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/simulate.h"
#include "dscq/pack/pack.h"
#include "simulate.h"

#include <string.h>

static const cli_opt k_options[] = {CLI_SIMULATE_OPTIONS, CLI_OPT_END};

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const cli_simulate_options *o = options;
    cli_simulated s = {0};
    dscq_json *report = NULL;
    dscq_status status;

    DSCQ_TRY(cli_simulate(&s, call, call->arg[0], o, err));
    if (s.q == NULL) /* --print-config */
        goto done;
    if (o->explain)
        cli_out_table(call, s.sim.schedule);
    cli_out_table(call, s.sim.layers);
    cli_simulate_print_totals(call, &s);
    if (s.sim.what_if != NULL)
        cli_out_table(call, s.sim.what_if);
    if (o->stalls)
        cli_out_table(call, s.sim.stalls);
    if (call->common.json) {
        DSCQ_TRY(dscq_flow_report(&report, s.q, &s.sim, &s.facts, err));
        cli_out_document(call, report);
    }
done:
    cli_simulated_clear(&s);
    return status;
}

const cli_cmd cli_cmd_simulate = {
    .name = "simulate",
    .group = CLI_HARDWARE,
    .synopsis = "PACKED.bin",
    .summary = "execute a packed network on a machine, cycle by cycle",
    .description =
        "Lowers the packed network to a program of the machine (--machine: a name "
        "under "
        "data/machines, or a file), executes it, and prints cycles, traffic and "
        "stalls, "
        "layer by layer. The output codes are real: --verify compares every layer with "
        "the integer reference and ends with exit code 6 at the first difference.\n\n"
        "--set KEY=VALUE changes a machine key, --set schedule.KEY=VALUE a scheduling "
        "choice. --what-if clock_mhz=300,dram=ddr3-1333 times the same program again "
        "on the "
        "changed machine, without its arithmetic, and shows both. --json writes the "
        "report of docs/report-schema.md.",
    .examples =
        "Frames per second on a ZCU104:\n"
        "$ dscq simulate runs/demo/packed.bin --machine zcu104 --verify\n"
        "The same with half the clock:\n"
        "$ dscq simulate runs/demo/packed.bin --set clock_mhz=100\n"
        "What a faster clock and a slower memory would do to the same program:\n"
        "$ dscq simulate runs/demo/packed.bin --what-if "
        "clock_mhz=300,dram=ddr3-1333\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_PACKED},
    .options = k_options,
    .option_bytes = sizeof(cli_simulate_options),
    .schema = "dscq.report/1",
    .run = run,
};
