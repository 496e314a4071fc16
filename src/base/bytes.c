/* Bounded reading and growing writing of little-endian bytes and bits. */
#include "dscq/base/bytes.h"

#include "dscq/base/alloc.h"

#include <assert.h>

static int grow(dscq_buf *b, size_t cap)
{
    uint8_t *p = dscq_realloc(b->data, b->len, cap);

    if (p == NULL) {
        b->bad = 1;
        return 0;
    }
    b->data = p;
    b->cap = cap;
    return 1;
}

void dscq_buf_reserve(dscq_buf *b, size_t bytes)
{
    if (!b->counting && !b->bad && bytes > b->cap)
        (void)grow(b, bytes);
}

static int reserve(dscq_buf *b, size_t more)
{
    if (b->bad)
        return 0;
    if (b->len + more <= b->cap)
        return 1;
    size_t cap = b->cap < 256 ? 256 : b->cap * 2;
    if (cap < b->len + more)
        cap = b->len + more;
    return grow(b, cap);
}

void dscq_put(dscq_buf *b, const void *data, size_t bytes)
{
    assert(b->acc_bits == 0);
    if (!b->counting) {
        if (!reserve(b, bytes))
            return;
        if (bytes > 0)
            memcpy(b->data + b->len, data, bytes);
    }
    b->len += bytes;
}

void dscq_put_u(dscq_buf *b, uint64_t v, unsigned bytes)
{
    uint8_t raw[8];

    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(v >> (8 * i));
    dscq_put(b, raw, bytes);
}

void dscq_put_varint(dscq_buf *b, uint64_t v)
{
    while (v >= 0x80) {
        dscq_put_u(b, (v & 0x7f) | 0x80, 1);
        v >>= 7;
    }
    dscq_put_u(b, v, 1);
}

void dscq_put_zigzag(dscq_buf *b, int64_t v)
{
    dscq_put_varint(b, v < 0 ? (uint64_t)(-(v + 1)) * 2 + 1 : (uint64_t)v * 2);
}

void dscq_put_real(dscq_buf *b, double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof u);
    dscq_put_u(b, u, 8);
}

void dscq_put_text(dscq_buf *b, const char *text)
{
    const size_t n = strlen(text);

    dscq_put_varint(b, n);
    dscq_put(b, text, n);
}

void dscq_put_bits(dscq_buf *b, uint32_t v, unsigned bits)
{
    assert(bits <= 32);
    b->acc |= ((uint64_t)v & ((UINT64_C(1) << bits) - 1)) << b->acc_bits;
    b->acc_bits += bits;
    while (b->acc_bits >= 8) {
        if (!b->counting) {
            if (!reserve(b, 1)) {
                b->acc_bits = 0;
                return;
            }
            b->data[b->len] = (uint8_t)b->acc;
        }
        b->len++;
        b->acc >>= 8;
        b->acc_bits -= 8;
    }
}

unsigned dscq_put_bits_end(dscq_buf *b)
{
    const unsigned pad = (8 - b->acc_bits) % 8;

    dscq_put_bits(b, 0, pad);
    b->acc = 0;
    b->acc_bits = 0;
    return pad;
}

void dscq_buf_free(dscq_buf *b)
{
    dscq_free(b->data);
    *b = (dscq_buf){0};
}

void dscq_get_fail(dscq_reader *r, const char *field)
{
    if (r->bad == NULL)
        r->bad = field;
}

const uint8_t *dscq_get_bytes(dscq_reader *r, size_t bytes, const char *field)
{
    static const uint8_t nothing[1] = {0};

    if (r->bad == NULL && bytes > r->len - r->pos)
        r->bad = field;
    if (r->bad != NULL)
        return nothing;
    const uint8_t *p = r->buf + r->pos;
    r->pos += bytes;
    return p;
}

uint64_t dscq_get_u(dscq_reader *r, unsigned bytes, const char *field)
{
    uint64_t v = 0;
    const uint8_t *p = dscq_get_bytes(r, bytes, field);

    if (r->bad != NULL)
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t dscq_get_varint(dscq_reader *r, const char *field)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint64_t byte = dscq_get_u(r, 1, field);
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1))
                break; /* not the shortest form, or more than 64 bits */
            return r->bad != NULL ? 0 : v;
        }
    }
    dscq_get_fail(r, field);
    return 0;
}

int64_t dscq_get_zigzag(dscq_reader *r, const char *field)
{
    const uint64_t v = dscq_get_varint(r, field);

    return (v & 1) != 0 ? -(int64_t)(v >> 1) - 1 : (int64_t)(v >> 1);
}

double dscq_get_real(dscq_reader *r, const char *field)
{
    const uint64_t u = dscq_get_u(r, 8, field);
    double v;

    memcpy(&v, &u, sizeof v);
    return v;
}

void dscq_get_text(dscq_reader *r, char *out, size_t cap, const char *field)
{
    const uint64_t n = dscq_get_varint(r, field);

    out[0] = '\0';
    if (n >= cap)
        dscq_get_fail(r, field);
    const uint8_t *p = dscq_get_bytes(r, r->bad != NULL ? 0 : (size_t)n, field);
    if (r->bad == NULL && memchr(p, 0, (size_t)n) != NULL)
        dscq_get_fail(r, field);
    if (r->bad != NULL)
        return;
    memcpy(out, p, (size_t)n);
    out[n] = '\0';
}

int32_t dscq_get_int(dscq_reader *r, int64_t lo, int64_t hi, const char *field)
{
    const uint64_t v = dscq_get_varint(r, field);

    if (r->bad == NULL && (hi < lo || v > (uint64_t)hi || (int64_t)v < lo))
        r->bad = field;
    return r->bad != NULL ? 0 : (int32_t)v;
}

size_t dscq_get_count(dscq_reader *r, size_t max, size_t min_item_bytes,
                      const char *field)
{
    assert(min_item_bytes > 0);
    const uint64_t n = dscq_get_varint(r, field);

    if (r->bad == NULL && (n > max || n > (r->len - r->pos) / min_item_bytes))
        r->bad = field;
    return r->bad != NULL ? 0 : (size_t)n;
}

int dscq_bits_done(dscq_bits *b)
{
    return !b->bad && b->p == b->end && b->n < 8 && b->acc == 0;
}
