/*
 * hw/engine.h - the kinds of machine: a row each, its code in a folder of its own.
 *
 * A new one is a line of DSCQ_ENGINE_LIST (hw/machine.h), its row and its code in a
 * folder under src/hw, and lower__<name>() under src/lower. Nothing else asks which
 * engine a machine has.
 */
#ifndef DSCQ_HW_ENGINE_H
#define DSCQ_HW_ENGINE_H

#include "dscq/base/status.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/sim.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_engine {
    /* Keys that not every engine reads, this one's ("fifo_rows", "schedule.fuse"), up
     * to NULL; and why a key that only others read moves nothing here. */
    const char *const *keys;
    const char *no_key;
    /* Keys that contradict each other: DSCQ_FORMAT; NULL: none can. */
    dscq_status (*check)(const dscq_machine *m, dscq_error *err);

    /* What only this engine has of a program (dscq_program.own); none: both NULL. */
    dscq_status (*check_own)(const dscq_program *p, dscq_error *err);
    void (*destroy_own)(void *own);
    int rings_span_frames; /* a ring may hold more rows than a frame has */

    /* Run a checked program; *s is empty. */
    dscq_status (*run)(dscq_sim *s, const dscq_program *p, const dscq_machine *m,
                       const void *const *inputs, const dscq_sim_options *o,
                       dscq_error *err);
    dscq_sim_bound (*bound)(const dscq_program *p, const dscq_machine *m);
    /* The same program on a machine with other times; NULL: nothing to do. */
    dscq_status (*retime)(dscq_program *p, const dscq_machine *m, dscq_error *err);

    /* What it takes of a board, part by part: 0 when there is no part i. Sized by its
     * network: known with the program only, else p is not used. */
    int sized_by_network;
    int (*part)(dscq_resource_row *out, const dscq_program *p, const dscq_machine *m,
                int32_t i);

    /* Rows of a trace; the track of an event is its stage, or else its unit. */
    int32_t (*tracks)(const dscq_program *p);
    const char *(*track_name)(const dscq_program *p, int32_t track);
} dscq_engine;

const dscq_engine *dscq_engine_of(const dscq_machine *m);
const dscq_engine *dscq_engine_at(int32_t i); /* i < DSCQ_ENGINE_COUNT */

#ifdef __cplusplus
}
#endif
#endif
