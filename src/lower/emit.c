/* The plan as a program. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Weights that are to stay together start where all of them fit in one piece. */
static void start_weights(low_emitter *e, const low_stage *s)
{
    int64_t bytes = 0;

    for (int32_t o = s->first; o <= s->last; o++)
        for (int32_t i = 0; i < e->l->op[o].wtile_count; i++) {
            const int32_t w = e->l->op[o].wtile_first + i;
            if (!e->weight_placed[w])
                bytes += in_pages(e->p->wtile[w].buffer_bytes);
        }
    if (bytes <= e->l->m->weight_bytes && e->weight_at + bytes > e->l->m->weight_bytes)
        e->weight_at = 0;
}

static dscq_status emit_stage(low_emitter *e, const low_spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    low_bands b = {0};
    dscq_status status;

    if (s->kept)
        start_weights(e, s);
    if (s->strip > 0)
        return lower__emit_strips(e, v, at);
    if (s->flow == LOW_GROUPS)
        return lower__emit_groups(e, v, at);
    DSCQ_TRY(lower__bands_make(&b, e->l, s->first, s->last, s->bands, e->l->err));
    DSCQ_TRY(lower__open_rings(e, v, at, &b));
    if (s->flow == LOW_BANDS)
        DSCQ_TRY(lower__emit_bands(e, s, &b));
    else
        DSCQ_TRY(lower__emit_tiles_first(e, v, at, &b));
done:
    lower__bands_clear(&b);
    return status;
}

/* ---- the whole ---------------------------------------------------------- */

/* Maps that move: of the network's ends, and what a later stage reads from DRAM. */
static void place_in_dram(lowering *l)
{
    for (int32_t t = 0; t < l->p->tensor_count; t++) {
        const low_tensor *low = &l->tensor[t];
        const int32_t s =
            low->first_op >= 0 ? lower__stage_of(l, low->first_op) : LOWER_NONE;
        const int leaves = s != LOWER_NONE && low->last_op > l->stage[s].last;
        l->p->tensor[t].in_dram =
            low->is_input || low->is_output || (leaves && !low->stays);
    }
    lower__place_maps(l);
}

static dscq_status emitter_create(low_emitter *e, lowering *l)
{
    const size_t tiles = (size_t)l->p->wtile_count;

    e->l = l;
    e->p = l->p;
    e->page_count = (size_t)(l->m->act_bytes / LOWER_PAGE + 2);
    e->weight_page_count = (size_t)(l->m->weight_bytes / LOWER_PAGE + 2);
    e->pages = dscq_calloc(e->page_count, sizeof *e->pages);
    e->weight_pages = dscq_calloc(e->weight_page_count, sizeof *e->weight_pages);
    e->weight_loaded = dscq_calloc(tiles, sizeof *e->weight_loaded);
    e->weight_placed = dscq_calloc(tiles, 1);
    e->stored_count = dscq_calloc((size_t)l->p->tensor_count, sizeof *e->stored_count);
    if (e->pages == NULL || e->weight_pages == NULL || e->weight_loaded == NULL ||
        e->weight_placed == NULL || e->stored_count == NULL)
        return dscq_fail_nomem(l->err, "the emitter", e->page_count * sizeof *e->pages);
    for (size_t i = 0; i < e->page_count; i++)
        e->pages[i].writer = LOWER_NONE;
    for (size_t i = 0; i < e->weight_page_count; i++)
        e->weight_pages[i].owner = LOWER_NONE;
    return DSCQ_OK;
}

static void emitter_clear(low_emitter *e)
{
    for (int32_t t = 0; e->stored_count != NULL && t < e->p->tensor_count; t++)
        dscq_free(e->stored_count[t]);
    dscq_free(e->stored_count);
    dscq_free(e->pages);
    dscq_free(e->weight_pages);
    dscq_free(e->weight_loaded);
    dscq_free(e->weight_placed);
    dscq_free(e->tickets);
    dscq_free(e->store_key);
}

static dscq_status start_frame(low_emitter *e, int32_t frame)
{
    e->frame = frame;
    for (int32_t t = 0; t < e->p->tensor_count; t++) {
        const size_t rows = (size_t)e->p->tensor[t].h;
        if (!e->p->tensor[t].in_dram)
            continue;
        if (e->stored_count[t] == NULL)
            e->stored_count[t] = dscq_calloc(rows, sizeof **e->stored_count);
        if (e->stored_count[t] == NULL)
            return dscq_fail_nomem(e->l->err, "stored rows", rows * 4);
        memset(e->stored_count[t], 0, rows * sizeof **e->stored_count);
    }
    if (e->l->m->schedule.weights ==
        DSCQ_SCHEDULE_WEIGHTS_STREAM) /* nothing survives a frame */
        for (size_t i = 0; i < e->weight_page_count; i++)
            e->weight_pages[i].owner = LOWER_NONE;
    return DSCQ_OK;
}

dscq_status lower__emit(lowering *l)
{
    low_emitter e = {0};
    low_spaces v = {0};
    dscq_status status;

    for (int32_t s = 0; s < l->stage_count; s++)
        if (l->stage[s].flow == LOW_GROUPS)
            DSCQ_TRY(lower__regroup(l, l->stage[s].first, l->stage[s].last,
                                    l->stage[s].group));
    DSCQ_TRY(emitter_create(&e, l));
    DSCQ_TRY(lower__place_all(&e, &v));
    place_in_dram(l);
    for (int32_t f = 0; f < l->p->frames; f++) {
        DSCQ_TRY(start_frame(&e, f));
        for (int32_t s = 0; s < l->stage_count; s++)
            DSCQ_TRY(emit_stage(&e, &v, s));
    }
    lower__deal_tickets(&e);
done:
    emitter_clear(&e);
    dscq_free(v.s);
    return status;
}
