/* Shared inside lower/: the network as machine operations, the plan, the emitter. */
#ifndef LOWER_INTERNAL_H
#define LOWER_INTERNAL_H

#include "dscq/base/ints.h"
#include "dscq/energy/energy.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/program.h"
#include "dscq/lower/lower.h"

#include <stddef.h>
#include <stdint.h>

enum {
    LOWER_STAGE_MAX = 24,
    LOWER_TILES_MAX = 1 << 20,
    LOWER_NONE = -1,
    LOWER_PAGE = 64, /* bytes: what hazards are tracked by, and places aligned to */
    LOWER_GROUP_BANDS = 4 /* of a block in groups: inputs come and outputs leave so */
};

/* What planning knows of an operation (index = program operation). */
typedef struct low_op {
    int32_t node;
    int32_t wtile_first, wtile_count;
    int32_t no_group;      /* groups of its block did not fit the weight buffer */
    int32_t k_pieces;      /* tiles that split the columns: sums kept between */
    uint64_t weight_bytes; /* streams, DRAM                                  */
    int64_t weight_buffer; /* all tiles in the weight buffer                 */
    double vector_cycles;  /* of one vector, all tiles (array)               */
    double fixed_cycles;   /* of a command: fill, post of the last vector    */
    double point_cycles;   /* of one output pixel, all channels (vector ops) */
} low_op;

typedef enum low_flow {
    LOW_BANDS,    /* rows outermost; weights kept, or loaded again for every band  */
    LOW_FEATURES, /* tiles outermost; the whole input stays, weights stream once    */
    LOW_WEIGHTS,  /* tiles outermost; rows stream again for every tile              */
    LOW_GROUPS    /* [expand] depthwise project, a group of middle channels at a
                   * time; the projection's sums stay in the accumulators           */
} low_flow;

typedef struct low_stage {
    int32_t first, last; /* operations, inclusive */
    int32_t bands;
    low_flow flow;
    int32_t kept;         /* all weights of the stage in the buffer at once         */
    int32_t strip;        /* columns of a strip of a single operation; 0: whole rows */
    int32_t group;        /* LOW_GROUPS: middle channels at a time */
    int32_t chan;         /* channels of a piece of a separable operation; 0: all    */
    double cycles, bytes; /* estimates */
} low_stage;

typedef struct low_tensor {
    int32_t first_op, last_op; /* producer (-1: input) and last consumer            */
    int32_t is_input, is_output;
    int32_t stays; /* 1: whole tensor in the buffer from producer to last consumer */
    int32_t ring;  /* its whole-tensor ring, or -1                                 */
    int64_t base;
} low_tensor;

typedef struct lowering {
    const dscq_qmodel *q;
    const dscq_machine *m;
    dscq_program *p;
    low_op *op;
    low_tensor *tensor;
    low_stage *stage;
    int32_t stage_count;
    int32_t op_cap, wtile_cap, ring_cap;
    int32_t group_failed;
    int32_t scan; /* every other sweep backwards */
    size_t image_cap;
    double mem_rate;                /* bytes per cycle the planner counts on */
    double byte_price, cycle_price; /* objective */
    dscq_error *err;
} lowering;

/* One for each engine: the rest of the program, and its schedule unless NULL. */
#define X(name, id, text)                                                              \
    dscq_status lower__##name(lowering *l, dscq_table **schedule_out);
DSCQ_ENGINE_LIST(X)
#undef X

/* ops.c */
dscq_status lower__check(const dscq_qmodel *q, const dscq_machine *m, dscq_error *err);
dscq_status lower__make_ops(lowering *l);
/* Input rows [*lo, *hi) of input i that output rows [a, b) need, on the map. */
void lower__rows(const dscq_program *p, int32_t op, int32_t i, int32_t a, int32_t b,
                 int32_t *lo, int32_t *hi);
void lower__columns(const dscq_program *p, int32_t op, int32_t i, int32_t a, int32_t b,
                    int32_t *lo, int32_t *hi);

/* stream.c */
typedef struct low_choice {
    dscq_stream_kind kind;
    int32_t gap_bits;
    double bits_per_weight; /* average, positions included */
} low_choice;

typedef struct low_tile_job {
    lowering *l;
    const dscq_qweights *w;
    const uint16_t *codes; /* OHWI */
    dscq_hw_wtile *t;
    const dscq_hw_op *op;
    int32_t depthwise, code_bits;
    int32_t group_first; /* first input channel of the group */
    size_t *column;      /* [columns] offset inside an output channel */
    uint16_t *code;      /* [rows * columns] one lane, in order */
    int16_t *value;
} low_tile_job;

low_choice lower__choose_encoding(const lowering *l, const dscq_qweights *w);
dscq_status lower__write_streams(low_tile_job *j);
size_t lower__column_at(const low_tile_job *j, int32_t k);

/* tiles.c */
/* The stored weights of an operation, opened to be cut into tiles. */
typedef struct low_opened {
    const dscq_qweights *stored;
    dscq_qweights w;
    uint16_t *codes;
    low_tile_job job; /* points at w and codes */
} low_opened;

