/*
 * bytes.h - the only code that touches the bytes of a packed file.
 *
 * Little endian. The reader never passes `len` and remembers the first failure:
 * after one, every later call returns 0, so a parser checks once per record, not
 * per field. Bit streams fill bytes from the least significant bit; unused bits of
 * the last byte are 0 and checked.
 */
#ifndef DSCQ_BASE_BYTES_H
#define DSCQ_BASE_BYTES_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- writing ---- */

typedef struct dscq_buf {
    uint8_t *data; /* NULL and counting: only `len` is kept */
    size_t len, cap;
    uint64_t acc; /* bits not yet in a whole byte */
    unsigned acc_bits;
    int counting, bad;
} dscq_buf;

/* Room for `bytes` in all, exactly, where the size is known. */
void dscq_buf_reserve(dscq_buf *b, size_t bytes);
void dscq_put(dscq_buf *b, const void *data, size_t bytes);
void dscq_put_u(dscq_buf *b, uint64_t v, unsigned bytes);
void dscq_put_varint(dscq_buf *b, uint64_t v);     /* LEB128, at most 10 bytes */
void dscq_put_zigzag(dscq_buf *b, int64_t v);      /* 0 -1 1 -2 .. as 0 1 2 3 .. */
void dscq_put_real(dscq_buf *b, double v);         /* IEEE binary64 */
void dscq_put_text(dscq_buf *b, const char *text); /* varint length, bytes */
void dscq_put_bits(dscq_buf *b, uint32_t v, unsigned bits); /* 0..32 bits */
unsigned
dscq_put_bits_end(dscq_buf *b); /* to a byte boundary; returns the padding bits */
void dscq_buf_free(dscq_buf *b);

/* ---- reading ---- */

typedef struct dscq_reader {
    const uint8_t *buf;
    size_t len, pos;
    const char *bad; /* NULL, or the name of the first field that failed */
} dscq_reader;

uint64_t dscq_get_u(dscq_reader *r, unsigned bytes, const char *field);
uint64_t dscq_get_varint(dscq_reader *r, const char *field); /* shortest form only */
int64_t dscq_get_zigzag(dscq_reader *r, const char *field);
double dscq_get_real(dscq_reader *r, const char *field);
void dscq_get_text(dscq_reader *r, char *out, size_t cap, const char *field);
const uint8_t *dscq_get_bytes(dscq_reader *r, size_t bytes, const char *field);
/* A varint in [lo, hi]; 0 after a failure. */
int32_t dscq_get_int(dscq_reader *r, int64_t lo, int64_t hi, const char *field);
/* A varint count that sizes an allocation: at most `max`, and at most what the rest
 * of the buffer could hold. */
size_t dscq_get_count(dscq_reader *r, size_t max, size_t min_item_bytes,
                      const char *field);
void dscq_get_fail(dscq_reader *r, const char *field); /* the first one stays */

/* ---- bits ---- */

typedef struct dscq_bits {
    const uint8_t *p, *end;
    uint64_t acc;
    unsigned n;
    int bad; /* read past the end */
} dscq_bits;

static inline void dscq_bits_init(dscq_bits *b, const uint8_t *data, size_t bytes)
{
    *b = (dscq_bits){data, data + bytes, 0, 0, 0};
}

/* At least 32 bits in acc, zeros past the end (then `bad` once they are used). */
static inline void dscq_bits_fill(dscq_bits *b)
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

static inline void dscq_bits_skip(dscq_bits *b, unsigned bits)
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
static inline uint32_t dscq_bits_get(dscq_bits *b, unsigned bits)
{
    dscq_bits_fill(b);
    const uint32_t v = (uint32_t)(b->acc & ((UINT64_C(1) << bits) - 1));
    dscq_bits_skip(b, bits);
    return v;
}

/* All used, the last byte's rest being 0, and nothing read past the end. */
int dscq_bits_done(dscq_bits *b);

#endif
