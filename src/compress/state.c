/* A compressor's state as checkpoint entries, so that a resumed run continues to the
 * same bytes. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = 17, REALS = 8, LAYER_REALS = 3, LAYER_WORDS = 12 };

/* One array at a time, into or out of a checkpoint. */
typedef struct state_io {
    dscq_checkpoint *to;
    const dscq_checkpoint *from; /* NULL: writing */
    dscq_error *err;
    dscq_status status;
} state_io;

static void numbers(state_io *io, const char *name, dscq_entry_kind kind, void *data,
                    size_t count)
{
    size_t got = 0;

    if (io->status != DSCQ_OK || count == 0)
        return;
    if (io->from == NULL) {
        io->status = dscq_checkpoint_add(io->to, name, kind, data, count, io->err);
        return;
    }
    const void *p = dscq_checkpoint_find(io->from, name, kind, &got);
    const size_t bytes = kind == DSCQ_ENTRY_F32    ? 4U
                         : kind == DSCQ_ENTRY_TEXT ? 1U
                                                   : 8U;
    if (p == NULL || got != count)
        io->status = dscq_fail(io->err, DSCQ_FORMAT,
                               "checkpoint: entry '%s' has %zu numbers, want %zu; it "
                               "belongs to another network or recipe",
                               name, got, count);
    else
        memcpy(data, p, bytes * count);
}

/* Bytes as 64-bit numbers of eight bytes each. */
static void bytes_io(state_io *io, const char *name, uint8_t *data, size_t count)
{
    const size_t words = (count + 7) / 8;
    int64_t *v = io->status == DSCQ_OK ? dscq_calloc(words + 1, sizeof *v) : NULL;

    if (io->status != DSCQ_OK)
        return;
    if (v == NULL) {
        io->status = dscq_fail_nomem(io->err, "checkpoint", words * 8);
        return;
    }
    for (size_t i = 0; io->from == NULL && i < count; i++)
        v[i / 8] |= (int64_t)((uint64_t)data[i] << (i % 8 * 8));
    numbers(io, name, DSCQ_ENTRY_I64, v, words);
    for (size_t i = 0; io->from != NULL && io->status == DSCQ_OK && i < count; i++)
        data[i] = (uint8_t)((uint64_t)v[i / 8] >> (i % 8 * 8));
    dscq_free(v);
}

/* One entry an array, four numbers in each 64 bits. */
static void shorts_io(state_io *io, const char *name, int16_t *data, size_t count)
{
    const size_t words = (count + 3) / 4;
    int64_t *v = io->status == DSCQ_OK ? dscq_calloc(words + 1, sizeof *v) : NULL;

    if (io->status != DSCQ_OK)
        return;
    if (v == NULL) {
        io->status = dscq_fail_nomem(io->err, "checkpoint", words * 8);
        return;
    }
    for (size_t i = 0; io->from == NULL && i < count; i++)
        v[i / 4] |= (int64_t)((uint64_t)(uint16_t)data[i] << (i % 4 * 16));
    numbers(io, name, DSCQ_ENTRY_I64, v, words);
    for (size_t i = 0; io->from != NULL && io->status == DSCQ_OK && i < count; i++)
        data[i] = (int16_t)(uint16_t)((uint64_t)v[i / 4] >> (i % 4 * 16));
    dscq_free(v);
}

static void quant_io(state_io *io, const char *prefix, dscq_wquant *q)
{
    char name[80];

    (void)snprintf(name, sizeof name, "%s.scale", prefix);
    numbers(io, name, DSCQ_ENTRY_F64, q->scale, (size_t)q->scale_count);
    (void)snprintf(name, sizeof name, "%s.codebook", prefix);
    shorts_io(io, name, q->w.codebook, (size_t)q->w.codebook_count);
    (void)snprintf(name, sizeof name, "%s.edge", prefix);
    shorts_io(io, name, q->edge, (size_t)q->w.codebook_count);
    (void)snprintf(name, sizeof name, "%s.real", prefix);
    numbers(io, name, DSCQ_ENTRY_F64, q->codebook_real, (size_t)q->w.codebook_count);
    (void)snprintf(name, sizeof name, "%s.keep", prefix);
    bytes_io(io, name, q->mask, q->w.count);
    (void)snprintf(name, sizeof name, "%s.value", prefix);
    shorts_io(io, name, q->w.value, q->w.count);
    (void)snprintf(name, sizeof name, "%s.code", prefix);
    shorts_io(io, name, (int16_t *)(void *)q->code, q->w.count);
    if (q->w.form == DSCQ_FORM_BINARY) {
        (void)snprintf(name, sizeof name, "%s.level", prefix);
        shorts_io(io, name, q->w.level, (size_t)q->w.k);
        (void)snprintf(name, sizeof name, "%s.high", prefix);
        bytes_io(io, name, q->w.block_high, q->w.block_count);
    }
}

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

