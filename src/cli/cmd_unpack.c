#include "cmd.h"
#include "dscq/pack/pack.h"

#include <stdio.h>
#include <string.h>

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_qmodel *q = NULL;
    dscq_status status;

    (void)options;
    if (call->common.output[0] != '\0') {
        memcpy(path, call->common.output, sizeof path);
    } else {
        const int n = snprintf(path, sizeof path, "%s.npz", call->arg[0]);
        if (n < 0 || (size_t)n >= sizeof path)
            return dscq_fail(err, DSCQ_ARG, "%s: path is too long", call->arg[0]);
    }
    DSCQ_TRY(cli_check_overwrite(call, path, err));
    DSCQ_TRY(dscq_pack_read(&q, call->arg[0], err));
    DSCQ_TRY(dscq_pack_unpack_npz(path, q, err));
    cli_out_text(call, "wrote %s\n", path);
    cli_out_string(call, "npz", path);
done:
    dscq_qmodel_destroy(q);
    return status;
}

const cli_cmd cli_cmd_unpack = {
    .name = "unpack",
    .group = CLI_COMPRESS,
    .synopsis = "PACKED.bin",
    .summary = "write a packed file's weights and constants as NumPy arrays",
    .description =
        "Writes an .npz (-o, default PACKED.bin.npz): for every layer the "
        "integer weights, codebook, multipliers, shifts, biases, and the real "
        "weights they stand for.",
    .examples = "Look at the weights from Python:\n"
                "$ dscq unpack runs/demo/packed.bin -o runs/demo/packed.npz\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_OUTPUT | CLI_TAKES_FORCE,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
