/* Integer resizing. Weights are exact rationals rounded to 15 bits, so nothing
 * depends on the compiler, the processor or the library's rounding. */
#include "dscq/base/alloc.h"
#include "dscq/data/image.h"

#include <stdlib.h>
#include <string.h>

enum { ONE = 1 << 15 };

/* Output i is the sum over k < count[i] of w[i * most + k] * input[start[i] + k]. */
typedef struct taps {
    int32_t *start, *count;
    uint16_t *w;
    int32_t most;
} taps;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int32_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return (int32_t)(v < lo ? lo : v > hi ? hi : v);
}

/* Raw weight of input j for output i, as an integer on a common scale. */
static int64_t raw_weight(dscq_filter filter, int64_t i, int64_t j, int64_t in,
                          int64_t out)
{
    if (filter == DSCQ_FILTER_ANTIALIAS) {
        const int64_t wide = 2 * (in > out ? in : out);
        const int64_t d = llabs((2 * j + 1) * out - (2 * i + 1) * in);
        return d < wide ? wide - d : 0;
    }
    const int64_t lo = i * in > j * out ? i * in : j * out;
    const int64_t hi = (i + 1) * in < (j + 1) * out ? (i + 1) * in : (j + 1) * out;
    return hi > lo ? hi - lo : 0;
}

/* Round the raw weights so that they sum to ONE; the largest takes the rest. */
static void round_weights(uint16_t *w, const int64_t *raw, int32_t count)
{
    int64_t sum = 0, left = ONE;
    int32_t best = 0;

    for (int32_t k = 0; k < count; k++)
        sum += raw[k];
    for (int32_t k = 0; k < count; k++) {
        w[k] = (uint16_t)((raw[k] * ONE + sum / 2) / sum);
        left -= w[k];
        if (raw[k] > raw[best])
            best = k;
    }
    w[best] = (uint16_t)(w[best] + left);
}

static void wide_taps(taps *t, dscq_filter filter, int32_t i, int32_t in, int32_t out,
                      int64_t *raw)
{
    const int64_t reach = filter == DSCQ_FILTER_ANTIALIAS && in < out ? out : in;
    int64_t first, last;

    if (filter == DSCQ_FILTER_ANTIALIAS) {
        first = floor_div((2 * (int64_t)i + 1) * in - 2 * reach, 2 * (int64_t)out) - 1;
        last = floor_div((2 * (int64_t)i + 1) * in + 2 * reach, 2 * (int64_t)out) + 1;
    } else {
        first = (int64_t)i * in / out;
        last = ((int64_t)i + 1) * in / out;
    }
    first = clamp(first, 0, in - 1);
    last = clamp(last, 0, in - 1);
    while (raw_weight(filter, i, first, in, out) == 0)
        first++;
    while (raw_weight(filter, i, last, in, out) == 0)
        last--;
    t->start[i] = (int32_t)first;
    t->count[i] = (int32_t)(last - first + 1);
    for (int32_t k = 0; k < t->count[i]; k++)
        raw[k] = raw_weight(filter, i, first + k, in, out);
    round_weights(t->w + (size_t)i * (size_t)t->most, raw, t->count[i]);
}

/* Position num/den on the input axis, between two pixels. */
static void two_taps(taps *t, int32_t i, int32_t in, int64_t num, int64_t den)
{
    const int64_t at = floor_div(num, den);
    const int64_t frac = ((num - at * den) * ONE + den / 2) / den;
    const int32_t a = clamp(at, 0, in - 1), b = clamp(at + 1, 0, in - 1);
    uint16_t *w = t->w + (size_t)i * (size_t)t->most;

    t->start[i] = a;
    t->count[i] = b - a + 1;
    w[0] = (uint16_t)(a == b ? ONE : ONE - frac);
    if (a != b)
        w[1] = (uint16_t)frac;
}

static void fill_taps(taps *t, dscq_filter filter, int32_t in, int32_t out,
                      int64_t *raw)
{
    for (int32_t i = 0; i < out; i++) {
        switch (filter) {
        case DSCQ_FILTER_BILINEAR:
            two_taps(t, i, in, (2 * (int64_t)i + 1) * in - out, 2 * (int64_t)out);
            break;
        case DSCQ_FILTER_CORNERS:
            two_taps(t, i, in, (int64_t)i * (in - 1), out > 1 ? out - 1 : 1);
            break;
        case DSCQ_FILTER_NEAREST:
            t->start[i] = (int32_t)((2 * (int64_t)i + 1) * in / (2 * (int64_t)out));
            t->count[i] = 1;
            t->w[(size_t)i * (size_t)t->most] = ONE;
            break;
        default:
            wide_taps(t, filter, i, in, out, raw);
        }
    }
}

static void free_taps(taps *t)
{
    dscq_free(t->start);
    dscq_free(t->count);
    dscq_free(t->w);
}

