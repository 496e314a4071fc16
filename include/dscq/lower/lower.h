/*
 * lower/lower.h - from a packed network to a program of the machine.
 *
 * Chooses, within what [schedule] allows: array shape per layer, tiles, loop order,
 * data flow, which layers are fused, what stays on chip, how weights are streamed;
 * then emits commands and derives every token from the buffer addresses that each
 * command touches, so double buffering is a result, not a special case.
 */
#ifndef DSCQ_LOWER_LOWER_H
#define DSCQ_LOWER_LOWER_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/program.h"
#include "dscq/qnet/qmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_lower_options {
    int32_t frames;      /* 0 = 1 */
    const dscq_log *log; /* DSCQ_TRACE_LOWER: the schedule; NULL: nobody hears it */
} dscq_lower_options;

/* Can every node be mapped? DSCQ_UNSUPPORTED naming the node and the reason; the
 * same test that dscq_lower() makes before anything else. */
dscq_status dscq_lower_check(const dscq_qmodel *q, const dscq_machine *m,
                             dscq_error *err);

/* *program_out is owned by the caller. *schedule_out (may be NULL) gets the
 * --explain-schedule table: a row per layer with stage, shape, tiles, order, data
 * flow, what is on chip, stream encoding and bytes, estimated cycles and traffic.
 * Tensor i of the program is tensor i of the model; layer i is node i.
 *
 * DSCQ_UNSUPPORTED  a node the machine cannot run
 * DSCQ_ARG          a layer needs more buffer than there is, even in its smallest
 *                   tiles: by how much, and which key to raise */
dscq_status dscq_lower(dscq_program **program_out, dscq_table **schedule_out,
                       const dscq_qmodel *q, const dscq_machine *m,
                       const dscq_lower_options *options, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
