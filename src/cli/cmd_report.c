#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/gate.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/page.h"
#include "simulate.h"

#include <string.h>

static const cli_opt k_options[] = {
    CLI_OPT_FLAG(cli_simulate_options, energy, "--energy", 'e',
                 "show energy by component and by constant"),
    CLI_OPT_FILE(cli_simulate_options, baseline, "--baseline", 'b', "OLD.json",
                 DSCQ_KIND_REPORT | DSCQ_KIND_JSON, "",
                 "earlier report to compare with"),
    CLI_OPT_FLAG(cli_simulate_options, other_baseline, "--other-baseline", 0,
                 "compare even with a report of another machine, network or number of "
                 "frames"),
    CLI_OPT_MANY(cli_simulate_options, fail_if, "--fail-if", 'f', "RULE",
                 "gate such as 'energy_pj>+2%'; exit code 3 when it breaks"),
    CLI_OPT_STR(cli_simulate_options, html, "--html", 0, "FILE", "",
                "write one self-contained page with pictures"),
    CLI_SIMULATE_OPTIONS,
    CLI_OPT_END};

/* What the command line asks for is read before anything is simulated. */
static dscq_status read_baseline(dscq_json **baseline, const cli_simulate_options *o,
                                 dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_gate_read_rules(o->fail_if.v, (size_t)o->fail_if.count,
                                  o->baseline[0] != '\0', err));
    if (o->baseline[0] != '\0')
        DSCQ_TRY(dscq_json_load(baseline, o->baseline, err));
done:
    return status;
}

static dscq_status check_comparable(cli_call *call, const dscq_json *report,
                                    const dscq_json *baseline,
                                    const cli_simulate_options *o, dscq_error *err)
{
    dscq_error why;
    const dscq_status status = dscq_gate_comparable(report, baseline, &why);

    if (status == DSCQ_OK)
        return DSCQ_OK;
    if (status == DSCQ_ARG && o->other_baseline) {
        dscq_log_printf(call->log, DSCQ_LOG_WARN, "%s: %s", o->baseline, why.msg);
        return DSCQ_OK; /* another schema is refused by the gates themselves */
    }
    if (status == DSCQ_ARG)
        return dscq_fail(err, DSCQ_ARG, "%s: without --other-baseline not compared: %s",
                         o->baseline, why.msg);
    *err = why;
    return status;
}

static dscq_status check_gates(cli_call *call, const dscq_json *report,
                               const dscq_json *baseline, const cli_simulate_options *o,
                               dscq_error *err)
{
    dscq_table *gates = NULL;
    size_t broken = 0, first = 0;
    dscq_status status;

    if (baseline != NULL)
        DSCQ_TRY(check_comparable(call, report, baseline, o, err));
    DSCQ_TRY(dscq_gate_check(&gates, &broken, report, baseline, o->fail_if.v,
                             (size_t)o->fail_if.count, err));
    if (o->fail_if.count > 0 && broken > 0)
        cli_out_wrong(call, gates);
    else if (o->fail_if.count > 0)
        cli_out_table(call, gates);
    if (broken == 0)
        goto done;
    while (dscq_table_int(gates, first, (size_t)dscq_table_find(gates, "broken")) == 0)
        first++;
    status = dscq_fail(err, DSCQ_GATE, "%zu of %d gates broken; the first: %s", broken,
                       (int)o->fail_if.count, o->fail_if.v[first]);
done:
    dscq_table_destroy(gates);
    return status;
}

/* What the report has of it: an older one may have less. */
static dscq_status show_tables(cli_call *call, const dscq_json *report,
                               const cli_simulate_options *o, dscq_error *err)
{
    const struct {
        const char *name;
        int wanted;
    } tables[] = {{"schedule", o->explain},
                  {"layers", 1},
                  {"energy", o->energy},
                  {"coefficients", o->energy},
                  {"what_if", o->what_if[0] != '\0'},
                  {"stalls", o->stalls}};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        dscq_table *t = NULL;
        dscq_error why;

        if (!tables[i].wanted)
            continue;
        if (dscq_report_table(&t, report, tables[i].name, &why) == DSCQ_OK)
            cli_out_table(call, t);
        else if (why.code == DSCQ_NOMEM)
            return dscq_fail(err, DSCQ_NOMEM, "%s", why.msg);
        dscq_table_destroy(t);
    }
    return DSCQ_OK;
}

