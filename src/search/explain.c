#include "dscq/search/explain.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/base/keys.h"
#include "dscq/flow/steps.h"
#include "dscq/pack/pack.h"
#include "dscq/search/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dscq_explanation_clear(dscq_explanation *e)
{
    dscq_table_destroy(e->cells);
    dscq_table_destroy(e->settings);
    dscq_table_destroy(e->packed);
    dscq_str_free(&e->decision);
    memset(e, 0, sizeof *e);
}

enum { NEAR_MAX = 3 };

/* The files of a run, and the layer that is asked for. */
typedef struct run_files {
    dscq_json *sense, *search; /* NULL: absent */
    dscq_qmodel *q;
    const char *asked;          /* as typed */
    char layer[DSCQ_NODE_NAME]; /* the name of the layer that is meant */
    int64_t at;                 /* in search.json's layers; -1 */
    struct {
        char name[DSCQ_NODE_NAME];
        unsigned distance;
    } near[NEAR_MAX]; /* the names that are most like it */
    size_t near_count;
    int found;
} run_files;

static void run_files_clear(run_files *f)
{
    dscq_json_free(f->sense);
    dscq_json_free(f->search);
    dscq_qmodel_destroy(f->q);
}

static dscq_status load(dscq_json **out, const char *dir, const char *name,
                        dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
    if (dscq_path_exists(path))
        DSCQ_TRY(dscq_json_load(out, path, err));
done:
    return status;
}

static dscq_status open_files(run_files *f, const char *dir, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(load(&f->sense, dir, DSCQ_FLOW_SENSE_JOURNAL, err));
    DSCQ_TRY(load(&f->search, dir, "search.json", err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "packed.bin", err));
    if (dscq_path_exists(path))
        DSCQ_TRY(dscq_pack_read(&f->q, path, err));
    if (f->sense == NULL && f->search == NULL && f->q == NULL)
        return dscq_fail(err, DSCQ_IO,
                         "%s: no run to explain: neither %s nor search.json nor "
                         "packed.bin is there",
                         dir, DSCQ_FLOW_SENSE_JOURNAL);
done:
    return status;
}

/* ---- which layer -------------------------------------------------------- */

/* What a layer may be called: its name, or the number its name begins with ("12" of
 * "12_convolutional"). */
static int is_called(const char *name, const char *wanted)
{
    const size_t n = strspn(wanted, "0123456789");

    return strcmp(name, wanted) == 0 ||
           (n > 0 && wanted[n] == '\0' && strncmp(name, wanted, n) == 0 &&
            name[n] == '_');
}

/* The nearest first; a name once. */
static void remember(run_files *f, const char *name)
{
    const unsigned d = dscq_edit_distance(f->asked, name);
    size_t at = 0;

    for (size_t i = 0; i < f->near_count; i++)
        if (strcmp(f->near[i].name, name) == 0)
            return;
    while (at < f->near_count && f->near[at].distance <= d)
        at++;
    if (at == NEAR_MAX)
        return;
    f->near_count += f->near_count < NEAR_MAX;
    for (size_t i = f->near_count - 1; i > at; i--)
        f->near[i] = f->near[i - 1];
    f->near[at].distance = d;
    (void)dscq_str_copy(f->near[at].name, sizeof f->near[at].name, name);
}

static int is_it(run_files *f, const char *name)
{
    remember(f, name);
    if (!is_called(name, f->asked))
        return 0;
    (void)dscq_str_copy(f->layer, sizeof f->layer, name);
    f->found = 1;
    return 1;
}

static dscq_status no_such_layer(const run_files *f, const char *dir, dscq_error *err)
{
    char names[NEAR_MAX * DSCQ_NODE_NAME] = "";
    size_t n = 0;

    for (size_t i = 0; i < f->near_count; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s'%s'",
                              i == 0                  ? ""
                              : i + 1 < f->near_count ? ", "
                                                      : " or ",
                              f->near[i].name);
    return dscq_fail(err, DSCQ_ARG, "%s: no layer '%s'; did you mean %s?", dir,
                     f->asked, names);
}

