/* Weights from elsewhere for the network of a project. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/kind.h"
#include "dscq/import/darknet.h"
#include "dscq/nn/checkpoint.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

/* Layers without weights of their own compute noise: a network that is not trained
 * from here on must not have them. */
static dscq_status refuse_left(const char *path, const char *net,
                               const dscq_match_report *r, dscq_error *err)
{
    const int32_t left = r->missing + r->misfit;
    char more[48] = "";

    if (left == 0)
        return DSCQ_OK;
    if (left > 1)
        (void)snprintf(more, sizeof more, " (and %d layers more)", (int)left - 1);
    return dscq_fail(
        err, DSCQ_FORMAT,
        "%.200s: the weights do not fit %.100s: layer '%s': %s%s; give the "
        "cfg they were trained with, or train these layers: dscq train -w",
        path, dscq_path_base(net), r->first_left, r->why, more);
}

static void tell_loaded(const dscq_log *log, const char *path,
                        const dscq_match_report *r)
{
    const int32_t left = r->missing + r->misfit;

    if (left != 0)
        dscq_log_printf(
            log, DSCQ_LOG_WARN,
            "%s: weights of %d layers; %d start with fresh ones: '%s'%s: %s", path,
            (int)r->loaded, (int)left, r->first_left, left > 1 ? " and others" : "",
            r->why);
    else
        dscq_log_printf(log, DSCQ_LOG_INFO, "%s: weights of %d layers", path,
                        (int)r->loaded);
    if (r->first_surplus[0] != '\0')
        dscq_log_printf(log, DSCQ_LOG_WARN,
                        "%s: holds layers that the network lacks ('%s'); they are left "
                        "out",
                        path, r->first_surplus);
}

static dscq_status load_weights(dscq_project *p, const char *path, dscq_match match,
                                int must_fit, const dscq_log *log, dscq_error *err)
{
    dscq_match_report r = {0};
    dscq_status status;

    if (dscq_kind_of(path).bit == DSCQ_KIND_WEIGHTS) {
        dscq_darknet_info info;
        DSCQ_TRY(dscq_darknet_load(p->model, path, must_fit ? 0 : DSCQ_DARKNET_LEADING,
                                   &info, err));
        r.loaded = info.layers_loaded;
        r.missing = info.layers_left;
        (void)dscq_str_copy(r.why, sizeof r.why, "the file ends before it");
        if (info.first_left >= 0)
            (void)dscq_str_copy(r.first_left, sizeof r.first_left,
                                dscq_model_node(p->model, info.first_left)->name);
        tell_loaded(log, path, &r);
        return DSCQ_OK;
    }
    DSCQ_TRY(dscq_model_load(p->model, path, match, &r, err));
    if (must_fit)
        DSCQ_TRY(refuse_left(path, p->path, &r, err));
    if (r.loaded == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: no layer has the %s and size of one in %s", path,
                         match == DSCQ_MATCH_ORDER ? "place" : "name", p->path);
    tell_loaded(log, path, &r);
done:
    return status;
}

dscq_status dscq_project_load_weights(dscq_project *p, const char *path,
                                      const dscq_log *log, dscq_error *err)
{
    return load_weights(p, path, DSCQ_MATCH_NAME, 1, log, err);
}

dscq_status dscq_project_start_weights(dscq_project *p, const char *path,
                                       const dscq_log *log, dscq_error *err)
{
    const dscq_match match = p->train.load == 1 ? DSCQ_MATCH_ORDER : DSCQ_MATCH_NAME;
    dscq_model *fresh = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_model_check_patterns(p->model, "reinit_layers",
                                       p->train.reinit_layers, err));
    DSCQ_TRY(dscq_model_clone(&fresh, p->model, err));
    DSCQ_TRY(load_weights(p, path, match, 0, log, err));
    if (p->train.reinit_layers[0] != '\0') {
        const int32_t n =
            dscq_model_copy_layers(p->model, fresh, p->train.reinit_layers);
        dscq_log_printf(log, DSCQ_LOG_INFO, "%s: %d layers start afresh",
                        p->train.reinit_layers, (int)n);
    }
done:
    dscq_model_destroy(fresh);
    return status;
}

dscq_status flow__tuned_weights(dscq_project *p, const char *path, const dscq_log *log,
                                dscq_error *err)
{
    return load_weights(p, path, DSCQ_MATCH_NAME, 0, log, err);
}
