/* The network's one input: the file's, or several that become its channels. */
#include "dscq/base/str.h"
#include "lower.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIZE_MAX_ONE = 65536 };

/* What alone reads a tensor and only names its dimensions otherwise; NULL: none. */
static const tfl_op *renames(const lower *l, int32_t tensor)
{
    const tfl_op *found = NULL;

    for (int32_t i = 0; i < l->f->op_count; i++) {
        const tfl_op *o = &l->f->op[i];
        for (uint32_t k = 0; k < o->in.count; k++) {
            if (tflite__index(o->in, k) != tensor || o->code == TFL_SHAPE)
                continue;
            if (found != NULL || k != 0 || tflite__index(o->out, 0) < 0 ||
                (o->code != TFL_RESHAPE && o->code != TFL_EXPAND_DIMS &&
                 o->code != TFL_SQUEEZE && o->code != TFL_QUANTIZE &&
                 o->code != TFL_DEQUANTIZE))
                return NULL;
            found = o;
        }
    }
    return found;
}

/* The dimensions under which the first layer sees it. */
static const tfl_tensor *as_seen(const lower *l, int32_t tensor)
{
    const tfl_tensor *t = &l->f->tensor[tensor];

    for (int i = 0; i < 8; i++) {
        const tfl_op *o = renames(l, tensor);
        if (o == NULL)
            break;
        tensor = tflite__index(o->out, 0);
        const tfl_tensor *next = &l->f->tensor[tensor];
        if (tflite__elements(next) == 0 || next->dim[0] != 1)
            break;
        t = next;
    }
    return t;
}

/* Dimensions with the batch at 1, and the map they are. */
static const char *read_dims(int64_t *dim, dscq_shape *s, const tfl_tensor *t)
{
    const int32_t r = t->rank;

    if (r < 1 || r > 4)
        return "its rank is not 1 to 4";
    for (int32_t i = 0; i < r; i++) {
        dim[i] = i == 0 && r > 1 ? 1 : t->dim[i];
        if (dim[i] < 1 || dim[i] > SIZE_MAX_ONE)
            return "a size is not fixed (set it when converting), or above 65536";
    }
    *s = (dscq_shape){1, r > 2 ? (int32_t)dim[1] : 1, r > 3 ? (int32_t)dim[2] : 1,
                      (int32_t)dim[r - 1]};
    return NULL;
}

static dscq_status create(lower *l, dscq_shape s)
{
    char name[sizeof l->f->name];

    (void)dscq_str_copy(name, sizeof name, l->f->name);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name)
        *dot = '\0';
    return dscq_model_create(&l->m, name, s, l->err);
}

/* How a picture's bytes are the codes of the input, in words of a [data] section,
 * unless they are as pixels of 0 to 1 anyway. */
static void note_bytes(lower *l, const tfl_tensor *t, dscq_shape s)
{
    double scale;
    int32_t zero, lo, hi;

    if (!tflite__grid(t, &scale, &zero) || !tflite__code_range(t->type, &lo, &hi) ||
        hi - lo != 255 || t->rank != 4 || (s.c != 1 && s.c != 3))
        return;
    const double mean = (zero - lo) / 255.0, std = 1 / (255 * scale);
    if (mean != 0 || fabs(std - 1) > 1e-3)
        tflite__note(l,
                     "the input holds codes of 8 bits; where they are the bytes of a "
                     "picture: --data mean=%.9g --data std=%.9g",
                     mean, std);
}

static dscq_status one_input(const char **why, lower *l)
{
    const int32_t at = tflite__index(l->f->in, 0);
    const tfl_tensor *t = at >= 0 ? &l->f->tensor[at] : NULL;
    const tfl_op as = {.out = l->f->in};
    int64_t dim[DSCQ_GRAPH_RANK], seen_dim[DSCQ_GRAPH_RANK];
    dscq_shape s, seen;
    dscq_status status;

    if (t == NULL)
        return tflite__fail(l, "there is no input");
    *why = read_dims(dim, &s, t);
    if (*why != NULL)
        return DSCQ_OK;
    if (read_dims(seen_dim, &seen, as_seen(l, at)) == NULL &&
        dscq_shape_count(&seen) == dscq_shape_count(&s))
        s = seen;
    DSCQ_TRY(create(l, s));
    DSCQ_TRY(tflite__set(l, &as, at, DSCQ_INPUT, t->rank, dim));
    note_bytes(l, t, s);
done:
    return status;
}

/* ---- several ------------------------------------------------------------ */

/* Is a vector only added to or multiplied with maps, so that it may stand at every
 * pixel? */
