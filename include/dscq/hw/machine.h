/*
 * hw/machine.h - the accelerator as typed keys: the [machine] and [schedule]
 * sections of a file under data/machines/. Version 1 of the keys.
 *
 * docs/accelerator.md is the specification of what each key does in time; its rules
 * have numbers (L1, B3, ...), named where they act. A dscq_machine is plain values,
 * copied with `=`; it owns nothing.
 */
#ifndef DSCQ_HW_MACHINE_H
#define DSCQ_HW_MACHINE_H

#include "dscq/base/config.h"
#include "dscq/base/keys.h"
#include "dscq/base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DSCQ_MACHINE_VERSION = 1,
    DSCQ_LANES_MAX = 1024,
    DSCQ_VECTOR_MAX = 1024,
    DSCQ_QUEUE_MAX = 64,
    DSCQ_SHAPES_MAX = 16
};

/* Kinds of machine: hw/engine.h. */
#define DSCQ_ENGINE_LIST(X) /* word, id, meaning */                                    \
    X(array, ARRAY, "one array for all layers")                                        \
    X(pipeline, PIPELINE, "a stage per layer")

typedef enum dscq_engine_kind {
#define X(word, id, text) DSCQ_ENGINE_##id,
    DSCQ_ENGINE_LIST(X)
#undef X
        DSCQ_ENGINE_COUNT
} dscq_engine_kind;

#define DSCQ_RAM_LIST(X) X(lutram, LUT) X(bram, BRAM) X(uram, URAM)

typedef enum dscq_machine_ram {
#define X(word, id) DSCQ_RAM_##id,
    DSCQ_RAM_LIST(X)
#undef X
} dscq_machine_ram;

/* [schedule]: what lower/ may choose; "auto" searches. Words of a key in the order of
 * its values, DSCQ_SCHEDULE_<id>. */
#define DSCQ_OBJECTIVE_LIST(X)                                                         \
    X(cycles, FOR_CYCLES) X(energy, FOR_ENERGY) X(traffic, FOR_TRAFFIC)
#define DSCQ_FUSE_LIST(X)                                                              \
    X(auto, FUSE_AUTO)                                                                 \
    X(none, FUSE_NONE)                                                                 \
    X(dw, FUSE_DW) X(block, FUSE_BLOCK) X(one_block, FUSE_ONE_BLOCK)
#define DSCQ_RESIDENT_LIST(X) X(auto, RESIDENT_AUTO) X(no, RESIDENT_NO)
#define DSCQ_ORDER_LIST(X)                                                             \
    X(auto, ORDER_AUTO) X(raster, ORDER_RASTER) X(scan, ORDER_SCAN)
#define DSCQ_DATAFLOW_LIST(X)                                                          \
    X(auto, FLOW_AUTO) X(weights, FLOW_WEIGHTS) X(features, FLOW_FEATURES)
#define DSCQ_WEIGHTS_LIST(X)                                                           \
    X(auto, WEIGHTS_AUTO) X(stream, WEIGHTS_STREAM) X(onchip, WEIGHTS_ONCHIP)
#define DSCQ_CODING_LIST(X)                                                            \
    X(auto, STREAM_AUTO)                                                               \
    X(dense, STREAM_DENSE) X(bitmap, STREAM_BITMAP) X(gap, STREAM_GAP)

#define X(word, id) DSCQ_SCHEDULE_##id,
enum { DSCQ_OBJECTIVE_LIST(X) };
enum { DSCQ_FUSE_LIST(X) };
enum { DSCQ_RESIDENT_LIST(X) };
enum { DSCQ_ORDER_LIST(X) };
enum { DSCQ_DATAFLOW_LIST(X) };
enum { DSCQ_WEIGHTS_LIST(X) };
enum { DSCQ_CODING_LIST(X) };
#undef X

typedef struct dscq_schedule {
    int32_t objective, fuse, resident, order, dataflow, weights, stream;
    int32_t balance;  /* channels dealt to lanes by their entry counts, else m mod L */
    int32_t lanes;    /* shape forced on every layer; 0 = chosen per layer           */
    int32_t epilogue; /* residual sums done in the convolution's own post-processing */
} dscq_schedule;

