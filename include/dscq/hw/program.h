/*
 * hw/program.h - what the machine runs: command queues, addresses, geometry,
 * weight streams, integer constants. It knows no networks.
 *
 * A program is made by lower/ (or by hand in tests) and executed by hw/sim.h. It
 * owns every pointer in it. Rules, section numbers: docs/accelerator.md.
 *
 * Lines. A tensor is H x W x C; in DRAM and on chip it is kept as rows of C lines,
 * line (y, c) holding the pixels of row y, channel c, side by side. On chip a line
 * is padded to whole words. Codes take 1 byte (up to 8 bits) or 2.
 *
 * Rings. Rows of a tensor live on chip in a ring: row y is in slot y mod rows.
 *
 * Tokens. Each unit works through its own queue in order. A command names, for
 * each of the six counters of finished work, the count it waits for; counters only
 * grow, so waiting is comparing. DMA commands are granted memory in the order of
 * their tickets.
 */
#ifndef DSCQ_HW_PROGRAM_H
#define DSCQ_HW_PROGRAM_H

#include "dscq/base/status.h"
#include "dscq/hw/counters.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_OP_INPUTS = 16 };

#define DSCQ_HW_MODE_LIST(X)                                                           \
    X(broadcast, BROADCAST, "columns broadcast to all lanes: convolution, FC")         \
    X(depthwise, DEPTHWISE, "a channel per lane, row vectors fetched once")            \
    X(add, ADD, "sum of inputs, each rescaled")                                        \
    X(mul, MUL, "product of two inputs")                                               \
    X(copy, COPY, "codes moved, or rescaled: concat, slice, pad, upsample, reorg")     \
    X(maxpool, MAXPOOL, "largest code of a window")                                    \
    X(avgpool, AVGPOOL, "mean of a window")                                            \
    X(lut, LUT, "one table entry per code")                                            \
    X(lrn, LRN, "normalisation across channels")

typedef enum dscq_hw_mode {
#define X(name, id, text) DSCQ_HW_##id,
    DSCQ_HW_MODE_LIST(X)
#undef X
        DSCQ_HW_MODE_COUNT
} dscq_hw_mode;

typedef struct dscq_hw_tensor {
    char name[64];
    int32_t h, w, c;
    int32_t bits, is_signed, zero_point;
    int32_t elem_bytes;  /* 1 or 2                                               */
    int32_t in_dram;     /* 1: has an address                                    */
    uint64_t dram_addr;  /* of line (0, 0); whole rows follow each other         */
    uint64_t dram_frame; /* bytes to the same tensor of the next frame           */
} dscq_hw_tensor;

typedef struct dscq_hw_ring {
    int32_t tensor;
    int32_t rows;        /* slots                                             */
    int32_t x0, width;   /* columns held: x0 .. x0 + width - 1                */
    int32_t c0, c_count; /* channels held                                     */
    int64_t base;        /* byte address in the activation buffer             */
    int32_t line_bytes;  /* of one line, a whole number of words              */
    int32_t row_bytes;   /* all its lines, rounded up to a word of every bank    */
    int32_t turn;        /* slot of row 0; pipelines only, else 0                */
} dscq_hw_ring;

/* One operation: geometry and constants. Windows are in input coordinates:
 * row = y * stride_h - pad_top + r * dilation_h. */
typedef struct dscq_hw_op {
    char name[64];
    dscq_hw_mode mode;
    int32_t layer;              /* row of the per-layer table                */
    int32_t in[DSCQ_OP_INPUTS]; /* tensors                                   */
    int32_t in_count, out;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    int32_t dilation_h, dilation_w;
    int32_t clamp_lo, clamp_hi, is_leaky, slope_q15;
    int32_t scale_count; /* entries of mult, shift                    */
    int16_t *mult;
    uint8_t *shift;
    int32_t *bias, *scale_key;
    int32_t table_count;
    int32_t *table;
    /* copy (rule V3): output channel c_out + i, i < c_count, is input channel
     * c_first + i, at (y / factor_up - pad_top, x / factor_up - pad_left); outside
     * the input it is the zero point. factor_down f > 1: space to depth, output
     * channel (r * f + s) * C + c is input (y * f + r, x * f + s, c). */
    int32_t c_first, c_out, c_count, factor_up, factor_down;
    int32_t copy_scaled;       /* 0: codes moved unchanged                       */
    int32_t count_include_pad; /* average pooling                                */
    int32_t span;              /* lrn: channels across                           */
    /* shape of the array for this operation (broadcast, depthwise) */
    int32_t lanes, vector;
    uint64_t mac_dense; /* of one frame                              */
    /* residual sum in the post-processor: code' = sum rule on (own code, in[1]) */
    int32_t has_residual;
    int32_t res_m_self, res_m_other, res_shift, res_zero_self, res_zero_other;
    int32_t res_lo, res_hi, res_zero_out, res_is_leaky, res_slope_q15;
} dscq_hw_op;

