/*
 * base/arena.h - scratch that is all freed at once.
 *
 * The caller owns `base`; the arena never calls the allocator. Blocks are
 * 64-byte aligned and NOT cleared. dscq_arena_take() returns NULL when full:
 * every kernel states its need beforehand, so NULL is a bug in the plan, and a
 * kernel asserts instead of trying to survive it. Under AddressSanitizer a
 * poisoned gap follows every block.
 */
#ifndef DSCQ_BASE_ARENA_H
#define DSCQ_BASE_ARENA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_arena {
    unsigned char *base;
    size_t cap_bytes, used_bytes, peak_bytes;
} dscq_arena;

/* `base` is 64-byte aligned and outlives the arena; clear before reusing it. */
void dscq_arena_init(dscq_arena *a, void *base, size_t cap_bytes);
void dscq_arena_clear(dscq_arena *a);
void *dscq_arena_take(dscq_arena *a, size_t count, size_t elem_bytes);
size_t dscq_arena_mark(const dscq_arena *a);
void dscq_arena_release(dscq_arena *a, size_t mark);

/* What dscq_arena_take(count, elem_bytes) will consume, gap included; the sum
 * over the blocks of a plan is a sufficient cap_bytes. */
size_t dscq_arena_room(size_t count, size_t elem_bytes);

#ifdef __cplusplus
}
#endif
#endif
