/*
 * base/rng.h - randomness is an argument.
 *
 * There is no global generator and no call to rand() or time() anywhere under
 * src/. dscq_rng_fork() derives a stream from a name and an index, so adding a
 * dropout layer does not shift the numbers that every later layer draws, and a
 * run is the same for 1 thread or 16.
 * Source: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
 */
#ifndef DSCQ_BASE_RNG_H
#define DSCQ_BASE_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_rng {
    uint64_t state;
} dscq_rng;

dscq_rng dscq_rng_seeded(uint64_t seed);
dscq_rng dscq_rng_fork(const dscq_rng *parent, const char *name, uint64_t index);
uint64_t dscq_rng_next(dscq_rng *r);
float dscq_rng_unit(dscq_rng *r);                     /* uniform in [0, 1), 24 bits */
double dscq_rng_unit64(dscq_rng *r);                  /* uniform in [0, 1), 53 bits */
float dscq_rng_normal(dscq_rng *r);                   /* mean 0, deviation 1        */
uint64_t dscq_rng_below(dscq_rng *r, uint64_t bound); /* uniform in [0, bound)      */
float dscq_rng_between(dscq_rng *r, float lo, float hi);

/* Fisher-Yates over n indices. */
void dscq_rng_shuffle(dscq_rng *r, uint32_t *index, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