#define DSCQ_STREAM_LIST(X)                                                            \
    X(dense, DENSE, "every weight is an entry")                                        \
    X(bitmap, BITMAP, "one bit per weight, then the codes that are set")               \
    X(gap, GAP, "zero run and code; fillers where a run is too long")                  \
    X(binary, BINARY, "one sign bit per weight, 8-bit weights in listed blocks")

typedef enum dscq_stream_kind {
#define X(name, id, text) DSCQ_STREAM_##id,
    DSCQ_STREAM_LIST(X)
#undef X
        DSCQ_STREAM_COUNT
} dscq_stream_kind;

static inline uint64_t dscq_hw_tensor_bytes(const dscq_hw_tensor *t)
{
    return (uint64_t)t->h * (uint64_t)t->w * (uint64_t)t->c * (uint64_t)t->elem_bytes;
}

/* Is it done by the lanes, with weights; or by the post-processor alone? */
static inline int dscq_hw_has_weights(const dscq_hw_op *op)
{
    return op->mode == DSCQ_HW_BROADCAST || op->mode == DSCQ_HW_DEPTHWISE;
}

/* Does a vector operation multiply its outputs? */
int dscq_hw_op_rescales(const dscq_hw_op *op);

/* A tile of weights: some output channels, all or some columns, as one lane stream
 * per lane. Column k counts the kernel positions and input channels of the tile,
 * channel fastest: k = (r * kernel_w + s) * c_count + c. */
typedef struct dscq_hw_wtile {
    int32_t op;
    int32_t m_first, m_count; /* output channels                                */
    int32_t c_first, c_count; /* input channels, of the tensor                  */
    int32_t columns;
    int32_t rows;     /* accumulator rows per lane: ceil(m_count/lanes) */
    int32_t *channel; /* [rows * lanes], lane fastest: channel or -1    */
    dscq_stream_kind kind;
    int32_t bits, gap_bits; /* of a code, of a zero run                       */
    int32_t is_linear;      /* value = code in two's complement               */
    int32_t codebook_count;
    int16_t codebook[256];
    int16_t *level;            /* binary: per output channel of the tile         */
    int32_t block, block_bits; /* binary: weights per block                      */
    uint64_t dram_addr;
    uint32_t *lane_offset;     /* [lanes + 1] bytes into the stream              */
    uint32_t stream_bytes;     /* lane streams and constants                     */
    uint64_t entries, nonzero; /* stored; true non-zeros                         */
    int64_t buffer_base, buffer_bytes;
} dscq_hw_wtile;

/* Requantisation of a channel (m, r, bias): what is read, and what lies in DRAM. */
enum { DSCQ_CHANNEL_BITS = 48, DSCQ_CHANNEL_BYTES = 8 };

/* The six counters of finished work. */
#define DSCQ_TOKEN_LIST(X)                                                             \
    X(act_loaded, ACT_LOADED, "load-activation commands finished")                     \
    X(weight_loaded, WEIGHT_LOADED, "load-weight commands finished")                   \
    X(act_read, ACT_READ, "compute commands that need no input row any more")          \
    X(weight_read, WEIGHT_READ, "compute commands that need no weight any more")       \
    X(out_written, OUT_WRITTEN, "compute commands whose outputs are in the buffer")    \
    X(stored, STORED, "store commands finished")

