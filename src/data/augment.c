/* What happens to pixels. Only integers, and doubles that are added, multiplied and
 * divided (exact everywhere), so augmented pictures are the same on every machine. */
#include "data_internal.h"

#include <math.h>
#include <string.h>

/* Odd polynomial in the quarter turn; error below 2e-4. */
int32_t data__sin(uint32_t turn)
{
    const uint32_t quarter = (turn >> 14) & 3;
    int64_t x = turn & 0x3fff; /* 0..1 in 1/16384 */

    if (quarter & 1)
        x = 16384 - x;
    const int64_t x2 = x * x >> 14;
    const int64_t v = x * (25733 - (x2 * (10539 - (1191 * x2 >> 14)) >> 14)) >> 14;
    const int64_t cut = v > 16384 ? 16384 : v;

    return (int32_t)(quarter >= 2 ? -cut : cut);
}

static inline unsigned tap(const uint8_t *from, int32_t width, int32_t height,
                           int64_t x, int64_t y, size_t at, unsigned fill)
{
    return x >= 0 && x < width && y >= 0 && y < height ? from[at] : fill;
}

static void affine_row(uint8_t *to, const uint8_t *from, int32_t width, int32_t height,
                       int32_t channels, uint8_t fill, const data_affine *a, int64_t fy)
{
    const size_t c = (size_t)channels, line = (size_t)width * c;
    const int64_t iy = fy >> 16;
    const uint32_t wy = (uint32_t)(fy >> 8) & 255;

    for (int32_t x = a->x0; x < a->x1; x++, to += channels) {
        const int64_t fx = a->ax + a->sx * x, ix = fx >> 16;
        const uint32_t wx = (uint32_t)(fx >> 8) & 255;

        if (ix < -1 || iy < -1 || ix >= width || iy >= height) {
            memset(to, fill, c);
            continue;
        }
        /* May be outside by one: tap() looks before it reads. */
        const size_t at = (size_t)(iy * width + ix) * c;
        const int inside = ix >= 0 && iy >= 0 && ix < width - 1 && iy < height - 1;

        for (size_t k = 0; k < c; k++) {
            unsigned p00, p01, p10, p11;

            if (inside) {
                p00 = from[at + k];
                p01 = from[at + c + k];
                p10 = from[at + line + k];
                p11 = from[at + line + c + k];
            } else {
                p00 = tap(from, width, height, ix, iy, at + k, fill);
                p01 = tap(from, width, height, ix + 1, iy, at + c + k, fill);
                p10 = tap(from, width, height, ix, iy + 1, at + line + k, fill);
                p11 = tap(from, width, height, ix + 1, iy + 1, at + line + c + k, fill);
            }
            const uint32_t top = p00 * (256 - wx) + p01 * wx;
            const uint32_t low = p10 * (256 - wx) + p11 * wx;
            to[k] = (uint8_t)((top * (256 - wy) + low * wy + 32768) >> 16);
        }
    }
}

void data__affine(uint8_t *to, const uint8_t *from, int32_t width, int32_t height,
                  int32_t channels, uint8_t fill, const data_affine *a)
{
    for (int32_t y = a->y0; y < a->y1; y++)
        affine_row(to + ((size_t)y * (size_t)width + (size_t)a->x0) * (size_t)channels,
                   from, width, height, channels, fill, a, a->ay + a->sy * y);
}

void data__shift(uint8_t *to, const uint8_t *from, int32_t width, int32_t height,
                 int32_t channels, uint8_t fill, const data_shift *s)
{
    const size_t c = (size_t)channels, line = (size_t)width * c;
    const int32_t first = s->dx > 0 ? s->dx : 0; /* columns that have a source */
    const int32_t end = s->dx > 0 ? width : width + s->dx;

    for (int32_t y = 0; y < height; y++) {
        uint8_t *row = to + (size_t)y * line;
        const int32_t iy = y - s->dy;

        if (iy < 0 || iy >= height || first >= end) {
            memset(row, fill, line);
            continue;
        }
        const uint8_t *src = from + (size_t)iy * line;

        memset(row, fill, (size_t)first * c);
        memset(row + (size_t)end * c, fill, (size_t)(width - end) * c);
        if (!s->is_flipped) {
            memcpy(row + (size_t)first * c, src + (size_t)(first - s->dx) * c,
                   (size_t)(end - first) * c);
            continue;
        }
        const uint8_t *p = src + (size_t)(width - 1 - (first - s->dx)) * c;
        for (int32_t x = first; x < end; x++, p -= c)
            for (size_t k = 0; k < c; k++)
                row[(size_t)x * c + k] = p[k];
    }
}

