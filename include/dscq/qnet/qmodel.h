/*
 * qnet/qmodel.h - the integer network: what packed.bin holds, in memory.
 *
 * The arithmetic is docs/arithmetic.md; field names follow it. A qmodel is made
 * by build/build.h from a trained model, written and read by pack/pack.h, executed
 * by infer/ (slow and fast) and turned into a machine program by lower/. It owns
 * every pointer in it (dscq_qmodel_destroy).
 */
#ifndef DSCQ_QNET_QMODEL_H
#define DSCQ_QNET_QMODEL_H

#include "dscq/base/status.h"
#include "dscq/tensor/act.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The operations, by their numbers in the file. */
typedef enum dscq_qop {
#define DSCQ_QOP(name, id, meaning, traits) DSCQ_Q_##id,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
    DSCQ_Q_COUNT
} dscq_qop;

/* What nodes of an operation have: fields, constants, a table. */
enum {
    DSCQ_QHAS_STEPS = 1 << 0,   /* stride_h, stride_w                             */
    DSCQ_QHAS_PADS = 1 << 1,    /* pad_top, pad_left, pad_bottom, pad_right       */
    DSCQ_QHAS_WEIGHTS = 1 << 2, /* weights, bias, dilation_h, dilation_w, groups  */
    DSCQ_QHAS_WINDOW = 1 << 3,  /* kernel_h, kernel_w                             */
    DSCQ_QHAS_KEYS = 1 << 4,    /* scale_key, count_include_pad                   */
    DSCQ_QHAS_FACTOR = 1 << 5,  /* factor                                         */
    DSCQ_QHAS_FIRST = 1 << 6,   /* first                                          */
    DSCQ_QHAS_SCALES = 1 << 7,  /* mult, shift                                    */
    DSCQ_QHAS_CLAMP = 1 << 8,   /* clamp_lo, clamp_hi                             */
    DSCQ_QHAS_ACT = 1 << 9,     /* the clamp may be that of an activation         */
    DSCQ_QHAS_LEAKY = 1 << 10,  /* is_leaky, slope_q15                            */
    DSCQ_QHAS_LOOKUP = 1 << 11, /* table: an output code for every input code     */
    DSCQ_QHAS_CURVE = 1 << 12   /* table: unsigned 16-bit factors                 */
};

typedef struct dscq_qtensor {
    char name[64];
    int32_t h, w, c;
    int32_t bits;      /* 4..16; more than 8: stored in two bytes */
    int32_t is_signed; /* default 1 */
    int32_t zero_point;
    double scale;
} dscq_qtensor;

/* name, id, what a code means. The place of a row is the form's number in the file. */
/* clang-format off */
#define DSCQ_QFORM_LIST(X)                                                             \
    X(codebook, CODEBOOK, "value = codebook[code], codebook[0] = 0")                   \
    X(linear, LINEAR, "value = code as b-bit two's complement")                        \
    X(binary, BINARY, "+-level[k], and 8-bit linear weights in listed blocks")
/* clang-format on */

typedef enum dscq_qform {
#define X(name, id, meaning) DSCQ_FORM_##id,
    DSCQ_QFORM_LIST(X)
#undef X
        DSCQ_FORM_COUNT
} dscq_qform;

enum { DSCQ_CODEBOOK_MAX = 256 };

struct dscq_qweights;
/* Decoder of packed weights: codes [count] as of dscq_qweights_codes(); high: the marks
 * of a binary layer, [block_count]. *fault: what is wrong with the bytes, or NULL.
 * DSCQ_NOMEM. */
typedef dscq_status dscq_qdecode(uint16_t *codes, const struct dscq_qweights *w,
                                 uint8_t *high, const char **fault, dscq_error *err);

