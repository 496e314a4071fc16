#include "cmd.h"
#include "dscq/flow/import.h"
#include "dscq/flow/project.h"
#include "dscq/import/onnx_write.h"

#include <string.h>

typedef struct export_options {
    char weights[DSCQ_PATH_MAX];
} export_options;

static const cli_opt k_options[] = {
    CLI_OPT_STR(export_options, weights, "--weights", 'w', "FILE", "",
                "the weights: a checkpoint, or Darknet .weights"),
    CLI_OPT_END};

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const export_options *o = options;
    const char *to = call->common.output;
    const size_t n = strlen(to);
    const int onnx = n > 5 && strcmp(to + n - 5, ".onnx") == 0;
    const dscq_project_options none = {.set = NULL};
    dscq_project *p = NULL;
    dscq_status status;

    if (n == 0)
        return dscq_fail(err, DSCQ_ARG,
                         "where to? -o FILE.onnx, or -o STEM for STEM.cfg and "
                         "STEM.weights");
    if (o->weights[0] == '\0')
        return dscq_fail(err, DSCQ_ARG, "which weights? give them with --weights FILE");
    DSCQ_TRY(cli_check_overwrite(call, to, err));
    DSCQ_TRY(dscq_project_open(&p, call->arg[0], &none, err));
    DSCQ_TRY(dscq_project_load_weights(p, o->weights, call->log, err));
    if (onnx)
        DSCQ_TRY(dscq_onnx_write(dscq_project_model(p), to, err));
    else
        DSCQ_TRY(dscq_flow_export_darknet(dscq_project_model(p), to, err));
    cli_out_text(call, onnx ? "wrote %s\n" : "wrote %s.cfg and .weights\n", to);
    cli_out_string(call, "written", to);
done:
    dscq_project_destroy(p);
    return status;
}

const cli_cmd cli_cmd_export = {
    .name = "export",
    .group = CLI_MODEL,
    .synopsis = "NET.cfg",
    .summary = "write a network for other programs: ONNX or Darknet",
    .description =
        "With -o FILE.onnx: an ONNX file, opset 13, float32, plain operators. "
        "With -o STEM: STEM.cfg and STEM.weights for Darknet; what a Darknet "
        "cfg cannot say is refused by layer.",
    .examples =
        "To ONNX:\n"
        "$ dscq export runs/demo/net.cfg -w runs/demo/float.ckpt -o demo.onnx\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_OUTPUT | CLI_TAKES_FORCE,
    .min_args = 1,
    .max_args = 1,
    .options = k_options,
    .option_bytes = sizeof(export_options),
    .run = run,
};
