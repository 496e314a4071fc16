/* Tensors of a file: their names, sizes, codes and values. */
#include "dscq/base/str.h"
#include "tflite_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int32_t tflite__index(tfl_vec v, uint32_t i)
{
    return i < v.count ? tflite__i32(v, i) : -1;
}

const tfl_tensor *tflite__tensor(const dscq_tflite *f, tfl_vec v, uint32_t i)
{
    const int32_t at = tflite__index(v, i);

    return at >= 0 ? &f->tensor[at] : NULL;
}

void tflite__text(char *out, size_t cap, tfl_vec name)
{
    char raw[256];
    const size_t n = name.count < sizeof raw - 1 ? name.count : sizeof raw - 1;

    if (n > 0)
        memcpy(raw, name.at, n);
    raw[n] = '\0';
    (void)dscq_str_clean(out, cap, raw);
}

void tflite__op_text(char *out, size_t cap, const tfl_op *o)
{
    static const struct {
        const char *name;
        int32_t code;
    } k_names[] = {
#define TFL_OP(name, code) {#name, code},
#include "ops.def"
#undef TFL_OP
    };
    char custom[64];

    (void)snprintf(out, cap, "operator %d", (int)o->code);
    for (size_t i = 0; i < sizeof k_names / sizeof *k_names; i++)
        if (k_names[i].code == o->code)
            (void)snprintf(out, cap, "%s", k_names[i].name);
    if (o->code != TFL_CUSTOM)
        return;
    tflite__text(custom, sizeof custom, o->custom);
    (void)snprintf(out, cap, "CUSTOM:%s", custom);
}

uint64_t tflite__elements(const tfl_tensor *t)
{
    uint64_t n = 1;

    for (int32_t i = 0; i < t->rank; i++) {
        if (t->dim[i] < 1 || n > (UINT64_C(1) << 40) / (uint64_t)t->dim[i])
            return 0;
        n *= (uint64_t)t->dim[i];
    }
    return n;
}

uint64_t tflite__bytes(int32_t type, uint64_t n)
{
    switch (type) {
    case TFL_INT4:
        return (n + 1) / 2;
    case TFL_UINT8:
    case TFL_INT8:
        return n;
    case TFL_INT16:
    case TFL_FLOAT16:
        return 2 * n;
    case TFL_FLOAT32:
    case TFL_INT32:
        return 4 * n;
    case TFL_INT64:
        return 8 * n;
    default:
        return 0;
    }
}

int tflite__is_whole(const tfl_tensor *t)
{
    const uint64_t n = tflite__elements(t), bytes = tflite__bytes(t->type, n);

    return t->data.count > 0 && !t->is_sparse && n > 0 && bytes > 0 &&
           bytes <= t->data.count;
}

static double half(const uint8_t *p)
{
    const int bits = p[0] | p[1] << 8, mantissa = bits & 1023, e = bits >> 10 & 31;
    const double v = e == 0    ? ldexp(mantissa, -24)
                     : e == 31 ? (mantissa != 0 ? (double)NAN : (double)INFINITY)
                               : ldexp(1024 + mantissa, e - 25);

    return bits >> 15 ? -v : v;
}

double tflite__value(const tfl_tensor *t, size_t i)
{
    const uint8_t *p = t->data.at;

    switch (t->type) {
    case TFL_INT4: { /* the lower half of a byte first */
        const int four = p[i / 2] >> (i % 2 * 4) & 15;
        return four > 7 ? four - 16 : four;
    }
    case TFL_UINT8:
        return p[i];
    case TFL_INT8:
        return (int8_t)p[i];
    case TFL_INT16:
        return (int16_t)(p[2 * i] | p[2 * i + 1] << 8);
    case TFL_FLOAT16:
        return half(p + 2 * i);
    case TFL_FLOAT32:
        return (double)tflite__f32(t->data, (uint32_t)i);
    case TFL_INT32:
        return tflite__i32(t->data, (uint32_t)i);
    case TFL_INT64:
        return (double)tflite__i64(t->data, (uint32_t)i);
    default:
        return 0;
    }
}

int tflite__code_range(int32_t type, int32_t *lo, int32_t *hi)
{
    const int bits = type == TFL_INT16                       ? 16
                     : type == TFL_INT8 || type == TFL_UINT8 ? 8
                     : type == TFL_INT4                      ? 4
                                                             : 0;

    *lo = bits == 0 || type == TFL_UINT8 ? 0 : -(1 << (bits - 1));
    *hi = bits == 0 ? 0 : *lo + (1 << bits) - 1;
    return bits != 0;
}

int tflite__grid(const tfl_tensor *t, double *scale, int32_t *zero)
{
    int32_t lo, hi;

    if (!tflite__code_range(t->type, &lo, &hi) || t->scale.count != 1)
        return 0;
    const int64_t z = t->zero.count > 0 ? tflite__i64(t->zero, 0) : 0;
    *scale = (double)tflite__f32(t->scale, 0);
    *zero = (int32_t)z;
    return *scale > 0 && isfinite(*scale) && z >= lo && z <= hi;
}

double tflite__scale(const tfl_tensor *t, size_t k)
{
    return t->scale.count == 0
               ? 1
               : (double)tflite__f32(t->scale, t->scale.count == 1 ? 0 : (uint32_t)k);
}

int32_t tflite__zero(const tfl_tensor *t, size_t k)
{
    return t->zero.count == 0
               ? 0
               : (int32_t)tflite__i64(t->zero, t->zero.count == 1 ? 0 : (uint32_t)k);
}

/* ---- for those who look at a file --------------------------------------- */

int32_t dscq_tflite_tensors(const dscq_tflite *f)
{
    return f->tensor_count;
}

dscq_tflite_info dscq_tflite_tensor(const dscq_tflite *f, int32_t tensor)
{
    const tfl_tensor *t = &f->tensor[tensor];
    dscq_tflite_info out = {.scale = 1, .rank = t->rank, .node = TFL_NO_NODE};
    int32_t lo, hi;

    tflite__text(out.name, sizeof out.name, t->name);
    memcpy(out.dim, t->dim, sizeof out.dim);
    out.count = (size_t)tflite__elements(t);
    if (tflite__grid(t, &out.scale, &out.zero) &&
        tflite__code_range(t->type, &lo, &hi)) {
        out.bits = t->type == TFL_INT16 ? 16 : t->type == TFL_INT4 ? 4 : 8;
        out.is_signed = lo < 0;
    } else {
        out.scale = 1;
        out.zero = 0;
    }
    if (f->node != NULL)
        out.node = f->node[tensor];
    return out;
}

int32_t dscq_tflite_inputs(const dscq_tflite *f)
{
    return (int32_t)f->in.count;
}

int32_t dscq_tflite_input_tensor(const dscq_tflite *f, int32_t i)
{
    return tflite__index(f->in, (uint32_t)i);
}

int32_t dscq_tflite_output_tensor(const dscq_tflite *f, int32_t i)
{
    return tflite__index(f->out, (uint32_t)i);
}
