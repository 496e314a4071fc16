#include "dscq/sense/sense.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/compress/levels.h"
#include "sense_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define P dscq_sense_params
const dscq_key dscq_sense_keys[] = {
    DSCQ_KEY_LIST_ROW(P, prune, 0, 0.999, "0.3,0.5,0.7,0.8,0.9",
                      "pruning rates to try" DSCQ_MAY_CHANGE),
    DSCQ_KEY_LIST_ROW(P, bits, 2, 16, "2,3,4,5,8", "bit widths to try" DSCQ_MAY_CHANGE),
    DSCQ_KEY_LIST_ROW(P, channels, 0.01, 1, "0.5,0.75,0.9",
                      "fractions of output channels to try" DSCQ_MAY_CHANGE),
    DSCQ_KEY_STR_ROW(P, layers, "*", "globs: which layers" DSCQ_MAY_CHANGE),
    DSCQ_KEY_REAL_ROW(P, max_loss, 0, 1, "0.01",
                      "score that the starting recipe may lose" DSCQ_MAY_CHANGE),
    DSCQ_KEY_ENUM_ROW(P, solver, "knapsack|greedy", "knapsack",
                      "how the starting recipe is chosen" DSCQ_MAY_CHANGE),
    DSCQ_KEY_INT_ROW(P, images, 0, 10000000, "2000",
                     "validation images to use, evenly spread; 0: all"),
    DSCQ_KEY_INT_ROW(P, norm_images, 0, 10000000, "512",
                     "training images on which batch norm is measured again for every "
                     "cell; 0: left as it is"),
    DSCQ_KEY_END};
#undef P

/* ---- the grid of cells -------------------------------------------------- */

static size_t add_cells(dscq_sense_cell *out, int32_t node, dscq_probe probe,
                        const dscq_list *values)
{
    for (int32_t i = 0; out != NULL && i < values->count; i++)
        out[i] = (dscq_sense_cell){.node = node, .probe = probe, .value = values->v[i]};
    return (size_t)values->count;
}

/* Cells of all layers; out NULL: only counted. */
static size_t lay_out(dscq_sense *s, dscq_sense_cell *out, const dscq_sense_params *p)
{
    size_t n = 0;

    for (size_t i = 0; i < s->layers; i++) {
        const dscq_sense_layer *l = &s->layer[i];

        n += add_cells(out != NULL ? out + n : NULL, l->node, DSCQ_PROBE_PRUNE,
                       &p->prune);
        n +=
            add_cells(out != NULL ? out + n : NULL, l->node, DSCQ_PROBE_BITS, &p->bits);
        if (l->kind != DSCQ_KIND_LAST) /* classes are not channels */
            n += add_cells(out != NULL ? out + n : NULL, l->node, DSCQ_PROBE_CHANNELS,
                           &p->channels);
    }
    return n;
}

static dscq_status make(dscq_sense **out, const dscq_model *m,
                        const dscq_sense_params *p, size_t images, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);
    dscq_layer_kind *kinds = dscq_calloc((size_t)nodes, sizeof *kinds);
    dscq_sense *s = dscq_calloc(1, sizeof *s);
    dscq_status status = DSCQ_OK;

    *out = s;
    if (s != NULL)
        s->layer = dscq_calloc((size_t)nodes, sizeof *s->layer);
    if (kinds == NULL || s == NULL || s->layer == NULL) {
        status = dscq_fail_nomem(err, "sensitivity", (size_t)nodes * sizeof *s->layer);
        goto done;
    }
    dscq_layer_kinds(kinds, m);
    for (int32_t i = 0; i < nodes; i++) {
        const dscq_node *n = dscq_model_node(m, i);

        if (n->weights->count > 0 && dscq_glob_match_any(p->layers, n->name))
            s->layer[s->layers++] = sense__look(m, i, kinds[i]);
    }
    s->images = images;
    s->cells = lay_out(s, NULL, p);
    s->cell = dscq_calloc(s->cells + 1, sizeof *s->cell);
    if (s->layers == 0)
        status = dscq_fail(err, DSCQ_ARG,
                           "sensitivity: no layer with weights matches "
                           "'%s'",
                           p->layers);
    else if (s->cell == NULL)
        status = dscq_fail_nomem(err, "sensitivity", s->cells * sizeof *s->cell);
    else
        lay_out(s, s->cell, p);
done:
    dscq_free(kinds);
    return status;
}

void dscq_sense_destroy(dscq_sense *s)
{
    if (s == NULL)
        return;
    dscq_free(s->cell);
    dscq_free(s->layer);
    dscq_free(s);
}

/* ---- benches ------------------------------------------------------------ */

static void bench_free(sense_bench *b)
{
    dscq_model_destroy(b->model);
    dscq_free(b->used);
    dscq_free(b->kept[0]);
    dscq_free(b->kept[1]);
    dscq_free(b->mask);
    dscq_free(b->scratch);
    dscq_free(b->right);
}