/* On failure nothing is left. */
dscq_status lower__open_op(low_opened *o, lowering *l, int32_t at);
void lower__close_op(low_opened *o);

typedef struct low_piece {
    int32_t m_first, m_count, c_first, c_count;
} low_piece;

dscq_status lower__make_tile(low_tile_job *j, low_piece x, low_choice enc);
/* All tiles of a group of the convolution; DSCQ_ARG: one channel is too large. */
dscq_status lower__make_tiles(low_tile_job *j, int32_t group, low_choice enc);
/* Bytes of the weight buffer that a channel on each lane takes, estimated. */
double lower__row_bytes(int32_t lanes, int32_t columns, double bits);

/* weights.c: shape and weight tiles of every operation, or of one */
dscq_status lower__make_conv(lowering *l, int32_t at);
/* Cycles of a one-pixel vector for each number of lanes, and the encoding. */
dscq_status lower__probe(lowering *l, int32_t at, const int32_t *lanes, int32_t count,
                         double *vector_cycles, low_choice *enc);
dscq_status lower__make_weights(lowering *l);
/* groups.c. Tiles of a block for LOW_GROUPS: `group` middle channels each. */
dscq_status lower__regroup(lowering *l, int32_t first, int32_t last, int32_t group);
/* Lanes for a projection whose sums all stay in the accumulators; 0: none. */
int32_t lower__holding_lanes(const lowering *l, int32_t op);
/* shape.c: dscq_hw_wtile_is_wide() of the whole layer. */
int lower__is_wide(const lowering *l, int32_t op);
/* Cycles of one vector and of one command when op runs on `lanes` lanes;
 * stored[k * channels + m] = 1 where a weight is stored. */
dscq_status lower__try_shape(lowering *l, int32_t op, const uint8_t *stored,
                             int32_t columns, int32_t lanes, double *vector_cycles,
                             double *fixed_cycles);
/* Which channel sits where: place[row * lanes + lane] = index or -1. */
dscq_status lower__deal(int32_t *place, int32_t rows, int32_t lanes,
                        const int32_t *entries, int32_t channels, int balance,
                        dscq_error *err);

/* plan.c */
dscq_status lower__plan(lowering *l);

/* need.c */
enum { CUT_DRAM, CUT_CHIP, CUTS };

typedef struct low_need {
    int64_t rings; /* bytes */
    double bytes;  /* DRAM traffic of activations */
} low_need;

int32_t lower__line_bytes(const lowering *l, int32_t tensor, int32_t width);
int64_t lower__ring_bytes(const lowering *l, int32_t tensor, int32_t rows,
                          int32_t width, int32_t channels);
int64_t lower__whole_bytes(const lowering *l, int32_t t);
double lower__dram_bytes(const lowering *l, int32_t t); /* a frame's, of a whole map */
/* Addresses of the maps that are in DRAM, behind the streams (rule D5). */
void lower__place_maps(lowering *l);
int lower__crosses(const lowering *l, int32_t t, int32_t at);
int lower__is_block(const lowering *l, int32_t first, int32_t last);
/* Rows of the output that a block in groups holds: two bands. */
int32_t lower__group_out_rows(const lowering *l, int32_t tensor);
low_need lower__group_need(const lowering *l, int32_t first, int32_t last,
                           const int cut[2], int32_t group);
int lower__separable(const dscq_hw_op *op);
int64_t lower__strip_bytes(const lowering *l, int32_t o, int32_t rows, int32_t width,
                           int32_t chan);

/* The rows of every tensor of a stage, band by band. Tensors by program index in
 * `tensor`; end[i * (bands + 1) + s] = rows there after s bands. */
typedef struct low_bands {
    int32_t count, bands;
    int32_t tensor[LOWER_STAGE_MAX * 4];
    int32_t ring_rows[LOWER_STAGE_MAX * 4];
    int32_t *end, *low;
} low_bands;

dscq_status lower__bands_make(low_bands *b, const lowering *l, int32_t first,
                              int32_t last, int32_t bands, dscq_error *err);
void lower__bands_clear(low_bands *b);
int32_t lower__bands_find(const low_bands *b, int32_t tensor);

/* cost.c. Cycles of `rows` rows of an operation; of a whole stage. */
double lower__row_cycles(const lowering *l, int32_t o, int32_t rows);
double lower__stage_cycles(const lowering *l, const low_bands *b, int32_t first,
                           int32_t last);
/* What the rings of a stage take, `slack`: one band more for loaded and stored ones. */
low_need lower__need_of(const lowering *l, const low_bands *b, int32_t first,
                        int32_t last, int left, int right, int slack);
/* By the objective; *out_cycles: of array and memory together. */
double lower__price(const lowering *l, double cycles, double bytes, double *out_cycles);
int32_t lower__widest_tile(const lowering *l, int32_t o); /* in channels */

typedef struct low_flow_cost {
    low_flow flow;
    int32_t kept;
    double bytes; /* weights and activations */
    int64_t rings;
    int fits;
} low_flow_cost;

/* A single operation with one of its loops outermost. */
low_flow_cost lower__single_flow(const lowering *l, const low_bands *b, int32_t o,
                                 low_flow flow, int left, int right);

