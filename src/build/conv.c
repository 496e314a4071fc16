/* Rows of the builder with weights: convolutional, depthwise, connected; batchnorm
 * and activations that stand alone. */
#include "build_internal.h"
#include "dscq/base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const int16_t x = *(const int16_t *)a, y = *(const int16_t *)b;

    return (x > y) - (x < y);
}

/* Entry 0 is 0; then the entries that occur, ascending. */
static dscq_status copy_book(const build_ctx *b, const dscq_node *n, dscq_qweights *w,
                             const dscq_qweights *s)
{
    int16_t used[256];
    int32_t count = 0;
    uint8_t *seen = dscq_calloc(65536, 1);

    if (seen == NULL)
        return dscq_fail_nomem(b->err, "codebook", 65536);
    for (size_t i = 0; i < w->count; i++)
        seen[(uint16_t)w->value[i]] = 1;
    seen[0] = 0;
    for (int32_t i = 0; i < s->codebook_count && i < 256; i++)
        if (seen[(uint16_t)s->codebook[i]]) {
            used[count++] = s->codebook[i];
            seen[(uint16_t)s->codebook[i]] = 0;
        }
    const int missing = memchr(seen, 1, 65536) != NULL;
    dscq_free(seen);
    if (missing || count > 255 || s->codebook_count > 256)
        return dscq_fail(b->err, DSCQ_ARG,
                         "layer '%s': a weight is not in its codebook of %d entries",
                         n->name, s->codebook_count);
    qsort(used, (size_t)count, sizeof *used, by_value);
    w->codebook_count = count + 1;
    memcpy(w->codebook + 1, used, (size_t)count * sizeof *used);
    for (w->bits = 1; 1 << w->bits < w->codebook_count;)
        w->bits++;
    return DSCQ_OK;
}

static dscq_status copy_weights(const build_ctx *b, const dscq_node *n, dscq_qnode *q,
                                const dscq_wquant *given, const int32_t dim[4])
{
    dscq_status status;

    if (given == NULL || given->w.k != dim[0] || given->w.count != n->weights->count)
        return dscq_fail(b->err, DSCQ_ARG, "layer '%s': no integer weights of its own",
                         n->name);
    const dscq_qweights *s = &given->w;
    DSCQ_TRY(dscq_qweights_create(&q->weights, dim[0], dim[1], dim[2], dim[3], s->form,
                                  s->block, b->err));
    dscq_qweights *w = q->weights;
    memcpy(w->value, s->value, w->count * sizeof *w->value);
    w->bits = s->bits;
    w->encoding = s->encoding;
    if (s->form == DSCQ_FORM_CODEBOOK)
        DSCQ_TRY(copy_book(b, n, w, s));
    if (s->form == DSCQ_FORM_BINARY) {
        memcpy(w->level, s->level, (size_t)w->k * sizeof *w->level);
        memcpy(w->block_high, s->block_high, w->block_count);
    }
done:
    return status;
}

static int is_dead(const dscq_qweights *w, int32_t k)
{
    const size_t per = w->count / (size_t)w->k;

    for (size_t i = 0; i < per; i++)
        if (w->value[(size_t)k * per + i] != 0)
            return 0;
    return 1;
}

/* What comes of u, 1/256 of an output step: the end of the range it lies beyond (-1,
 * 1), else 0. */
static int beyond(const dscq_qnode *q, const dscq_qtensor *y, double u)
{
    const double steps =
        (q->is_leaky && u < 0 ? u * q->slope_q15 / 32768.0 : u) / 256.0;

    return steps > q->clamp_hi - y->zero_point + 1.0   ? 1
           : steps < q->clamp_lo - y->zero_point - 1.0 ? -1
                                                       : 0;
}

