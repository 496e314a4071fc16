#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/data/batch.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum {
    PIECE = 16, /* samples a worker takes at a time: fixed, whoever takes them */
    SMALL_BYTES = 16 << 20
};

typedef struct loader_slot {
    float *x;
    int32_t *label, *box_count;
    uint32_t *index;
    dscq_box *box;
    size_t pieces_done;
    size_t bad_piece; /* first that failed; SIZE_MAX = none */
    dscq_error error;
} loader_slot;

typedef struct loader_worker {
    struct dscq_loader *loader;
    pthread_t thread;
    uint8_t *scratch;
} loader_worker;

struct dscq_loader {
    dscq_dataset *d;
    dscq_split split;
    int32_t batch;
    unsigned flags;
    uint64_t seed;
    size_t items, batches, pieces; /* pieces of a batch */
    size_t floats, max_boxes;      /* of one sample */

    loader_slot *slot; /* batch b is made in slot b % depth */
    size_t depth;
    loader_worker *worker; /* [0] serves calls without threads too */
    int32_t threads, started;

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    /* under the lock */
    uint32_t *order;
    uint32_t epoch;
    dscq_rng stream;   /* of this epoch's augmentation */
    size_t next_piece; /* to be taken, over all batches of the epoch */
    size_t head;       /* batch that _next() hands out next */
    size_t released;   /* batches before this one are no longer borrowed */
    int32_t running;   /* workers inside a piece */
    int quit;
    uint64_t calls, waits;
};

static size_t samples_in(const dscq_loader *l, size_t batch)
{
    const size_t left = l->items - batch * (size_t)l->batch;

    return left < (size_t)l->batch ? left : (size_t)l->batch;
}

/* Samples [piece * PIECE, ...) of a batch. Touches only their places in the slot. */
static dscq_status fill_piece(dscq_loader *l, loader_slot *slot, size_t batch,
                              size_t piece, uint8_t *scratch, dscq_error *err)
{
    const size_t n = samples_in(l, batch);
    const size_t end = (piece + 1) * PIECE < n ? (piece + 1) * PIECE : n;

    for (size_t j = piece * PIECE; j < end; j++) {
        const uint32_t item = l->order[batch * (size_t)l->batch + j];
        const dscq_rng rng = dscq_rng_fork(&l->stream, "item", item);
        data_sample s = {.x = slot->x + j * l->floats,
                         .box =
                             slot->box != NULL ? slot->box + j * l->max_boxes : NULL};
        const dscq_status status = data__make_sample(
            &s, l->d, l->split, item, l->flags & DSCQ_LOADER_AUGMENT ? &rng : NULL,
            scratch, err);

        if (status != DSCQ_OK)
            return status;
        slot->index[j] = item;
        slot->label[j] = s.label;
        if (slot->box != NULL)
            slot->box_count[j] = s.box_count;
    }
    return DSCQ_OK;
}

static int has_work(const dscq_loader *l)
{
    const size_t batch = l->next_piece / l->pieces;

    return batch < l->batches && batch < l->released + l->depth;
}

/* With the lock held: take the next piece, make it with the lock open. */
static void do_piece(dscq_loader *l, uint8_t *scratch)
{
    const size_t batch = l->next_piece / l->pieces, piece = l->next_piece % l->pieces;
    loader_slot *slot = &l->slot[batch % l->depth];
    dscq_error error;

    l->next_piece++;
    l->running++;
    if (piece == 0) {
        slot->pieces_done = 0;
        slot->bad_piece = SIZE_MAX;
    }
    (void)pthread_mutex_unlock(&l->lock);
    const dscq_status status = fill_piece(l, slot, batch, piece, scratch, &error);
    (void)pthread_mutex_lock(&l->lock);
    if (status != DSCQ_OK && piece < slot->bad_piece) {
        slot->bad_piece = piece; /* the first in order, whoever met it */
        slot->error = error;
    }
    slot->pieces_done++;
    l->running--;
    if (slot->pieces_done == l->pieces || l->running == 0)
        (void)pthread_cond_broadcast(&l->done);
}

