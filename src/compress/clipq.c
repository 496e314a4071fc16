/* CLIP-Q: Tung and Mori, CVPR 2018, section 3.1. */
#include "compress_internal.h"
#include "dscq/compress/levels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A bin is sign, exponent and four bits of mantissa of a float: the bits of positive
 * floats count up with their value, so a rank can be found bin by bin. */
enum { BIN_SHIFT = 19, SIDE_BINS = 1 << 12, BINS = 2 * SIDE_BINS, ENTROPY_BINS = 128 };

typedef struct clip_scratch {
    uint32_t bins[2][BINS]; /* even and odd weights: no waiting on one counter */
    uint8_t *code;          /* [n] */
    float *gather;          /* [n] */
} clip_scratch;

size_t dscq_clipq_scratch_bytes(size_t n)
{
    /* masks need a copy of the weights beside it */
    return sizeof(clip_scratch) + 256 + n * (2 * sizeof(float) + 1);
}

static clip_scratch *carve(void *scratch, size_t n)
{
    clip_scratch *s = scratch;

    s->gather = (float *)(void *)((unsigned char *)scratch + sizeof *s);
    s->code = (uint8_t *)(s->gather + n);
    return s;
}

static uint32_t float_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static void histogram(clip_scratch *s, const float *w, size_t n)
{
    memset(s->bins, 0, sizeof s->bins);
    for (size_t i = 0; i + 1 < n; i += 2) {
        s->bins[0][float_bits(w[i]) >> BIN_SHIFT]++;
        s->bins[1][float_bits(w[i + 1]) >> BIN_SHIFT]++;
    }
    if (n % 2 != 0)
        s->bins[0][float_bits(w[n - 1]) >> BIN_SHIFT]++;
    for (size_t i = 0; i < BINS; i++)
        s->bins[0][i] += s->bins[1][i];
}

