/* Measuring the cells of sense/sense.h with the images of a project. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/compress/post.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

enum { NORM_BATCH = 64 };

/* What a worker of the measurement needs beside its copy of the network. */
typedef struct worker {
    dscq_exec *exec;
    dscq_flow_pick_feed images, norm;
} worker;

typedef struct sense_job {
    const dscq_model *origin;
    const dscq_kernels *kernels;
    dscq_flow_pick judged, trained;
    int has_norm; /* batch norm is measured again */
    worker *worker;
} sense_job;

/* The running statistics of the unchanged network. */
static void restore_norm(dscq_model *m, const dscq_model *origin)
{
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        dscq_weights *w = dscq_model_node(m, i)->weights;
        const dscq_weights *from = dscq_model_node(origin, i)->weights;

        if (w->mean == NULL)
            continue;
        memcpy(w->mean, from->mean, (size_t)w->channels * sizeof *w->mean);
        memcpy(w->var, from->var, (size_t)w->channels * sizeof *w->var);
    }
}

static dscq_status worker_start(worker *w, const sense_job *j, dscq_model *m,
                                dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(
        dscq_flow_pick_feed_init(&w->images, &j->judged, DSCQ_FLOW_JUDGE_BATCH, err));
    if (j->has_norm)
        DSCQ_TRY(dscq_flow_pick_feed_init(&w->norm, &j->trained, NORM_BATCH, err));
    const dscq_exec_options eo = {
        .batch = w->images.batch, .raw_outputs = 1, .kernels = j->kernels};
    DSCQ_TRY(dscq_exec_create(&w->exec, m, &eo, err));
done:
    return status;
}

static dscq_status measure_norm(dscq_model *m, const sense_job *j, worker *w,
                                dscq_error *err)
{
    const dscq_post_data data = {.next = dscq_flow_pick_batch,
                                 .ctx = &w->norm,
                                 .batch = w->norm.batch,
                                 .kernels = j->kernels};

    return dscq_post_norm(m, &data, err);
}

/* A dscq_sense_eval. The unchanged network is measured the same way, so that what the
 * few images of the statistics cost is no drop of a layer. */
static dscq_status evaluate(void *ctx, int number, dscq_model *m, uint8_t *right,
                            size_t images, dscq_error *err)
{
    sense_job *j = ctx;
    worker *w = &j->worker[number];
    dscq_status status;

    (void)images;
    if (w->exec == NULL)
        DSCQ_TRY(worker_start(w, j, m, err));
    if (j->has_norm)
        DSCQ_TRY(measure_norm(m, j, w, err));
    DSCQ_TRY(dscq_flow_judge(right, w->exec, &w->images, err));
done:
    if (j->has_norm)
        restore_norm(m, j->origin);
    return status;
}

static dscq_status check_project(dscq_project *p, dscq_error *err)
{
    if (dscq_project_is_detector(p))
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s is a detector: sensitivity counts right answers of a "
                         "classifier",
                         dscq_project_path(p));
    return DSCQ_OK;
}

static void job_clear(sense_job *j, int workers)
{
    for (int i = 0; j->worker != NULL && i < workers; i++) {
        dscq_exec_destroy(j->worker[i].exec);
        dscq_flow_pick_feed_clear(&j->worker[i].images);
        dscq_flow_pick_feed_clear(&j->worker[i].norm);
    }
    dscq_free(j->worker);
    dscq_flow_pick_clear(&j->judged);
    dscq_flow_pick_clear(&j->trained);
}

dscq_status dscq_flow_sense(dscq_sense **out, dscq_project *p, dscq_pool *pool,
                            const dscq_kernels *kernels, const dscq_run_options *o,
                            dscq_error *err)
{
    const dscq_model *m = dscq_project_model(p);
    const int workers = dscq_pool_threads(pool);
    sense_job j = {.origin = m, .kernels = kernels};
    char journal[DSCQ_PATH_MAX] = "", digest[17], what[200];
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(check_project(p, err));
    j.has_norm = p->sense.norm_images > 0 && dscq_model_has_norm(m);
    DSCQ_TRY(dscq_flow_pick_init(&j.judged, p, DSCQ_SPLIT_VALID,
                                 (size_t)p->sense.images, o->log, err));
    DSCQ_TRY(dscq_flow_pick_answers(&j.judged, p, dscq_project_model(p), pool, kernels,
                                    err));
    if (j.has_norm)
        DSCQ_TRY(dscq_flow_pick_init(&j.trained, p, DSCQ_SPLIT_TRAIN,
                                     (size_t)p->sense.norm_images, o->log, err));
    j.worker = dscq_calloc((size_t)workers, sizeof *j.worker);
    if (j.worker == NULL) {
        status = dscq_fail_nomem(err, "sensitivity", (size_t)workers * sizeof(worker));
        goto done;
    }
    if (o->out_dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(journal, sizeof journal, o->out_dir,
                                DSCQ_FLOW_SENSE_JOURNAL, err));
    dscq_dataset_digest(digest, j.judged.dataset);
    (void)snprintf(what, sizeof what, "%s %zu/%zu %s", digest, j.judged.count,
                   j.trained.count, kernels->name);
    const dscq_sense_run run = {.eval = evaluate,
                                .ctx = &j,
                                .images = j.judged.count,
                                .pool = pool,
                                .journal = journal[0] != '\0' ? journal : NULL,
                                .digest = what,
                                .log = o->log};
    DSCQ_TRY(dscq_sense_measure(out, m, &p->sense, &run, err));
done:
    job_clear(&j, workers);
    return status;
}
