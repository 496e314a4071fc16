#include "cmd.h"
#include "dscq/base/str.h"
#include "dscq/flow/compress.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/manifest.h"
#include "dscq/flow/simulate.h"
#include "dscq/report/writers.h"
#include "dscq/search/search.h"
#include "project.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct compress_options {
    char weights[DSCQ_PATH_MAX], profile[DSCQ_NAME_MAX], recipe[DSCQ_PATH_MAX];
    char search[DSCQ_NAME_MAX], budget[DSCQ_NAME_MAX], machine[DSCQ_PATH_MAX];
    char sensitivity[DSCQ_PATH_MAX];
    int32_t resume, no_test;
} compress_options;

static const cli_opt k_options[] = {
    CLI_OPT_FILE(compress_options, weights, "--weights", 'w', "FILE",
                 DSCQ_KIND_CHECKPOINT | DSCQ_KIND_WEIGHTS, "",
                 "float network to start from, instead of training one"),
    CLI_OPT_STR(compress_options, profile, "--profile", 0, "NAME", "machine",
                "encodings the file may use: machine, loaded, archive, or one by name"),
    CLI_OPT_FILE(compress_options, recipe, "--recipe", 0, "FILE", DSCQ_KIND_RECIPE, "",
                 "[compress_layer] sections that come after those of NET.cfg"),
    CLI_OPT_STR(compress_options, search, "--search", 0, "HOW", "",
                "find the recipe: greedy, knapsack, bayes or none; overrides [search]"),
    CLI_OPT_STR(
        compress_options, budget, "--budget", 0, "TIME", "",
        "time for sensitivity, trials and fine-tuning: 90s, 30min, 2h; overrides "
        "[search]"),
    CLI_OPT_FILE(
        compress_options, machine, "--machine", 'm', "NAME", DSCQ_KIND_MACHINE, "",
        "simulate the trials of a search on this machine, for least energy unless "
        "[search] has another objective; default: [machine], when [search] asks "
        "for cycles, energy or RAM"),
    CLI_OPT_STR(
        compress_options, sensitivity, "--sensitivity", 0, "DIR", "",
        "search from the table that `dscq sensitivity` left there; default: one "
        "in the output folder or beside --weights, else it is measured"),
    CLI_OPT_FLAG(
        compress_options, resume, "--resume", 0,
        "continue the run in the output folder, with the settings it was begun with"),
    CLI_OPT_FLAG(compress_options, no_test, "--no-test", 0,
                 "leave the test part of the data alone"),
    CLI_OPT_END};

static void print_agreement(cli_call *call, const dscq_compress_result *r)
{
    cli_out_text(call, "packed against float on the %s part (%llu images, no labels)\n",
                 r->split, (unsigned long long)r->images);
    if (!isnan(r->agreement))
        cli_out_text(call, "  same top class  %6.2f %%  (95 %%: %.2f..%.2f)\n",
                     100 * r->agreement, 100 * r->packed_low, 100 * r->packed_high);
    cli_out_text(call, "  outputs         %6.2f dB signal to quantisation noise\n",
                 r->sqnr_db);
}

static void print_scores(cli_call *call, const dscq_compress_result *r)
{
    const char *what = r->is_detector ? "AP50" : "top-1";

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
    if (!isnan(r->agreement))
        cli_out_text(
            call, "  same    %6.2f %%  of the images get the float network's class\n",
            100 * r->agreement);
}

