/* One-dimensional k-means; the sorted weights make each round a few searches. */
#include "dscq/base/alloc.h"
#include "dscq/compress/levels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* First index with v[i] > x; v ascends. */
static size_t above(const float *v, size_t n, double x)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if ((double)v[mid] > x)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* Means of the weights nearest to each centroid; counts in number. True if one moved.
 */
static int lloyd(double *c, size_t *number, int32_t k, const float *v, size_t n,
                 const double *prefix)
{
    size_t lo = 0;
    int moved = 0;

    for (int32_t i = 0; i < k; i++) {
        /* before c[i + 1] moves: its old place decides the boundary */
        const size_t hi = i + 1 < k ? above(v, n, 0.5 * (c[i] + c[i + 1])) : n;
        const size_t end = hi > lo ? hi : lo;

        number[i] = end - lo;
        if (end > lo) {
            const double mean = (prefix[end] - prefix[lo]) / (double)(end - lo);
            moved |= mean != c[i];
            c[i] = mean;
        }
        lo = end;
    }
    return moved;
}

int32_t dscq_kmeans(double *level, int32_t k, const float *w, const uint8_t *mask,
                    size_t n, int32_t rounds)
{
    double c[DSCQ_CODEBOOK_MAX];
    size_t number[DSCQ_CODEBOOK_MAX] = {0}, kept = 0;
    float *v = dscq_malloc(n, sizeof *v);
    double *prefix = dscq_malloc(n + 1, sizeof *prefix);
    int32_t count = 0;

    assert(k >= 1 && k < DSCQ_CODEBOOK_MAX);
    if (v == NULL || prefix == NULL) {
        count = -1;
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        if ((mask == NULL || mask[i]) && w[i] == w[i])
            v[kept++] = w[i];
    if (kept == 0)
        goto done;
    qsort(v, kept, sizeof *v, ascending);
    prefix[0] = 0.0;
    for (size_t i = 0; i < kept; i++)
        prefix[i + 1] = prefix[i] + (double)v[i];
    for (int32_t i = 0; i < k; i++) {
        const double f = k > 1 ? (double)i / (double)(k - 1) : 0.5;
        c[i] = (double)v[0] + f * ((double)v[kept - 1] - (double)v[0]);
    }
    for (int32_t i = 0; i < rounds && lloyd(c, number, k, v, kept, prefix); i++)
        ;
    for (int32_t i = 0; i < k; i++)
        if (number[i] > 0 && (count == 0 || c[i] > level[count - 1]))
            level[count++] = c[i];
done:
    dscq_free(v);
    dscq_free(prefix);
    return count;
}
