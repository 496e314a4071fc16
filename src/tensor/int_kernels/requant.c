#include "int_internal.h"
#include "int_requant.h"

enum { DEAD_SHIFT = 16 }; /* any shift will do when m is 0; this one suits all kinds */

/* Channels in the order in which dw_row leaves its accumulators: within a block of
 * four vectors, vector q holds channels 4q..4q+3 of every sixteen. */
static size_t channel_at(size_t i, size_t n, int depthwise)
{
    const size_t block = 4 * VL, q = i / VL % 4, lane = i % VL;

    if (!depthwise) /* narrow matrices: a vector has two rows (int_gemm.c) */
        return n <= VL / 2 ? i % (VL / 2) : i;
    const size_t first = i / block * block;

    i = n >= block && first + block > n ? n - block : first;
    i += lane / 4 * 16 + 4 * q + lane % 4;
    /* narrow maps: neighbouring pixels fill the block (int_depthwise.c) */
    return n < block && n % 8 == 0 && block % n == 0 ? i % n : i;
}

static size_t groups(size_t n)
{
    return (n + 4 * VL - 1) / (4 * VL) * 4; /* room for either order */
}

size_t FN(requant_bytes)(size_t n)
{
    return sizeof(requant_head) + groups(n) * sizeof(requant_group);
}

static int32_t shift_of(const dscq_requant *r, size_t c, size_t n)
{
    return c >= n || r->mult[c] == 0 ? DEAD_SHIFT : r->shift[c];
}

static requant_kind kind_of(const dscq_requant *r, size_t n)
{
    int32_t least = DEAD_SHIFT, most = DEAD_SHIFT;

    for (size_t i = 0; i < n; i++) {
        least = shift_of(r, i, n) < least ? shift_of(r, i, n) : least;
        most = shift_of(r, i, n) > most ? shift_of(r, i, n) : most;
    }
    if (!HAS_UPPER)
        return REQUANT_LANES;
    if (r->is_leaky)
        return least >= 16 && most <= 32 ? REQUANT_LEAKY : REQUANT_LANES;
    if (least < 8 || most > 34)
        return REQUANT_LANES;
    return most <= 24 ? REQUANT_UPPER : REQUANT_SHIFT;
}

static int64_t times_power(int64_t x, int power)
{
    return x * ((int64_t)1 << power);
}

static void set_lane(requant_group *g, size_t lane, const dscq_requant *r, size_t c,
                     size_t n, requant_kind kind)
{
    const int32_t shift = shift_of(r, c, n), m = c < n ? r->mult[c] : 0;
    const int32_t bias = c < n ? r->bias[c] : 0, zero = r->zero + r->offset;
    int64_t *mult = &g->mult[lane % 2][lane / 2], *add = &g->add[lane % 2][lane / 2];

    g->m[lane] = m;
    g->r[lane] = shift;
    g->bias[lane] = bias;
    g->shift[lane % 2][lane / 2] = shift + 8;
    switch (kind) {
    case REQUANT_UPPER:
        *mult = times_power(m, 24 - shift);
        *add = times_power(bias + 128, 24) + times_power(zero, 32);
        break;
    case REQUANT_SHIFT:
        *mult = m;
        *add = times_power(bias + 128, shift) + times_power(zero, shift + 8);
        break;
    case REQUANT_LEAKY:
        *mult = times_power(m, 32 - shift);
        *add = times_power(bias, 32);
        break;
    case REQUANT_LANES:
        break;
    }
}

void FN(requant_pack)(void *packed, const dscq_requant *r, size_t n, int depthwise)
{
    const int32_t offset = r->out_bytes == 1 ? r->offset : 0;
    const requant_kind kind = kind_of(r, n);
    requant_head *h = packed;
    requant_group *g = (requant_group *)(void *)(h + 1);
    dscq_requant with = *r;

    with.offset = offset;
    memset(packed, 0, FN(requant_bytes)(n));
    *h = (requant_head){.kind = (int32_t)kind,
                        .is_leaky = r->is_leaky,
                        .slope = r->slope_q15,
                        .zero = r->zero,
                        .lo = r->lo,
                        .hi = r->hi,
                        .offset = offset,
                        .out_bytes = r->out_bytes};
    for (size_t i = 0; i < groups(n) * VL; i++)
        set_lane(&g[i / VL], i % VL, &with, channel_at(i, n, depthwise), n, kind);
}

/* ---- the slower kinds --------------------------------------------------- */

/* One accumulator: the definition. Returns the code + offset. */
static uint32_t one_lane(const requant_head *h, const requant_group *g, size_t i,
                         uint32_t acc)
{
    int64_t u = ((int64_t)(int32_t)acc * g->m[i] >> g->r[i]) + g->bias[i];

    if (h->is_leaky && u < 0)
        u = (u * h->slope) >> 15;
    u = h->zero + ((u + 128) >> 8);
    u = u < h->lo ? h->lo : u > h->hi ? h->hi : u;
    return (uint32_t)((int32_t)u + h->offset);
}

