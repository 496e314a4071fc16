#include "cmd.h"

static const struct {
    const char *name;
    int with;
} k_libraries[] = {
    {"openblas", DSCQ_WITH_BLAS}, {"jansson", DSCQ_WITH_JSON},
    {"libjpeg", DSCQ_WITH_JPEG},  {"libwebp", DSCQ_WITH_WEBP},
    {"expat", DSCQ_WITH_EXPAT},   {"protobuf-c", DSCQ_WITH_ONNX},
};

static dscq_status run(cli_call *call, const void *params, dscq_error *err)
{
    dscq_json *libraries = call->common.json ? dscq_json_object() : NULL;

    (void)params;
    (void)err;
    cli_out_text(call, "dscq " DSCQ_VERSION "\n"
                       "MIT licence: use it as you like, without any warranty.\n"
                       "Libraries:");
    for (size_t i = 0; i < sizeof k_libraries / sizeof k_libraries[0]; i++) {
        cli_out_text(call, " %s%s", k_libraries[i].with ? "+" : "-",
                     k_libraries[i].name);
        dscq_json_put_bool(libraries, k_libraries[i].name, k_libraries[i].with);
    }
    cli_out_text(call, "\n");
    cli_out_json(call, "libraries", libraries);
    return DSCQ_OK;
}

const cli_cmd cli_cmd_version = {
    .name = "version",
    .group = CLI_META,
    .synopsis = "",
    .summary = "print name, version, licence and the libraries built in",
    .description =
        "A library with '-' was switched off when the program was built; what "
        "needs it then says so. OpenBLAS is loaded when a search or second-order "
        "pruning needs it; where it is not installed, slower code of dscq's own does "
        "its work.",
    .examples = "For a script:\n"
                "$ dscq version --json\n",
    .takes = CLI_TAKES_TABLE,
    .run = run,
};
