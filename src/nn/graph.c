/* Outputs of a file's graph from the outputs of the network. */
#include "dscq/nn/graph.h"

#include <math.h>

static void softmax(float *v, size_t n)
{
    double most = (double)v[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        most = fmax(most, (double)v[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)v[i] - most);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(exp((double)v[i] - most) / sum);
}

void dscq_graph_collect(float *to, const dscq_graph_output *o, const dscq_model *m,
                        const float *const *y)
{
    size_t at = 0;

    for (int32_t p = 0; p < o->count; p++) {
        const dscq_shape s = dscq_model_node(m, dscq_model_output(m, o->part[p]))->out;
        const size_t map = (size_t)s.h * (size_t)s.w, c = (size_t)s.c;
        for (size_t pixel = 0; pixel < map; pixel++)
            for (size_t k = 0; k < c; k++)
                to[at + (o->rows ? pixel * c + k : k * map + pixel)] =
                    y[o->part[p]][pixel * c + k];
        at += map * c;
    }
    const size_t group = (size_t)o->softmax;
    for (size_t j = 0; group > 0 && j + group <= at; j += group)
        softmax(to + j, group);
}
