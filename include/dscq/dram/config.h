/*
 * dram/config.h - a DRAM device and its controller as typed keys.
 *
 * A file under data/dram/ has three sections: [device] (geometry, timing in DRAM
 * clock cycles, currents in mA: facts of a data sheet), [controller] (policy,
 * address map, queues) and, optionally, [termination]. One controller drives one
 * channel; several channels are several controllers.
 *
 * Timing names are JEDEC's (JESD79-3, -4, JESD209-4). Additive latency is 0.
 */
#ifndef DSCQ_DRAM_CONFIG_H
#define DSCQ_DRAM_CONFIG_H

#include "dscq/base/config.h"
#include "dscq/base/keys.h"
#include "dscq/base/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DSCQ_DRAM_RANKS_MAX = 8,
    DSCQ_DRAM_BANKS_MAX = 32,       /* per rank                              */
    DSCQ_DRAM_QUEUE_MAX = 1024,     /* entries of any one queue              */
    DSCQ_DRAM_COMMAND_MAX = 4096,   /* cycles between commands               */
    DSCQ_DRAM_REFRESH_MAX = 1 << 20 /* cycles of refreshes: tRFC, tREFI      */
};

#define DSCQ_DRAM_STANDARDS "ddr3|ddr4|lpddr4"
#define DSCQ_DRAM_PAGES     "open|close"
#define DSCQ_DRAM_QUEUES    "per_rank|per_bank"
#define DSCQ_DRAM_ORDERS    "rank_then_bank|bank_then_rank"

typedef enum dscq_dram_page { DSCQ_DRAM_OPEN, DSCQ_DRAM_CLOSE } dscq_dram_page;
typedef enum dscq_dram_queues {
    DSCQ_DRAM_PER_RANK,
    DSCQ_DRAM_PER_BANK
} dscq_dram_queues;
typedef enum dscq_dram_order {
    DSCQ_DRAM_RANK_FIRST,
    DSCQ_DRAM_BANK_FIRST
} dscq_dram_order;

/* Plain values; copied with `=`, owns nothing. Fields are named as their keys. */
typedef struct dscq_dram_config {
    /* [device] */
    char part[DSCQ_NAME_MAX];
    int32_t standard; /* index into DSCQ_DRAM_STANDARDS */
    double tck_ns;
    int32_t ranks, banks, bank_groups, rows, columns; /* banks: per rank, all groups */
    int32_t device_width_bits, devices_per_rank, burst_length;
    int32_t CL, CWL, tRCD, tRP, tRAS, tRC;
    int32_t tRRD_S, tRRD_L, tFAW, tCCD_S, tCCD_L, tWTR_S, tWTR_L; /* _L 0: as _S */
    int32_t tWR, tRTP, tRTRS, tRFC, tREFI, tCKE, tXP, tPPD;
    double VDD_V;
    double IDD0_mA, IDD2P_mA, IDD2N_mA, IDD3N_mA, IDD4R_mA, IDD4W_mA, IDD5_mA;
    /* [controller] */
    char policy[DSCQ_NAME_MAX];
    char address_map[DSCQ_NAME_MAX]; /* fields, most significant first */
    int32_t page;                    /* dscq_dram_page   */
    int32_t queues;                  /* dscq_dram_queues */
    int32_t order;                   /* dscq_dram_order  */
    int32_t transaction_queue, command_queue, row_cap;
    int32_t unified_queue, low_power;
    /* frfcfs only */
    int32_t read_queue, write_queue, write_high, write_low;
    int32_t hit_cap, max_age_cycles, close_cycles, refresh_postpone;
    /* [termination] */
    double read_pj_per_bit, write_pj_per_bit;
} dscq_dram_config;

/* Key rows of the three sections, all binding into dscq_dram_config. */
const dscq_key *dscq_dram_device_keys(void);
const dscq_key *dscq_dram_controller_keys(void);
const dscq_key *dscq_dram_termination_keys(void);

/* Bind the sections [device], [controller] and [termination] of `c`, then
 * dscq_dram_config_check(). Other sections are left for their owners. */
dscq_status dscq_dram_config_bind(dscq_dram_config *out, dscq_config *c,
                                  dscq_error *err);

/* A whole file: load, bind, and refuse sections that are none of the three. */
dscq_status dscq_dram_config_load(dscq_dram_config *out, const char *path,
                                  dscq_error *err);

/* Values that contradict each other: sizes that are not powers of two, an
 * address map with a missing field, tRC below tRAS, refreshes so often that no access
 * of a closed row fits between two, an unknown policy ...
 * DSCQ_FORMAT naming the key. */
dscq_status dscq_dram_config_check(const dscq_dram_config *c, dscq_error *err);

/* Derived figures. */
int32_t dscq_dram_bus_bits(const dscq_dram_config *c); /* 64 */
int32_t
dscq_dram_burst_bytes(const dscq_dram_config *c); /* bytes of one column command */
int32_t dscq_dram_burst_cycles(const dscq_dram_config *c); /* data bus cycles of it */
uint64_t dscq_dram_capacity_bytes(const dscq_dram_config *c);
double dscq_dram_peak_bytes_per_ns(const dscq_dram_config *c);

/* Where a burst lives. Banks are numbered group by group: flat bank =
 * group * (banks / bank_groups) + bank in the group. */
typedef struct dscq_dram_place {
    int32_t rank, group, bank;
    uint32_t row, column; /* column in bursts, not in device columns */
} dscq_dram_place;

/* Field positions of an address; made by dscq_dram_map_init() from a config that
 * passed the check. */
typedef struct dscq_dram_map {
    uint32_t burst_shift;
    uint32_t shift[5], bits[5]; /* row, rank, bank in the group, group, column */
    uint64_t capacity_bytes;
} dscq_dram_map;

void dscq_dram_map_init(dscq_dram_map *out, const dscq_dram_config *c);
/* address < capacity; the bits below a burst are dropped. */
dscq_dram_place dscq_dram_map_place(const dscq_dram_map *m, uint64_t address);
/* Byte address of a place: the inverse. */
uint64_t dscq_dram_map_address(const dscq_dram_map *m, dscq_dram_place at);

#ifdef __cplusplus
}
#endif
#endif
