#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/export/net_cfg.h"
#include "dscq/flow/folder.h"
#include "dscq/flow/import.h"
#include "dscq/flow/kind.h"
#include "dscq/import/darknet.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/onnx/onnx.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

static dscq_status read_onnx(dscq_model **out, flow_brought *with,
                             const dscq_import_options *o, dscq_error *err)
{
    const dscq_onnx_range *r;
    dscq_onnx *f = NULL;
    int32_t count = 0;
    dscq_status status;

    DSCQ_TRY(dscq_onnx_load(&f, o->network, err));
    dscq_onnx_listen(f, o->log);
    DSCQ_TRY(dscq_onnx_to_model(out, with->refused, f, err));
    r = dscq_onnx_ranges(f, &count);
    if (with->ranges != NULL)
        DSCQ_TRY(flow__range_table(with->ranges, r, count, *out, err));
done:
    dscq_onnx_close(f);
    return status;
}

/* All that is wrong with a cfg. */
typedef struct faults {
    dscq_table *t;
    dscq_error first;
} faults;

static dscq_status faults_create(faults *f, dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("name", "place"), DSCQ_TEXT_COLUMN("op", ""),
        DSCQ_TEXT_COLUMN("reason", ""), DSCQ_COLUMN_END};

    return dscq_table_create(&f->t, "refused", columns, err);
}

/* "file:line: reason" */
static void hear(void *ctx, const dscq_error *why)
{
    faults *f = ctx;
    const char *cut = strstr(why->msg, ": ");
    char place[sizeof why->msg];

    if (dscq_table_rows(f->t) == 0)
        f->first = *why;
    (void)snprintf(place, sizeof place, "%.*s", cut != NULL ? (int)(cut - why->msg) : 0,
                   why->msg);
    DSCQ_TABLE_ROW(f->t, dscq_text(place), dscq_text(""),
                   dscq_text(cut != NULL ? cut + 2 : why->msg));
}

/* The first of them as the error, and the table where there are more. */
static dscq_status faults_end(dscq_table **refused, faults *f, dscq_error *err)
{
    const size_t n = dscq_table_rows(f->t);

    if (n == 0)
        return DSCQ_OK;
    if (dscq_table_check(f->t, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    if (n == 1)
        return dscq_fail(err, f->first.code, "%s", f->first.msg);
    if (refused != NULL) {
        *refused = f->t;
        f->t = NULL;
    }
    return dscq_fail(err, f->first.code, "%.200s (and %zu more)", f->first.msg, n - 1);
}

static dscq_status read_darknet(dscq_model **out, dscq_table **refused,
                                const dscq_import_options *o, dscq_error *err)
{
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_config *cfg = NULL;
    faults all = {0};
    dscq_status status;

    if (o->weights == NULL && dscq_path_is_file(o->network) &&
        !dscq_path_ends(o->network, ".cfg") &&
        dscq_kind_of(o->network).bit != DSCQ_KIND_NET)
        return dscq_fail(
            err, DSCQ_FORMAT,
            "%s: neither an ONNX or TensorFlow Lite file nor a Darknet cfg; other "
            "formats are not read: export the network to ONNX",
            o->network);
    DSCQ_TRY(faults_create(&all, err));
    const dscq_config_listener listener = {hear, &all};
    DSCQ_TRY(dscq_config_load_all(&cfg, o->network, &listener, err));
    if (o->weights == NULL)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG,
                           "%s: a Darknet cfg needs its weights file too", o->network));
    DSCQ_TRY(dscq_model_from_config(out, cfg, FLOW_SECTIONS, &rng, err));
    DSCQ_TRY(faults_end(refused, &all, err));
    flow__over_tell(cfg, o->log);
    DSCQ_TRY(dscq_darknet_load(*out, o->weights, 0, NULL, err));
done:
    dscq_table_destroy(all.t);
    dscq_config_destroy(cfg);
    return status;
}

/* By its content: a download may have any name. */
static int is_onnx(const char *path)
{
    return dscq_path_ends(path, ".onnx") || dscq_kind_of(path).bit == DSCQ_KIND_ONNX;
}

