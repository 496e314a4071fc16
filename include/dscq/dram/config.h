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
#include "dscq/base/log.h"
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

#define DSCQ_DRAM_PAGES     "open|close"
#define DSCQ_DRAM_QUEUES    "per_rank|per_bank"
#define DSCQ_DRAM_ORDERS    "rank_then_bank|bank_then_rank"
#define DSCQ_DRAM_REFRESHES "all_bank|same_bank"

typedef enum dscq_dram_page { DSCQ_DRAM_OPEN, DSCQ_DRAM_CLOSE } dscq_dram_page;
typedef enum dscq_dram_queues {
    DSCQ_DRAM_PER_RANK,
    DSCQ_DRAM_PER_BANK
} dscq_dram_queues;
typedef enum dscq_dram_order {
    DSCQ_DRAM_RANK_FIRST,
    DSCQ_DRAM_BANK_FIRST
} dscq_dram_order;
typedef enum dscq_dram_refresh {
    DSCQ_DRAM_ALL_BANK,
    DSCQ_DRAM_SAME_BANK
} dscq_dram_refresh;

/* Named timings of a device: key, least, most, default (NULL: must be given), `as` (the
 * timing that 0 stands for; itself: none), meaning. All in cycles. */
#define DSCQ_DRAM_TIMING_LIST(X)                                                       \
    X(CL, 1, DSCQ_DRAM_COMMAND_MAX, NULL, CL, "read command to first data, cycles")    \
    X(CWL, 1, DSCQ_DRAM_COMMAND_MAX, NULL, CWL, "write command to first data, cycles") \
    X(tRCD, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tRCD,                                      \
      "activate to column command, cycles")                                            \
    X(tRCD_WR, 0, DSCQ_DRAM_COMMAND_MAX, "0", tRCD,                                    \
      "the same before a write (HBM2); 0: as tRCD")                                    \
    X(tRP, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tRP, "precharge to activate, cycles")       \
    X(tRAS, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tRAS, "activate to precharge, cycles")     \
    X(tRC, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tRC,                                        \
      "activate to activate of one bank, cycles")                                      \
    X(tRRD_S, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tRRD_S,                                  \
      "activate to activate, other bank group, cycles")                                \
    X(tRRD_L, 0, DSCQ_DRAM_COMMAND_MAX, "0", tRRD_S,                                   \
      "the same inside a bank group; 0: as tRRD_S")                                    \
    X(tFAW, 0, DSCQ_DRAM_COMMAND_MAX, NULL, tFAW,                                      \
      "window of four activates of a rank, cycles")                                    \
    X(tCCD_S, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tCCD_S,                                  \
      "column to column, other bank group, cycles")                                    \
    X(tCCD_L, 0, DSCQ_DRAM_COMMAND_MAX, "0", tCCD_S,                                   \
      "the same inside a bank group; 0: as tCCD_S")                                    \
    X(tCCD_L_WR, 0, DSCQ_DRAM_COMMAND_MAX, "0", tCCD_L,                                \
      "write to write inside a bank group (DDR5); 0: as tCCD_L")                       \
    X(tWTR_S, 0, DSCQ_DRAM_COMMAND_MAX, NULL, tWTR_S,                                  \
      "write data to read, other bank group, cycles")                                  \
    X(tWTR_L, 0, DSCQ_DRAM_COMMAND_MAX, "0", tWTR_S,                                   \
      "the same inside a bank group; 0: as tWTR_S")                                    \
    X(tWR, 0, DSCQ_DRAM_COMMAND_MAX, NULL, tWR, "write data to precharge, cycles")     \
    X(tRTP, 1, DSCQ_DRAM_COMMAND_MAX, NULL, tRTP, "read to precharge, cycles")         \
    X(tRTRS, 0, DSCQ_DRAM_COMMAND_MAX, "1", tRTRS,                                     \
      "bus hand-over between ranks, cycles")                                           \
    X(tRFC, 1, DSCQ_DRAM_REFRESH_MAX, NULL, tRFC, "refresh time of a rank, cycles")    \
    X(tREFI, 64, DSCQ_DRAM_REFRESH_MAX, NULL, tREFI,                                   \
      "average interval of refreshes of a rank, cycles")                               \
    X(tCKE, 1, DSCQ_DRAM_COMMAND_MAX, "4", tCKE, "shortest power-down, cycles")        \
    X(tXP, 1, DSCQ_DRAM_COMMAND_MAX, "4", tXP, "power-down exit to command, cycles")   \
    X(tPPD, 0, DSCQ_DRAM_COMMAND_MAX, "0", tPPD,                                       \
      "precharge to precharge of a rank (LPDDR4, DDR5), cycles")                       \
    X(tRFCsb, 0, DSCQ_DRAM_REFRESH_MAX, "0", tRFCsb,                                   \
      "refresh time of one bank in every group (DDR5), cycles")                        \
    X(tREFSBRD, 0, DSCQ_DRAM_COMMAND_MAX, "0", tREFSBRD,                               \
      "such a refresh to an activate of another bank, cycles")                         \
    X(tCMD, 1, 2, "1", tCMD, "activate or column command on the bus (DDR5: 2), cycles")

/* Plain values; copied with `=`, owns nothing. Fields are named as their keys. */
typedef struct dscq_dram_config {
    /* [device] */
    char part[DSCQ_NAME_MAX];
    int32_t standard; /* dscq_dram_standard_name(standard): whose constraints hold */
    double tck_ns;
    int32_t ranks, banks, bank_groups, rows, columns; /* banks: per rank, all groups */
    int32_t device_width_bits, devices_per_rank, burst_length;
#define X(key, least, most, dflt, as, help) int32_t key;
    DSCQ_DRAM_TIMING_LIST(X)
#undef X
    double VDD_V;
    double IDD0_mA, IDD2P_mA, IDD2N_mA, IDD3N_mA, IDD4R_mA, IDD4W_mA, IDD5_mA, IDD5C_mA;
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
    int32_t refresh; /* dscq_dram_refresh */
    /* [termination] */
    double read_pj_per_bit, write_pj_per_bit;
} dscq_dram_config;

/* Standards, for help texts and loops over the table. */
int dscq_dram_standard_count(void);
const char *dscq_dram_standard_name(int i);    /* "ddr4" */
const char *dscq_dram_standard_summary(int i); /* "DDR4 SDRAM, JESD79-4" */

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

/* What was chosen, as a trace (DSCQ_TRACE_DRAM). */
void dscq_dram_config_trace(const dscq_dram_config *c, const dscq_log *log);

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