#if DSCQ_LANES == 16

INL v64 shift_right(v64 x, const int64_t *by)
{
    return _mm512_srav_epi64(x, _mm512_loadu_si512(by));
}

INL v64 lower_halves(v64 e, v64 o)
{
    return _mm512_mask_shuffle_epi32(e, 0xaaaa, o, _MM_PERM_CCAA);
}

INL v64 times(v64 a, int32_t by)
{
    return _mm512_mul_epi32(a, _mm512_set1_epi32(by));
}

INL v64 shift_right_15(v64 a)
{
    return _mm512_srai_epi64(a, 15);
}

#elif DSCQ_LANES == 8

/* There is no arithmetic 64-bit shift: add 2^62, shift logically, take 2^62 >> s away
 * again. No sum here reaches 2^62. */
INL v64 shift_right(v64 x, const int64_t *by)
{
    const v64 up = _mm256_set1_epi64x((int64_t)1 << 62);
    const v64 s = _mm256_loadu_si256((const __m256i *)(const void *)by);

    return _mm256_sub_epi64(_mm256_srlv_epi64(_mm256_add_epi64(x, up), s),
                            _mm256_srlv_epi64(up, s));
}

INL v64 lower_halves(v64 e, v64 o)
{
    return _mm256_blend_epi32(e, _mm256_slli_epi64(o, 32), 0xaa);
}

INL v64 times(v64 a, int32_t by)
{
    return _mm256_mul_epi32(a, _mm256_set1_epi32(by));
}

/* only the low 32 bits are used, which a logical shift gets right */
INL v64 shift_right_15(v64 a)
{
    return _mm256_srli_epi64(a, 15);
}

#endif

#if HAS_UPPER

static vu shift_kind(const requant_head *h, const requant_group *g, vu acc)
{
    v64 e = add_wide(mul_wide((v64)acc, g->mult[0]), g->add[0]);
    v64 o = add_wide(mul_wide(odd_lanes((v64)acc), g->mult[1]), g->add[1]);

    e = shift_right(e, g->shift[0]);
    o = shift_right(o, g->shift[1]);
    return clamp_codes(h, (vu)lower_halves(e, o));
}

static vu leaky_kind(const requant_head *h, const requant_group *g, vu acc)
{
    const vi u = (vi)upper_of(g, acc);
    const v64 e = shift_right_15(times((v64)u, h->slope));
    const v64 o = shift_right_15(times(odd_lanes((v64)u), h->slope));
    const vi v = v_pick(u < 0, (vi)lower_halves(e, o), u);

    return clamp_codes(h, (vu)(((v + 128) >> 8) + (h->zero + h->offset)));
}

#endif

void FN(requant_other)(const requant_head *h, const requant_group *g,
                       const uint32_t *acc, uint32_t *code)
{
#if HAS_UPPER
    if (h->kind == REQUANT_SHIFT) {
        u_store(code, shift_kind(h, g, u_load(acc)));
        return;
    }
    if (h->kind == REQUANT_LEAKY) {
        u_store(code, leaky_kind(h, g, u_load(acc)));
        return;
    }
#endif
    for (size_t i = 0; i < VL; i++)
        code[i] = one_lane(h, g, i, acc[i]);
}

void FN(requant_splat)(requant_group *out, const requant_group *in, size_t lane)
{
    const size_t o = lane % 2, i = lane / 2;

    for (size_t k = 0; k < VL; k++) {
        out->mult[k % 2][k / 2] = in->mult[o][i];
        out->add[k % 2][k / 2] = in->add[o][i];
        out->shift[k % 2][k / 2] = in->shift[o][i];
        out->m[k] = in->m[lane];
        out->r[k] = in->r[lane];
        out->bias[k] = in->bias[lane];
    }
}

/* ---- rows --------------------------------------------------------------- */

static void store_codes(void *out, size_t at, vu y, size_t n, int32_t out_bytes)
{
    uint16_t *wide = out;

    if (out_bytes == 1) {
        store_bytes((uint8_t *)out + at, y, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        wide[at + i] = (uint16_t)y[i];
}

void FN(requant)(const void *packed, const int32_t *acc, size_t lda, void *out,
                 size_t ldo, size_t rows, size_t n)
{
    const requant_head *h = packed;
    const requant_group *g = requant_groups(packed);

    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < n; c += VL) {
            const size_t left = n - c < VL ? n - c : VL;
            vu x =
                (vu)v_load_upto((const float *)(const void *)(acc + r * lda + c), left);

            store_codes(out, r * ldo + c, requant_vector(h, g + c / VL, x), left,
                        h->out_bytes);
        }
}
