/* A compressor's state as checkpoint entries, so that a resumed run continues to the
 * same bytes. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "state_io.h"

#include <assert.h>
#include <stdio.h>

enum { WORDS = 17, REALS = 8, LAYER_REALS = 3, LAYER_WORDS = 12, PLACES = 64 };

/* ---- numbers of the method, in their places -------------------------------------- */

/* words NULL: whole numbers are among the reals. */
static void places_io(const state_io *io, const compress_field *f, void *state,
                      int64_t *words, double *reals)
{
    for (; f != NULL && f->kind != COMPRESS_END; f++) {
        int32_t *i = compress__member(state, f);
        double *d = compress__member(state, f);

        assert(f->place < PLACES);
        if (f->kind == COMPRESS_REAL && io->from == NULL)
            reals[f->place] = *d;
        else if (f->kind == COMPRESS_REAL)
            *d = reals[f->place];
        else if (f->kind == COMPRESS_INT && io->from == NULL && words != NULL)
            words[f->place] = *i;
        else if (f->kind == COMPRESS_INT && io->from == NULL)
            reals[f->place] = *i;
        else if (f->kind == COMPRESS_INT)
            *i = (int32_t)(words != NULL ? words[f->place] : (int64_t)reals[f->place]);
    }
}

/* An array with places: longer than `least` when a field of these kinds lies behind.
 * Reading, the method may not be known yet: as long as the file has it. */
static void array_io(state_io *io, const char *name, dscq_entry_kind kind, void *data,
                     size_t least, const compress_field *f, unsigned kinds)
{
    size_t count = least;

    for (; f != NULL && f->kind != COMPRESS_END; f++)
        if ((kinds & 1U << f->kind) != 0 && (size_t)f->place >= count)
            count = (size_t)f->place + 1;
    compress__io_some(io, name, kind, data, least, io->from != NULL ? PLACES : count);
}

static const compress_field *stage_fields(const dscq_compressor *c)
{
    return c->state_rows != NULL ? c->state_rows->fields : NULL;
}

static const compress_field *layer_fields(const dscq_compressor *c)
{
    return c->state_rows != NULL ? c->state_rows->layer_fields : NULL;
}

/* ---- layers ---------------------------------------------------------------------- */

/* Held masks and integers exist or not: said by the words. */
static void layer_parts(state_io *io, dscq_clayer *l, const int64_t v[LAYER_WORDS])
{
    const dscq_qform form = (dscq_qform)v[3];
    const int32_t scales = (int32_t)v[5];

    if (io->from == NULL || io->status != DSCQ_OK)
        return;
    if (v[3] < 0 || v[3] > DSCQ_FORM_BINARY || v[4] < 1 || v[4] > 16 || v[8] < 1 ||
        v[8] > (int64_t)l->w->count || v[6] < 1 || v[6] > DSCQ_CODEBOOK_MAX ||
        (scales != 1 && scales != l->w->k) || v[9] < 1 || v[9] > 16 || v[10] < 0 ||
        v[10] > DSCQ_FORM_BINARY) {
        io->status =
            dscq_fail(io->err, DSCQ_FORMAT,
                      "checkpoint: compressed layer %d is damaged", l->rule.node);
        return;
    }
    if (v[1] != 0 && l->held == NULL && (l->held = dscq_calloc(l->w->count, 1)) == NULL)
        io->status = dscq_fail_nomem(io->err, "pruning mask", l->w->count);
    dscq_wquant_destroy(l->q);
    l->q = NULL;
    if (v[2] != 0 && io->status == DSCQ_OK)
        io->status = dscq_wquant_create(&l->q, l->w, form, (int32_t)v[4], scales,
                                        (int32_t)v[8], io->err);
    if (l->q != NULL)
        l->q->w.codebook_count = (int32_t)v[6];
}

