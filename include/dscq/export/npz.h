/*
 * export/npz.h - writing NumPy .npz files: a zip archive (stored, not compressed;
 * APPNOTE 6.3 without zip64) of .npy arrays (NEP 1, version 1.0), little endian.
 *
 * The same arrays make the same bytes: no times, no attributes.
 */
#ifndef DSCQ_EXPORT_NPZ_H
#define DSCQ_EXPORT_NPZ_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_npz dscq_npz;

/* Atomic: nothing is at `path` before dscq_npz_close(). */
dscq_status dscq_npz_open(dscq_npz **out, const char *path, dscq_error *err);
/* type: NumPy's name of it ("<f8", "<i2", "|u1", "|S64"); data: elements in row-major
 * order, `elem_bytes` each. Names must differ. DSCQ_ARG: above 4 GiB, more than 65535
 * arrays or 8 dimensions. */
dscq_status dscq_npz_add(dscq_npz *z, const char *name, const char *type,
                         size_t elem_bytes, const int64_t *shape, int32_t rank,
                         const void *data, dscq_error *err);
dscq_status dscq_npz_close(dscq_npz *z, dscq_error *err); /* frees z either way */
void dscq_npz_abandon(dscq_npz *z);                       /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
