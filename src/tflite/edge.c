/* What the rules ask about tensors on their way. */
#include "dscq/base/str.h"
#include "lower.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

dscq_status tflite__fail(const lower *l, const char *reason)
{
    return dscq_fail(l->err, DSCQ_UNSUPPORTED, "%s", reason);
}

void tflite__note(lower *l, const char *format, ...)
{
    char text[TFL_NOTE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (int32_t i = 0; i < l->f->notes; i++)
        if (strcmp(l->f->note[i], text) == 0)
            return;
    if (l->f->notes < TFL_NOTES)
        (void)dscq_str_copy(l->f->note[l->f->notes++], TFL_NOTE_BYTES, text);
}

/* ---- constants ---------------------------------------------------------- */

const tfl_tensor *tflite__const(const lower *l, const tfl_op *o, uint32_t i)
{
    const int32_t at = tflite__index(o->in, i);

    return at >= 0 && l->value[at].kind == TFL_CONST &&
                   tflite__is_whole(&l->f->tensor[at])
               ? &l->f->tensor[at]
               : NULL;
}

int32_t tflite__ints(const lower *l, const tfl_op *o, uint32_t i, int64_t *out,
                     int32_t cap)
{
    const tfl_tensor *t = tflite__const(l, o, i);

    if (t == NULL || (t->type != TFL_INT32 && t->type != TFL_INT64) ||
        tflite__elements(t) > (uint64_t)cap)
        return -1;
    const int32_t n = (int32_t)tflite__elements(t);
    for (int32_t k = 0; k < n; k++)
        out[k] = t->type == TFL_INT32 ? tflite__i32(t->data, (uint32_t)k)
                                      : tflite__i64(t->data, (uint32_t)k);
    return n;
}

/* ---- edges -------------------------------------------------------------- */

const tfl_edge *tflite__edge(const lower *l, const tfl_op *o, uint32_t i)
{
    const int32_t at = tflite__index(o->in, i);
    const tfl_edge *v = at >= 0 ? &l->value[at] : NULL;

    return v != NULL && (v->kind == TFL_RUN || v->kind == TFL_PARTS) ? v : NULL;
}

dscq_shape tflite__shape(const lower *l, const tfl_edge *v)
{
    return v->part[0] == DSCQ_INPUT ? dscq_model_input(l->m)
                                    : dscq_model_node(l->m, v->part[0])->out;
}

int tflite__is_map(const lower *l, const tfl_edge *v, int *turned)
{
    const dscq_shape s = tflite__shape(l, v);
    const int32_t h = v->rank == 4 ? 1 : v->rank == 3 ? 0 : -1;

    *turned = 0;
    if (v->rank == 2)
        return s.h == 1 && s.w == 1 && v->dim[1] == s.c;
    if (h != 1 || v->dim[3] != s.c)
        return 0;
    *turned = v->dim[1] != s.h;
    return (v->dim[1] == s.h && v->dim[2] == s.w) ||
           (v->dim[1] == s.w && v->dim[2] == s.h && (s.h == 1 || s.w == 1));
}

int tflite__is_padded_map(const lower *l, const tfl_edge *v, int *turned)
{
    tfl_edge bare = *v;

    if (v->kind != TFL_RUN || v->rank != 4 || v->softmax > 0)
        return 0;
    bare.dim[1] -= v->pad[0] + v->pad[2];
    bare.dim[2] -= v->pad[1] + v->pad[3];
    return tflite__is_map(l, &bare, turned);
}

int tflite__is_vector(const lower *l, const tfl_edge *v)
{
    const dscq_shape s = tflite__shape(l, v);

    return s.h == 1 && s.w == 1;
}

int tflite__same_dims(const tfl_edge *a, const tfl_edge *b)
{
    return a->rank == b->rank &&
           memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

int64_t tflite__count(const tfl_edge *v)
{
    int64_t n = 1;

    for (int32_t i = 0; i < v->rank; i++)
        n *= v->dim[i];
    return n;
}

int tflite__axis(int64_t *axis, int32_t rank)
{
    if (*axis < 0)
        *axis += rank;
    return *axis >= 0 && *axis < rank;
}
