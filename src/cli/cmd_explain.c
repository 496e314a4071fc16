#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/search/explain.h"

typedef struct explain_options {
    int64_t recipe;
} explain_options;

static const cli_opt k_options[] = {
    CLI_OPT_I64(explain_options, recipe, "--recipe", 0, "TRIAL", -1, 1e9, "-1",
                "print the recipe of a trial, for compress --recipe, and nothing else"),
    CLI_OPT_END};

static dscq_status recipe(cli_call *call, int64_t trial, dscq_error *err)
{
    dscq_str text = {0};
    const dscq_status status = dscq_flow_trial_recipe(&text, call->arg[0], trial, err);

    if (status == DSCQ_OK) {
        cli_out_text(call, "%s", text.text);
        cli_out_string(call, "recipe", text.text);
    }
    dscq_str_free(&text);
    return status;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const explain_options *o = options;
    dscq_explanation e = {0};
    dscq_status status;

    if (o->recipe >= 0 && call->arg_count > 1)
        return dscq_fail(err, DSCQ_ARG,
                         "explain: --recipe prints a trial's whole recipe; leave '%s' "
                         "out",
                         call->arg[1]);
    if (o->recipe >= 0)
        return recipe(call, o->recipe, err);
    if (call->arg_count < 2)
        return dscq_fail(err, DSCQ_ARG,
                         "explain: want RUN LAYER, or RUN --recipe TRIAL");
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
    cli_out_string(call, "layer", e.layer);
    cli_out_string(call, "decision", e.decision.text);
done:
    dscq_explanation_clear(&e);
    return status;
}

const cli_cmd cli_cmd_explain = {
    .name = "explain",
    .group = CLI_COMPRESS,
    .synopsis = "RUN [LAYER]",
    .summary = "tell what was tried for a layer, and what decided",
    .description =
        "RUN is the output folder of `sensitivity` or `compress`, LAYER a name or the "
        "number it begins with. Printed is what the "
        "layer loses alone, every pruning rate and bit width that trials of a search "
        "gave it, with the best trial of each, what the packed file made of it, and "
        "why it has the setting it has. --recipe prints the recipe of any trial, such "
        "as another one of the Pareto set.",
    .examples = "Why is a layer as it is?\n"
                "$ dscq explain runs/demo-search 14_convolutional\n"
                "Take another trial of the Pareto set:\n"
                "$ dscq explain runs/demo-search --recipe 17 >other.cfg\n",
    .takes = CLI_TAKES_TABLE,
    .min_args = 1,
    .max_args = 2,
    .operand_kinds = {DSCQ_KIND_FOLDER},
    .options = k_options,
    .option_bytes = sizeof(explain_options),
    .run = run,
};
