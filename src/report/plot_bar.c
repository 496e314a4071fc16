#include "axes.h"

#include <math.h>
#include <string.h>

enum { PARTS_MAX = 10, BARS_MAX = 200, NAMES_MAX = 60 };

static dscq_status check_bars(const dscq_bars *b, dscq_error *err)
{
    if (b->part_count < 1 || b->part_count > PARTS_MAX || b->bar_count < 1 ||
        b->bar_count > BARS_MAX)
        return dscq_fail(err, DSCQ_ARG,
                         "%zu bars of %zu parts: want 1 to %d bars, 1 to %d parts",
                         b->bar_count, b->part_count, BARS_MAX, PARTS_MAX);
    for (size_t i = 0; i < b->bar_count * b->part_count; i++)
        if (!isfinite(b->value[i]) || b->value[i] < 0)
            return dscq_fail(err, DSCQ_ARG,
                             "bar '%s', part '%s': %g, want a number >= 0",
                             b->bar_name[i / b->part_count],
                             b->part_name[i % b->part_count], b->value[i]);
    return DSCQ_OK;
}

/* Letters of the longest bar name: it decides how the names are written. */
static size_t longest(const dscq_bars *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->bar_count; i++)
        if (strlen(b->bar_name[i]) > n)
            n = strlen(b->bar_name[i]);
    return n;
}

static void draw_bars(const frame *f, dscq_picture *p, const dscq_bars *b, int upright)
{
    const double pitch = (f->right_edge - f->left) / (double)b->bar_count;
    const double width = pitch * 0.8;
    const size_t stride = 1 + (b->bar_count - 1) / NAMES_MAX;

    for (size_t i = 0; i < b->bar_count; i++) {
        const double x = f->left + pitch * ((double)i + 0.5);
        double sum = 0;
        for (size_t k = 0; k < b->part_count; k++) {
            const double v = b->value[i * b->part_count + k];
            const double y0 = report__scale_at(&f->y, sum),
                         y1 = report__scale_at(&f->y, sum + v);
            if (v > 0)
                report__picture_rect(p, x - width / 2, y1, width, y0 - y1,
                                     report__axes_colour[k]);
            sum += v;
        }
        if (i % stride != 0)
            continue;
        if (upright)
            report__picture_text(p, x + 4, f->bottom + 6, b->bar_name[i],
                                 (text_style){10, ANCHOR_END, INK, 1, 0});
        else
            report__picture_text(p, x, f->bottom + 17, b->bar_name[i],
                                 (text_style){12, ANCHOR_MIDDLE, INK, 0, 0});
    }
}

dscq_status dscq_plot_bar(dscq_picture **out, const dscq_axes *axes,
                          const dscq_bars *bars, dscq_error *err)
{
    dscq_status status = check_bars(bars, err);
    dscq_picture *p = NULL;
    frame f = {.names_below = 1};

    *out = NULL;
    if (status != DSCQ_OK ||
        (status = report__picture_create(&p, AXES_WIDTH, AXES_HEIGHT, err)) != DSCQ_OK)
        return status;
    report__scale_start(&f.x, 0);
    report__scale_start(&f.y, 0);
    (void)report__scale_include(&f.y, 0);
    for (size_t i = 0; i < bars->bar_count; i++) {
        double sum = 0;
        for (size_t k = 0; k < bars->part_count; k++)
            sum += bars->value[i * bars->part_count + k];
        (void)report__scale_include(&f.y, sum);
    }
    report__scale_round(&f.y);
    if (f.y.lo < 0) /* all bars are 0 */
        f.y.lo = 0;
    const double letters = (double)longest(bars);
    const int upright = letters * 7.2 > 600.0 / (double)bars->bar_count;
    report__frame_place(
        &f,
        bars->part_count > 1
            ? report__frame_key(&f, NULL, bars->part_name, bars->part_count)
            : 0,
        upright ? fmin(10 + 6 * letters, 130) : 18);
    report__frame_draw(&f, p, axes, NULL);
    if (bars->part_count > 1)
        (void)report__frame_key(&f, p, bars->part_name, bars->part_count);
    draw_bars(&f, p, bars, upright);
    if ((status = report__picture_check(p, err)) != DSCQ_OK) {
        dscq_picture_destroy(p);
        return status;
    }
    *out = p;
    return DSCQ_OK;
}
