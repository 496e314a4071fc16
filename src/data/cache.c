/* Pictures at the network's size. A slot is filled once, by whoever needs it first,
 * and never changes or moves, so readers take no lock. When the budget is used up
 * nothing is thrown out: a random walk over an epoch would find the oldest picture
 * no less useful than the newest. */
#include "data_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

typedef struct cache_slot {
    dscq_placement where;
    uint8_t px[];
} cache_slot;

void data__cache_drop(dscq_dataset *d)
{
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; d->part[k].slot != NULL && i < d->part[k].count; i++)
            dscq_free(atomic_exchange(&d->part[k].slot[i], NULL));
    atomic_store(&d->cached_bytes, 0);
}

/* Memory-held pixels that are already what the network wants. */
static int is_direct(const data_part *part, const dscq_preproc *p)
{
    return part->raw != NULL && part->raw_width == p->width &&
           part->raw_height == p->height && part->raw_channels == p->channels &&
           (p->resize != DSCQ_RESIZE_CROP || p->crop_frac >= 1.0f);
}

static void keep(dscq_dataset *d, data_part *part, size_t item, const dscq_image *im,
                 const dscq_placement *where)
{
    const size_t bytes = dscq_preproc_floats(&d->preproc);
    const size_t most = (size_t)d->params.cache_mb << 20;
    void *none = NULL;
    cache_slot *slot = NULL;

    if (atomic_fetch_add(&d->cached_bytes, bytes) + bytes <= most)
        slot = dscq_malloc(1, sizeof *slot + bytes);
    if (slot == NULL) { /* full, or no memory: doing without is fine */
        atomic_fetch_sub(&d->cached_bytes, bytes);
        return;
    }
    slot->where = *where;
    memcpy(slot->px, im->px, bytes);
    if (!atomic_compare_exchange_strong(&part->slot[item], &none, slot)) {
        atomic_fetch_sub(&d->cached_bytes, bytes);
        dscq_free(slot); /* another thread made the same bytes */
    }
}

dscq_status data__pixels(const uint8_t **px, dscq_placement *where, dscq_image *own,
                         dscq_dataset *d, int which, size_t item, dscq_error *err)
{
    data_part *part = &d->part[which];
    const dscq_preproc *p = &d->preproc;
    dscq_placement at;
    dscq_image im;

    if (is_direct(part, p)) {
        *px = part->raw + item * dscq_preproc_floats(p);
        if (where != NULL)
            *where = (dscq_placement){1, 1,        0,         0,        0,
                                      0, p->width, p->height, p->width, p->height};
        return DSCQ_OK;
    }
    const cache_slot *slot = atomic_load(&part->slot[item]);

    if (slot != NULL) {
        *px = slot->px;
        if (where != NULL)
            *where = slot->where;
        return DSCQ_OK;
    }
    dscq_status status = part->reader->fetch(&im, part, item, err);
    if (status != DSCQ_OK)
        return status;
    status = dscq_preproc_geometry(own, &at, p, &im, err);
    dscq_image_clear(&im);
    if (status != DSCQ_OK)
        return status;
    keep(d, part, item, own, &at);
    *px = own->px;
    if (where != NULL)
        *where = at;
    return DSCQ_OK;
}
