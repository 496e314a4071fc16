/*
 * data/batch.h - batches for training and evaluation, made by other threads.
 *
 * A loader walks a split in an order given by (seed, epoch), augments every sample
 * with a stream given by (seed, epoch, item) and fills batches ahead of the
 * consumer, so the bytes do not depend on the number of threads nor on timing, and
 * a run can resume at any (epoch, batch).
 */
#ifndef DSCQ_DATA_BATCH_H
#define DSCQ_DATA_BATCH_H

#include "dscq/base/status.h"
#include "dscq/data/dataset.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_batch {
    int32_t n, height, width, channels;
    const float *x;           /* [n][height][width][channels], normalised           */
    const int32_t *label;     /* [n]; -1 without labels                             */
    const uint32_t *index;    /* [n] item within the split                          */
    const dscq_box *box;      /* [n][max_boxes], fractions of the input; or NULL    */
    const int32_t *box_count; /* [n]; NULL without boxes                          */
    int32_t max_boxes;
    uint32_t epoch;
    size_t number; /* of this batch in its epoch, from 0 */
} dscq_batch;

enum {
    DSCQ_LOADER_SHUFFLE = 1,
    DSCQ_LOADER_AUGMENT = 2,
    DSCQ_LOADER_DROP_LAST = 4 /* leave out a last batch that is not full */
};

typedef struct dscq_loader dscq_loader;

/* batch >= 1. threads: workers of the loader, 0 = none, work is done inside
 * _next(). The data set outlives the loader. DSCQ_ARG when the split is empty, or
 * smaller than a batch with DSCQ_LOADER_DROP_LAST. */
dscq_status dscq_loader_create(dscq_loader **out, dscq_dataset *d, dscq_split split,
                               int32_t batch, unsigned flags, uint64_t seed,
                               int32_t threads, dscq_error *err);
void dscq_loader_destroy(dscq_loader *l); /* NULL is fine; stops the threads */

size_t dscq_loader_batches(const dscq_loader *l); /* per epoch */
size_t dscq_loader_bytes(const dscq_loader *l);   /* memory of its buffers */

/* Go to batch `first` of an epoch; what was prepared for another is dropped. */
void dscq_loader_start(dscq_loader *l, uint32_t epoch, size_t first);

/* The next batch, waiting for it when it is not ready. Borrowed: valid until the
 * next call on l. After the last one out->n is 0. A file that cannot be read ends
 * the epoch with its status and name. */
dscq_status dscq_loader_next(dscq_batch *out, dscq_loader *l, dscq_error *err);

/* Share of _next() calls that had to wait, for "is training starved?". */
double dscq_loader_wait_frac(const dscq_loader *l);

/* Evaluation and calibration: the given items, no augmentation, here and now.
 * x holds n * dscq_preproc_floats(); label may be NULL. */
dscq_status dscq_batch_fill(float *x, int32_t *label, dscq_dataset *d, dscq_split s,
                            const uint32_t *index, size_t n, dscq_error *err);

/* A box of the stored picture as fractions of the network's input (not cut off). */
dscq_box dscq_box_place(const dscq_box *b, const dscq_placement *where,
                        const dscq_preproc *p);
/* And back: fractions of the input to fractions of the stored picture. */
dscq_box dscq_box_unplace(const dscq_box *b, const dscq_placement *where,
                          const dscq_preproc *p);

#ifdef __cplusplus
}
#endif
#endif
