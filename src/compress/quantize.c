#include "dscq/compress/quantize.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

dscq_status dscq_wquant_create(dscq_wquant **out, const dscq_weights *w,
                               dscq_qform form, int32_t bits, int32_t scale_count,
                               int32_t block, dscq_error *err)
{
    dscq_wquant *q = dscq_calloc(1, sizeof *q);
    const size_t n = w->count;
    dscq_status status;

    assert(n > 0 && w->k > 0 && n % (size_t)w->k == 0);
    assert(scale_count == 1 || scale_count == w->k);
    *out = NULL;
    if (q == NULL)
        return dscq_fail_nomem(err, "quantised weights", sizeof *q);
    DSCQ_TRY(dscq_qweights_init(&q->w, w->k, w->r, w->s, w->c, form, block, err));
    q->w.bits = form == DSCQ_FORM_BINARY ? 1 : bits;
    q->w.codebook_count = 1;
    q->scale_count = scale_count;
    q->code = dscq_calloc(n, sizeof *q->code);
    q->mask = dscq_malloc(n, 1);
    q->scale = dscq_calloc((size_t)scale_count, sizeof *q->scale);
    if (q->code == NULL || q->mask == NULL || q->scale == NULL) {
        status = dscq_fail_nomem(err, "quantised weights", 5ULL * n);
        goto done;
    }
    memset(q->mask, 1, n);
    for (int32_t i = 0; i < scale_count; i++)
        q->scale[i] = 1.0;
    if (form == DSCQ_FORM_BINARY)
        for (int32_t i = 0; i < w->k; i++)
            q->w.level[i] = 1;
    *out = q;
    return DSCQ_OK;
done:
    dscq_wquant_destroy(q);
    return status;
}

dscq_status dscq_wquant_clone(dscq_wquant **out, const dscq_wquant *q, dscq_error *err)
{
    const dscq_weights w = {
        .k = q->w.k, .r = q->w.r, .s = q->w.s, .c = q->w.c, .count = q->w.count};
    dscq_status status = dscq_wquant_create(out, &w, q->w.form, q->w.bits,
                                            q->scale_count, q->w.block, err);

    if (status != DSCQ_OK)
        return status;
    dscq_wquant *d = *out;
    memcpy(d->w.value, q->w.value, q->w.count * sizeof *q->w.value);
    memcpy(d->code, q->code, q->w.count * sizeof *q->code);
    memcpy(d->mask, q->mask, q->w.count);
    memcpy(d->scale, q->scale, (size_t)q->scale_count * sizeof *q->scale);
    memcpy(d->w.codebook, q->w.codebook, sizeof q->w.codebook);
    memcpy(d->edge, q->edge, sizeof q->edge);
    memcpy(d->codebook_real, q->codebook_real, sizeof q->codebook_real);
    d->w.codebook_count = q->w.codebook_count;
    d->nonzero = q->nonzero;
    if (q->w.form == DSCQ_FORM_BINARY) {
        memcpy(d->w.level, q->w.level, (size_t)q->w.k * sizeof *q->w.level);
        memcpy(d->w.block_high, q->w.block_high, q->w.block_count);
    }
    return DSCQ_OK;
}

void dscq_wquant_destroy(dscq_wquant *q)
{
    if (q == NULL)
        return;
    dscq_qweights_clear(&q->w);
    dscq_free(q->code);
    dscq_free(q->mask);
    dscq_free(q->scale);
    dscq_free(q);
}

void dscq_wquant_set_codes(dscq_wquant *q, const int16_t *entry, int32_t n, double step)
{
    const int32_t count = n + 1;

    assert(q->w.form == DSCQ_FORM_CODEBOOK && n < DSCQ_CODEBOOK_MAX);
    q->w.codebook[0] = 0;
    memcpy(q->w.codebook + 1, entry, (size_t)n * sizeof *entry);
    q->w.codebook_count = count;
    for (int32_t e = 1; e + 1 < count; e++) /* midpoints; between the signs: zero */
        q->edge[e] = (int16_t)((q->w.codebook[e] < 0) != (q->w.codebook[e + 1] < 0)
                                   ? 0
                                   : q->w.codebook[e] + q->w.codebook[e + 1]);
    for (int32_t i = 0; i < q->scale_count; i++)
        q->scale[i] *= step;
    for (int32_t i = 0; i < count; i++)
        q->codebook_real[i] =
            q->w.codebook[i] * (q->scale_count == 1 ? q->scale[0] : step);
}

