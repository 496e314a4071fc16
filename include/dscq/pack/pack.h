/*
 * pack/pack.h - the packed file: an integer network as bytes (docs/format.md).
 *
 * One model and one set of options make one sequence of bytes. Writing is atomic.
 * Every byte read is treated as hostile: sizes are checked before they are
 * multiplied and before anything is allocated, every section has a CRC-32, and a
 * model that comes back has passed dscq_qmodel_check().
 */
#ifndef DSCQ_PACK_PACK_H
#define DSCQ_PACK_PACK_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/pack/encoding.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which encodings a layer may get; the smallest of them is taken. */
typedef enum dscq_pack_profile {
    DSCQ_PACK_KEEP,    /* weights->encoding where it is set, else as MACHINE      */
    DSCQ_PACK_MACHINE, /* fixed-length forms: a lane decodes them on the fly      */
    DSCQ_PACK_LOADED,  /* and Huffman, rANS: decoded once, when loading           */
    DSCQ_PACK_ARCHIVE, /* and context coding: the smallest file                   */
    DSCQ_PACK_NAMED    /* options.encoding wherever it fits, else as MACHINE      */
} dscq_pack_profile;

/* "keep|machine|loaded|archive" for option parsers; an encoding's name = NAMED. */
#define DSCQ_PACK_PROFILES "keep|machine|loaded|archive|named"

typedef struct dscq_pack_options {
    dscq_pack_profile profile;
    int32_t encoding; /* DSCQ_PACK_NAMED: row of encodings.def                    */
    int32_t lanes;    /* encoding "lanes": how many; 0: 64                        */
} dscq_pack_options;

/* "machine", "loaded", "archive", "keep" or the name of an encoding. */
dscq_status dscq_pack_options_parse(dscq_pack_options *out, const char *text,
                                    dscq_error *err);

/* options NULL: KEEP. *data is freed with dscq_free(). The model must pass the check;
 * DSCQ_FORMAT otherwise. */
dscq_status dscq_pack_encode(uint8_t **data, size_t *bytes, const dscq_qmodel *m,
                             const dscq_pack_options *options, dscq_error *err);
dscq_status dscq_pack_write(const char *path, const dscq_qmodel *m,
                            const dscq_pack_options *options, dscq_error *err);

/* Each layer's encoding under these options, and what the others would take, as traces
 * (DSCQ_TRACE_PACK), where they are asked for. */
dscq_status dscq_pack_trace(const dscq_qmodel *m, const dscq_pack_options *options,
                            const dscq_log *log, dscq_error *err);

/* *out is freed with dscq_qmodel_destroy(). DSCQ_FORMAT: damaged or inconsistent;
 * DSCQ_UNSUPPORTED: a newer major version or a required section of a later one. */
dscq_status dscq_pack_decode(dscq_qmodel **out, const void *data, size_t bytes,
                             dscq_error *err);
dscq_status dscq_pack_read(dscq_qmodel **out, const char *path, dscq_error *err);

/* ---- accounting ---- */

/* The whole file. size: bits by purpose, summing to 8 * file_bytes (constants: the
 * QNT section; headers: all that is not weights or constants). The three usual
 * definitions of a model's size: A nonzeros * bits; B this file; C the entropy bound
 * of positions and codes (weights only). */
typedef struct dscq_pack_summary {
    uint64_t file_bytes, float_bytes, weights, nonzero;
    dscq_pack_size size;
    double a_bits, c_bits, c_position_bits;
} dscq_pack_summary;

/* The file that `options` would make; *layers (NULL: not wanted) gets one row a layer
 * with weights: layer, encoding, weights, nonzero, density, bits by purpose, total,
 * entropy bounds. Owned by the caller. */
dscq_status dscq_pack_sizes(dscq_pack_summary *out, dscq_table **layers,
                            const dscq_qmodel *m, const dscq_pack_options *options,
                            dscq_error *err);

/* Sections of a file: tag, required, offset, bytes, crc32. Checks the header and the
 * CRCs only, so it also lists sections of a newer minor version. */
dscq_status dscq_pack_sections(dscq_table **out, const void *data, size_t bytes,
                               dscq_error *err);

/* Ideal length of layer w's weights under the context encoding's own adaptive model
 * (arg 0 or 1), for measuring the coder's loss. */
dscq_status dscq_pack_context_ideal(double *bits, const dscq_qweights *w, int32_t arg,
                                    dscq_error *err);

/* ---- looking ---- */

/* One row a node: index, name, op, inputs, output shape, bits, scale, weights. */
dscq_status dscq_pack_node_table(dscq_table **out, const dscq_qmodel *m,
                                 dscq_error *err);
/* One row a difference between two networks: what, where, in a, in b. No rows: same
 * behaviour and meta data. Weights: how many codes differ and the first place. */
dscq_status dscq_pack_diff(dscq_table **out, const dscq_qmodel *a, const dscq_qmodel *b,
                           dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
