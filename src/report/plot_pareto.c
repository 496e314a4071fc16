#include "axes.h"
#include "dscq/base/alloc.h"

#include <math.h>
#include <stdlib.h>

/* A point with both directions turned so that smaller x and larger y are better. */
typedef struct point {
    double x, y;
    size_t i;
} point;

static int by_merit(const void *a, const void *b)
{
    const point *p = a, *q = b;

    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    if (p->y != q->y)
        return p->y > q->y ? -1 : 1;
    return p->i < q->i ? -1 : p->i > q->i;
}

/* The points of the front by rising x; *count of them. The caller frees *out. */
static dscq_status find_front(point **out, size_t *count, const dscq_points *points,
                              dscq_error *err)
{
    size_t n = 0, kept = 0;
    double best = -HUGE_VAL;

    *count = 0;
    *out = dscq_malloc(points->count, sizeof **out);
    if (*out == NULL)
        return dscq_fail_nomem(err, "points", points->count * sizeof **out);
    point *p = *out;
    for (size_t i = 0; i < points->count; i++)
        if (isfinite(points->x[i]) && isfinite(points->y[i]))
            p[n++] = (point){points->max_x ? -points->x[i] : points->x[i],
                             points->min_y ? -points->y[i] : points->y[i], i};
    if (n > 0)
        qsort(p, n, sizeof *p, by_merit);
    for (size_t k = 0; k < n; k++)
        if (p[k].y > best) {
            best = p[k].y;
            p[kept++] = p[k];
        }
    *count = kept;
    return DSCQ_OK;
}

dscq_status dscq_pareto_front(unsigned char *on_front, const dscq_points *points,
                              dscq_error *err)
{
    point *front = NULL;
    size_t count = 0;
    const dscq_status status = find_front(&front, &count, points, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < points->count; i++)
        on_front[i] = 0;
    for (size_t k = 0; k < count; k++)
        on_front[front[k].i] = 1;
    dscq_free(front);
    return DSCQ_OK;
}

static void draw_points(const frame *f, dscq_picture *p, const dscq_points *points,
                        const point *front, size_t count)
{
    for (size_t i = 0; i < points->count; i++)
        if (report__scale_can_show(&f->x, points->x[i]) &&
            report__scale_can_show(&f->y, points->y[i]))
            report__picture_disc(p, report__scale_at(&f->x, points->x[i]),
                                 report__scale_at(&f->y, points->y[i]), 3.5, GREY, 1.2);
    double last_x = 0, last_y = 0;
    int drawn = 0;
    for (size_t k = 0; k < count; k++) {
        const double vx = points->x[front[k].i], vy = points->y[front[k].i];
        if (!report__scale_can_show(&f->x, vx) || !report__scale_can_show(&f->y, vy))
            continue;
        const double x = report__scale_at(&f->x, vx), y = report__scale_at(&f->y, vy);
        if (drawn++ > 0) { /* what the last point offers holds until the next */
            report__picture_line(p, last_x, last_y, x, last_y, report__axes_colour[0],
                                 1.5);
            report__picture_line(p, x, last_y, x, y, report__axes_colour[0], 1.5);
        }
        last_x = x;
        last_y = y;
    }
    for (size_t k = 0; k < count; k++) {
        const size_t i = front[k].i;
        if (!report__scale_can_show(&f->x, points->x[i]) ||
            !report__scale_can_show(&f->y, points->y[i]))
            continue;
        const double x = report__scale_at(&f->x, points->x[i]);
        const double y = report__scale_at(&f->y, points->y[i]);
        const int at_right = x > (f->left + f->right_edge) / 2;
        report__picture_disc(p, x, y, 4.5, report__axes_colour[0], 0);
        report__picture_text(
            p, at_right ? x - 7 : x + 7, y - 7,
            points->label != NULL ? points->label[i] : NULL,
            (text_style){11, at_right ? ANCHOR_END : ANCHOR_START, INK, 0, 0});
    }
}

dscq_status dscq_plot_pareto(dscq_picture **out, const dscq_axes *axes,
                             const dscq_points *points, dscq_error *err)
{
    dscq_picture *p = NULL;
    point *front = NULL;
    size_t count = 0;
    frame f = {0};

    *out = NULL;
    report__scale_start(&f.x, axes->log_x);
    report__scale_start(&f.y, axes->log_y);
    for (size_t i = 0; i < points->count; i++)
        if (report__scale_can_show(&f.x, points->x[i]) &&
            report__scale_include(&f.y, points->y[i]))
            (void)report__scale_include(&f.x, points->x[i]);
    if (f.x.empty)
        return dscq_fail(err, DSCQ_ARG, "a plot without a point that can be shown");
    if (axes->zero_y && !axes->log_y)
        (void)report__scale_include(&f.y, 0);
    report__scale_round(&f.x);
    report__scale_round(&f.y);
    dscq_status status = find_front(&front, &count, points, err);
    if (status == DSCQ_OK)
        status = report__picture_create(&p, AXES_WIDTH, AXES_HEIGHT, err);
    if (status == DSCQ_OK) {
        report__frame_place(&f, 0, 20);
        report__frame_draw(&f, p, axes, NULL);
        draw_points(&f, p, points, front, count);
        status = report__picture_check(p, err);
    }
    dscq_free(front);
    if (status != DSCQ_OK) {
        dscq_picture_destroy(p);
        return status;
    }
    *out = p;
    return DSCQ_OK;
}
