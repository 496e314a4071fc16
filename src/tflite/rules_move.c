/* Rules for padding, resizing, codes and what only renames. */
#include "lower.h"

#include <string.h>

/* ---- names of dimensions ------------------------------------------------ */

/* The dimensions that the file declares for output 0, one of them open at most. */
static int declared(int64_t *dim, int32_t *rank, const lower *l, const tfl_op *o,
                    int64_t all)
{
    const tfl_tensor *t = tflite__tensor(l->f, o->out, 0);
    int64_t known = 1;
    int32_t open = -1;

    *rank = t->rank;
    for (int32_t i = 0; i < t->rank; i++) {
        dim[i] = t->dim[i];
        if (dim[i] < 1 && open >= 0 && open != 0)
            return 0;
        if (dim[i] < 1 && open == 0)
            dim[0] = 1; /* the batch */
        if (dim[i] < 1)
            open = i;
        else if (known > all)
            return 0;
        else
            known *= dim[i];
    }
    if (open >= 0 && known > 0 && all % known == 0)
        dim[open] = all / known;
    if (t->rank > 0 && open < 0 && known > all && dim[0] > 1 && known / dim[0] == all)
        dim[0] = 1; /* of several images */
    int64_t n = 1;
    for (int32_t i = 0; i < t->rank; i++)
        n = dim[i] >= 1 && n <= all ? n * dim[i] : 0;
    return t->rank > 0 && n == all;
}

dscq_status tflite__rule_reshape(lower *l, const tfl_op *o)
{
    const tfl_edge *x = tflite__edge(l, o, 0);
    tfl_edge v;
    dscq_status status;

    if (x != NULL && x->kind == TFL_PARTS) {
        v = *x; /* the rows stay rows */
        if (x->softmax > 0)
            return tflite__fail(l, "a softmax of rows that is read");
    } else {
        DSCQ_TRY(tflite__run(&v, l, o, 0));
    }
    if (!declared(v.dim, &v.rank, l, o, tflite__count(&v)))
        return tflite__fail(l, "its output's shape does not hold its input");
    DSCQ_TRY(tflite__same(l, o, &v));
done:
    return status;
}

dscq_status tflite__rule_transpose(lower *l, const tfl_op *o)
{
    int64_t perm[DSCQ_GRAPH_RANK], last = -1;
    tfl_edge x, v;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (tflite__ints(l, o, 1, perm, DSCQ_GRAPH_RANK) != x.rank)
        return tflite__fail(l, "its order is not constant");
    v = x;
    for (int32_t i = 0; i < x.rank; i++) {
        if (perm[i] < 0 || perm[i] >= x.rank)
            return tflite__fail(l, "an order out of range");
        v.dim[i] = x.dim[perm[i]];
        if (v.dim[i] > 1 && perm[i] < last)
            return tflite__fail(l, "a transposition that moves numbers");
        last = v.dim[i] > 1 ? perm[i] : last;
    }
    DSCQ_TRY(tflite__same(l, o, &v));
done:
    return status;
}

/* ---- codes -------------------------------------------------------------- */

dscq_status tflite__rule_quantize(lower *l, const tfl_op *o)
{
    const tfl_tensor *t = tflite__tensor(l->f, o->out, 0);
    double scale;
    int32_t zero;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (!tflite__grid(t, &scale, &zero))
        return tflite__fail(l, "its output has no grid of one scale and zero point");
    DSCQ_TRY(tflite__same(l, o, &x));
done:
    return status;
}

dscq_status tflite__rule_dequantize(lower *l, const tfl_op *o)
{
    const tfl_edge *x = tflite__edge(l, o, 0);

    return x != NULL ? tflite__same(l, o, x)
                     : tflite__fail(l, "its input is not computed");
}

dscq_status tflite__rule_cast(lower *l, const tfl_op *o)
{
    const tfl_tensor *t = tflite__tensor(l->f, o->out, 0);

    if (t->type != TFL_FLOAT32 && t->type != TFL_FLOAT16)
        return tflite__fail(l, "a computed map becomes whole numbers");
    return tflite__rule_dequantize(l, o);
}

/* ---- padding ------------------------------------------------------------ */

/* Is what is filled in the real value 0? */
static int fills_zero(const lower *l, const tfl_op *o)
{
    const tfl_tensor *t = tflite__const(l, o, 2);
    int32_t lo, hi;

    if (o->code == TFL_PAD)
        return 1;
    if (t == NULL || tflite__elements(t) != 1)
        return 0;
    return tflite__code_range(t->type, &lo, &hi)
               ? tflite__value(t, 0) == tflite__zero(t, 0)
               : tflite__value(t, 0) == 0;
}

