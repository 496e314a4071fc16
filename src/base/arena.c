#include "dscq/base/arena.h"

#include <assert.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif
#if defined(ARENA_ASAN)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 64, GAP = 64 }; /* bytes */

size_t dscq_arena_room(size_t count, size_t elem_bytes)
{
    if (elem_bytes != 0 && count > (SIZE_MAX - ALIGN - GAP) / elem_bytes)
        return SIZE_MAX;
    return (count * elem_bytes + ALIGN - 1) / ALIGN * ALIGN + GAP;
}

void dscq_arena_init(dscq_arena *a, void *base, size_t cap_bytes)
{
    assert((uintptr_t)base % ALIGN == 0);
    *a = (dscq_arena){base, cap_bytes, 0, 0};
    ASAN_POISON_MEMORY_REGION(base, cap_bytes);
}

void dscq_arena_clear(dscq_arena *a)
{
    ASAN_UNPOISON_MEMORY_REGION(a->base, a->cap_bytes);
    a->used_bytes = 0;
}

void *dscq_arena_take(dscq_arena *a, size_t count, size_t elem_bytes)
{
    const size_t room = dscq_arena_room(count, elem_bytes);

    if (room > a->cap_bytes - a->used_bytes)
        return NULL;
    unsigned char *block = a->base + a->used_bytes;
    a->used_bytes += room;
    if (a->used_bytes > a->peak_bytes)
        a->peak_bytes = a->used_bytes;
    ASAN_POISON_MEMORY_REGION(block, room);
    ASAN_UNPOISON_MEMORY_REGION(block, count * elem_bytes);
    return block;
}

size_t dscq_arena_mark(const dscq_arena *a)
{
    return a->used_bytes;
}

void dscq_arena_release(dscq_arena *a, size_t mark)
{
    assert(mark <= a->used_bytes);
    ASAN_POISON_MEMORY_REGION(a->base + mark, a->used_bytes - mark);
    a->used_bytes = mark;
}
