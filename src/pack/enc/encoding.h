/*
 * encoding.h - what every weight encoding provides: one row of encodings.def, one
 * file. An encoding sees b-bit codes in OHWI order, code 0 meaning the value 0, and
 * stores them without loss.
 */
#ifndef PACK_ENCODING_H
#define PACK_ENCODING_H

#include "dscq/base/bytes.h"
#include "dscq/pack/encoding.h"

struct pack_encoding {
    dscq_pack_encoding_info info;
    /* Can it store such a layer at all? */
    int (*fits)(const dscq_qweights *l);
    /* The exact size, and the best argument. No payload is made. */
    dscq_status (*cost)(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err);
    dscq_status (*encode)(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err);
    /* The whole of r is this layer's payload; the marks of a binary layer are written
     * to l->block_high. A fault is left in r->bad. */
    dscq_status (*decode)(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err);
    /* Legal range of arg in a file. */
    int32_t arg_min, arg_max;
};
typedef struct pack_encoding pack_encoding;

const pack_encoding *pack__encoding(int32_t id); /* NULL: none such */

size_t pack__nonzero(const uint16_t *code, size_t count);
/* Fails r when the bit stream has rests. */
void pack__bits_check(dscq_reader *r, dscq_bits *b, const char *field);
/* n! as it were: smallest b with 2^b >= n. */
unsigned pack__bits_for(size_t n);

#endif
