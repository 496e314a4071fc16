/*
 * compress/ranges.h - activation scales that learn, from where calibration put them.
 *
 * Learned step size quantisation (Esser et al., ICLR 2020): the gradient of a scale is
 * sum g * d, d the rounding error in steps for a value inside the range, the distance
 * of the range's end from zero in steps for one outside (which is PACT's, Choi et al.
 * 2018), divided by sqrt(values of an image * largest code). Differences from the
 * source: zero points stay, so both ends of a signed range move together; momentum 0.9;
 * a step changes a scale by at most 1 %.
 */
#ifndef DSCQ_COMPRESS_RANGES_H
#define DSCQ_COMPRESS_RANGES_H

#include "dscq/base/status.h"
#include "dscq/compress/quantize.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_ranges dscq_ranges;

/* The model is borrowed. Outputs of the network, its input, edges of more than 8 bits,
 * and what is in front of the table of an output keep their ranges. */
dscq_status dscq_ranges_create(dscq_ranges **out, const dscq_model *m, dscq_error *err);
void dscq_ranges_destroy(dscq_ranges *r); /* NULL is fine */

/* After a backward pass of e, whose ranges learn (dscq_exec_learn_ranges): one update
 * of grid[dscq_grid_count()] (compress/calibrate.h), those in front of tables
 * included; nodes that keep their input's codes follow. */
void dscq_ranges_step(dscq_ranges *r, dscq_aquant *grid, const dscq_exec *e,
                      double rate);

/* The momenta, "ranges.velocity" in a checkpoint, in the order of the grids. */
dscq_status dscq_ranges_save(const dscq_ranges *r, dscq_checkpoint *to,
                             dscq_error *err);
dscq_status dscq_ranges_load(dscq_ranges *r, const dscq_checkpoint *from,
                             dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
