#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/run.h"
#include "dscq/pack/pack.h"

typedef struct run_options {
    int32_t top;
    double threshold;
    char draw[DSCQ_PATH_MAX];
} run_options;

static const cli_opt k_options[] = {
    CLI_OPT_INT(run_options, top, "--top", 'k', "N", 1, 1000, "1",
                "classes to list for each picture"),
    CLI_OPT_REAL(run_options, threshold, "--threshold", 't', "SCORE", 0, 1, "0.3",
                 "smallest score of a box"),
    CLI_OPT_STR(run_options, draw, "--draw", 0, "DIR", "",
                "write the pictures with their boxes there, as NAME.png"),
    CLI_OPT_END};

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const run_options *r = options;
    const dscq_answer_options o = {.top = r->top,
                                   .threshold = r->threshold,
                                   .draw = r->draw,
                                   .threads = call->common.threads,
                                   .log = call->log};
    dscq_table *answers = NULL;
    dscq_qmodel *q = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_pack_read(&q, call->arg[0], err));
    status = dscq_flow_answer(&answers, q, call->arg + 1, (size_t)call->arg_count - 1,
                              &o, err);
    /* Answers of the others stand beside one picture that could not be read. */
    call->has_result = answers != NULL;
    if (call->has_result)
        cli_out_table(call, answers);
done:
    dscq_table_destroy(answers);
    dscq_qmodel_destroy(q);
    return status;
}

const cli_cmd cli_cmd_run = {
    .name = "run",
    .group = CLI_MODEL,
    .synopsis = "PACKED.bin IMAGE...",
    .summary = "classify pictures, or find boxes in them, with a packed network",
    .description =
        "Reads PNG, JPEG, BMP and WebP pictures of any size, told apart by their "
        "content and turned as EXIF says, resizes and normalises them as the "
        "packed file says, runs the network in integers and prints classes with their "
        "probability, boxes in pixels of the picture, or the range of each map. A "
        "folder stands for the "
        "pictures in it and in its sub-folders. A picture that cannot be read costs "
        "its own answer only: it is named, the others are answered, and the exit code "
        "is not 0. A network with several inputs takes more than a picture and is "
        "refused.",
    .examples = "The three likeliest classes of one picture:\n"
                "$ dscq run runs/demo/packed.bin photo.jpg --top 3\n"
                "What a detector finds, drawn:\n"
                "$ dscq run runs/bccd/packed.bin pictures --draw found\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_THREADS | CLI_TAKES_PROGRESS,
    .min_args = 2,
    .max_args = -1,
    .operand_kinds = {DSCQ_KIND_PACKED, DSCQ_KIND_PICTURE | DSCQ_KIND_FOLDER},
    .schema = "dscq.answers/1",
    .options = k_options,
    .option_bytes = sizeof(run_options),
    .run = run,
};
