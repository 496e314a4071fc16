#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/pack/pack.h"

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    dscq_qmodel *a = NULL, *b = NULL;
    dscq_table *t = NULL;
    dscq_status status;

    (void)options;
    DSCQ_TRY(dscq_pack_read(&a, call->arg[0], err));
    DSCQ_TRY(dscq_pack_read(&b, call->arg[1], err));
    DSCQ_TRY(dscq_pack_diff(&t, a, b, err));
    const size_t n = dscq_table_rows(t);
    if (n > 0)
        cli_out_table(call, t);
    else
        cli_out_text(call, "same network, same values\n");
    cli_out_int(call, "difference_count", (int64_t)n);
    if (n > 0)
        status = dscq_fail(err, DSCQ_MISMATCH, "%s and %s differ in %zu places",
                           call->arg[0], call->arg[1], n);
done:
    dscq_table_destroy(t);
    dscq_qmodel_destroy(a);
    dscq_qmodel_destroy(b);
    return status;
}

const cli_cmd cli_cmd_diff = {
    .name = "diff",
    .group = CLI_COMPRESS,
    .synopsis = "A.bin B.bin",
    .summary = "compare two packed files, layer by layer",
    .description =
        "Lists what differs in graph, constants, codes and meta data; how the "
        "weights are encoded does not matter. Exit code 6 when something "
        "differs.",
    .examples = "Did the seed change anything?\n"
                "$ dscq diff runs/a/packed.bin runs/b/packed.bin\n",
    .takes = CLI_TAKES_TABLE,
    .min_args = 2,
    .max_args = 2,
    .operand_kinds = {DSCQ_KIND_PACKED, DSCQ_KIND_PACKED},
    .run = run,
};
