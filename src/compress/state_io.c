/* Arrays of a state, into a checkpoint and out of it. */
#include "state_io.h"

#include "dscq/base/alloc.h"

#include <stdio.h>
#include <string.h>

void compress__io_some(state_io *io, const char *name, dscq_entry_kind kind, void *data,
                       size_t least, size_t count)
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
    if (p == NULL || got < least || got > count)
        io->status = dscq_fail(io->err, DSCQ_FORMAT,
                               "checkpoint: entry '%s' has %zu numbers, want %zu; it "
                               "belongs to another network or recipe",
                               name, got, least);
    else
        memcpy(data, p, bytes * got);
}

void compress__io_numbers(state_io *io, const char *name, dscq_entry_kind kind,
                          void *data, size_t count)
{
    compress__io_some(io, name, kind, data, count, count);
}

void compress__io_bytes(state_io *io, const char *name, uint8_t *data, size_t count)
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
    compress__io_numbers(io, name, DSCQ_ENTRY_I64, v, words);
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
    compress__io_numbers(io, name, DSCQ_ENTRY_I64, v, words);
    for (size_t i = 0; io->from != NULL && io->status == DSCQ_OK && i < count; i++)
        data[i] = (int16_t)(uint16_t)((uint64_t)v[i / 4] >> (i % 4 * 16));
    dscq_free(v);
}

void compress__io_quant(state_io *io, const char *prefix, dscq_wquant *q)
{
    char name[80];

    (void)snprintf(name, sizeof name, "%s.scale", prefix);
    compress__io_numbers(io, name, DSCQ_ENTRY_F64, q->scale, (size_t)q->scale_count);
    (void)snprintf(name, sizeof name, "%s.codebook", prefix);
    shorts_io(io, name, q->w.codebook, (size_t)q->w.codebook_count);
    (void)snprintf(name, sizeof name, "%s.edge", prefix);
    shorts_io(io, name, q->edge, (size_t)q->w.codebook_count);
    (void)snprintf(name, sizeof name, "%s.real", prefix);
    compress__io_numbers(io, name, DSCQ_ENTRY_F64, q->codebook_real,
                         (size_t)q->w.codebook_count);
    (void)snprintf(name, sizeof name, "%s.keep", prefix);
    compress__io_bytes(io, name, q->mask, q->w.count);
    (void)snprintf(name, sizeof name, "%s.value", prefix);
    shorts_io(io, name, q->w.value, q->w.count);
    (void)snprintf(name, sizeof name, "%s.code", prefix);
    shorts_io(io, name, (int16_t *)(void *)q->code, q->w.count);
    if (q->w.form == DSCQ_FORM_BINARY) {
        (void)snprintf(name, sizeof name, "%s.level", prefix);
        shorts_io(io, name, q->w.level, (size_t)q->w.k);
        (void)snprintf(name, sizeof name, "%s.high", prefix);
        compress__io_bytes(io, name, q->w.block_high, q->w.block_count);
    }
}
