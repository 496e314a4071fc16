/*
 * bytes.h - the only code that touches the bytes of a packed file.
 *
 * Little endian. The reader never passes `len` and remembers the first failure:
 * after one, every later call returns 0, so a parser checks once per record, not
 * per field. Bit streams fill bytes from the least significant bit; unused bits of
 * the last byte are 0 and checked.
 */
#ifndef PACK_BYTES_H
#define PACK_BYTES_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- writing ---- */

typedef struct pack_buf {
    uint8_t *data; /* NULL and counting: only `len` is kept */
    size_t len, cap;
    uint64_t acc; /* bits not yet in a whole byte */
    unsigned acc_bits;
    int counting, bad;
} pack_buf;

/* Room for `bytes` in all, exactly, where the size is known. */
void pack_reserve(pack_buf *b, size_t bytes);
void pack_put(pack_buf *b, const void *data, size_t bytes);
void pack_put_u(pack_buf *b, uint64_t v, unsigned bytes);
void pack_put_varint(pack_buf *b, uint64_t v);     /* LEB128, at most 10 bytes */
void pack_put_zigzag(pack_buf *b, int64_t v);      /* 0 -1 1 -2 .. as 0 1 2 3 .. */
void pack_put_real(pack_buf *b, double v);         /* IEEE binary64 */
void pack_put_text(pack_buf *b, const char *text); /* varint length, bytes */
void pack_put_bits(pack_buf *b, uint32_t v, unsigned bits); /* 0..32 bits */
unsigned pack_end_bits(pack_buf *b); /* to a byte boundary; returns the padding bits */
void pack_buf_free(pack_buf *b);

/* ---- reading ---- */

typedef struct pack_reader {
    const uint8_t *buf;
    size_t len, pos;
    const char *bad; /* NULL, or the name of the first field that failed */
} pack_reader;

uint64_t pack_u(pack_reader *r, unsigned bytes, const char *field);
uint64_t pack_varint(pack_reader *r, const char *field); /* shortest form only */
int64_t pack_zigzag(pack_reader *r, const char *field);
double pack_real(pack_reader *r, const char *field);
void pack_text(pack_reader *r, char *out, size_t cap, const char *field);
const uint8_t *pack_take(pack_reader *r, size_t bytes, const char *field);
/* A varint in [lo, hi]; 0 after a failure. */
int32_t pack_int(pack_reader *r, int64_t lo, int64_t hi, const char *field);
/* A varint count that sizes an allocation: at most `max`, and at most what the rest
 * of the buffer could hold. */
size_t pack_count(pack_reader *r, size_t max, size_t min_item_bytes, const char *field);
void pack_fail(pack_reader *r, const char *field); /* the first one stays */

/* ---- bits ---- */

typedef struct pack_bits {
    const uint8_t *p, *end;
    uint64_t acc;
    unsigned n;
    int bad; /* read past the end */
} pack_bits;

static inline void pack_bits_init(pack_bits *b, const uint8_t *data, size_t bytes)
{
    *b = (pack_bits){data, data + bytes, 0, 0, 0};
}

/* At least 32 bits in acc, zeros past the end (then `bad` once they are used). */
static inline void pack_bits_fill(pack_bits *b)
{
    if (b->n > 32)
        return;
    if (b->end - b->p >= 4) {
        uint32_t v = (uint32_t)b->p[0] | (uint32_t)b->p[1] << 8 |
                     (uint32_t)b->p[2] << 16 | (uint32_t)b->p[3] << 24;
        b->acc |= (uint64_t)v << b->n;
        b->p += 4;
        b->n += 32;
        return;
    }
    while (b->p < b->end && b->n <= 56) {
        b->acc |= (uint64_t)*b->p++ << b->n;
        b->n += 8;
    }
}

static inline void pack_bits_skip(pack_bits *b, unsigned bits)
{
    if (bits > b->n) {
        b->bad = 1;
        b->acc = 0;
        b->n = 0;
        return;
    }
    b->acc >>= bits;
    b->n -= bits;
}

/* 0..32 bits. */
static inline uint32_t pack_bits_get(pack_bits *b, unsigned bits)
{
    pack_bits_fill(b);
    const uint32_t v = (uint32_t)(b->acc & ((UINT64_C(1) << bits) - 1));
    pack_bits_skip(b, bits);
    return v;
}

/* All used, the last byte's rest being 0, and nothing read past the end. */
int pack_bits_done(pack_bits *b);

#endif
