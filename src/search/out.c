/* What a search leaves for people: recipe, tables, the Pareto set and its picture. */
#include "dscq/base/alloc.h"
#include "dscq/report/plot.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>

dscq_status search__write_recipe(const search *s, size_t trial, const char *path,
                                 dscq_error *err)
{
    const search_trial *t = &s->trial[trial];
    dscq_settings *settings = NULL;
    char about[240];
    dscq_status status;

    (void)snprintf(about, sizeof about,
                   "Trial %zu of dscq compress: lost %.4f before fine-tuning, %.0f "
                   "bytes%s",
                   trial, t->value[DSCQ_METRIC_LOSS], t->value[DSCQ_METRIC_BYTES],
                   t->total_over > 0 ? "; over a limit" : "");
    DSCQ_TRY(search__settings(&settings, s, t->choice, err));
    DSCQ_TRY(dscq_flow_recipe_write(settings, s->base_rows, about, path, err));
done:
    dscq_settings_destroy(settings);
    return status;
}

/* ---- tables ------------------------------------------------------------- */

static const dscq_column k_columns[] = {DSCQ_INT_COLUMN("trial", ""),
                                        DSCQ_TEXT_COLUMN("source", ""),
                                        DSCQ_REAL_COLUMN("loss_frac", "loss", 4),
                                        DSCQ_REAL_COLUMN("bytes", "", 0),
                                        DSCQ_REAL_COLUMN("cycles", "", 0),
                                        DSCQ_REAL_COLUMN("energy_pj", "energy", 0),
                                        DSCQ_REAL_COLUMN("bram36", "", 0),
                                        DSCQ_INT_COLUMN("feasible", ""),
                                        DSCQ_COLUMN_END};

static void add_row(dscq_table *t, const search *s, size_t trial,
                    const double value[DSCQ_METRICS], double over)
{
    dscq_cell cell[DSCQ_METRICS + 3] = {
        dscq_int((int64_t)trial),
        dscq_text(search__source_name(s->trial[trial].source))};

    for (int m = 0; m < DSCQ_METRICS; m++)
        cell[2 + m] = dscq_finite(value[m]);
    cell[2 + DSCQ_METRICS] = dscq_int(over <= 0);
    dscq_table_add(t, cell, DSCQ_METRICS + 3);
}

static void add_trial(dscq_table *t, const search *s, size_t i)
{
    add_row(t, s, i, s->trial[i].value, s->trial[i].total_over);
}

dscq_status search__finalist_table(dscq_table **out, const search *s, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "finalists", k_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < s->finalists; i++) {
        const search_finalist *f = &s->finalist[i];
        add_row(*out, s, f->trial, f->value, f->total_over);
    }
    return dscq_table_finish(out, err);
}

/* ---- the picture -------------------------------------------------------- */

/* Accuracy over the objective (over bytes when the loss is the objective). */
static dscq_status draw(const search *s, const unsigned char *front, dscq_error *err)
{
    const int m = s->params.objective == DSCQ_METRIC_LOSS ? DSCQ_METRIC_BYTES
                                                          : s->params.objective;
    const dscq_axes axes = {.title = "trials, before fine-tuning",
                            .x_label = dscq_metric_column(m),
                            .y_label = "accuracy (%)"};
    double *x = dscq_calloc(2 * s->trials + 2, sizeof *x);
    char(*name)[24] = dscq_calloc(s->trials + 1, sizeof *name);
    const char **label = dscq_calloc(s->trials + 1, sizeof *label);
    dscq_picture *picture = NULL;
    dscq_status status;

    if (x == NULL || name == NULL || label == NULL) {
        status = dscq_fail_nomem(err, "a picture", s->trials * sizeof *name);
        goto done;
    }
    double *const y = x + s->trials;
    for (size_t i = 0; i < s->trials; i++) {
        x[i] = s->trial[i].value[m];
        y[i] = 100 * (s->float_score - s->trial[i].value[DSCQ_METRIC_LOSS]);
        (void)snprintf(name[i], sizeof name[i], "%zu", i);
        label[i] = front[i] ? name[i] : NULL;
    }
    const dscq_points points = {.x = x, .y = y, .label = label, .count = s->trials};
    DSCQ_TRY(dscq_plot_pareto(&picture, &axes, &points, err));
    DSCQ_TRY(dscq_flow_write_picture(picture, s->dir, "pareto", err));
done:
    dscq_picture_destroy(picture);
    dscq_free(x);
    dscq_free(name);
    dscq_free(label);
    return status;
}

static int any_result(const search *s)
{
    for (size_t i = 0; i < s->trials; i++)
        if (!s->trial[i].failed)
            return 1;
    return 0;
}

dscq_status search__write_tables(const search *s, dscq_table **pareto, dscq_error *err)
{
    unsigned char *front = dscq_calloc(s->trials + 1, 1);
    dscq_table *all = NULL, *best = NULL;
    dscq_status status;

    if (front == NULL)
        return dscq_fail_nomem(err, "trials", s->trials);
    search__front(s, front);
    DSCQ_TRY(dscq_table_create(&all, "trials", k_columns, err));
    DSCQ_TRY(dscq_table_create(&best, "pareto", k_columns, err));
    for (size_t i = 0; i < s->trials; i++) {
        add_trial(all, s, i);
        if (front[i])
            add_trial(best, s, i);
    }
    DSCQ_TRY(dscq_flow_write_csv(all, s->dir, "trials.csv", err));
    DSCQ_TRY(dscq_flow_write_csv(best, s->dir, "pareto.csv", err));
    if (any_result(s))
        DSCQ_TRY(draw(s, front, err));
    if (pareto != NULL) {
        *pareto = best;
        best = NULL;
    }
done:
    dscq_table_destroy(all);
    dscq_table_destroy(best);
    dscq_free(front);
    return status;
}