void dscq_wquant_set_levels(dscq_wquant *q, const double *level, int32_t n)
{
    int16_t entry[DSCQ_CODEBOOK_MAX];
    double top = 0.0;
    int32_t count = 0;

    assert(n < DSCQ_CODEBOOK_MAX);
    for (int32_t i = 0; i < n; i++)
        top = fmax(top, fabs(level[i]));
    const double step = top > 0.0 ? top / 127.0 : 1.0;
    for (int32_t i = 0; i < n; i++) {
        const int16_t e = (int16_t)dscq_round_away(level[i] / step);
        int32_t at = 0;

        while (at < count && entry[at] < e)
            at++;
        if (e == 0 || (at < count && entry[at] == e))
            continue;
        memmove(&entry[at + 1], &entry[at], (size_t)(count - at) * sizeof *entry);
        entry[at] = e;
        count++;
    }
    dscq_wquant_set_codes(q, entry, count, step);
}

void dscq_wquant_set_edges(dscq_wquant *q, const double *level, const double *edge,
                           int32_t n)
{
    double top = 0.0;
    int32_t e = 1;

    for (int32_t i = 0; i < n; i++)
        top = fmax(top, fabs(level[i]));
    const double step = top > 0.0 ? top / 127.0 : 1.0;
    for (int32_t i = 0; i + 1 < n; i++) {
        const int low = (int)dscq_round_away(level[i] / step);
        const int high = (int)dscq_round_away(level[i + 1] / step);
        double x = dscq_round_away(2.0 * edge[i] / step);

        while (e + 1 < q->w.codebook_count && q->w.codebook[e] < low)
            e++;
        /* levels that fell onto one entry, or onto zero, have no edge of their own */
        if (e + 1 >= q->w.codebook_count || q->w.codebook[e] != low ||
            q->w.codebook[e + 1] != high || low * high < 0)
            continue;
        /* Strictly between, so that each entry lies inside its own interval even when
         * the float of scale * value lands on either side of it. */
        x = x < 2 * low + 1 ? 2 * low + 1 : x > 2 * high - 1 ? 2 * high - 1 : x;
        q->edge[e] = (int16_t)x;
    }
}

/* Where x (in codebook steps) goes, by half steps: side 0 x >= 0, side 1 x < 0; slot j
 * stands for (j-1)/2 < |x| <= j/2. Edges are whole numbers of half steps, so none falls
 * inside a slot, and a weight on an edge belongs to the smaller magnitude. */
enum { SLOTS = 514 };
typedef struct nearest {
    uint8_t code[2][SLOTS];
} nearest;

static void nearest_make(nearest *t, const dscq_wquant *q)
{
    for (int side = 0; side < 2; side++)
        for (int j = 0; j < SLOTS; j++) {
            int e = 1;

            for (; e + 1 < q->w.codebook_count; e++) {
                const int edge = q->edge[e];
                if (side == 0 ? edge > 0 && j <= edge : j > -edge)
                    break;
            }
            t->code[side][j] = (uint8_t)(q->w.codebook_count > 1 ? e : 0);
        }
}

static int nearest_slot(double x)
{
    const double a = fabs(x) * 2.0;

    if (!(a < (double)(SLOTS - 2)))
        return SLOTS - 1;
    const int j = (int)a;
    return (double)j < a ? j + 1 : j;
}

static int32_t linear_value(double x, int32_t top)
{
    if (!(x > -(double)top)) /* a NaN ends up at the bottom */
        return -top;
    return x < (double)top ? (int32_t)dscq_round_away(x) : top;
}

static int is_high(const dscq_wquant *q, int32_t o, size_t j, size_t per)
{
    const size_t blocks = (per + (size_t)q->w.block - 1) / (size_t)q->w.block;

    return q->w.block_high[(size_t)o * blocks + j / (size_t)q->w.block];
}