static dscq_status find_layer(run_files *f, const char *dir, dscq_error *err)
{
    const dscq_json *cells = dscq_json_get(f->sense, "cells"),
                    *layers = dscq_json_get(f->search, "layers");

    f->at = -1;
    for (size_t i = 0; i < dscq_json_count(layers); i++)
        if (is_it(f,
                  dscq_json_text(dscq_json_get(dscq_json_at(layers, i), "layer"), "")))
            f->at = (int64_t)i;
    for (size_t i = 0; i < dscq_json_count(cells); i++)
        (void)is_it(f,
                    dscq_json_text(dscq_json_get(dscq_json_at(cells, i), "layer"), ""));
    for (int32_t i = 0; f->q != NULL && i < f->q->node_count; i++)
        if (f->q->node[i].weights != NULL)
            (void)is_it(f, f->q->node[i].name);
    return f->found ? DSCQ_OK : no_such_layer(f, dir, err);
}

/* ---- sensitivity -------------------------------------------------------- */

static const dscq_column k_cells[] = {DSCQ_TEXT_COLUMN("probe", ""),
                                      DSCQ_REAL_COLUMN("value", "", 3),
                                      DSCQ_REAL_COLUMN("drop_frac", "drop", 4),
                                      DSCQ_REAL_COLUMN("drop_lo_frac", "95 % from", 4),
                                      DSCQ_REAL_COLUMN("drop_hi_frac", "to", 4),
                                      DSCQ_COLUMN_END};

static dscq_status cells(dscq_explanation *out, const run_files *f, dscq_error *err)
{
    const dscq_json *all = dscq_json_get(f->sense, "cells");
    const int64_t images = dscq_json_int(dscq_json_get(f->sense, "images"), 0);
    const dscq_status status =
        dscq_table_create(&out->cells, "sensitivity", k_cells, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; images > 0 && i < dscq_json_count(all); i++) {
        const dscq_json *c = dscq_json_at(all, i);
        const int64_t lost = dscq_json_int(dscq_json_get(c, "lost"), 0);
        const int64_t gained = dscq_json_int(dscq_json_get(c, "gained"), 0);
        double lo, hi;

        if (strcmp(dscq_json_text(dscq_json_get(c, "layer"), ""), f->layer) != 0)
            continue;
        dscq_sense_interval(&lo, &hi, (uint64_t)lost, (uint64_t)gained, (size_t)images);
        DSCQ_TABLE_ROW(out->cells,
                       dscq_text(dscq_json_text(dscq_json_get(c, "probe"), "")),
                       dscq_real(dscq_json_real(dscq_json_get(c, "value"), 0)),
                       dscq_real((double)(lost - gained) / (double)images),
                       dscq_real(lo), dscq_real(hi));
    }
    return dscq_table_finish(&out->cells, err);
}

/* ---- trials ------------------------------------------------------------- */

/* A setting that the layer had in some trials. */
typedef struct setting {
    double p, loss, value; /* of the best of its trials */
    int64_t b, trial;
    int64_t trials, feasible;
} setting;

typedef struct setting_list {
    setting *v;
    size_t count;
} setting_list;

static double number(const dscq_json *j, const char *key)
{
    return dscq_json_real(dscq_json_get(j, key), (double)NAN);
}

static int is_true(const dscq_json *j, const char *key)
{
    return dscq_json_int(dscq_json_get(j, key), 0) != 0;
}

/* Feasible before not, then the smaller objective; what failed last. */
static int is_preferred(const setting *s, int feasible, double value)
{
    if ((s->feasible > 0) != feasible)
        return feasible;
    return isfinite(value) && !(s->value <= value);
}

static setting *place_of(setting_list *list, double p, int64_t b)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->v[i].b == b && fabs(list->v[i].p - p) < 1e-9)
            return &list->v[i];
    list->v[list->count] = (setting){
        .p = p, .b = b, .trial = -1, .value = (double)NAN, .loss = (double)NAN};
    return &list->v[list->count++];
}

static dscq_status collect(setting_list *list, const run_files *f,
                           const char *objective, dscq_error *err)
{
    const dscq_json *trials = dscq_json_get(f->search, "trials");
    const size_t n = dscq_json_count(trials);

    list->v = dscq_calloc(n + 1, sizeof *list->v);
    if (list->v == NULL)
        return dscq_fail_nomem(err, "trials", n * sizeof *list->v);
    for (size_t i = 0; i < n; i++) {
        const dscq_json *t = dscq_json_at(trials, i);
        const dscq_json *p = dscq_json_at(dscq_json_get(t, "p"), (size_t)f->at);
        const dscq_json *b = dscq_json_at(dscq_json_get(t, "b"), (size_t)f->at);
        setting *s = place_of(list, dscq_json_real(p, -1), dscq_json_int(b, -1));
        const int feasible = is_true(t, "feasible");
        const double value = number(t, objective);

        if (s->trial < 0 || is_preferred(s, feasible, value)) {
            s->trial = (int64_t)i;
            s->value = value;
            s->loss = number(t, "loss_frac");
        }
        s->trials++;
        s->feasible += feasible;
    }
    return DSCQ_OK;
}

