#include "dscq/base/rng.h"

#include "dscq/base/hash.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The output function of SplitMix64 (Steele, Lea, Flood 2014, figure 17). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

dscq_rng dscq_rng_seeded(uint64_t seed)
{
    return (dscq_rng){seed};
}

dscq_rng dscq_rng_fork(const dscq_rng *parent, const char *name, uint64_t index)
{
    const uint64_t h = dscq_fnv64(0, name, strlen(name));

    return (dscq_rng){mix(mix(parent->state ^ mix(h)) + mix(index + 1))};
}

uint64_t dscq_rng_next(dscq_rng *r)
{
    r->state += 0x9e3779b97f4a7c15U;
    return mix(r->state);
}

float dscq_rng_unit(dscq_rng *r)
{
    return (float)(dscq_rng_next(r) >> 40) * 0x1p-24f;
}

double dscq_rng_unit64(dscq_rng *r)
{
    return (double)(dscq_rng_next(r) >> 11) * 0x1p-53;
}

float dscq_rng_normal(dscq_rng *r)
{
    /* Box-Muller; one of the pair only, so that the generator stays one word. */
    const double u = 1.0 - dscq_rng_unit64(r); /* (0, 1] */
    const double v = dscq_rng_unit64(r);

    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint64_t dscq_rng_below(dscq_rng *r, uint64_t bound)
{
    assert(bound > 0);
    const uint64_t reject = (0U - bound) % bound; /* 2^64 mod bound */
    uint64_t x;

    do
        x = dscq_rng_next(r);
    while (x < reject);
    return x % bound;
}

float dscq_rng_between(dscq_rng *r, float lo, float hi)
{
    return lo + (hi - lo) * dscq_rng_unit(r);
}

void dscq_rng_shuffle(dscq_rng *r, uint32_t *index, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t j = (uint32_t)dscq_rng_below(r, i);
        const uint32_t t = index[i - 1];
        index[i - 1] = index[j];
        index[j] = t;
    }
}