/* The integer weights of a layer, from the compressor that makes them to the lanes. */
typedef struct dscq_qweights {
    int32_t k, r, s, c; /* out channels, kernel rows, columns, in per group      */
    size_t count;       /* k*r*s*c; the weights of channel o start at o*count/k  */
    int16_t *value;     /* integer weights, OHWI; NULL while they are packed     */
    dscq_qform form;
    int32_t bits;           /* b of a code, 1..8 (16 for 16-bit linear)          */
    int32_t codebook_count; /* entries, entry 0 = 0; DSCQ_FORM_CODEBOOK          */
    int16_t codebook[DSCQ_CODEBOOK_MAX];
    int16_t *level;      /* DSCQ_FORM_BINARY: [k], > 0                           */
    int32_t block;       /* DSCQ_FORM_BINARY: weights per block, in OHWI order,  */
                         /* blocks never cross an output channel; the last of a  */
                         /* channel may be short                                 */
    uint8_t *block_high; /* DSCQ_FORM_BINARY: per block, 1 = 8-bit weights       */
    size_t block_count;  /* k * ceil(r*s*c / block)                              */
    /* How the file stores it; -1: the smallest is chosen when writing. */
    int32_t encoding, encoding_arg;
    /* A network that was read keeps its weights packed: the payload in the model's
     * file, checked when it was read, decoded by dscq_qweights_open() with the decoder
     * that the reader sets. */
    dscq_qdecode *decode;
    const uint8_t *packed;
    size_t packed_bytes, packed_nonzero;
    int32_t packed_encoding, packed_arg;
} dscq_qweights;

enum { DSCQ_QNODE_INPUTS = 16, DSCQ_QMODEL_ENDS = 64 /* inputs, outputs at most */ };

typedef struct dscq_qnode {
    char name[64];
    dscq_qop op;
    int32_t input[DSCQ_QNODE_INPUTS]; /* tensor indices */
    int32_t input_count;
    int32_t output; /* tensor index; every tensor has one producer at most */
    /* windows: conv, maxpool, avgpool; pad uses the pads only */
    int32_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
    int32_t dilation_h, dilation_w, groups;
    int32_t kernel_h, kernel_w; /* pooling; 0 x 0: the whole map */
    int32_t count_include_pad;
    int32_t factor; /* upsample, reorg                             */
    int32_t first;  /* slice: first channel; lrn: channels across  */
    int32_t clamp_lo, clamp_hi;
    int32_t is_leaky;
    int32_t slope_q15;
    /* per output channel (conv), per input (add, concat, rescale), one (mul),
     * per count (avgpool), see docs/arithmetic.md */
    int32_t scale_count;
    int16_t *mult;
    uint8_t *shift;
    int32_t *bias;          /* conv: [k] signed 24 bit; else NULL     */
    int32_t *scale_key;     /* avgpool: the count n of entry i        */
    int32_t table_count;    /* lut: 2^bits; lrn: entries              */
    int32_t *table;         /* lut: codes; lrn: unsigned 16 bit       */
    dscq_qweights *weights; /* conv; else NULL                        */
} dscq_qnode;

/* Replayed by `dscq run` before the network sees an image (data/image.h has the
 * matching code; kept here as plain numbers so that the file is self-contained). */
typedef struct dscq_qinput {
    int32_t tensor;
    int32_t is_image;      /* 0: floats are handed in                      */
    int32_t resize_mode;   /* 0 stretch, 1 letterbox, 2 centre crop        */
    int32_t resize_filter; /* as in data/image.h                           */
    int32_t colour_order;  /* 0 RGB, 1 BGR, 2 grey                         */
    int32_t fill;          /* letterbox grey level                         */
    double scale;          /* pixel * scale, then - mean, then / std       */
    double mean[4], std[4];
    int32_t mult[4], offset[4]; /* m, b of docs/arithmetic.md section 2    */
} dscq_qinput;

typedef struct dscq_qoutput {
    int32_t tensor;
    char role[32];    /* "logits", "yolo", "region", "raw"                     */
    char params[512]; /* head settings as "key=value" lines (anchors, classes) */
} dscq_qoutput;