static void layer_io(state_io *io, dscq_clayer *l, size_t i)
{
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
    double r[LAYER_REALS] = {l->rate, l->mark, l->rule.p};
    char name[64];

    (void)snprintf(name, sizeof name, "compress.%zu.words", i);
    numbers(io, name, DSCQ_ENTRY_I64, v, LAYER_WORDS);
    (void)snprintf(name, sizeof name, "compress.%zu.reals", i);
    numbers(io, name, DSCQ_ENTRY_F64, r, LAYER_REALS);
    layer_parts(io, l, v);
    if (io->status == DSCQ_OK && !(r[2] >= 0.0 && r[2] < 1.0))
        io->status =
            dscq_fail(io->err, DSCQ_FORMAT, "checkpoint: pruning rate %g of layer %d",
                      r[2], l->rule.node);
    if (io->status != DSCQ_OK)
        return;
    l->kept = (size_t)v[0];
    l->rate = r[0];
    l->mark = r[1];
    l->rule.p = r[2]; /* as the stage understood it */
    l->rule.b = (int32_t)v[9];
    l->rule.form = (dscq_qform)v[10];
    l->rule.per_channel = v[11] != 0;
    (void)snprintf(name, sizeof name, "compress.%zu.mask", i);
    bytes_io(io, name, l->mask, l->w->count);
    (void)snprintf(name, sizeof name, "compress.%zu.step", i);
    numbers(io, name, DSCQ_ENTRY_F64, l->scale, (size_t)l->w->k);
    (void)snprintf(name, sizeof name, "compress.%zu.held", i);
    if (l->held != NULL)
        bytes_io(io, name, l->held, l->w->count);
    (void)snprintf(name, sizeof name, "compress.%zu", i);
    if (l->q != NULL) {
        quant_io(io, name, l->q);
        l->q->nonzero = (size_t)v[7];
    }
}

static void snapshot_io(state_io *io, dscq_compressor *c, compress_snapshot *s,
                        const char *prefix)
{
    int64_t valid = s->valid;
    char name[64];

    (void)snprintf(name, sizeof name, "compress.%s.valid", prefix);
    numbers(io, name, DSCQ_ENTRY_I64, &valid, 1);
    if (io->status != DSCQ_OK)
        return;
    if (valid && io->from != NULL) /* room for it; the contents come below */
        io->status = compress__snapshot_take(s, c, 0.0, io->err);
    s->valid = valid != 0;
    if (!valid || io->status != DSCQ_OK)
        return;
    (void)snprintf(name, sizeof name, "compress.%s.score", prefix);
    numbers(io, name, DSCQ_ENTRY_F64, &s->score, 1);
    (void)snprintf(name, sizeof name, "compress.%s.data", prefix);
    numbers(io, name, DSCQ_ENTRY_F32, s->data, s->count);
    (void)snprintf(name, sizeof name, "compress.%s.mask", prefix);
    bytes_io(io, name, s->mask, s->mask_count);
    (void)snprintf(name, sizeof name, "compress.%s.rate", prefix);
    numbers(io, name, DSCQ_ENTRY_F64, s->rate, c->layers);
}

static void driver_io(state_io *io, dscq_compressor *c)
{
    int64_t v[WORDS] = {c->at,
                        c->frozen,
                        (int64_t)c->step,
                        (int64_t)c->stage_begin,
                        c->round,
                        c->rounds_max,
                        c->round_left,
                        c->position,
                        c->group,
                        c->undone,
                        c->done,
                        c->phase,
                        (int64_t)c->steps,
                        (int64_t)c->steps_per_epoch,
                        (int64_t)c->layers,
                        c->settled,
                        (int64_t)c->settle_step};
    double r[REALS] = {c->t, c->score0, c->alpha, c->alpha_step, 0.0, 0.0, 0.0, 0.0};

    numbers(io, "compress.words", DSCQ_ENTRY_I64, v, WORDS);
    numbers(io, "compress.reals", DSCQ_ENTRY_F64, r, REALS);
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
    c->at = (int32_t)v[0];
    c->frozen = v[1] != 0;
    c->step = (uint64_t)v[2];
    c->stage_begin = (uint64_t)v[3];
    c->round = (int32_t)v[4];
    c->rounds_max = (int32_t)v[5];
    c->round_left = (int32_t)v[6];
    c->position = (int32_t)v[7];
    c->group = (int32_t)v[8];
    c->undone = (int32_t)v[9];
    c->done = v[10] != 0;
    c->phase = (int)v[11];
    c->settled = v[15] != 0;
    c->settle_step = (uint64_t)v[16];
    c->t = r[0];
    c->score0 = r[1];
    c->alpha = r[2];
    c->alpha_step = r[3];
}

static dscq_status all_io(state_io *io, dscq_compressor *c)
{
    driver_io(io, c);
    for (size_t i = 0; i < c->layers && io->status == DSCQ_OK; i++)
        layer_io(io, &c->layer[i], i);
    if (io->status == DSCQ_OK)
        snapshot_io(io, c, &c->good, "good");
    if (io->status == DSCQ_OK)
        snapshot_io(io, c, &c->peak, "peak");
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
