/* The best of what was seen: points of a model, rows of a score. */
#include "bo_internal.h"

#include <string.h>

size_t bo__keep_least(double score[BO_ELITE], size_t what[BO_ELITE], size_t n, double s,
                      size_t point)
{
    size_t at = n < BO_ELITE ? n : BO_ELITE;

    for (; at > 0 && score[at - 1] > s; at--)
        if (at < BO_ELITE) {
            score[at] = score[at - 1];
            what[at] = what[at - 1];
        }
    if (at < BO_ELITE) {
        score[at] = s;
        what[at] = point;
    }
    return n < BO_ELITE ? n + 1 : n;
}

void bo__consider(const dscq_bo *b, bo_chase *c, const double *x)
{
    double v;

    if (dscq_bo_seen(b, x))
        return;
    v = bo__acquisition(b, x, c->best, c->has_best);
    if (!c->found || v > c->value) {
        c->found = 1;
        c->value = v;
        memcpy(c->x, x, b->dims * sizeof *x);
    }
}
