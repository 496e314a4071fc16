/*
 * hw/board.h - what an FPGA board offers: a file under data/boards/, section [board].
 *
 * Device counts are those of the vendors' product tables; the source line of each
 * file says where its numbers come from. Memory is named by a file under data/dram/.
 */
#ifndef DSCQ_HW_BOARD_H
#define DSCQ_HW_BOARD_H

#include "dscq/base/config.h"
#include "dscq/base/keys.h"
#include "dscq/base/status.h"
#include "dscq/hw/machine.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Plain values; copied with `=`, owns nothing. Fields are named as their keys. */
typedef struct dscq_board {
    char name[DSCQ_NAME_MAX], device[DSCQ_NAME_MAX];
    char source[DSCQ_PATH_MAX]; /* where the numbers come from */
    /* resources of the whole device */
    int64_t dsp, bram36, uram, lut, ff;
    int32_t bram_kbit;         /* size of one block RAM */
    int32_t dsp_int8_products; /* independent 8-bit products of one block */
    double clock_mhz;          /* highest that published designs of this kind report */
    /* what a design should leave free: used / available at most */
    double logic_fill_frac, block_fill_frac;
    /* memory */
    char dram[DSCQ_NAME_MAX]; /* file name under data/dram, without .cfg */
    int32_t dram_channels;
    int64_t dram_bytes;           /* of one channel */
    double dram_peak_bytes_per_s; /* of all channels, as the table states it */
    double dram_measured_frac;    /* measured share of the peak; 0: not known */
    /* ports between logic and memory; 0: the memory hangs on the logic itself */
    int32_t ports, port_bits;
    double port_mhz, port_bytes_per_s; /* each way; the stated limit of one port */
} dscq_board;

const dscq_key *dscq_board_keys(void);

/* Bind [board] and check; DSCQ_FORMAT naming the key. */
dscq_status dscq_board_bind(dscq_board *out, dscq_config *c, dscq_error *err);
/* A whole file; other sections are refused. */
dscq_status dscq_board_load(dscq_board *out, const char *path, dscq_error *err);

dscq_resources dscq_board_resources(const dscq_board *b);

/* Does `need` at `clock_mhz` fit? DSCQ_ARG naming every resource that does not, and
 * by how much: "ZCU104 (XCZU7EV): dsp 1900 of 1728 (172 too many), ...". The fill
 * fractions are advice and not tested here. */
dscq_status dscq_board_fits(const dscq_board *b, const dscq_resources *need,
                            double clock_mhz, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
