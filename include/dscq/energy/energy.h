/*
 * energy/energy.h - counters x coefficients.
 *
 * Coefficients are data: a file under data/energy/ has one [coefficient] section
 * per component with value, spread (a factor >= 1: the truth lies between value /
 * spread and value x spread), technology and source. Nothing here is a literal.
 * Energy = sum of count x coefficient + static power x time + DRAM.
 */
#ifndef DSCQ_ENERGY_ENERGY_H
#define DSCQ_ENERGY_ENERGY_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/dram/dram.h"
#include "dscq/hw/counters.h"
#include "dscq/hw/machine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* name in the file, what one unit of it is. Every one must be in the file, but for
 * mac_pair, which follows from mac (coeff.c). */
#define DSCQ_ENERGY_LIST(X)                                                            \
    X(mac, "pJ per multiply-accumulate of 8 x 8 bits")                                 \
    X(mac_idle, "pJ per multiplier and cycle without work")                            \
    X(mac_pair, "pJ per two multiply-accumulates that share a DSP")                    \
    X(codebook, "pJ per code looked up")                                               \
    X(accumulator, "pJ per 32-bit accumulator update")                                 \
    X(requant, "pJ per multiplication of the post-processor")                          \
    X(register_byte, "pJ per byte through lane queues and row registers")              \
    X(bram_byte, "pJ per byte read or written, block RAM")                             \
    X(uram_byte, "pJ per byte read or written, UltraRAM")                              \
    X(lutram_byte, "pJ per byte read or written, distributed RAM")                     \
    X(dma_byte, "pJ per byte through DMA and interconnect")                            \
    X(clock_frac, "clock tree, as a fraction of the dynamic energy above")             \
    X(pl_static_mw, "static power of the programmable logic, mW")                      \
    X(ps_static_mw, "power of the processor system, mW")                               \
    X(dram_byte, "pJ per byte moved, simple memory only")                              \
    X(dram_static_mw, "background power of the DRAM, mW, simple memory only")

typedef struct dscq_energy_row {
    char name[DSCQ_NAME_MAX];
    double value, spread;
    char technology[DSCQ_NAME_MAX];
    char source[DSCQ_PATH_MAX];
} dscq_energy_row;

typedef enum dscq_energy_id {
#define X(name, unit) DSCQ_ENERGY_##name,
    DSCQ_ENERGY_LIST(X)
#undef X
        DSCQ_ENERGY_COUNT
} dscq_energy_id;

typedef struct dscq_energy {
    char name[DSCQ_NAME_MAX];
    dscq_energy_row row[DSCQ_ENERGY_COUNT];
} dscq_energy;

dscq_status dscq_energy_load(dscq_energy *out, const char *path, dscq_error *err);
/* data/energy/<m->energy>.cfg */
dscq_status dscq_energy_load_for(dscq_energy *out, const dscq_machine *m,
                                 dscq_error *err);
const char *dscq_energy_name(int id);
const char *dscq_energy_unit(int id);

#define DSCQ_BILL_LIST(X) /* field, meaning */                                         \
    X(multiply, "multipliers")                                                         \
    X(codebook, "weight decoding and codebooks")                                       \
    X(accumulate, "accumulators")                                                      \
    X(post, "requantisation and activation functions")                                 \
    X(registers, "queues and row registers")                                           \
    X(act_buffer, "activation buffer")                                                 \
    X(weight_buffer, "weight buffer")                                                  \
    X(dma, "DMA and interconnect")                                                     \
    X(clock, "clock tree")                                                             \
    X(pl_static, "static power of the logic x time")                                   \
    X(ps_static, "processor system x time")                                            \
    X(dram_background, "DRAM background")                                              \
    X(dram_actpre, "DRAM activate and precharge")                                      \
    X(dram_burst, "DRAM bursts")                                                       \
    X(dram_refresh, "DRAM refresh")

typedef enum dscq_bill_id {
#define X(name, text) DSCQ_BILL_##name,
    DSCQ_BILL_LIST(X)
#undef X
        DSCQ_BILL_COUNT
} dscq_bill_id;

typedef struct dscq_energy_bill {
    double pj[DSCQ_BILL_COUNT], low_pj[DSCQ_BILL_COUNT], high_pj[DSCQ_BILL_COUNT];
    double total_pj, low_pj_total, high_pj_total; /* low, high: all at their ends    */
    double dynamic_pj, static_pj, dram_pj;        /* add up to total_pj              */
    double chip_pj;                               /* total without DRAM              */
    double dram_termination_pj;                   /* stated apart, not in the total  */
    double seconds, watt;
    double gops_per_watt_dense, gops_per_watt_effective;
    int32_t deciding[3]; /* dscq_energy_id with the widest share of the interval     */
} dscq_energy_bill;

/* Price one run. `dram` is the controller's own energy (all zero: the simple memory,
 * priced by dram_byte and dram_static_mw). DSCQ_INTERNAL when the components do not
 * add up to the total. */
dscq_status dscq_energy_price(dscq_energy_bill *out, const dscq_energy *e,
                              const dscq_machine *m, const dscq_counters *c,
                              const dscq_dram_energy *dram, dscq_error *err);

/* "energy": component, energy_pj, low_pj, high_pj, share, meaning. "coefficients":
 * name, value, spread, unit, technology, source. Owned by the caller. */
dscq_status dscq_energy_table(dscq_table **out, const dscq_energy_bill *b,
                              dscq_error *err);
dscq_status dscq_energy_table_coefficients(dscq_table **out, const dscq_energy *e,
                                           dscq_error *err);

const char *dscq_bill_name(int id);
const char *dscq_bill_text(int id);

#ifdef __cplusplus
}
#endif
#endif
