#include "cmd.h"
#include "dscq/export/packed_onnx.h"
#include "dscq/export/unpack.h"
#include "dscq/flow/kind.h"
#include "dscq/pack/pack.h"

#include <stdio.h>
#include <string.h>

typedef struct unpack_options {
    char as[DSCQ_NAME_MAX];
} unpack_options;

static const cli_opt k_options[] = {
    CLI_OPT_STR(unpack_options, as, "--as", 0, "NAME", "npz",
                "npz, or the same network as a packed file: machine, loaded, archive, "
                "or an encoding by name"),
    CLI_OPT_END};

/* Where the result goes: -o, or the input's name with the kind behind it. */
static dscq_status target(char path[DSCQ_PATH_MAX], const cli_call *call,
                          const char *kind, dscq_error *err)
{
    if (call->common.output[0] != '\0') {
        memcpy(path, call->common.output, DSCQ_PATH_MAX);
        return DSCQ_OK;
    }
    const int n = snprintf(path, DSCQ_PATH_MAX, "%s.%s", call->arg[0], kind);
    if (n < 0 || n >= DSCQ_PATH_MAX)
        return dscq_fail(err, DSCQ_ARG, "%s: path is too long", call->arg[0]);
    return DSCQ_OK;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const char *as = ((const unpack_options *)options)->as;
    const int is_npz = strcmp(as, "npz") == 0;
    dscq_pack_options form = {DSCQ_PACK_KEEP, -1, 0};
    char path[DSCQ_PATH_MAX];
    dscq_qmodel *q = NULL;
    char endings[2 * DSCQ_NAME_MAX];
    dscq_status status;

    if (!is_npz)
        DSCQ_TRY(dscq_pack_options_parse(&form, as, err));
    (void)snprintf(endings, sizeof endings, "%s%s", is_npz ? "npz|onnx" : "bin|packed|",
                   is_npz ? "" : as);
    cli_out_hush(call, 1); /* the file holds it all */
    DSCQ_TRY(cli_check_ending(call->common.output, endings, "-o", err));
    DSCQ_TRY(target(path, call, as, err));
    DSCQ_TRY(cli_check_overwrite(call, path, err));
    DSCQ_TRY(dscq_pack_read(&q, call->arg[0], err));
    const size_t length = strlen(path);
    const int onnx = is_npz && length > 5 && strcmp(path + length - 5, ".onnx") == 0;
    if (onnx)
        DSCQ_TRY(dscq_export_packed_onnx(path, q, err));
    else if (is_npz)
        DSCQ_TRY(dscq_export_npz(path, q, err));
    else {
        DSCQ_TRY(dscq_pack_trace(q, &form, call->log, err));
        DSCQ_TRY(dscq_pack_write(path, q, &form, err));
    }
    cli_out_text(call, "wrote %s\n", path);
    cli_out_string(call, onnx ? "onnx" : is_npz ? "npz" : "packed", path);
done:
    dscq_qmodel_destroy(q);
    return status;
}

const cli_cmd cli_cmd_unpack = {
    .name = "unpack",
    .group = CLI_COMPRESS,
    .synopsis = "PACKED.bin",
    .summary = "write a packed file as NumPy arrays, ONNX, or packed in another form",
    .description =
        "Writes an .npz (-o, default PACKED.bin.npz): for every layer the "
        "integer weights, codebook, multipliers, shifts, biases, and the real "
        "weights they stand for. With -o FILE.onnx: an ONNX network, weights as 8-bit "
        "numbers and activations between QuantizeLinear and DequantizeLinear. With "
        "--as a profile or an encoding: the same "
        "network as a packed file of that form (default PACKED.bin.NAME); nothing "
        "it computes changes.",
    .examples =
        "Look at the weights from Python:\n"
        "$ dscq unpack runs/demo/packed.bin -o runs/demo/packed.npz\n"
        "The compressed network for another runtime:\n"
        "$ dscq unpack runs/demo/packed.bin -o runs/demo/packed.onnx\n"
        "The smallest file, to keep or to send:\n"
        "$ dscq unpack runs/demo/packed.bin --as archive -o runs/demo/archive.bin\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_OUTPUT | CLI_TAKES_FORCE,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_PACKED},
    .options = k_options,
    .option_bytes = sizeof(unpack_options),
    .run = run,
};
