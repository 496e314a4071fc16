/* All learned values and masks of a compressor's model, to go back to. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

enum { ARRAYS = 6 };

static int arrays_of(float *out[ARRAYS], size_t size[ARRAYS], const dscq_weights *w)
{
    float *const all[ARRAYS] = {w->w, w->bias, w->gamma, w->beta, w->mean, w->var};
    int n = 0;

    for (int i = 0; i < ARRAYS; i++)
        if (all[i] != NULL && (i > 0 || w->count > 0)) {
            out[n] = all[i];
            size[n++] = i == 0 ? w->count : (size_t)w->channels;
        }
    return n;
}

/* Copies between the model and data (to != 0: to data); returns the floats passed. */
static size_t walk(float *data, const dscq_model *m, int to)
{
    size_t at = 0;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        float *array[ARRAYS];
        size_t size[ARRAYS];
        const int n = arrays_of(array, size, dscq_model_node(m, i)->weights);

        for (int k = 0; k < n; at += size[k++]) {
            if (data == NULL)
                continue;
            if (to)
                memcpy(data + at, array[k], size[k] * sizeof(float));
            else
                memcpy(array[k], data + at, size[k] * sizeof(float));
        }
    }
    return at;
}

static dscq_status make_room(compress_snapshot *s, const dscq_compressor *c,
                             dscq_error *err)
{
    size_t masks = 0;

    if (s->data != NULL)
        return DSCQ_OK;
    for (size_t i = 0; i < c->layers; i++)
        masks += c->layer[i].w->count;
    s->count = walk(NULL, c->model, 1);
    s->mask_count = masks;
    s->data = dscq_malloc(s->count, sizeof *s->data);
    s->mask = dscq_malloc(masks, 1);
    s->rate = dscq_malloc(c->layers, sizeof *s->rate);
    if (s->data != NULL && s->mask != NULL && s->rate != NULL)
        return DSCQ_OK;
    compress__snapshot_free(s);
    return dscq_fail_nomem(err, "snapshot of the weights",
                           4ULL * walk(NULL, c->model, 1));
}

dscq_status compress__snapshot_take(compress_snapshot *s, const dscq_compressor *c,
                                    double score, dscq_error *err)
{
    const dscq_status status = make_room(s, c, err);
    size_t at = 0;

    if (status != DSCQ_OK)
        return status;
    walk(s->data, c->model, 1);
    for (size_t i = 0; i < c->layers; at += c->layer[i++].w->count) {
        memcpy(s->mask + at, c->layer[i].mask, c->layer[i].w->count);
        s->rate[i] = c->layer[i].rate;
    }
    s->score = score;
    s->valid = 1;
    return DSCQ_OK;
}

void compress__snapshot_restore(dscq_compressor *c, const compress_snapshot *s)
{
    size_t at = 0;

    if (!s->valid)
        return;
    walk(s->data, c->model, 0);
    for (size_t i = 0; i < c->layers; at += c->layer[i++].w->count) {
        memcpy(c->layer[i].mask, s->mask + at, c->layer[i].w->count);
        c->layer[i].rate = s->rate[i];
    }
}

void compress__snapshot_free(compress_snapshot *s)
{
    dscq_free(s->data);
    dscq_free(s->mask);
    dscq_free(s->rate);
    memset(s, 0, sizeof *s);
}
