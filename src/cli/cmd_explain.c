#include "cmd.h"
#include "dscq/flow/explain.h"

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    dscq_explanation e = {0};
    dscq_status status;

    (void)options;
    DSCQ_TRY(dscq_flow_explain(&e, call->arg[0], call->arg[1], err));
    if (e.cells != NULL && dscq_table_rows(e.cells) > 0) {
        cli_out_heading(call, "alone, without retraining");
        cli_out_table(call, e.cells);
    }
    if (e.settings != NULL) {
        cli_out_heading(call, "in the trials of the search");
        cli_out_table(call, e.settings);
    }
    if (e.packed != NULL && dscq_table_rows(e.packed) > 0) {
        cli_out_heading(call, "in the packed file");
        cli_out_table(call, e.packed);
    }
    cli_out_text(call, "\n%s", e.decision.text);
    cli_out_string(call, "layer", call->arg[1]);
    cli_out_string(call, "decision", e.decision.text);
done:
    dscq_explanation_clear(&e);
    return status;
}

const cli_cmd cli_cmd_explain = {
    .name = "explain",
    .group = CLI_COMPRESS,
    .synopsis = "RUN LAYER",
    .summary = "tell what was tried for a layer, and what decided",
    .description =
        "RUN is the output folder of `sensitivity` or `compress`. Printed is what the "
        "layer loses alone, every pruning rate and bit width that trials of a search "
        "gave it, with the best trial of each, what the packed file made of it, and "
        "why it has the setting it has.",
    .examples = "Why is a layer as it is?\n"
                "$ dscq explain runs/demo-search 14_convolutional\n",
    .takes = CLI_TAKES_TABLE,
    .min_args = 2,
    .max_args = 2,
    .run = run,
};
