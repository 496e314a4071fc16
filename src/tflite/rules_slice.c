/* Rules for parts of a map: channels as a route, rows and columns as a window that lets
 * one position through. */
#include "lower.h"

/* Output `at` is `count` channels of x from `first` on. */
static dscq_status take_channels(lower *l, const tfl_op *o, uint32_t at,
                                 const tfl_edge *x, int64_t first, int64_t count)
{
    const int32_t tensor = tflite__index(o->out, at);
    const tfl_op as = {.out = {o->out.at + 4 * (size_t)at, 1}};
    const dscq_route_params p = {
        .groups = 1, .first_channel = (int32_t)first, .channels = (int32_t)count};
    tfl_edge v = *x;
    int32_t node;
    dscq_status status;

    if (tensor < 0 ||
        l->f->tensor[tensor].consumers + l->f->tensor[tensor].is_output == 0)
        return DSCQ_OK; /* nobody wants it */
    v.dim[v.rank - 1] = count;
    if (count < 1 || first < 0 || first + count > tflite__shape(l, x).c)
        return tflite__fail(l, "parts that are larger than the whole");
    if (count == tflite__shape(l, x).c)
        return tflite__set(l, &as, tensor, v.part[0], v.rank, v.dim);
    DSCQ_TRY(tflite__add(&node, l, &as, "route", &p, v.part, 1, NULL, 0));
    DSCQ_TRY(tflite__set(l, &as, tensor, node, v.rank, v.dim));
done:
    return status;
}

static dscq_status split(lower *l, const tfl_op *o, const tfl_edge *x, int64_t axis,
                         const int64_t *size)
{
    int64_t first = 0;
    dscq_status status = DSCQ_OK;

    if (!tflite__axis(&axis, x->rank) || axis != x->rank - 1 ||
        x->dim[axis] != tflite__shape(l, x).c)
        return tflite__fail(l, "a split that is not along channels");
    for (uint32_t i = 0; i < o->out.count; i++) {
        const int64_t n = size != NULL ? size[i] : x->dim[axis] / o->out.count;
        DSCQ_TRY(take_channels(l, o, i, x, first, n));
        first += n;
    }
    if (first != x->dim[axis])
        return tflite__fail(l, "parts that are not the whole");
done:
    return status;
}

dscq_status tflite__rule_split(lower *l, const tfl_op *o)
{
    int64_t axis;
    tfl_edge x;
    dscq_status status;

    if (tflite__ints(l, o, 0, &axis, 1) != 1)
        return tflite__fail(l, "its axis is not constant");
    DSCQ_TRY(tflite__run(&x, l, o, 1));
    DSCQ_TRY(split(l, o, &x, axis, NULL));
done:
    return status;
}

dscq_status tflite__rule_split_v(lower *l, const tfl_op *o)
{
    int64_t axis, size[256], sum = 0, open = -1;
    tfl_edge x;
    dscq_status status;

    const int32_t n = tflite__ints(l, o, 1, size, 256);
    if (tflite__ints(l, o, 2, &axis, 1) != 1 || n != (int32_t)o->out.count)
        return tflite__fail(l, "its sizes or axis are not constant, or above 256");
    DSCQ_TRY(tflite__run(&x, l, o, 0));
    for (int32_t i = 0; i < n; i++) {
        if (size[i] < -1 || size[i] > INT32_MAX || (size[i] == -1 && open >= 0))
            return tflite__fail(l, "sizes that contradict each other");
        open = size[i] == -1 ? i : open;
        sum += size[i];
    }
    if (open >= 0)
        size[open] = x.dim[x.rank - 1] - sum - 1;
    DSCQ_TRY(split(l, o, &x, axis, size));
done:
    return status;
}

/* lo[i], lo[i] + step[i], ... below hi[i] of every dimension. */
typedef struct ranges {
    int64_t lo[DSCQ_GRAPH_RANK], hi[DSCQ_GRAPH_RANK], step[DSCQ_GRAPH_RANK];
} ranges;

