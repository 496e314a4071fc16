/*
 * pack/encoding.h - the weight encodings of the packed file and what they cost.
 *
 * Every encoding is lossless and is a row of src/pack/enc/encodings.def with one file
 * of its own; docs/format.md section 6 describes each one byte by byte. Its number in
 * this table is its number in the file; rows are only ever added at the end.
 */
#ifndef DSCQ_PACK_ENCODING_H
#define DSCQ_PACK_ENCODING_H

#include "dscq/base/status.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an encoding may be used; a file's profile picks from its kind and the ones
 * before it. */
typedef enum dscq_pack_kind {
    DSCQ_PACK_FIXED,  /* fixed-length fields: a lane decodes it on the fly         */
    DSCQ_PACK_ATREST, /* one entropy decoder at load time                          */
    DSCQ_PACK_DEEP,   /* adaptive contexts: serial, for archives                   */
    DSCQ_PACK_COMPARE /* of another paper: only when named                         */
} dscq_pack_kind;

typedef struct dscq_pack_encoding_info {
    const char *name, *summary;
    dscq_pack_kind kind;
    /* A plain decoder in hardware: stored entries (for entropy coders: symbols or
     * bins) per clock cycle, on-chip table bits beside the codebook. */
    double hw_entries_per_cycle;
    int32_t hw_table_bits;
    const char *hw_note;
} dscq_pack_encoding_info;

const char *dscq_pack_kind_name(dscq_pack_kind kind);

int32_t dscq_pack_encoding_count(void);
const dscq_pack_encoding_info *dscq_pack_encoding_at(int32_t id); /* NULL: none */
int32_t dscq_pack_encoding_find(const char *name);                /* -1: none   */

/* Bits of one layer, by purpose. Zero weights stored as ordinary codes and gap
 * fillers count as positions: they say where the others are. Padding: rests of bytes.
 */
typedef struct dscq_pack_size {
    uint64_t values, positions, codebooks, constants, padding, headers;
} dscq_pack_size;
uint64_t dscq_pack_size_bits(const dscq_pack_size *s); /* the sum */

/* Exact payload size of these weights in encoding `id` (values, positions, padding
 * and the encoding's own tables), without encoding; *arg is the best argument.
 * DSCQ_UNSUPPORTED when the encoding cannot hold such a layer. */
dscq_status dscq_pack_cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *w,
                           int32_t id, dscq_error *err);

/* Bits no lossless code of independent weights can go below, for this layer's counts:
 * positions N*H2(d), values nnz*H(code | nonzero). */
dscq_status dscq_pack_entropy(double *position_bits, double *value_bits,
                              const dscq_qweights *w, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
