#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/report/writers.h"
#include "project.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct train_options {
    char weights[DSCQ_PATH_MAX];
    int32_t resume, dry_run;
} train_options;

static const cli_opt k_options[] = {
    CLI_OPT_FILE(train_options, weights, "--weights", 'w', "FILE",
                 DSCQ_KIND_CHECKPOINT | DSCQ_KIND_WEIGHTS, "",
                 "start from these: a checkpoint, or Darknet .weights"),
    CLI_OPT_FLAG(
        train_options, resume, "--resume", 0,
        "continue the run in the output folder, with the settings it was begun with"),
    CLI_OPT_FLAG(train_options, dry_run, "--dry-run", 0,
                 "print layers, work and memory; train nothing"),
    CLI_OPT_END};

static dscq_status dry_run(cli_call *call, dscq_project *p, const dscq_run_options *o,
                           dscq_error *err)
{
    dscq_table *layers = NULL, *memory = NULL;
    const dscq_model *m = dscq_project_model(p);
    dscq_status status;

    DSCQ_TRY(dscq_flow_plan(&layers, &memory, p, o, err));
    cli_out_table(call, layers);
    cli_out_table(call, memory);
    cli_out_text(call, "parameters %llu, multiply-accumulates %llu an image\n",
                 (unsigned long long)dscq_model_param_count(m),
                 (unsigned long long)dscq_model_macs(m));
    cli_out_int(call, "params", (int64_t)dscq_model_param_count(m));
    cli_out_int(call, "macs", (int64_t)dscq_model_macs(m));
    if (dscq_project_has_data(p))
        DSCQ_TRY(dscq_project_check_data(p, call->log, err));
done:
    dscq_table_destroy(layers);
    dscq_table_destroy(memory);
    return status;
}

static void print_result(cli_call *call, const dscq_train_result *r, const char *dir)
{
    char bytes[32], best[32] = "", valid[40] = "none";

    if (!isnan(r->valid_score)) {
        snprintf(valid, sizeof valid, "%.2f %%", 100 * r->valid_score);
        snprintf(best, sizeof best, ", best in epoch %u", (unsigned)r->best_epoch + 1);
    }
    dscq_format_bytes(bytes, sizeof bytes, (double)r->peak_bytes);
    cli_out_text(call,
                 "validation %s  after %u epochs%s%s\n"
                 "memory     %s for engine and optimiser, kernels %s\n"
                 "files      %s/float.ckpt, train.ckpt, curve.csv, curve.svg, "
                 "curve.png\n",
                 valid, (unsigned)r->epochs, r->stopped_early ? " (stopped early)" : "",
                 best, bytes, r->kernels, dir);
    cli_out_real(call, "valid_score_frac", r->valid_score);
    cli_out_int(call, "epochs", (int64_t)r->epochs);
    cli_out_int(call, "best_epoch", (int64_t)r->best_epoch + 1);
    cli_out_int(call, "peak_bytes", (int64_t)r->peak_bytes);
    cli_out_string(call, "kernels", r->kernels);
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const train_options *t = options;
    char dir[DSCQ_PATH_MAX];
    dscq_project *p = NULL;
    dscq_folder *folder = NULL;
    dscq_train_result result;
    dscq_status status;

    cli_default_dir(dir, sizeof dir, call->arg[0]);
    if (call->common.output[0] != '\0')
        memcpy(dir, call->common.output, sizeof dir);
    const dscq_run_options o = cli_run_options(call, dir, t->weights, t->resume);
    DSCQ_TRY(cli_project_open_for(
        &p, call, t->dry_run ? DSCQ_PROJECT_PLAN : DSCQ_PROJECT_TRAIN, "", err));
    if (cli_project_printed(call, p))
        goto done;
    if (t->dry_run)
        DSCQ_TRY(dry_run(call, p, &o, err));
    else {
        DSCQ_TRY(cli_folder_open(&folder, call, dir, err));
        DSCQ_TRY(dscq_flow_train(&result, p, &o, err));
        print_result(call, &result, dir);
    }
done:
    dscq_folder_close(folder);
    dscq_project_destroy(p);
    return status;
}

const cli_cmd cli_cmd_train = {
    .name = "train",
    .group = CLI_MODEL,
    .synopsis = "NET.cfg",
    .summary = "train a network in float32",
    .description =
        "Train the network of NET.cfg on the data of its [data] section by the rules "
        "of "
        "its [train] section. A validation part is split off the training data and "
        "chooses the weights that are kept (with data.valid_frac = 0 there is none, "
        "and "
        "the last epoch is kept); the test part is not read.\n\n"
        "The output folder (-o, default runs/NET) gets float.ckpt, the training curve "
        "and train.ckpt, from which --resume continues, even after kill -9, to the "
        "same "
        "bytes. Ctrl-C saves before it ends.",
    .examples = "See layers, work and memory before starting:\n"
                "$ dscq train data/nets/demo.cfg --dry-run\n"
                "Train on generated road signs:\n"
                "$ dscq train data/nets/demo.cfg --set train.epochs=2 -o runs/try\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_SEED | CLI_TAKES_THREADS |
             CLI_TAKES_OUTPUT | CLI_TAKES_FORCE | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_NET},
    .options = k_options,
    .option_bytes = sizeof(train_options),
    .run = run,
};
