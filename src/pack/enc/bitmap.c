/* bitmap: one bit a weight (1: not zero), then the codes of the others. */
#include "enc/encoding.h"

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    (void)err;
    *arg = 0;
    out->values = (uint64_t)pack__nonzero(code, l->count) * (uint64_t)l->bits;
    out->positions = l->count;
    out->padding = (8 - l->count % 8) % 8 + (8 - out->values % 8) % 8;
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    (void)arg;
    (void)err;
    for (size_t i = 0; i < l->count; i++)
        dscq_put_bits(b, code[i] != 0, 1);
    (void)dscq_put_bits_end(b);
    for (size_t i = 0; i < l->count; i++)
        if (code[i] != 0)
            dscq_put_bits(b, code[i], (unsigned)l->bits);
    (void)dscq_put_bits_end(b);
    return DSCQ_OK;
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    const unsigned bits = (unsigned)l->bits;
    dscq_bits map, b;
    unsigned zero_code = 0;

    (void)arg;
    (void)err;
    const size_t map_bytes = (l->count + 7) / 8;
    const uint8_t *p = dscq_get_bytes(r, map_bytes, "bitmap");
    if (r->bad != NULL)
        return DSCQ_OK;
    dscq_bits_init(&map, p, map_bytes);
    dscq_bits_init(&b, r->buf + r->pos, r->len - r->pos);
    for (size_t i = 0; i < l->count; i++) {
        code[i] = 0;
        if (dscq_bits_get(&map, 1) != 0) {
            code[i] = (uint16_t)dscq_bits_get(&b, bits);
            zero_code |= code[i] == 0;
        }
    }
    pack__bits_check(r, &map, "bitmap");
    pack__bits_check(r, &b, "bitmap codes");
    if (zero_code)
        dscq_get_fail(r, "code 0 where the bitmap has a 1");
    return DSCQ_OK;
}

const pack_encoding pack__enc_bitmap = {
    .info = {"bitmap", "one bit a weight, then the codes that are not zero",
             DSCQ_PACK_FIXED, 1.0, 0,
             "a leading-one detector over a word of the map finds the next weight"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
};
