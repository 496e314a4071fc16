/* What a standard of memory is: rows of timing constraints. The rows stand in
 * standards/<id>.def, one file a standard (common_rows.def says how they read). */
#ifndef DRAM_STANDARD_H
#define DRAM_STANDARD_H

#include "dscq/dram/dram.h"

typedef enum dram_level {
    DRAM_BANK,
    DRAM_GROUP,
    DRAM_RANK,
    DRAM_OTHER, /* ranks but the command's own */
    DRAM_LEVELS
} dram_level;

typedef struct dram_row {
    dram_level level;
    unsigned preceding, following; /* sets of dscq_dram_op: bit 1 << op */
    int32_t latency;               /* cycles, with the values of a device */
    int32_t window;                /* after the window-th last one; 1: after the last */
    const char *text;              /* the latency as it is written in the row */
} dram_row;

enum { DRAM_ROWS_MAX = 64 };

/* The rows of c->standard with the timings of c; returns their number. */
int32_t dram__standard_rows(dram_row out[DRAM_ROWS_MAX], const dscq_dram_config *c);
/* 1 when a row of level `level` is among them; when a latency names the timing `key`.
 */
int dram__standard_has_level(const dscq_dram_config *c, dram_level level);
int dram__standard_has_timing(const dscq_dram_config *c, const char *key);

/* "|ddr3|ddr4...": in the order of dscq_dram_config.standard. */
extern const char dram__standard_choices[];

#endif
