#include "cmd.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/data/dataset.h"
#include "dscq/flow/anchors.h"
#include "dscq/flow/check.h"
#include "dscq/flow/import.h"
#include "dscq/flow/kind.h"
#include "dscq/flow/project.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/pack/pack.h"
#include "project.h"

#include <stdio.h>
#include <string.h>

/* What is looked into; what is foreign becomes a row like any other problem. */
enum {
    NETWORKS = DSCQ_KIND_ONNX | DSCQ_KIND_TFLITE, /* of others, in one file */
    CHECKED = DSCQ_KIND_NET | NETWORKS | DSCQ_KIND_WEIGHTS | DSCQ_KIND_CHECKPOINT |
              DSCQ_KIND_PACKED | DSCQ_KIND_FOREIGN | DSCQ_KIND_NOTHING
};

typedef struct check_options {
    int32_t anchors;
} check_options;

static const cli_opt k_options[] = {
    CLI_OPT_INT(check_options, anchors, "--anchors", 0, "N", 0, DSCQ_ANCHORS_MAX, "0",
                "print N anchors that suit the boxes of the training part"),
    CLI_OPT_END};

/* "24 pictures: 16 PNG, 8 BMP" */
static void tell_seen(cli_call *call, const dscq_data_seen *seen)
{
    dscq_json *j = call->common.json ? dscq_json_object() : NULL;
    const char *before = ":";

    cli_out_text(call, "%zu pictures", seen->pictures);
    for (int k = DSCQ_IMAGE_MADE + 1; k < DSCQ_IMAGE_KINDS; k++) {
        const char *name = dscq_image_kind_name((dscq_image_kind)k);
        char key[8] = "";

        if (seen->kind[k] == 0)
            continue;
        cli_out_text(call, "%s %zu %s", before, seen->kind[k], name);
        for (size_t i = 0; name[i] != '\0' && i < sizeof key - 1; i++)
            key[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
        dscq_json_put_int(j, key, (int64_t)seen->kind[k]);
        before = ",";
    }
    cli_out_text(call, "\n");
    cli_out_int(call, "pictures_read", (int64_t)seen->pictures);
    cli_out_json(call, "kinds", j);
}

/* A network file: its text, its graph, and every picture and label it names; or, with
 * weights, whether those are its own. */
static dscq_status check_network(size_t *errors, dscq_table *t, cli_call *call,
                                 const char *path, const char *weights, dscq_error *err)
{
    const dscq_project_options o = {.set = call->common.set.v,
                                    .set_count = (size_t)call->common.set.count,
                                    .section = cli_sections,
                                    .section_count = CLI_SECTIONS};
    dscq_data_seen seen;
    const dscq_status status =
        dscq_flow_check(t, errors, &seen, path, weights, &o, call->log, err);

    if (status != DSCQ_OK)
        return status;
    if (seen.pictures > 0)
        tell_seen(call, &seen);
    return DSCQ_OK;
}

/* A failure as a row. Want of memory and a signal say nothing about a file: they end
 * the command. */
static dscq_status add_failure(size_t *errors, dscq_table *t, const char *kind,
                               const char *file, const dscq_error *why, dscq_error *err)
{
    if (why->code == DSCQ_NOMEM || why->code == DSCQ_INTERRUPTED)
        return dscq_fail(err, why->code, "%s", why->msg);
    dscq_problems_add(t, "error", kind, file, why->msg);
    *errors = 1;
    return DSCQ_OK;
}

/* A network of others: every node that has no layer here, at once; with a cfg, whether
 * the weights are as many as it wants. */
static dscq_status check_foreign(size_t *errors, dscq_table *t, const cli_call *call,
                                 const char *network, const char *weights,
                                 dscq_error *err)
{
    const dscq_import_options o = {
        .network = network, .weights = weights, .log = call->log};
    const char *file = weights != NULL ? weights : network;
    dscq_model *m = NULL;
    dscq_table *refused = NULL;
    dscq_error why;
    dscq_status status = dscq_flow_read_network(&m, &refused, NULL, &o, &why);
    const size_t nodes =
        status == DSCQ_OK || refused == NULL ? 0 : dscq_table_rows(refused);

    for (size_t i = 0; i < nodes; i++) {
        char text[256];
        snprintf(
            text, sizeof text, "%.60s '%.80s': %.100s",
            dscq_table_text(refused, i, (size_t)dscq_table_find(refused, "op")),
            dscq_table_text(refused, i, (size_t)dscq_table_find(refused, "name")),
            dscq_table_text(refused, i, (size_t)dscq_table_find(refused, "reason")));
        dscq_problems_add(t, "error", "operator", file, text);
    }
    *errors = nodes;
    if (status != DSCQ_OK)
        status = nodes > 0
                     ? DSCQ_OK
                     : add_failure(errors, t, weights != NULL ? "weights" : "network",
                                   file, &why, err);
    dscq_table_destroy(refused);
    dscq_model_destroy(m);
    return status;
}

/* The cfg that was named last before an operand; NULL when there is none. */
static const char *cfg_before(const cli_call *call, int at)
{
    for (int i = at - 1; i >= 0; i--)
        if (dscq_path_ends(call->arg[i], ".cfg"))
            return call->arg[i];
    return NULL;
}

/* Weights belong to the cfg before them; a checkpoint may stand alone, and be whole. */
static dscq_status check_weights(size_t *errors, dscq_table *t, cli_call *call, int at,
                                 dscq_error *err)
{
    const char *path = call->arg[at], *cfg = cfg_before(call, at);
    dscq_checkpoint *c = NULL;
    dscq_error why;

    if (cfg != NULL && dscq_path_ends(path, ".weights")) {
        return check_foreign(errors, t, call, cfg, path, err);
    } else if (cfg != NULL) {
        return check_network(errors, t, call, cfg, path, err);
    } else if (dscq_path_ends(path, ".weights")) {
        dscq_problems_add(t, "error", "weights", path,
                          "which cfg do they belong to? name it before them");
        *errors = 1;
    } else if (dscq_checkpoint_read(&c, path, &why) != DSCQ_OK) {
        return add_failure(errors, t, "checkpoint", path, &why, err);
    }
    dscq_checkpoint_destroy(c);
    return DSCQ_OK;
}

static dscq_status check_file(size_t *errors, dscq_table *t, cli_call *call, int at,
                              dscq_error *err)
{
    const char *path = call->arg[at];
    const unsigned kind = dscq_kind_of(path).bit;
    dscq_qmodel *q = NULL;
    dscq_error why;

    *errors = 0;
    if (kind == DSCQ_KIND_NET || (kind == 0 && dscq_path_ends(path, ".cfg")))
        return check_network(errors, t, call, path, NULL, err);
    if ((kind & (DSCQ_KIND_WEIGHTS | DSCQ_KIND_CHECKPOINT)) != 0 ||
        dscq_path_ends(path, ".ckpt"))
        return check_weights(errors, t, call, at, err);
    if (kind & (NETWORKS | DSCQ_KIND_FOREIGN | DSCQ_KIND_NOTHING))
        return check_foreign(errors, t, call, path, NULL, err);
    if (dscq_pack_read(&q, path, &why) != DSCQ_OK)
        return add_failure(errors, t, "packed", path, &why, err);
    dscq_qmodel_destroy(q);
    return DSCQ_OK;
}

/* As a line of a [yolo] section, and one row each. */
static dscq_status print_anchors(cli_call *call, const char *path, int32_t count,
                                 dscq_error *err)
{
    const dscq_project_options o = {.set = call->common.set.v,
                                    .set_count = (size_t)call->common.set.count,
                                    .section = cli_sections,
                                    .section_count = CLI_SECTIONS};
    dscq_project *p = NULL;
    dscq_table *t = NULL;
    dscq_str line = {0};
    double mean = 0;
    dscq_status status;

    if (!dscq_path_ends(path, ".cfg"))
        return dscq_fail(err, DSCQ_ARG, "%s: --anchors wants a NET.cfg", path);
    DSCQ_TRY(dscq_project_open(&p, path, &o, err));
    DSCQ_TRY(dscq_flow_anchors(&t, &mean, p, count, call->log, err));
    const int w = dscq_table_find(t, "width"), h = dscq_table_find(t, "height");
    for (size_t i = 0; i < dscq_table_rows(t); i++)
        dscq_str_addf(&line, "%s%.0f,%.0f", i > 0 ? ", " : "",
                      dscq_table_real(t, i, (size_t)w),
                      dscq_table_real(t, i, (size_t)h));
    if (line.bad)
        DSCQ_TRY(dscq_fail_nomem(err, "anchors", line.cap));
    cli_out_table(call, t);
    cli_out_text(call, "mean overlap %.3f\nanchors = %s\n", mean, line.text);
    cli_out_string(call, "anchors_line", line.text);
    cli_out_real(call, "mean_overlap_frac", mean);
done:
    dscq_str_free(&line);
    dscq_table_destroy(t);
    dscq_project_destroy(p);
    return status;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const check_options *o = options;
    dscq_table *t = NULL;
    size_t errors = 0;
    dscq_status status;

    if (o->anchors > 0) {
        if (call->arg_count != 1)
            return dscq_fail(err, DSCQ_ARG, "--anchors wants one NET.cfg");
        return print_anchors(call, call->arg[0], o->anchors, err);
    }
    DSCQ_TRY(dscq_problems_create(&t, err));
    for (int i = 0; i < call->arg_count; i++) {
        size_t more = 0;
        DSCQ_TRY(check_file(&more, t, call, i, err));
        errors += more;
    }
    DSCQ_TRY(dscq_table_check(t, err));
    if (dscq_table_rows(t) > 0)
        cli_out_wrong(call, t);
    else
        cli_out_text(call, "nothing to complain about\n");
    cli_out_int(call, "errors", (int64_t)errors);
    call->has_result = 1;
    if (errors > 0)
        status = dscq_fail(err, DSCQ_FORMAT, "%zu errors, %zu remarks in all", errors,
                           dscq_table_rows(t));
done:
    dscq_table_destroy(t);
    return status;
}

const cli_cmd cli_cmd_check = {
    .name = "check",
    .group = CLI_MODEL,
    .synopsis = "FILE...",
    .summary = "look for everything that would go wrong in an hour of work",
    .description =
        "For a NET.cfg: every line, key and value, its graph, the files and layers "
        "that its settings name, every picture, label and box of its [data] section, "
        "test and calibration part included, and whether they fit the network; all "
        "that train and compress would refuse, at once. For an ONNX or TensorFlow Lite "
        "file: every node that cannot be imported. For Darknet "
        ".weights, "
        "named behind their cfg: whether they are as many as it wants. For a "
        "checkpoint (.ckpt): whether it is whole and, behind a cfg, of that network. "
        "For a packed file: whether it is whole. Exit code 5 when there are "
        "errors; warnings alone end with 0.\n\n"
        "With --anchors nothing is checked: the boxes of the training part, at the "
        "size of the network's input, are put into N groups (k-means by overlap), and "
        "the shapes are printed as they stand in a [yolo] section.",
    .examples = "Before training on a folder of pictures:\n"
                "$ dscq check data/nets/demo.cfg\n"
                "Anchors for a detector:\n"
                "$ dscq check data/nets/dsc_detector.cfg --anchors 6\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = -1,
    .operand_kinds = {CHECKED, CHECKED},
    .options = k_options,
    .option_bytes = sizeof(check_options),
    .run = run,
};