static int by_setting(const void *a, const void *b)
{
    const setting *s = a, *t = b;

    if (s->p < t->p || s->p > t->p)
        return s->p < t->p ? -1 : 1;
    return s->b < t->b ? -1 : s->b > t->b;
}

static dscq_status settings_table(dscq_explanation *out, const setting_list *list,
                                  const char *objective, dscq_error *err)
{
    enum { OBJECTIVE = 6 }; /* left out where it is the loss */
    dscq_column column[OBJECTIVE + 2] = {DSCQ_REAL_COLUMN("p", "", 2),
                                         DSCQ_INT_COLUMN("b", ""),
                                         DSCQ_INT_COLUMN("trials", ""),
                                         DSCQ_INT_COLUMN("feasible", ""),
                                         DSCQ_INT_COLUMN("best_trial", "best"),
                                         DSCQ_REAL_COLUMN("loss_frac", "its loss", 4)};
    const int is_loss = strcmp(objective, "loss_frac") == 0;

    column[OBJECTIVE].type = DSCQ_CELL_REAL;
    if (!is_loss)
        (void)dscq_str_copy(column[OBJECTIVE].key, sizeof column->key, objective);
    const dscq_status status =
        dscq_table_create(&out->settings, "settings", column, err);
    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < list->count; i++) {
        const setting *s = &list->v[i];
        const dscq_cell cell[OBJECTIVE + 1] = {
            dscq_real(s->p),       dscq_int(s->b),     dscq_int(s->trials),
            dscq_int(s->feasible), dscq_int(s->trial), dscq_finite(s->loss),
            dscq_finite(s->value)};
        dscq_table_add(out->settings, cell, OBJECTIVE + (is_loss ? 0 : 1));
    }
    return dscq_table_finish(&out->settings, err);
}

static void say_number(dscq_str *to, const char *before, const dscq_json *j,
                       const char *key)
{
    const double v = number(j, key);

    if (isfinite(v))
        dscq_str_addf(to, "%s%s = %.6g", before, key, v);
}

static void say_finalists(dscq_str *to, const run_files *f, const char *objective)
{
    const dscq_json *all = dscq_json_get(f->search, "finalists");

    for (size_t i = 0; i < dscq_json_count(all); i++) {
        const dscq_json *j = dscq_json_at(all, i);

        dscq_str_addf(to, "Fine-tuned, trial %lld has ",
                      (long long)dscq_json_int(dscq_json_get(j, "trial"), -1));
        say_number(to, "", j, "loss_frac");
        if (strcmp(objective, "loss_frac") != 0)
            say_number(to, ", ", j, objective);
        dscq_str_add(to, is_true(j, "feasible") ? " and meets the limits.\n"
                                                : " and breaks a limit.\n");
    }
}

/* The best feasible trial that gave the layer something else. */
static void say_second(dscq_str *to, const setting_list *list, const setting *own,
                       const char *objective)
{
    const setting *next = NULL;

    for (size_t i = 0; i < list->count; i++) {
        const setting *s = &list->v[i];
        if (s != own && s->feasible > 0 && (next == NULL || s->value < next->value))
            next = s;
    }
    if (next == NULL) {
        dscq_str_add(to,
                     "No trial with another setting of this layer met the limits.\n");
        return;
    }
    dscq_str_addf(
        to,
        "The best of the others within the limits, trial %lld, gave it p = %g, "
        "b = %lld: %s %+.2f %% against the best of this setting.\n",
        (long long)next->trial, next->p, (long long)next->b, objective,
        100 * (next->value / own->value - 1));
}

