#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"

typedef struct verify_options {
    char dump[DSCQ_PATH_MAX], against[DSCQ_PATH_MAX];
} verify_options;

static const cli_opt k_options[] = {
    CLI_OPT_FILE(verify_options, against, "--dump", 'd', "FILE", DSCQ_KIND_DUMP, "",
                 "compare this dump of another execution (docs/format.md)"),
    CLI_OPT_STR(verify_options, dump, "--write-dump", 0, "FILE", "",
                "write such a dump, made by this program"),
    CLI_OPT_END};

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const verify_options *o = options;
    dscq_infer_difference d = {.node = -1};
    dscq_qmodel *q = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_pack_read(&q, call->arg[0], err));
    if (o->dump[0] != '\0') {
        DSCQ_TRY(cli_check_overwrite(call, o->dump, err));
        DSCQ_TRY(dscq_infer_dump(o->dump, q, err));
        cli_out_text(call, "wrote %s\n", o->dump);
    }
    if (o->against[0] != '\0')
        status = dscq_infer_verify_dump(&d, q, o->against, err);
    else
        status = dscq_infer_verify(&d, q, NULL, err);
    if (status == DSCQ_OK)
        cli_out_text(call, "%d embedded inputs, %d layers each: all equal\n",
                     (int)q->digest_inputs, (int)q->node_count);
    cli_out_int(call, "inputs", q->digest_inputs);
    cli_out_int(call, "layers", q->node_count);
    cli_out_int(call, "equal", status == DSCQ_OK);
    if (status == DSCQ_MISMATCH) {
        cli_out_string(call, "layer", q->node[d.node].name);
        cli_out_int(call, "channel", d.channel);
        cli_out_int(call, "row", d.row);
        cli_out_int(call, "column", d.column);
    }
done:
    dscq_qmodel_destroy(q);
    return status;
}

const cli_cmd cli_cmd_verify = {
    .name = "verify",
    .group = CLI_COMPRESS,
    .synopsis = "PACKED.bin",
    .summary =
        "check an execution of a packed file, layer by layer, without a data set",
    .description =
        "A packed file carries a few inputs and the CRC-32 of every layer's output for "
        "them. This command executes them with the fast integer runtime and names the "
        "first layer, channel, row and column that differs; with --dump it checks what "
        "a board or another program wrote. Exit code 6 when something differs.",
    .examples = "Does this machine compute what the file says?\n"
                "$ dscq verify runs/demo/packed.bin\n",
    .takes = CLI_TAKES_TABLE,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_PACKED},
    .options = k_options,
    .option_bytes = sizeof(verify_options),
    .run = run,
};