/* Hue rotation and saturation in YIQ, then brightness and contrast: one matrix. */
static void colour_matrix(int32_t m[3][3], double saturation, uint32_t turn,
                          double gain)
{
    static const double k_to[3][3] = {
        {0.299, 0.587, 0.114}, {0.596, -0.274, -0.322}, {0.211, -0.523, 0.312}};
    static const double k_from[3][3] = {
        {1.0, 0.956, 0.621}, {1.0, -0.272, -0.647}, {1.0, -1.106, 1.703}};
    const double s = data__sin(turn) / 16384.0 * saturation;
    const double c = data__sin(turn + 16384) / 16384.0 * saturation;
    double mid[3][3];

    for (int k = 0; k < 3; k++) {
        mid[0][k] = k_to[0][k];
        mid[1][k] = c * k_to[1][k] - s * k_to[2][k];
        mid[2][k] = s * k_to[1][k] + c * k_to[2][k];
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            const double v = k_from[i][0] * mid[0][k] + k_from[i][1] * mid[1][k] +
                             k_from[i][2] * mid[2][k];
            m[i][k] = (int32_t)floor(v * gain * 4096.0 + 0.5);
        }
    }
}

static uint8_t clamp_byte(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static double mean_luma(const uint8_t *px, size_t pixels, int32_t channels)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < pixels; i++)
        sum += channels == 3 ? data__luma(px + 3 * i) : px[i];
    return (double)sum / (double)pixels;
}

static double spread(dscq_rng *rng, double by)
{
    return 1.0 + by * (2.0 * dscq_rng_unit64(rng) - 1.0);
}

void data__jitter(uint8_t *px, size_t pixels, int32_t channels, double colour,
                  double hue, dscq_rng *rng)
{
    const double brightness = spread(rng, colour), contrast = spread(rng, colour);
    const double saturation = spread(rng, colour);
    const double angle = (spread(rng, hue) - 1.0) * 65536.0;
    const double level = mean_luma(px, pixels, channels) * brightness;
    const int32_t offset =
        (int32_t)floor((1.0 - contrast) * level * 4096.0 + 0.5) + 2048;
    int32_t m[3][3];

    if (channels == 1) {
        const int32_t gain = (int32_t)floor(brightness * contrast * 4096.0 + 0.5);
        for (size_t i = 0; i < pixels; i++)
            px[i] = clamp_byte((gain * px[i] + offset) >> 12);
        return;
    }
    colour_matrix(m, saturation, (uint32_t)(int32_t)angle, brightness * contrast);
    for (size_t i = 0; i < pixels; i++, px += 3) {
        const int32_t r = px[0], g = px[1], b = px[2];

        for (int k = 0; k < 3; k++)
            px[k] =
                clamp_byte((m[k][0] * r + m[k][1] * g + m[k][2] * b + offset) >> 12);
    }
}

void data__cutout(uint8_t *px, int32_t width, int32_t height, int32_t channels,
                  int32_t side, uint8_t fill, dscq_rng *rng)
{
    const int32_t cx = (int32_t)dscq_rng_below(rng, (uint64_t)width);
    const int32_t cy = (int32_t)dscq_rng_below(rng, (uint64_t)height);
    const int32_t x0 = cx - side / 2 > 0 ? cx - side / 2 : 0;
    const int32_t y0 = cy - side / 2 > 0 ? cy - side / 2 : 0;
    const int32_t x1 = cx - side / 2 + side < width ? cx - side / 2 + side : width;
    const int32_t y1 = cy - side / 2 + side < height ? cy - side / 2 + side : height;

    for (int32_t y = y0; y < y1; y++)
        memset(px + ((size_t)y * (size_t)width + (size_t)x0) * (size_t)channels, fill,
               (size_t)(x1 - x0) * (size_t)channels);
}
