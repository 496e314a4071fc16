/* Histograms of activations, and ranges from them. */
#include "compress_internal.h"
#include "dscq/compress/calibrate.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BINS = DSCQ_HIST_BINS, KL_STEP = 16, MSE_STEPS = 40, MSE_SWEEPS = 3 };

/* Twice the covered range: pairs of bins become one. */
static void widen(dscq_hist *h)
{
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < BINS / 2; i++)
            h->count[side][i] = h->count[side][2 * i] + h->count[side][2 * i + 1];
        memset(&h->count[side][BINS / 2], 0, BINS / 2 * sizeof h->count[0][0]);
    }
    h->top *= 2.0;
}

void dscq_hist_add(dscq_hist *h, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int side = x[i] < 0.0F;
        double a = fabs((double)x[i]);

        if (a != a)
            continue;
        h->total++;
        if (a == 0.0) {
            h->zeros++;
            continue;
        }
        a = a < (double)FLT_MAX ? a : (double)FLT_MAX;
        if (a > h->top) {
            if (h->top == 0.0) {
                int e;
                (void)frexp(a, &e);
                h->top = ldexp(1.0, e);
            }
            while (a > h->top)
                widen(h);
        }
        const int bin = (int)(a / h->top * BINS);
        h->count[side][bin < BINS ? bin : BINS - 1]++;
        a = side ? -a : a;
        h->lo = a < h->lo ? a : h->lo;
        h->hi = a > h->hi ? a : h->hi;
        h->sum += a;
        h->sum_sq += a * a;
    }
}

static double centre(const dscq_hist *h, int bin)
{
    return (bin + 0.5) / BINS * h->top;
}

double dscq_hist_error(const dscq_hist *h, const dscq_aquant *a)
{
    const double low = dscq_aquant_low(a);
    const double bottom = low - a->zero_point, top = bottom + (1 << a->bits) - 1;
    const double inv = 1.0 / a->scale;
    double error = 0.0;

    for (int side = 0; side < 2; side++)
        for (int b = 0; b < BINS; b++) {
            if (h->count[side][b] == 0)
                continue;
            const double x = side ? -centre(h, b) : centre(h, b);
            double q = dscq_round_away(x * inv);

            q = q < bottom ? bottom : q > top ? top : q;
            error +=
                (double)h->count[side][b] * (x - q * a->scale) * (x - q * a->scale);
        }
    return h->total > 0 ? error / (double)h->total : 0.0;
}

/* Where the outermost `cut` values of a side begin, as a magnitude. */
static double tail(const dscq_hist *h, int side, double cut)
{
    const double end = side ? -h->lo : h->hi;
    double seen = 0.0;

    for (int b = BINS - 1; b >= 0; b--) {
        seen += (double)h->count[side][b];
        if (seen > cut)
            return fmin((b + 1.0) / BINS * h->top, end);
    }
    return 0.0;
}

static void percentile(double *lo, double *hi, const dscq_hist *h, double percent)
{
    const int sides = (h->lo < 0.0) + (h->hi > 0.0);
    const double out = (1.0 - percent / 100.0) * (double)(h->total - h->zeros);
    const double cut = sides > 0 ? out / sides : 0.0;

    *hi = tail(h, 0, cut);
    *lo = -tail(h, 1, cut);
}

/* Divergence of P, the first n bins with all beyond added to the last, from Q, the
 * same bins drawn with `levels` values; bins that are empty in P stay empty in Q. */
static double divergence(const double *p, int n, double outside, double total,
                         int levels)
{
    double d = 0.0;

    for (int l = 0; l < levels; l++) {
        const int from = (int)((int64_t)l * n / levels);
        const int to = (int)((int64_t)(l + 1) * n / levels);
        double mass = 0.0;
        int filled = 0;

        for (int b = from; b < to; b++) {
            mass += p[b];
            filled += p[b] > 0.0;
        }
        for (int b = from; b < to; b++) {
            const double pb = p[b] + (b == n - 1 ? outside : 0.0);

            if (pb > 0.0) { /* a clipped tail over an empty bin costs the most */
                const double qb = p[b] > 0.0 ? mass / filled : 0.5;
                d += pb / total * log(pb / total / (qb / (total - outside + 0.5)));
            }
        }
    }
    return d;
}

static double kl_threshold(const dscq_hist *h, int32_t bits)
{
    const int two = h->lo < 0.0 && h->hi > 0.0;
    const int levels = bits - two < 8 ? 1 << (bits - two) : 256;
    double p[BINS], total = 0.0, outside = 0.0, best = (double)INFINITY;
    int last = 0, at;

    for (int b = 0; b < BINS; b++) {
        p[b] = (double)h->count[0][b] + (double)h->count[1][b];
        total += p[b];
        last = p[b] > 0.0 ? b + 1 : last;
    }
    at = last;
    for (int n = last; n >= levels && n > 0; n -= KL_STEP) {
        const double d = divergence(p, n, outside, total, levels);

        if (d < best) {
            best = d;
            at = n;
        }
        for (int b = n - KL_STEP; b < n; b++)
            outside += b >= 0 ? p[b] : 0.0;
    }
    return (double)at / BINS * h->top;
}

/* Ends to try: at first 1 to 1/64 of what was seen, then around the best so far. */
static double mse_end(double full, double now, int sweep, int step)
{
    const double part = (double)step / (MSE_STEPS - 1);

    if (sweep == 0)
        return full * pow(64.0, -part);
    const double end = now * (1.1 - 0.2 * part);
    return fabs(end) < fabs(full) ? end : full;
}

static void mse(double *lo, double *hi, const dscq_hist *h, int32_t bits)
{
    double end[2] = {h->hi, h->lo};

    for (int sweep = 0; sweep < MSE_SWEEPS; sweep++)
        for (int side = 0; side < 2; side++) {
            const double full = side ? h->lo : h->hi, now = end[side];
            double best = (double)INFINITY, at = now;

            for (int s = -1; s < MSE_STEPS && full != 0.0; s++) {
                end[side] = s < 0 ? now : mse_end(full, now, sweep, s);
                const dscq_aquant a = dscq_aquant_make(end[1], end[0], bits, 1);
                const double e = dscq_hist_error(h, &a);
                if (e < best) {
                    best = e;
                    at = end[side];
                }
            }
            end[side] = at;
        }
    *hi = end[0];
    *lo = end[1];
}

void dscq_hist_range(double *lo, double *hi, const dscq_hist *h, dscq_calibration rule,
                     double percent, int32_t bits)
{
    double t;

    *lo = h->lo;
    *hi = h->hi;
    if (h->total == h->zeros)
        return;
    switch (rule) {
    case DSCQ_CAL_MINMAX:
        break;
    case DSCQ_CAL_PERCENTILE:
        percentile(lo, hi, h, percent);
        break;
    case DSCQ_CAL_KL:
        t = kl_threshold(h, bits);
        *lo = fmax(*lo, -t);
        *hi = fmin(*hi, t);
        break;
    case DSCQ_CAL_MSE:
        mse(lo, hi, h, bits);
        break;
    }
}