/* Whether channel k is at one end of the range whatever its input is. */
static int is_stuck(const build_ctx *b, const dscq_qnode *q, int32_t k, double factor,
                    double bias)
{
    const dscq_qtensor *x = &b->m->tensor[q->input[0]], *y = &b->m->tensor[q->output];
    const dscq_qweights *w = q->weights;
    const size_t per = w->count / (size_t)w->k;
    double sum = 0.0;

    for (size_t i = 0; i < per; i++)
        sum += fabs((double)w->value[(size_t)k * per + i]);
    sum *= (double)dscq_qtensor_reach(x) * fabs(factor);
    const int end = beyond(q, y, bias - sum);
    return end != 0 && end == beyond(q, y, bias + sum);
}

/* Batch norm (or bias) and all scales into m, r and bias. */
static dscq_status fold(build_ctx *b, const dscq_node *n, dscq_qnode *q,
                        const double *weight_scale, int32_t scale_count)
{
    const dscq_qtensor *x = &b->m->tensor[q->input[0]], *y = &b->m->tensor[q->output];
    const int32_t k_count = q->weights->k;
    float *factor = dscq_malloc((size_t)k_count, sizeof *factor);
    float *shift = dscq_malloc((size_t)k_count, sizeof *shift);
    dscq_status status = DSCQ_OK;

    if (factor == NULL || shift == NULL) {
        status = dscq_fail_nomem(b->err, "folding", (size_t)k_count * 8);
        goto done;
    }
    dscq_node_fold(n, factor, shift);
    DSCQ_TRY(dscq_qnode_reserve(q, k_count, b->err));
    for (int32_t k = 0; k < k_count; k++) {
        const double s_w = weight_scale[scale_count == 1 ? 0 : k];
        double bias = dscq_round_away(256.0 * (double)shift[k] / y->scale);
        const double f = 256.0 * s_w * x->scale * (double)factor[k] / y->scale;
        const int dead = is_dead(q->weights, k) || f == 0.0 ||
                         (fabs(bias) > DSCQ_QBIAS_MAX && is_stuck(b, q, k, f, bias));
        DSCQ_TRY(build__set_scale(b, n, q, k, dead ? 0.0 : f));
        if (dead) /* the output is a constant: beyond the range it is its end */
            bias = fmin(fmax(bias, DSCQ_QBIAS_MIN), DSCQ_QBIAS_MAX);
        /* 16-bit steps may be a little too fine for it; a shift that is many times the
         * whole range of an output is for nobody to mend. */
        if (!(fabs(bias) <= (y->bits > 8 ? 8.0 : 1.0) * -DSCQ_QBIAS_MIN)) {
            status = dscq_fail(b->err, DSCQ_ARG,
                               "layer '%s': shift %g of channel %d is too large for an "
                               "output step of %g; calibrate its range again",
                               n->name, (double)shift[k], k, y->scale);
            goto done;
        }
        if (build__fits(b, q, fabs(bias), -DSCQ_QBIAS_MIN))
            q->bias[k] = (int32_t)fmin(fmax(bias, DSCQ_QBIAS_MIN), DSCQ_QBIAS_MAX);
    }
done:
    dscq_free(factor);
    dscq_free(shift);
    return status;
}

static dscq_status conv_like(build_ctx *b, int32_t i, const dscq_node *n,
                             const int32_t dim[4], const dscq_window *window)
{
    const dscq_wquant *s = b->spec->weights[i];
    const int32_t x = build__input_of(b, n, 0);
    int32_t y;
    int lut;
    dscq_status status;

    DSCQ_TRY(build__open_act(b, i, n, &y, &lut));
    dscq_qnode *q = build__new_node(b, DSCQ_Q_CONV, n->name, "", &x, 1, y);
    if (window != NULL) {
        build__copy_window(q, window);
        q->dilation_h = window->dilation_h;
        q->dilation_w = window->dilation_w;
        q->groups = window->groups;
    }
    DSCQ_TRY(copy_weights(b, n, q, s, dim));
    if (!lut)
        (void)build__set_act(b, q, n->act, n->act_slope);
    DSCQ_TRY(fold(b, n, q, s->scale, s->scale_count));
    DSCQ_TRY(build__close_act(b, i, n, y, lut));
done:
    return status;
}

