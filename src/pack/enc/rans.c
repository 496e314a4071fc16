/* rans: all codes, zeros too, under one static distribution: two interleaved range
 * asymmetric numeral systems (Duda 2009; byte-wise renormalisation, frequencies of 14
 * bits). Reaches the order-0 entropy of the codes, positions included. */
#include "dscq/base/alloc.h"
#include "enc/encoding.h"

#include <math.h>

enum { SCALE = 14, TOTAL = 1 << SCALE, SYMBOLS = 256 };
static const uint32_t k_low = 1U << 23; /* a state lies in [k_low, 256*k_low) */

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY && l->bits <= 8;
}

typedef struct model {
    uint32_t freq[SYMBOLS], start[SYMBOLS];
    int symbols;
} model;

static void set_starts(model *m)
{
    uint32_t at = 0;

    for (int i = 0; i < m->symbols; i++) {
        m->start[i] = at;
        at += m->freq[i];
    }
}

/* Counts to frequencies: at least 1 for what occurs; the most frequent symbol takes
 * the rounding, in small steps from the largest down when it cannot. */
static void build(model *m, const dscq_qweights *l, const uint16_t *code)
{
    uint64_t count[SYMBOLS] = {0};
    int64_t rest = TOTAL;

    memset(m, 0, sizeof *m);
    m->symbols = 1 << l->bits;
    for (size_t i = 0; i < l->count; i++)
        count[code[i]]++;
    for (int i = 0; i < m->symbols; i++) {
        if (count[i] == 0)
            continue;
        m->freq[i] = (uint32_t)(count[i] * TOTAL / l->count);
        if (m->freq[i] == 0)
            m->freq[i] = 1;
        rest -= m->freq[i];
    }
    while (rest != 0) {
        int top = 0;
        for (int i = 1; i < m->symbols; i++)
            if (m->freq[i] > m->freq[top])
                top = i;
        int64_t step = rest;
        if (step < 0 && -step > (int64_t)m->freq[top] / 2)
            step = -(int64_t)(m->freq[top] / 2);
        m->freq[top] = (uint32_t)((int64_t)m->freq[top] + step);
        rest -= step;
    }
    set_starts(m);
}

/* Codes backwards; bytes go to out[] from `end` down, or are only counted. */
static size_t run_encoder(const model *m, const dscq_qweights *l, const uint16_t *code,
                          uint32_t state[2], uint8_t *end)
{
    size_t bytes = 0;

    state[0] = state[1] = k_low;
    for (size_t i = l->count; i-- > 0;) {
        uint32_t *x = &state[i & 1];
        const uint32_t f = m->freq[code[i]];
        const uint64_t limit = (uint64_t)(k_low >> SCALE << 8) * f;
        while (*x >= limit) {
            bytes++;
            if (end != NULL)
                *(end - bytes) = (uint8_t)*x;
            *x >>= 8;
        }
        *x = (*x / f << SCALE) + *x % f + m->start[code[i]];
    }
    return bytes;
}

static uint64_t table_bits(const model *m)
{
    uint64_t bits = 0;

    for (int i = 0; i < m->symbols; i++)
        bits += m->freq[i] < 0x80 ? 8 : m->freq[i] < 0x4000 ? 16 : 24;
    return bits;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    uint32_t state[2];
    double values = 0.0;
    model m;

    (void)err;
    *arg = 0;
    build(&m, l, code);
    const uint64_t total = run_encoder(&m, l, code, state, NULL) * 8;
    for (size_t i = 0; i < l->count; i++)
        if (code[i] != 0)
            values += log2((double)(TOTAL - m.freq[0]) / m.freq[code[i]]);
    out->values = values < (double)total ? (uint64_t)values : total;
    out->positions = total - out->values;
    out->codebooks = table_bits(&m);
    out->headers = 64;
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    uint32_t state[2];
    model m;

    (void)arg;
    build(&m, l, code);
    const size_t bytes = run_encoder(&m, l, code, state, NULL);
    uint8_t *stream = dscq_malloc(bytes, 1);
    if (stream == NULL)
        return dscq_fail_nomem(err, "rANS stream", bytes);
    (void)run_encoder(&m, l, code, state, stream + bytes);
    for (int i = 0; i < m.symbols; i++)
        dscq_put_varint(b, m.freq[i]);
    dscq_put_u(b, state[0], 4);
    dscq_put_u(b, state[1], 4);
    dscq_put(b, stream, bytes);
    dscq_free(stream);
    return DSCQ_OK;
}

static void read_model(model *m, uint8_t *slot, const dscq_qweights *l, dscq_reader *r)
{
    uint32_t sum = 0;

    m->symbols = 1 << l->bits;
    for (int i = 0; i < m->symbols; i++) {
        m->freq[i] = (uint32_t)dscq_get_int(r, 0, TOTAL, "rANS frequency");
        sum += m->freq[i];
        if (sum > TOTAL)
            dscq_get_fail(r, "rANS frequencies");
        if (r->bad != NULL)
            return;
        memset(slot + sum - m->freq[i], i, m->freq[i]);
    }
    if (sum != TOTAL)
        dscq_get_fail(r, "rANS frequencies");
    set_starts(m);
}

static void read_codes(uint16_t *code, const dscq_qweights *l, const model *m,
                       const uint8_t *slot, dscq_reader *r)
{
    uint32_t state[2] = {(uint32_t)dscq_get_u(r, 4, "rANS state"),
                         (uint32_t)dscq_get_u(r, 4, "rANS state")};
    const uint8_t *p = r->buf + r->pos, *end = r->buf + r->len;

    if (r->bad != NULL || state[0] < k_low || state[1] < k_low ||
        state[0] >= k_low << 8 || state[1] >= k_low << 8) {
        dscq_get_fail(r, "rANS state");
        return;
    }
    for (size_t i = 0; i < l->count; i++) {
        uint32_t x = state[i & 1];
        const uint32_t at = x & (TOTAL - 1);
        const uint8_t s = slot[at];
        x = m->freq[s] * (x >> SCALE) + at - m->start[s];
        while (x < k_low && p < end)
            x = x << 8 | *p++;
        code[i] = s;
        state[i & 1] = x;
    }
    if (state[0] != k_low || state[1] != k_low || p != end)
        dscq_get_fail(r, "rANS stream");
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    uint8_t *slot = dscq_calloc(TOTAL, 1);
    model m;

    (void)arg;
    if (slot == NULL)
        return dscq_fail_nomem(err, "rANS table", TOTAL);
    read_model(&m, slot, l, r);
    if (r->bad == NULL)
        read_codes(code, l, &m, slot, r);
    dscq_free(slot);
    return DSCQ_OK;
}

const pack_encoding pack__enc_rans = {
    .info = {"rans", "all codes under one static distribution, two interleaved rANS",
             DSCQ_PACK_ATREST, 1.0, TOTAL * 8 + SYMBOLS * 28,
             "a table look-up and a multiply a symbol; zeros are symbols too"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
};
