/* A walk over a state, which is written to a checkpoint or read from one. */
#ifndef COMPRESS_STATE_IO_H
#define COMPRESS_STATE_IO_H

#include "dscq/compress/quantize.h"
#include "dscq/nn/checkpoint.h"

/* One array at a time, into or out of a checkpoint. */
typedef struct state_io {
    dscq_checkpoint *to;
    const dscq_checkpoint *from; /* NULL: writing */
    dscq_error *err;
    dscq_status status;
} state_io;

/* Nothing happens once a step has failed. */
void compress__io_numbers(state_io *io, const char *name, dscq_entry_kind kind,
                          void *data, size_t count);
/* As many as there are, `least` at least; reading, those that are not there stay. */
void compress__io_some(state_io *io, const char *name, dscq_entry_kind kind, void *data,
                       size_t least, size_t count);
/* Bytes as 64-bit numbers of eight bytes each. */
void compress__io_bytes(state_io *io, const char *name, uint8_t *data, size_t count);
/* prefix.scale, prefix.codebook, ...; q has its form and counts already. */
void compress__io_quant(state_io *io, const char *prefix, dscq_wquant *q);

#endif
