/*
 * simulate.h - what `simulate` and `report` share: options, the run, the totals.
 */
#ifndef CLI_SIMULATE_H
#define CLI_SIMULATE_H

#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/simulate.h"
#include "dscq/qnet/qmodel.h"

typedef struct cli_simulate_options {
    char machine[DSCQ_PATH_MAX], config[DSCQ_PATH_MAX], trace[DSCQ_PATH_MAX];
    char what_if[DSCQ_PATH_MAX];
    int32_t frames, no_data, verify, explain, stalls;
    /* of `report` only */
    int32_t energy, other_baseline;
    char baseline[DSCQ_PATH_MAX], html[DSCQ_PATH_MAX];
    cli_words fail_if;
} cli_simulate_options;

/* clang-format off */
#define CLI_SIMULATE_OPTIONS \
    CLI_OPT_FILE(cli_simulate_options, machine, "--machine", 'm', "NAME", \
                 DSCQ_KIND_MACHINE, "", \
                "machine: a name under data/machines, or a file"), \
    CLI_OPT_FILE(cli_simulate_options, config, "--net", 0, "NET.cfg", \
                 DSCQ_KIND_NET, "", \
                "take [machine] and [schedule] from this network file"), \
    CLI_OPT_INT(cli_simulate_options, frames, "--frames", 'n', "N", 1, 10000, "1", \
                "frames, one after the other"), \
    CLI_OPT_FLAG(cli_simulate_options, no_data, "--no-data", 0, \
                 "time only: no arithmetic, no output"), \
    CLI_OPT_FLAG(cli_simulate_options, verify, "--verify", 0, \
                 "compare every layer with the integer reference"), \
    CLI_OPT_FLAG(cli_simulate_options, explain, "--explain-schedule", 0, \
                 "show what the scheduler chose for each layer"), \
    CLI_OPT_STR(cli_simulate_options, trace, "--trace", 0, "FILE", "", \
                "write every command's time: Perfetto JSON, or VCD for a name in .vcd"), \
    CLI_OPT_STR(cli_simulate_options, what_if, "--what-if", 0, "KEY=VALUE,...", "", \
                "time the same program again with these machine keys; both and the difference"), \
    CLI_OPT_FLAG(cli_simulate_options, stalls, "--stalls", 0, \
                 "show where every cycle of every unit went")
/* clang-format on */

typedef struct cli_simulated {
    dscq_qmodel *q;
    dscq_simulation sim;
    dscq_report_facts facts;
    char sha256[65];
} cli_simulated;

/* Read the file, the machine, run; with --print-config the machine is printed, and q is
 * NULL. Release with cli_simulated_clear(), also after a
 * failure. */
dscq_status cli_simulate(cli_simulated *out, cli_call *call, const char *path,
                         const cli_simulate_options *o, dscq_error *err);
void cli_simulated_clear(cli_simulated *s);
void cli_simulate_print_totals(cli_call *call, const cli_simulated *s);

#endif
