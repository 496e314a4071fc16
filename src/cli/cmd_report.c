#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/gate.h"
#include "dscq/flow/page.h"
#include "simulate.h"

#include <string.h>

static const cli_opt k_options[] = {
    CLI_OPT_FLAG(cli_simulate_options, energy, "--energy", 'e',
                 "show energy by component and by constant"),
    CLI_OPT_STR(cli_simulate_options, baseline, "--baseline", 'b', "OLD.json", "",
                "earlier report to compare with"),
    CLI_OPT_MANY(cli_simulate_options, fail_if, "--fail-if", 'f', "RULE",
                 "gate such as 'energy_pj>+2%'; exit code 3 when it breaks"),
    CLI_OPT_STR(cli_simulate_options, html, "--html", 0, "FILE", "",
                "write one self-contained page with pictures"),
    CLI_SIMULATE_OPTIONS,
    CLI_OPT_END};

/* A report is JSON, a packed file is not. */
static int is_json(const char *path)
{
    const size_t n = strlen(path);

    return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

/* From an earlier report, or by running the packed file now. */
static dscq_status obtain(dscq_json **report, cli_simulated *s, cli_call *call,
                          const cli_simulate_options *o, dscq_error *err)
{
    dscq_status status;

    if (is_json(call->arg[0]))
        return dscq_json_load(report, call->arg[0], err);
    DSCQ_TRY(cli_simulate(s, call, call->arg[0], o, err));
    DSCQ_TRY(dscq_flow_report(report, s->q, &s->sim, &s->facts, err));
done:
    return status;
}

static dscq_status check_gates(cli_call *call, const dscq_json *report,
                               const cli_simulate_options *o, dscq_error *err)
{
    dscq_json *baseline = NULL;
    dscq_table *gates = NULL;
    size_t broken = 0;
    dscq_status status;

    if (o->baseline[0] != '\0')
        DSCQ_TRY(dscq_json_load(&baseline, o->baseline, err));
    DSCQ_TRY(dscq_gate_check(&gates, &broken, report, baseline, o->fail_if.v,
                             (size_t)o->fail_if.count, err));
    if (o->fail_if.count > 0)
        cli_out_table(call, gates);
    for (size_t i = 0, first = 1; i < dscq_table_rows(gates) && broken > 0; i++) {
        const int c = dscq_table_find(gates, "broken");
        if (dscq_table_int(gates, i, (size_t)c) == 0 || !first)
            continue;
        first = 0;
        status = dscq_fail(err, DSCQ_GATE, "%zu of %d gates broken; the first: %s",
                           broken, (int)o->fail_if.count, o->fail_if.v[i]);
    }
done:
    dscq_table_destroy(gates);
    dscq_json_free(baseline);
    return status;
}

/* What the report has of it: an older one may have less. */
static dscq_status show_tables(cli_call *call, const dscq_json *report,
                               const cli_simulate_options *o, dscq_error *err)
{
    const struct {
        const char *name;
        int wanted;
    } tables[] = {{"layers", 1},
                  {"energy", o->energy},
                  {"coefficients", o->energy},
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

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const cli_simulate_options *o = options;
    cli_simulated s = {0};
    dscq_json *report = NULL;
    dscq_table *totals = NULL;
    dscq_status status;

    if (o->html[0] != '\0')
        DSCQ_TRY(cli_check_overwrite(call, o->html, err));
    DSCQ_TRY(obtain(&report, &s, call, o, err));
    DSCQ_TRY(show_tables(call, report, o, err));
    DSCQ_TRY(dscq_report_totals(&totals, report, err));
    cli_out_table(call, totals);
    if (s.q != NULL)
        cli_simulate_print_totals(call, &s);
    if (o->html[0] != '\0')
        DSCQ_TRY(dscq_report_page(report, o->html, err));
    status = check_gates(call, report, o, err);
    if (call->common.json && (status == DSCQ_OK || status == DSCQ_GATE)) {
        cli_out_document(call, report);
        report = NULL;
    }
done:
    dscq_table_destroy(totals);
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
        "number got worse than its rule allows. Rules and keys: docs/report-schema.md.",
    .examples = "Energy of one frame, by component:\n"
                "$ dscq report runs/demo/packed.bin --machine zcu104 --energy\n"
                "Keep a report, and later make sure that nothing got worse:\n"
                "$ dscq report runs/demo/packed.bin --json=runs/demo/old.json\n"
                "$ dscq report runs/demo/packed.bin --baseline runs/demo/old.json "
                "--fail-if 'energy_pj>+2%'\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .options = k_options,
    .option_bytes = sizeof(cli_simulate_options),
    .schema = "dscq.report/1",
    .run = run,
};
