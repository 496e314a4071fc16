/* Every decoder of encodings.def. Input: encoding, k, r, s, c, bits, form, two bytes of
 * argument, then the payload. What is accepted must come back from the encoder. */
#include "dscq/base/alloc.h"
#include "enc/encoding.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 9, WEIGHTS_MAX = 20000 /* larger layers only cost time */ };

static void fill_layer(dscq_qweights *l, const uint8_t *d)
{
    *l = (dscq_qweights){.k = 1 + d[1] % 40,
                         .r = 1 + d[2] % 9,
                         .s = 1 + d[3] % 9,
                         .c = 1 + d[4] % 70,
                         .form = (dscq_qform)(d[6] % 3)};
    l->bits = l->form == DSCQ_FORM_BINARY                 ? 1
              : l->form == DSCQ_FORM_LINEAR && d[5] > 250 ? 16
                                                          : 1 + d[5] % 8;
    l->count = (size_t)l->k * (size_t)l->r * (size_t)l->s * (size_t)l->c;
    l->block = 1 + d[7] % 32;
    l->block_count = (l->count / (size_t)l->k + (size_t)l->block - 1) /
                     (size_t)l->block * (size_t)l->k;
    if (l->form != DSCQ_FORM_CODEBOOK)
        return;
    l->codebook_count = 1 + d[6] / 3 % (1 << l->bits);
    for (int i = 0; i < l->codebook_count; i++)
        l->codebook[i] = (int16_t)(i % 2 ? i : -i);
}

/* decode, encode, decode: the same codes. */
static void round_trip(const pack_encoding *e, const dscq_qweights *l, int32_t arg,
                       const uint16_t *code)
{
    uint16_t *again = dscq_calloc(l->count, sizeof *again);
    dscq_buf b = {0};

    for (size_t i = 0; i < l->count; i++)
        if (l->form == DSCQ_FORM_CODEBOOK && code[i] >= l->codebook_count)
            goto done; /* the file's reader refuses it one level up */
    if (again == NULL || e->encode(&b, l, arg, code, NULL) != DSCQ_OK || b.bad)
        goto done;
    static const uint8_t none[1] = {0}; /* an empty payload still has an address */
    dscq_reader r = {b.data != NULL ? b.data : none, b.len, 0, NULL};
    if (e->decode(again, l, arg, &r, NULL) != DSCQ_OK || r.bad != NULL ||
        memcmp(code, again, l->count * sizeof *code) != 0)
        abort();
done:
    dscq_buf_free(&b);
    dscq_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_qweights l;

    if (size < HEAD)
        return 0;
    const pack_encoding *e = pack__encoding(data[0] % dscq_pack_encoding_count());
    int32_t arg = data[7] | (data[8] & 15) << 16;
    fill_layer(&l, data);
    if (l.count > WEIGHTS_MAX)
        return 0;
    if (e->arg_max < 65536)
        arg = e->arg_min + data[7] % (e->arg_max - e->arg_min + 1);
    uint8_t *high = dscq_calloc(l.block_count, 1);
    uint16_t *code = dscq_calloc(l.count, sizeof *code);
    l.block_high = high;
    if (high != NULL && code != NULL && e->fits(&l) && arg >= e->arg_min &&
        arg <= e->arg_max) {
        dscq_reader r = {data + HEAD, size - HEAD, 0, NULL};
        if (e->decode(code, &l, arg, &r, NULL) == DSCQ_OK && r.bad == NULL)
            round_trip(e, &l, arg, code);
    }
    dscq_free(code);
    dscq_free(high);
    return 0;
}
