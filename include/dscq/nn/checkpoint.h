/*
 * nn/checkpoint.h - a file of named arrays: weights, optimiser state, position.
 *
 * Little endian. "DSCQCKPT", u32 version (1), u32 entries, then per entry: u16 name
 * length, name, u8 kind (0 float32, 1 float64, 2 int64, 3 text), u64 count, data,
 * u32 CRC-32 of the entry from its name length on; at the end "DONE" and the CRC-32
 * of everything before. Written atomically. A file that is short, long, changed in
 * any byte, or of another version is DSCQ_FORMAT.
 *
 * Names: "<node>.weight .bias .gamma .beta .mean .var"; a trainer adds entries that
 * begin with "train.". Values are the master weights. Numbers that no network computes
 * with (NaN, infinity, a variance below 0) are DSCQ_FORMAT, naming the layer.
 */
#ifndef DSCQ_NN_CHECKPOINT_H
#define DSCQ_NN_CHECKPOINT_H

#include "dscq/base/status.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_entry_kind {
    DSCQ_ENTRY_F32,
    DSCQ_ENTRY_F64,
    DSCQ_ENTRY_I64,
    DSCQ_ENTRY_TEXT
} dscq_entry_kind;

typedef struct dscq_checkpoint dscq_checkpoint;

/* Building one. Data are copied. */
dscq_status dscq_checkpoint_create(dscq_checkpoint **out, dscq_error *err);
dscq_status dscq_checkpoint_add(dscq_checkpoint *c, const char *name,
                                dscq_entry_kind kind, const void *data, size_t count,
                                dscq_error *err);
dscq_status dscq_checkpoint_add_model(dscq_checkpoint *c, const dscq_model *m,
                                      dscq_error *err);
dscq_status dscq_checkpoint_write(const dscq_checkpoint *c, const char *path,
                                  dscq_error *err);
void dscq_checkpoint_destroy(dscq_checkpoint *c); /* NULL is fine */

/* Reading one: the whole file is checked first. */
dscq_status dscq_checkpoint_read(dscq_checkpoint **out, const char *path,
                                 dscq_error *err);
size_t dscq_checkpoint_count(const dscq_checkpoint *c);
const char *dscq_checkpoint_name(const dscq_checkpoint *c, size_t i);
/* Borrowed; NULL when there is no such entry of this kind. */
const void *dscq_checkpoint_find(const dscq_checkpoint *c, const char *name,
                                 dscq_entry_kind kind, size_t *count_out);

typedef enum dscq_match {
    DSCQ_MATCH_EXACT, /* every array of the model must be there and fit       */
    DSCQ_MATCH_NAME,  /* what has the same name and size                      */
    DSCQ_MATCH_ORDER  /* k-th layer with weights to k-th, while sizes agree   */
} dscq_match;

typedef struct dscq_match_report {
    int32_t loaded, missing, misfit, surplus; /* layers with weights          */
    char first_left[DSCQ_NODE_NAME];          /* first layer not loaded, or "" */
    char why[160]; /* of it: both shapes, "24 x 3 x 3 x 8 here, 16 x 3 x 3 x 8 there" */
    char first_surplus[DSCQ_NODE_NAME]; /* first layer of the file left over, or "" */
} dscq_match_report;

/* Into the model's master weights. EXACT: DSCQ_FORMAT at the first difference and
 * the model untouched. *report may be NULL. */
dscq_status dscq_checkpoint_load_model(dscq_model *m, const dscq_checkpoint *c,
                                       dscq_match match, dscq_match_report *report,
                                       dscq_error *err);

/* The two steps at once. */
dscq_status dscq_model_save(const dscq_model *m, const char *path, dscq_error *err);
dscq_status dscq_model_load(dscq_model *m, const char *path, dscq_match match,
                            dscq_match_report *report, dscq_error *err);

/* All weights of one model into another, by name and EXACT, without a file: the layers
 * without weights may differ (a cfg may have a [route] where the graph has none). */
dscq_status dscq_model_copy_weights(dscq_model *to, const dscq_model *from,
                                    dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
