/* A float network: opened from whatever holds one, and looked at. */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/export/net_cfg.h"
#include "dscq/flow/import.h"
#include "dscq/flow/kind.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/search/search.h"

#include <stdio.h>
#include <string.h>

enum { CFG_BYTES_MAX = 1 << 24 };

/* A [search] section is checked and recorded; the program alone searches. */
static const dscq_project_section *const k_sections[] = {&dscq_search_section};

static dscq_status open_project(dscq_net *n, const char *path, const char *text,
                                const dscq_net_options *o, dscq_error *err)
{
    const dscq_project_options po = {.set = o->set,
                                     .set_count = o->set_count,
                                     .recipe = o->recipe,
                                     .section = k_sections,
                                     .section_count = 1,
                                     .text = text,
                                     .log = &n->listener.log};

    return dscq_project_open(&n->project, path, &po, err);
}

/* A cfg, with what the caller puts behind it. */
static dscq_status open_cfg(dscq_net *n, const char *path, const dscq_net_options *o,
                            dscq_error *err)
{
    dscq_str text = {0};
    uint8_t *file = NULL;
    size_t bytes;
    dscq_status status;

    if (o->more != NULL) {
        DSCQ_TRY(dscq_file_read(&file, &bytes, path, CFG_BYTES_MAX, err));
        dscq_str_addf(&text, "%s\n%s\n", (const char *)file, o->more);
        if (text.bad)
            DSCQ_TRY(dscq_fail_nomem(err, path, bytes));
    }
    DSCQ_TRY(open_project(n, path, text.text, o, err));
    n->is_fresh = o->weights == NULL;
    if (o->weights != NULL)
        DSCQ_TRY(
            dscq_project_load_weights(n->project, o->weights, &n->listener.log, err));
done:
    dscq_free(file);
    dscq_str_free(&text);
    return status;
}

/* A run's folder: its net.cfg, and its weights unless there are others. */
static dscq_status open_folder(dscq_net *n, const char *path, const dscq_net_options *o,
                               dscq_error *err)
{
    char cfg[DSCQ_PATH_MAX], weights[DSCQ_PATH_MAX];
    dscq_net_options with = *o;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(cfg, sizeof cfg, path, "net.cfg", err));
    DSCQ_TRY(dscq_path_join(weights, sizeof weights, path, "float.ckpt", err));
    if (with.weights == NULL && dscq_path_exists(weights))
        with.weights = weights;
    DSCQ_TRY(open_cfg(n, cfg, &with, err));
done:
    return status;
}

/* A file of another program with its weights in it: its graph as a cfg, with the
 * caller's settings behind it. */
static dscq_status open_whole(dscq_net *n, const char *path, const dscq_net_options *o,
                              dscq_error *err)
{
    const dscq_import_options io = {.network = path};
    dscq_table *ranges = NULL;
    dscq_model *m = NULL;
    dscq_str text = {0};
    dscq_status status;

    DSCQ_TRY(dscq_flow_read_network(&m, NULL, &ranges, &io, err));
    DSCQ_TRY(dscq_export_net_cfg(&text, m, DSCQ_CFG_IMPORTED, err));
    dscq_str_addf(&text, "\n%s\n", o->more != NULL ? o->more : "");
    if (text.bad)
        DSCQ_TRY(dscq_fail_nomem(err, path, text.len));
    DSCQ_TRY(open_project(n, path, text.text, o, err));
    DSCQ_TRY(dscq_model_copy_weights(dscq_project_model(n->project), m, err));
    if (ranges != NULL)
        dscq_log_printf(&n->listener.log, DSCQ_LOG_WARN,
                        "%s: its activations' grids are not taken over; "
                        "dscq_import() writes them down for [compress] ranges",
                        path);
    if (o->weights != NULL)
        DSCQ_TRY(
            dscq_project_load_weights(n->project, o->weights, &n->listener.log, err));
done:
    dscq_table_destroy(ranges);
    dscq_str_free(&text);
    dscq_model_destroy(m);
    return status;
}

