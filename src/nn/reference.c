#include "dscq/nn/reference.h"

#include "dscq/base/alloc.h"
#include "nn_internal.h"

#include <math.h>
#include <string.h>

typedef struct ref_node {
    double *param[4]; /* by dscq_ref_param */
    double *y;
} ref_node;

struct dscq_reference {
    const dscq_model *m;
    int32_t n;
    ref_node *node;
    double *x;
};

static double *copy(const float *from, size_t count)
{
    double *to = dscq_calloc(count, sizeof *to);

    for (size_t i = 0; to != NULL && i < count; i++)
        to[i] = (double)from[i];
    return to;
}

static int copy_params(ref_node *to, const dscq_weights *w)
{
    const float *from[] = {w->w_used, w->bias, w->gamma, w->beta};

    for (int i = 0; i < 4; i++) {
        const size_t count = i == DSCQ_REF_WEIGHT ? w->count : (size_t)w->channels;
        if (from[i] != NULL && (to->param[i] = copy(from[i], count)) == NULL)
            return 0;
    }
    return 1;
}

dscq_status dscq_reference_create(dscq_reference **out, const dscq_model *m, int32_t n,
                                  dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);
    const dscq_shape in = dscq_model_input(m);
    dscq_reference *r = dscq_calloc(1, sizeof *r);
    int ok = r != NULL;

    *out = NULL;
    if (ok) {
        r->m = m;
        r->n = n;
        r->x = dscq_calloc(dscq_shape_count(&in) * (size_t)n, sizeof(double));
        r->node = dscq_calloc((size_t)nodes + 1, sizeof *r->node);
        ok = r->x != NULL && r->node != NULL;
    }
    for (int32_t i = 0; ok && i < nodes; i++) {
        const dscq_node *node = dscq_model_node(m, i);
        ok = copy_params(&r->node[i], node->weights);
        r->node[i].y =
            dscq_calloc(dscq_shape_count(&node->out) * (size_t)n, sizeof(double));
        ok = ok && r->node[i].y != NULL;
    }
    if (!ok) {
        dscq_reference_destroy(r);
        return dscq_fail_nomem(err, "a reference engine", 0);
    }
    *out = r;
    return DSCQ_OK;
}

void dscq_reference_destroy(dscq_reference *r)
{
    if (r == NULL)
        return;
    for (int32_t i = 0; r->node != NULL && i < dscq_model_nodes(r->m); i++) {
        for (int j = 0; j < 4; j++)
            dscq_free(r->node[i].param[j]);
        dscq_free(r->node[i].y);
    }
    dscq_free(r->node);
    dscq_free(r->x);
    dscq_free(r);
}

double *dscq_reference_input(dscq_reference *r)
{
    return r->x;
}

double *dscq_reference_param(dscq_reference *r, int32_t node, dscq_ref_param what,
                             size_t *count_out)
{
    const dscq_weights *w = dscq_model_node(r->m, node)->weights;

    if (count_out != NULL)
        *count_out = what == DSCQ_REF_WEIGHT ? w->count : (size_t)w->channels;
    return r->node[node].param[what];
}

const double *dscq_reference_output(const dscq_reference *r, int32_t node,
                                    size_t *count_out)
{
    if (count_out != NULL)
        *count_out = dscq_shape_count(&dscq_model_node(r->m, node)->out) * (size_t)r->n;
    return r->node[node].y;
}

/* One channel: rows of `channels` values, `count` of them. */
static void normalise(double *y, size_t count, size_t channels, double mean, double var,
                      double eps, double gamma, double beta)
{
    for (size_t i = 0; i < count; i++)
        y[i * channels] = gamma * (y[i * channels] - mean) / sqrt(var + eps) + beta;
}

static void normalise_channel(const dscq_reference *r, int32_t i, size_t c, size_t rows,
                              int training)
{
    const dscq_node *n = dscq_model_node(r->m, i);
    const size_t channels = (size_t)n->out.c;
    double *y = r->node[i].y + c;
    double mean = (double)n->weights->mean[c], var = (double)n->weights->var[c];

    if (training && !n->frozen) {
        mean = var = 0;
        for (size_t k = 0; k < rows; k++)
            mean += y[k * channels] / (double)rows;
        for (size_t k = 0; k < rows; k++)
            var += (y[k * channels] - mean) * (y[k * channels] - mean) / (double)rows;
    }
    normalise(y, rows, channels, mean, var, n->weights->bn_eps,
              r->node[i].param[DSCQ_REF_GAMMA][c], r->node[i].param[DSCQ_REF_BETA][c]);
}

static void forward_node(dscq_reference *r, int32_t i, int training)
{
    const dscq_node *n = dscq_model_node(r->m, i);
    const double *x[DSCQ_NODE_INPUTS];
    dscq_shape shape[DSCQ_NODE_INPUTS];
    const size_t count = dscq_shape_count(&n->out) * (size_t)r->n;
    const size_t channels = (size_t)n->out.c;
    const double *bias = r->node[i].param[DSCQ_REF_BIAS];

    for (int32_t j = 0; j < n->input_count; j++) {
        x[j] = n->input[j] == DSCQ_INPUT ? r->x : r->node[n->input[j]].y;
        shape[j] = nn__shape(r->m, n->input[j]);
    }
    n->ops->reference(r->node[i].y, n, x, shape, r->n,
                      r->node[i].param[DSCQ_REF_WEIGHT]);
    for (size_t c = 0; c < channels && n->normalised; c++)
        normalise_channel(r, i, c, count / channels, training);
    for (size_t k = 0; k < count; k++) {
        if (bias != NULL)
            r->node[i].y[k] += bias[k % channels];
        r->node[i].y[k] = dscq_act_value(n->act, n->act_slope, r->node[i].y[k]);
    }
}

void dscq_reference_forward(dscq_reference *r, int training)
{
    for (int32_t i = 0; i < dscq_model_nodes(r->m); i++)
        forward_node(r, i, training);
}