/* The integers of one output channel. code may be NULL. */
static void assign_channel(const dscq_wquant *q, const nearest *t, int32_t o,
                           const float *w, int16_t *value, uint16_t *code)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    const uint8_t *mask = q->mask + (size_t)o * per;
    const double inv = 1.0 / q->scale[q->scale_count == 1 ? 0 : o];
    const int32_t top =
        q->w.form == DSCQ_FORM_LINEAR ? (1 << (q->w.bits - 1)) - 1 : 127;
    const int32_t field = q->w.form == DSCQ_FORM_LINEAR ? (1 << q->w.bits) - 1 : 255;

    for (size_t j = 0; j < per; j++) {
        const double x = (double)w[j] * inv;
        int32_t v, c;

        if (q->w.form == DSCQ_FORM_CODEBOOK) {
            c = mask[j] ? t->code[x < 0.0][nearest_slot(x)] : 0;
            v = q->w.codebook[c];
        } else if (q->w.form == DSCQ_FORM_BINARY && !is_high(q, o, j, per)) {
            c = w[j] < 0.0F;
            v = c ? -q->w.level[o] : q->w.level[o];
        } else {
            v = mask[j] ? linear_value(x, top) : 0;
            c = v & field;
        }
        value[j] = (int16_t)v;
        if (code != NULL)
            code[j] = (uint16_t)c;
    }
}

void dscq_wquant_assign(dscq_wquant *q, const float *w)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    nearest t;

    if (q->w.form == DSCQ_FORM_CODEBOOK)
        nearest_make(&t, q);
    q->nonzero = 0;
    for (int32_t o = 0; o < q->w.k; o++) {
        const size_t at = (size_t)o * per;

        assign_channel(q, &t, o, w + at, q->w.value + at, q->code + at);
        for (size_t j = 0; j < per; j++)
            q->nonzero += q->w.value[at + j] != 0;
    }
}

void dscq_wquant_apply(const dscq_wquant *q, float *out)
{
    const size_t per = q->w.count / (size_t)q->w.k;

    for (size_t i = 0; i < q->w.count; i++) {
        const double s = q->scale[q->scale_count == 1 ? 0 : i / per];
        out[i] = (float)(s * q->w.value[i]);
    }
}

void dscq_wquant_fake(const dscq_wquant *q, const float *w, float *out)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    nearest t;
    float real[2 * 127 + 1];

    if (q->w.form !=
        DSCQ_FORM_CODEBOOK) { /* in place of integers: the same two steps */
        for (int32_t o = 0; o < q->w.k; o++) {
            const double s = q->scale[q->scale_count == 1 ? 0 : o];
            const double inv = 1.0 / s;
            const int32_t top =
                q->w.form == DSCQ_FORM_LINEAR ? (1 << (q->w.bits - 1)) - 1 : 127;

            for (size_t j = 0; j < per; j++) {
                const size_t i = (size_t)o * per + j;
                int32_t v;

                if (q->w.form == DSCQ_FORM_BINARY && !is_high(q, o, j, per))
                    v = w[i] < 0.0F ? -q->w.level[o] : q->w.level[o];
                else
                    v = q->mask[i] ? linear_value((double)w[i] * inv, top) : 0;
                out[i] = (float)(s * v);
            }
        }
        return;
    }
    nearest_make(&t, q);
    for (int32_t o = 0; o < q->w.k; o++) {
        const double s = q->scale[q->scale_count == 1 ? 0 : o];
        const double inv = 1.0 / s;

        if (o == 0 || q->scale_count > 1)
            for (int32_t e = 0; e < q->w.codebook_count; e++)
                real[e] = (float)(s * q->w.codebook[e]);
        for (size_t j = (size_t)o * per; j < ((size_t)o + 1) * per; j++) {
            const double x = (double)w[j] * inv;
            out[j] = q->mask[j] ? real[t.code[x < 0.0][nearest_slot(x)]] : 0.0F;
        }
    }
}

static dscq_status check_layout(const dscq_wquant *q, dscq_error *err)
{
    if (q->w.count != (size_t)q->w.k * (size_t)q->w.r * (size_t)q->w.s * (size_t)q->w.c)
        return dscq_fail(err, DSCQ_INTERNAL,
                         "quantised weights: count %zu is not "
                         "%d x %d x %d x %d",
                         q->w.count, q->w.k, q->w.r, q->w.s, q->w.c);
    for (int32_t i = 0; i < q->scale_count; i++)
        if (!(q->scale[i] > 0.0 && isfinite(q->scale[i])))
            return dscq_fail(err, DSCQ_INTERNAL, "quantised weights: scale %d is %g", i,
                             q->scale[i]);
    if (q->w.form == DSCQ_FORM_CODEBOOK && q->w.codebook[0] != 0)
        return dscq_fail(err, DSCQ_INTERNAL, "quantised weights: codebook[0] is %d",
                         q->w.codebook[0]);
    for (int32_t e = 2; q->w.form == DSCQ_FORM_CODEBOOK && e < q->w.codebook_count; e++)
        if (q->w.codebook[e] <= q->w.codebook[e - 1])
            return dscq_fail(err, DSCQ_INTERNAL,
                             "quantised weights: codebook[%d] does not ascend", e);
    if (q->w.form == DSCQ_FORM_CODEBOOK && q->w.codebook_count > 1 << q->w.bits)
        return dscq_fail(err, DSCQ_INTERNAL, "quantised weights: %d entries in %d bits",
                         q->w.codebook_count, q->w.bits);
    return DSCQ_OK;
}