static void print_result(cli_call *call, const dscq_compress_result *r)
{
    const double ratio =
        r->file_bytes > 0 ? (double)r->float_bytes / (double)r->file_bytes : 0;

    if (r->has_truth)
        print_scores(call, r);
    else
        print_agreement(call, r);
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

static void json_scores(cli_call *call, const dscq_compress_result *r)
{
    cli_out_real(call, "float_score_frac", r->float_score);
    cli_out_real(call, "packed_score_frac", r->packed_score);
    cli_out_real(call, "packed_low_frac", r->packed_low);
    cli_out_real(call, "packed_high_frac", r->packed_high);
    if (!isnan(r->mcnemar_p))
        cli_out_real(call, "mcnemar_p", r->mcnemar_p);
    if (!r->is_detector) {
        cli_out_real(call, "change_frac", r->change.change);
        cli_out_real(call, "change_low_frac", r->change.low);
        cli_out_real(call, "change_high_frac", r->change.high);
    }
    cli_out_real(call, "valid_float_frac", r->valid_float);
    cli_out_real(call, "valid_tuned_frac", r->valid_tuned);
}

static void json_result(cli_call *call, const dscq_compress_result *r)
{
    cli_out_string(call, "split", r->split);
    cli_out_int(call, "images", (int64_t)r->images);
    if (r->has_truth)
        json_scores(call, r);
    if (!isnan(r->agreement))
        cli_out_real(call, "agreement_frac", r->agreement);
    if (isfinite(r->sqnr_db))
        cli_out_real(call, "sqnr_db", r->sqnr_db);
    cli_out_real(call, "values_bytes", r->values_bytes);
    cli_out_real(call, "entropy_bytes", r->entropy_bytes);
    cli_out_int(call, "float_bytes", (int64_t)r->float_bytes);
    cli_out_int(call, "file_bytes", (int64_t)r->file_bytes);
    cli_out_real(call, "sparsity_frac", r->sparsity);
    cli_out_string(call, "sha256", r->sha256);
    cli_out_string(call, "packed", r->packed_path);
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void report_search(cli_call *call, const dscq_search_result *r)
{
    if (r->pareto != NULL)
        cli_out_table(call, r->pareto);
    if (r->finalists != NULL)
        cli_out_table(call, r->finalists);
    cli_out_text(call,
                 "\n%zu trials (%zu from the journal), %.2f s each; trial %lld %s\n",
                 r->trials, r->replayed, r->trial_seconds, (long long)r->best,
                 r->feasible ? "meets the limits" : "is the nearest to the limits");
    cli_out_int(call, "trials", (int64_t)r->trials);
    cli_out_int(call, "trials_replayed", (int64_t)r->replayed);
    cli_out_int(call, "trial", r->best);
    cli_out_int(call, "feasible", r->feasible);
    if (r->binds[0] != '\0')
        cli_out_string(call, "binds", r->binds);
}

/* With a search the gate of the search is the command's, after everything is printed.
 */
static dscq_status search(cli_call *call, dscq_project *p, const compress_options *c,
                          const dscq_compress_options *o, dscq_error *err)
{
    const char *name = c->machine[0] != '\0' ? c->machine : NULL;
    dscq_search_options so = {.compress = *o,
                              .sense_dir =
                                  c->sensitivity[0] != '\0' ? c->sensitivity : NULL,
                              .now = now_s};
    char data_dir[DSCQ_PATH_MAX];
    dscq_search_result found;
    dscq_compress_result result;
    dscq_table *layers = NULL;
    dscq_machine machine;
    dscq_status status;

    if (name != NULL || dscq_search_wants_machine(dscq_project_search(p))) {
        cli_data_dir(data_dir, sizeof data_dir);
        status = dscq_flow_machine(&machine, name, dscq_project_config(p), data_dir,
                                   NULL, 0, call->log, err);
        if (status != DSCQ_OK)
            return status;
        so.machine = &machine;
    }
    status = dscq_flow_search(&found, &result, &layers, p, &so, err);
    if (status == DSCQ_OK || status == DSCQ_GATE)
        report_search(call, &found);
    if (found.has_packed) {
        dscq_error second;
        const dscq_status written = dscq_manifest_write(p, o, &result, &second);
        if (written != DSCQ_OK) {
            *err = second;
            status = written;
        }
        cli_out_table(call, layers);
        print_result(call, &result);
        json_result(call, &result);
    }
    dscq_table_destroy(layers);
    dscq_search_clear(&found);
    return status;
}

static dscq_status plain(cli_call *call, dscq_project *p,
                         const dscq_compress_options *o, dscq_error *err)
{
    dscq_compress_result result;
    dscq_table *layers = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_flow_compress(&result, &layers, p, o, err));
    DSCQ_TRY(dscq_manifest_write(p, o, &result, err));
    cli_out_table(call, layers);
    print_result(call, &result);
    json_result(call, &result);
done:
    dscq_table_destroy(layers);
    return status;
}

static const char *const k_of_search[] = {"--budget", "--machine", "--sensitivity",
                                          NULL};

/* An option of its own is a setting given later than --set. */
static dscq_status add_setting(cli_call *call, char *text, size_t cap, const char *key,
                               const char *value, dscq_error *err)
{
    cli_words *set = &call->common.set;

    if (value[0] == '\0')
        return DSCQ_OK;
    if (set->count == CLI_WORDS_MAX)
        return dscq_fail(err, DSCQ_ARG, "--set: given more than %d times",
                         CLI_WORDS_MAX);
    (void)snprintf(text, cap, "search.%s=%s", key, value);
    set->v[set->count++] = text;
    return DSCQ_OK;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const compress_options *c = options;
    char dir[DSCQ_PATH_MAX], how[2 * DSCQ_NAME_MAX], budget[2 * DSCQ_NAME_MAX];
    dscq_folder *folder = NULL;
    dscq_project *p = NULL;
    double seconds;
    dscq_status status;

    cli_default_dir(dir, sizeof dir, call->arg[0]);
    if (call->common.output[0] != '\0')
        memcpy(dir, call->common.output, sizeof dir);
    const dscq_compress_options o = {
        .run = cli_run_options(call, dir, c->weights, c->resume),
        .profile = c->profile,
        .no_test = c->no_test};
    if (c->budget[0] != '\0' &&
        (status = dscq_parse_duration(&seconds, c->budget, err)) != DSCQ_OK) {
        (void)dscq_fail_at(err, "--budget");
        goto done;
    }
    DSCQ_TRY(add_setting(call, how, sizeof how, "search", c->search, err));
    DSCQ_TRY(add_setting(call, budget, sizeof budget, "budget", c->budget, err));
    DSCQ_TRY(cli_project_open_for(
        &p, call, c->weights[0] == '\0' ? DSCQ_PROJECT_TRAIN : DSCQ_PROJECT_RUN,
        c->recipe, err));
    if (cli_project_printed(call, p))
        goto done;
    const int searches = dscq_search_is_asked(dscq_project_search(p));
    if (!searches)
        DSCQ_TRY(cli_refuse_given(call, k_of_search,
                                  "nothing is searched; add --search bayes (or greedy, "
                                  "knapsack)",
                                  err));
    DSCQ_TRY(cli_folder_open(&folder, call, dir, err));
    status = searches ? search(call, p, c, &o, err) : plain(call, p, &o, err);
done:
    dscq_folder_close(folder);
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
        "curves of training and fine-tuning, layers.csv and the run manifest run.json. "
        "--resume continues after "
        "Ctrl-C or kill -9, to the same bytes.\n\n"
        "With --search (or [search] in NET.cfg) the recipe is found: sensitivity, then "
        "trials that are not fine-tuned, measured by the packer and, for cycles, "
        "energy "
        "and RAM, by the simulator; the finalists go through the pipeline. The best "
        "recipe so far is always in recipe.cfg, every trial in search.json. When no "
        "recipe meets the limits, the nearest is kept and the exit code is 3. "
        "`dscq explain` tells what decided.\n\n"
        "With [compress] epochs = 0 nothing is trained: a float network (-w) is "
        "compressed from a few hundred pictures, and labels are needed for scoring "
        "only. Without labels the agreement with the float network is printed.",
    .examples =
        "Compress a small network for generated road signs:\n"
        "$ dscq compress data/nets/demo.cfg -o runs/demo\n"
        "Find the recipe that takes least energy on a machine, in half an hour:\n"
        "$ dscq compress data/nets/demo.cfg -w runs/demo/float.ckpt --search "
        "bayes --budget 30m --machine zynq7020 -o "
        "runs/demo-search\n"
        "Compress an imported network from a folder of pictures:\n"
        "$ dscq compress imported/net.cfg -w imported/float.ckpt --set "
        "data.type=images --set data.train=photos --set compress.method=obq "
        "--set compress.epochs=0 --set compress.reestimate_norm=1\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_SEED | CLI_TAKES_THREADS |
             CLI_TAKES_OUTPUT | CLI_TAKES_FORCE | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_NET},
    .options = k_options,
    .option_bytes = sizeof(compress_options),
    .run = run,
};
