#include "axes.h"

enum { SERIES_MAX = 8 };

static void include_all(frame *f, const dscq_axes *axes, const dscq_series *series,
                        size_t count)
{
    report__scale_start(&f->x, axes->log_x);
    report__scale_start(&f->y, axes->log_y);
    report__scale_start(&f->right, 0);
    for (size_t i = 0; i < count; i++) {
        scale *y = series[i].on_right ? &f->right : &f->y;
        for (size_t k = 0; k < series[i].count; k++)
            if (report__scale_can_show(&f->x, series[i].x[k]) &&
                report__scale_include(y, series[i].y[k]))
                (void)report__scale_include(&f->x, series[i].x[k]);
        f->has_right |= series[i].on_right;
    }
    if (axes->zero_y && !axes->log_y)
        (void)report__scale_include(&f->y, 0);
    report__scale_round(&f->y);
    report__scale_round(&f->right);
    if (axes->log_x)
        report__scale_round(&f->x);
    else if (f->x.hi <= f->x.lo) /* a single column of points */
        f->x.hi = f->x.lo + 1;
}

static void draw_series(const frame *f, dscq_picture *p, const dscq_series *s,
                        uint32_t colour)
{
    const scale *y = s->on_right ? &f->right : &f->y;
    double last_x = 0, last_y = 0;
    int drawn = 0; /* points since the last break */

    for (size_t k = 0; k < s->count; k++) {
        if (!report__scale_can_show(&f->x, s->x[k]) ||
            !report__scale_can_show(y, s->y[k])) {
            if (drawn == 1)
                report__picture_disc(p, last_x, last_y, 2.5, colour, 0);
            drawn = 0;
            continue;
        }
        const double px = report__scale_at(&f->x, s->x[k]),
                     py = report__scale_at(y, s->y[k]);
        if (drawn > 0)
            report__picture_line(p, last_x, last_y, px, py, colour, 2);
        last_x = px;
        last_y = py;
        drawn++;
    }
    if (drawn == 1) /* a lone point would be no line */
        report__picture_disc(p, last_x, last_y, 2.5, colour, 0);
}

dscq_status dscq_plot_line(dscq_picture **out, const dscq_axes *axes,
                           const dscq_series *series, size_t series_count,
                           dscq_error *err)
{
    const char *name[SERIES_MAX], *right_label = NULL;
    dscq_picture *p = NULL;
    frame f = {0};

    *out = NULL;
    if (series_count > SERIES_MAX)
        return dscq_fail(err, DSCQ_ARG, "%zu curves in one plot: at most %d",
                         series_count, SERIES_MAX);
    include_all(&f, axes, series, series_count);
    if (f.x.empty)
        return dscq_fail(err, DSCQ_ARG, "a plot without a point that can be shown");
    for (size_t i = 0; i < series_count; i++) {
        name[i] = series[i].name;
        if (series[i].on_right && right_label == NULL)
            right_label = series[i].name;
    }
    dscq_status status = report__picture_create(&p, AXES_WIDTH, AXES_HEIGHT, err);
    if (status != DSCQ_OK)
        return status;
    report__frame_place(&f, report__frame_key(&f, NULL, name, series_count), 20);
    report__frame_draw(&f, p, axes, right_label);
    (void)report__frame_key(&f, p, name, series_count);
    for (size_t i = 0; i < series_count; i++)
        draw_series(&f, p, &series[i], report__axes_colour[i]);
    if ((status = report__picture_check(p, err)) != DSCQ_OK) {
        dscq_picture_destroy(p);
        return status;
    }
    *out = p;
    return DSCQ_OK;
}
