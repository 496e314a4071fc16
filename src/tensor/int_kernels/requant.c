#include "int_internal.h"
#include "int_requant.h"

enum { SHIFT_LO = 8, SHIFT_HI = 34 };

/* Channels in the order in which dw_row leaves its accumulators: within a block of
 * four vectors, vector q holds channels 4q..4q+3 of every sixteen. */
static size_t channel_at(size_t i, size_t n, int depthwise)
{
    const size_t block = 4 * VL, q = i / VL % 4, lane = i % VL;

    if (!depthwise)
        return i;
    i = i / block * block + lane / 4 * 16 + 4 * q + lane % 4;
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

static int all_fast(const dscq_requant *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (r->mult[i] != 0 && (r->shift[i] < SHIFT_LO || r->shift[i] > SHIFT_HI))
            return 0;
    return !r->is_leaky;
}

static void set_lane(requant_group *g, size_t lane, const dscq_requant *r, size_t c,
                     size_t n)
{
    const int is_dead = c >= n || r->mult[c] == 0;
    const int32_t shift = is_dead ? SHIFT_LO : r->shift[c];
    const int32_t bias = c < n ? r->bias[c] : 0;
    const int64_t one = (int64_t)1 << (shift <= SHIFT_HI ? shift : 0);

    g->m[lane] = is_dead ? 0 : r->mult[c];
    g->r[lane] = shift;
    g->bias[lane] = bias;
    g->mult[lane % 2][lane / 2] = g->m[lane];
    g->shift[lane % 2][lane / 2] = shift + 8;
    g->add[lane % 2][lane / 2] =
        (bias + 128) * one + (int64_t)(r->zero + r->offset) * 256 * one;
}

void FN(requant_pack)(void *packed, const dscq_requant *r, size_t n, int depthwise)
{
    const int32_t offset = r->out_bytes == 1 ? r->offset : 0;
    requant_head *h = packed;
    requant_group *g = (requant_group *)(void *)(h + 1);
    dscq_requant with = *r;

    with.offset = offset;
    memset(packed, 0, FN(requant_bytes)(n));
    *h = (requant_head){.is_fast = all_fast(r, n),
                        .is_leaky = r->is_leaky,
                        .slope = r->slope_q15,
                        .zero = r->zero,
                        .lo = r->lo,
                        .hi = r->hi,
                        .offset = offset,
                        .out_bytes = r->out_bytes};
    for (size_t i = 0; i < groups(n) * VL; i++)
        set_lane(&g[i / VL], i % VL, &with, channel_at(i, n, depthwise), n);
}

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