/* Arrays that the method has of a layer. */
static void arrays_io(state_io *io, dscq_compressor *c, size_t i)
{
    char name[64];

    for (const compress_field *f = layer_fields(c);
         f != NULL && f->kind != COMPRESS_END; f++) {
        const dscq_clayer *l = &c->layer[i];
        float **array = compress__member(l->state, f);

        if (f->kind != COMPRESS_WEIGHTS)
            continue;
        (void)snprintf(name, sizeof name, "compress.%zu.%s", i, f->name);
        compress__io_numbers(io, name, DSCQ_ENTRY_F32, *array, l->w->count);
    }
}

static void layer_io(state_io *io, dscq_compressor *c, size_t i)
{
    dscq_clayer *l = &c->layer[i];
    const dscq_wquant *q = l->q;
    int64_t v[LAYER_WORDS] = {(int64_t)l->kept,
                              l->held != NULL,
                              q != NULL,
                              q != NULL ? (int64_t)q->w.form : 0,
                              q != NULL ? q->w.bits : 1,
                              q != NULL ? q->scale_count : 1,
                              q != NULL ? q->w.codebook_count : 1,
                              q != NULL ? (int64_t)q->nonzero : 0,
                              q != NULL && q->w.block > 0 ? q->w.block : 1,
                              l->rule.b,
                              (int64_t)l->rule.form,
                              l->rule.per_channel};
    double r[PLACES] = {l->rate, [2] = l->rule.p};
    char name[64];

    (void)snprintf(name, sizeof name, "compress.%zu.words", i);
    compress__io_numbers(io, name, DSCQ_ENTRY_I64, v, LAYER_WORDS);
    (void)snprintf(name, sizeof name, "compress.%zu.reals", i);
    if (io->from == NULL)
        places_io(io, layer_fields(c), l->state, NULL, r);
    array_io(io, name, DSCQ_ENTRY_F64, r, LAYER_REALS, layer_fields(c),
             1U << COMPRESS_INT | 1U << COMPRESS_REAL);
    layer_parts(io, l, v);
    if (io->status == DSCQ_OK && !(r[2] >= 0.0 && r[2] < 1.0))
        io->status =
            dscq_fail(io->err, DSCQ_FORMAT, "checkpoint: pruning rate %g of layer %d",
                      r[2], l->rule.node);
    if (io->status != DSCQ_OK)
        return;
    l->kept = (size_t)v[0];
    l->rate = r[0];
    if (io->from != NULL)
        places_io(io, layer_fields(c), l->state, NULL, r);
    l->rule.p = r[2]; /* as the stage understood it */
    l->rule.b = (int32_t)v[9];
    l->rule.form = (dscq_qform)v[10];
    l->rule.per_channel = v[11] != 0;
    (void)snprintf(name, sizeof name, "compress.%zu.mask", i);
    compress__io_bytes(io, name, l->mask, l->w->count);
    (void)snprintf(name, sizeof name, "compress.%zu.held", i);
    if (l->held != NULL)
        compress__io_bytes(io, name, l->held, l->w->count);
    (void)snprintf(name, sizeof name, "compress.%zu", i);
    if (l->q != NULL) {
        compress__io_quant(io, name, l->q);
        l->q->nonzero = (size_t)v[7];
    }
    arrays_io(io, c, i);
}

/* ---- the driver and the method --------------------------------------------------- */

static void snapshot_io(state_io *io, dscq_compressor *c, compress_snapshot *s,
                        const char *prefix)
{
    int64_t valid = s->valid;
    char name[64];

    (void)snprintf(name, sizeof name, "compress.%s.valid", prefix);
    compress__io_numbers(io, name, DSCQ_ENTRY_I64, &valid, 1);
    if (io->status != DSCQ_OK)
        return;
    if (valid && io->from != NULL) /* room for it; the contents come below */
        io->status = compress__snapshot_take(s, c, 0.0, io->err);
    s->valid = valid != 0;
    if (!valid || io->status != DSCQ_OK)
        return;
    (void)snprintf(name, sizeof name, "compress.%s.score", prefix);
    compress__io_numbers(io, name, DSCQ_ENTRY_F64, &s->score, 1);
    (void)snprintf(name, sizeof name, "compress.%s.data", prefix);
    compress__io_numbers(io, name, DSCQ_ENTRY_F32, s->data, s->count);
    (void)snprintf(name, sizeof name, "compress.%s.mask", prefix);
    compress__io_bytes(io, name, s->mask, s->mask_count);
    (void)snprintf(name, sizeof name, "compress.%s.rate", prefix);
    compress__io_numbers(io, name, DSCQ_ENTRY_F64, s->rate, c->layers);
}

