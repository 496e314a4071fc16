/*
 * export/unpack.h - the integer network as arrays for NumPy.
 */
#ifndef DSCQ_EXPORT_UNPACK_H
#define DSCQ_EXPORT_UNPACK_H

#include "dscq/base/status.h"
#include "dscq/qnet/qmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An .npz (a stored zip of .npy): per node weights "<node>.value" int16 OHWI,
 * ".codebook", ".mult", ".shift", ".bias", ".real" float64 (value times the scale that
 * makes the layer's real weights up to the activation scales), tables. Atomic. */
dscq_status dscq_export_npz(const char *path, const dscq_qmodel *m, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
