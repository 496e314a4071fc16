/* What encodings share. */
#include "enc/encoding.h"

uint64_t dscq_pack_size_bits(const dscq_pack_size *s)
{
    return s->values + s->positions + s->codebooks + s->constants + s->padding +
           s->headers;
}

size_t pack__nonzero(const uint16_t *code, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += code[i] != 0;
    return n;
}

void pack__bits_check(dscq_reader *r, dscq_bits *b, const char *field)
{
    if (!dscq_bits_done(b))
        dscq_get_fail(r, field);
}

unsigned pack__bits_for(size_t n)
{
    unsigned b = 0;

    while (b < 63 && ((size_t)1 << b) < n)
        b++;
    return b;
}
