#include "cmd.h"
#include "dscq/flow/compress.h"
#include "dscq/flow/manifest.h"
#include "dscq/report/writers.h"
#include "project.h"

#include <string.h>

typedef struct compress_options {
    char weights[DSCQ_PATH_MAX], profile[DSCQ_NAME_MAX], recipe[DSCQ_PATH_MAX];
    int32_t resume, no_test;
} compress_options;

static const cli_opt k_options[] = {
    CLI_OPT_STR(compress_options, weights, "--weights", 'w', "FILE", "",
                "float network to start from, instead of training one"),
    CLI_OPT_STR(compress_options, profile, "--profile", 0, "NAME", "machine",
                "encodings the file may use: machine, loaded, archive, or one by name"),
    CLI_OPT_STR(compress_options, recipe, "--recipe", 0, "FILE", "",
                "[compress_layer] sections that come after those of NET.cfg"),
    CLI_OPT_FLAG(compress_options, resume, "--resume", 0,
                 "continue the run in the output folder"),
    CLI_OPT_FLAG(compress_options, no_test, "--no-test", 0,
                 "leave the test part of the data alone"),
    CLI_OPT_END};

static void print_result(cli_call *call, const dscq_compress_result *r)
{
    const char *what = r->is_detector ? "AP50" : "top-1";
    const double ratio =
        r->file_bytes > 0 ? (double)r->float_bytes / (double)r->file_bytes : 0;

    cli_out_text(call, "%s on the %s part (%llu images)\n", what, r->split,
                 (unsigned long long)r->images);
    cli_out_text(call, "  float   %6.2f %%\n", 100 * r->float_score);
    if (r->is_detector)
        cli_out_text(call, "  packed  %6.2f %%\n", 100 * r->packed_score);
    else
        cli_out_text(
            call,
            "  packed  %6.2f %%  (95 %%: %.2f..%.2f)\n"
            "  change  %+6.2f    (95 %%: %+.2f..%+.2f, same images; McNemar p = "
            "%.3g)\n",
            100 * r->packed_score, 100 * r->packed_low, 100 * r->packed_high,
            100 * r->change.change, 100 * r->change.low, 100 * r->change.high,
            r->mcnemar_p);
    cli_out_text(call, "bytes\n  float   %10llu  weights and biases, float32\n",
                 (unsigned long long)r->float_bytes);
    cli_out_text(call, "  packed  %10llu  the whole file: %.2fx smaller\n",
                 (unsigned long long)r->file_bytes, ratio);
    cli_out_text(call,
                 "  values  %10.0f  non-zero codes alone\n"
                 "  bound   %10.0f  entropy of positions and codes\n",
                 r->values_bytes, r->entropy_bytes);
    cli_out_text(call, "zeros     %.1f %% of the weights\nfile      %s\n",
                 100 * r->sparsity, r->packed_path);
}

static void json_result(cli_call *call, const dscq_compress_result *r)
{
    cli_out_string(call, "split", r->split);
    cli_out_int(call, "images", (int64_t)r->images);
    cli_out_real(call, "float_score_frac", r->float_score);
    cli_out_real(call, "packed_score_frac", r->packed_score);
    cli_out_real(call, "packed_low_frac", r->packed_low);
    cli_out_real(call, "packed_high_frac", r->packed_high);
    cli_out_real(call, "mcnemar_p", r->mcnemar_p);
    if (!r->is_detector) {
        cli_out_real(call, "change_frac", r->change.change);
        cli_out_real(call, "change_low_frac", r->change.low);
        cli_out_real(call, "change_high_frac", r->change.high);
    }
    cli_out_real(call, "values_bytes", r->values_bytes);
    cli_out_real(call, "entropy_bytes", r->entropy_bytes);
    cli_out_real(call, "valid_float_frac", r->valid_float);
    cli_out_real(call, "valid_tuned_frac", r->valid_tuned);
    cli_out_int(call, "float_bytes", (int64_t)r->float_bytes);
    cli_out_int(call, "file_bytes", (int64_t)r->file_bytes);
    cli_out_real(call, "sparsity_frac", r->sparsity);
    cli_out_string(call, "sha256", r->sha256);
    cli_out_string(call, "packed", r->packed_path);
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const compress_options *c = options;
    char dir[DSCQ_PATH_MAX];
    dscq_project *p = NULL;
    dscq_compress_result result;
    dscq_table *layers = NULL;
    dscq_status status;

    cli_default_dir(dir, sizeof dir, call->arg[0]);
    if (call->common.output[0] != '\0')
        memcpy(dir, call->common.output, sizeof dir);
    const dscq_compress_options o = {
        .run = cli_run_options(call, dir, c->weights, c->resume),
        .profile = c->profile,
        .no_test = c->no_test};
    DSCQ_TRY(cli_project_open_recipe(&p, call, c->recipe, err));
    if (cli_project_printed(call, p))
        goto done;
    DSCQ_TRY(dscq_flow_compress(&result, &layers, p, &o, err));
    DSCQ_TRY(dscq_manifest_write(p, &o, &result, err));
    cli_out_table(call, layers);
    print_result(call, &result);
    json_result(call, &result);
done:
    dscq_table_destroy(layers);
    dscq_project_destroy(p);
    return status;
}

const cli_cmd cli_cmd_compress = {
    .name = "compress",
    .group = CLI_COMPRESS,
    .synopsis = "NET.cfg",
    .summary = "train, prune, quantise and pack a network",
    .description =
        "The whole pipeline: train the network of NET.cfg (or take --weights), "
        "fine-tune "
        "it under the methods of its [compress] section, calibrate the activations, "
        "and "
        "write packed.bin. What is printed at the end was measured on the packed file, "
        "executed in integers, on the test part of the data, which nothing before has "
        "seen.\n\n"
        "The output folder (-o, default runs/NET) also gets the float network, the "
        "curves, layers.csv and the run manifest run.json. --resume continues after "
        "Ctrl-C or kill -9, to the same bytes.",
    .examples = "Compress a small network for generated road signs:\n"
                "$ dscq compress data/nets/demo.cfg -o runs/demo\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_SEED | CLI_TAKES_THREADS |
             CLI_TAKES_OUTPUT | CLI_TAKES_FORCE | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .options = k_options,
    .option_bytes = sizeof(compress_options),
    .run = run,
};
