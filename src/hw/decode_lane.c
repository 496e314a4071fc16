/* One lane's stream back into weights: docs/accelerator.md section 4, rules W1..W6.
 * Bits are taken from the low end of each byte. A stream is trusted no further than
 * its lengths: reading beyond a lane's end is DSCQ_FORMAT. */
#include "decode.h"

#include <string.h>

typedef struct bits {
    const uint8_t *at;
    uint64_t pos, end; /* in bits */
    int bad;
} bits;

/* The next bits, at least 56 of them where the lane has as many. */
static inline uint64_t peek(const bits *b)
{
    uint64_t word = 0;
    const uint64_t byte = b->pos / 8;
    const uint64_t left = (b->end + 7) / 8 - byte;

    if (left >= 8) {
        memcpy(&word, b->at + byte, 8);
        return word >> (b->pos % 8);
    }
    for (uint64_t i = 0; i < left; i++)
        word |= (uint64_t)b->at[byte + i] << (8 * i);
    return word >> (b->pos % 8);
}

static inline int skip(bits *b, uint64_t n)
{
    if (n > b->end - b->pos) {
        b->bad = 1;
        return 0;
    }
    b->pos += n;
    return 1;
}

static inline uint32_t take(bits *b, int32_t n)
{
    const uint64_t word = peek(b);

    return skip(b, (uint64_t)n) ? (uint32_t)word & (uint32_t)((1ULL << n) - 1) : 0;
}

static inline int32_t ones(uint32_t x)
{
    x -= x >> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >> 2 & 0x33333333);
    return (int32_t)((((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101) >> 24);
}

static inline int32_t value_of(const dscq_hw_wtile *w, uint32_t code)
{
    if (!w->is_linear)
        return w->codebook[code & 255];
    const uint32_t sign = 1u << (w->bits - 1);
    return (int32_t)(code ^ sign) - (int32_t)sign;
}

typedef struct lane {
    const dscq_hw_wtile *w;
    hw_plane *out;
    bits b;
    int32_t outer, inner; /* W1: for each of `outer`, `inner` positions */
} lane;

static inline int16_t *place_of(const lane *l, int32_t o, int32_t i)
{
    return l->out->value + (size_t)o * l->out->outer_step + l->out->inner_at[i];
}

static inline void count(const lane *l, int32_t o, int32_t entries)
{
    uint16_t *at = &l->out->count[(size_t)o * l->out->count_step];

    *at = (uint16_t)(*at + entries);
}

/* The codes of the positions that are set in `mask`, positions i, i + 1, ... of o. */
static void codes(lane *l, int32_t o, int32_t i, uint32_t mask)
{
    const int32_t b = l->w->bits, batch = 56 / b;
    const uint64_t field = (1ULL << b) - 1;

    while (mask != 0) {
        uint64_t word = peek(&l->b);
        int32_t n = 0;
        for (; n < batch && mask != 0; n++) {
            *place_of(l, o, i + __builtin_ctz(mask)) =
                (int16_t)value_of(l->w, (uint32_t)(word & field));
            word >>= b;
            mask &= mask - 1;
        }
        if (!skip(&l->b, (uint64_t)(n * b)))
            return;
    }
}

static void read_bitmap(lane *l)
{
    for (int32_t o = 0; o < l->outer && !l->b.bad; o++) {
        bits map = l->b; /* `inner` mask bits, then the codes of those that are set */
        if (!skip(&l->b, (uint64_t)l->inner))
            return;
        for (int32_t i = 0; i < l->inner && !l->b.bad; i += 32) {
            const int32_t n = l->inner - i < 32 ? l->inner - i : 32;
            const uint32_t mask = take(&map, n);
            const int32_t set = ones(mask);
            count(l, o, set);
            if (l->out->value == NULL)
                (void)skip(&l->b, (uint64_t)set * (uint64_t)l->w->bits);
            else
                codes(l, o, i, mask);
        }
    }
}

static void read_dense(lane *l)
{
    for (int32_t o = 0; o < l->outer && !l->b.bad; o++) {
        count(l, o, l->inner);
        if (l->out->value == NULL) {
            (void)skip(&l->b, (uint64_t)l->inner * (uint64_t)l->w->bits);
            continue;
        }
        for (int32_t i = 0; i < l->inner; i++)
            *place_of(l, o, i) = (int16_t)value_of(l->w, take(&l->b, l->w->bits));
    }
}

static void read_gap(lane *l)
{
    const uint32_t entries = take(&l->b, 32);
    const int32_t g = l->w->gap_bits, b = l->w->bits;
    int64_t i = 0;
    int32_t o = 0;

    for (uint32_t e = 0; e < entries; e++) {
        const uint64_t word = peek(&l->b);
        if (!skip(&l->b, (uint64_t)(g + b)))
            return;
        i += (int64_t)(word & ((1ULL << g) - 1));
        if (i >= l->inner) {
            o += (int32_t)(i / l->inner);
            i %= l->inner;
        }
        if (o >= l->outer) {
            l->b.bad = 1;
            return;
        }
        count(l, o, 1);
        if (l->out->value != NULL)
            *place_of(l, o, (int32_t)i) = (int16_t)value_of(
                l->w, (uint32_t)(word >> g) & (uint32_t)((1ULL << b) - 1));
        i++;
    }
}

static void read_binary(lane *l, const int32_t *channel, int32_t lanes, int depthwise)
{
    const dscq_hw_wtile *w = l->w;
    const int32_t blocks = (w->columns + w->block - 1) / w->block;
    const int32_t rows = depthwise ? l->outer : l->inner;
    bits flags = l->b;
    const uint64_t flags_at = flags.pos;

    if (!skip(&l->b, (uint64_t)blocks * (uint64_t)rows))
        return;
    for (int32_t o = 0; o < l->outer && !l->b.bad; o++)
        for (int32_t i = 0; i < l->inner && !l->b.bad; i++) {
            const int32_t row = depthwise ? o : i, k = depthwise ? i : o;
            flags.pos = flags_at + (uint64_t)(row * blocks + k / w->block);
            const int32_t level = w->level[channel[row * lanes] - w->m_first];
            int32_t v;
            if (take(&flags, 1))
                v = (int8_t)(uint8_t)take(&l->b, 8);
            else
                v = take(&l->b, 1) ? -level : level;
            count(l, o, 1);
            if (l->out->value != NULL)
                *place_of(l, o, i) = (int16_t)v;
        }
}

int hw__decode_lane(hw_plane *out, const dscq_hw_wtile *w, const uint8_t *stream,
                    int32_t number, int32_t rows, int32_t lanes, int depthwise)
{
    lane l = {.w = w,
              .out = out,
              .b = {stream + w->lane_offset[number], 0,
                    8ULL * (w->lane_offset[number + 1] - w->lane_offset[number]), 0},
              .outer = depthwise ? rows : w->columns,
              .inner = depthwise ? w->columns : rows};

    if (rows == 0)
        return 1;
    switch (w->kind) {
    case DSCQ_STREAM_DENSE:
        read_dense(&l);
        break;
    case DSCQ_STREAM_BITMAP:
        read_bitmap(&l);
        break;
    case DSCQ_STREAM_GAP:
        read_gap(&l);
        break;
    default:
        read_binary(&l, w->channel + number, lanes, depthwise);
        break;
    }
    return !l.b.bad;
}