typedef struct dscq_qmodel {
    char name[128];
    int32_t tensor_count, node_count, input_count, output_count, class_count;
    dscq_qtensor *tensor;
    dscq_qnode *node; /* execution order */
    dscq_qinput *input;
    dscq_qoutput *output;
    char (*class_name)[64];
    /* golden digests: for `digest_inputs` embedded inputs (codes of every input of the
     * network, one behind the other), CRC-32 of every node's output bytes:
     * digest[i * node_count + node] */
    int32_t digest_inputs;
    uint8_t *digest_input; /* digest_inputs * dscq_qmodel_digest_bytes(); NULL: the */
                           /* standard ones                                         */
    uint32_t *digest;
    /* free text "key=value" lines: float accuracy, method, seed,
     * source digests. No time, no host. */
    char *meta;
    uint8_t *file;           /* what packed weights point into; else NULL */
    uint64_t float_bytes;    /* the float32 base of ratios */
    int32_t coded_constants; /* 1: the file stores them entropy coded (archives) */
} dscq_qmodel;

/* Empty, zeroed; arrays are then allocated with dscq_calloc by the builder. */
dscq_status dscq_qmodel_create(dscq_qmodel **out, dscq_error *err);
void dscq_qmodel_destroy(dscq_qmodel *m); /* NULL is fine */

/* Every rule of docs/arithmetic.md that a reader must enforce: indices, shapes,
 * ranges, graph order, overflow bounds. DSCQ_FORMAT naming the node. */
dscq_status dscq_qmodel_check(const dscq_qmodel *m, dscq_error *err);

const char *dscq_qop_name(dscq_qop op);
/* Has `op` one of these traits (DSCQ_QHAS_...)? */
int dscq_qop_has(dscq_qop op, int traits);
/* Are the output's codes codes of the input, moved and not computed? */
int dscq_qop_moves(dscq_qop op);
uint64_t dscq_qnode_macs(const dscq_qmodel *m, const dscq_qnode *n);
size_t dscq_qtensor_count(const dscq_qtensor *t); /* h*w*c */
size_t dscq_qtensor_bytes(const dscq_qtensor *t); /* 1 or 2 bytes a code */

/* Smallest and largest code, and max|code - zero_point|. */
int32_t dscq_qtensor_lo(const dscq_qtensor *t);
int32_t dscq_qtensor_hi(const dscq_qtensor *t);
int64_t dscq_qtensor_reach(const dscq_qtensor *t);
/* Code i of a tensor in its stored form (1 or 2 bytes a code, host order). */
int32_t dscq_qtensor_get(const dscq_qtensor *t, const void *data, size_t i);
void dscq_qtensor_put(const dscq_qtensor *t, void *data, size_t i, int32_t code);

/* One embedded input: the codes of all inputs of the network, one behind the other,
 * each in dscq_qtensor_room() bytes (so that wide codes are aligned). Codes of the
 * standard ones are generated (docs/format.md section 8). */
size_t dscq_qtensor_room(const dscq_qtensor *t);
size_t dscq_qmodel_digest_bytes(const dscq_qmodel *m);
/* Embedded input i as the model has it, or standard input i. data:
 * dscq_qmodel_digest_bytes(m). */
void dscq_qmodel_digest_codes(const dscq_qmodel *m, int32_t i, void *data);
void dscq_qmodel_standard_codes(const dscq_qmodel *m, int32_t i, void *data);
/* Are `count` embedded inputs the standard ones? */
int dscq_qmodel_is_standard(const dscq_qmodel *m, const void *data, int32_t count);
/* x[m->input_count]: where the codes of each input stand in one embedded input. */
void dscq_qmodel_inputs_of(const dscq_qmodel *m, const void *data, const void **x);

/* Zeroed arrays of these sizes in an empty model; strides, dilations, groups and
 * factors start at 1. */
dscq_status dscq_qmodel_reserve(dscq_qmodel *m, int32_t tensors, int32_t nodes,
                                int32_t inputs, int32_t outputs, dscq_error *err);
/* A node of nothing: strides, dilations, groups and the factor are 1. */
void dscq_qnode_clear(dscq_qnode *n);
/* mult, shift (and what else the operation has: bias, scale_key) of `count` entries. */
dscq_status dscq_qnode_reserve(dscq_qnode *n, int32_t count, dscq_error *err);
/* Entry i of the scales says that the codes of input i are copied (docs/format.md
 * section 4.4): m = 0, r = DSCQ_QSHIFT_COPIED. */
