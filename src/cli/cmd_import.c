#include "cmd.h"
#include "dscq/base/str.h"
#include "dscq/flow/import.h"
#include "dscq/flow/kind.h"

#include <string.h>

typedef struct import_options {
    cli_words data;
} import_options;

static const cli_opt k_options[] = {
    CLI_OPT_MANY(
        import_options, data, "--data", 0, "KEY=VALUE",
        "a line of the [data] section: type=..., train=..., mean=..., std=..."),
    CLI_OPT_END};

static int says(const cli_words *lines, const char *key)
{
    const size_t n = strlen(key);

    for (int32_t i = 0; i < lines->count; i++) {
        const char *line = lines->v[i] + strspn(lines->v[i], " \t");
        if (strncmp(line, key, n) == 0 && line[n + strspn(line + n, " \t")] == '=')
            return 1;
    }
    return 0;
}

/* What net.cfg will be read as where the lines leave it open. */
static void warn_unsaid(cli_call *call, const cli_words *lines)
{
    const char *keys = dscq_flow_unsaid_keys(says(lines, "mean"), says(lines, "std"));
    char text[256];

    if (keys[0] == '\0')
        return;
    dscq_flow_unsaid_text(text, sizeof text, keys);
    dscq_log_printf(call->log, DSCQ_LOG_WARN, "%s: %s", call->arg[0], text);
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const import_options *given = options;
    const char *dir = call->common.output;
    dscq_import_options o = {.network = call->arg[0],
                             .dir = dir,
                             .force = call->common.force,
                             .log = call->log};
    dscq_table *refused = NULL, *layers = NULL;
    dscq_model *m = NULL;
    dscq_str data = {0};
    dscq_status status;

    cli_out_hush(call, 1); /* the files hold it all */
    if (dir[0] == '\0')
        return dscq_fail(err, DSCQ_ARG, "where to? give a folder with -o DIR");
    if (call->arg_count > 1)
        o.weights = call->arg[1];
    for (int32_t i = 0; i < given->data.count; i++)
        dscq_str_addf(&data, "%s\n", given->data.v[i]);
    o.data = data.text;
    DSCQ_TRY(cli_check_overwrite(call, dir, err));
    status = dscq_flow_import(&m, &refused, &o, err);
    if (refused != NULL)
        cli_out_wrong(call, refused);
    if (status != DSCQ_OK)
        goto done;
    warn_unsaid(call, &given->data);
    DSCQ_TRY(dscq_model_table(&layers, m, err));
    cli_out_table(call, layers);
    cli_out_text(call, "parameters %llu, multiply-accumulates %llu an image\n",
                 (unsigned long long)dscq_model_param_count(m),
                 (unsigned long long)dscq_model_macs(m));
    cli_out_text(call, "wrote %s/net.cfg and %s/float.ckpt\n", dir, dir);
    cli_out_int(call, "params", (int64_t)dscq_model_param_count(m));
    cli_out_int(call, "macs", (int64_t)dscq_model_macs(m));
done:
    dscq_str_free(&data);
    dscq_table_destroy(refused);
    dscq_table_destroy(layers);
    dscq_model_destroy(m);
    return status;
}

const cli_cmd cli_cmd_import = {
    .name = "import",
    .group = CLI_MODEL,
    .synopsis = "MODEL.onnx | MODEL.tflite | NET.cfg NET.weights",
    .summary = "bring in a network that others trained",
    .description =
        "Reads an ONNX or TensorFlow Lite file, or a Darknet cfg with its weights, and "
        "writes net.cfg and float.ckpt into the folder -o: train, eval and compress "
        "work on those.\n\n"
        "Of a quantised ONNX graph (QuantizeLinear and DequantizeLinear, or QLinear "
        "and Integer operators) and of an int8, uint8 or int16 TensorFlow Lite file "
        "the "
        "float network is made, with the weights that the codes stand for; the grids "
        "of "
        "its activations go to ranges.csv. With the [compress] section that net.cfg "
        "then "
        "has of a TensorFlow Lite file, compress keeps all its codes.\n\n"
        "A file that holds something no layer here can do is refused with a "
        "table of all such nodes: name, operator, opset, reason.\n\n"
        "The files do not say how pictures become the network's input; --data "
        "lines are written into the [data] section of net.cfg. Where they do not give "
        "mean and std, 0 and 1 are taken (of pixels 0 to 1), and what reads pictures "
        "says so.",
    .examples = "A network with its preprocessing:\n"
                "$ dscq import resnet20.onnx -o runs/resnet20 --data type=cifar10 "
                "--data train=cifar --data mean=0.485,0.456,0.406 "
                "--data std=0.229,0.224,0.225\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_OUTPUT | CLI_TAKES_FORCE,
    .min_args = 1,
    .max_args = 2,
    .operand_kinds = {DSCQ_KIND_ONNX | DSCQ_KIND_TFLITE | DSCQ_KIND_NET,
                      DSCQ_KIND_WEIGHTS},
    .options = k_options,
    .option_bytes = sizeof(import_options),
    .run = run,
};
