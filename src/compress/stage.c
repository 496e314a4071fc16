/* What belongs to the method of the present stage: its settings and its state. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

static void free_fields(const compress_field *f, void *state)
{
    for (; f != NULL && f->kind != COMPRESS_END; f++) {
        float **array = compress__member(state, f);

        if (f->kind == COMPRESS_SNAPSHOT)
            compress__snapshot_free(compress__member(state, f));
        else if (f->kind == COMPRESS_WEIGHTS)
            dscq_free(*array);
    }
}

void compress__stage_leave(dscq_compressor *c)
{
    const int is_whole = c->state != NULL && c->layer_state != NULL;

    if (is_whole)
        free_fields(c->state_rows->fields, c->state);
    for (size_t i = 0; is_whole && i < c->layers; i++)
        free_fields(c->state_rows->layer_fields, c->layer[i].state);
    dscq_free(c->state);
    dscq_free(c->layer_state);
    c->state = c->layer_state = NULL;
    c->state_rows = NULL;
}

static dscq_status make_arrays(const compress_field *f, const dscq_clayer *l,
                               dscq_error *err)
{
    for (; f != NULL && f->kind != COMPRESS_END; f++) {
        float **array = compress__member(l->state, f);

        if (f->kind == COMPRESS_WEIGHTS &&
            (*array = dscq_calloc(l->w->count, sizeof **array)) == NULL)
            return dscq_fail_nomem(err, "the state of a method", 4ULL * l->w->count);
    }
    return DSCQ_OK;
}

static dscq_status make_state(dscq_compressor *c, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    c->state = dscq_calloc(1, c->state_rows->bytes + 1);
    c->layer_state = dscq_calloc(c->layers, c->state_rows->layer_bytes + 1);
    if (c->state == NULL || c->layer_state == NULL)
        return dscq_fail_nomem(err, "the state of a method", c->state_rows->bytes);
    for (size_t i = 0; i < c->layers; i++)
        c->layer[i].state =
            (unsigned char *)c->layer_state + i * c->state_rows->layer_bytes;
    for (size_t i = 0; i < c->layers && status == DSCQ_OK; i++)
        status = make_arrays(c->state_rows->layer_fields, &c->layer[i], err);
    return status;
}

dscq_status compress__stage_enter(dscq_compressor *c, int32_t at, dscq_error *err)
{
    const dscq_method *m = c->stage[at];

    compress__stage_leave(c);
    c->at = at;
    for (size_t k = 0; k < DSCQ_METHOD_KEYS; k++)
        c->params[k] =
            m->keys[k] != NULL ? dscq_method_own(&c->settings->all, m->keys[k]) : NULL;
    c->state_rows = m->state;
    return c->state_rows != NULL ? make_state(c, err) : DSCQ_OK;
}
