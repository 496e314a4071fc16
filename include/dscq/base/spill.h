/*
 * base/spill.h - bytes that are rarely wanted, in a file instead of memory.
 *
 * The file has no name: it is gone when it is closed or the process ends, however. Its
 * room on the disk is reserved when it is made, so that writing does not fail later for
 * want of room.
 */
#ifndef DSCQ_BASE_SPILL_H
#define DSCQ_BASE_SPILL_H

#include "dscq/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_spill dscq_spill;

/* In folder `dir`; "": in TMPDIR, or /tmp. DSCQ_IO when that cannot be written. */
dscq_status dscq_spill_create(dscq_spill **out, size_t bytes, const char *dir,
                              dscq_error *err);
/* at + bytes is at most what was reserved. */
dscq_status dscq_spill_put(dscq_spill *s, size_t at, const void *data, size_t bytes,
                           dscq_error *err);
dscq_status dscq_spill_get(const dscq_spill *s, size_t at, void *data, size_t bytes,
                           dscq_error *err);
void dscq_spill_destroy(dscq_spill *s); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
