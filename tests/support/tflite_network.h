/*
 * tflite_network.h - a TensorFlow Lite file, the network made of it and that network
 * packed on the file's own grids, side by side: what the file's own arithmetic gives
 * operator by operator, and what each packed operation makes of the same inputs.
 */
#ifndef TFLITE_NETWORK_H
#define TFLITE_NETWORK_H

#include "dscq/nn/exec.h"
#include "dscq/qnet/qmodel.h"
#include "dscq/tflite/tflite.h"

enum { TFLITE_ENDS = 8, TFLITE_PATH = 512 };

/* A .npy array as doubles, in its order. */
typedef struct tflite_array {
    char type[4]; /* "i1", "u1", "i2", "f4" */
    double *v;
    size_t count;
} tflite_array;
/* 0: no such file, or of another kind. */
int tflite_array_read(tflite_array *a, const char *path);
void tflite_array_free(tflite_array *a);

typedef struct tflite_network {
    dscq_tflite *f;
    dscq_model *m;
    dscq_exec *e;   /* float, one image */
    dscq_qmodel *q; /* after tflite_pack() */
    int32_t tensors;
    double **golden; /* [tensors] after tflite_run(): NULL where nothing was made */
    uint32_t *crc;   /* [tensors] of its bytes */
    float *x;        /* the network's input, real */
} tflite_network;

dscq_status tflite_open(tflite_network *n, const char *path, dscq_error *err);
void tflite_close(tflite_network *n);
/* Inputs as the file has them. Fills n->x; with_file: and what the file itself gives
 * (golden, crc). */
dscq_status tflite_run(tflite_network *n, const tflite_array *in, int with_file,
                       dscq_error *err);
/* The float network on n->x as it stands. */
void tflite_feed(tflite_network *n);
/* Uniform codes of 8 bits, the file's grids; what it says nothing of is measured on the
 * last run's input. */
dscq_status tflite_pack(tflite_network *n, dscq_error *err);

/* Output i of the file for the last input, in what the file holds (codes or real
 * values), by the float network or the packed one. */
dscq_status tflite_answer(double *to, const tflite_network *n, int32_t i, int packed,
                          dscq_error *err);

/* Real values of a node's output for n->x, by the float network or the packed one. */
dscq_status tflite_node(float *to, const tflite_network *n, int32_t node, int packed,
                        dscq_error *err);

/* One packed operation with the golden codes as its inputs. */
typedef struct tflite_step {
    char name[64];
    size_t count, equal, near; /* values; of the golden code; within one of it */
    double worst;              /* codes */
} tflite_step;
typedef void tflite_step_fn(void *ctx, const tflite_step *s);
dscq_status tflite_steps(const tflite_network *n, tflite_step_fn *each, void *ctx,
                         dscq_error *err);

#endif
