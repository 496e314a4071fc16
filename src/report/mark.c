#include "dscq/report/mark.h"

#include "picture.h"

#include <math.h>
#include <string.h>

typedef struct marked {
    uint8_t *rgb;
    int32_t width, height;
} marked;

/* Columns [x0, x1) of rows [y0, y1), as far as they are there. */
static void fill(const marked *m, int32_t x0, int32_t y0, int32_t x1, int32_t y1,
                 uint32_t colour)
{
    for (int32_t y = y0 > 0 ? y0 : 0; y < y1 && y < m->height; y++)
        for (int32_t x = x0 > 0 ? x0 : 0; x < x1 && x < m->width; x++) {
            uint8_t *p = m->rgb + 3 * ((size_t)y * (size_t)m->width + (size_t)x);
            p[0] = (uint8_t)(colour >> 16);
            p[1] = (uint8_t)(colour >> 8);
            p[2] = (uint8_t)colour;
        }
}

static void letters(const marked *m, int32_t x, int32_t y, int32_t dot,
                    const char *text, uint32_t colour)
{
    for (; *text != '\0'; text++, x += FONT_ADVANCE * dot) {
        const uint8_t *glyph = report__font_glyph(*text);
        for (int32_t c = 0; c < FONT_COLUMNS; c++)
            for (int32_t r = 0; r < FONT_ROWS; r++)
                if (glyph[c] >> r & 1U)
                    fill(m, x + c * dot, y + r * dot, x + (c + 1) * dot,
                         y + (r + 1) * dot, colour);
    }
}

/* Black on bright colours, white on dark ones. */
static uint32_t ink_on(uint32_t colour)
{
    const uint32_t luma =
        299 * (colour >> 16) + 587 * (colour >> 8 & 255) + 114 * (colour & 255);

    return luma > 128000 ? 0x000000 : 0xffffff;
}

static void put_label(const marked *m, int32_t x, int32_t y, int32_t line,
                      const char *label, uint32_t colour)
{
    const int32_t dot = line > 1 ? line / 2 : 1, pad = dot;
    const int32_t tall = FONT_ROWS * dot + 2 * pad;
    const int32_t wide = (int32_t)strlen(label) * FONT_ADVANCE * dot + 2 * pad;

    if (x + wide > m->width)
        x = m->width - wide;
    if (x < 0)
        x = 0;
    y = y >= tall ? y - tall : y + line;
    fill(m, x, y, x + wide, y + tall, colour);
    letters(m, x + pad, y + pad, dot, label, ink_on(colour));
}

static int32_t pixel(double v)
{
    return (int32_t)lround(fmin(fmax(v, -1e6), 1e6));
}

void dscq_mark_box(uint8_t *rgb, int32_t width, int32_t height, double x0, double y0,
                   double x1, double y1, uint32_t colour, const char *label)
{
    const marked m = {rgb, width, height};
    const int32_t side = width < height ? width : height;
    const int32_t line = side >= 600 ? side / 240 : side >= 240 ? 2 : 1;
    const int32_t left = pixel(x0), top = pixel(y0), right = pixel(x1), low = pixel(y1);

    fill(&m, left, top, right, top + line, colour);
    fill(&m, left, low - line, right, low, colour);
    fill(&m, left, top, left + line, low, colour);
    fill(&m, right - line, top, right, low, colour);
    if (*label != '\0')
        put_label(&m, left, top, line, label, colour);
}

uint32_t dscq_mark_colour(int32_t cls)
{
    static const uint32_t k_colours[] = {0xe6194b, 0x3cb44b, 0x4363d8, 0xffe119,
                                         0x911eb4, 0x42d4f4, 0xf58231, 0xf032e6,
                                         0x008080, 0xbfef45, 0x9a6324, 0x000075};

    return k_colours[(uint32_t)cls % (sizeof k_colours / sizeof *k_colours)];
}