dscq_status dscq_net_open(dscq_net **out, const char *path,
                          const dscq_net_options *options, dscq_error *err)
{
    dscq_net_options o;
    dscq_net *n = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(path, "path", err));
    DSCQ_TRY(api__take(&o, sizeof o, options, "dscq_net_options", err));
    n = dscq_calloc(1, sizeof *n);
    if (n == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a network", sizeof *n));
    DSCQ_TRY(api__listen(&n->listener, o.events, err));
    if (dscq_path_is_dir(path))
        DSCQ_TRY(open_folder(n, path, &o, err));
    else if (dscq_path_ends(path, ".cfg") || dscq_kind_of(path).bit == DSCQ_KIND_NET)
        DSCQ_TRY(open_cfg(n, path, &o, err));
    else
        DSCQ_TRY(open_whole(n, path, &o, err));
    *out = n;
    return DSCQ_OK;
done:
    dscq_net_close(n);
    return status;
}

void dscq_net_close(dscq_net *n)
{
    if (n != NULL)
        dscq_project_destroy(n->project);
    dscq_free(n);
}

dscq_status dscq_net_load_weights(dscq_net *n, const char *path, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(api__need(path, "path", err));
    n->is_fresh = 0;
    DSCQ_TRY(dscq_project_load_weights(n->project, path, &n->listener.log, err));
done:
    return status;
}

dscq_status dscq_net_describe(dscq_net_info *out, const dscq_net *n, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__check_room(out, "dscq_net_info", err));
    DSCQ_TRY(api__need(n, "net", err));
    const dscq_model *m = dscq_project_model(n->project);
    const dscq_shape in = dscq_model_input(m);
    const dscq_net_info info = {.params = dscq_model_param_count(m),
                                .macs = dscq_model_macs(m),
                                .float_bytes = dscq_model_float_bytes(m),
                                .width = in.w,
                                .height = in.h,
                                .channels = in.c,
                                .layers = dscq_model_nodes(m),
                                .outputs = dscq_model_outputs(m),
                                .is_detector = dscq_project_is_detector(n->project)};
    api__give(out, &info, sizeof info);
done:
    return status;
}

/* ---- tables ---------------------------------------------------------------------- */

typedef struct printed {
    dscq_table *t;
    char section[DSCQ_NAME_MAX];
} printed;

/* A line of dscq_project_print(): "[section]", "key=value", or where that comes from.
 */
static void put_line(void *ctx, const char *line)
{
    printed *p = ctx;
    const char *equal = strchr(line, '=');
    char key[DSCQ_NAME_MAX];

    if (line[0] == '[') {
        (void)snprintf(p->section, sizeof p->section, "%.*s",
                       (int)strcspn(line + 1, "]"), line + 1);
    } else if (line[0] != '#' && equal != NULL) {
        (void)snprintf(key, sizeof key, "%.*s", (int)strcspn(line, " ="), line);
        api__settings_row(p->t, p->section, key, equal + 1 + strspn(equal + 1, " "));
    }
}

static dscq_status settings(dscq_table **out, const dscq_net *n, dscq_error *err)
{
    printed p = {NULL, ""};
    dscq_status status;

    DSCQ_TRY(api__settings_table(&p.t, err));
    dscq_project_print(n->project, put_line, &p);
    *out = p.t;
    DSCQ_TRY(dscq_table_finish(out, err));
done:
    return status;
}

static dscq_status memory(dscq_table **out, dscq_net *n, dscq_error *err)
{
    dscq_run_options run;
    dscq_table *layers = NULL;
    dscq_status status;

    DSCQ_TRY(api__run_options(&run, n, NULL, err));
    DSCQ_TRY(dscq_flow_plan(&layers, out, n->project, &run, err));
done:
    dscq_table_destroy(layers);
    return status;
}

dscq_status dscq_net_table(dscq_table **out, dscq_net *n, const char *name,
                           dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(api__need(name, "name", err));
    if (strcmp(name, "layers") == 0)
        return dscq_model_table(out, dscq_project_model(n->project), err);
    if (strcmp(name, "memory") == 0)
        return memory(out, n, err);
    if (strcmp(name, "settings") == 0)
        return settings(out, n, err);
    status = api__no_table(name, "layers, memory, settings", err);
done:
    return status;
}
