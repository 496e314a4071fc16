/*
 * base/alloc.h - the only way the library gets memory from the system.
 *
 * Test programs can make the k-th allocation fail (dscq_alloc_fail_at), which
 * is how every "no memory" path is tested. All blocks are 64-byte aligned.
 */
#ifndef DSCQ_BASE_ALLOC_H
#define DSCQ_BASE_ALLOC_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* count * elem_bytes zeroed bytes, 64-byte aligned; NULL on overflow or no
 * memory. A zero-sized request returns a valid, unique pointer. */
void *dscq_calloc(size_t count, size_t elem_bytes);
/* The same, not cleared (large buffers that are written before they are read). */
void *dscq_malloc(size_t count, size_t elem_bytes);
/* Grow or shrink; contents kept; new bytes not cleared. NULL leaves `p` valid. */
void *dscq_realloc(void *p, size_t old_bytes, size_t new_bytes);
char *dscq_strdup(const char *s);
void dscq_free(void *p); /* NULL is fine */

/* a * b into *out; false when it does not fit in size_t. */
int dscq_size_mul(size_t *out, size_t a, size_t b);

/* Bytes that this process may have at most: the machine's memory and swap, or less
 * where a control group or a limit (ulimit -v, -d) says so. */
uint64_t dscq_memory_limit(void);
/* DSCQ_NOMEM unless `bytes` are at most that; `what` needs them ("layer 'x': weights").
 */
dscq_status dscq_memory_check(const char *what, uint64_t bytes, dscq_error *err);

/* Tests: the k-th allocation from now (1 = next) returns NULL, once. 0 turns it
 * off. Returns how many allocations were made since the last call. */
uint64_t dscq_alloc_fail_at(uint64_t k);
/* Tests: bytes asked for since the last call, whatever was given back since. */
uint64_t dscq_alloc_asked(void);

#ifdef __cplusplus
}
#endif
#endif
