#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/sensitivity.h"
#include "project.h"

#include <string.h>

typedef struct sensitivity_options {
    char weights[DSCQ_PATH_MAX], recipe[DSCQ_PATH_MAX];
    int32_t resume;
} sensitivity_options;

static const cli_opt k_options[] = {
    CLI_OPT_FILE(sensitivity_options, weights, "--weights", 'w', "FILE",
                 DSCQ_KIND_CHECKPOINT | DSCQ_KIND_WEIGHTS, "",
                 "float network to look at, instead of training one"),
    CLI_OPT_STR(sensitivity_options, recipe, "--recipe", 0, "FILE", "",
                "where the starting recipe goes; default: recipe.cfg in the output "
                "folder"),
    CLI_OPT_FLAG(
        sensitivity_options, resume, "--resume", 0,
        "continue the run in the output folder, with the settings it was begun with"),
    CLI_OPT_END};

static void print_result(cli_call *call, const dscq_sensitivity_result *r,
                         const char *dir)
{
    if (r->has_truth)
        cli_out_text(call,
                     "\ntop-1 of the unchanged network, measured the same way: %.2f %% "
                     "of %zu validation images\n",
                     100 * r->score, r->images);
    else
        cli_out_text(call,
                     "\nno labels: right is what the unchanged network answers, on %zu "
                     "pictures of the validation part\n",
                     r->images);
    cli_out_text(call,
                 "recipe  %s%s\n"
                 "files   %s/sensitivity.csv, verdicts.csv, sensitivity.svg, "
                 "sensitivity.png\n",
                 r->recipe, r->over ? "  (loses more than max_loss)" : "", dir);
    cli_out_string(call, "split", "valid");
    cli_out_int(call, "images", (int64_t)r->images);
    cli_out_real(call, "score_frac", r->score);
    cli_out_string(call, "truth", r->has_truth ? "labels" : "unchanged network");
    cli_out_string(call, "recipe", r->recipe);
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const sensitivity_options *s = options;
    char dir[DSCQ_PATH_MAX];
    dscq_folder *folder = NULL;
    dscq_project *p = NULL;
    dscq_sensitivity_result result = {0};
    dscq_status status;

    cli_default_dir(dir, sizeof dir, call->arg[0]);
    if (call->common.output[0] != '\0')
        memcpy(dir, call->common.output, sizeof dir);
    const dscq_run_options o = cli_run_options(call, dir, s->weights, s->resume);
    DSCQ_TRY(cli_check_ending(s->recipe, "cfg", "--recipe", err));
    if (s->recipe[0] != '\0' && !s->resume)
        DSCQ_TRY(cli_check_overwrite(call, s->recipe, err));
    DSCQ_TRY(cli_project_open(&p, call, err));
    if (cli_project_printed(call, p))
        goto done;
    DSCQ_TRY(cli_folder_open(&folder, call, dir, err));
    DSCQ_TRY(dscq_flow_sensitivity(&result, p, &o,
                                   s->recipe[0] != '\0' ? s->recipe : NULL, err));
    if (call->common.json || call->common.csv) /* hundreds of rows: not for people */
        cli_out_table(call, result.cells);
    cli_out_table(call, result.layers);
    print_result(call, &result, dir);
done:
    dscq_folder_close(folder);
    dscq_sensitivity_clear(&result);
    dscq_project_destroy(p);
    return status;
}

const cli_cmd cli_cmd_sensitivity = {
    .name = "sensitivity",
    .group = CLI_COMPRESS,
    .synopsis = "NET.cfg",
    .summary = "measure how much each layer of a network hurts",
    .description =
        "Compress every layer alone, everything else as it is, at the pruning rates, "
        "bit widths and channel fractions of [sensitivity], and count on images of "
        "the validation part what the network gets wrong that it got right before. "
        "Nothing is retrained; batch norm is measured again. The test part is not "
        "read.\n\n"
        "Printed is a row a layer: which to leave alone, which want a scale per "
        "channel, and why. The output folder (-o, default runs/NET) gets every cell "
        "with its interval (sensitivity.csv), the map as SVG and PNG, and recipe.cfg, "
        "a start for `compress --recipe`. Finished cells are kept in "
        "sensitivity.json: --resume goes on there after Ctrl-C or kill -9.",
    .examples =
        "Look at a network, then start from the recipe:\n"
        "$ dscq sensitivity data/nets/demo.cfg -o runs/demo-sense\n"
        "$ dscq compress data/nets/demo.cfg -w runs/demo-sense/float.ckpt --recipe "
        "runs/demo-sense/recipe.cfg -o runs/demo-recipe\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_SEED | CLI_TAKES_THREADS |
             CLI_TAKES_OUTPUT | CLI_TAKES_FORCE | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_NET},
    .options = k_options,
    .option_bytes = sizeof(sensitivity_options),
    .run = run,
};
