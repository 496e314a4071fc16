/*
 * arith.h - adaptive binary arithmetic coding: the coder and the adaptive bit of
 * docs/format.md section 6.10, shared by everything that codes with them. One walk
 * over the data serves both directions: `decoding` is a constant at every call, and the
 * functions are inline, so that each direction is compiled on its own.
 *
 * Integers only; the same bytes everywhere.
 */
#ifndef PACK_ARITH_H
#define PACK_ARITH_H

#include "dscq/base/bytes.h"

#include <math.h>

enum {
    ARITH_PROB_BITS = 22, /* of an adaptive probability */
    ARITH_STEPS = 255     /* a state learns at 1/(n + 1.5), n up to this */
};

typedef struct arith_bin {
    uint32_t p; /* that the bit is 1, 22 bits */
    uint32_t n; /* bits seen, up to ARITH_STEPS */
} arith_bin;

typedef struct arith_coder {
    uint32_t lo, hi, x; /* interval, inclusive; decoder: the value in it */
    dscq_buf *out;      /* encoder */
    const uint8_t *p, *end;
    unsigned past; /* decoder: bytes read behind the end, all 0 */
    double bits;   /* ideal length of what was coded, when measuring */
    int measuring;
    uint32_t rate[ARITH_STEPS + 1];
} arith_coder;

static inline uint32_t arith_next(arith_coder *c)
{
    if (c->p < c->end)
        return *c->p++;
    c->past++;
    return 0;
}

static inline void arith_init(arith_coder *c)
{
    memset(c, 0, sizeof *c);
    c->hi = UINT32_MAX;
    for (uint32_t n = 0; n <= ARITH_STEPS; n++)
        c->rate[n] = 131072 / (2 * n + 3); /* 65536 / (n + 1.5) */
}

static inline void arith_encode_to(arith_coder *c, dscq_buf *out)
{
    arith_init(c);
    c->out = out;
}

static inline void arith_encode_end(arith_coder *c)
{
    dscq_put_u(c->out, (c->lo >> 24) + 1, 1);
}

static inline void arith_decode_from(arith_coder *c, const uint8_t *data, size_t bytes)
{
    arith_init(c);
    c->p = data;
    c->end = data + bytes;
    for (int i = 0; i < 4; i++)
        c->x = c->x << 8 | arith_next(c);
}

/* All bytes taken, and the ones that arith_encode_end() leaves. */
static inline int arith_decode_done(const arith_coder *c)
{
    return c->p == c->end && c->past == 3 && c->x == ((c->lo >> 24) + 1) << 24;
}

/* Code one bit with probability p (16 bits, 1..65535) of being 1. */
static inline unsigned arith_raw(arith_coder *c, uint32_t p, unsigned bit, int decoding)
{
    const uint32_t mid = c->lo + (uint32_t)((uint64_t)(c->hi - c->lo) * p >> 16);

    if (decoding)
        bit = c->x <= mid;
    else if (c->measuring)
        c->bits -= log2((bit ? p : 65536 - p) / 65536.0);
    if (bit)
        c->hi = mid;
    else
        c->lo = mid + 1;
    while ((c->lo ^ c->hi) >> 24 == 0) {
        if (decoding)
            c->x = c->x << 8 | arith_next(c);
        else
            dscq_put_u(c->out, c->lo >> 24, 1);
        c->lo <<= 8;
        c->hi = c->hi << 8 | 255;
    }
    return bit;
}

/* The `bits` low bits of v, most significant first, each as likely as not. */
static inline uint32_t arith_even(arith_coder *c, unsigned bits, uint32_t v,
                                  int decoding)
{
    uint32_t got = 0;

    while (bits-- > 0)
        got = got * 2 + arith_raw(c, 32768, v >> bits & 1, decoding);
    return got;
}

static inline unsigned arith_bit(arith_coder *c, arith_bin *b, unsigned bit,
                                 int decoding)
{
    bit = arith_raw(c, b->p >> (ARITH_PROB_BITS - 16) | 1, bit, decoding);
    const uint64_t rate = c->rate[b->n];
    if (bit)
        b->p += (uint32_t)((((1U << ARITH_PROB_BITS) - 1 - b->p) * rate) >> 16);
    else
        b->p -= (uint32_t)((b->p * rate) >> 16);
    b->n += b->n < ARITH_STEPS;
    return bit;
}

/* `bits` bits of v, most significant first, by the nodes of a tree: node 1, then
 * 2 * node + bit. tree: 2^bits entries, the first unused. */
static inline uint32_t arith_tree(arith_coder *c, arith_bin *tree, unsigned bits,
                                  uint32_t v, int decoding)
{
    uint32_t node = 1;

    for (unsigned i = bits; i-- > 0;)
        node = node * 2 + arith_bit(c, &tree[node], v >> i & 1, decoding);
    return node - (1U << bits);
}

static inline void arith_bins(arith_bin *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[i] = (arith_bin){1U << (ARITH_PROB_BITS - 1), 0};
}

#endif