/* Rows and columns: a window that lets one position through. */
static dscq_status take_pixels(tfl_edge *x, lower *l, const tfl_op *o, const ranges *r)
{
    int64_t cut[2], kernel[2], step[2], one[] = {1, 1};
    dscq_window w;
    int turned;
    dscq_status status;

    if (x->rank != 4 || !tflite__is_map(l, x, &turned))
        return tflite__fail(l, "a slice of rows and columns of what is no map");
    for (int i = 0; i < 2; i++) {
        cut[i] = r->lo[1 + i];
        step[i] = r->step[1 + i];
        const int64_t n = (r->hi[1 + i] - cut[i] + step[i] - 1) / step[i];
        kernel[i] = x->dim[1 + i] - (n - 1) * step[i]; /* so that there are n of them */
        x->dim[1 + i] = n;
    }
    DSCQ_TRY(tflite__window(&w, l, kernel, step, one));
    if (turned)
        w = tflite__turn(w);
    DSCQ_TRY(tflite__pick(&x->part[0], l, o, x->part[0], &w, (int32_t)cut[turned],
                          (int32_t)cut[!turned]));
done:
    return status;
}

static dscq_status take_ranges(lower *l, const tfl_op *o, const ranges *r)
{
    int pixels = 0;
    tfl_edge x;
    dscq_status status;

    DSCQ_TRY(tflite__run(&x, l, o, 0));
    const int32_t last = x.rank - 1;
    for (int32_t i = 0; i < x.rank; i++) {
        const int all = r->lo[i] == 0 && r->hi[i] == x.dim[i] && r->step[i] == 1;
        if (r->lo[i] < 0 || r->hi[i] > x.dim[i] || r->lo[i] >= r->hi[i] ||
            r->step[i] < 1 || (!all && i == 0))
            return tflite__fail(l,
                                "bounds that contradict each other, or of the batch");
        if (i == last &&
            (r->step[i] != 1 || (!all && x.dim[i] != tflite__shape(l, &x).c)))
            return tflite__fail(l, "a slice that is not of neighbouring channels");
        pixels = pixels || (!all && i != last);
    }
    if (pixels)
        DSCQ_TRY(take_pixels(&x, l, o, r));
    DSCQ_TRY(take_channels(l, o, 0, &x, r->lo[last], r->hi[last] - r->lo[last]));
done:
    return status;
}

dscq_status tflite__rule_slice(lower *l, const tfl_op *o)
{
    const tfl_edge *x = tflite__edge(l, o, 0);
    int64_t size[DSCQ_GRAPH_RANK];
    ranges r;

    if (x == NULL || tflite__ints(l, o, 1, r.lo, DSCQ_GRAPH_RANK) != x->rank ||
        tflite__ints(l, o, 2, size, DSCQ_GRAPH_RANK) != x->rank)
        return tflite__fail(l, "its input is not computed, or its bounds are not "
                               "constant");
    for (int32_t i = 0; i < x->rank; i++) {
        const int all = size[i] == -1 || size[i] > x->dim[i];
        r.hi[i] = all || i == 0 ? x->dim[i] : r.lo[i] + size[i];
        r.step[i] = 1;
    }
    return take_ranges(l, o, &r);
}

/* Where an end counted from behind, or beyond the tensor, is. */
static int64_t within(int64_t v, int64_t size)
{
    v = v < 0 ? v + size : v;
    return v < 0 ? 0 : v > size ? size : v;
}

dscq_status tflite__rule_strided_slice(lower *l, const tfl_op *o)
{
    const tfl_edge *x = tflite__edge(l, o, 0);
    const int64_t no_lo = tflite__int(&o->options, 0, 4, 0),
                  no_hi = tflite__int(&o->options, 1, 4, 0),
                  others = tflite__int(&o->options, 2, 4, 0) |
                           tflite__int(&o->options, 3, 4, 0) |
                           tflite__int(&o->options, 4, 4, 0);
    ranges r;

    if (x == NULL || tflite__ints(l, o, 1, r.lo, DSCQ_GRAPH_RANK) != x->rank ||
        tflite__ints(l, o, 2, r.hi, DSCQ_GRAPH_RANK) != x->rank ||
        tflite__ints(l, o, 3, r.step, DSCQ_GRAPH_RANK) != x->rank)
        return tflite__fail(l, "its input is not computed, or its bounds are not "
                               "constant");
    if (others != 0)
        return tflite__fail(l, "a slice that adds or drops dimensions");
    for (int32_t i = 0; i < x->rank; i++) {
        if (r.step[i] < 1 || r.step[i] > x->dim[i])
            r.step[i] = r.step[i] < 1 ? 0 : x->dim[i];
        const int64_t size = x->dim[i];
        r.lo[i] = no_lo >> i & 1 ? 0 : within(r.lo[i], size);
        r.hi[i] = no_hi >> i & 1 ? size : within(r.hi[i], size);
        if (i == 0 && r.lo[i] == 0)
            r.hi[i] = size;
    }
    return take_ranges(l, o, &r);
}
