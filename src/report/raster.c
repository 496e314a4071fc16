/* Shapes to pixels: painted FINE times finer each way than the result, then averaged,
 * which smooths the edges. */
#include "dscq/base/alloc.h"
#include "dscq/base/png.h"
#include "picture.h"
#include "report_internal.h"

#include <math.h>
#include <string.h>

enum {
    PNG_SCALE = 2, /* result pixels a pixel of the picture */
    FINE = 2       /* painted pixels a result pixel, each way */
};

typedef struct canvas {
    uint8_t *rgb;
    int width, height;
    double unit; /* painted pixels a hundredth of a picture pixel */
} canvas;

static void put(canvas *c, int x, int y, uint32_t colour)
{
    if (x < 0 || y < 0 || x >= c->width || y >= c->height)
        return;
    uint8_t *p = c->rgb + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
    p[0] = (uint8_t)(colour >> 16);
    p[1] = (uint8_t)(colour >> 8);
    p[2] = (uint8_t)colour;
}

static int low(double v)
{
    return (int)floor(v);
}

static void fill_rect(canvas *c, double x, double y, double w, double h,
                      uint32_t colour)
{
    const int x0 = (int)lround(x), y0 = (int)lround(y);
    const int x1 = (int)lround(x + w), y1 = (int)lround(y + h);

    for (int j = y0 > 0 ? y0 : 0; j < y1 && j < c->height; j++)
        for (int i = x0 > 0 ? x0 : 0; i < x1 && i < c->width; i++)
            put(c, i, j, colour);
}

/* Every pixel whose centre is at most half a width from the segment. */
static void draw_line(canvas *c, const shape *s)
{
    const double x1 = s->x * c->unit, y1 = s->y * c->unit;
    const double dx = s->x2 * c->unit - x1, dy = s->y2 * c->unit - y1;
    const double r = fmax(s->width * c->unit / 2, 0.5), length2 = dx * dx + dy * dy;

    for (int j = low(fmin(y1, y1 + dy) - r); j <= low(fmax(y1, y1 + dy) + r); j++)
        for (int i = low(fmin(x1, x1 + dx) - r); i <= low(fmax(x1, x1 + dx) + r); i++) {
            const double px = i + 0.5 - x1, py = j + 0.5 - y1;
            double t = length2 > 0 ? (px * dx + py * dy) / length2 : 0;
            t = fmin(fmax(t, 0), 1);
            const double ex = px - t * dx, ey = py - t * dy;
            if (ex * ex + ey * ey <= r * r)
                put(c, i, j, s->colour);
        }
}

static void draw_disc(canvas *c, const shape *s)
{
    const double x = s->x * c->unit, y = s->y * c->unit;
    const double rim = s->width * c->unit / 2, r = s->x2 * c->unit;

    for (int j = low(y - r - rim); j <= low(y + r + rim); j++)
        for (int i = low(x - r - rim); i <= low(x + r + rim); i++) {
            const double d = hypot(i + 0.5 - x, j + 0.5 - y);
            if (d <= r + rim)
                put(c, i, j, rim > 0 && d < r - rim ? 0xffffff : s->colour);
        }
}

/* The baseline is at y; a glyph's cell is 6 x 9 of its own pixels. */
static void draw_text(canvas *c, const dscq_picture *p, const shape *s)
{
    const char *text = report__picture_text_of(p, s);
    const double dot = s->width * c->unit / 10.5;
    const double length = (double)report__width(text) * FONT_ADVANCE * dot;
    double at = s->anchor == ANCHOR_START    ? 0
                : s->anchor == ANCHOR_MIDDLE ? -length / 2
                                             : -length;
    const double x = s->x * c->unit, y = s->y * c->unit;
    const double thick = s->bold ? 1.5 * dot : dot;

    for (; *text != '\0'; text++) {
        const uint8_t *glyph = report__font_glyph(*text);
        if (!report__starts_letter(*text))
            continue;
        for (int col = 0; col < FONT_COLUMNS; col++)
            for (int row = 0; row < FONT_ROWS; row++) {
                const double gx = at + col * dot, gy = (row - FONT_RISE) * dot;
                if ((glyph[col] >> row & 1U) == 0)
                    continue;
                if (s->upright) /* (gx, gy) turned left: (gy, -gx) */
                    fill_rect(c, x + gy, y - gx - thick, dot, thick, s->colour);
                else
                    fill_rect(c, x + gx, y + gy, thick, dot, s->colour);
            }
        at += FONT_ADVANCE * dot;
    }
}

static void paint(canvas *c, const dscq_picture *p)
{
    memset(c->rgb, 0xff, (size_t)3 * (size_t)c->width * (size_t)c->height);
    for (size_t i = 0; i < p->count; i++) {
        const shape *s = &p->shape[i];
        switch (s->kind) {
        case SHAPE_LINE:
            draw_line(c, s);
            break;
        case SHAPE_RECT:
            fill_rect(c, s->x * c->unit, s->y * c->unit, s->x2 * c->unit,
                      s->y2 * c->unit, s->colour);
            break;
        case SHAPE_DISC:
            draw_disc(c, s);
            break;
        case SHAPE_TEXT:
            draw_text(c, p, s);
            break;
        }
    }
}

static void shrink(uint8_t *out, const canvas *c)
{
    const size_t width = (size_t)c->width / FINE, height = (size_t)c->height / FINE;

    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < 3 * width; x++) {
            unsigned sum = 0;
            for (size_t j = 0; j < FINE; j++)
                for (size_t i = 0; i < FINE; i++)
                    sum += c->rgb[3 * ((FINE * y + j) * (size_t)c->width +
                                       FINE * (x / 3) + i) +
                                  x % 3];
            out[y * 3 * width + x] = (uint8_t)((sum + FINE * FINE / 2) / (FINE * FINE));
        }
}

static dscq_status raster(uint8_t **rgb, const dscq_picture *p, int scale,
                          dscq_error *err)
{
    canvas c = {NULL, p->width * scale * FINE, p->height * scale * FINE,
                scale * FINE / 100.0};
    const size_t pixels =
        (size_t)p->width * (size_t)p->height * (size_t)(scale * scale);

    *rgb = NULL;
    c.rgb = dscq_malloc(pixels, 3 * FINE * FINE);
    uint8_t *out = c.rgb == NULL ? NULL : dscq_malloc(pixels, 3);
    if (out == NULL) {
        dscq_free(c.rgb);
        return dscq_fail_nomem(err, "pixels of a picture", 15ULL * pixels);
    }
    paint(&c, p);
    shrink(out, &c);
    dscq_free(c.rgb);
    *rgb = out;
    return DSCQ_OK;
}

dscq_status dscq_picture_write_png(const dscq_picture *p, const char *path,
                                   dscq_error *err)
{
    uint8_t *rgb = NULL;
    dscq_status status = raster(&rgb, p, PNG_SCALE, err);

    if (status == DSCQ_OK)
        status = dscq_png_write(path, rgb, (size_t)p->width * PNG_SCALE,
                                (size_t)p->height * PNG_SCALE, 3, err);
    dscq_free(rgb);
    return status;
}
