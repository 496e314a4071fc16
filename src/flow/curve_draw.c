#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/report/plot.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>

dscq_status flow__curve_path(char out[DSCQ_PATH_MAX], const char *dir, const char *stem,
                             const char *ending, dscq_error *err)
{
    char name[64];

    snprintf(name, sizeof name, "%s.%s", stem, ending);
    return dscq_path_join(out, DSCQ_PATH_MAX, dir, name, err);
}

static dscq_status write_both(const dscq_picture *picture, const char *dir,
                              const char *stem, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(flow__curve_path(path, dir, stem, "svg", err));
    DSCQ_TRY(dscq_picture_write_svg(picture, path, err));
    DSCQ_TRY(flow__curve_path(path, dir, stem, "png", err));
    DSCQ_TRY(dscq_picture_write_png(picture, path, err));
done:
    return status;
}

dscq_status flow__curve_draw(const flow_curve *c, const char *dir, const char *stem,
                             const char *title, dscq_error *err)
{
    const size_t n = c->count;
    double *v = dscq_calloc(4 * n + 1, sizeof *v);
    dscq_picture *picture = NULL;
    size_t finite = 0;
    dscq_status status = DSCQ_OK;

    if (v == NULL)
        return dscq_fail_nomem(err, "the training curve", 4ULL * n * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i] = c->row[i].epoch + 1.0;
        v[n + i] = 100 * c->row[i].top1_frac;
        v[2 * n + i] = 100 * c->row[i].score;
        v[3 * n + i] = c->row[i].loss;
        finite += isfinite(c->row[i].loss) != 0;
    }
    if (finite > 0) {
        const dscq_axes axes = {.title = title, .x_label = "epoch", .y_label = "%"};
        const dscq_series series[] = {
            {.name = "training", .x = v, .y = v + n, .count = n},
            {.name = "validation", .x = v, .y = v + 2 * n, .count = n},
            {.name = "loss", .x = v, .y = v + 3 * n, .count = n, .on_right = 1}};
        DSCQ_TRY(dscq_plot_line(&picture, &axes, series, 3, err));
        DSCQ_TRY(write_both(picture, dir, stem, err));
    }
done:
    dscq_picture_destroy(picture);
    dscq_free(v);
    return status;
}
