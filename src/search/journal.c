/* search.json: every trial, to be replayed; and what it was made from. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/bo/linalg.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what it was made from ---------------------------------------------- */

static dscq_status add_file(dscq_str *to, const dscq_machine *m, const char *kind,
                            const char *name, dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[65];
    dscq_status status;

    DSCQ_TRY(dscq_machine_path(path, sizeof path, m, kind, name, err));
    if (!dscq_path_exists(path)) /* no board */
        return DSCQ_OK;
    DSCQ_TRY(dscq_sha256_file(digest, path, err));
    dscq_str_addf(to, "machine: %s (contents)=%s\n", kind, digest);
done:
    return status;
}

dscq_status search__more(dscq_str *to, const search *s, dscq_error *err)
{
    const dscq_compress_options *c = &s->o->compress;
    const dscq_machine *m = s->o->machine;
    dscq_status status = DSCQ_OK;

    dscq_str_addf(to, "--profile=%s\n--machine=%s\n",
                  c->profile != NULL ? c->profile : "machine",
                  m != NULL ? m->name : "none");
    if (s->method->by_linalg)
        dscq_str_addf(to, "the linear algebra=%s\n", dscq_linalg_name());
    if (m == NULL)
        goto done;
    dscq_flow_record_keys(to, "machine", m, dscq_machine_keys(), 1);
    dscq_flow_record_keys(to, "schedule", &m->schedule, dscq_schedule_keys(), 1);
    DSCQ_TRY(add_file(to, m, "boards", m->board, err));
    if (!dscq_machine_is_simple(m))
        DSCQ_TRY(add_file(to, m, "dram", m->dram, err));
    DSCQ_TRY(add_file(to, m, "energy", m->energy, err));
done:
    return to->bad ? dscq_fail_nomem(err, "the settings", to->len) : status;
}

dscq_status search__fingerprint(search *s, dscq_error *err)
{
    dscq_str text = {0};
    dscq_sha256 h;
    dscq_status status;

    DSCQ_TRY(dscq_flow_record_text(&text, s->project, &s->o->compress.run,
                                   DSCQ_FLOW_SEARCHED, err));
    DSCQ_TRY(search__more(&text, s, err));
    dscq_sha256_init(&h);
    dscq_flow_digest_network(&h, s->origin);
    dscq_sha256_add(&h, text.text, text.len);
    dscq_sha256_end(s->fingerprint, &h);
done:
    dscq_str_free(&text);
    return status;
}

/* ---- writing ------------------------------------------------------------ */

static void put_values(dscq_json *to, const double value[DSCQ_METRICS])
{
    for (int m = 0; m < DSCQ_METRICS; m++)
        if (isfinite(value[m]))
            dscq_json_put_real(to, dscq_metric_column(m), value[m]);
}

static dscq_json *trial_json(const search *s, size_t i, int on_front)
{
    const search_trial *t = &s->trial[i];
    dscq_json *j = dscq_json_object(), *p = dscq_json_array(), *b = dscq_json_array();

    dscq_json_put_int(j, "trial", (int64_t)i);
    dscq_json_put_text(j, "source", search__source_name(t->source));
    if (t->layer >= 0)
        dscq_json_put_text(j, "layer",
                           dscq_model_node(s->origin, s->layer[t->layer].node)->name);
    for (size_t k = 0; k < s->layers; k++) {
        dscq_json_push_real(p, search__rate(s, t->choice[k].p));
        dscq_json_push_int(b, t->choice[k].b);
    }
    dscq_json_put(j, "p", p);
    dscq_json_put(j, "b", b);
    put_values(j, t->value);
    if (t->failed) {
        dscq_json_put_text(j, "failed", t->why);
        return j;
    }
    dscq_json_put_bool(j, "feasible", t->total_over <= 0);
    dscq_json_put_bool(j, "pareto", on_front);
    return j;
}

static dscq_json *head_json(const search *s)
{
    static const char *const k_words[] = {"search", "protocol"};
    dscq_json *j = dscq_json_object(), *layers = dscq_json_array(),
              *limits = dscq_json_object();
    char word[64];

    dscq_json_put_text(j, "schema", "dscq.search/1");
    dscq_json_put_text(j, "inputs_sha256", s->fingerprint);
    for (size_t i = 0; i < sizeof k_words / sizeof *k_words; i++) {
        dscq_keys_print(word, sizeof word, &s->params,
                        dscq_keys_find(dscq_search_keys, k_words[i]));
        dscq_json_put_text(j, k_words[i], word);
    }
    dscq_json_put_text(j, "objective", dscq_metric_column(s->params.objective));
    if (s->method->by_linalg)
        dscq_json_put_text(j, "linear_algebra", dscq_linalg_name());
    if (s->o->machine != NULL)
        dscq_json_put_text(j, "machine", s->o->machine->name);
    put_values(limits, s->limit);
    dscq_json_put(j, "limits", limits);
    dscq_json_put_int(j, "images", (int64_t)s->judged.count);
    dscq_json_put_real(j, "float_score_frac", s->float_score);
    for (size_t i = 0; i < s->layers; i++) {
        const search_layer *l = &s->layer[i];
        dscq_json *row = dscq_json_object();
        dscq_json_put_text(row, "layer", dscq_model_node(s->origin, l->node)->name);
        dscq_json_put_text(row, "kind", dscq_layer_kind_name(l->kind));
        dscq_json_put_int(row, "weights", (int64_t)l->weights);
        dscq_json_push(layers, row);
    }
    dscq_json_put(j, "layers", layers);
    return j;
}

