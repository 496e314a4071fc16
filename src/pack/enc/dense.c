/* dense: every code, b bits. */
#include "enc/encoding.h"

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    const uint64_t b = (uint64_t)l->bits, nnz = pack__nonzero(code, l->count);

    (void)err;
    *arg = 0;
    out->values = nnz * b;
    out->positions = (l->count - nnz) * b;
    out->padding = (8 - l->count * b % 8) % 8;
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    (void)arg;
    (void)err;
    for (size_t i = 0; i < l->count; i++)
        dscq_put_bits(b, code[i], (unsigned)l->bits);
    (void)dscq_put_bits_end(b);
    return DSCQ_OK;
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    const unsigned bits = (unsigned)l->bits;
    dscq_bits b;

    (void)arg;
    (void)err;
    if (r->len != (l->count * bits + 7) / 8) {
        dscq_get_fail(r, "length of dense codes");
        return DSCQ_OK;
    }
    dscq_bits_init(&b, r->buf, r->len);
    for (size_t i = 0; i < l->count; i++)
        code[i] = (uint16_t)dscq_bits_get(&b, bits);
    pack__bits_check(r, &b, "dense codes");
    return DSCQ_OK;
}

const pack_encoding pack__enc_dense = {
    .info = {"dense", "every weight's code, zeros too", DSCQ_PACK_FIXED, 1.0, 0,
             "one shifter; zero weights take cycles unless dropped behind the decoder"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
};
