#include "axes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ROWS_MAX = 400,
    COLUMNS_MAX = 60,
    CELL_W = 44,
    CELL_H = 16,
    TOP = 96,
    MARGIN = 12,
    LETTER = 6,
    TITLE_LETTER = 9,
    NAMES_MIN = 60,
    NAMES_MAX = 320
};

static dscq_status check_heat(const dscq_heat *h, dscq_error *err)
{
    if (h->row_count < 1 || h->row_count > ROWS_MAX || h->column_count < 1 ||
        h->column_count > COLUMNS_MAX)
        return dscq_fail(
            err, DSCQ_ARG,
            "a map of %zu rows and %zu columns: want 1 to %d rows, 1 to %d "
            "columns",
            h->row_count, h->column_count, ROWS_MAX, COLUMNS_MAX);
    return DSCQ_OK;
}

/* White to yellow to dark red, even steps in lightness. */
static uint32_t colour_of(double t)
{
    static const int stop[][3] = {
        {255, 255, 255}, {255, 237, 160}, {254, 178, 76}, {240, 59, 32}, {128, 0, 38}};
    const int last = (int)(sizeof stop / sizeof stop[0]) - 1;
    const double at = (t < 0 ? 0 : t > 1 ? 1 : t) * last;
    const int i = at >= last ? last - 1 : (int)at;
    uint32_t colour = 0;

    for (int c = 0; c < 3; c++) {
        const double v = stop[i][c] + (at - i) * (stop[i + 1][c] - stop[i][c]);
        colour = colour << 8 | (uint32_t)(v + 0.5);
    }
    return colour;
}

static double largest(const dscq_heat *h)
{
    double most = 0;

    for (size_t i = 0; i < h->row_count * h->column_count; i++)
        if (isfinite(h->value[i]) && h->value[i] > most)
            most = h->value[i];
    return most;
}

static double names_width(const dscq_heat *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->row_count; i++)
        if (strlen(h->row_name[i]) > n)
            n = strlen(h->row_name[i]);
    return fmin(fmax((double)n * LETTER + MARGIN, NAMES_MIN), NAMES_MAX);
}

static void draw_row(dscq_picture *p, const dscq_heat *h, size_t row, double left,
                     double most)
{
    const double y = TOP + (double)row * CELL_H;
    char text[24];

    report__picture_text(p, left - 6, y + CELL_H - 5, h->row_name[row],
                         (text_style){10, ANCHOR_END, INK, 0, 0});
    for (size_t c = 0; c < h->column_count; c++) {
        const double v = h->value[row * h->column_count + c];
        const double x = left + (double)c * CELL_W, t = most > 0 ? v / most : 0;

        if (!isfinite(v))
            continue;
        report__picture_rect(p, x + 0.5, y + 0.5, CELL_W - 1, CELL_H - 1, colour_of(t));
        (void)snprintf(text, sizeof text, "%.1f", v == 0 ? 0.0 : v); /* no -0.0 */
        report__picture_text(
            p, x + CELL_W / 2.0, y + CELL_H - 5, text,
            (text_style){9, ANCHOR_MIDDLE, t > 0.6 ? 0xffffff : INK, 0, 0});
    }
}

dscq_status dscq_plot_heat(dscq_picture **out, const dscq_axes *axes,
                           const dscq_heat *heat, dscq_error *err)
{
    dscq_picture *p = NULL;
    dscq_status status = check_heat(heat, err);

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    const double left = names_width(heat), most = largest(heat);
    const double right = left + (double)heat->column_count * CELL_W;
    const double bottom = TOP + (double)heat->row_count * CELL_H;
    status = report__picture_create(&p, (int32_t)(right + MARGIN),
                                    (int32_t)(bottom + MARGIN), err);
    if (status != DSCQ_OK)
        return status;
    if (axes->title != NULL)
        report__picture_text(p, MARGIN, 22, axes->title,
                             (text_style){14, ANCHOR_START, INK, 0, 1});
    for (size_t c = 0; c < heat->column_count; c++)
        report__picture_text(p, left + ((double)c + 0.5) * CELL_W + 4, TOP - 6,
                             heat->column_name[c],
                             (text_style){10, ANCHOR_START, INK, 1, 0});
    for (size_t r = 0; r < heat->row_count; r++)
        draw_row(p, heat, r, left, most);
    report__picture_line(p, left, TOP, right, TOP, FAINT, 1);
    report__picture_line(p, left, bottom, right, bottom, FAINT, 1);
    if ((status = report__picture_check(p, err)) != DSCQ_OK) {
        dscq_picture_destroy(p);
        return status;
    }
    *out = p;
    return DSCQ_OK;
}