/* The value of rank k in a[n] (Wirth's form of Hoare's selection); reorders a. */
static float select_rank(float *a, size_t n, size_t k)
{
    ptrdiff_t lo = 0, hi = (ptrdiff_t)n - 1;

    while (lo < hi) {
        const float pivot = a[k];
        ptrdiff_t i = lo, j = hi;

        while (i <= j) {
            while (a[i] < pivot)
                i++;
            while (pivot < a[j])
                j--;
            if (i <= j) {
                const float t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        if (j < (ptrdiff_t)k)
            lo = i;
        if ((ptrdiff_t)k < i)
            hi = j;
    }
    return a[k];
}

/* What there is of one sign. */
typedef struct side {
    size_t count, zeros; /* weights of this sign; zeros with its sign bit */
    float top;           /* largest magnitude                             */
} side;

static void look(side out[2], const float *w, size_t n)
{
    float hi = 0.0F, lo = 0.0F;
    uint64_t pos = 0, neg = 0, zero[2] = {0, 0};

    for (size_t i = 0; i < n; i++) {
        pos += w[i] > 0.0F;
        neg += w[i] < 0.0F;
        hi = w[i] > hi ? w[i] : hi;
        lo = w[i] < lo ? w[i] : lo;
    }
    if (pos + neg != n) /* seldom: zeros (or NaNs) */
        for (size_t i = 0; i < n; i++)
            if (w[i] == 0.0F)
                zero[float_bits(w[i]) >> 31]++;
    out[0] = (side){pos, zero[0], hi};
    out[1] = (side){neg, zero[1], -lo};
}

/* Magnitude of rank r among the weights of a sign (0: both), zeros left out. NaNs have
 * the highest bins, so no rank below the number of weights meets one. */
static float rank_of(clip_scratch *s, const side sides[2], const float *w, size_t n,
                     int sign, size_t r)
{
    size_t bin, below = 0, count = 0, found = 0;

    for (bin = 0; bin < SIDE_BINS; bin++) {
        count = 0;
        if (sign >= 0)
            count += s->bins[0][bin] - (bin == 0 ? sides[0].zeros : 0);
        if (sign <= 0)
            count += s->bins[0][SIDE_BINS + bin] - (bin == 0 ? sides[1].zeros : 0);
        if (r < below + count)
            break;
        below += count;
    }
    assert(bin < SIDE_BINS);
    for (size_t i = 0; i < n && found < count; i++) {
        const uint32_t u = float_bits(w[i]);

        if (((u >> BIN_SHIFT) & (SIDE_BINS - 1)) == bin &&
            (sign == 0 || (u >> 31 != 0) == (sign < 0)) && (w[i] > 0.0F || w[i] < 0.0F))
            s->gather[found++] = fabsf(w[i]);
    }
    return select_rank(s->gather, found, r - below);
}

float dscq_rank_magnitude(const float *w, size_t n, int sign, size_t rank,
                          void *scratch)
{
    enum { FEW = 2048 };
    clip_scratch *s = carve(scratch, n);
    side sides[2];
    size_t found = 0;

    if (n > FEW) {
        look(sides, w, n);
        histogram(s, w, n);
        return rank_of(s, sides, w, n, sign, rank);
    }
    for (size_t i = 0; i < n; i++)
        if ((sign >= 0 && w[i] > 0.0F) || (sign <= 0 && w[i] < 0.0F))
            s->gather[found++] = fabsf(w[i]);
    assert(rank < found);
    return select_rank(s->gather, found, rank);
}

/* floor(p * n), forgiving the last bit of p * n (0.29 * 100). */
static size_t cut_count(double p, size_t n)
{
    const size_t cut = (size_t)floor(p * (double)n * (1.0 + 1e-12));

    return cut < n ? cut : n - 1;
}

/* Where the intervals of one side lie. */
typedef struct ruler {
    double from, inv_width; /* interval = ceil((|w| - from) * inv_width) - 1 */
    int32_t count, first;   /* intervals; code of the first                  */
    const uint8_t *map;     /* entropy partition: bin to interval            */
} ruler;

static int32_t interval_of(const ruler *r, double magnitude)
{
    const int32_t cells = r->map != NULL ? ENTROPY_BINS : r->count;
    const double x = (magnitude - r->from) * r->inv_width;
    int32_t i = cells - 1;

    if (x < (double)cells) {
        i = (int32_t)x;
        i -= (double)i == x && i > 0; /* upper edge inclusive */
    }
    return r->map != NULL ? r->map[i] : i;
}

/* Codes of all weights, and the sum and number of each code. Code 0: clipped. */
static void partition(clip_scratch *s, double sum[DSCQ_CODEBOOK_MAX],
                      size_t number[DSCQ_CODEBOOK_MAX], const ruler r[2],
                      const dscq_clip *c, const float *w, size_t n)
{
    double part[2][DSCQ_CODEBOOK_MAX] = {{0.0}};
    uint32_t hits[2][DSCQ_CODEBOOK_MAX] = {{0}};

    for (size_t i = 0; i < n; i++) {
        int32_t code = 0;

        if (w[i] >= c->c_pos)
            code = r[0].first + interval_of(&r[0], (double)w[i]);
        else if (w[i] <= c->c_neg)
            code = r[1].first + interval_of(&r[1], -(double)w[i]);
        s->code[i] = (uint8_t)code;
        part[i & 1][code] += (double)w[i];
        hits[i & 1][code]++;
    }
    for (int32_t k = 0; k < DSCQ_CODEBOOK_MAX; k++) {
        sum[k] = part[0][k] + part[1][k];
        number[k] = (size_t)hits[0][k] + hits[1][k];
    }
}

/* ---- the weighted-entropy partition (Park et al., CVPR 2017) -------------- */

typedef struct entropy_sums {
    double n[ENTROPY_BINS + 1], importance[ENTROPY_BINS + 1]; /* prefix sums */
} entropy_sums;

/* One cluster's term of -sum I * P * log P: I the mean importance (w^2), P its share.
 */
static double cluster_term(const entropy_sums *e, int lo, int hi)
{
    const double n = e->n[hi] - e->n[lo], all = e->n[ENTROPY_BINS];

    if (!(n > 0.0))
        return 0.0;
    return -(e->importance[hi] - e->importance[lo]) / n * (n / all) * log(n / all);
}

/* Move one boundary after the other to where the sum is largest, until none moves. */
static void entropy_map(uint8_t map[ENTROPY_BINS], const ruler *r, const float *w,
                        size_t n, int sign, float clip)
{
    entropy_sums e = {{0.0}, {0.0}};
    int edge[DSCQ_CODEBOOK_MAX + 1], moved = 1;

    for (size_t i = 0; i < n; i++) {
        const double a = (double)w[i] * sign;
        if (a >= (double)clip * sign) {
            const ruler cells = {r->from, r->inv_width, ENTROPY_BINS, 0, NULL};
            const int32_t bin = interval_of(&cells, a);
            e.n[bin + 1] += 1.0;
            e.importance[bin + 1] += a * a;
        }
    }
    for (int b = 0; b < ENTROPY_BINS; b++) {
        e.n[b + 1] += e.n[b];
        e.importance[b + 1] += e.importance[b];
    }
    for (int k = 0; k <= r->count; k++)
        edge[k] = k * ENTROPY_BINS / r->count;
    for (int sweep = 0; sweep < 16 && moved; sweep++) {
        moved = 0;
        for (int k = 1; k < r->count; k++) {
            int best = edge[k];
            double top = cluster_term(&e, edge[k - 1], best) +
                         cluster_term(&e, best, edge[k + 1]);
            for (int at = edge[k - 1]; at <= edge[k + 1]; at++) {
                const double v = cluster_term(&e, edge[k - 1], at) +
                                 cluster_term(&e, at, edge[k + 1]);
                if (v > top * (1.0 + 1e-12)) {
                    top = v;
                    best = at;
                }
            }
            moved |= best != edge[k];
            edge[k] = best;
        }
    }
    for (int k = 0; k < r->count; k++)
        for (int b = edge[k]; b < edge[k + 1]; b++)
            map[b] = (uint8_t)k;
}

/* Share 2^b - 1 intervals between the sides in proportion to their lengths. */
static void share_intervals(dscq_clip *c, const side sides[2], int32_t b)
{
    const int32_t all = (1 << b) - 1;
    const double lp = (double)sides[0].top - (double)c->c_pos;
    const double ln = (double)sides[1].top + (double)c->c_neg;

    c->kp = sides[0].count > 0 ? all : 0;
    c->kn = sides[1].count > 0 ? all : 0;
    if (c->kp > 0 && c->kn > 0) {
        const double part = dscq_round_away(all * (lp / (lp + ln)));

        c->kp = part >= 1.0 ? (part <= all - 1 ? (int32_t)part : all - 1) : 1;
        c->kn = all - c->kp;
    }
    if (c->kp > 0 && !(lp > 0.0))
        c->kp = 1;
    if (c->kn > 0 && !(ln > 0.0))
        c->kn = 1;
}

/* Where the interval of a code ends, away from zero. */
static double far_edge(const ruler r[2], const dscq_clip *c, int32_t code)
{
    const ruler *of = &r[code > c->kp];
    int32_t k = code - of->first;

    if (of->map != NULL) { /* the last cell of the interval */
        int32_t cell = ENTROPY_BINS - 1;
        while (cell > 0 && of->map[cell] != k)
            cell--;
        k = cell;
    }
    return of->from + (of->inv_width > 0.0 ? (k + 1) / of->inv_width : 0.0);
}

/* Means by code; empty intervals get no level. level comes out ascending. */
static void make_levels(dscq_clip *c, float value[DSCQ_CODEBOOK_MAX],
                        const double sum[DSCQ_CODEBOOK_MAX],
                        const size_t number[DSCQ_CODEBOOK_MAX], const ruler r[2])
{
    int32_t last = 0;

    value[0] = 0.0F;
    c->level_count = 0;
    for (int32_t i = 0; i < c->kp + c->kn; i++) {
        /* negative side from far to near, then the positive one from near to far */
        const int32_t code = i < c->kn ? c->kp + c->kn - i : 1 + i - c->kn;

        if (number[code] == 0)
            continue;
        if (c->level_count > 0) /* the edge of whichever of the two lies nearer to 0 */
            c->edge[c->level_count - 1] = code > c->kp   ? -far_edge(r, c, code)
                                          : last > c->kp ? 0.0
                                                         : far_edge(r, c, last);
        c->level[c->level_count] = sum[code] / (double)number[code];
        value[code] = (float)c->level[c->level_count++];
        last = code;
    }
}

void dscq_clipq(dscq_clip *out, float *used, uint8_t *mask, const float *w, size_t n,
                double p, int32_t b, dscq_partition rule, void *scratch)
{
    clip_scratch *s = carve(scratch, n);
    uint8_t map[2][ENTROPY_BINS];
    double sum[DSCQ_CODEBOOK_MAX];
    size_t number[DSCQ_CODEBOOK_MAX];
    float value[DSCQ_CODEBOOK_MAX];
    side sides[2];
    ruler r[2];

    assert(p >= 0.0 && p < 1.0 && b >= 2 && b <= 8);
    *out = (dscq_clip){.c_pos = INFINITY, .c_neg = -INFINITY};
    look(sides, w, n);
    histogram(s, w, n);
    if (sides[0].count > 0)
        out->c_pos = rank_of(s, sides, w, n, 1, cut_count(p, sides[0].count));
    if (sides[1].count > 0)
        out->c_neg = -rank_of(s, sides, w, n, -1, cut_count(p, sides[1].count));
    out->positive = sides[0].count;
    out->negative = sides[1].count;
    share_intervals(out, sides, b);
    for (int i = 0; i < 2; i++) {
        const int32_t k = i == 0 ? out->kp : out->kn;
        const float clip = i == 0 ? out->c_pos : out->c_neg;
        const double length = (double)sides[i].top - fabs((double)clip);

        r[i] = (ruler){fabs((double)clip), 0.0, k, i == 0 ? 1 : 1 + out->kp, NULL};
        if (k > 1 && isfinite(length)) {
            const int entropy = rule == DSCQ_PART_ENTROPY && k < ENTROPY_BINS;

            r[i].inv_width = (entropy ? ENTROPY_BINS : k) / length;
            if (entropy) {
                entropy_map(map[i], &r[i], w, n, i == 0 ? 1 : -1, clip);
                r[i].map = map[i];
            }
        }
    }
    partition(s, sum, number, r, out, w, n);
    make_levels(out, value, sum, number, r);
    out->kept = n - number[0];
    for (size_t i = 0; used != NULL && i < n; i++)
        used[i] = value[s->code[i]];
    for (size_t i = 0; mask != NULL && i < n; i++)
        mask[i] = s->code[i] != 0;
}