/* From an earlier report, or by running the packed file now. */
static dscq_status obtain(dscq_json **report, cli_simulated *s, cli_call *call,
                          const cli_simulate_options *o, dscq_error *err)
{
    static const char *const k_of_run[] = {
        "--machine", "--net",     "--frames", "--no-data",      "--verify",
        "--trace",   "--what-if", "--set",    "--print-config", NULL};
    dscq_status status;

    if (dscq_kind_of(call->arg[0]).bit & (DSCQ_KIND_REPORT | DSCQ_KIND_JSON)) {
        DSCQ_TRY(cli_refuse_given(call, k_of_run,
                                  "a report is shown as it was made; give the packed "
                                  "file to make another",
                                  err));
        return dscq_json_load(report, call->arg[0], err);
    }
    DSCQ_TRY(cli_simulate(s, call, call->arg[0], o, err));
    if (s->q != NULL)
        DSCQ_TRY(dscq_flow_report(report, s->q, &s->sim, &s->facts, err));
done:
    return status;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const cli_simulate_options *o = options;
    cli_simulated s = {0};
    dscq_json *report = NULL, *baseline = NULL;
    dscq_table *totals = NULL;
    dscq_status status;

    cli_out_hush(call, call->common.json_file[0] != '\0' || o->html[0] != '\0' ||
                           o->fail_if.count > 0);
    DSCQ_TRY(cli_check_ending(o->html, "html|htm", "--html", err));
    if (o->html[0] != '\0')
        DSCQ_TRY(cli_check_overwrite(call, o->html, err));
    DSCQ_TRY(read_baseline(&baseline, o, err));
    DSCQ_TRY(obtain(&report, &s, call, o, err));
    if (report == NULL) /* --print-config */
        goto done;
    DSCQ_TRY(show_tables(call, report, o, err));
    DSCQ_TRY(dscq_report_totals(&totals, report, err));
    cli_out_table(call, totals);
    if (s.q != NULL)
        cli_simulate_print_totals(call, &s);
    if (o->html[0] != '\0')
        DSCQ_TRY(dscq_report_page(report, o->html, err));
    status = check_gates(call, report, baseline, o, err);
    if (call->common.json && (status == DSCQ_OK || status == DSCQ_GATE)) {
        cli_out_document(call, report);
        report = NULL;
    }
done:
    dscq_table_destroy(totals);
    dscq_json_free(baseline);
    dscq_json_free(report);
    cli_simulated_clear(&s);
    return status;
}

const cli_cmd cli_cmd_report = {
    .name = "report",
    .group = CLI_HARDWARE,
    .synopsis = "PACKED.bin | REPORT.json",
    .summary = "explain time, traffic and energy; compare with an earlier report",
    .description =
        "For a packed file, runs it on the machine first (options as for simulate); "
        "for "
        "a report written earlier with --json, shows it again. --energy adds the bill "
        "by "
        "component, each with its interval, and the constants it was made from.\n\n"
        "With --baseline and --fail-if it is a gate for scripts: exit code 3 when a "
        "number got worse than its rule allows. Rules and keys: docs/report-schema.md. "
        "A baseline of another machine, network or number of frames is refused, unless "
        "--other-baseline says that it is meant.",
    .examples = "Energy of one frame, by component:\n"
                "$ dscq report runs/demo/packed.bin --machine zcu104 --energy\n"
                "Keep a report, and later make sure that nothing got worse:\n"
                "$ dscq report runs/demo/packed.bin --json=runs/demo/old.json\n"
                "$ dscq report runs/demo/packed.bin --baseline runs/demo/old.json "
                "--fail-if 'energy_pj>+2%'\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_PACKED | DSCQ_KIND_REPORT | DSCQ_KIND_JSON},
    .options = k_options,
    .option_bytes = sizeof(cli_simulate_options),
    .schema = "dscq.report/1",
    .run = run,
};