static void *work(void *arg)
{
    loader_worker *w = arg;
    dscq_loader *l = w->loader;

    (void)pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        if (has_work(l))
            do_piece(l, w->scratch);
        else
            (void)pthread_cond_wait(&l->work, &l->lock);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

static dscq_status make_slots(dscq_loader *l, dscq_error *err)
{
    const size_t n = (size_t)l->batch;

    l->slot = dscq_calloc(l->depth, sizeof *l->slot);
    if (l->slot == NULL)
        return dscq_fail_nomem(err, "batches", l->depth * sizeof *l->slot);
    for (size_t i = 0; i < l->depth; i++) {
        loader_slot *s = &l->slot[i];

        s->x = dscq_malloc(n, l->floats * sizeof *s->x);
        s->label = dscq_calloc(n, sizeof *s->label);
        s->index = dscq_calloc(n, sizeof *s->index);
        if (l->max_boxes > 0) {
            s->box = dscq_calloc(n, l->max_boxes * sizeof *s->box);
            s->box_count = dscq_calloc(n, sizeof *s->box_count);
        }
        if (s->x == NULL || s->label == NULL || s->index == NULL ||
            (l->max_boxes > 0 && (s->box == NULL || s->box_count == NULL)))
            return dscq_fail_nomem(err, "batches", dscq_loader_bytes(l));
    }
    return DSCQ_OK;
}

static dscq_status start_workers(dscq_loader *l, dscq_error *err)
{
    const size_t n = l->threads > 0 ? (size_t)l->threads : 1;

    l->worker = dscq_calloc(n, sizeof *l->worker);
    if (l->worker == NULL)
        return dscq_fail_nomem(err, "loader threads", n * sizeof *l->worker);
    for (size_t i = 0; i < n; i++) {
        l->worker[i].loader = l;
        l->worker[i].scratch = dscq_malloc(data__sample_scratch(l->d), 1);
        if (l->worker[i].scratch == NULL)
            return dscq_fail_nomem(err, "loader scratch", data__sample_scratch(l->d));
    }
    for (; l->started < l->threads; l->started++)
        if (pthread_create(&l->worker[l->started].thread, NULL, work,
                           &l->worker[l->started]) != 0)
            return dscq_fail_thread(err, "loader thread", (int)l->started + 1,
                                    (int)l->threads);
    return DSCQ_OK;
}

static dscq_status check_args(size_t items, int32_t batch, unsigned flags,
                              dscq_split split, dscq_error *err)
{
    if (batch < 1)
        return dscq_fail(err, DSCQ_ARG, "batch = %d: want at least 1", (int)batch);
    if (items == 0)
        return dscq_fail(err, DSCQ_ARG, "the %s part is empty%s",
                         dscq_split_name(split),
                         split == DSCQ_SPLIT_VALID ? "; raise data.valid_frac" : "");
    if ((flags & DSCQ_LOADER_DROP_LAST) && items < (size_t)batch)
        return dscq_fail(err, DSCQ_ARG,
                         "the %s part has %zu pictures, less than one batch of %d",
                         dscq_split_name(split), items, (int)batch);
    return DSCQ_OK;
}

dscq_status dscq_loader_create(dscq_loader **out, dscq_dataset *d, dscq_split split,
                               int32_t batch, unsigned flags, uint64_t seed,
                               int32_t threads, dscq_error *err)
{
    const size_t items = dscq_dataset_count(d, split);
    dscq_status status = check_args(items, batch, flags, split, err);
    dscq_loader *l;

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    l = dscq_calloc(1, sizeof *l);
    if (l == NULL)
        return dscq_fail_nomem(err, "a loader", sizeof *l);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->work, NULL);
    (void)pthread_cond_init(&l->done, NULL);
    l->d = d;
    l->split = split;
    l->batch = batch;
    l->flags = flags;
    l->seed = seed;
    l->threads = threads > 0 ? threads : 0;
    l->items = items;
    l->batches = (items + (size_t)(flags & DSCQ_LOADER_DROP_LAST ? 0 : batch - 1)) /
                 (size_t)batch;
    l->pieces = ((size_t)batch + PIECE - 1) / PIECE;
    l->floats = dscq_preproc_floats(dscq_dataset_preproc(d));
    l->max_boxes =
        dscq_dataset_has_boxes(d) ? (size_t)dscq_dataset_params(d)->max_boxes : 0;
    l->depth = l->threads > 0 ? 2 : 1;
    if (l->threads > 0 && l->floats * (size_t)batch * sizeof(float) <= SMALL_BYTES)
        l->depth = 4;
    l->head = l->released = l->batches; /* nothing to do before _start() */
    l->next_piece = l->batches * l->pieces;
    l->order = dscq_malloc(items, sizeof *l->order);
    if (l->order == NULL) {
        status = dscq_fail_nomem(err, "the order of samples", items * sizeof *l->order);
        goto done;
    }
    DSCQ_TRY(make_slots(l, err));
    DSCQ_TRY(start_workers(l, err));
    *out = l;
    return DSCQ_OK;
done:
    dscq_loader_destroy(l);
    return status;
}

