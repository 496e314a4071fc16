/* The graph: memory, attributes, order, refusals. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "onnx_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct block {
    struct block *next;
    size_t pad[7]; /* keeps the alignment of what follows */
} block;

void *onnx__take(onnx_pool *p, size_t count, size_t size)
{
    size_t bytes;

    if (!dscq_size_mul(&bytes, count, size) || bytes > SIZE_MAX - sizeof(block) ||
        bytes + sizeof(block) > p->limit - p->used)
        return NULL;
    block *b = dscq_calloc(bytes + sizeof(block), 1);
    p->no_memory |= b == NULL;
    if (b == NULL)
        return NULL;
    p->used += bytes + sizeof(block);
    b->next = p->blocks;
    p->blocks = b;
    return b + 1;
}

char *onnx__copy_text(onnx_pool *p, const char *text, size_t bytes)
{
    char *copy = bytes < SIZE_MAX ? onnx__take(p, bytes + 1, 1) : NULL;

    if (copy != NULL && bytes > 0)
        memcpy(copy, text, bytes);
    return copy;
}

void onnx__release(onnx_pool *p)
{
    block *b = p->blocks;

    while (b != NULL) {
        block *next = b->next;
        dscq_free(b);
        b = next;
    }
    p->blocks = NULL;
    p->used = 0;
    p->no_memory = 0;
}

dscq_status onnx__pool_status(const onnx_pool *p, dscq_status status, const char *name,
                              dscq_error *err)
{
    return p->no_memory ? dscq_fail_nomem(err, name, 0) : status;
}

void dscq_onnx_close(dscq_onnx *f)
{
    if (f == NULL)
        return;
    onnx__release(&f->run);
    onnx__release(&f->pool);
    dscq_free(f);
}

void dscq_onnx_tensor_free(dscq_onnx_tensor *t)
{
    if (t == NULL)
        return;
    dscq_free(t->v);
    dscq_free(t);
}

void dscq_onnx_listen(dscq_onnx *f, const dscq_log *log)
{
    f->log = log;
}

int64_t dscq_onnx_opset(const dscq_onnx *f)
{
    return f->opset;
}

int32_t dscq_onnx_inputs(const dscq_onnx *f)
{
    return f->input_count;
}

int32_t dscq_onnx_outputs(const dscq_onnx *f)
{
    return f->output_count;
}

const char *dscq_onnx_input_name(const dscq_onnx *f, int32_t i)
{
    return f->value[f->input[i]].name;
}

const char *dscq_onnx_output_name(const dscq_onnx *f, int32_t i)
{
    return f->value[f->output[i]].name;
}

const onnx_attr *onnx__attr_find(const onnx_node *n, const char *name)
{
    for (int32_t i = 0; i < n->attr_count; i++)
        if (strcmp(n->attr[i].name, name) == 0)
            return &n->attr[i];
    return NULL;
}

int64_t onnx__attr_int(const onnx_node *n, const char *name, int64_t otherwise)
{
    const onnx_attr *a = onnx__attr_find(n, name);
    return a != NULL ? a->i : otherwise;
}

double onnx__attr_real(const onnx_node *n, const char *name, double otherwise)
{
    const onnx_attr *a = onnx__attr_find(n, name);
    return a != NULL ? a->f : otherwise;
}

const char *onnx__attr_text(const onnx_node *n, const char *name, const char *otherwise)
{
    const onnx_attr *a = onnx__attr_find(n, name);
    return a != NULL ? a->s : otherwise;
}

dscq_status onnx__check_order(const dscq_onnx *f, dscq_error *err)
{
    for (int32_t i = 0; i < f->node_count; i++)
        for (int32_t j = 0; j < f->node[i].in_count; j++) {
            const int32_t v = f->node[i].in[j];
            if (v >= 0 && f->value[v].producer >= i)
                return dscq_fail(
                    err, DSCQ_FORMAT,
                    "%s: node %d (%.60s) reads '%.80s', which a later node "
                    "makes: nodes must be in order",
                    f->name, (int)i, f->node[i].op, f->value[v].name);
        }
    return DSCQ_OK;
}

/* ---- refusals ----------------------------------------------------------- */

dscq_status onnx__refusals_create(dscq_table **out, dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("name", "node"), DSCQ_TEXT_COLUMN("op", ""),
        DSCQ_INT_COLUMN("opset", ""), DSCQ_TEXT_COLUMN("reason", ""), DSCQ_COLUMN_END};

    return dscq_table_create(out, "refused", columns, err);
}

