/* Making a compressor; driver.c makes it work. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

static dscq_status find_stages(dscq_compressor *c, dscq_error *err)
{
    const dscq_list *share = &c->settings->all.share;
    const dscq_status status =
        dscq_method_stages(c->stage, &c->stages, c->settings->all.method, err);

    for (int32_t i = 0; status == DSCQ_OK && i < c->stages; i++)
        c->share[i] = i < share->count ? share->v[i] : 1.0;
    return status;
}

static dscq_status copy_settings(dscq_compressor *c, const dscq_settings *s,
                                 dscq_error *err)
{
    dscq_status status = dscq_settings_create(&c->settings, err);

    if (status == DSCQ_OK)
        c->settings->all = s->all;
    for (size_t i = 0; status == DSCQ_OK && i < s->layer_count; i++)
        status = dscq_settings_add(c->settings, &s->layer[i], err);
    return status;
}

static dscq_status make_layers(dscq_compressor *c, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(c->model);
    dscq_rule *rules = NULL;
    dscq_status status =
        dscq_rules_make(&rules, &c->layers, c->settings, c->model, err);

    if (status != DSCQ_OK)
        return status;
    c->layer = dscq_calloc(c->layers, sizeof *c->layer);
    c->layer_of = dscq_malloc((size_t)nodes, sizeof *c->layer_of);
    if (c->layer == NULL || c->layer_of == NULL) {
        status = dscq_fail_nomem(err, "compressor", c->layers * sizeof *c->layer);
        goto done;
    }
    for (int32_t i = 0; i < nodes; i++)
        c->layer_of[i] = -1;
    for (size_t i = 0; i < c->layers; i++) {
        dscq_clayer *l = &c->layer[i];

        l->asked = rules[i];
        l->rule = rules[i];
        l->w = dscq_model_node(c->model, rules[i].node)->weights;
        c->layer_of[rules[i].node] = (int32_t)i;
        l->used = dscq_malloc(l->w->count, sizeof *l->used);
        l->mask = dscq_malloc(l->w->count, 1);
        if (l->used == NULL || l->mask == NULL) {
            status = dscq_fail_nomem(err, "compressed copy", 5ULL * l->w->count);
            goto done;
        }
        memcpy(l->used, l->w->w, l->w->count * sizeof *l->used);
        memset(l->mask, 1, l->w->count);
        l->kept = l->w->count;
        c->largest = l->w->count > c->largest ? l->w->count : c->largest;
    }
done:
    dscq_free(rules);
    return status;
}

static dscq_status make_work(dscq_compressor *c, dscq_error *err)
{
    c->workers = dscq_pool_threads(c->pool);
    c->work = dscq_calloc((size_t)c->workers, sizeof *c->work);
    if (c->work == NULL)
        return dscq_fail_nomem(err, "compressor", sizeof *c->work);
    for (int i = 0; i < c->workers; i++) {
        compress_work *w = &c->work[i];

        w->clip = dscq_malloc(1, dscq_clipq_scratch_bytes(c->largest));
        w->v = dscq_malloc(c->largest, sizeof *w->v);
        w->score = dscq_malloc(c->largest, sizeof *w->score);
        w->order = dscq_malloc(c->largest, sizeof *w->order);
        if (w->clip == NULL || w->v == NULL || w->score == NULL || w->order == NULL)
            return dscq_fail_nomem(err, "compressor scratch", 25ULL * c->largest);
    }
    return DSCQ_OK;
}

dscq_status dscq_compressor_create(dscq_compressor **out, dscq_model *m,
                                   const dscq_settings *s, dscq_pool *pool,
                                   dscq_error *err)
{
    dscq_compressor *c = dscq_calloc(1, sizeof *c);
    dscq_status status;

    *out = NULL;
    if (c == NULL)
        return dscq_fail_nomem(err, "compressor", sizeof *c);
    c->model = m;
    c->pool = pool;
    c->at = -1;
    DSCQ_TRY(copy_settings(c, s, err));
    DSCQ_TRY(find_stages(c, err));
    DSCQ_TRY(make_layers(c, err));
    DSCQ_TRY(make_work(c, err));
    dscq_compressor_use(c, 1);
    *out = c;
    return DSCQ_OK;
done:
    dscq_compressor_destroy(c);
    return status;
}

void dscq_compressor_destroy(dscq_compressor *c)
{
    if (c == NULL)
        return;
    if (c->copies)
        dscq_compressor_use(c, 0);
    for (size_t i = 0; c->layer != NULL && i < c->layers; i++) {
        dscq_free(c->layer[i].used);
        dscq_free(c->layer[i].mask);
        dscq_free(c->layer[i].held);
        dscq_wquant_destroy(c->layer[i].q);
    }
    for (int i = 0; c->work != NULL && i < c->workers; i++) {
        dscq_free(c->work[i].clip);
        dscq_free(c->work[i].v);
        dscq_free(c->work[i].score);
        dscq_free(c->work[i].order);
    }
    compress__stage_leave(c);
    dscq_settings_destroy(c->settings);
    dscq_free(c->layer);
    dscq_free(c->layer_of);
    dscq_free(c->work);
    dscq_free(c);
}

void dscq_compressor_use(dscq_compressor *c, int copies)
{
    for (size_t i = 0; i < c->layers; i++)
        c->layer[i].w->w_used = copies ? c->layer[i].used : c->layer[i].w->w;
    c->copies = copies;
}

void dscq_compressor_attach(dscq_compressor *c, dscq_exec *e)
{
    c->exec = e;
}