typedef struct dscq_machine {
    char name[DSCQ_NAME_MAX];
    int32_t version;
    int32_t engine;             /* dscq_engine_kind */
    char board[DSCQ_NAME_MAX];  /* file name under data/boards, without .cfg  */
    char dram[DSCQ_NAME_MAX];   /* "simple", or a file name under data/dram   */
    char energy[DSCQ_NAME_MAX]; /* file name under data/energy                */
    double clock_mhz;
    /* array */
    int32_t multipliers; /* lanes x vector, constant                          */
    dscq_list lanes;     /* allowed numbers of lanes; each divides multipliers */
    int32_t queue_depth; /* D: columns a lane's queue holds                   */
    int32_t zero_skip;   /* 0: every weight is an entry                       */
    int32_t int8_pairs;  /* two 8-bit products per DSP (rules F1, L10)        */
    int32_t weight_bits; /* widest weight value the lanes take, 8 or 16       */
    int32_t act_bits;    /* widest activation code                            */
    int32_t acc_bits, acc_rows, acc_banks;
    int32_t row_queue;     /* row vectors a lane holds ahead, depthwise       */
    int32_t row_registers; /* kernel rows kept in a lane, depthwise           */
    int32_t reconfigure_cycles, command_cycles;
    /* post-processor */
    int32_t post_entries; /* outputs per cycle                                */
    int32_t post_latency_cycles;
    /* on-chip buffers */
    int64_t act_bytes;
    int32_t act_banks, act_word_bytes, act_ram;
    int64_t weight_bytes;
    int32_t weight_ram;
    /* DMA and memory */
    int32_t axi_ports, axi_bytes; /* bytes per port and accelerator cycle     */
    int32_t burst_bytes;          /* of one request; divides a DRAM page      */
    int32_t outstanding;          /* requests in flight, all units together   */
    double mem_bytes_per_cycle;   /* simple memory                            */
    int32_t mem_latency_cycles;
    /* pipeline */
    double target_fps;     /* stages no faster than this needs; 0: as fast as fits */
    int32_t fifo_rows;     /* rows beyond the window, in steps of the window        */
    int32_t shortcut_rows; /* rows of the FIFOs into sums and joins; 0: sized       */
    /* where named files are looked for: the folder above the machine's own
     * folder; "" when the machine did not come from a file */
    char data_dir[DSCQ_PATH_MAX];
    dscq_schedule schedule;
} dscq_machine;

const dscq_key *dscq_machine_keys(void);
const dscq_key *dscq_schedule_keys(void);

/* All defaults: a small machine on the simple memory, no file needed. */
dscq_status dscq_machine_defaults(dscq_machine *out, dscq_error *err);

/* Bind [machine] and [schedule] (either may be missing) and check. `data_dir` is
 * the folder that holds boards/, dram/ and energy/. */
dscq_status dscq_machine_bind(dscq_machine *out, dscq_config *c, const char *data_dir,
                              dscq_error *err);

/* A whole file; data_dir becomes <folder of the file>/.. ; sections that are not
 * [machine] or [schedule] are refused. */
dscq_status dscq_machine_load(dscq_machine *out, const char *path, dscq_error *err);

/* Values that contradict each other: DSCQ_FORMAT naming the key. */
dscq_status dscq_machine_check(const dscq_machine *m, dscq_error *err);

/* Is its memory the simple one (bandwidth and latency), and no device of a file? */
int dscq_machine_is_simple(const dscq_machine *m);

/* <data_dir>/<kind>/<name>.cfg, or `name` itself when it has a '/'. */
dscq_status dscq_machine_path(char *out, size_t cap, const dscq_machine *m,
                              const char *kind, const char *name, dscq_error *err);

/* ---- resources --------------------------------------------------------------- */

#define DSCQ_RESOURCE_LIST(X) /* field, meaning */                                     \
    X(dsp, "DSP slices")                                                               \
    X(bram36, "36 kbit block RAMs")                                                    \
    X(uram, "288 kbit UltraRAMs")                                                      \
    X(lut, "look-up tables")                                                           \
    X(ff, "flip-flops")

typedef struct dscq_resources {
#define X(field, text) int64_t field;
    DSCQ_RESOURCE_LIST(X)
#undef X
} dscq_resources;

void dscq_resources_add(dscq_resources *sum, const dscq_resources *r);

/* One row of the bill: which part of the machine needs what, by which rule. */
typedef struct dscq_resource_row {
    const char *part, *rule;
    dscq_resources need;
} dscq_resource_row;
enum { DSCQ_RESOURCE_ROWS = 12 };

/* Fills rows[] (at most DSCQ_RESOURCE_ROWS), returns how many; *total their sum.
 * Estimates: exact for DSP and RAM blocks of the rules in docs/accelerator.md
 * section 9, an upper estimate for LUT and FF. */
int dscq_machine_resources(dscq_resource_row *rows, dscq_resources *total,
                           const dscq_machine *m);

/* DSP slices of lanes x vector multipliers, one product each or (`pairs`) two products
 * of a lane's neighbouring pixels. Rule F1. */
int64_t dscq_multiplier_dsp(int64_t lanes, int64_t vector, int pairs);

/* Cycles of a lane for one stored entry, rule L10: two when two products share a DSP
 * (int8_pairs, vectors of two pixels or more) and the layer's codes are too wide for
 * that. */
int32_t dscq_entry_cycles(const dscq_machine *m, int32_t vector, int is_wide);

/* Cycles to post-process `channels` outputs of each of `vector` pixels, `width` codes
 * at a time, without the words to be written: rule P2. */
int32_t dscq_post_cycles(int32_t channels, int32_t vector, int32_t width);

/* RAM blocks for `depth` words of `width_bits` (the rule of the tool vendors). */
int64_t dscq_ram_bram36(int64_t width_bits, int64_t depth);
int64_t dscq_ram_uram(int64_t width_bits, int64_t depth);

#ifdef __cplusplus
}
#endif
#endif
