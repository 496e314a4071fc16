/*
 * int_depthwise.c - one row of a depthwise convolution on bytes.
 *
 * Four taps of 4*VL channels are interleaved into words (two rounds of unpacking), so
 * that the dot product of four bytes does four taps. Unpacking leaves vector q with
 * channels 4q..4q+3 of every sixteen; start values, weights and requantisation are
 * stored in that order, and packing the codes undoes it. Maps of 8, 16 or 32 channels
 * (less than a block) take neighbouring pixels together.
 */
#include "int_internal.h"
#include "int_requant.h"

#include <assert.h>

enum { BLOCK = 4 * DSCQ_LANES, TAPS_MAX = 256 };

typedef uint8_t vb __attribute__((vector_size(4 * DSCQ_LANES)));
typedef uint64_t vl __attribute__((vector_size(4 * DSCQ_LANES)));

#if DSCQ_LANES == 16
#define UNPACK(part, bits, a, b)                                                       \
    ((vb)_mm512_unpack##part##_epi##bits((__m512i)(a), (__m512i)(b)))
#elif DSCQ_LANES == 8
#define UNPACK(part, bits, a, b)                                                       \
    ((vb)_mm256_unpack##part##_epi##bits((__m256i)(a), (__m256i)(b)))
#elif defined(__x86_64__)
#define UNPACK(part, bits, a, b)                                                       \
    ((vb)_mm_unpack##part##_epi##bits((__m128i)(a), (__m128i)(b)))
#else
typedef uint16_t vh __attribute__((vector_size(16)));
#define lo_8(a, b)                                                                     \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,  \
                            23)
#define hi_8(a, b)                                                                     \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14,    \
                            30, 15, 31)
#define lo_16(a, b)                                                                    \
    ((vb)__builtin_shufflevector((vh)(a), (vh)(b), 0, 8, 1, 9, 2, 10, 3, 11))
#define hi_16(a, b)                                                                    \
    ((vb)__builtin_shufflevector((vh)(a), (vh)(b), 4, 12, 5, 13, 6, 14, 7, 15))
#define UNPACK(part, bits, a, b) part##_##bits(a, b)
#endif

static int is_joined(size_t c)
{
    return c < BLOCK && c % 8 == 0 && BLOCK % c == 0;
}

static size_t blocks(size_t c)
{
    return (c + BLOCK - 1) / BLOCK;
}

static size_t tap_groups(size_t taps)
{
    return (taps + 3) / 4;
}

/* Words of one block: its start values, then its weights. */
static size_t block_words(size_t taps)
{
    return (size_t)BLOCK * (1 + tap_groups(taps) * WORDS);
}

size_t FN(dw_packed_bytes)(size_t taps, size_t c)
{
    return blocks(c) * block_words(taps) * sizeof(uint32_t);
}

/* As channel_at() in requant.c */
static size_t channel_of(size_t block, size_t i, size_t c)
{
    const size_t at = block * BLOCK + i % VL / 4 * 16 + 4 * (i / VL) + i % 4;

    return is_joined(c) ? at % c : at;
}

void FN(dw_pack)(void *packed, const int16_t *w, size_t taps, size_t c, int32_t zero)
{
    uint32_t *out = packed;

    for (size_t b = 0; b < blocks(c); b++, out += block_words(taps))
        for (size_t i = 0; i < BLOCK; i++) {
            const size_t from = channel_of(b, i, c);
            uint32_t start = 0, words[WORDS];

            for (size_t g = 0; g < tap_groups(taps); g++) {
                int16_t four[4] = {0, 0, 0, 0};

                for (size_t t = 0; t < 4 && 4 * g + t < taps && from < c; t++) {
                    four[t] = w[from * taps + 4 * g + t];
                    start -= (uint32_t)(zero * four[t]);
                }
                weight_words(words, four);
                for (size_t k = 0; k < WORDS; k++)
                    out[BLOCK * (1 + g * WORDS) + (i / VL * WORDS + k) * VL + i % VL] =
                        words[k];
            }
            out[i] = start;
        }
}

typedef struct dw_job {
    const uint8_t *tap[TAPS_MAX]; /* of the first output, first channel */
    size_t groups;                /* of four taps; the last are repeated */
    size_t c, pixels, step;       /* step: bytes between two windows     */
    const requant_head *head;
} dw_job;

/* BLOCK bytes: contiguous, or of `c` bytes from each of BLOCK/c windows. */
INL vb load_block(const uint8_t *p, size_t step, size_t c)
{
    vl x;

    if (step == c)
        return (vb)u_load(p);
    UNROLL
    for (size_t i = 0; i < BLOCK / 8; i++) {
        uint64_t eight;

        memcpy(&eight, p + i * 8 / c * step + i * 8 % c, sizeof eight);
        x[i] = eight;
    }
    return (vb)x;
}

/* n bytes of a block, the windows next to each other. */
INL vb load_part(const uint8_t *p, size_t n)
{
#if DSCQ_LANES == 16
    return (vb)_mm512_maskz_loadu_epi8(
        n >= BLOCK ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1, p);
#else
    uint8_t part[BLOCK] = {0};

    memcpy(part, p, n);
    return (vb)u_load(part);
#endif
}

INL void accumulate(vu acc[4], const vb x[4], const uint32_t *w)
{
    const vb a = UNPACK(lo, 8, x[0], x[1]), b = UNPACK(hi, 8, x[0], x[1]);
    const vb c = UNPACK(lo, 8, x[2], x[3]), d = UNPACK(hi, 8, x[2], x[3]);
    const vu q[4] = {(vu)UNPACK(lo, 16, a, c), (vu)UNPACK(hi, 16, a, c),
                     (vu)UNPACK(lo, 16, b, d), (vu)UNPACK(hi, 16, b, d)};

    UNROLL
    for (size_t i = 0; i < 4; i++) {
        vu words[WORDS];

        for (size_t k = 0; k < WORDS; k++)
            words[k] = u_load(w + (i * WORDS + k) * VL);
        acc[i] = dot4(acc[i], quad_of(q[i]), words);
    }
}

/* Codes of a block back in channel order. */
INL vb pack_codes(const vu y[4])
{
#if DSCQ_LANES == 16
    return (vb)_mm512_packus_epi16(_mm512_packs_epi32((__m512i)y[0], (__m512i)y[1]),
                                   _mm512_packs_epi32((__m512i)y[2], (__m512i)y[3]));
#elif DSCQ_LANES == 8
    return (vb)_mm256_packus_epi16(_mm256_packs_epi32((__m256i)y[0], (__m256i)y[1]),
                                   _mm256_packs_epi32((__m256i)y[2], (__m256i)y[3]));
#else
    vb x = {0};

    for (size_t i = 0; i < BLOCK; i++)
        x[i] = (uint8_t)y[i / 4][i % 4];
    return x;
#endif
}

typedef enum load_kind { CONTIGUOUS, WINDOWS, PART } load_kind;

/* One block at byte offset `at` of every tap. */
INL vb run_block(const dw_job *j, const load_kind kind, size_t at, size_t n,
                 const uint32_t *packed, const requant_group *g)
{
    const uint32_t *w = packed + BLOCK;
    vu acc[4];

    UNROLL
    for (size_t i = 0; i < 4; i++)
        acc[i] = u_load(packed + i * VL);
    for (size_t k = 0; k < j->groups; k++, w += BLOCK * WORDS) {
        vb x[4];

        UNROLL
        for (size_t t = 0; t < 4; t++) {
            const uint8_t *p = j->tap[4 * k + t] + at;

            x[t] = kind == PART      ? load_part(p, n)
                   : kind == WINDOWS ? load_block(p, j->step, j->c)
                                     : (vb)u_load(p);
        }
        accumulate(acc, x, w);
    }
    UNROLL
    for (size_t i = 0; i < 4; i++)
        acc[i] = requant_vector(j->head, g + i, acc[i]);
    return pack_codes(acc);
}

/* Pixels outside, blocks of channels inside. */
static void row_wide(const dw_job *j, const uint32_t *packed, size_t words,
                     uint8_t *out)
{
    for (size_t x = 0; x < j->pixels; x++, out += j->c) {
        const requant_group *g = requant_groups(j->head);
        const uint32_t *w = packed;

        for (size_t c = 0; c < j->c; c += BLOCK, w += words, g += 4) {
            const size_t n = j->c - c;
            vb y;

            if (n >= BLOCK) {
                u_store(out + c,
                        (vu)run_block(j, CONTIGUOUS, x * j->step + c, 0, w, g));
                continue;
            }
            y = run_block(j, PART, x * j->step + c, n, w, g);
            memcpy(out + c, &y, n);
        }
    }
}

/* Several pixels a block. The last block starts early enough to end in time. */
static void row_joined(const dw_job *j, const uint32_t *packed, uint8_t *out)
{
    const size_t join = BLOCK / j->c;
    const requant_group *g = requant_groups(j->head);
    size_t x = 0;
    vb y;

    while (j->pixels >= join) {
        if (j->step == j->c)
            y = run_block(j, CONTIGUOUS, x * j->step, 0, packed, g);
        else
            y = run_block(j, WINDOWS, x * j->step, 0, packed, g);
        u_store(out + x * j->c, (vu)y);
        if (x + join == j->pixels)
            return;
        x = x + 2 * join <= j->pixels ? x + join : j->pixels - join;
    }
    for (; x < j->pixels; x++) { /* fewer pixels than a block */
        y = run_block(j, PART, x * j->step, j->c, packed, g);
        memcpy(out + x * j->c, &y, j->c);
    }
}

void FN(dw_row)(const dscq_geom *g, const uint8_t *const *in, const void *packed,
                uint8_t *out, const void *rq)
{
    const size_t c = (size_t)g->c, kw = (size_t)g->kernel_w;
    const size_t taps = (size_t)g->kernel_h * kw;
    dw_job j = {.groups = tap_groups(taps),
                .c = c,
                .pixels = (size_t)g->out_w,
                .step = (size_t)g->stride_w * c,
                .head = rq};

    assert(taps <= TAPS_MAX - 4);
    for (size_t t = 0; t < 4 * j.groups; t++) {
        const size_t real = t < taps ? t : taps - 1; /* its weight is 0 */

        j.tap[t] = in[real / kw] + real % kw * (size_t)g->dilation_w * c;
    }
    if (is_joined(c))
        row_joined(&j, packed, out);
    else
        row_wide(&j, packed, block_words(taps), out);
}
