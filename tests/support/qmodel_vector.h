/*
 * qmodel_vector.h - the test vectors of tests/golden/arith: one node with its input
 * and output codes each, made by an independent program (tests/decoder/arith.py).
 * Every implementation of docs/arithmetic.md replays them.
 */
#ifndef QMODEL_VECTOR_H
#define QMODEL_VECTOR_H

#include "dscq/qnet/qmodel.h"

typedef struct qmodel_vector {
    char name[96];
    dscq_qmodel *m;                 /* inputs 0.., one node, one output       */
    void *input[DSCQ_QNODE_INPUTS]; /* stored codes of m->input[i]            */
    void *want;                     /* stored codes of the output             */
} qmodel_vector;

typedef struct qmodel_vectors {
    qmodel_vector *item;
    size_t count;
} qmodel_vectors;

/* All vectors of operation `op` ("conv"); free with qmodel_vectors_free(). */
dscq_status qmodel_vectors_load(qmodel_vectors *out, const char *op, dscq_error *err);
void qmodel_vectors_free(qmodel_vectors *v);

#endif