static int is_spread(const lower *l, int32_t tensor)
{
    for (int32_t i = 0; i < l->f->op_count; i++) {
        const tfl_op *o = &l->f->op[i];
        for (uint32_t k = 0; k < o->in.count; k++)
            if (tflite__index(o->in, k) == tensor && o->code != TFL_ADD &&
                o->code != TFL_SUB && o->code != TFL_MUL)
                return 0;
    }
    return 1;
}

static const char *sum_channels(dscq_shape *all, const lower *l)
{
    int64_t dim[DSCQ_GRAPH_RANK], sum = 0;
    dscq_shape s;

    for (uint32_t i = 0; i < l->f->in.count; i++) {
        const int32_t at = tflite__index(l->f->in, i);
        const char *why =
            at >= 0 ? read_dims(dim, &s, &l->f->tensor[at]) : "an input is left out";
        if (why != NULL)
            return why;
        const int same =
            i == 0 || (s.h == all->h && s.w == all->w && l->f->tensor[at].rank > 1);
        if (!same && !(s.h == 1 && s.w == 1 && is_spread(l, at)))
            return "several inputs are one only when they have the same rows and "
                   "columns, or are vectors added to a map";
        if (i == 0)
            *all = s;
        sum += s.c;
    }
    all->c = sum <= SIZE_MAX_ONE ? (int32_t)sum : 0;
    return sum <= SIZE_MAX_ONE ? NULL : "more than 65536 channels in all";
}

/* Channels first .. of the input are input i of the file. */
static dscq_status part_of_input(int64_t *first, lower *l, uint32_t i, dscq_shape all)
{
    const tfl_tensor *t = tflite__tensor(l->f, l->f->in, i);
    const tfl_op as = {.out = {l->f->in.at + 4 * (size_t)i, 1}};
    const int32_t input = DSCQ_INPUT, at = tflite__index(l->f->in, i);
    const int64_t c = t->dim[t->rank - 1];
    const int64_t dim[] = {1, all.h, all.w, c};
    const dscq_route_params p = {
        .groups = 1, .first_channel = (int32_t)*first, .channels = (int32_t)c};
    char name[64];
    int32_t node;
    dscq_status status;

    tflite__text(name, sizeof name, t->name);
    tflite__note(l, "input '%.60s' is channels %d to %d of the network's", name,
                 (int)*first, (int)(*first + c - 1));
    DSCQ_TRY(tflite__add(&node, l, &as, "route", &p, &input, 1, NULL, 0));
    tfl_edge v = {.kind = TFL_RUN, .rank = all.h * all.w > 1 ? 4 : 2, .count = 1};
    v.part[0] = node;
    memcpy(v.dim, dim, sizeof dim);
    if (v.rank == 2)
        v.dim[1] = c;
    l->value[at] = v;
    l->f->node[at] = node;
    *first += c;
done:
    return status;
}

/* Of several grids, the widest is the input's. */
static dscq_status joined_inputs(const char **why, lower *l)
{
    int64_t first = 0, dim[] = {1, 1, 1, 1};
    int32_t widest = tflite__index(l->f->in, 0), zero;
    double scale, most = 0;
    dscq_shape all = {1, 1, 1, 1};
    dscq_status status;

    *why = sum_channels(&all, l);
    if (*why != NULL)
        return DSCQ_OK;
    for (uint32_t i = 0; i < l->f->in.count; i++)
        if (tflite__grid(tflite__tensor(l->f, l->f->in, i), &scale, &zero) &&
            scale > most) {
            most = scale;
            widest = tflite__index(l->f->in, i);
        }
    DSCQ_TRY(create(l, all));
    const tfl_op as = {.out = l->f->in};
    DSCQ_TRY(tflite__set(l, &as, widest, DSCQ_INPUT, 4, dim)); /* its grid */
    for (uint32_t i = 0; i < l->f->in.count; i++)
        DSCQ_TRY(part_of_input(&first, l, i, all));
done:
    return status;
}

dscq_status tflite__make_input(lower *l, dscq_table *t)
{
    const char *why = NULL;
    dscq_status status =
        l->f->in.count > 1 ? joined_inputs(&why, l) : one_input(&why, l);

    if (status != DSCQ_OK || why == NULL)
        return status;
    const tfl_tensor *in = tflite__tensor(l->f, l->f->in, 0);
    tflite__refuse(t, in != NULL ? in->name : (tfl_vec){NULL, 0}, "input", 0, why);
    for (uint32_t i = 0; i < l->f->in.count; i++)
        if (tflite__index(l->f->in, i) >= 0)
            l->value[tflite__index(l->f->in, i)].kind = TFL_REFUSED;
    return create(l, (dscq_shape){1, 1, 1, 1});
}
