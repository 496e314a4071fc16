/* int_store.h - accumulators of a register tile to bytes in memory. A vector holds
 * columns of one row, or (`half`) up to VL/2 columns of two rows. */
#ifndef TENSOR_INT_STORE_H
#define TENSOR_INT_STORE_H

#include "int_block.h"

/* The tile's output: columns j*VL.. of row i lie at out + i*ldo + j*VL. */
typedef struct tile_out {
    uint8_t *out;
    size_t ldo;
    size_t last; /* columns of a row's last vector, with `half` of every row */
} tile_out;

/* Vector j of row i, or rows 2i and 2i + 1. */
INL void store_codes(const tile_out *o, size_t i, size_t j, int half, size_t n, vu code)
{
    if (!half) {
        store_bytes(o->out + i * o->ldo + j * VL, code, n);
        return;
    }
    uint8_t both[VL];

    store_bytes(both, code, VL);
    memcpy(o->out + 2 * i * o->ldo, both, n);
    memcpy(o->out + (2 * i + 1) * o->ldo, both + VL / 2, n);
}

#if DSCQ_LANES == 16

/* Where the codes of a tile go, decided once a tile. */
typedef enum store_kind {
    STORE_WHOLE, /* rows without gaps: four vectors are 64 neighbouring bytes */
    STORE_PIECES /* every vector on its own, the last of a row may be short    */
} store_kind;

/* Codes of four vectors, one after the other. */
INL __m512i pack_four(const requant_head *h, const vu y[4])
{
    const __m512i order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

    return _mm512_permutexvar_epi32(order, (__m512i)clamp_bytes(pack_codes(y), h));
}

INL void store_upto(uint8_t *p, __m128i x, size_t n)
{
    if (n == VL)
        _mm_storeu_si128((__m128i *)(void *)p, x);
    else if (n == VL / 2)
        _mm_storel_epi64((__m128i *)(void *)p, x);
    else
        _mm_mask_storeu_epi8(p, (__mmask16)((1U << n) - 1), x);
}

/* Vector v of the tile, row by row. */
INL void store_piece(const tile_out *o, size_t v, size_t nv, int half, __m128i x)
{
    const size_t i = v / nv, j = v % nv;

    if (half) {
        store_upto(o->out + 2 * i * o->ldo, x, o->last);
        store_upto(o->out + (2 * i + 1) * o->ldo, _mm_unpackhi_epi64(x, x), o->last);
    } else {
        store_upto(o->out + i * o->ldo + j * VL, x, j + 1 == nv ? o->last : VL);
    }
}

/* Vectors v .. v + 3 of the tile, as far as there are any. */
INL void store_four(const tile_out *o, const store_kind kind, size_t v, size_t all,
                    size_t nv, int half, __m512i x)
{
    if (kind == STORE_WHOLE && v + 4 <= all) {
        _mm512_storeu_si512(o->out + v * VL, x);
        return;
    }
    store_piece(o, v, nv, half, _mm512_castsi512_si128(x));
    if (v + 1 < all)
        store_piece(o, v + 1, nv, half, _mm512_extracti32x4_epi32(x, 1));
    if (v + 2 < all)
        store_piece(o, v + 2, nv, half, _mm512_extracti32x4_epi32(x, 2));
    if (v + 3 < all)
        store_piece(o, v + 3, nv, half, _mm512_extracti32x4_epi32(x, 3));
}

#endif

#endif