static void stage_snapshots(state_io *io, dscq_compressor *c)
{
    for (const compress_field *f = stage_fields(c);
         f != NULL && f->kind != COMPRESS_END && io->status == DSCQ_OK; f++)
        if (f->kind == COMPRESS_SNAPSHOT)
            snapshot_io(io, c, compress__member(c->state, f), f->name);
}

static void driver_io(state_io *io, dscq_compressor *c)
{
    int64_t v[PLACES] = {c->at,
                         c->frozen,
                         (int64_t)c->step,
                         (int64_t)c->stage_begin,
                         [12] = (int64_t)c->steps,
                         [13] = (int64_t)c->steps_per_epoch,
                         [14] = (int64_t)c->layers,
                         [15] = c->settled,
                         [16] = (int64_t)c->settle_step};
    double r[PLACES] = {c->t, c->score0};

    if (io->from == NULL)
        places_io(io, stage_fields(c), c->state, v, r);
    array_io(io, "compress.words", DSCQ_ENTRY_I64, v, WORDS, stage_fields(c),
             1U << COMPRESS_INT);
    array_io(io, "compress.reals", DSCQ_ENTRY_F64, r, REALS, stage_fields(c),
             1U << COMPRESS_REAL);
    if (io->status != DSCQ_OK || io->from == NULL)
        return;
    if (v[12] != (int64_t)c->steps || v[13] != (int64_t)c->steps_per_epoch ||
        v[14] != (int64_t)c->layers || v[0] < -1 || v[0] >= c->stages) {
        io->status = dscq_fail(
            io->err, DSCQ_FORMAT,
            "checkpoint: made by a run of %lld steps over %lld "
            "layers, this one has %lld and %zu; use the same [compress]",
            (long long)v[12], (long long)v[14], (long long)c->steps, c->layers);
        return;
    }
    c->at = -1;
    if (v[0] >= 0)
        io->status = compress__stage_enter(c, (int32_t)v[0], io->err);
    c->frozen = v[1] != 0;
    c->step = (uint64_t)v[2];
    c->stage_begin = (uint64_t)v[3];
    c->settled = v[15] != 0;
    c->settle_step = (uint64_t)v[16];
    c->t = r[0];
    c->score0 = r[1];
    if (io->status == DSCQ_OK)
        places_io(io, stage_fields(c), c->state, v, r);
}

static dscq_status all_io(state_io *io, dscq_compressor *c)
{
    driver_io(io, c);
    for (size_t i = 0; i < c->layers && io->status == DSCQ_OK; i++)
        layer_io(io, c, i);
    stage_snapshots(io, c);
    return io->status;
}

dscq_status dscq_compressor_save(const dscq_compressor *c, dscq_checkpoint *to,
                                 dscq_error *err)
{
    state_io io = {to, NULL, err, DSCQ_OK};

    /* One walk for both directions; writing changes nothing. */
    return all_io(&io, (dscq_compressor *)(uintptr_t)c);
}

dscq_status dscq_compressor_load(dscq_compressor *c, const dscq_checkpoint *from,
                                 dscq_error *err)
{
    state_io io = {NULL, from, err, DSCQ_OK};
    const dscq_status status = all_io(&io, c);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < c->layers; i++)
        if (c->frozen &&
            (c->layer[i].q == NULL || dscq_wquant_check(c->layer[i].q, err) != DSCQ_OK))
            return dscq_fail(err, DSCQ_FORMAT,
                             "checkpoint: integers of layer %d contradict themselves",
                             c->layer[i].rule.node);
    if (c->settled && c->exec != NULL)
        dscq_exec_freeze_norm(c->exec, 1);
    return DSCQ_OK;
}
