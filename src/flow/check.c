#include "dscq/flow/check.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/compress/method.h"
#include "dscq/nn/checkpoint.h"
#include "flow_internal.h"

#include <string.h>

/* A check under way: rows, and how many of them are errors. */
typedef struct checking {
    dscq_table *t;
    const char *path;
    const char *kind; /* of what the listener hears */
    size_t errors;
    dscq_data_seen *seen;
    const dscq_log *log;
} checking;

static void add(checking *c, const char *severity, const char *kind, const char *file,
                const char *text)
{
    dscq_problems_add(c->t, severity, kind, file, text);
    c->errors += strcmp(severity, "error") == 0;
}

static void hear(void *ctx, const dscq_error *why)
{
    checking *c = ctx;

    add(c, "error", c->kind, c->path, why->msg);
}

/* A failure becomes a row, unless it is none of the file's. */
static dscq_status note(checking *c, const char *kind, const char *file,
                        dscq_status status, const dscq_error *why, dscq_error *err)
{
    if (status == DSCQ_NOMEM || status == DSCQ_INTERRUPTED || status == DSCQ_INTERNAL)
        return dscq_fail(err, status, "%s", why->msg);
    if (status != DSCQ_OK)
        add(c, "error", kind, file, why->msg);
    return DSCQ_OK;
}

static dscq_status check_data(checking *c, const dscq_project *p,
                              const dscq_data_params *params, dscq_data_seen *seen,
                              dscq_error *err)
{
    dscq_error why = {DSCQ_OK, ""};
    size_t errors = 0;
    const dscq_status status =
        dscq_dataset_check(c->t, &errors, seen, params, p->dir, c->log, &why);

    c->errors += errors;
    return note(c, "data", p->path, status, &why, err);
}

/* Files that [train] and [compress] name, and patterns of layers. */
static dscq_status check_settings(checking *c, dscq_project *p, dscq_error *err)
{
    const dscq_train_params *t = &p->train;
    const struct {
        const char *key, *file;
    } named[] = {
        {"train.teacher", t->teacher},
        {"train.teacher_net", t->teacher_net},
        {"compress.ranges", p->settings != NULL ? p->settings->all.ranges : ""},
    };
    char path[DSCQ_PATH_MAX];
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        uint8_t first;
        size_t bytes;

        if (named[i].file[0] == '\0')
            continue;
        DSCQ_TRY(dscq_path_locate(path, sizeof path, p->dir, named[i].file, err));
        status = dscq_file_head(&first, &bytes, 1, path, &why);
        if (status != DSCQ_OK)
            (void)dscq_fail_at(&why, "%s", named[i].key);
        DSCQ_TRY(note(c, "settings", p->path, status, &why, err));
    }
    if (p->model == NULL)
        goto done;
    status =
        dscq_model_check_patterns(p->model, "reinit_layers", t->reinit_layers, &why);
    DSCQ_TRY(note(c, "settings", p->path, status, &why, err));
    dscq_train_plan plan;
    status =
        dscq_trainer_dry_run(&plan, p->model, t, NULL, dscq_kernels_get(NULL), &why);
    if (status == DSCQ_OK &&
        dscq_exec_has_room(p->model, t->batch, plan.total_bytes, &why) != DSCQ_OK)
        add(c, "warning", "memory", p->path,
            why.msg); /* of this machine, not the file */
    else
        status = note(c, "settings", p->path, status, &why, err);
done:
    return status;
}

/* Does a stage of compression decide by the score of the validation part? */
static int is_scored(const dscq_settings *s)
{
    const dscq_method *stage[DSCQ_STAGES];
    int32_t stages = 0;
    int scored = 0;

    if (s == NULL || s->all.epochs == 0 ||
        dscq_method_stages(stage, &stages, s->all.method, NULL) != DSCQ_OK)
        return 0;
    for (int32_t i = 0; i < stages; i++)
        scored |= (stage[i]->flags & DSCQ_METHOD_SCORED) != 0;
    return scored;
}

/* What needs more than pictures: classes or boxes, a part to validate on. */
static void check_use(checking *c, const dscq_project *p)
{
    const dscq_data_seen *s = c->seen;
    const int is_detector = dscq_project_is_detector(p);
    const int has_truth = is_detector ? s->has_boxes : s->classes > 0 && !s->has_boxes;

    if (!has_truth && s->pictures > 0)
        add(c, "warning", "no_truth", p->path,
            is_detector
                ? "training and scoring a detector need boxes, which these data "
                  "do not have; compress with [compress] epochs = 0 does without"
                : "training and scoring need classes, which these data do not "
                  "have for this network; compress with [compress] epochs = 0 "
                  "does without");
    if (has_truth && s->valid == 0 && s->train > 0 && is_scored(p->settings))
        add(c, "error", "no_validation", p->path,
            "[compress] method decides by the validation score, but no picture is left "
            "for validation; raise data.valid_frac");
}

static void note_over(void *ctx, const char *text)
{
    checking *c = ctx;

    add(c, "note", "read_over", c->path, text);
}

static dscq_status check_parts(checking *c, dscq_project *p, dscq_error *err)
{
    dscq_error why = {DSCQ_OK, ""};
    dscq_data_seen unused;
    char unsaid[256];
    dscq_status status;

    flow__over_each(p->cfg, note_over, c);
    DSCQ_TRY(check_settings(c, p, err));
    if (!p->has_data)
        add(c, "warning", "no_data", c->path, "no [data] section: nothing to train on");
    if (!p->has_data || !p->is_data_sure)
        goto done;
    if (dscq_project_unsaid(unsaid, sizeof unsaid, p))
        add(c, "warning", "preprocessing", c->path, unsaid);
    DSCQ_TRY(check_data(c, p, &p->data, c->seen, err));
    if (p->data.calibrate[0] != '\0') {
        const dscq_data_params own = flow__calibration_params(&p->data);
        DSCQ_TRY(check_data(c, p, &own, &unused, err));
    }
    if (p->model == NULL)
        goto done;
    status = dscq_project_fits(p, c->seen->classes, &why);
    DSCQ_TRY(note(c, "fit", p->path, status, &why, err));
    check_use(c, p);
done:
    return status;
}

dscq_status dscq_flow_check(dscq_table *to, size_t *errors, dscq_data_seen *seen,
                            const char *path, const char *weights,
                            const dscq_project_options *o, const dscq_log *log,
                            dscq_error *err)
{
    checking c = {.t = to, .path = path, .kind = "network", .seen = seen, .log = log};
    const dscq_config_listener listener = {hear, &c};
    dscq_project_options own = o != NULL ? *o : (dscq_project_options){0};
    dscq_project *p = NULL;
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    *errors = 0;
    *seen = (dscq_data_seen){0};
    own.listener = &listener;
    own.use = weights != NULL ? DSCQ_PROJECT_RUN : DSCQ_PROJECT_PLAN;
    own.log = log;
    status = dscq_project_open(&p, path, &own, &why);
    DSCQ_TRY(note(&c, "network", path, status, &why, err));
    if (p != NULL && weights == NULL)
        DSCQ_TRY(check_parts(&c, p, err));
    if (p != NULL && p->model != NULL && weights != NULL) {
        status = dscq_project_load_weights(p, weights, log, &why);
        DSCQ_TRY(note(&c, "weights", weights, status, &why, err));
    }
    *errors = c.errors;
done:
    dscq_project_destroy(p);
    return status;
}
