/* What the files of this module share. */
#ifndef SENSE_INTERNAL_H
#define SENSE_INTERNAL_H

#include "dscq/sense/sense.h"

/* One worker's copy of the network and the room to change a layer of it. */
typedef struct sense_bench {
    dscq_model *model;
    float *used;    /* [largest layer] */
    float *kept[2]; /* [most channels] gamma or bias, beta, to put back */
    uint8_t *mask;
    void *scratch;
    uint8_t *right; /* [images] */
} sense_bench;

/* Change the layer as the cell says, in the bench's model; and back. */
void sense__apply(sense_bench *b, const dscq_sense_cell *c, dscq_layer_kind kind);
void sense__restore(sense_bench *b, const dscq_sense_cell *c);

/* What the weights alone say. */
dscq_sense_layer sense__look(const dscq_model *m, int32_t node, dscq_layer_kind kind);

/* Drop and interval from the counts. */
void sense__finish(dscq_sense_cell *c, size_t images);

/* expected of every cell that is done. */
void sense__expect(dscq_sense *s);

/* Journal: read what is done into s (absent file: nothing); write all that is. */
dscq_status sense__journal_read(dscq_sense *s, const dscq_model *m,
                                const dscq_sense_run *run, dscq_error *err);
dscq_status sense__journal_write(const dscq_sense *s, const dscq_model *m,
                                 const dscq_sense_run *run, dscq_error *err);

const char *sense__probe_name(dscq_probe p);

#endif
