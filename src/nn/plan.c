#include "dscq/base/alloc.h"
#include "exec_internal.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct placed {
    size_t floats, at;
    int32_t first, last;
    size_t index;
} placed;

/* Larger first; then the order given, so that the plan never depends on qsort. */
static int by_size(const void *a, const void *b)
{
    const placed *x = a, *y = b;

    if (x->floats != y->floats)
        return x->floats > y->floats ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int overlap(const placed *a, const placed *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset where p fits between those of done[] that are alive with it.
 * done[] is sorted by offset. */
static size_t lowest(const placed *done, size_t count, const placed *p)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        if (!overlap(&done[i], p))
            continue;
        if (done[i].at >= at + p->floats)
            break;
        if (done[i].at + done[i].floats > at)
            at = done[i].at + done[i].floats;
    }
    return at;
}

static void insert(placed *done, size_t count, placed p)
{
    size_t i = count;

    for (; i > 0 && done[i - 1].at > p.at; i--)
        done[i] = done[i - 1];
    done[i] = p;
}

size_t nn__plan_buffers(nn_buffer *b, size_t count)
{
    placed *all = dscq_malloc(2 * count, sizeof *all);
    size_t top = 0;

    if (all == NULL)
        return SIZE_MAX;
    placed *done = all + count;
    for (size_t i = 0; i < count; i++) /* whole cache lines */
        all[i] = (placed){(b[i].floats + 15) / 16 * 16, 0, b[i].first, b[i].last, i};
    qsort(all, count, sizeof *all, by_size);
    for (size_t i = 0; i < count; i++) {
        placed p = all[i];
        p.at = lowest(done, i, &p);
        insert(done, i, p);
        b[p.index].at = p.at;
        top = p.at + p.floats > top ? p.at + p.floats : top;
    }
    dscq_free(all);
    return top;
}