dscq_status build__conv(build_ctx *b, int32_t i, const dscq_node *n)
{
    const dscq_weights *w = n->weights;
    const int32_t dim[4] = {w->k, w->r, w->s, w->c};

    return conv_like(b, i, n, dim, &n->window);
}

/* The input's rows, columns and channels are the kernel. */
dscq_status build__connected(build_ctx *b, int32_t i, const dscq_node *n)
{
    const dscq_qtensor *x = &b->m->tensor[build__input_of(b, n, 0)];
    const int32_t dim[4] = {n->weights->k, x->h, x->w, x->c};

    if ((uint64_t)x->h * (uint64_t)x->w * (uint64_t)x->c * (uint64_t)dim[0] !=
        n->weights->count)
        return dscq_fail(b->err, DSCQ_INTERNAL,
                         "layer '%s': weights do not cover its "
                         "input",
                         n->name);
    return conv_like(b, i, n, dim, NULL);
}

/* A depthwise 1 x 1 convolution with weight 1. */
static dscq_status per_channel(build_ctx *b, int32_t i, const dscq_node *n)
{
    static const double one = 1.0;
    const int32_t x = build__input_of(b, n, 0);
    int32_t y;
    int lut;
    dscq_status status;

    DSCQ_TRY(build__open_act(b, i, n, &y, &lut));
    dscq_qnode *q = build__new_node(b, DSCQ_Q_CONV, n->name, "", &x, 1, y);
    q->groups = n->out.c;
    DSCQ_TRY(dscq_qweights_create(&q->weights, n->out.c, 1, 1, 1, DSCQ_FORM_LINEAR, 0,
                                  b->err));
    q->weights->bits = 2;
    for (size_t k = 0; k < q->weights->count; k++)
        q->weights->value[k] = 1;
    if (!lut)
        (void)build__set_act(b, q, n->act, n->act_slope);
    DSCQ_TRY(fold(b, n, q, &one, 1));
    DSCQ_TRY(build__close_act(b, i, n, y, lut));
done:
    return status;
}

dscq_status build__batchnorm(build_ctx *b, int32_t i, const dscq_node *n)
{
    return per_channel(b, i, n);
}

/* A table where the input's codes are few, else a clamp or a leaky step. */
dscq_status build__activation(build_ctx *b, int32_t i, const dscq_node *n)
{
    const int32_t x = build__input_of(b, n, 0);
    dscq_aquant store;
    const dscq_aquant *edge = build__edge_of(b, i, &store);
    const dscq_aquant same = build__edge_from(&b->m->tensor[x]);

    if (b->m->tensor[x].bits > 8) /* a table takes 8: in front of it they are rounded */
        return per_channel(b, i, n);
    if (edge == NULL && n->act == DSCQ_ACT_LINEAR) {
        b->tensor[i] = x;
        return DSCQ_OK;
    }
    /* The input is the table's input: the edge may be its own or the same again. */
    build_ctx with = *b;
    dscq_build_spec spec = *b->spec;
    dscq_aquant *edges = NULL;
    dscq_status status;
    if (edge == NULL) {
        edges = dscq_calloc((size_t)spec.node_count, sizeof *edges);
        if (edges == NULL)
            return dscq_fail_nomem(b->err, "builder", (size_t)spec.node_count * 24);
        edges[i] = same;
        spec.edge = edges;
        with.spec = &spec;
    }
    status = build__close_act(&with, i, n, x, 1);
    dscq_free(edges);
    return status;
}

/* A table over the input's codes. */
dscq_status build__point(build_ctx *b, int32_t i, const dscq_node *n)
{
    const int32_t x = build__input_of(b, n, 0);
    dscq_aquant store;

    if (b->m->tensor[x].bits > 8)
        return build__refuse(b, n, "its input has %d bits; a table takes 8",
                             b->m->tensor[x].bits);
    if (build__edge_of(b, i, &store) == NULL)
        return dscq_fail(b->err, DSCQ_ARG, "layer '%s': its output has no scale",
                         n->name);
    return build__close_act(b, i, n, x, 1);
}
