#include "cmd.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/sample.h"
#include "project.h"

typedef struct sample_options {
    char cls[DSCQ_NAME_MAX];
    int32_t split;
    int64_t index;
} sample_options;

static const cli_opt k_options[] = {
    CLI_OPT_STR(
        sample_options, cls, "--class", 'c', "CLASS", "",
        "a picture of this class: its name, the beginning of it, a glob, or its "
        "number; default: any"),
    CLI_OPT_I64(sample_options, index, "--index", 'i', "N", 0, 1e12, "0",
                "which of them, from 0"),
    CLI_OPT_ENUM(sample_options, split, "--split", 0, "train|valid|test", "test",
                 "part of the data"),
    CLI_OPT_END};

static dscq_status list_classes(cli_call *call, dscq_project *p, dscq_split split,
                                dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status;

    cli_out_hush(call, 0); /* there is no file */
    DSCQ_TRY(dscq_flow_classes(&t, p, split, call->log, err));
    cli_out_table(call, t);
    cli_out_text(call, "with -o FILE.png a picture is written\n");
done:
    dscq_table_destroy(t);
    return status;
}

static dscq_status write_one(cli_call *call, dscq_project *p, const sample_options *o,
                             dscq_error *err)
{
    const char *path = call->common.output;
    const dscq_sample_options so = {.split = (dscq_split)o->split,
                                    .cls = o->cls[0] != '\0' ? o->cls : NULL,
                                    .index = o->index,
                                    .path = path,
                                    .log = call->log};
    dscq_sample s;
    dscq_status status;

    DSCQ_TRY(cli_check_overwrite(call, path, err));
    DSCQ_TRY(dscq_flow_sample(&s, p, &so, err));
    cli_out_text(call, "wrote %s: %d x %d, %s%s%s\n", path, (int)s.width, (int)s.height,
                 s.class_name, s.class_name[0] != '\0' ? ", " : "", s.origin);
    cli_out_string(call, "written", path);
    cli_out_int(call, "width", s.width);
    cli_out_int(call, "height", s.height);
    cli_out_string(call, "origin", s.origin);
    if (s.label >= 0) {
        cli_out_int(call, "label", s.label);
        cli_out_string(call, "class", s.class_name);
    }
done:
    return status;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const sample_options *o = options;
    dscq_project *p = NULL;
    dscq_status status;

    DSCQ_TRY(cli_check_ending(call->common.output, "png", "-o", err));
    DSCQ_TRY(cli_project_open(&p, call, err));
    if (cli_project_printed(call, p))
        goto done;
    status = call->common.output[0] == '\0'
                 ? list_classes(call, p, (dscq_split)o->split, err)
                 : write_one(call, p, o, err);
done:
    dscq_project_destroy(p);
    return status;
}

const cli_cmd cli_cmd_sample = {
    .name = "sample",
    .group = CLI_MODEL,
    .synopsis = "NET.cfg",
    .summary = "write a picture of a data set as PNG, to try a network on",
    .description =
        "Takes one picture out of the data of NET.cfg, of a class if one is named, and "
        "writes it with -o as it is stored: at its own size, before anything the "
        "network does to it. Generated data (type = signs) are drawn on the spot. "
        "Without -o the classes are listed, with their number of pictures.",
    .examples = "A stop sign of the test part, and what a network makes of it:\n"
                "$ dscq sample data/nets/demo.cfg --class stop_octagon_0 -o photo.png\n"
                "$ dscq run runs/demo/packed.bin photo.png --top 3\n"
                "Which classes are there?\n"
                "$ dscq sample data/nets/demo.cfg\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_OUTPUT | CLI_TAKES_FORCE,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_NET},
    .options = k_options,
    .option_bytes = sizeof(sample_options),
    .run = run,
};