enum { DSCQ_QSHIFT_MAX = 47, DSCQ_QSHIFT_COPIED = 255 };
enum { DSCQ_QBIAS_MIN = -(1 << 23), DSCQ_QBIAS_MAX = (1 << 23) - 1 };
static inline int dscq_qnode_is_copied(const dscq_qnode *n, int32_t i)
{
    return n->mult[i] == 0 && n->shift[i] == DSCQ_QSHIFT_COPIED;
}
/* Drop the nodes from `count` on; their places are as new. */
void dscq_qmodel_cut(dscq_qmodel *m, int32_t count);
/* Zeroed weights with `value` (level and block_high too when form is binary). _init:
 * nothing is left to clear when it fails. */
dscq_status dscq_qweights_init(dscq_qweights *w, int32_t k, int32_t r, int32_t s,
                               int32_t c, dscq_qform form, int32_t block,
                               dscq_error *err);
void dscq_qweights_clear(dscq_qweights *w);
dscq_status dscq_qweights_create(dscq_qweights **out, int32_t k, int32_t r, int32_t s,
                                 int32_t c, dscq_qform form, int32_t block,
                                 dscq_error *err);
void dscq_qweights_destroy(dscq_qweights *w); /* NULL is fine */

/* *out: w with its values, decoded when w holds them packed; all else is borrowed from
 * w. Ended by dscq_qweights_close(out, w). One layer at a time keeps the memory at the
 * file's and the largest layer's. DSCQ_NOMEM. */
dscq_status dscq_qweights_open(dscq_qweights *out, const dscq_qweights *w,
                               dscq_error *err);
void dscq_qweights_close(dscq_qweights *out, const dscq_qweights *w);

/* Packed weights, when their file is read: decodes, checks and counts them once. The
 * rest of the node has passed dscq_qmodel_check(). DSCQ_FORMAT naming the node. */
dscq_status dscq_qweights_check(const dscq_qmodel *m, dscq_qnode *n, dscq_error *err);

/* Number of the block of weight i. DSCQ_FORM_BINARY. */
static inline size_t dscq_qweights_block(const dscq_qweights *w, size_t i)
{
    const size_t per = w->count / (size_t)w->k;

    return i / per * (w->block_count / (size_t)w->k) + i % per / (size_t)w->block;
}
/* The b-bit codes of the weights, OHWI; code 0 is the value 0. Binary form: the sign
 * bit (1: negative) in low blocks, the 8-bit number in high ones. codes: [count]. */
dscq_status dscq_qweights_codes(const dscq_qweights *w, uint16_t *codes,
                                dscq_error *err);
size_t dscq_qweights_nonzero(const dscq_qweights *w);

/* Conv and pooling: output rows (columns) for an input of `in` rows (columns). `pads`
 * is the sum of both sides; 0 when the window does not fit. */
int32_t dscq_qwindow_out(int32_t in, int32_t k, int32_t stride, int32_t pads,
                         int32_t dilation);
/* Average pooling: the numbers of positions that windows on a map of in_h x in_w
 * count, ascending, each once: exactly the keys the node must have. Returns how many
 * (at most cap are stored), 0 when a window holds nothing. */
int32_t dscq_qpool_counts(const dscq_qnode *n, int32_t in_h, int32_t in_w,
                          int32_t *counts, int32_t cap);
/* Entry of scale_key[] for a count; -1: none. */
int32_t dscq_qpool_entry(const dscq_qnode *n, int32_t count);
/* lrn: index into the table for a sum of squares S (docs/arithmetic.md section 6). */
int32_t dscq_lrn_index(uint32_t s);
/* A sum of squares in the middle of those that have index i. */
double dscq_lrn_middle(int32_t i);

/* factor = m * 2^-r with 2^14 <= |m| < 2^15, half away from zero; m = 0, r = 0 when
 * |factor| is below 2^-33. 0 when |factor| >= 2^15 or not finite, else 1. */
int dscq_qmultiplier(int16_t *m, uint8_t *r, double factor);
/* One r for several factors, the largest one normalised; 0 as above. */
int dscq_qmultipliers(int16_t *m, uint8_t *r, const double *factor, int32_t n);

#ifdef __cplusplus
}
#endif
#endif
