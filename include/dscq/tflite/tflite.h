/*
 * tflite/tflite.h - TensorFlow Lite files: read, and turned into a network.
 *
 * A reader of our own over the wire format of flatbuffers: no schema compiler, no
 * library. Maps are N x H x W x C there as here, so that operators become layers
 * without moving a number. Of a quantised file (int8, uint8, int16 activations) the
 * network is float, with weights that are exactly what the codes stand for, and the
 * grid of every activation stands beside it (dscq_tflite_ranges).
 *
 * Source of the format: schema.fbs (version 3) of TensorFlow Lite and the wire format
 * of flatbuffers; of the operators: the reference kernels' definitions.
 *
 * The bytes are hostile: every offset, table, vtable and vector is checked against the
 * file before it is followed, the schema's levels are walked and never a pointer, and
 * counts, sizes and what weights may take in all are bounded; DSCQ_FORMAT says what is
 * wrong.
 */
#ifndef DSCQ_TFLITE_TFLITE_H
#define DSCQ_TFLITE_TFLITE_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/nn/graph.h"
#include "dscq/nn/model.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A parsed file. */
typedef struct dscq_tflite dscq_tflite;

/* Whether the first bytes of a file are those of a TensorFlow Lite file. */
int dscq_tflite_is(const uint8_t *head, size_t bytes);

/* Parse; the bytes are copied. `name` stands in messages. Owned by the caller:
 * dscq_tflite_close(). */
dscq_status dscq_tflite_parse(dscq_tflite **out, const uint8_t *data, size_t bytes,
                              const char *name, dscq_error *err);
dscq_status dscq_tflite_load(dscq_tflite **out, const char *path, dscq_error *err);
void dscq_tflite_close(dscq_tflite *f); /* NULL is fine */

/* The network, for one image at a time. Several inputs of the same rows and columns
 * become the channels of one. When operators cannot be expressed: DSCQ_UNSUPPORTED, and
 * *refused (may be NULL) holds all of them, also those behind a refused one, one row
 * each: name, op, version, reason; the caller destroys it. */
dscq_status dscq_tflite_to_model(dscq_model **out, dscq_table **refused, dscq_tflite *f,
                                 dscq_error *err);

/* After dscq_tflite_to_model of a quantised file: the grids that the file puts
 * activations on, one a network node at most. Borrowed. */
const dscq_graph_range *dscq_tflite_ranges(const dscq_tflite *f, int32_t *count);
/* How output i of the file comes out of the network. */
int32_t dscq_tflite_outputs(const dscq_tflite *f);
const dscq_graph_output *dscq_tflite_output(const dscq_tflite *f, int32_t i);

/* What a user should know about a network that was made (an operator that was cut off
 * behind an output, weights that were multiplied out): line i, or NULL behind the last.
 * Borrowed. */
const char *dscq_tflite_note(const dscq_tflite *f, int32_t i);

/* ---- operator by operator ------------------------------------------------------- */

/* A tensor of the file. */
typedef struct dscq_tflite_info {
    char name[128];
    int32_t bits;      /* of a code; 0: real values                      */
    int32_t is_signed; /* codes                                           */
    double scale;      /* real = scale * (code - zero)                    */
    int32_t zero, rank;
    int64_t dim[DSCQ_GRAPH_RANK];
    size_t count; /* elements; 0: its size is not fixed                   */
    int32_t node; /* after to_model: whose output it is, DSCQ_INPUT for the input, -2
                     for none alone                                       */
} dscq_tflite_info;
int32_t dscq_tflite_tensors(const dscq_tflite *f);
dscq_tflite_info dscq_tflite_tensor(const dscq_tflite *f, int32_t tensor);
int32_t dscq_tflite_inputs(const dscq_tflite *f);
int32_t dscq_tflite_input_tensor(const dscq_tflite *f, int32_t i);
int32_t dscq_tflite_output_tensor(const dscq_tflite *f, int32_t i);
/* Called after every operator for each of its outputs: values in the file's order,
 * codes as they are; borrowed until the call returns. */
typedef dscq_status dscq_tflite_seen(void *ctx, int32_t op, int32_t tensor,
                                     const double *v, dscq_error *err);
/* What the file itself gives, by the reference kernels' integer arithmetic (two
 * roundings; SOFTMAX and tables of activations by the real function): slow, obvious,
 * independent of the network, so that either is a check of the other. inputs: codes or
 * real values of every input. DSCQ_UNSUPPORTED for an operator that is not there. */
dscq_status dscq_tflite_run(const dscq_tflite *f, const double *const *inputs,
                            dscq_tflite_seen *see, void *ctx, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
