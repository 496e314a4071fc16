/* gap: (zeros before, code) pairs; a longer run is bridged by fillers, pairs of the
 * largest gap and code 0. arg = bits of a gap. After Han et al. 2016, section 2; the
 * gap's width is chosen per layer by exact count. */
#include "enc/encoding.h"

enum { GAP_MIN = 1, GAP_MAX = 16 };

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY;
}

/* fillers[g] += fillers that a run of n zeros before a weight needs with g bits. */
static void count_fillers(uint64_t fillers[GAP_MAX + 1], size_t n)
{
    for (int g = GAP_MIN; g <= GAP_MAX && n >> g != 0; g++)
        fillers[g] += n >> g;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    uint64_t fillers[GAP_MAX + 1] = {0}, nnz = 0, best = UINT64_MAX;
    size_t run = 0;
    const uint64_t b = (uint64_t)l->bits;

    (void)err;
    for (size_t i = 0; i < l->count; i++) {
        if (code[i] == 0) {
            run++;
            continue;
        }
        count_fillers(fillers, run);
        run = 0;
        nnz++;
    }
    for (int g = GAP_MIN; g <= GAP_MAX; g++) {
        const uint64_t bits = (nnz + fillers[g]) * (b + (uint64_t)g);
        if (bits < best) {
            best = bits;
            *arg = g;
        }
    }
    out->values = nnz * b;
    out->positions = best - out->values;
    out->padding = (8 - best % 8) % 8;
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    const unsigned g = (unsigned)arg, bits = (unsigned)l->bits;
    const uint32_t full = (1U << g) - 1;
    size_t run = 0;

    (void)err;
    for (size_t i = 0; i < l->count; i++) {
        if (code[i] == 0) {
            run++;
            continue;
        }
        for (; run > full; run -= (size_t)full + 1) {
            dscq_put_bits(b, full, g);
            dscq_put_bits(b, 0, bits);
        }
        dscq_put_bits(b, (uint32_t)run, g);
        dscq_put_bits(b, code[i], bits);
        run = 0;
    }
    (void)dscq_put_bits_end(b);
    return DSCQ_OK;
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    const unsigned g = (unsigned)arg, bits = (unsigned)l->bits;
    const uint32_t full = (1U << g) - 1, mask = (1U << bits) - 1;
    size_t at = 0;
    int filler = 0;
    dscq_bits b;

    (void)err;
    memset(code, 0, l->count * sizeof *code);
    dscq_bits_init(&b, r->buf, r->len);
    /* Rests of less than a byte may hold an all-zero pair, which is never a pair. */
    for (size_t left = r->len * 8; left >= g + bits; left -= g + bits) {
        const uint32_t pair = dscq_bits_get(&b, g + bits);
        const uint32_t gap = pair & full, v = pair >> g & mask;
        if (pair == 0 && left < 8)
            break;
        at += gap;
        if (at >= l->count || (v == 0 && gap != full)) {
            dscq_get_fail(r, "gap pairs");
            return DSCQ_OK;
        }
        code[at++] = (uint16_t)v;
        filler = v == 0;
    }
    if (filler)
        dscq_get_fail(r, "gap pairs end with a filler");
    pack__bits_check(r, &b, "gap pairs");
    return DSCQ_OK;
}

const pack_encoding pack__enc_gap = {
    .info = {"gap", "zeros before each weight in g bits, its code; fillers bridge",
             DSCQ_PACK_FIXED, 1.0, 0,
             "an adder for the position; a filler takes a cycle like a weight"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
    .arg_min = GAP_MIN,
    .arg_max = GAP_MAX,
};