static dscq_status read_network(dscq_model **out, flow_brought *with,
                                const dscq_import_options *o, dscq_error *err)
{
    dscq_status status;

    *out = NULL;
    if (with->refused != NULL)
        *with->refused = NULL;
    if (with->ranges != NULL)
        *with->ranges = NULL;
    DSCQ_TRY(dscq_kind_refuse_foreign(o->network, err));
    DSCQ_TRY(is_onnx(o->network) ? read_onnx(out, with, o, err)
             : dscq_kind_of(o->network).bit == DSCQ_KIND_TFLITE
                 ? flow__read_tflite(out, with, o, err)
                 : read_darknet(out, with->refused, o, err));
done:
    if (status != DSCQ_OK) {
        dscq_model_destroy(*out);
        *out = NULL;
    }
    return status;
}

dscq_status dscq_flow_read_network(dscq_model **out, dscq_table **refused,
                                   dscq_table **ranges, const dscq_import_options *o,
                                   dscq_error *err)
{
    flow_brought with = {refused, ranges, NULL};

    return read_network(out, &with, o, err);
}

dscq_status dscq_flow_import(dscq_model **out, dscq_table **refused,
                             const dscq_import_options *o, dscq_error *err)
{
    dscq_folder *folder = NULL;
    dscq_table *ranges = NULL;
    char path[DSCQ_PATH_MAX], what[DSCQ_PATH_MAX];
    dscq_model *m = NULL;
    dscq_str text = {0}, settings = {0};
    flow_brought with = {refused, &ranges, &settings};
    dscq_status status;

    if (out != NULL)
        *out = NULL;
    DSCQ_TRY(read_network(&m, &with, o, err));
    dscq_str_addf(&text, "# Imported from %s\n\n", dscq_path_base(o->network));
    DSCQ_TRY(dscq_export_net_cfg(&text, m, DSCQ_CFG_IMPORTED, err));
    if (o->data != NULL && o->data[0] != '\0')
        dscq_str_addf(&text, "\n[data]\n%s", o->data);
    if (settings.len > 0)
        dscq_str_add(&text, settings.text);
    if (text.bad || settings.bad)
        DSCQ_TRY(dscq_fail_nomem(err, "a cfg", text.len));
    (void)snprintf(what, sizeof what, "dscq import %.200s", o->network);
    DSCQ_TRY(dscq_folder_open(&folder, o->dir, what, o->force, NULL, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->dir, "net.cfg", err));
    if (dscq_path_exists(path) && !o->force) /* another import was quicker */
        DSCQ_TRY(
            dscq_fail(err, DSCQ_ARG, "%s: exists; use --force to replace it", path));
    DSCQ_TRY(dscq_file_write(path, text.text, text.len, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->dir, "float.ckpt", err));
    DSCQ_TRY(dscq_model_save(m, path, err));
    if (ranges != NULL)
        DSCQ_TRY(flow__write_ranges(ranges, o->dir, err));
    if (out != NULL) {
        *out = m;
        m = NULL;
    }
done:
    dscq_folder_close(folder);
    dscq_table_destroy(ranges);
    dscq_str_free(&text);
    dscq_str_free(&settings);
    dscq_model_destroy(m);
    return status;
}

dscq_status dscq_flow_export_darknet(const dscq_model *m, const char *stem,
                                     dscq_darknet_dialect dialect, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str text = {0};
    dscq_status status;

    if (strlen(stem) + 16 > sizeof path)
        return dscq_fail(err, DSCQ_ARG, "%s: path is too long", stem);
    DSCQ_TRY(dscq_export_net_cfg(
        &text, m,
        dialect == DSCQ_DARKNET_PJREDDIE ? DSCQ_CFG_PJREDDIE : DSCQ_CFG_DARKNET, err));
    snprintf(path, sizeof path, "%s.weights", stem);
    DSCQ_TRY(dscq_darknet_save(m, path, 0, dialect, err));
    snprintf(path, sizeof path, "%s.cfg", stem);
    DSCQ_TRY(dscq_file_write(path, text.text, text.len, err));
done:
    dscq_str_free(&text);
    return status;
}
