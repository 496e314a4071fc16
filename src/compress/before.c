/* The grid in front of an activation that is a table. Its codes are no end in
 * themselves: they are spent where the activation moves, by the error of what comes
 * out. */
#include "compress_internal.h"
#include "dscq/compress/calibrate.h"

#include <math.h>

enum { BINS = DSCQ_HIST_BINS, STEPS = 40, SWEEPS = 3, REACH_STEPS = 4096 };
static const double k_mse_part = 0.8; /* of what the output follows must stay */

static double code_of(const dscq_aquant *a, double x)
{
    const double low = dscq_aquant_low(a), high = low + (1 << a->bits) - 1;

    return fmin(fmax(dscq_round_away(x / a->scale) + a->zero_point, low), high);
}

static double value_of(const dscq_aquant *a, double code)
{
    return a->scale * (code - a->zero_point);
}

/* ---- by what was seen ------------------------------------------------------------ */

typedef struct before_job {
    const dscq_hist *h;
    const dscq_aquant *out;
    dscq_act act;
    double slope;
    int32_t bits;
    double want[2][BINS];     /* the activation in the middle of each bin         */
    double full[2], least[2]; /* ends to choose between, as magnitudes; side 0: + */
} before_job;

static double middle(const dscq_hist *h, int side, int bin)
{
    const double x = (bin + 0.5) / BINS * h->top;

    return side ? -x : x;
}

/* Squared error of the output's codes, through the table that a becomes. */
static double output_error(const before_job *j, const dscq_aquant *a)
{
    const double low = dscq_aquant_low(a);
    double table[256], error = 0.0;

    for (int32_t i = 0; i < 1 << a->bits; i++) {
        const double y = dscq_act_value(j->act, j->slope, value_of(a, low + i));
        table[i] = value_of(j->out, code_of(j->out, y));
    }
    for (int side = 0; side < 2; side++)
        for (int b = 0; b < BINS; b++) {
            if (j->h->count[side][b] == 0)
                continue;
            const double code = code_of(a, middle(j->h, side, b));
            const double d = table[(int32_t)(code - low)] - j->want[side][b];
            error += (double)j->h->count[side][b] * d * d;
        }
    return error;
}

static dscq_aquant with_ends(const before_job *j, const double end[2])
{
    return dscq_aquant_make(-end[1], end[0], j->bits, 1);
}

/* At first all of what is there, down to a 64th and nothing; then around the best. */
static double end_to_try(const before_job *j, int side, double now, int sweep, int step)
{
    const double part = (double)step / (STEPS - 2);
    double end = now * (1.1 - 0.2 * part);

    if (sweep == 0)
        end = step == STEPS - 1 ? 0.0 : j->full[side] * pow(64.0, -part);
    return fmin(fmax(end, j->least[side]), j->full[side]);
}

static dscq_aquant search(const before_job *j)
{
    double end[2] = {j->full[0], j->full[1]};

    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (int side = 0; side < 2; side++) {
            const double now = end[side];
            double best = (double)INFINITY, at = now;

            for (int s = -1; s < STEPS && j->full[side] > 0.0; s++) {
                end[side] = s < 0 ? now : end_to_try(j, side, now, sweep, s);
                if (end[0] + end[1] <= 0.0)
                    continue;
                const dscq_aquant a = with_ends(j, end);
                const double e = output_error(j, &a);
                if (e < best) {
                    best = e;
                    at = end[side];
                }
            }
            end[side] = at;
        }
    return with_ends(j, end);
}

/* How far in an end may come from `full`: over values that the output follows at less
 * than half speed, or is clipped at. What it does follow, other images have more of. */
static double least_end(const before_job *j, int side)
{
    double lo, hi;

    dscq_aquant_range(j->out, &lo, &hi);
    for (int i = STEPS; i > 0; i--) {
        const double end = j->full[side] * i / STEPS, x = side ? -end : end;
        const double y = dscq_act_value(j->act, j->slope, x);

        if (y >= lo && y <= hi && fabs(dscq_act_slope(j->act, j->slope, x)) >= 0.5)
            return fmin(end * (i + 1) / i, j->full[side]);
    }
    return 0.0;
}

dscq_aquant dscq_hist_before(const dscq_hist *h, dscq_act act, double slope,
                             const dscq_aquant *out, dscq_calibration rule,
                             double percent, int32_t bits)
{
    before_job j = {.h = h, .out = out, .act = act, .slope = slope, .bits = bits};
    double lo = h->lo, hi = h->hi;

    if (h->total == h->zeros)
        return dscq_aquant_before(act, slope, out, bits);
    if (rule != DSCQ_CAL_MSE) /* the output's grid is where the error decides */
        dscq_hist_range(&lo, &hi, h, rule, percent, bits);
    j.full[0] = fmax(hi, 0.0);
    j.full[1] = fmax(-lo, 0.0);
    for (int side = 0; side < 2; side++) {
        j.least[side] = least_end(&j, side) * (rule == DSCQ_CAL_MSE ? k_mse_part : 1.0);
        for (int b = 0; b < BINS; b++)
            j.want[side][b] = dscq_act_value(act, slope, middle(h, side, b));
    }
    return search(&j);
}

/* ---- by the output's grid alone -------------------------------------------------- */

/* The magnitude on one side, at most `most`, beyond which the output keeps its code. */
static double reach(dscq_act act, double slope, const dscq_aquant *out, int side,
                    double most)
{
    const double sign = side ? -1.0 : 1.0;
    const double last = code_of(out, dscq_act_value(act, slope, sign * 1e9));

    for (int i = REACH_STEPS; i > 0; i--) {
        const double x = most * i / REACH_STEPS;
        if (code_of(out, dscq_act_value(act, slope, sign * x)) != last)
            return x;
    }
    return 0.0;
}

dscq_aquant dscq_aquant_before(dscq_act act, double slope, const dscq_aquant *out,
                               int32_t bits)
{
    double lo, hi;

    dscq_aquant_range(out, &lo, &hi);
    const double most = 8.0 + fmax(-lo, hi);
    return dscq_aquant_make(-reach(act, slope, out, 1, most),
                            reach(act, slope, out, 0, most), bits, 1);
}
