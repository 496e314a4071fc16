/* A random network on a random machine, and what the integer reference says of it. */
#ifndef DSCQ_TEST_SIM_WORLD_H
#define DSCQ_TEST_SIM_WORLD_H

#include "dscq/hw/machine.h"
#include "qmodel_random.h"

typedef struct world {
    dscq_qmodel *q;
    dscq_machine m;
    void **input;
    void **want; /* [node] codes of its output */
} world;

/* Everything follows from the seed; w is released by world_end(). */
void world_make(world *w, uint64_t seed, const qmodel_random_opts *o);
void world_end(world *w);

/* The parts: a machine; inputs and the reference's answer for w->q. */
void world_machine(dscq_machine *m, dscq_rng *r);
void world_answer(world *w, dscq_rng *r);

#endif
