/* Which item of a source is training, validation or (held back) test. */
#include "data_internal.h"
#include "dscq/base/alloc.h"

#include <stdlib.h>
#include <string.h>

typedef struct ranked {
    int64_t rest; /* of the division; the largest rests get one more */
    int32_t cls;
} ranked;

static int by_rest(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return (x->cls > y->cls) - (x->cls < y->cls);
}

/* Share `want` among the classes in proportion to their size (largest remainder;
 * ties to the lower class). quota[c] <= size[c]. */
static dscq_status share(size_t *quota, const size_t *size, size_t classes, size_t want,
                         size_t total, dscq_error *err)
{
    ranked *rank = dscq_malloc(classes, sizeof *rank);
    size_t given = 0;

    if (rank == NULL)
        return dscq_fail_nomem(err, "the split", classes * sizeof *rank);
    for (size_t c = 0; c < classes; c++) {
        const uint64_t exact = (uint64_t)size[c] * want;
        quota[c] = (size_t)(exact / total);
        rank[c] = (ranked){(int64_t)(exact % total), (int32_t)c};
        given += quota[c];
    }
    qsort(rank, classes, sizeof *rank, by_rest);
    for (size_t c = 0; given < want && c < classes; c++, given++)
        quota[rank[c].cls]++;
    dscq_free(rank);
    return DSCQ_OK;
}

/* Stratum of an item: its label, or the class of its first box; 0 without either. */
static size_t stratum(const data_part *part, uint32_t i, size_t classes)
{
    const data_item *item = &part->item[i];
    const int32_t label = item->box_count > 0 && item->label < 0
                              ? part->boxes.box[item->box_first].cls
                              : item->label;

    return label >= 0 && (size_t)label < classes ? (size_t)label : 0;
}

typedef struct pick_job {
    const data_part *part;
    size_t classes;
    int is_tail;
    dscq_rng rng;
} pick_job;

/* Move `want` of index[0..*n) to chosen[], the same share of every class; both keep
 * ascending order. */
static dscq_status pick(uint32_t *chosen, uint32_t *index, size_t *n, size_t want,
                        const pick_job *job, dscq_error *err)
{
    const size_t k = job->classes;
    size_t *size = dscq_calloc(3 * k, sizeof *size);
    uint32_t *sorted = dscq_malloc(*n, sizeof *sorted);
    uint8_t *taken = dscq_calloc(job->part->count, 1);
    dscq_status status = DSCQ_OK;

    if (size == NULL || sorted == NULL || taken == NULL) {
        status = dscq_fail_nomem(err, "the split", *n * sizeof *sorted);
        goto done;
    }
    size_t *const quota = size + k, *const first = size + 2 * k;

    for (size_t i = 0; i < *n; i++)
        size[stratum(job->part, index[i], k)]++;
    DSCQ_TRY(share(quota, size, k, want, *n, err));
    for (size_t c = 1; c < k; c++)
        first[c] = first[c - 1] + size[c - 1];
    for (size_t i = 0; i < *n; i++) {
        const size_t c = stratum(job->part, index[i], k);
        sorted[first[c]++] = index[i]; /* first[c] ends at the end of class c */
    }
    for (size_t c = 0; c < k; c++) {
        uint32_t *own = sorted + first[c] - size[c];
        dscq_rng rng = dscq_rng_fork(&job->rng, "class", c);

        if (!job->is_tail)
            dscq_rng_shuffle(&rng, own, (uint32_t)size[c]);
        for (size_t i = 0; i < quota[c]; i++)
            taken[own[size[c] - 1 - i]] = 1;
    }
    size_t kept = 0, out = 0;
    for (size_t i = 0; i < *n; i++) {
        if (taken[index[i]])
            chosen[out++] = index[i];
        else
            index[kept++] = index[i];
    }
    *n = kept;
done:
    dscq_free(size);
    dscq_free(sorted);
    dscq_free(taken);
    return status;
}

static dscq_status take(uint32_t **out, size_t *out_count, uint32_t *index, size_t *n,
                        size_t want, const pick_job *job, dscq_error *err)
{
    dscq_status status;

    *out_count = 0;
    *out = dscq_malloc(want, sizeof **out);
    if (*out == NULL)
        return dscq_fail_nomem(err, "the split", want * sizeof **out);
    if (want == 0)
        return DSCQ_OK;
    status = pick(*out, index, n, want, job, err);
    if (status == DSCQ_OK)
        *out_count = want;
    return status;
}

static size_t portion(size_t n, double frac)
{
    const size_t k = (size_t)((double)n * frac + 0.5);

    return k < n ? k : n > 0 ? n - 1 : 0;
}

dscq_status data__make_splits(dscq_dataset *d, dscq_error *err)
{
    const dscq_data_params *p = &d->params;
    const data_part *part = &d->part[0];
    const size_t limit = p->limit > 0 ? (size_t)p->limit : SIZE_MAX;
    dscq_rng root = dscq_rng_seeded((uint64_t)p->seed);
    pick_job job = {part, d->names.count > 0 ? (size_t)d->names.count : 1,
                    p->split == 1, dscq_rng_fork(&root, "test", 0)};
    uint32_t *index = dscq_malloc(part->count, sizeof *index);
    uint32_t *dropped = NULL;
    size_t n = part->count, unused = 0;
    dscq_status status;

    if (index == NULL)
        return dscq_fail_nomem(err, "the split", part->count * sizeof *index);
    for (size_t i = 0; i < n; i++)
        index[i] = (uint32_t)i;
    if (p->test[0] == '\0' && d->reader->needs_source)
        DSCQ_TRY(take(&d->held_back, &d->held_back_count, index, &n,
                      portion(n, p->test_frac), &job, err));
    if (n > limit) {
        job.rng = dscq_rng_fork(&root, "limit", 0);
        job.is_tail = 0;
        DSCQ_TRY(take(&dropped, &unused, index, &n, n - limit, &job, err));
        job.is_tail = p->split == 1;
    }
    job.rng = dscq_rng_fork(&root, "valid", 0);
    DSCQ_TRY(take(&d->split[DSCQ_SPLIT_VALID].index, &d->split[DSCQ_SPLIT_VALID].count,
                  index, &n, portion(n, p->valid_frac), &job, err));
    d->split[DSCQ_SPLIT_TRAIN].index = index;
    d->split[DSCQ_SPLIT_TRAIN].count = n;
    index = NULL;
    status = DSCQ_OK;
done:
    dscq_free(index);
    dscq_free(dropped);
    return status;
}
