#include "cmd.h"
#include "dscq/base/io.h"
#include "dscq/export/float_onnx.h"
#include "dscq/export/packed_onnx.h"
#include "dscq/flow/import.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/project.h"
#include "dscq/pack/pack.h"
#include "project.h"

#include <stdio.h>
#include <string.h>

typedef struct export_options {
    char weights[DSCQ_PATH_MAX];
    int32_t dialect; /* dscq_darknet_dialect */
} export_options;

static const cli_opt k_options[] = {
    CLI_OPT_FILE(export_options, weights, "--weights", 'w', "FILE",
                 DSCQ_KIND_CHECKPOINT | DSCQ_KIND_WEIGHTS, "",
                 "the weights: a checkpoint, or Darknet .weights"),
    CLI_OPT_ENUM(export_options, dialect, "--dialect", 0, "alexeyab|pjreddie",
                 "alexeyab", "whose Darknet is to read it"),
    CLI_OPT_END};

static dscq_status write_float(cli_call *call, const export_options *o, const char *to,
                               dscq_error *err)
{
    const dscq_project_options none = {.section = cli_sections,
                                       .section_count = CLI_SECTIONS};
    dscq_project *p = NULL;
    dscq_status status;

    if (o->weights[0] == '\0')
        return dscq_fail(err, DSCQ_ARG, "which weights? give them with --weights FILE");
    DSCQ_TRY(dscq_project_open(&p, call->arg[0], &none, err));
    DSCQ_TRY(dscq_project_load_weights(p, o->weights, call->log, err));
    if (dscq_path_ends(to, ".onnx"))
        DSCQ_TRY(dscq_export_float_onnx(dscq_project_model(p), to, err));
    else
        DSCQ_TRY(dscq_flow_export_darknet(dscq_project_model(p), to,
                                          (dscq_darknet_dialect)o->dialect, err));
done:
    dscq_project_destroy(p);
    return status;
}

static dscq_status write_packed(cli_call *call, const char *to, dscq_error *err)
{
    dscq_qmodel *q = NULL;
    dscq_status status;

    if (!dscq_path_ends(to, ".onnx"))
        return dscq_fail(
            err, DSCQ_ARG,
            "%s: a packed file is exported to ONNX only: give -o FILE.onnx", to);
    DSCQ_TRY(dscq_pack_read(&q, call->arg[0], err));
    DSCQ_TRY(dscq_export_packed_onnx(to, q, err));
done:
    dscq_qmodel_destroy(q);
    return status;
}

/* STEM.cfg and STEM.weights are replaced like any other result. */
static dscq_status check_stem(const cli_call *call, const char *stem, dscq_error *err)
{
    static const char *const k_tail[] = {".cfg", ".weights"};
    char path[DSCQ_PATH_MAX + 16];
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < 2 && status == DSCQ_OK; i++) {
        (void)snprintf(path, sizeof path, "%s%s", stem, k_tail[i]);
        status = cli_check_overwrite(call, path, err);
    }
    return status;
}

/* What is written, and whether the options have a say in it. */
static dscq_status check_target(const cli_call *call, const char *to, int is_packed,
                                dscq_error *err)
{
    static const char *const k_float[] = {"--weights", "--dialect", NULL};
    static const char *const k_darknet[] = {"--dialect", NULL};
    const int to_onnx = dscq_path_ends(to, ".onnx");
    dscq_status status;

    DSCQ_TRY(cli_check_ending(to, "onnx", "-o", err));
    if (is_packed)
        DSCQ_TRY(cli_refuse_given(call, k_float, "a packed file has its weights in it",
                                  err));
    else if (to_onnx)
        DSCQ_TRY(cli_refuse_given(call, k_darknet, "an ONNX file is written", err));
    DSCQ_TRY(to_onnx ? cli_check_overwrite(call, to, err) : check_stem(call, to, err));
done:
    return status;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const export_options *o = options;
    const char *to = call->common.output;
    const int is_packed = !dscq_path_ends(call->arg[0], ".cfg");
    dscq_status status;

    cli_out_hush(call, 1); /* the file holds it all */
    if (to[0] == '\0')
        return dscq_fail(err, DSCQ_ARG,
                         "where to? -o FILE.onnx, or -o STEM for STEM.cfg and "
                         "STEM.weights");
    DSCQ_TRY(check_target(call, to, is_packed, err));
    DSCQ_TRY(is_packed ? write_packed(call, to, err) : write_float(call, o, to, err));
    cli_out_text(
        call,
        dscq_path_ends(to, ".onnx") ? "wrote %s\n" : "wrote %s.cfg and .weights\n", to);
    cli_out_string(call, "written", to);
done:
    return status;
}

const cli_cmd cli_cmd_export = {
    .name = "export",
    .group = CLI_MODEL,
    .synopsis = "NET.cfg | PACKED.bin",
    .summary = "write a network for other programs: ONNX or Darknet",
    .description =
        "With -o FILE.onnx: an ONNX file, opset 13, float32, plain operators. "
        "With -o STEM: STEM.cfg and STEM.weights for Darknet; what a Darknet "
        "cfg cannot say is refused by layer. --dialect pjreddie writes for the "
        "original program: variances for its batch norm, which divides by "
        "sqrt(variance) + 1e-6, and none of what AlexeyAB's added.\n\n"
        "A packed file becomes an ONNX file as well (-o FILE.onnx): its weights as "
        "8-bit numbers behind DequantizeLinear, its activations between "
        "QuantizeLinear and DequantizeLinear.",
    .examples = "To ONNX:\n"
                "$ dscq export runs/demo/net.cfg -w runs/demo/float.ckpt -o demo.onnx\n"
                "For the original Darknet:\n"
                "$ dscq export runs/demo/net.cfg -w runs/demo/float.ckpt -o demo "
                "--dialect pjreddie\n"
                "The compressed network:\n"
                "$ dscq export runs/demo/packed.bin -o packed.onnx\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_OUTPUT | CLI_TAKES_FORCE,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_NET | DSCQ_KIND_PACKED},
    .options = k_options,
    .option_bytes = sizeof(export_options),
    .run = run,
};
