/* The float network that a student learns from. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "flow_internal.h"

#include <string.h>

static dscq_status same_outputs(const dscq_model *a, const dscq_model *b,
                                const char *path, dscq_error *err)
{
    const dscq_shape in = dscq_model_input(a), theirs = dscq_model_input(b);

    if (!dscq_shape_same_map(&in, &theirs) || in.c != theirs.c)
        return dscq_fail(err, DSCQ_FORMAT,
                         "teacher %s takes %d x %d x %d, the network %d x %d x %d",
                         path, (int)theirs.w, (int)theirs.h, (int)theirs.c, (int)in.w,
                         (int)in.h, (int)in.c);
    if (dscq_model_outputs(a) != dscq_model_outputs(b))
        return dscq_fail(err, DSCQ_FORMAT, "teacher %s has %d outputs, the network %d",
                         path, (int)dscq_model_outputs(b), (int)dscq_model_outputs(a));
    for (int32_t i = 0; i < dscq_model_outputs(a); i++) {
        const dscq_shape x = dscq_model_node(a, dscq_model_output(a, i))->out;
        const dscq_shape y = dscq_model_node(b, dscq_model_output(b, i))->out;
        if (x.h != y.h || x.w != y.w || x.c != y.c)
            return dscq_fail(err, DSCQ_FORMAT,
                             "output %d of teacher %s is %d x %d x %d, of the network "
                             "%d x %d x %d",
                             (int)i, path, (int)y.w, (int)y.h, (int)y.c, (int)x.w,
                             (int)x.h, (int)x.c);
    }
    return DSCQ_OK;
}

/* Another network by its cfg, or this one once more; then its weights. */
static dscq_status load(flow_teacher *t, dscq_project *p, const dscq_log *log,
                        dscq_error *err)
{
    const dscq_train_params *tp = dscq_project_train(p);
    const dscq_project_options same = flow__same_sections(p);
    char net[DSCQ_PATH_MAX], weights[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(dscq_path_locate(weights, sizeof weights, p->dir, tp->teacher, err));
    if (tp->teacher_net[0] == '\0') {
        DSCQ_TRY(dscq_model_clone(&t->own, flow__trained(p), err));
        t->model = t->own;
        status = dscq_model_load(t->own, weights, DSCQ_MATCH_EXACT, NULL, err);
        goto done;
    }
    DSCQ_TRY(dscq_path_locate(net, sizeof net, p->dir, tp->teacher_net, err));
    DSCQ_TRY(dscq_project_open(&t->project, net, &same, err));
    t->model = dscq_project_model(t->project);
    DSCQ_TRY(same_outputs(dscq_project_model(p), t->model, net, err));
    DSCQ_TRY(dscq_project_load_weights(t->project, weights, log, err));
done:
    return status;
}

dscq_status flow__teacher_init(flow_teacher *t, dscq_project *p, int32_t batch,
                               dscq_pool *pool, const dscq_kernels *kernels,
                               int self_taught, const dscq_log *log, dscq_error *err)
{
    const dscq_train_params *tp = dscq_project_train(p);
    dscq_status status = DSCQ_OK;

    memset(t, 0, sizeof *t);
    if (tp->distil_weight <= 0 || (tp->teacher[0] == '\0' && !self_taught))
        return DSCQ_OK;
    if (tp->teacher[0] != '\0') {
        DSCQ_TRY(load(t, p, log, err));
    } else {
        DSCQ_TRY(dscq_model_clone(&t->own, flow__trained(p), err));
        t->model = t->own;
    }
    t->outputs = dscq_model_outputs(t->model);
    t->map = dscq_calloc((size_t)t->outputs, sizeof *t->map);
    if (t->map == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a teacher", sizeof *t->map));
    const dscq_exec_options eo = {
        .batch = batch, .raw_outputs = 1, .pool = pool, .kernels = kernels};
    DSCQ_TRY(dscq_exec_create(&t->exec, t->model, &eo, err));
done:
    if (status != DSCQ_OK)
        flow__teacher_clear(t);
    return status;
}

void flow__teacher_clear(flow_teacher *t)
{
    dscq_exec_destroy(t->exec);
    dscq_model_destroy(t->own);
    dscq_project_destroy(t->project);
    dscq_free(t->map);
    memset(t, 0, sizeof *t);
}

void flow__teach(flow_teacher *t, dscq_train_batch *b)
{
    if (t->exec == NULL || b->n == 0)
        return;
    dscq_exec_forward(t->exec, DSCQ_PASS_EVAL, b->x, b->n, NULL);
    for (int32_t i = 0; i < t->outputs; i++)
        t->map[i] = dscq_exec_output(t->exec, i, NULL);
    if (b->truth != NULL)
        b->teacher_map = t->map;
    else
        b->teacher = t->map[0];
}