static dscq_json *finalists_json(const search *s)
{
    dscq_json *all = dscq_json_array();

    for (size_t i = 0; i < s->finalists; i++) {
        const search_finalist *f = &s->finalist[i];
        dscq_json *j = dscq_json_object();
        dscq_json_put_int(j, "trial", (int64_t)f->trial);
        put_values(j, f->value);
        dscq_json_put_bool(j, "feasible", f->total_over <= 0);
        dscq_json_push(all, j);
    }
    return all;
}

dscq_status search__journal_write(const search *s, dscq_error *err)
{
    unsigned char *front = dscq_calloc(s->trials + 1, 1);
    dscq_json *j, *trials;
    char path[DSCQ_PATH_MAX], *text = NULL;
    dscq_status status;

    if (front == NULL)
        return dscq_fail_nomem(err, "trials", s->trials);
    search__front(s, front);
    j = head_json(s);
    trials = dscq_json_array();
    if (s->best >= 0)
        dscq_json_put_int(j, "best", s->best);
    if (s->product >= 0)
        dscq_json_put_int(j, "product", s->product);
    for (size_t i = 0; i < s->trials; i++)
        dscq_json_push(trials, trial_json(s, i, front[i]));
    dscq_json_put(j, "trials", trials);
    dscq_json_put(j, "finalists", finalists_json(s));
    DSCQ_TRY(dscq_json_dump(&text, j, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, s->dir, "search.json", err));
    DSCQ_TRY(dscq_file_write(path, text, strlen(text), err));
done:
    dscq_free(text);
    dscq_json_free(j);
    dscq_free(front);
    return status;
}

/* ---- reading ------------------------------------------------------------ */

static void get_values(double value[DSCQ_METRICS], const dscq_json *from)
{
    for (int m = 0; m < DSCQ_METRICS; m++)
        value[m] =
            dscq_json_real(dscq_json_get(from, dscq_metric_column(m)), (double)NAN);
}

static dscq_status take_trial(search_trial *t, const search *s, const dscq_json *j,
                              dscq_error *err)
{
    const dscq_json *p = dscq_json_get(j, "p"), *b = dscq_json_get(j, "b");

    if (dscq_json_count(p) != s->layers || dscq_json_count(b) != s->layers)
        return dscq_fail(err, DSCQ_FORMAT, "trials[%lld]: want %zu layers",
                         (long long)dscq_json_int(dscq_json_get(j, "trial"), -1),
                         s->layers);
    t->choice = dscq_calloc(s->layers, sizeof *t->choice);
    if (t->choice == NULL)
        return dscq_fail_nomem(err, "a trial", s->layers * sizeof *t->choice);
    for (size_t i = 0; i < s->layers; i++) {
        const double rate = dscq_json_real(dscq_json_at(p, i), -1);
        t->choice[i].p = (int32_t)floor(fmin(rate / s->params.p_step, 1e6) + 0.5);
        t->choice[i].b = (int32_t)dscq_json_int(dscq_json_at(b, i), 0);
    }
    get_values(t->value, j);
    const char *why = dscq_json_text(dscq_json_get(j, "failed"), NULL);
    t->failed = why != NULL;
    (void)dscq_str_copy(t->why, sizeof t->why, why != NULL ? why : "");
    return DSCQ_OK;
}

static dscq_status take_all(search *s, const dscq_json *j, dscq_error *err)
{
    const dscq_json *trials = dscq_json_get(j, "trials"),
                    *finals = dscq_json_get(j, "finalists");
    dscq_status status = DSCQ_OK;

    s->old = dscq_calloc(dscq_json_count(trials) + 1, sizeof *s->old);
    s->old_finalist = dscq_calloc(dscq_json_count(finals) + 1, sizeof *s->old_finalist);
    if (s->old == NULL || s->old_finalist == NULL)
        return dscq_fail_nomem(err, "trials", dscq_json_count(trials) * sizeof *s->old);
    for (size_t i = 0; i < dscq_json_count(trials); i++) {
        DSCQ_TRY(take_trial(&s->old[i], s, dscq_json_at(trials, i), err));
        s->olds++;
    }
    for (size_t i = 0; i < dscq_json_count(finals); i++) {
        const dscq_json *f = dscq_json_at(finals, i);
        s->old_finalist[i].trial = (size_t)dscq_json_int(dscq_json_get(f, "trial"), 0);
        get_values(s->old_finalist[i].value, f);
        s->old_finalists++;
    }
done:
    return status;
}

dscq_status search__journal_read(search *s, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_json *j = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, s->dir, "search.json", err));
    if (!s->o->compress.run.resume || !dscq_path_exists(path))
        return DSCQ_OK;
    DSCQ_TRY(dscq_json_load(&j, path, err));
    if (strcmp(dscq_json_text(dscq_json_get(j, "schema"), ""), "dscq.search/1") != 0 ||
        strcmp(dscq_json_text(dscq_json_get(j, "inputs_sha256"), ""), s->fingerprint) !=
            0) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%s: made from another network, data, machine or settings "
                           "than these; --force starts afresh, -o names another folder",
                           path);
        goto done;
    }
    status = take_all(s, j, err);
    if (status == DSCQ_FORMAT)
        (void)dscq_fail_at(err, "%s", path);
done:
    dscq_json_free(j);
    return status;
}