static dscq_status bench_make(sense_bench *b, const dscq_model *m, size_t images,
                              dscq_error *err)
{
    size_t largest = 1, channels = 1;
    dscq_status status = dscq_model_clone(&b->model, m, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;

        largest = w->count > largest ? w->count : largest;
        channels = (size_t)w->channels > channels ? (size_t)w->channels : channels;
    }
    b->used = dscq_malloc(largest, sizeof *b->used);
    b->kept[0] = dscq_malloc(channels, sizeof(float));
    b->kept[1] = dscq_malloc(channels, sizeof(float));
    b->mask = dscq_malloc(largest, 1);
    b->scratch = dscq_malloc(1, dscq_clipq_scratch_bytes(largest));
    b->right = dscq_malloc(images, 1);
    if (b->used == NULL || b->kept[0] == NULL || b->kept[1] == NULL ||
        b->mask == NULL || b->scratch == NULL || b->right == NULL)
        return dscq_fail_nomem(err, "sensitivity bench", 14ULL * largest + images);
    return DSCQ_OK;
}

/* ---- measuring ---------------------------------------------------------- */

typedef struct job {
    dscq_sense *s;
    const dscq_sense_run *run;
    sense_bench *bench;
    const uint8_t *base; /* [images] */
    size_t *todo;        /* cells of this round */
    dscq_error *error;   /* [cells of this round] */
} job;

static const dscq_sense_layer *layer_of(const dscq_sense *s, int32_t node)
{
    for (size_t i = 0; i < s->layers; i++)
        if (s->layer[i].node == node)
            return &s->layer[i];
    return NULL;
}

static void measure_cell(void *ctx, size_t task, int worker)
{
    job *j = ctx;
    dscq_sense_cell *c = &j->s->cell[j->todo[task]];
    sense_bench *b = &j->bench[worker];
    dscq_error *err = &j->error[task];

    sense__apply(b, c, layer_of(j->s, c->node)->kind);
    err->code =
        j->run->eval(j->run->ctx, worker, b->model, b->right, j->s->images, err);
    sense__restore(b, c);
    if (err->code != DSCQ_OK)
        return;
    c->right = c->lost = c->gained = 0;
    for (size_t i = 0; i < j->s->images; i++) {
        c->right += b->right[i] != 0;
        c->lost += j->base[i] && !b->right[i];
        c->gained += !j->base[i] && b->right[i];
    }
    sense__finish(c, j->s->images);
}

/* As many cells as there are workers, then the journal, and so on. */
static dscq_status measure_all(job *j, const dscq_model *m, int workers,
                               dscq_error *err)
{
    dscq_sense *s = j->s;

    for (size_t next = 0, done = 0; next < s->cells;) {
        size_t n = 0;

        while (next < s->cells && n < (size_t)workers) {
            if (s->cell[next].done)
                done++;
            else
                j->todo[n++] = next;
            next++;
        }
        if (n == 0)
            break;
        const dscq_node *node = dscq_model_node(m, s->cell[j->todo[0]].node);
        dscq_log_progress(j->run->log, "sensitivity", (double)done, (double)s->cells,
                          node->name);
        memset(j->error, 0, n * sizeof *j->error);
        dscq_pool_run(j->run->pool, n, measure_cell, j);
        for (size_t i = 0; i < n; i++)
            if (j->error[i].code != DSCQ_OK)
                return dscq_fail(err, j->error[i].code, "%s", j->error[i].msg);
        done += n;
        const dscq_status status = sense__journal_write(s, m, j->run, err);
        if (status != DSCQ_OK)
            return status;
        if (dscq_log_stop(j->run->log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "stopped after %zu of %zu cells",
                             done, s->cells);
    }
    return DSCQ_OK;
}

dscq_status dscq_sense_measure(dscq_sense **out, const dscq_model *m,
                               const dscq_sense_params *p, const dscq_sense_run *run,
                               dscq_error *err)
{
    const int workers = dscq_pool_threads(run->pool);
    dscq_sense *s = NULL;
    uint8_t *base = NULL;
    job j = {NULL, run, NULL, NULL, NULL, NULL};
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(make(&s, m, p, run->images, err));
    j.s = s;
    j.bench = dscq_calloc((size_t)workers, sizeof *j.bench);
    j.todo = dscq_calloc((size_t)workers, sizeof *j.todo);
    j.error = dscq_calloc((size_t)workers, sizeof *j.error);
    base = dscq_malloc(run->images, 1);
    if (j.bench == NULL || j.todo == NULL || j.error == NULL || base == NULL) {
        status = dscq_fail_nomem(err, "sensitivity", run->images);
        goto done;
    }
    for (int i = 0; i < workers; i++)
        DSCQ_TRY(bench_make(&j.bench[i], m, run->images, err));
    DSCQ_TRY(run->eval(run->ctx, 0, j.bench[0].model, base, run->images, err));
    for (size_t i = 0; i < run->images; i++)
        s->base_right += base[i] != 0;
    j.base = base;
    DSCQ_TRY(sense__journal_read(s, m, run, err));
    DSCQ_TRY(measure_all(&j, m, workers, err));
    sense__expect(s);
    *out = s;
    s = NULL;
done:
    for (int i = 0; j.bench != NULL && i < workers; i++)
        bench_free(&j.bench[i]);
    dscq_free(j.bench);
    dscq_free(j.todo);
    dscq_free(j.error);
    dscq_free(base);
    dscq_sense_destroy(s);
    return status;
}
