/* format.h - the constants and lists of the file (docs/format.md). */
#ifndef PACK_FORMAT_H
#define PACK_FORMAT_H

#include "dscq/pack/pack.h"
#include "enc/encoding.h"
#include "pack_internal.h"

enum {
    PACK_MAJOR = 1,
    PACK_MINOR = 1, /* the newest that this program writes */
    PACK_HEADER_BYTES = 32,
    PACK_ENTRY_BYTES = 24,
    PACK_REQUIRED = 1, /* section flag */
    PACK_WEIGHT_SLACK = 1 << 20,
    PACK_WEIGHTS_PER_BYTE = 4096
};

#define PACK_MAGIC                                                                     \
    "\x89"                                                                             \
    "DSCQ\r\n\x1a"

/* tag, enum, required, what. In file order. */
#define PACK_SECTION_LIST(X)                                                           \
    X("NET ", NET, 1, "tensors and nodes")                                             \
    X("QNT ", QNT, 1, "multipliers, shifts, biases, tables")                           \
    X("QNTC", QNTC, 1, "QNT, entropy coded")                                           \
    X("IO  ", IO, 1, "inputs with preprocessing, outputs with heads")                  \
    X("CLS ", CLS, 0, "class names")                                                   \
    X("META", META, 0, "free text")                                                    \
    X("WGT ", WGT, 1, "weights")                                                       \
    X("DIG ", DIG, 0, "embedded inputs and what they must give")

enum {
#define X(tag, id, required, text) PACK_S_##id,
    PACK_SECTION_LIST(X)
#undef X
        PACK_S_COUNT
};

typedef struct pack_section_row {
    const char *tag;
    int required;
    const char *text;
} pack_section_row;
extern const pack_section_row pack__sections[PACK_S_COUNT];

typedef struct pack_field_row {
    const char *name;
    size_t offset;
    int trait; /* of the operations that have it */
    int is_signed;
} pack_field_row;
extern const pack_field_row pack__fields[];
extern const size_t pack__field_count;
int pack__field_in(const pack_field_row *f, dscq_qop op);
int32_t *pack__field(const pack_field_row *f, dscq_qnode *n);

/* An entry of n's table in the file; y: its output. */
typedef struct pack_entry {
    unsigned bytes;
    int is_signed;
} pack_entry;
pack_entry pack__entry(const dscq_qnode *n, const dscq_qtensor *y);

/* One layer's chosen form. */
typedef struct pack_choice {
    int32_t encoding, arg;
    dscq_pack_size size; /* payload only */
} pack_choice;
dscq_status pack__choose(pack_choice *out, const dscq_qweights *w, const uint16_t *code,
                         const dscq_pack_options *o, dscq_error *err);

/* The section of one kind as bytes. `sizes` (NULL: not wanted): one entry a node;
 * constants for every node, the rest for nodes with weights. */
dscq_status pack__put_section(dscq_buf *b, int section, const dscq_qmodel *m,
                              const dscq_pack_options *o, pack_choice *sizes,
                              dscq_error *err);
/* Into m, NET having been read first. Faults of the bytes are left in r. */
dscq_status pack__get_section(dscq_qmodel *m, int section, dscq_reader *r,
                              uint64_t file_bytes, dscq_error *err);
/* QNTC: the constants, entropy coded. */
void pack__put_coded_constants(dscq_buf *b, const dscq_qmodel *m, pack_choice *sizes);
dscq_status pack__get_coded_constants(dscq_qmodel *m, dscq_reader *r,
                                      uint64_t file_bytes, dscq_error *err);
/* Does a file of these options have QNTC instead of QNT? */
int pack__codes_constants(const dscq_qmodel *m, const dscq_pack_options *o);
dscq_status pack__get_weights(dscq_qmodel *m, dscq_reader *r, uint64_t file_bytes,
                              dscq_error *err);
dscq_status pack__put_weights(dscq_buf *b, const dscq_qmodel *m,
                              const dscq_pack_options *o, pack_choice *sizes,
                              dscq_error *err);

#endif