static void decide(dscq_str *to, const run_files *f, setting_list *list,
                   const char *objective)
{
    const dscq_json *trials = dscq_json_get(f->search, "trials");
    const int64_t best = dscq_json_int(dscq_json_get(f->search, "best"), -1);
    const int64_t product = dscq_json_int(dscq_json_get(f->search, "product"), best);
    const dscq_json *t = product >= 0 ? dscq_json_at(trials, (size_t)product) : NULL;
    size_t feasible = 0;

    for (size_t i = 0; i < dscq_json_count(trials); i++)
        feasible += (size_t)is_true(dscq_json_at(trials, i), "feasible");
    if (t == NULL) {
        dscq_str_add(to, "No trial yet.\n");
        return;
    }
    const double p =
        dscq_json_real(dscq_json_at(dscq_json_get(t, "p"), (size_t)f->at), -1);
    const int64_t b =
        dscq_json_int(dscq_json_at(dscq_json_get(t, "b"), (size_t)f->at), -1);
    dscq_str_addf(to, "%s has p = %g, b = %lld from trial %lld (%s)", f->layer, p,
                  (long long)b, (long long)product,
                  dscq_json_text(dscq_json_get(t, "source"), "?"));
    say_number(to, ": ", t, "loss_frac");
    if (strcmp(objective, "loss_frac") != 0)
        say_number(to, ", ", t, objective);
    dscq_str_add(to, " before fine-tuning.\n");
    dscq_str_addf(to,
                  "%zu of %zu trials met the limits; trial %lld has the smallest %s.\n",
                  feasible, dscq_json_count(trials), (long long)best, objective);
    say_finalists(to, f, objective);
    say_second(to, list, place_of(list, p, b), objective);
}

static dscq_status trials(dscq_explanation *out, const run_files *f, dscq_error *err)
{
    const char *objective =
        dscq_json_text(dscq_json_get(f->search, "objective"), "bytes");
    setting_list list = {NULL, 0};
    dscq_status status;

    DSCQ_TRY(collect(&list, f, objective, err));
    if (list.count > 0)
        qsort(list.v, list.count, sizeof *list.v, by_setting);
    DSCQ_TRY(settings_table(out, &list, objective, err));
    decide(&out->decision, f, &list, objective);
done:
    dscq_free(list.v);
    return status;
}

/* ---- the file ----------------------------------------------------------- */

static dscq_status packed(dscq_explanation *out, const run_files *f, dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("encoding", ""),  DSCQ_INT_COLUMN("weights", ""),
        DSCQ_INT_COLUMN("nonzero", ""),    DSCQ_INT_COLUMN("bits_per_code", ""),
        DSCQ_INT_COLUMN("total_bits", ""), DSCQ_COLUMN_END};
    enum { COLUMNS = sizeof columns / sizeof *columns - 1, BITS = COLUMNS - 1 };
    dscq_pack_summary summary;
    dscq_table *all = NULL;
    dscq_cell cell[COLUMNS];
    dscq_status status;

    DSCQ_TRY(dscq_pack_sizes(&summary, &all, f->q, NULL, err));
    DSCQ_TRY(dscq_table_create(&out->packed, "packed", columns, err));
    const size_t layer = (size_t)dscq_table_find(all, "layer");
    for (size_t r = 0; r < dscq_table_rows(all); r++) {
        if (strcmp(dscq_table_text(all, r, layer), f->layer) != 0)
            continue;
        for (size_t c = 0; c < COLUMNS; c++) {
            const size_t at = (size_t)dscq_table_find(all, columns[c].key);
            cell[c] = columns[c].type == DSCQ_CELL_TEXT
                          ? dscq_text(dscq_table_text(all, r, at))
                          : dscq_int(dscq_table_int(all, r, at));
        }
        dscq_table_add(out->packed, cell, COLUMNS);
        dscq_str_addf(&out->decision,
                      "In packed.bin its weights take %lld of %llu bytes.\n",
                      (long long)((cell[BITS].i + 7) / 8),
                      (unsigned long long)summary.file_bytes);
    }
    status = dscq_table_finish(&out->packed, err);
done:
    dscq_table_destroy(all);
    return status;
}

dscq_status dscq_flow_explain(dscq_explanation *out, const char *dir, const char *layer,
                              dscq_error *err)
{
    run_files f = {.asked = layer};
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(open_files(&f, dir, err));
    DSCQ_TRY(find_layer(&f, dir, err));
    (void)dscq_str_copy(out->layer, sizeof out->layer, f.layer);
    if (f.sense != NULL)
        DSCQ_TRY(cells(out, &f, err));
    if (f.search != NULL && f.at >= 0)
        DSCQ_TRY(trials(out, &f, err));
    else
        dscq_str_addf(&out->decision, "%s: %s.\n", f.layer,
                      f.search != NULL
                          ? "not searched; [compress] and [compress_layer] decided"
                          : "no search; [compress] and [compress_layer] decide");
    if (f.q != NULL)
        DSCQ_TRY(packed(out, &f, err));
    if (out->decision.bad)
        status = dscq_fail_nomem(err, "an explanation", out->decision.len);
done:
    run_files_clear(&f);
    return status;
}
