#include "dscq/base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, HUGE_PAGE = 2 << 20, HUGE_FROM = 8 << 20 };

/* The hook of the tests: the only mutable objects here. */
static _Atomic uint64_t made, fail_at, asked;

static int must_fail(void)
{
    const uint64_t n = atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1;

    return n == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

/* Large blocks ask for huge pages: rows far apart in memory otherwise cost a walk of
 * the page table each. Where there are none nothing is lost. */
static void *big_or_small(size_t room)
{
#ifdef MADV_HUGEPAGE
    if (room >= HUGE_FROM) {
        void *p = NULL; /* aligned_alloc() wants whole multiples of the alignment */
        if (posix_memalign(&p, HUGE_PAGE, room) != 0)
            return NULL;
        (void)madvise(p, room, MADV_HUGEPAGE);
        return p;
    }
#endif
    return aligned_alloc(ALIGN, room);
}

static void *take(size_t bytes)
{
    if (must_fail() || bytes > SIZE_MAX - ALIGN)
        return NULL;
    const size_t room = bytes == 0 ? ALIGN : (bytes + ALIGN - 1) / ALIGN * ALIGN;
    atomic_fetch_add_explicit(&asked, room, memory_order_relaxed);
    return big_or_small(room);
}

uint64_t dscq_alloc_asked(void)
{
    return atomic_exchange(&asked, 0);
}

int dscq_size_mul(size_t *out, size_t a, size_t b)
{
    if (b != 0 && a > SIZE_MAX / b)
        return 0;
    *out = a * b;
    return 1;
}

void *dscq_malloc(size_t count, size_t elem_bytes)
{
    size_t bytes;

    return dscq_size_mul(&bytes, count, elem_bytes) ? take(bytes) : NULL;
}

void *dscq_calloc(size_t count, size_t elem_bytes)
{
    void *p = dscq_malloc(count, elem_bytes);

    if (p != NULL)
        memset(p, 0, count * elem_bytes);
    return p;
}

void *dscq_realloc(void *p, size_t old_bytes, size_t new_bytes)
{
    void *q = take(new_bytes);

    if (q == NULL)
        return NULL;
    if (p != NULL)
        memcpy(q, p, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(p);
    return q;
}

char *dscq_strdup(const char *s)
{
    const size_t bytes = strlen(s) + 1;
    char *copy = dscq_malloc(bytes, 1);

    if (copy != NULL)
        memcpy(copy, s, bytes);
    return copy;
}

void dscq_free(void *p)
{
    free(p);
}

uint64_t dscq_alloc_fail_at(uint64_t k)
{
    const uint64_t before = atomic_exchange(&made, 0);

    atomic_store(&fail_at, k);
    return before;
}