dscq_status dscq_wquant_check(const dscq_wquant *q, dscq_error *err)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    size_t nonzero = 0;
    dscq_status status = check_layout(q, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < q->w.count; i++) {
        const int32_t o = (int32_t)(i / per), v = q->w.value[i];
        const int low = q->w.form == DSCQ_FORM_BINARY && !is_high(q, o, i % per, per);
        int good;

        nonzero += v != 0;
        if (low)
            good = v == (q->code[i] ? -q->w.level[o] : q->w.level[o]) && v != 0;
        else if (q->w.form == DSCQ_FORM_CODEBOOK)
            good = q->code[i] < q->w.codebook_count && v == q->w.codebook[q->code[i]];
        else
            good = v == linear_value(v, q->w.form == DSCQ_FORM_LINEAR
                                            ? (1 << (q->w.bits - 1)) - 1
                                            : 127);
        if (!good || (!low && !q->mask[i] && v != 0))
            return dscq_fail(err, DSCQ_INTERNAL,
                             "quantised weights: value %d at %zu has code %u, mask %u",
                             v, i, q->code[i], q->mask[i]);
    }
    if (nonzero != q->nonzero)
        return dscq_fail(err, DSCQ_INTERNAL,
                         "quantised weights: %zu nonzero, counted "
                         "%zu",
                         q->nonzero, nonzero);
    return DSCQ_OK;
}

double dscq_wquant_bits_values(const dscq_wquant *q)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    double bits = 0.0;

    if (q->w.form != DSCQ_FORM_BINARY)
        return (double)q->nonzero * q->w.bits;
    for (size_t i = 0; i < q->w.count; i++)
        bits += is_high(q, (int32_t)(i / per), i % per, per) ? 8.0 : 1.0;
    return bits;
}

static double entropy(const uint32_t *n, size_t kinds, double total)
{
    double h = 0.0;

    for (size_t i = 0; i < kinds; i++)
        if (n[i] > 0)
            h -= n[i] * log2(n[i] / total);
    return h;
}

dscq_status dscq_wquant_bits_entropy(double *out, const dscq_wquant *q, dscq_error *err)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    uint32_t high[256] = {0}, block[2] = {0};
    double bits = 0.0, highs = 0.0;

    if (q->w.form == DSCQ_FORM_BINARY) {
        for (size_t i = 0; i < q->w.block_count; i++)
            block[q->w.block_high[i]]++;
        for (size_t i = 0; i < q->w.count; i++)
            if (is_high(q, (int32_t)(i / per), i % per, per)) {
                high[q->code[i]]++;
                highs += 1.0;
            } else {
                bits += 1.0;
            }
        *out = bits + entropy(block, 2, (double)q->w.block_count) +
               entropy(high, 256, highs);
        return DSCQ_OK;
    }
    /* zero is one more symbol: H2(d) for the positions plus d*H(codes) is exactly the
     * entropy of all symbols */
    uint32_t *n = dscq_calloc(1U << 16, sizeof *n);
    if (n == NULL)
        return dscq_fail_nomem(err, "counts of codes", sizeof *n << 16);
    for (size_t i = 0; i < q->w.count; i++)
        n[q->w.value[i] == 0 ? 0 : q->code[i]]++;
    *out = entropy(n, 1U << 16, (double)q->w.count);
    dscq_free(n);
    return DSCQ_OK;
}

double dscq_wquant_sqnr_db(const dscq_wquant *q, const float *w)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    double signal = 0.0, noise = 0.0;

    for (size_t i = 0; i < q->w.count; i++) {
        const double s = q->scale[q->scale_count == 1 ? 0 : i / per];
        const double d = (double)w[i] - (double)(float)(s * q->w.value[i]);

        signal += (double)w[i] * (double)w[i];
        noise += d * d;
    }
    if (noise == 0.0)
        return (double)INFINITY;
    return signal > 0.0 ? 10.0 * log10(signal / noise) : -(double)INFINITY;
}
