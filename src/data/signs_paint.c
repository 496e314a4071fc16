/* Brushes of the sign generator. Integers only: the pixels are the same with every
 * compiler and on every machine. */
#include "data_internal.h"

#include <string.h>

int32_t data__draw(dscq_rng *rng, int32_t lo, int32_t hi)
{
    return lo + (int32_t)dscq_rng_below(rng, (uint64_t)(hi - lo) + 1);
}

static uint8_t clamp_byte(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static int32_t clip(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* Bilinear RGBA at (u, v) in 1/65536, -1..1 over the texture. 0: fully outside. */
static int sample(int32_t rgba[4], const uint8_t *t, int32_t side, int32_t u, int32_t v)
{
    const int32_t x = (int32_t)(((int64_t)u + 65536) * side >> 9) - 128; /* 1/256 */
    const int32_t y = (int32_t)(((int64_t)v + 65536) * side >> 9) - 128;

    if (x < 0 || y < 0 || x >= (side - 1) * 256 || y >= (side - 1) * 256)
        return 0; /* the outermost texels are transparent */
    const int32_t fx = x & 255, fy = y & 255;
    const uint8_t *p = t + 4 * ((size_t)(y >> 8) * (size_t)side + (size_t)(x >> 8));
    const uint8_t *q = p + 4 * (size_t)side;

    for (int i = 0; i < 4; i++) {
        const int32_t top = p[i] * (256 - fx) + p[i + 4] * fx;
        const int32_t low = q[i] * (256 - fx) + q[i + 4] * fx;
        rgba[i] = (top * (256 - fy) + low * fy + 32768) >> 16;
    }
    return rgba[3] > 0;
}

static void blend(uint8_t *px, const int32_t rgba[4], const sign_pose *s)
{
    for (int i = 0; i < 3; i++) {
        const int32_t faded = rgba[i] + ((150 - rgba[i]) * s->fade >> 8);
        const int32_t lit = faded * s->dim >> 8;
        px[i] = (uint8_t)((lit * rgba[3] + px[i] * (255 - rgba[3]) + 127) / 255);
    }
}

void data__sign_paint(dscq_image *im, const data_signs *s, int32_t cls, sign_pose *pose)
{
    const int32_t reach = pose->half + pose->half / 2;
    const int32_t x0 = clip((pose->cx - reach) >> 8, 0, im->width);
    const int32_t x1 = clip(((pose->cx + reach) >> 8) + 1, 0, im->width);
    const int32_t y0 = clip((pose->cy - reach) >> 8, 0, im->height);
    const int32_t y1 = clip(((pose->cy + reach) >> 8) + 1, 0, im->height);
    int32_t *box = pose->box, side, rgba[4];
    const uint8_t *t = data__sign_texture(s, cls, 2 * pose->half >> 8, &side);

    box[0] = box[1] = INT32_MAX;
    box[2] = box[3] = 0;
    for (int32_t y = y0; y < y1; y++) {
        const int64_t dy = y * 256 + 128 - pose->cy;

        for (int32_t x = x0; x < x1; x++) {
            const int64_t dx = x * 256 + 128 - pose->cx;
            const int64_t w = 65536 + ((pose->p * dx + pose->q * dy) >> 8);
            if (w < 16384)
                continue; /* behind the horizon */
            const int64_t inverse = ((int64_t)1 << 32) / w;
            const int64_t u = ((pose->a * dx + pose->b * dy) >> 8) * inverse >> 16;
            const int64_t v = ((pose->c * dx + pose->e * dy) >> 8) * inverse >> 16;

            if (u <= -65536 || u >= 65536 || v <= -65536 || v >= 65536 ||
                !sample(rgba, t, side, (int32_t)u, (int32_t)v))
                continue;
            blend(im->px + 3 * ((size_t)y * (size_t)im->width + (size_t)x), rgba, pose);
            if (rgba[3] >= 128) {
                box[0] = x < box[0] ? x : box[0];
                box[1] = y < box[1] ? y : box[1];
                box[2] = x + 1 > box[2] ? x + 1 : box[2];
                box[3] = y + 1 > box[3] ? y + 1 : box[3];
            }
        }
    }
}

/* A coarse grid of colours between two, interpolated: sky, walls, leaves. */
void data__paint_background(dscq_image *im, dscq_rng *rng)
{
    enum { GRID_MAX = 9 };
    const int32_t cells = data__draw(rng, 1, GRID_MAX - 1);
    int32_t grid[GRID_MAX][GRID_MAX][3], first[3], second[3];

    for (int i = 0; i < 3; i++) {
        first[i] = data__draw(rng, 20, 235);
        second[i] = data__draw(rng, 20, 235);
    }
    for (int32_t k = 0; k < GRID_MAX * GRID_MAX; k++) {
        const int32_t mix = data__draw(rng, 0, 256), rough = data__draw(rng, -20, 20);
        for (int i = 0; i < 3; i++)
            grid[k / GRID_MAX][k % GRID_MAX][i] =
                first[i] + ((second[i] - first[i]) * mix >> 8) + rough;
    }
    for (int32_t y = 0; y < im->height; y++) {
        const int32_t gy = y * cells * 256 / im->height, iy = gy >> 8, fy = gy & 255;
        uint8_t *row = im->px + 3 * (size_t)y * (size_t)im->width;

        for (int32_t x = 0; x < im->width; x++, row += 3) {
            const int32_t gx = x * cells * 256 / im->width, ix = gx >> 8, fx = gx & 255;

            for (int i = 0; i < 3; i++) {
                const int32_t top =
                    grid[iy][ix][i] * (256 - fx) + grid[iy][ix + 1][i] * fx;
                const int32_t low =
                    grid[iy + 1][ix][i] * (256 - fx) + grid[iy + 1][ix + 1][i] * fx;
                row[i] = clamp_byte((top * (256 - fy) + low * fy) >> 16);
            }
        }
    }
}

void data__paint_blob(dscq_image *im, int32_t cx, int32_t cy, int32_t rx, int32_t ry,
                      const uint8_t rgb[3])
{
    const int64_t limit = (int64_t)rx * rx * ry * ry;

    for (int32_t y = clip(cy - ry, 0, im->height); y < clip(cy + ry, 0, im->height);
         y++)
        for (int32_t x = clip(cx - rx, 0, im->width); x < clip(cx + rx, 0, im->width);
             x++) {
            const int64_t dx = (int64_t)(x - cx) * ry, dy = (int64_t)(y - cy) * rx;
            if (dx * dx + dy * dy < limit)
                memcpy(im->px + 3 * ((size_t)y * (size_t)im->width + (size_t)x), rgb,
                       3);
        }
}

static void paint_bar(dscq_image *im, int32_t x0, int32_t y0, int32_t x1, int32_t y1,
                      const uint8_t rgb[3])
{
    for (int32_t y = clip(y0, 0, im->height); y < clip(y1, 0, im->height); y++)
        for (int32_t x = clip(x0, 0, im->width); x < clip(x1, 0, im->width); x++)
            memcpy(im->px + 3 * ((size_t)y * (size_t)im->width + (size_t)x), rgb, 3);
}

/* Half of the shapes take a colour that signs have, so colour alone says little. */
void data__paint_clutter(dscq_image *im, int32_t shapes, int32_t size, dscq_rng *rng)
{
    static const uint8_t k_loud[6][3] = {{196, 24, 32},   {24, 74, 168}, {244, 200, 28},
                                         {238, 238, 234}, {20, 122, 70}, {30, 30, 32}};

    for (int32_t i = 0; i < shapes; i++) {
        const int32_t x = data__draw(rng, 0, im->width),
                      y = data__draw(rng, 0, im->height);
        const int32_t rx = data__draw(rng, 1, size), ry = data__draw(rng, 1, size);
        uint8_t rgb[3];

        for (int k = 0; k < 3; k++)
            rgb[k] = (uint8_t)data__draw(rng, 10, 245);
        if (data__draw(rng, 0, 1))
            memcpy(rgb, k_loud[data__draw(rng, 0, 5)], 3);
        switch (data__draw(rng, 0, 2)) {
        case 0:
            data__paint_blob(im, x, y, rx, ry, rgb);
            break;
        case 1:
            paint_bar(im, x - rx, y - ry, x + rx, y + ry, rgb);
            break;
        default: /* a pole or a wire */
            if (data__draw(rng, 0, 1))
                paint_bar(im, x - 1 - rx / 6, 0, x + 1 + rx / 6, im->height, rgb);
            else
                paint_bar(im, 0, y - 1 - ry / 6, im->width, y + 1 + ry / 6, rgb);
        }
    }
}

/* One side of a random line through the middle region gets `light` of its light. */
void data__paint_shadow(dscq_image *im, int32_t light, dscq_rng *rng)
{
    const uint32_t turn = (uint32_t)data__draw(rng, 0, 65535);
    const int64_t nx = data__sin(turn + 16384), ny = data__sin(turn);
    const int32_t px = data__draw(rng, im->width / 4, im->width * 3 / 4);
    const int32_t py = data__draw(rng, im->height / 4, im->height * 3 / 4);

    for (int32_t y = 0; y < im->height; y++) {
        uint8_t *row = im->px + 3 * (size_t)y * (size_t)im->width;

        for (int32_t x = 0; x < im->width; x++, row += 3) {
            if (nx * (x - px) + ny * (y - py) < 0)
                continue;
            for (int i = 0; i < 3; i++)
                row[i] = (uint8_t)(row[i] * light >> 8);
        }
    }
}

void data__paint_light(dscq_image *im, int32_t gain, int32_t contrast,
                       const int32_t tint[3])
{
    const size_t n = (size_t)im->width * (size_t)im->height;
    uint8_t table[3][256];

    for (int i = 0; i < 3; i++)
        for (int32_t v = 0; v < 256; v++)
            table[i][v] = clamp_byte(
                (((((v - 128) * contrast) >> 8) + 128) * gain >> 8) * tint[i] >> 8);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < 3; i++)
            im->px[3 * k + i] = table[i][im->px[3 * k + i]];
}

/* 1-2-1 along a line of `n` pixels, `step` bytes apart; ends repeat. */
static void smooth(uint8_t *px, int32_t n, size_t step)
{
    for (size_t c = 0; c < 3; c++) {
        uint8_t *p = px + c;
        int32_t before = *p, here = *p;

        for (int32_t i = 0; i < n; i++, p += step) {
            const int32_t after = i + 1 < n ? p[step] : here;
            *p = (uint8_t)((before + 2 * here + after + 2) >> 2);
            before = here;
            here = after;
        }
    }
}

void data__paint_blur(dscq_image *im, int32_t passes_x, int32_t passes_y)
{
    const size_t line = 3 * (size_t)im->width;

    for (int32_t y = 0; y < im->height; y++)
        for (int32_t k = 0; k < passes_x; k++)
            smooth(im->px + (size_t)y * line, im->width, 3);
    for (int32_t x = 0; x < im->width; x++)
        for (int32_t k = 0; k < passes_y; k++)
            smooth(im->px + 3 * (size_t)x, im->height, line);
}

/* Sum of two uniform bytes: triangular, deviation amount * 104 / 256. */
void data__paint_noise(dscq_image *im, int32_t amount, dscq_rng *rng)
{
    const size_t n = 3 * (size_t)im->width * (size_t)im->height;
    uint64_t bits = 0;

    for (size_t i = 0; amount > 0 && i < n; i++) {
        if (i % 4 == 0)
            bits = dscq_rng_next(rng);
        const int32_t v = (int32_t)(bits & 255) + (int32_t)(bits >> 8 & 255) - 255;

        bits >>= 16;
        im->px[i] = clamp_byte(im->px[i] + (v * amount >> 8));
    }
}