static dscq_status make_taps(taps *t, dscq_filter filter, int32_t in, int32_t out,
                             dscq_error *err)
{
    const int wide = filter == DSCQ_FILTER_ANTIALIAS || filter == DSCQ_FILTER_AREA;
    int64_t *raw;

    t->most = wide ? clamp(2 * (int64_t)in / out + 4, 2, in > 2 ? in : 2) : 2;
    t->start = dscq_malloc((size_t)out, sizeof *t->start);
    t->count = dscq_malloc((size_t)out, sizeof *t->count);
    t->w = dscq_calloc((size_t)out, (size_t)t->most * sizeof *t->w);
    raw = dscq_malloc((size_t)t->most, sizeof *raw);
    if (t->start != NULL && t->count != NULL && t->w != NULL && raw != NULL)
        fill_taps(t, filter, in, out, raw);
    const int ok = t->start != NULL && t->count != NULL && t->w != NULL && raw != NULL;
    dscq_free(raw);
    return ok ? DSCQ_OK : dscq_fail_nomem(err, "resizing", (size_t)out * 8);
}

/* One input row to 8.8 fixed point. */
static void resize_row(uint16_t *to, const uint8_t *from, const taps *t, int32_t out,
                       int32_t channels)
{
    for (int32_t i = 0; i < out; i++) {
        const uint16_t *w = t->w + (size_t)i * (size_t)t->most;
        const uint8_t *p = from + (size_t)t->start[i] * (size_t)channels;

        for (int32_t c = 0; c < channels; c++) {
            uint32_t sum = 64;
            for (int32_t k = 0; k < t->count[i]; k++)
                sum += (uint32_t)w[k] * p[k * channels + c];
            *to++ = (uint16_t)(sum >> 7);
        }
    }
}

static dscq_status copy_region(dscq_image *out, const dscq_image *in,
                               const int32_t region[4], dscq_error *err)
{
    const size_t c = (size_t)in->channels;
    const dscq_status status =
        dscq_image_init(out, region[2], region[3], in->channels, err);

    for (int32_t y = 0; status == DSCQ_OK && y < region[3]; y++)
        memcpy(out->px + (size_t)y * (size_t)region[2] * c,
               in->px +
                   ((size_t)(y + region[1]) * (size_t)in->width + (size_t)region[0]) *
                       c,
               (size_t)region[2] * c);
    return status;
}

/* Rows are needed in order, so only the ones under the tallest filter are kept. */
static void run(dscq_image *out, const dscq_image *in, const int32_t region[4],
                const taps *tx, const taps *ty, uint16_t *ring)
{
    const size_t c = (size_t)in->channels, line = (size_t)out->width * c;
    int32_t ready = 0; /* rows made so far */

    for (int32_t i = 0; i < out->height; i++) {
        const uint16_t *w = ty->w + (size_t)i * (size_t)ty->most;
        const int32_t end = ty->start[i] + ty->count[i];

        if (ready < ty->start[i])
            ready = ty->start[i];
        for (; ready < end; ready++)
            resize_row(ring + (size_t)(ready % ty->most) * line,
                       in->px + ((size_t)(ready + region[1]) * (size_t)in->width +
                                 (size_t)region[0]) *
                                    c,
                       tx, out->width, in->channels);
        for (size_t x = 0; x < line; x++) {
            uint32_t sum = 1u << 22;
            for (int32_t k = 0; k < ty->count[i]; k++)
                sum += (uint32_t)w[k] *
                       ring[(size_t)((ty->start[i] + k) % ty->most) * line + x];
            out->px[(size_t)i * line + x] = (uint8_t)(sum >> 23);
        }
    }
}

dscq_status dscq_image_resize(dscq_image *out, const dscq_image *in,
                              const int32_t region[4], int32_t width, int32_t height,
                              dscq_filter filter, dscq_error *err)
{
    const int32_t *r = region;
    taps tx = {0}, ty = {0};
    uint16_t *ring = NULL;
    dscq_status status;

    *out = (dscq_image){0};
    if (r[0] < 0 || r[1] < 0 || r[2] < 1 || r[3] < 1 || r[2] > in->width - r[0] ||
        r[3] > in->height - r[1])
        return dscq_fail(err, DSCQ_ARG, "region %d,%d %dx%d leaves a picture of %dx%d",
                         (int)r[0], (int)r[1], (int)r[2], (int)r[3], (int)in->width,
                         (int)in->height);
    if (r[2] == width && r[3] == height)
        return copy_region(out, in, region, err);
    DSCQ_TRY(dscq_image_init(out, width, height, in->channels, err));
    DSCQ_TRY(make_taps(&tx, filter, r[2], width, err));
    DSCQ_TRY(make_taps(&ty, filter, r[3], height, err));
    ring = dscq_malloc((size_t)ty.most * (size_t)width,
                       (size_t)in->channels * sizeof *ring);
    if (ring == NULL) {
        status = dscq_fail_nomem(err, "resizing", (size_t)ty.most * (size_t)width);
        goto done;
    }
    run(out, in, region, &tx, &ty, ring);
done:
    if (status != DSCQ_OK)
        dscq_image_clear(out);
    free_taps(&tx);
    free_taps(&ty);
    dscq_free(ring);
    return status;
}
