/* How an operator ends: activations fused into it, or taken up from behind it. */
#include "dscq/base/alloc.h"
#include "lower.h"

#include <math.h>

int tflite__activation(tfl_tail *out, const tfl_op *o)
{
    out->slope = 0;
    out->clips = 0;
    out->act = DSCQ_ACT_LINEAR;
    switch (o->code) {
    case TFL_RELU:
        out->act = DSCQ_ACT_RELU;
        return 1;
    case TFL_RELU6:
        out->act = DSCQ_ACT_RELU6;
        return 1;
    case TFL_TANH:
        out->act = DSCQ_ACT_TANH;
        return 1;
    case TFL_LOGISTIC:
        out->act = DSCQ_ACT_LOGISTIC;
        return 1;
    case TFL_HARD_SWISH:
        out->act = DSCQ_ACT_HARD_SWISH;
        return 1;
    case TFL_ELU:
        out->act = DSCQ_ACT_ELU;
        out->slope = 1;
        return 1;
    case TFL_LEAKY_RELU:
        out->act = DSCQ_ACT_LEAKY;
        out->slope = tflite__real(&o->options, 0, 0);
        return isfinite(out->slope) != 0;
    case TFL_RELU_N1_TO_1:
    case TFL_RELU_0_TO_1:
        out->clips = 1;
        out->clip_lo = o->code == TFL_RELU_N1_TO_1 ? -1 : 0;
        return 1;
    default:
        return 0;
    }
}

/* The activation behind a real value that nothing else reads. Codes are on a grid
 * first. */
static void take_up(tfl_tail *t, lower *l)
{
    const tfl_tensor *made = &l->f->tensor[t->tensor];
    const int32_t at = made->consumer;
    tfl_tail next;

    if (made->type != TFL_FLOAT32 || made->consumers != 1 || made->is_output ||
        at <= l->index || l->done[at] || l->f->op[at].out.count != 1 ||
        tflite__index(l->f->op[at].out, 0) < 0 ||
        !tflite__activation(&next, &l->f->op[at]))
        return;
    next.tensor = tflite__index(l->f->op[at].out, 0);
    *t = next;
    l->done[at] = 1;
}

dscq_status tflite__tail(tfl_tail *out, lower *l, const tfl_op *o, int64_t fused)
{
    static const int32_t k_fused[] = {0, TFL_RELU, TFL_RELU_N1_TO_1, TFL_RELU6,
                                      TFL_TANH};

    *out = (tfl_tail){.act = DSCQ_ACT_LINEAR, .tensor = tflite__index(o->out, 0)};
    if (fused < 0 || fused >= (int64_t)(sizeof k_fused / sizeof *k_fused))
        return tflite__fail(l, "its fused activation is not supported");
    if (out->tensor < 0)
        return tflite__fail(l, "it has no output");
    const tfl_op as = {.code = k_fused[fused]};
    if (fused != 0)
        (void)tflite__activation(out, &as);
    else
        take_up(out, l);
    return DSCQ_OK;
}

/* The grid of the tensor ends where the clip does. */
static int grid_clips(const lower *l, const tfl_tail *t)
{
    const tfl_tensor *made = &l->f->tensor[t->tensor];
    double scale;
    int32_t zero, lo, hi;

    return tflite__grid(made, &scale, &zero) &&
           tflite__code_range(made->type, &lo, &hi) &&
           (lo - zero) * scale >= t->clip_lo - scale &&
           (hi - zero) * scale <= 1 + scale;
}

static void fill(double *v, int32_t n, double x)
{
    for (int32_t i = 0; i < n; i++)
        v[i] = x;
}

/* Clip to lo..1 as a hard sigmoid (0..1 over -3..3) between two scales. */
static dscq_status add_clip(int32_t *node, lower *l, const tfl_op *o, double lo)
{
    const tfl_edge v = {.part = {*node}};
    const int32_t c = tflite__shape(l, &v).c;
    const double width = 1 - lo;
    const tfl_tail sigmoid = {.act = DSCQ_ACT_HARD_SIGMOID};
    double *scale = dscq_malloc((size_t)c, sizeof *scale);
    double *shift = dscq_malloc((size_t)c, sizeof *shift);
    dscq_status status;

    if (scale == NULL || shift == NULL) {
        status = dscq_fail_nomem(l->err, "constants", (size_t)c * 16);
        goto done;
    }
    fill(scale, c, 6 / width);
    fill(shift, c, -6 * lo / width - 3);
    DSCQ_TRY(tflite__affine(node, l, o, *node, scale, shift, &sigmoid));
    fill(scale, c, width);
    fill(shift, c, lo);
    if (lo != 0)
        DSCQ_TRY(tflite__affine(node, l, o, *node, scale, shift, NULL));
done:
    dscq_free(scale);
    dscq_free(shift);
    return status;
}

dscq_status tflite__finish(lower *l, const tfl_op *o, const tfl_tail *tail,
                           int32_t node, int32_t rank, const int64_t *dim)
{
    dscq_status status = DSCQ_OK;

    if (tail->clips && !grid_clips(l, tail))
        DSCQ_TRY(add_clip(&node, l, o, tail->clip_lo));
    DSCQ_TRY(tflite__set(l, o, tail->tensor, node, rank, dim));
done:
    return status;
}
