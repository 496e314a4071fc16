#include "dscq/flow/sensitivity.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/report/plot.h"
#include "dscq/report/writers.h"
#include "flow_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void dscq_sensitivity_clear(dscq_sensitivity_result *r)
{
    dscq_table_destroy(r->cells);
    dscq_table_destroy(r->layers);
    memset(r, 0, sizeof *r);
}

dscq_status dscq_flow_write_csv(const dscq_table *t, const char *dir, const char *name,
                                dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str text = {0};
    dscq_status status;

    DSCQ_TRY(dscq_write_csv(&text, t, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
    DSCQ_TRY(dscq_file_write(path, text.text, text.len, err));
done:
    dscq_str_free(&text);
    return status;
}

dscq_status dscq_flow_write_picture(const dscq_picture *picture, const char *dir,
                                    const char *stem, dscq_error *err)
{
    char name[DSCQ_NAME_MAX], path[DSCQ_PATH_MAX];
    dscq_status status;

    (void)snprintf(name, sizeof name, "%s.svg", stem);
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
    DSCQ_TRY(dscq_picture_write_svg(picture, path, err));
    (void)snprintf(name, sizeof name, "%s.png", stem);
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
    DSCQ_TRY(dscq_picture_write_png(picture, path, err));
done:
    return status;
}

/* ---- the map ------------------------------------------------------------ */

typedef struct map {
    const char **row; /* [layers] */
    char (*column)[24];
    const char **column_name; /* [columns] */
    double *value;            /* [layers][columns], points of accuracy */
    size_t columns;
} map;

static size_t add_columns(map *m, size_t at, const char *what, const dscq_list *v)
{
    for (int32_t i = 0; i < v->count; i++) {
        (void)snprintf(m->column[at], sizeof m->column[at], "%s %g", what, v->v[i]);
        m->column_name[at] = m->column[at];
        at++;
    }
    return at;
}

/* Column of a cell; the order of add_columns(). */
static size_t column_of(const dscq_sense_params *p, const dscq_sense_cell *c)
{
    const dscq_list *const list[] = {&p->prune, &p->bits, &p->channels};
    size_t at = 0;

    assert((size_t)c->probe < sizeof list / sizeof *list);
    for (dscq_probe k = DSCQ_PROBE_PRUNE; k < c->probe; k++)
        at += (size_t)list[k]->count;
    for (int32_t i = 0; i < list[c->probe]->count; i++)
        if (list[c->probe]->v[i] == c->value)
            return at + (size_t)i;
    return at;
}

static void map_fill(map *m, const dscq_sense *s, const dscq_model *model,
                     const dscq_sense_params *p)
{
    size_t at = add_columns(m, 0, "prune", &p->prune);

    at = add_columns(m, at, "bits", &p->bits);
    (void)add_columns(m, at, "channels", &p->channels);
    for (size_t i = 0; i < s->layers * m->columns; i++)
        m->value[i] = (double)NAN;
    for (size_t i = 0; i < s->layers; i++) {
        m->row[i] = dscq_model_node(model, s->layer[i].node)->name;
        for (size_t k = 0; k < s->cells; k++)
            if (s->cell[k].node == s->layer[i].node && s->cell[k].done)
                m->value[i * m->columns + column_of(p, &s->cell[k])] =
                    100.0 * s->cell[k].drop;
    }
}

static dscq_status draw_map(const dscq_sense *s, const dscq_model *model,
                            const dscq_sense_params *p, const char *dir,
                            dscq_error *err)
{
    const dscq_axes axes = {.title = "points of accuracy lost, one layer at a time"};
    map m = {.columns = (size_t)(p->prune.count + p->bits.count + p->channels.count)};
    dscq_picture *picture = NULL;
    dscq_status status;

    m.row = dscq_calloc(s->layers, sizeof *m.row);
    m.column = dscq_calloc(m.columns + 1, sizeof *m.column);
    m.column_name = dscq_calloc(m.columns + 1, sizeof *m.column_name);
    m.value = dscq_calloc(s->layers * m.columns + 1, sizeof *m.value);
    if (m.row == NULL || m.column == NULL || m.column_name == NULL || m.value == NULL) {
        status = dscq_fail_nomem(err, "the map of sensitivity",
                                 s->layers * m.columns * sizeof *m.value);
        goto done;
    }
    map_fill(&m, s, model, p);
    const dscq_heat heat = {.row_name = m.row,
                            .column_name = m.column_name,
                            .value = m.value,
                            .row_count = s->layers,
                            .column_count = m.columns};
    DSCQ_TRY(dscq_plot_heat(&picture, &axes, &heat, err));
    DSCQ_TRY(dscq_flow_write_picture(picture, dir, "sensitivity", err));
done:
    dscq_picture_destroy(picture);
    dscq_free(m.row);
    dscq_free(m.column);
    dscq_free(m.column_name);
    dscq_free(m.value);
    return status;
}

/* ---- recipe ------------------------------------------------------------- */

dscq_status dscq_flow_recipe_write(const dscq_settings *s, size_t first,
                                   const char *about, const char *path, dscq_error *err)
{
    dscq_str text = {0};
    char word[64];
    dscq_status status;

    dscq_str_addf(&text, "# %s\n", about);
    for (size_t i = first; i < s->layer_count; i++) {
        const dscq_layer_params *l = &s->layer[i];

        dscq_str_addf(&text, "\n[compress_layer]\nmatch = %s\n", l->match);
        if (l->p >= 0.0) {
            dscq_str_real(word, sizeof word, l->p);
            dscq_str_addf(&text, "p = %s\n", word);
        }
        if (l->b > 0)
            dscq_str_addf(&text, "b = %d\n", (int)l->b);
    }
    status = text.bad ? dscq_fail_nomem(err, "a recipe", text.len)
                      : dscq_file_write(path, text.text, text.len, err);
    dscq_str_free(&text);
    return status;
}

static dscq_status write_recipe(dscq_sensitivity_result *out, const dscq_sense *s,
                                dscq_project *p, const dscq_log *log, dscq_error *err)
{
    dscq_settings *recipe = NULL;
    char about[200];
    dscq_status status;

    DSCQ_TRY(dscq_settings_create(&recipe, err));
    status = dscq_sense_recipe(recipe, s, dscq_project_model(p), &p->sense, err);
    if (status != DSCQ_OK && status != DSCQ_GATE)
        goto done;
    out->over = status == DSCQ_GATE;
    status = DSCQ_OK;
    if (out->over)
        dscq_log_printf(
            log, DSCQ_LOG_WARN,
            "%s; the recipe holds those, [sensitivity] max_loss allows more", err->msg);
    (void)snprintf(about, sizeof about,
                   "Start from dscq sensitivity: the smallest estimated size with an "
                   "expected loss of at most %g",
                   p->sense.max_loss);
    if (out->recipe[0] != '\0')
        DSCQ_TRY(dscq_flow_recipe_write(recipe, 0, about, out->recipe, err));
done:
    dscq_settings_destroy(recipe);
    return status;
}

dscq_status dscq_flow_sensitivity(dscq_sensitivity_result *out, dscq_project *p,
                                  const dscq_run_options *o, const char *recipe,
                                  dscq_error *err)
{
    const dscq_kernels *kernels;
    dscq_train_result train = {0};
    dscq_pool *pool = NULL;
    dscq_sense *s = NULL;
    char journal[DSCQ_PATH_MAX];
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(dscq_flow_begin_float(p, o, err));
    DSCQ_TRY(dscq_flow_begin(p, o, DSCQ_FLOW_SENSED, NULL, err));
    if (o->out_dir[0] != '\0' && !o->resume) { /* force: start afresh */
        DSCQ_TRY(dscq_path_join(journal, sizeof journal, o->out_dir,
                                DSCQ_FLOW_SENSE_JOURNAL, err));
        (void)remove(journal);
    }
    if (recipe != NULL)
        (void)dscq_str_copy(out->recipe, sizeof out->recipe, recipe);
    else if (o->out_dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(out->recipe, sizeof out->recipe, o->out_dir,
                                "recipe.cfg", err));
    DSCQ_TRY(dscq_flow_float_network(&train, p, o, 0, err));
    DSCQ_TRY(dscq_flow_pool(&pool, &kernels, o, err));
    DSCQ_TRY(dscq_flow_sense(&s, p, pool, kernels, o, err));
    out->images = s->images;
    out->has_truth = flow__has_truth(p, p->dataset);
    out->score = (double)s->base_right / (double)s->images;
    DSCQ_TRY(dscq_sense_table(&out->cells, s, dscq_project_model(p), err));
    DSCQ_TRY(dscq_sense_verdicts(&out->layers, s, dscq_project_model(p), err));
    DSCQ_TRY(write_recipe(out, s, p, o->log, err));
    if (o->out_dir[0] == '\0')
        goto done;
    DSCQ_TRY(dscq_flow_write_csv(out->cells, o->out_dir, "sensitivity.csv", err));
    DSCQ_TRY(dscq_flow_write_csv(out->layers, o->out_dir, "verdicts.csv", err));
    DSCQ_TRY(draw_map(s, dscq_project_model(p), &p->sense, o->out_dir, err));
done:
    dscq_sense_destroy(s);
    dscq_pool_destroy(pool);
    return status;
}
