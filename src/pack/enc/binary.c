/* binary: one sign bit a weight, except in the marked blocks, whose weights are 8-bit
 * numbers (after Nguyen et al. 2021, block-sparse high precision over 1-bit weights).
 */
#include "enc/encoding.h"

static int fits(const dscq_qweights *l)
{
    return l->form == DSCQ_FORM_BINARY;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    uint64_t high = 0;

    (void)err;
    (void)code;
    *arg = 0;
    for (size_t i = 0; i < l->count; i++)
        high += l->block_high[dscq_qweights_block(l, i)];
    out->values = l->count - high + high * 8;
    out->positions = l->block_count;
    out->padding = (8 - l->block_count % 8) % 8 + (8 - out->values % 8) % 8;
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    (void)arg;
    (void)err;
    for (size_t i = 0; i < l->block_count; i++)
        dscq_put_bits(b, l->block_high[i], 1);
    (void)dscq_put_bits_end(b);
    for (size_t i = 0; i < l->count; i++)
        dscq_put_bits(b, code[i], l->block_high[dscq_qweights_block(l, i)] ? 8 : 1);
    (void)dscq_put_bits_end(b);
    return DSCQ_OK;
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    const size_t map_bytes = (l->block_count + 7) / 8;
    const uint8_t *map = dscq_get_bytes(r, map_bytes, "block map");
    dscq_bits b;

    (void)arg;
    (void)err;
    if (r->bad != NULL)
        return DSCQ_OK;
    dscq_bits_init(&b, map, map_bytes);
    for (size_t i = 0; i < l->block_count; i++)
        l->block_high[i] = (uint8_t)dscq_bits_get(&b, 1);
    pack__bits_check(r, &b, "block map");
    dscq_bits_init(&b, r->buf + r->pos, r->len - r->pos);
    for (size_t i = 0; i < l->count; i++)
        code[i] = (uint16_t)dscq_bits_get(
            &b, l->block_high[dscq_qweights_block(l, i)] ? 8 : 1);
    pack__bits_check(r, &b, "signs");
    return DSCQ_OK;
}

const pack_encoding pack__enc_binary = {
    .info = {"binary", "a sign bit a weight; marked blocks hold 8-bit weights",
             DSCQ_PACK_FIXED, 8.0, 0,
             "signs need adders only; blocks go to a small multiplier path"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
};