void onnx__refuse(dscq_table *t, const dscq_onnx *f, const onnx_node *n,
                  const char *reason)
{
    const char *name = n->name[0] != '\0'                   ? n->name
                       : n->out_count > 0 && n->out[0] >= 0 ? f->value[n->out[0]].name
                                                            : NULL;
    char op[64];

    snprintf(op, sizeof op, "%.30s%s%.30s", n->domain, n->domain[0] ? "." : "", n->op);
    DSCQ_TABLE_ROW(t, name != NULL ? dscq_text(name) : dscq_none(), dscq_text(op),
                   dscq_int(f->opset), dscq_text(reason));
}

dscq_status onnx__refused(const dscq_onnx *f, const dscq_table *t, dscq_error *err)
{
    const size_t n = dscq_table_rows(t);

    if (dscq_table_check(t, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s: %zu node%s cannot be imported; the first is %.60s '%.80s': "
                     "%.200s",
                     f->name, n, n == 1 ? "" : "s", dscq_table_text(t, 0, 1),
                     dscq_table_is_set(t, 0, 0) ? dscq_table_text(t, 0, 0) : "",
                     dscq_table_text(t, 0, 3));
}

/* ---- tensors ------------------------------------------------------------ */

static const size_t ELEMENTS_MAX = (size_t)1 << 28;

onnx_tensor *onnx__new(onnx_pool *p, int32_t type, int32_t rank, const int64_t *dim)
{
    size_t count = 1;

    if (rank < 0 || rank > DSCQ_ONNX_RANK)
        return NULL;
    for (int32_t i = 0; i < rank; i++) {
        if (dim[i] < 0 || (uint64_t)dim[i] > ELEMENTS_MAX ||
            (dim[i] > 0 && count > ELEMENTS_MAX / (size_t)dim[i]))
            return NULL;
        count *= (size_t)dim[i];
    }
    onnx_tensor *t = onnx__take(p, 1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->v = onnx__take(p, count, sizeof *t->v);
    if (t->v == NULL)
        return NULL;
    t->type = type;
    t->rank = rank;
    t->count = count;
    for (int32_t i = 0; i < rank; i++)
        t->dim[i] = dim[i];
    return t;
}

int onnx__is_float(int32_t type)
{
    return type == DSCQ_ONNX_FLOAT || type == DSCQ_ONNX_DOUBLE ||
           type == DSCQ_ONNX_FLOAT16;
}

int64_t onnx__product(const int64_t *dim, int32_t from, int32_t to)
{
    int64_t n = 1;

    for (int32_t i = from; i < to; i++)
        n *= dim[i];
    return n;
}

void onnx__copy_values(onnx_tensor *to, const onnx_tensor *from)
{
    if (from->count > 0)
        memcpy(to->v, from->v, from->count * sizeof *from->v);
}

double onnx__half_to_even(double v)
{
    return nearbyint(v); /* the default rounding mode is never changed */
}

static int bits_of(int32_t type, int *is_signed)
{
    *is_signed = type == DSCQ_ONNX_INT8 || type == DSCQ_ONNX_INT16 ||
                 type == DSCQ_ONNX_INT32 || type == DSCQ_ONNX_INT64;
    switch (type) {
    case DSCQ_ONNX_UINT8:
    case DSCQ_ONNX_INT8:
        return 8;
    case DSCQ_ONNX_UINT16:
    case DSCQ_ONNX_INT16:
        return 16;
    case DSCQ_ONNX_UINT32:
    case DSCQ_ONNX_INT32:
        return 32;
    default:
        return 64;
    }
}

static double to_half(double v)
{
    int e;

    if (v == 0 || !isfinite(v))
        return v;
    frexp(v, &e);
    const double unit = ldexp(1.0, (e < -13 ? -13 : e) - 11);
    const double r = nearbyint(v / unit) * unit;
    return fabs(r) > 65504 ? copysign((double)INFINITY, v) : r;
}

double onnx__round_to(int32_t type, double v, int saturate)
{
    int is_signed;

    if (type == DSCQ_ONNX_FLOAT)
        return (double)(float)v;
    if (type == DSCQ_ONNX_DOUBLE)
        return v;
    if (type == DSCQ_ONNX_FLOAT16)
        return to_half(v);
    if (type == DSCQ_ONNX_BOOL)
        return v != 0;
    const int bits = bits_of(type, &is_signed);
    const double span = ldexp(1.0, bits);
    const double lo = is_signed ? -span / 2 : 0, hi = lo + span - (bits < 64);
    if (isnan(v))
        return 0;
    v = trunc(v);
    if (v >= lo && v <= hi)
        return v;
    if (saturate || bits == 64 || isinf(v))
        return v < lo ? lo : hi;
    return v - floor((v - lo) / span) * span;
}