/* Zero channels in front and behind: a convolution of one position. */
static dscq_status pad_channels(tfl_edge *x, lower *l, const tfl_op *o, int64_t before,
                                int64_t after)
{
    const int32_t c = tflite__shape(l, x).c;
    const int64_t all = before + c + after;
    const dscq_window one = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1};
    const dscq_conv_params p = dscq_conv_params_make((int32_t)all, &one);
    dscq_status status;

    if (all > 65536 || x->dim[x->rank - 1] != c)
        return tflite__fail(l, "padding beyond rows, columns and channels of a map");
    DSCQ_TRY(tflite__take_room(l, (uint64_t)all * (uint64_t)c));
    DSCQ_TRY(tflite__add(&x->part[0], l, o, "convolutional", &p, x->part, 1, NULL, 0));
    const dscq_weights *w = dscq_model_node(l->m, x->part[0])->weights;
    memset(w->w, 0, w->count * sizeof *w->w);
    for (int64_t i = 0; i < c; i++)
        w->w[(before + i) * c + i] = 1.0F;
    x->dim[x->rank - 1] = all;
done:
    return status;
}

dscq_status tflite__rule_pad(lower *l, const tfl_op *o)
{
    const tfl_edge *in = tflite__edge(l, o, 0);
    int64_t pad[2 * DSCQ_GRAPH_RANK];
    tfl_edge x;
    dscq_status status;

    if (in == NULL || in->kind != TFL_RUN || in->softmax > 0)
        return tflite__fail(l, "its input is not one computed map");
    if (tflite__ints(l, o, 1, pad, 2 * DSCQ_GRAPH_RANK) != 2 * in->rank || in->rank < 2)
        return tflite__fail(l, "its amounts are not constant");
    if (!fills_zero(l, o))
        return tflite__fail(l, "it fills in something other than 0");
    for (int32_t i = 0; i < 2 * in->rank; i++)
        if (pad[i] < 0 || pad[i] > 4096 || (i < 2 && pad[i] != 0) ||
            (in->rank != 4 && i < 2 * in->rank - 2 && pad[i] != 0))
            return tflite__fail(l, "amounts below 0 or above 4096, or around no map");
    const int64_t *channels = &pad[2 * in->rank - 2];
    if (channels[0] == 0 && channels[1] == 0) {
        x = *in;
    } else {
        DSCQ_TRY(tflite__run(&x, l, o, 0));
        DSCQ_TRY(pad_channels(&x, l, o, channels[0], channels[1]));
    }
    for (int i = 0; in->rank == 4 && i < 4; i++) {
        const int64_t more =
            pad[2 + (i % 2) * 2 + i / 2]; /* top, left, bottom, right */
        x.pad[i] += (int32_t)more;
        x.dim[1 + i % 2] += more;
    }
    if (x.pad[0] > 4096 || x.pad[1] > 4096 || x.pad[2] > 4096 || x.pad[3] > 4096)
        return tflite__fail(l, "amounts above 4096");
    DSCQ_TRY(tflite__same(l, o, &x));
done:
    return status;
}

/* ---- resizing ----------------------------------------------------------- */

static dscq_status enlarge(lower *l, const tfl_op *o, tfl_edge *x, int64_t factor)
{
    const dscq_scale_factor_params p = {.stride = (int32_t)factor};
    dscq_status status = DSCQ_OK;

    x->dim[1] *= factor;
    x->dim[2] *= factor;
    if (factor > 1)
        DSCQ_TRY(tflite__add(&x->part[0], l, o, "upsample", &p, x->part, 1, NULL, 0));
    DSCQ_TRY(tflite__same(l, o, x));
done:
    return status;
}

static dscq_status resize(lower *l, const tfl_op *o, int nearest)
{
    const int aligned = tflite__int(&o->options, nearest ? 0 : 2, 1, 0) != 0;
    int64_t size[2];
    int turned;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (x.rank != 4 || !tflite__is_map(l, &x, &turned) ||
        tflite__ints(l, o, 1, size, 2) != 2)
        return tflite__fail(l, "its input is not a map, or its size is not constant");
    const int64_t f = size[0] / x.dim[1];
    const int whole = f >= 1 && f <= 64 && size[0] == f * x.dim[1] &&
                      size[1] == f * x.dim[2],
              one = x.dim[1] == 1 && x.dim[2] == 1;
    if (!whole || (nearest ? aligned && f > 1 && !one : f > 1 && !one))
        return tflite__fail(l, nearest ? "only by the same whole factor in rows and "
                                         "columns, corners not aligned"
                                       : "no layer interpolates");
    DSCQ_TRY(enlarge(l, o, &x, f));
done:
    return status;
}

dscq_status tflite__rule_resize_nearest(lower *l, const tfl_op *o)
{
    return resize(l, o, 1);
}

dscq_status tflite__rule_resize_bilinear(lower *l, const tfl_op *o)
{
    return resize(l, o, 0);
}

dscq_status tflite__rule_space_to_depth(lower *l, const tfl_op *o)
{
    const int64_t f = tflite__int(&o->options, 0, 4, 0);
    const dscq_scale_factor_params p = {.stride = (int32_t)f};
    int turned;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    if (x.rank != 4 || !tflite__is_map(l, &x, &turned) || turned || f < 1 || f > 64)
        return tflite__fail(l, "its input is not a map, or the block above 64");
    DSCQ_TRY(tflite__add(&x.part[0], l, o, "reorg", &p, x.part, 1, NULL, 0));
    const dscq_shape s = tflite__shape(l, &x);
    const int64_t dim[] = {1, s.h, s.w, s.c};
    DSCQ_TRY(tflite__set(l, o, tflite__index(o->out, 0), x.part[0], 4, dim));
done:
    return status;
}
