/*
 * detect_internal.h - how the numbers of a head are read, by decoding and losses alike.
 *
 * Ordinarily they are logits and log sizes. A head of `new_coords` (YOLOv4-CSP and
 * later) stands behind a logistic activation: they are probabilities, and a side is
 * (2 v)^2 times the anchor's.
 */
#ifndef NN_DETECT_INTERNAL_H
#define NN_DETECT_INTERNAL_H

#include "dscq/nn/detect.h"

#include <math.h>

static inline double nn__sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* Centre offset, objectness, class: in [0, 1]. */
static inline double nn__head_chance(const dscq_head *h, double v)
{
    return h->new_coords ? fmin(fmax(v, 0), 1) : nn__sigmoid(v);
}

/* A side as a multiple of the anchor's. */
static inline double nn__head_side(const dscq_head *h, double v)
{
    return h->new_coords ? 4 * v * v : exp(fmin(v, 30));
}

/* The number that a side of `times` the anchor's has. */
static inline double nn__head_side_number(const dscq_head *h, double times)
{
    return h->new_coords ? fmin(sqrt(times) / 2, 1) : log(times);
}

/* weight * (-t log p - (1-t) log(1-p)) of the chance p that v stands for; *grad gets
 * its slope by v. Chances that stand there themselves keep away from 0 and 1. */
static inline double nn__head_cross_entropy(float *grad, const dscq_head *h, double v,
                                            double t, double weight)
{
    const double edge = 1e-6;

    if (!h->new_coords) {
        *grad += (float)(weight * (nn__sigmoid(v) - t));
        return weight * (fmax(v, 0) - v * t + log1p(exp(-fabs(v))));
    }
    const double p = fmin(fmax(v, edge), 1 - edge);
    *grad += (float)(weight * (p - t) / (p * (1 - p)));
    return weight * (-t * log(p) - (1 - t) * log(1 - p));
}

#endif