static inline int64_t in_pages(int64_t bytes)
{
    return dscq_ceil_div(bytes, LOWER_PAGE) * LOWER_PAGE;
}

/* As a count of pixels, rows or channels. */
static inline int32_t ceil_div(int64_t a, int64_t b)
{
    return (int32_t)dscq_ceil_div(a, b);
}

/* ---- emitting ----------------------------------------------------------- */

typedef struct low_page {
    uint32_t written, read_compute, read_store; /* counts of finished work */
    int8_t writer;                              /* unit, or LOWER_NONE */
} low_page;

typedef struct low_weight_page {
    uint32_t read;
    int32_t owner; /* weight tile, or LOWER_NONE */
} low_weight_page;

typedef struct low_ticket {
    uint64_t key;
    uint32_t need, order;
    uint8_t unit;
    uint32_t index;
} low_ticket;

typedef struct low_slot { /* a ring of the stage that is emitted */
    int32_t tensor, ring;
    int32_t have_lo, have_hi; /* rows that are there, loaded tensors */
    int32_t stored;           /* rows [0, stored) are in DRAM */
} low_slot;

typedef struct low_emitter {
    lowering *l;
    dscq_program *p;
    low_page *pages;
    low_weight_page *weight_pages;
    size_t page_count, weight_page_count;
    uint32_t *weight_loaded; /* [wtiles] count of the load that filled it */
    int64_t weight_at;       /* bump pointer */
    uint8_t *weight_placed;  /* [wtiles] has an address */
    uint32_t **stored_count; /* [tensors][rows] STORED count of that row */
    size_t cap[DSCQ_UNIT_COUNT];
    low_ticket *tickets;
    size_t ticket_count, ticket_cap;
    uint64_t last_key[DSCQ_UNIT_COUNT];
    uint64_t *store_key; /* keys of store commands */
    size_t store_cap;
    int32_t frame;
    low_slot slots[LOWER_STAGE_MAX * 4];
    int32_t slot_count;
} low_emitter;

typedef struct low_job {
    int32_t op, wtile, ring_out;
    int32_t ring_in[DSCQ_OP_INPUTS];
    int32_t first, last; /* pixels */
    uint8_t flags;
} low_job;

typedef struct low_space {
    int64_t bytes, base;
    int32_t from, to, tensor,
        stage; /* stage LOWER_NONE: a whole tensor; part: out regions */
    int32_t part;
} low_space;

typedef struct low_spaces {
    low_space *s;
    size_t count, cap;
} low_spaces;

/* emit_command.c, place.c, emit_stage.c, emit_block.c */
dscq_status lower__emit_load(low_emitter *e, int32_t op, int32_t ring, int32_t a,
                             int32_t b);
dscq_status lower__emit_store(low_emitter *e, int32_t op, int32_t ring, int32_t a,
                              int32_t b);
dscq_status lower__emit_compute(low_emitter *e, const low_job *j);
dscq_status lower__emit_tile(low_emitter *e, low_job j, int32_t tile);
dscq_status lower__emit_all_tiles(low_emitter *e, low_job j, int backwards);
int32_t lower__tiles_of(const low_emitter *e, int32_t op);
dscq_status lower__new_ring(low_emitter *e, dscq_hw_ring *r, int32_t *out);
void lower__deal_tickets(low_emitter *e);
dscq_status lower__place_all(low_emitter *e, low_spaces *v);
int64_t lower__base_of(const low_spaces *v, int32_t tensor, int32_t stage,
                       int32_t part);
dscq_hw_ring lower__ring_shape(const lowering *l, int32_t t, int32_t rows, int32_t x0,
                               int32_t width);
int lower__moves_through_dram(const lowering *l, int32_t t, const low_stage *s);
int32_t lower__band_rows(const lowering *l, int32_t tensor, int32_t bands);
int32_t lower__stage_of(const lowering *l, int32_t op);
void lower__strip_size(const lowering *l, const low_stage *s, int32_t i, int32_t *rows,
                       int32_t *width);
int32_t lower__rows_of(const lowering *l, const low_stage *s, const low_bands *b,
                       int32_t i);
low_slot *lower__slot_of(low_emitter *e, int32_t tensor);
int lower__comes_from_dram(const lowering *l, int32_t t, const low_stage *s);
dscq_status lower__open_rings(low_emitter *e, const low_spaces *v, int32_t at,
                              const low_bands *b);
dscq_status lower__emit_bands(low_emitter *e, const low_stage *s, const low_bands *b);
dscq_status lower__emit_tiles_first(low_emitter *e, const low_spaces *v, int32_t at,
                                    const low_bands *b);
dscq_status lower__emit_strips(low_emitter *e, const low_spaces *v, int32_t at);
dscq_status lower__emit_groups(low_emitter *e, const low_spaces *v, int32_t at);

/* emit.c */
dscq_status lower__emit(lowering *l);

/* table.c. "gap 4+3": kind of stream, bits of a code, of a gap. */
void lower__stream_text(char *out, size_t cap, const dscq_hw_wtile *w);
dscq_status lower__table(dscq_table **out, const lowering *l, dscq_error *err);

#endif
