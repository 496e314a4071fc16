/* bench_util.h - interleaved timing of small pieces of work, on one thread. */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_FN __attribute__((unused)) static

typedef void bench_fn(void *ctx);

BENCH_FN double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* CPU time of this thread: what a busy neighbour does not spoil (much). */
BENCH_FN double bench_cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

BENCH_FN int bench_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

enum { BENCH_ROUNDS = 7, BENCH_WORKS = 4 };

/* Median CPU seconds of one call of each work (NULL: skipped), measured in rounds that
 * take the works in turn; a call is repeated to fill about `slice` seconds. */
BENCH_FN void bench_interleaved(bench_fn *const work[], size_t count, void *ctx,
                                double slice, double median[])
{
    double t[BENCH_WORKS][BENCH_ROUNDS];
    size_t repeat[BENCH_WORKS];

    for (size_t i = 0; i < count; i++) {
        double start = bench_cpu(), once;

        repeat[i] = 0;
        while (work[i] != NULL && bench_cpu() - start < slice) {
            work[i](ctx);
            repeat[i]++;
        }
        once = (bench_cpu() - start) / (double)(repeat[i] > 0 ? repeat[i] : 1);
        repeat[i] = (size_t)(slice / once) + 1;
    }
    for (int r = 0; r < BENCH_ROUNDS; r++)
        for (size_t i = 0; i < count; i++) {
            double start = bench_cpu();

            for (size_t k = 0; work[i] != NULL && k < repeat[i]; k++)
                work[i](ctx);
            t[i][r] = (bench_cpu() - start) / (double)repeat[i];
        }
    for (size_t i = 0; i < count; i++) {
        qsort(t[i], BENCH_ROUNDS, sizeof t[i][0], bench_order);
        median[i] = t[i][BENCH_ROUNDS / 2];
    }
}

#endif
