/*
 * flow/kind.h - what a file is, told by its content.
 *
 * A command that is given a file of another kind can say so, and who takes it; a
 * network of another program can be told apart from one of ours that is damaged.
 * Content comes before the name: endings decide only where bytes do not.
 */
#ifndef DSCQ_FLOW_KIND_H
#define DSCQ_FLOW_KIND_H

#include "dscq/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bits, so that a set of kinds is a number. What this program reads or writes: */
enum {
    DSCQ_KIND_NET = 1 << 0,        /* a cfg with layers                            */
    DSCQ_KIND_MACHINE = 1 << 1,    /* [machine], as under data/machines            */
    DSCQ_KIND_BOARD = 1 << 2,      /* [board]                                      */
    DSCQ_KIND_DRAM = 1 << 3,       /* [device]                                     */
    DSCQ_KIND_ENERGY = 1 << 4,     /* [energy]                                     */
    DSCQ_KIND_RECIPE = 1 << 5,     /* [compress_layer] sections alone              */
    DSCQ_KIND_PACKED = 1 << 6,     /* packed.bin                                   */
    DSCQ_KIND_CHECKPOINT = 1 << 7, /* float.ckpt                                   */
    DSCQ_KIND_WEIGHTS = 1 << 8,    /* Darknet's .weights (by its ending)           */
    DSCQ_KIND_ONNX = 1 << 9,
    DSCQ_KIND_REPORT = 1 << 10,      /* dscq.report/N                              */
    DSCQ_KIND_MANIFEST = 1 << 11,    /* run.json                                   */
    DSCQ_KIND_JSON = 1 << 12,        /* any other JSON                             */
    DSCQ_KIND_DUMP = 1 << 13,        /* of `verify`                                */
    DSCQ_KIND_PREDICTIONS = 1 << 14, /* of `eval`                                  */
    DSCQ_KIND_PICTURE = 1 << 15,
    DSCQ_KIND_FOLDER = 1 << 16,
    DSCQ_KIND_FOREIGN = 1 << 17, /* a network or archive of another program      */
    DSCQ_KIND_NOTHING = 1 << 18, /* an empty file, a pointer to one, a web page  */
    DSCQ_KIND_TFLITE = 1 << 19
};

typedef struct dscq_kind {
    unsigned bit;     /* 0: not known (also: no such file, a device, a pipe)          */
    const char *text; /* "a packed network"; NULL when not known                      */
    const char *mend; /* FOREIGN and NOTHING: what to do with it; else NULL           */
} dscq_kind;

/* Never fails: what cannot be opened is not known. Reads a few thousand bytes. */
dscq_kind dscq_kind_of(const char *path);

/* "a packed network" of a bit; NULL for FOREIGN, NOTHING and 0. */
const char *dscq_kind_text(unsigned bit);

/* DSCQ_UNSUPPORTED "path: this is a PyTorch file; ..." for a foreign one, DSCQ_FORMAT
 * for one that is nothing, else DSCQ_OK. */
dscq_status dscq_kind_refuse_foreign(const char *path, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
