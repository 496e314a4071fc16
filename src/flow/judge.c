#include "dscq/base/alloc.h"
#include "flow_internal.h"

#include <string.h>

uint32_t *flow__spread(size_t count, size_t there)
{
    uint32_t *index = dscq_malloc(count, sizeof *index);

    for (size_t i = 0; index != NULL && i < count; i++)
        index[i] = (uint32_t)(i * there / count);
    return index;
}

dscq_status dscq_flow_pick_init(dscq_flow_pick *pick, dscq_project *p, dscq_split split,
                                size_t want, const dscq_log *log, dscq_error *err)
{
    dscq_status status;

    memset(pick, 0, sizeof *pick);
    DSCQ_TRY(dscq_project_dataset(&pick->dataset, p, log, err));
    pick->split = split;
    const size_t there = dscq_dataset_count(pick->dataset, split);
    pick->count = want == 0 || want > there ? there : want;
    if (there == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: the %s part of the data is empty; raise [data] "
                         "valid_frac or give more pictures",
                         dscq_project_path(p), dscq_split_name(split));
    pick->index = flow__spread(pick->count, there);
    if (pick->index == NULL)
        return dscq_fail_nomem(err, "a choice of images",
                               pick->count * sizeof *pick->index);
done:
    return status;
}

void dscq_flow_pick_clear(dscq_flow_pick *pick)
{
    dscq_free(pick->index);
    dscq_free(pick->answer);
    memset(pick, 0, sizeof *pick);
}

dscq_status dscq_flow_pick_feed_init(dscq_flow_pick_feed *f, const dscq_flow_pick *pick,
                                     int32_t batch, dscq_error *err)
{
    const size_t floats = dscq_preproc_floats(dscq_dataset_preproc(pick->dataset));

    *f = (dscq_flow_pick_feed){.pick = pick, .batch = batch};
    if (pick->count < (size_t)batch)
        f->batch = (int32_t)pick->count;
    f->x = dscq_malloc((size_t)f->batch * floats, sizeof *f->x);
    f->label = dscq_malloc((size_t)f->batch, sizeof *f->label);
    if (f->x == NULL || f->label == NULL) {
        dscq_flow_pick_feed_clear(f);
        return dscq_fail_nomem(err, "a batch of images",
                               (size_t)batch * floats * sizeof *f->x);
    }
    return DSCQ_OK;
}

void dscq_flow_pick_feed_clear(dscq_flow_pick_feed *f)
{
    dscq_free(f->x);
    dscq_free(f->label);
    memset(f, 0, sizeof *f);
}

dscq_status dscq_flow_pick_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                                 size_t number, dscq_error *err)
{
    dscq_flow_pick_feed *f = ctx;
    const size_t first = number * (size_t)f->batch, all = f->pick->count;
    const size_t left = first < all ? all - first : 0;
    const size_t n = left < (size_t)f->batch ? left : (size_t)f->batch;
    dscq_status status = DSCQ_OK;

    (void)epoch;
    memset(out, 0, sizeof *out);
    if (n > 0)
        status = dscq_batch_fill(f->x, f->label, f->pick->dataset, f->pick->split,
                                 f->pick->index + first, n, err);
    if (status != DSCQ_OK)
        return status;
    out->n = (int32_t)n;
    out->x = f->x;
    out->label = f->label;
    return DSCQ_OK;
}

static int32_t largest(const float *y, int32_t n)
{
    int32_t best = 0;

    for (int32_t i = 1; i < n; i++)
        best = y[i] > y[best] ? i : best;
    return best;
}

/* The class of every image into answer[], or whether it is the right one into right[];
 * one of them is NULL. */
static dscq_status classify(int32_t *answer, uint8_t *right, dscq_exec *e,
                            dscq_flow_pick_feed *f, dscq_error *err)
{
    const int32_t *const truth = f->pick->answer;
    dscq_train_batch b;
    dscq_shape shape;

    dscq_exec_refresh(e);
    for (size_t number = 0, at = 0;; number++) {
        const dscq_status status = dscq_flow_pick_batch(f, &b, 0, number, err);

        if (status != DSCQ_OK || b.n == 0)
            return status;
        dscq_exec_forward(e, DSCQ_PASS_EVAL, b.x, b.n, NULL);
        const float *y = dscq_exec_output(e, 0, &shape);
        const int32_t classes = shape.h * shape.w * shape.c;
        for (int32_t i = 0; i < b.n; i++, at++) {
            const int32_t best = largest(y + (size_t)i * (size_t)classes, classes);
            if (answer != NULL)
                answer[at] = best;
            else
                right[at] = best == (truth != NULL ? truth[at] : b.label[i]);
        }
    }
}

dscq_status dscq_flow_judge(uint8_t *right, dscq_exec *e, dscq_flow_pick_feed *f,
                            dscq_error *err)
{
    return classify(NULL, right, e, f, err);
}

dscq_status dscq_flow_pick_answers(dscq_flow_pick *pick, dscq_project *p, dscq_model *m,
                                   dscq_pool *pool, const dscq_kernels *kernels,
                                   dscq_error *err)
{
    dscq_exec_options eo = {.raw_outputs = 1, .pool = pool, .kernels = kernels};
    dscq_flow_pick_feed f = {0};
    dscq_exec *e = NULL;
    dscq_status status;

    if (flow__has_truth(p, pick->dataset))
        return DSCQ_OK;
    if (flow__classes(p) == 0)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s: the pictures have no labels and the network is no "
                         "classifier, so no answer is right or wrong",
                         dscq_project_path(p));
    DSCQ_TRY(dscq_flow_pick_feed_init(&f, pick, DSCQ_FLOW_JUDGE_BATCH, err));
    eo.batch = f.batch;
    DSCQ_TRY(dscq_exec_create(&e, m, &eo, err));
    int32_t *answer = dscq_malloc(pick->count, sizeof *answer);
    if (answer == NULL) {
        status = dscq_fail_nomem(err, "answers", pick->count * sizeof *answer);
        goto done;
    }
    pick->answer = answer;
    DSCQ_TRY(classify(answer, NULL, e, &f, err));
done:
    dscq_exec_destroy(e);
    dscq_flow_pick_feed_clear(&f);
    return status;
}