void dscq_loader_destroy(dscq_loader *l)
{
    if (l == NULL)
        return;
    (void)pthread_mutex_lock(&l->lock);
    l->quit = 1;
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->started; i++)
        (void)pthread_join(l->worker[i].thread, NULL);
    for (int32_t i = 0; l->worker != NULL && i < (l->threads > 0 ? l->threads : 1); i++)
        dscq_free(l->worker[i].scratch);
    for (size_t i = 0; l->slot != NULL && i < l->depth; i++) {
        dscq_free(l->slot[i].x);
        dscq_free(l->slot[i].label);
        dscq_free(l->slot[i].index);
        dscq_free(l->slot[i].box);
        dscq_free(l->slot[i].box_count);
    }
    (void)pthread_cond_destroy(&l->done);
    (void)pthread_cond_destroy(&l->work);
    (void)pthread_mutex_destroy(&l->lock);
    dscq_free(l->worker);
    dscq_free(l->slot);
    dscq_free(l->order);
    dscq_free(l);
}

size_t dscq_loader_batches(const dscq_loader *l)
{
    return l->batches;
}

size_t dscq_loader_bytes(const dscq_loader *l)
{
    const size_t sample = l->floats * sizeof(float) + 3 * sizeof(int32_t) +
                          l->max_boxes * sizeof(dscq_box);

    return l->depth * (size_t)l->batch * sample + l->items * sizeof *l->order;
}

void dscq_loader_start(dscq_loader *l, uint32_t epoch, size_t first)
{
    const dscq_rng root = dscq_rng_seeded(l->seed);
    dscq_rng order = dscq_rng_fork(&root, "order", epoch);

    (void)pthread_mutex_lock(&l->lock);
    l->next_piece = l->batches * l->pieces; /* nobody takes more */
    while (l->running > 0)
        (void)pthread_cond_wait(&l->done, &l->lock);
    l->epoch = epoch;
    l->stream = dscq_rng_fork(&root, "augment", epoch);
    for (size_t i = 0; i < l->items; i++)
        l->order[i] = (uint32_t)i;
    if (l->flags & DSCQ_LOADER_SHUFFLE)
        dscq_rng_shuffle(&order, l->order, (uint32_t)l->items);
    l->head = l->released = first < l->batches ? first : l->batches;
    l->next_piece = l->head * l->pieces;
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
}

/* With the lock held: until the batch at the head is complete. */
static loader_slot *await_head(dscq_loader *l)
{
    loader_slot *slot = &l->slot[l->head % l->depth];
    int waited = 0;

    for (;;) {
        const int begun = l->next_piece > l->head * l->pieces;

        if (begun && slot->pieces_done == l->pieces)
            break;
        if (l->threads == 0) {
            do_piece(l, l->worker[0].scratch);
            continue;
        }
        waited = 1;
        (void)pthread_cond_wait(&l->done, &l->lock);
    }
    l->calls++;
    l->waits += (uint64_t)waited;
    return slot;
}

dscq_status dscq_loader_next(dscq_batch *out, dscq_loader *l, dscq_error *err)
{
    const dscq_preproc *p = dscq_dataset_preproc(l->d);
    dscq_status status = DSCQ_OK;

    *out = (dscq_batch){.height = p->height,
                        .width = p->width,
                        .channels = p->channels,
                        .max_boxes = (int32_t)l->max_boxes};
    (void)pthread_mutex_lock(&l->lock);
    l->released = l->head;
    (void)pthread_cond_broadcast(&l->work);
    out->epoch = l->epoch;
    out->number = l->head;
    if (l->head < l->batches) {
        const loader_slot *slot = await_head(l);

        if (slot->bad_piece != SIZE_MAX) {
            status = slot->error.code;
            if (err != NULL)
                *err = slot->error;
            l->head = l->released = l->batches;
            l->next_piece = l->batches * l->pieces;
        } else {
            out->n = (int32_t)samples_in(l, l->head);
            out->x = slot->x;
            out->label = slot->label;
            out->index = slot->index;
            out->box = slot->box;
            out->box_count = slot->box_count;
            l->head++;
        }
    }
    (void)pthread_mutex_unlock(&l->lock);
    return status;
}

double dscq_loader_wait_frac(const dscq_loader *l)
{
    return l->calls > 0 ? (double)l->waits / (double)l->calls : 0.0;
}