typedef enum dscq_token {
#define X(name, id, text) DSCQ_TOKEN_##id,
    DSCQ_TOKEN_LIST(X)
#undef X
        DSCQ_TOKEN_COUNT
} dscq_token;

enum {
    DSCQ_CMD_ACC_KEEP = 1,   /* sums stay in the accumulators: no post-processing */
    DSCQ_CMD_ACC_RESUME = 2, /* sums go on from an earlier ACC_KEEP command       */
    DSCQ_CMD_ACC_HELD = 4,   /* another operation's sums occupy one bank          */
    DSCQ_CMD_FRAME_START = 8 /* first command of a frame                          */
};

typedef struct dscq_hw_cmd {
    uint8_t unit; /* dscq_unit */
    uint8_t flags;
    int32_t op; /* compute: operation; DMA: operation it is accounted to       */
    int32_t frame;
    int32_t wtile; /* compute with weights, load weights; else -1                 */
    int32_t ring;  /* load/store: ring; compute: output ring                      */
    int32_t ring_in[DSCQ_OP_INPUTS]; /* compute                                   */
    int32_t first, last; /* load/store: rows [first, last); compute: pixels of the
                          * output ring's columns, flattened: y * width + x - x0  */
    uint32_t ticket;     /* DMA: place in the order of memory grants              */
    uint32_t wait[DSCQ_TOKEN_COUNT];
} dscq_hw_cmd;

typedef struct dscq_program {
    char name[128];
    int32_t frames;
    int32_t tensor_count, ring_count, op_count, wtile_count, layer_count;
    dscq_hw_tensor *tensor;
    dscq_hw_ring *ring;
    dscq_hw_op *op;
    dscq_hw_wtile *wtile;
    char (*layer_name)[64];
    size_t queue_count[DSCQ_UNIT_COUNT];
    dscq_hw_cmd *queue[DSCQ_UNIT_COUNT];
    uint32_t ticket_count;
    uint8_t *image; /* DRAM from address 0: weight streams and constants          */
    uint64_t image_bytes, dram_bytes;
    int32_t input_count, output_count;
    int32_t input[DSCQ_OP_INPUTS], output[DSCQ_OP_INPUTS]; /* tensors in DRAM     */
    int64_t act_peak_bytes, weight_peak_bytes;
    char machine_name[128];
    const struct dscq_engine *engine; /* hw/engine.h: what it is for                */
    void *own; /* what only its engine knows (hw/pipeline.h), else NULL               */
} dscq_program;

dscq_status dscq_program_create(dscq_program **out, const struct dscq_engine *engine,
                                dscq_error *err);
void dscq_program_destroy(dscq_program *p); /* NULL is fine */
void dscq_hw_wtile_clear(dscq_hw_wtile *w); /* frees what it owns */

/* What decides whether two products fit one DSP (rule L10). */
typedef struct dscq_hw_codes {
    int32_t act_bytes;    /* of an input code                                     */
    int32_t linear_bits;  /* of weights that are their codes; else 0, and the     */
    const int16_t *value; /* values that there are                                */
    int32_t count;
    int32_t both_signs; /* each value also stands negated (binary layers)       */
} dscq_hw_codes;

/* Inputs of more than 8 bits, or weights that a signed byte does not hold? */
int dscq_hw_is_wide(const dscq_hw_codes *c);
int dscq_hw_wtile_is_wide(const dscq_program *p, const dscq_hw_wtile *w);

/* Bytes of the activation buffer a ring takes: rows x (channels x words of a line,
 * rounded up to all banks). Rule B2. row_bytes need not be set. */
int64_t dscq_hw_ring_bytes(const dscq_hw_ring *r, int32_t word_bytes, int32_t banks);

/* Everything the simulator relies on: indices, ranges, ring and buffer bounds,
 * ticket order. DSCQ_FORMAT naming the command. Machine limits are checked by
 * dscq_sim_run(). */
dscq_status dscq_program_check(const dscq_program *p, dscq_error *err);

const char *dscq_hw_mode_name(int mode);
const char *dscq_stream_name(int kind);
const char *dscq_token_name(int token);

#ifdef __cplusplus
}
#endif
#endif
