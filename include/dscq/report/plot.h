/*
 * report/plot.h - the pictures of a report: lines, stacked bars, a Pareto front.
 *
 * A plot becomes a picture (a list of shapes), and a picture becomes SVG text or PNG
 * pixels. The same data gives the same bytes: no time, no fonts of the machine
 * (PNG text comes from a built-in bitmap font), fixed number formats.
 */
#ifndef DSCQ_REPORT_PLOT_H
#define DSCQ_REPORT_PLOT_H

#include "dscq/base/status.h"
#include "dscq/base/str.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_picture dscq_picture;

void dscq_picture_destroy(dscq_picture *p); /* NULL is fine */

/* Append a complete <svg> element (no XML declaration: fit for a file and for a
 * page alike). */
dscq_status dscq_picture_svg(dscq_str *out, const dscq_picture *p, dscq_error *err);
/* Both write atomically (base/io.h). */
dscq_status dscq_picture_write_svg(const dscq_picture *p, const char *path,
                                   dscq_error *err);
dscq_status dscq_picture_write_png(const dscq_picture *p, const char *path,
                                   dscq_error *err);

/* Texts may be NULL. Points whose x or y is not finite (or not positive on a
 * logarithmic axis) are left out and break the line there. */
typedef struct dscq_axes {
    const char *title, *x_label, *y_label;
    int log_x, log_y; /* logarithmic to base 10 */
    int zero_y;       /* the y axis begins at 0 */
} dscq_axes;

typedef struct dscq_series {
    const char *name; /* for the key; NULL: not in the key */
    const double *x, *y;
    size_t count;
    int on_right; /* a second y axis at the right, labelled with `name` */
} dscq_series;

/* Curves over a common x axis; at most 8 series. DSCQ_ARG when there are more, or
 * none has a point. */
dscq_status dscq_plot_line(dscq_picture **out, const dscq_axes *axes,
                           const dscq_series *series, size_t series_count,
                           dscq_error *err);

/* Stacked bars: bar b is a column of `part_count` parts, part p of it is
 * value[b * part_count + p] >= 0. At most 10 parts and 200 bars. */
typedef struct dscq_bars {
    const char *const *bar_name;  /* bar_count  */
    const char *const *part_name; /* part_count */
    const double *value;
    size_t bar_count, part_count;
} dscq_bars;
dscq_status dscq_plot_bar(dscq_picture **out, const dscq_axes *axes,
                          const dscq_bars *bars, dscq_error *err);

/* A map: rows down, columns across, a colour and a number a cell: white at 0 and below,
 * darkest at the largest value. A value that is not finite leaves its cell empty. At
 * most 400 rows and 60 columns; only the axes' title is used. */
typedef struct dscq_heat {
    const char *const *row_name;    /* row_count    */
    const char *const *column_name; /* column_count */
    const double *value;            /* [row_count][column_count] */
    size_t row_count, column_count;
} dscq_heat;
dscq_status dscq_plot_heat(dscq_picture **out, const dscq_axes *axes,
                           const dscq_heat *heat, dscq_error *err);

/* Points, and the steps through those that no other point beats in both x (smaller
 * is better unless max_x) and y (larger is better unless min_y). `label` may be
 * NULL, as may its entries; points on the front are drawn full and labelled. */
typedef struct dscq_points {
    const double *x, *y;
    const char *const *label;
    size_t count;
    int max_x, min_y;
} dscq_points;
dscq_status dscq_plot_pareto(dscq_picture **out, const dscq_axes *axes,
                             const dscq_points *points, dscq_error *err);

/* on_front[i] = 1 where no other point is at least as good in both directions and
 * better in one; of equal points the first one is on the front. O(n log n). */
dscq_status dscq_pareto_front(unsigned char *on_front, const dscq_points *points,
                              dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
