/* Between training and fine-tuning: batch norm folded when asked for; channels removed,
 * and the smaller network trained again. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/compress/channels.h"
#include "dscq/compress/fold.h"
#include "dscq/export/net_cfg.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/report/writers.h"
#include "flow_internal.h"

int flow__removes_channels(const dscq_settings *s)
{
    for (size_t i = 0; i < s->layer_count; i++)
        if (s->layer[i].keep_channels > 0 && s->layer[i].keep_channels < 1)
            return 1;
    return 0;
}

/* The first network that is replaced is the trained one: the teacher, and the size that
 * ratios are quoted against. */
static void replace(dscq_project *p, dscq_model *m)
{
    if (p->origin == NULL)
        p->origin = p->model;
    else
        dscq_model_destroy(p->model);
    p->model = m;
}

static dscq_status fold(dscq_project *p, const dscq_log *log, dscq_error *err)
{
    dscq_model *folded = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_fold_norm(&folded, p->model, err));
    replace(p, folded);
    dscq_log_printf(log, DSCQ_LOG_INFO, "batch norm folded into weights and biases");
done:
    return status;
}

/* channels.csv and small.cfg: what was removed, and the network that is left. */
static dscq_status write_small(const dscq_model *before, const dscq_model *small,
                               const char *dir, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_table *t = NULL;
    dscq_str csv = {0}, cfg = {0};
    dscq_status status;

    DSCQ_TRY(dscq_channels_table(&t, before, small, err));
    DSCQ_TRY(dscq_write_csv(&csv, t, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "channels.csv", err));
    DSCQ_TRY(dscq_file_write(path, csv.text, csv.len, err));
    DSCQ_TRY(dscq_export_net_cfg(&cfg, small, DSCQ_CFG_OURS, err));
    if (cfg.bad)
        DSCQ_TRY(dscq_fail_nomem(err, "a cfg", cfg.len));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "small.cfg", err));
    DSCQ_TRY(dscq_file_write(path, cfg.text, cfg.len, err));
done:
    dscq_str_free(&csv);
    dscq_str_free(&cfg);
    dscq_table_destroy(t);
    return status;
}

static dscq_status remove_channels(dscq_project *p, const dscq_run_options *o,
                                   dscq_error *err)
{
    const int32_t multiple = p->settings->all.channel_multiple;
    const dscq_model *m = p->model;
    dscq_channel_plan *plan = NULL;
    dscq_model *small = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_channels_plan(&plan, m, err));
    DSCQ_TRY(dscq_channels_choose(plan, m, p->settings, multiple, err));
    DSCQ_TRY(dscq_channels_apply(&small, m, plan, err));
    if (dscq_model_param_count(small) == dscq_model_param_count(m)) {
        status =
            dscq_fail(err, DSCQ_FORMAT,
                      "%s: keep_channels removes nothing: what it matches is fixed "
                      "by an input, an output or a layer that mixes channels, or "
                      "tied to a layer that keeps all (docs/methods.md section 8)",
                      p->path);
        goto done;
    }
    dscq_log_printf(
        o->log, DSCQ_LOG_INFO,
        "channels removed: %llu of %llu parameters, %llu of %llu multiply-accumulates "
        "are left",
        (unsigned long long)dscq_model_param_count(small),
        (unsigned long long)dscq_model_param_count(m),
        (unsigned long long)dscq_model_macs(small),
        (unsigned long long)dscq_model_macs(m));
    if (o->out_dir[0] != '\0')
        DSCQ_TRY(write_small(m, small, o->out_dir, err));
    replace(p, small);
    small = NULL;
done:
    dscq_model_destroy(small);
    dscq_channels_plan_destroy(plan);
    return status;
}

/* Which channels go follows from the float weights alone, so a resumed run has the
 * same small network and only needs its weights. */
static dscq_status train_small(dscq_project *p, const dscq_run_options *o,
                               dscq_error *err)
{
    const dscq_compress_params *c = &p->settings->all;
    const int32_t epochs = c->channel_epochs < 0 ? c->epochs : c->channel_epochs;
    dscq_train_params params = *dscq_project_train(p);
    char path[DSCQ_PATH_MAX] = "";
    dscq_status status = DSCQ_OK;

    if (o->out_dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "small.ckpt", err));
    if (o->resume && path[0] != '\0' && dscq_path_exists(path)) {
        dscq_log_printf(o->log, DSCQ_LOG_INFO, "%s: small network taken over", path);
        return dscq_model_load(p->model, path, DSCQ_MATCH_EXACT, NULL, err);
    }
    if (epochs > 0) {
        params.epochs = epochs;
        params.learning_rate = c->learning_rate;
        params.patience = 0;
        params.keep_best = 1;
        DSCQ_TRY(flow__train_small(p, &params, o, err));
    }
    if (path[0] != '\0')
        DSCQ_TRY(dscq_model_save(p->model, path, err));
done:
    return status;
}

dscq_status flow__reshape(dscq_project *p, const dscq_run_options *o, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (p->settings->all.fold_norm)
        DSCQ_TRY(fold(p, o->log, err));
    if (flow__removes_channels(p->settings)) {
        DSCQ_TRY(remove_channels(p, o, err));
        DSCQ_TRY(train_small(p, o, err));
    }
done:
    return status;
}

void flow__reshape_undo(dscq_project *p)
{
    if (p->origin == NULL)
        return;
    dscq_model_destroy(p->model);
    p->model = p->origin;
    p->origin = NULL;
}
